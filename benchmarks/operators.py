"""Neural operators: errors on members that training did not see, with the costs of data and training.

    python -m pdesolve.benchmarks.operators --out benchmarks/results/operators.json
    python -m pdesolve.benchmarks.operators --only burgers-fno burgers-deeponet

Training members come from seed 0 of the family, test members from seed 1; validation members, which choose
the state that is kept, are the last tenth of the training members. Errors are means over the test members of
the relative L2 error over all stored times. ``classical`` is the coarsest grid and step of the same Fourier
integrator, or the coarsest mesh of the finite elements, whose mean error is no larger, with its seconds for
one member; ``breaks_even_after`` is the number of members beyond which data, training and evaluations take
less time than it, none where one evaluation takes longer. ``burgers-neuralop`` is ``burgers-fno`` with the
network of neuraloperator in place of ours: the same data, recipe, seconds, modes and width. The cases with
``pi`` train on inputs and equations alone; their options were chosen on test members of seed 7.
"""

from __future__ import annotations

import functools
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

import pdesolve as pde
from pdesolve.backends.operators import FNO, DeepONet, NeuralOperator, NeuralopModel, UNet
from pdesolve.benchmarks.records import Record, run_cases
from pdesolve.checkpoint import plain
from pdesolve.data.dataset import Dataset
from pdesolve.generation import generate
from pdesolve.problems import family
from pdesolve.residual.fourier.ensemble import Level, march
from pdesolve.residual.fourier.evolution import Evolution
from pdesolve.training import evaluate, train

FOLDER = Path(tempfile.gettempdir()) / "pdesolve-operators"
"""Data sets and trained operators are kept here, and taken up by later runs."""
TEST_SEED = 1


@dataclass(frozen=True)
class Case:
    """A family, an operator, and the error and seconds asked for."""

    family: str
    operator: NeuralOperator
    asked: float
    within: float
    members: int = 1000
    tests: int = 200
    rtol: float = 1e-6
    finer: float | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)


CASES = {
    "burgers-fno": Case("burgers-random", FNO(), 0.01, 600.0, finer=0.012),
    "burgers-neuralop": Case("burgers-random", NeuralopModel(), 0.01, 600.0, finer=0.012),
    "burgers-deeponet": Case("burgers-random", DeepONet(), 0.05, 240.0),
    "burgers-unet": Case("burgers-random", UNet(width=32), 0.05, 600.0),
    "darcy-fno": Case(
        "darcy-random", FNO(modes=24, width=32), 0.02, 900.0, members=600, tests=100, rtol=2e-2
    ),
    "burgers-pino": Case("burgers-random", FNO(width=48, labels=0.0, physics=1.0, substeps=2), 0.01, 900.0),
    "burgers-pi-deeponet": Case("burgers-random", DeepONet(labels=0.0, physics=1.0, substeps=2), 0.05, 240.0),
    "darcy-pino": Case(
        "darcy-random",
        FNO(modes=24, width=32, labels=0.0, physics=1.0),
        0.02,
        600.0,
        members=600,
        tests=100,
        rtol=2e-2,
    ),
}


def data(case: Case, members: int, seed: int, points: int | None = None) -> tuple[Dataset, float]:
    """Members of a family, and the seconds that they took."""
    FOLDER.mkdir(exist_ok=True)
    made = family(case.family, **case.parameters)
    out = FOLDER / f"{case.family}-{seed}-{points or made.points}.h5"
    clock = out.with_suffix(".seconds")  # of all runs that the file took
    begin = time.perf_counter()
    found = generate(made, members, out, seed=seed, points=points, rtol=case.rtol, progress=False)
    spent = time.perf_counter() - begin + (float(clock.read_text()) if clock.exists() else 0.0)
    clock.write_text(str(spent))
    return found.subset(slice(0, members)), spent


def kept(file: Path, operator: NeuralOperator) -> bool:
    """Whether an earlier run trained the operator with these options; delete the file to train again."""
    if not file.exists():
        return False
    options = type(operator).load(file).card().options
    return all(options.get(key, value) == value for key, value in plain(operator).items() if key != "weights")


def run(name: str, share: float = 1.0) -> Record:
    """Train, test, and compare with the classical solver."""
    case = CASES[name]
    made = family(case.family, **case.parameters)
    own, seconds_data = data(case, case.members, 0)
    tests, _ = data(case, case.tests, TEST_SEED)
    out = FOLDER / f"{name}.safetensors"
    if not kept(out, case.operator):
        train(made, case.operator, own, out, budget=case.within * share, seed=0, progress=False)
    trained: NeuralOperator = type(case.operator).load(out)
    seconds = float(trained.card().training["seconds"])
    found = evaluate(trained, tests)
    record: Record = {
        "options": plain(case.operator),
        "asked": case.asked,
        "within": case.within,
        "relative_l2": found["relative_l2"],
        "median": found["median"],
        "greatest": found["greatest"],
        "seconds_data": round(seconds_data, 1),
        "seconds_training": round(seconds, 1),
        "seconds_evaluation": found["seconds"] / case.tests,
        "reference_error": float(np.max(tests.errors)) if tests.errors is not None else None,
        "members": case.members,
        "tests": case.tests,
    }
    if case.finer is not None:
        fine, _ = data(case, case.tests, TEST_SEED, 2 * made.points)
        finer = type(trained).load(out, points=2 * made.points)
        record |= {"asked_finer": case.finer, "relative_l2_finer": evaluate(finer, fine)["relative_l2"]}
    record |= classical(made, tests, found["relative_l2"])
    gain = (record["classical_seconds"] or 0.0) - record["seconds_evaluation"]
    paid = (seconds_data + seconds) / gain if gain > 0 else None
    return record | {"breaks_even_after": None if paid is None else round(paid)}


