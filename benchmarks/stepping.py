"""Learned time steppers and assimilation on the Kuramoto-Sivashinsky equation, with classical baselines.

    python -m pdesolve.benchmarks.stepping --out benchmarks/results/stepping.json
    python -m pdesolve.benchmarks.stepping --only correction

All on 64 units of length, on the attractor (t >= 50), where errors grow by e in about ten time units. Data
seeds: training 101, test 103; options were chosen on seeds 11 and 12 and network seed 0, none of which is
recorded. Every learned row has the seconds of its data and training, and the row ``classical``: the fastest
of the ETDRK4 solvers in `COARSE` that is at least as good on the same test, with its time. ``pays_off_after``
is the number of test sets after which training is repaid, null where the classical solver is faster.

ks-next-state   networks that give the next state, 0.2 later, or the change until then
ks-derivative   the same network and number of steps, trained by time derivatives: by differences of the
                frames (no equations known), or exact from the symbols with L split off
correction      a coarse ETDRK4, 48 points and steps of 1, with and without the learned correction; errors
                against the true solution, restricted to the same modes, at t = 2, 4 and 10; later, the
                classical one has lost the trajectory
assimilation    13 of 128 points every 0.6, noise of 5 %; rmse of analyses over climatology in the second
                half of 100 time units, from random first guesses; an ensemble that never locks counts
"""

from __future__ import annotations

import functools
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pdesolve.assimilation import (
    AssimilationTask,
    EnsembleKalman,
    Filter,
    FilterDivergenceError,
    LearnedGain,
    Nudging,
    OpenLoop,
    assimilate,
    observe_every,
    train_gain,
)
from pdesolve.backends.operators.stepping import ClassicalStep, Step, Stepper, TrainedStepper
from pdesolve.backends.operators.stepping.steps import rollout
from pdesolve.benchmarks.records import Record, run_cases
from pdesolve.data.dataset import Dataset
from pdesolve.data.metrics import correlation_time
from pdesolve.generation import generate
from pdesolve.problems.kuramoto_sivashinsky_random import kuramoto_sivashinsky_random
from pdesolve.residual.fourier.evolution import Evolution
from pdesolve.steppers import train_stepper

SEEDS = (1, 2)
LENGTH, BURN_IN, SPACING, POINTS = 64.0, 50.0, 0.2, 128
TRAINING = {"n": 96, "T": 90, "seed": 101}
TEST = {"n": 16, "T": 150, "seed": 103}
COARSE = (
    (32, 1.0),
    (48, 1.0),
    (48, 0.5),
    (64, 1.0),
    (64, 0.5),
    (64, 0.25),
    (96, 0.5),
    (96, 0.25),
    (128, 0.1),
)
"""Points and steps of classical solvers, from cheap to expensive."""

NEXT_STATE = {"state": {"scheme": "state"}, "increment": {"scheme": "increment"}}
DERIVATIVE = {
    "differences": {"scheme": "rate", "labels": "differences", "substeps": 4},
    "symbols": {"scheme": "semilinear"},
    "exponential-increment": {"scheme": "exponential"},
}
NETWORK = {"points": 64, "dealias": False, "burn_in": BURN_IN}
STEPS = 4000
CORRECTION = {"scheme": "correction", "points": 48, "interval": 1.0, "burn_in": BURN_IN}
CORRECTION_STEPS, CORRECTION_TIMES = 2000, (2, 4, 10)
INTERVAL, EVERY, NOISE, WINDOWS = 0.6, 10, 0.05, 1200
KALMAN = EnsembleKalman(members=40, inflation=1.1, localisation=8.0)
NUDGING = Nudging(strength=0.1)


# -- data --------------------------------------------------------------------------------------------


@functools.cache
def folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="stepping-"))


def family(T: float) -> Any:
    return kuramoto_sivashinsky_random(L=LENGTH, T=T)


@functools.cache
def data(kind: str) -> tuple[Dataset, float]:
    """Trajectories, and the seconds that they took."""
    recipe = TRAINING if kind == "training" else TEST
    begin = time.perf_counter()
    made = generate(
        family(recipe["T"]),
        recipe["n"],
        folder() / f"{kind}.h5",
        seed=recipe["seed"],
        points=POINTS,
        times=round(recipe["T"] / SPACING) + 1,
        rtol=1e-3,
        dtype="float64",
        progress=False,
    )
    return made, time.perf_counter() - begin


def on_attractor(kind: str, interval: float) -> Tensor:
    """States (trajectories, times, 1, points) after the burn-in, so far apart."""
    found, _ = data(kind)
    return torch.from_numpy(found.values[:, round(BURN_IN / SPACING) :: round(interval / SPACING)])


@functools.cache
def evolution() -> Evolution:
    return Evolution(family(TRAINING["T"]).typical)


def trained(options: dict[str, Any], seed: int, steps: int) -> TrainedStepper:
    given, _ = data("training")
    out = folder() / "stepper.safetensors"
    return train_stepper(
        family(TRAINING["T"]), Stepper(**options), given, out, steps=steps, seed=seed, progress=False
    )


def timed(step: Step, start: Tensor, count: int) -> tuple[Tensor, float]:
    """A rollout without gradients, and its seconds."""
    begin = time.perf_counter()
    with torch.no_grad():
        states = rollout(step, start, count).double()
    return states, time.perf_counter() - begin


def cheapest(good: Callable[[ClassicalStep], tuple[float, bool, float]], interval: float) -> Record:
    """The fastest classical solver that is good enough; ``good`` gives its figure, verdict and seconds."""
    found = []
    for points, step in COARSE:
        substeps = max(1, round(interval / step))
        figure, enough, seconds = good(
            ClassicalStep(evolution(), interval, points, substeps, dtype=torch.float32)
        )
        if enough:
            found.append((seconds, points, interval / substeps, figure))
    if not found:
        return {"points": None}
    seconds, points, step, figure = min(found)
    return {"points": points, "step": step, "figure": figure, "seconds": round(seconds, 3)}


def pays_off_after(invested: float, classical: Record, seconds: float) -> int | None:
    gain = classical.get("seconds", float("nan")) - seconds
    return int(np.ceil(invested / gain)) if gain > 0 else None


# -- steppers -----------------------------------------------------------------------------------------


def correlation(step: Step) -> tuple[float, float]:
    """Mean time until the correlation with the truth falls below 0.8, and seconds of the rollouts."""
    truth = on_attractor("test", SPACING)
    states, seconds = timed(step, truth[:, 0].float(), truth.shape[1] - 1)
    times = SPACING * np.arange(truth.shape[1])
    return float(correlation_time(states.numpy(), truth.numpy(), times).mean()), seconds


def ks(rows: dict[str, dict[str, Any]]) -> Record:
    """Correlation time of each row, the mean over seeds."""
    record: Record = {"steps": STEPS, "data_seconds": round(data("training")[1], 1)}
    for name, options in rows.items():
        runs = []
        for seed in SEEDS:
            stepper = trained({**NETWORK, **options}, seed, STEPS)
            reached, seconds = correlation(stepper)
            runs.append(
                {
                    "seed": seed,
                    "correlation_time": reached,
                    "loss": stepper.known["loss"],
                    "training_seconds": round(stepper.known["seconds"], 1),
                    "rollout_seconds": round(seconds, 2),
                }
            )
        record[name] = mean_of(runs, "correlation_time", "training_seconds", "rollout_seconds")
        reached = record[name]["correlation_time"]

        def good(step: ClassicalStep, reached: float = reached) -> tuple[float, bool, float]:
            found, seconds = correlation(step)
            return found, found >= reached, seconds

        classical = cheapest(good, SPACING)
        invested = record["data_seconds"] + record[name]["training_seconds"]
        record[name] |= {
            "classical": classical,
            "pays_off_after": pays_off_after(invested, classical, record[name]["rollout_seconds"]),
            "runs": runs,
        }
    return record


def mean_of(runs: Sequence[Record], *keys: str) -> Record:
    return {key: round(statistics.fmean(run[key] for run in runs), 6) for key in keys}


# -- correction -----------------------------------------------------------------------------------------