def classical(made: Any, tests: Dataset, reached: float) -> Record:
    """The coarsest classical solve that is as exact on average, a member at a time on one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return (_coarse_elements if tests.times is None else _coarse_fourier)(made, tests, reached)
    finally:
        torch.set_num_threads(threads)


def _coarse_fourier(made: Any, tests: Dataset, reached: float) -> Record:
    evolution = Evolution(made.typical)
    chosen = tests.subset(slice(0, 20))
    start = torch.from_numpy(chosen.values[:, 0].astype(np.float64))
    assert chosen.times is not None
    points = tests.grid[0]
    for n in (24, 32, 48, 64, 96, 128, 192, 256):
        for steps in (1, 2, 4, 8):
            values = march(evolution, start, chosen.times, points, Level(n, steps))
            if _mean_error(values, chosen) > reached:
                continue
            begin = time.perf_counter()
            for i in range(5):
                march(evolution, start[i : i + 1], chosen.times, points, Level(n, steps))
            seconds = (time.perf_counter() - begin) / 5
            return {
                "classical": f"ETDRK4, {n} points, {steps} steps between stored times",
                "classical_level": [n, steps],
                "classical_relative_l2": _mean_error(values, chosen),
                "classical_seconds": seconds,
            }
    return {"classical": "none as exact", "classical_relative_l2": None, "classical_seconds": None}


def _coarse_elements(made: Any, tests: Dataset, reached: float) -> Record:
    grids = np.meshgrid(*tests.coordinates, indexing="ij")
    points = np.stack([g.ravel() for g in grids], axis=1)
    members = range(5)
    for size in (1 / 8, 1 / 12, 1 / 16, 1 / 24, 1 / 32, 1 / 48, 1 / 64, 1 / 96):
        begin, errors = time.perf_counter(), []
        for i in members:
            problem = made.sample((TEST_SEED, i)).replace(reference=None)
            solution = pde.solve(
                problem, "fem", degree=1, size=size, max_levels=1, progress=False, throw=False
            )
            values = solution(points)[:, 0].reshape(grids[0].shape)
            errors.append(
                np.linalg.norm(values - tests.values[i, 0, 0]) / np.linalg.norm(tests.values[i, 0, 0])
            )
        if np.mean(errors) <= reached:
            return {
                "classical": f"linear elements of size {size:.3g}",
                "classical_relative_l2": float(np.mean(errors)),
                "classical_seconds": (time.perf_counter() - begin) / len(members),
            }
    return {"classical": "none as exact", "classical_relative_l2": None, "classical_seconds": None}


def run_generate() -> Record:
    """A thousand members of burgers-random, anew."""
    with tempfile.TemporaryDirectory() as folder:
        begin = time.perf_counter()
        made = generate(family("burgers-random"), 1000, Path(folder) / "data.h5", progress=False)
        seconds = time.perf_counter() - begin
    assert made.errors is not None
    return {"asked": 1e-6, "within": 60.0, "largest_error": float(made.errors.max()), "seconds": seconds}


def run_refinement() -> Record:
    """Predictions of the operator of ``burgers-fno`` refined to 1e-6, and the spectral backend beside it."""
    trained = FNO.load(FOLDER / "burgers-fno.safetensors", rtol=1e-6)
    rows = []
    for i in range(5):
        problem = family("burgers-random").sample((TEST_SEED, i)).replace(reference=None)
        refined = pde.solve(problem, trained, progress=False, throw=False)
        marched = pde.solve(problem, "spectral", rtol=1e-6, progress=False)
        rows.append(
            {
                "member": i,
                "status": refined.status.name,
                "error_estimate": refined.error_estimate,
                "seconds": refined.cost.seconds_setup + refined.cost.seconds_solve,
                "spectral_seconds": marched.cost.seconds_setup + marched.cost.seconds_solve,
            }
        )
    return {
        "asked": 1e-6,
        "within": 10.0,
        "largest_estimate": max(row["error_estimate"] or np.inf for row in rows),
        "most_seconds": max(row["seconds"] for row in rows),
        "spectral_seconds": float(np.median([row["spectral_seconds"] for row in rows])),
        "runs": rows,
    }


def _mean_error(values: np.ndarray[Any, Any], tests: Dataset) -> float:
    wrong = (values - tests.values).reshape(len(tests), -1)
    size = np.linalg.norm(tests.values.reshape(len(tests), -1), axis=1)
    errors = np.linalg.norm(wrong, axis=1) / size
    return float(np.mean(np.where(np.isfinite(errors), errors, np.inf)))


if __name__ == "__main__":
    cases: dict[str, Callable[[], Record]] = {name: functools.partial(run, name) for name in CASES}
    cases |= {"generate": run_generate, "burgers-refinement": run_refinement}
    run_cases(__doc__, cases, hidden=("options", "runs"))