def correction() -> Record:
    """Relative L2 errors on the modes of the coarse grid, means over test trajectories."""
    interval = CORRECTION["interval"]
    truth = on_attractor("test", interval)
    points = CORRECTION["points"]
    coarse = ClassicalStep(evolution(), interval, points)
    last = round(max(CORRECTION_TIMES) / interval)

    def restricted(states: Tensor) -> Tensor:
        return coarse.system.fields(coarse.system.state(states.flatten(0, 1)), points)

    exact = restricted(truth[:, : last + 1])

    def errors(step: Step) -> tuple[dict[str, float], float]:
        # Finer solvers start from all modes, the coarse one and its correction from those that they hold.
        states, seconds = timed(step, truth[:, 0].float(), last)
        gap = (restricted(states) - exact).view(len(truth), last + 1, -1).norm(dim=2)
        relative = (gap / exact.view(len(truth), last + 1, -1).norm(dim=2)).mean(dim=0)
        return {f"t={t}": float(relative[round(t / interval)]) for t in CORRECTION_TIMES}, seconds

    without, seconds_without = errors(ClassicalStep(evolution(), interval, points, dtype=torch.float32))
    runs = []
    for seed in SEEDS:
        stepper = trained(CORRECTION, seed, CORRECTION_STEPS)
        found, seconds = errors(stepper)
        runs.append(
            {
                "seed": seed,
                **found,
                "training_seconds": round(stepper.known["seconds"], 1),
                "rollout_seconds": round(seconds, 3),
            }
        )
    keys = [f"t={t}" for t in CORRECTION_TIMES]
    learned = mean_of(runs, *keys, "training_seconds", "rollout_seconds")

    def good(step: ClassicalStep) -> tuple[float, bool, float]:
        found, seconds = errors(step)
        return found["t=4"], found["t=4"] <= learned["t=4"], seconds

    classical = cheapest(good, interval)
    data_seconds = round(data("training")[1], 1)
    invested = data_seconds + learned["training_seconds"]
    return {
        "points": points,
        "step": interval,
        "steps": CORRECTION_STEPS,
        "data_seconds": data_seconds,
        "without": {**without, "rollout_seconds": round(seconds_without, 3)},
        "with": learned,
        "times_below": {key: round(without[key] / learned[key], 1) for key in keys},
        "classical": classical,
        "pays_off_after": pays_off_after(invested, classical, learned["rollout_seconds"]),
        "runs": runs,
    }


# -- assimilation ----------------------------------------------------------------------------------------


def assimilation() -> Record:
    """Analyses of the test trajectories by four filters; noise and first guesses differ between seeds."""
    training, truth = on_attractor("training", INTERVAL), on_attractor("test", INTERVAL)
    given, data_seconds = data("training")
    climatology = training.flatten(0, 1).float()
    size = float(climatology.std())
    seen = observe_every(given.coordinates, [LENGTH], EVERY, NOISE * size)
    forecast = ClassicalStep(evolution(), INTERVAL, 96, 2, dtype=torch.float32)

    def error(method: Filter, seed: int, step: Step = forecast) -> Record:
        """In the second half and in all cycles, means over twins; the median twin; and seconds."""
        values = seen.draw(truth[:, 1:], torch.Generator().manual_seed(1000 + seed)).float()
        begin = time.perf_counter()
        found = assimilate(method, step, seen, values, climatology, seed)
        seconds = time.perf_counter() - begin
        late = values.shape[1] // 2
        settled, whole = (found.rmse(truth[:, 1:], size, skip) for skip in (late, 0))
        return {
            "rmse": float(settled.mean()),
            "median": float(np.median(settled)),
            "greatest": float(settled.max()),
            "from_start": float(whole.mean()),
            "seconds": round(seconds, 2),
        }

    others = {"open-loop": OpenLoop(), "nudging": NUDGING, "kalman": KALMAN}
    runs: list[Record] = []
    for seed in SEEDS:
        begin = time.perf_counter()
        task = AssimilationTask(training[:-10], forecast, seen, training[-10:])
        gain = train_gain(task, LearnedGain(), steps=WINDOWS, seed=seed, progress=False)
        run: Record = {"seed": seed, "training_seconds": round(time.perf_counter() - begin, 1)}
        for name, method in {**others, "learned": gain}.items():
            run[name] = error(method, seed)
        runs.append(run)
    record: Record = mean_of(runs, "training_seconds")
    for name in (*others, "learned"):
        each = [run[name] for run in runs]
        record[name] = mean_of(each, *each[0])

    def good(step: ClassicalStep) -> tuple[float, bool, float]:
        try:
            found = error(KALMAN, SEEDS[0], step)
        except FilterDivergenceError:  # a grid that is too coarse for the filter
            return float("nan"), False, float("nan")
        return found["rmse"], found["rmse"] <= record["learned"]["rmse"], found["seconds"]

    classical = cheapest(good, INTERVAL)
    data_seconds = round(data_seconds, 1)
    invested = data_seconds + record["training_seconds"]
    return {
        "observed_points": seen.count,
        "interval": INTERVAL,
        "noise": NOISE,
        "windows": WINDOWS,
        "data_seconds": data_seconds,
        **record,
        "classical": classical,
        "pays_off_after": pays_off_after(invested, classical, record["learned"]["seconds"]),
        "runs": runs,
    }


CASES: dict[str, Callable[[], Record]] = {
    "ks-next-state": functools.partial(ks, NEXT_STATE),
    "ks-derivative": functools.partial(ks, DERIVATIVE),
    "correction": correction,
    "assimilation": assimilation,
}

if __name__ == "__main__":
    run_cases(__doc__, CASES, hidden=("runs",))
