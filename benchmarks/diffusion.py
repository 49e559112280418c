"""Recovery from partial observations: generative priors against exact posteriors and simpler methods.

    python -m pdesolve.benchmarks.diffusion --out benchmarks/results/diffusion.json
    python -m pdesolve.benchmarks.diffusion --only poisson darcy

Test members come from seed 3 of each family (priors are trained on seed 0; options were chosen on seed 1);
sensors lie on nodes, drawn anew for each member. Errors are means over members of |v - q|₂/|q|₂ on the nodes
of the prior, for the unknown u and the coefficient a: ``sample`` of one draw, ``mean`` of the mean of 16.
``forward`` observes a, ``inverse`` observes u. ``seconds`` is the median of whole calls of `solve`; the
first call of a linear family spends more on its law, which later ones find ready.

The priors of the linear families hold their exact law, as declared: ``poisson`` and ``helmholtz`` are tests
of the sampling. ``poisson-data`` has the principal components of its training data instead, and
``poisson-plain`` none: the preconditioning of Karras et al., guided by the derivative of the network.
"""

from __future__ import annotations

import functools
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import pdesolve as pde
from pdesolve.backends.base import Backend
from pdesolve.backends.diffusion import (
    DDIM,
    DDS,
    DEIS,
    DiffusionPDE,
    DPMSolver,
    GaussianExponential,
    Heun,
    Kriging,
    Moments,
    PiGDM,
    PublishedRule,
    UniPC,
)
from pdesolve.backends.diffusion.encoding import images
from pdesolve.backends.learner import turned
from pdesolve.backends.operators.networks import FNO
from pdesolve.backends.oracle import GPOracle
from pdesolve.benchmarks.records import Record, run_cases
from pdesolve.data.calibration import coverage, crps, spread_skill
from pdesolve.data.dataset import Dataset
from pdesolve.declare.domain import Array

FOLDER = Path(tempfile.gettempdir()) / "pdesolve-diffusion"
"""Data sets and baselines are kept here, and taken up by later runs."""
TEST_SEED = 3
SENSORS = 125


@dataclass(frozen=True)
class Grid:
    """How members of a family are stored."""

    rtol: float
    points: int = 32
    times: int | None = None


GRIDS = {
    "poisson-random": Grid(1e-5),
    "helmholtz-random": Grid(1e-5),
    "darcy-random": Grid(2e-2),
    "burgers-random": Grid(1e-4, 64, 64),
}


@functools.cache
def members(name: str, count: int, seed: int = TEST_SEED) -> Dataset:
    """Members of a family on the grid of its prior."""
    FOLDER.mkdir(exist_ok=True)
    grid, out = GRIDS[name], FOLDER / f"{name}-{seed}.h5"
    found = pde.generate(
        pde.family(name), count, out, seed=seed, points=grid.points, times=grid.times, rtol=grid.rtol
    )
    return found.subset(slice(0, count))


@dataclass(frozen=True)
class Case:
    """A member with sensors on it, and the truth (channels, *grid) on the nodes."""

    problem: pde.Problem
    truth: Array
    sensors: Mapping[str, Array]  # places among the nodes


def elliptic(name: str, i: int, data: Dataset, kind: str, sensors: int) -> Case:
    """A member of a steady family with sensors on some nodes of a, of u, or of both."""
    rng = np.random.default_rng([TEST_SEED, i])
    nodes = np.stack([g.ravel() for g in np.meshgrid(*data.coordinates, indexing="ij")], axis=1)
    truth = np.stack([data.values[i, 0, 0], data.fields["a"][i]]).astype(np.float64)
    chosen = {
        channel: rng.choice(len(nodes), sensors, replace=False)
        for channel in ("a", "u")
        if kind in ({"a": "forward", "u": "inverse"}[channel], "joint")
    }
    values = dict(zip(("u", "a"), truth.reshape(2, -1), strict=True))
    observations = {channel: (nodes[own], values[channel][own]) for channel, own in chosen.items()}
    return Case(pde.family(name).observed(observations), truth, chosen)


def errors(found: Array, truth: Array) -> Array:
    """Relative L2 error of each channel: (..., channels, *grid) to (..., channels)."""
    axes = (-2, -1)
    return np.sqrt(((found - truth) ** 2).sum(axis=axes) / (truth**2).sum(axis=axes))


def measure(cases: list[Case], backend: Backend) -> Record:
    """Errors, calibration and seconds of a backend that draws samples."""
    samples, means, wrong, covered, scores, ratios, seconds, said = [], [], [], [], [], [], [], ""
    for seed, case in enumerate(cases):
        begin = time.perf_counter()
        solution = pde.solve(case.problem, backend, seed=seed, progress=False)
        seconds.append(time.perf_counter() - begin)
        field: Any = solution.field
        draws, said = field.draws, solution.message
        samples.append(errors(draws, case.truth).mean(axis=0))
        means.append(errors(field.mean, case.truth))
        if len(np.unique(case.truth[-1])) == 2:
            wrong.append(wrong_pixels(field.mean[-1], case.truth[-1]))
        if len(draws) > 1:  # of a medium with two phases, spread and coverage say nothing
            hidden = [unseen(case, channel) for channel in range(len(case.truth) - bool(wrong))]
            pairs = [(draws[:, k][:, own], case.truth[k][own]) for k, own in enumerate(hidden)]
            covered.append([coverage(*pair) for pair in pairs])
            ratios.append([spread_skill(*pair) for pair in pairs])
            scores.append([crps(*pair) / pair[1].std() for pair in pairs])
    record: Record = {
        "sample": rounded(samples),
        "mean": rounded(means),
        "seconds": round(float(np.median(seconds)), 2),
        "first_seconds": round(seconds[0], 2),
        "members": len(cases),
        "said": said,
    }
    if wrong:
        record["wrong_pixels"] = float(f"{np.mean(wrong):.3g}")
    if covered:
        record |= {
            "coverage_90": rounded(covered),
            "spread_skill": rounded(ratios),
            "crps": rounded(scores),
        }
    return record


def unseen(case: Case, channel: int) -> Array:
    """Interior nodes of a channel that no sensor sees."""
    name = case.problem.unknown_names[channel]
    mask = np.ones(case.truth[channel].shape, dtype=bool)
    if name in case.sensors:
        mask.ravel()[case.sensors[name]] = False
    if name == "u" and len(case.problem.unknowns) > 1:  # known there: zero
        mask[[0, -1]] = mask[:, [0, -1]] = False
    return mask


def rounded(rows: Any) -> list[float | None]:
    """Means over members, a number a channel; None where a method has no answer."""
    return [float(f"{v:.4g}") if np.isfinite(v) else None for v in np.mean(rows, axis=0)]


# -- linear families, whose posterior is known ---------------------------------------------------------


def linear(name: str, count: int = 100, backend: DiffusionPDE | None = None) -> Record:
    """A prior against the exact posterior."""
    own = backend or DiffusionPDE()
    data = members(name, count)
    record: Record = {"sensors": SENSORS, "columns": ["u", "a"], "asked": "sample within 1.5 of the oracle"}
    for kind in ("forward", "inverse"):
        cases = [elliptic(name, i, data, kind, SENSORS) for i in range(count)]
        ours, oracle = measure(cases, own), measure(cases, GPOracle(samples=16))
        ratio = [float(f"{a / b:.3g}") for a, b in zip(ours["sample"], oracle["sample"], strict=True)]
        record[kind] = {"diffusion": ours, "oracle": oracle, "ratio": ratio}
    return record


def learned(
    label: str, prior: DiffusionPDE, use: Mapping[str, Any], count: int, seconds: float = 240.0
) -> Record:
    """The same where the law is not taken from the declaration, after a training of ``seconds``."""
    name = "poisson-random"
    family, out = pde.family(name), FOLDER / f"{name}-{label}.safetensors"
    data = pde.generate(family, 10_000, FOLDER / f"{name}-0.h5", points=32, rtol=1e-4, progress=False)
    if not out.exists():
        pde.train(family, prior, data, out, validation=0.05, budget=seconds, seed=0, progress=False)
    trained = DiffusionPDE.load(out, **use)
    loss = trained.card().metrics["validation_denoising_loss"]
    return {"training_seconds": seconds, "denoising_loss": loss, **linear(name, count, trained)}


PLAIN = {"guidance": Moments(iterations=20, blend=0.0), "samples": 4}


WEIGHTS = (1.0, 3.0, 10.0, 30.0)


def published(name: str = "poisson-random", count: int = 4) -> Record:
    """The paper's rule with one sample; its weight is the best of four on two members of seed 1."""
    data, others = members(name, count), members(name, 2, 1)
    record: Record = {"sensors": SENSORS, "columns": ["u", "a"]}
    for kind, channel in (("forward", 0), ("inverse", 1)):

        def rule(weight: float, steps: int) -> DiffusionPDE:
            guidance = PublishedRule(observation=weight)
            return DiffusionPDE(samples=1, sampler=Heun(steps=steps), guidance=guidance)

        tried = [elliptic(name, i, others, kind, SENSORS) for i in range(2)]
        sweep = {weight: measure(tried, rule(weight, 100))["sample"][channel] for weight in WEIGHTS}
        weight = min(sweep, key=sweep.__getitem__)
        record[f"{kind}, weights"] = {str(key): value for key, value in sweep.items()}
        cases = [elliptic(name, i, data, kind, SENSORS) for i in range(count)]
        for steps in (100, 500):
            record[f"{kind}, {2 * steps - 1} evaluations"] = measure(cases, rule(weight, steps))
    return record


def methods(name: str = "poisson-random", count: int = 4) -> Record:
    """Samplers by evaluations, and guidances, on the inverse problem."""
    data = members(name, count)
    cases = [elliptic(name, i, data, "inverse", SENSORS) for i in range(count)]
    record: Record = {"sensors": SENSORS, "columns": ["u", "a"]}
    for steps in (10, 20, 50):
        for sampler in (
            DPMSolver(steps=steps),
            UniPC(steps=steps),
            DEIS(steps=steps),
            Heun(steps=(steps + 1) // 2),
            DDIM(steps=steps),
            DPMSolver(steps=steps, stochastic=True),
            GaussianExponential(steps=steps),
        ):
            label = f"{sampler.name}{' sde' if getattr(sampler, 'stochastic', False) else ''}, {steps}"
            record[label] = measure(cases, DiffusionPDE(sampler=sampler))
    for guidance in (Kriging(), Moments(), PiGDM(), DDS()):
        record[f"guidance {guidance.name}"] = measure(cases, DiffusionPDE(guidance=guidance))
    return record


# -- Darcy: methods that know less ---------------------------------------------------------------------


def darcy(count: int = 30) -> Record:
    """The prior against an amortised FNO, the Gaussian law of the data, and the nearest sensor.

    ``gaussian`` is one step from pure noise: the mean of the data and their covariance alone.
    """
    name = "darcy-random"
    data = members(name, count)
    network, seconds = amortised(name)
    record: Record = {"columns": ["u", "a"], "fno_training_seconds": round(seconds)}
    for sensors in (125, 31):
        for kind in ("forward", "inverse"):
            cases = [elliptic(name, i, data, kind, sensors) for i in range(count)]
            own, one = DiffusionPDE(), DiffusionPDE(sampler=DPMSolver(steps=1), samples=1)
            row = {
                "kriging": measure(cases, own),
                "gaussian": {"mean": measure(cases, one)["mean"]},
                "fno": simple(cases, functools.partial(by_network, network)),
                "nearest": simple(cases, functools.partial(by_nearest, data)),
            }
            record[f"{kind}, {sensors}"] = row
    return record


def wrong_pixels(found: Array, truth: Array) -> float:
    """Share of nodes on the wrong side of the middle between two phases."""
    middle = (truth.min() + truth.max()) / 2
    return float(((found > middle) != (truth > middle)).mean())


def simple(cases: list[Case], method: Callable[[Case], Array]) -> Record:
    """Errors of a method with one answer, NaN where it has none for a channel."""
    begin = time.perf_counter()
    found = [method(case) for case in cases]
    wrong = [wrong_pixels(f[1], case.truth[1]) for f, case in zip(found, cases, strict=True)]
    answered = all(np.isfinite(f[1]).all() for f in found)
    return {
        "mean": rounded([errors(f, case.truth) for f, case in zip(found, cases, strict=True)]),
        "wrong_pixels": float(f"{np.mean(wrong):.3g}") if answered else None,
        "members": len(cases),
        "seconds": round((time.perf_counter() - begin) / len(cases), 4),
    }


def by_nearest(data: Dataset, case: Case) -> Array:
    """Every node as its nearest sensor; where a is observed, u is then solved for."""
    from scipy.interpolate import NearestNDInterpolator

    from pdesolve.residual.stencil import EllipticForm, Stencil

    nodes = np.stack([g.ravel() for g in np.meshgrid(*data.coordinates, indexing="ij")], axis=1)
    result = np.full(case.truth.shape, np.nan)
    for channel, name in enumerate(("u", "a")):
        if name in case.sensors:
            own = case.sensors[name]
            filled = NearestNDInterpolator(nodes[own], case.truth[channel].ravel()[own])(nodes)
            result[channel] = filled.reshape(result[channel].shape)
    if "a" in case.sensors:
        stencil = Stencil(EllipticForm(case.problem), len(data.coordinates[0]))
        result[0] = stencil.solve({"a": torch.from_numpy(result[1:])})[0].numpy()
    return result


def masked(images: Tensor, masks: Tensor) -> Tensor:
    """What a network sees: values at sensors, zero elsewhere, and where sensors are."""
    return torch.cat([images * masks, masks], dim=1)


def amortised(name: str, seconds: float = 600.0) -> tuple[nn.Module, float]:
    """An FNO from masked fields to whole ones, for all masks of either field, with 8 to 256 sensors."""
    from pdesolve.backends.diffusion.encoding import fitted

    family, out = pde.family(name), FOLDER / f"{name}-fno.pt"
    data = pde.generate(
        family, 8000, FOLDER / f"{name}-0.h5", points=GRIDS[name].points, rtol=GRIDS[name].rtol
    )
    encoding = fitted(family, data)
    clean = encoding.normalised(torch.from_numpy(images(family, data))).float()[: int(0.95 * len(data))]
    generator = torch.Generator().manual_seed(0)
    network = FNO(("open", "open"), 4, 2, generator, modes=16, width=32)
    network.encoding = encoding  # type: ignore[assignment]
    if out.exists():
        kept = torch.load(out, weights_only=True)
        network.load_state_dict(kept["weights"])
        return network.eval(), float(kept["seconds"])
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-3, weight_decay=1e-5)
    begin = time.perf_counter()
    while (spent := (time.perf_counter() - begin) / seconds) < 1:
        for group in optimiser.param_groups:
            group["lr"] = 2e-3 * min(1.0, spent / 0.03 + 1e-3) * 0.5 * (1 + np.cos(np.pi * min(spent, 1)))
        batch = turned(generator)(clean[torch.randint(len(clean), (32,), generator=generator)])
        share = torch.exp(torch.empty(32, 1, 1).uniform_(np.log(8), np.log(256), generator=generator)) / 1024
        own = torch.rand(32, 32, 32, generator=generator) < share
        which = torch.rand(32, 1, 1, generator=generator) < 0.5
        masks = torch.stack([own & which, own & ~which], dim=1).float()
        found = network(masked(batch, masks), None)
        wrong = (found - batch).flatten(2).norm(dim=2) / batch.flatten(2).norm(dim=2)
        optimiser.zero_grad()
        wrong.mean().backward()
        optimiser.step()
    torch.save({"weights": network.state_dict(), "seconds": seconds}, out)
    return network.eval(), seconds


def by_network(network: nn.Module, case: Case) -> Array:
    """One evaluation on the sensors of a case."""
    encoding: Any = network.encoding
    masks = torch.zeros(1, *case.truth.shape)
    for channel, name in enumerate(("u", "a")):
        if name in case.sensors:
            masks[0, channel].view(-1)[torch.from_numpy(case.sensors[name])] = 1
    with torch.no_grad():
        values = encoding.normalised(torch.from_numpy(case.truth)[None]).float()
        found = encoding.physical(network(masked(values, masks), None).double())
    return np.asarray(found[0])


# -- Burgers: sensor lines -----------------------------------------------------------------------------


def burgers(count: int = 20, lines: int = 5) -> Record:
    """Sensors at some places, read at all times; places drawn anew for each member.

    ``refined`` is the default; ``kriging`` leaves samples as the diffusion has drawn them, ``gaussian start``
    refines one step from the Gaussian law of the data instead.
    """
    name = "burgers-random"
    data = members(name, count)
    assert data.times is not None
    x, t = data.coordinates[0], data.times
    cases = []
    for i in range(count):
        rng = np.random.default_rng([TEST_SEED, i])
        truth = np.moveaxis(data.values[i], 0, -1).astype(np.float64)
        # One sensor in each fifth of the circle, anywhere in it.
        places = (np.arange(lines) * len(x) // lines + rng.integers(len(x) // lines, size=lines)) % len(x)
        points = np.stack([np.repeat(x[places], len(t)), np.tile(t, lines)], axis=1)
        seen = (places[:, None] * len(t) + np.arange(len(t))).ravel()
        problem = pde.family(name).observed({"u": (points, truth[0].ravel()[seen])})
        cases.append(Case(problem, truth, {"u": seen}))
    record: Record = {"lines": lines, "columns": ["u"], "asked": 0.05}
    record["refined"] = measure(cases, DiffusionPDE())
    record["kriging"] = measure(cases, DiffusionPDE(refine=None))
    record["gaussian start"] = measure(cases, DiffusionPDE(sampler=DPMSolver(steps=1)))
    return record


ALL: dict[str, Callable[[], Record]] = {
    "poisson": functools.partial(linear, "poisson-random"),
    "helmholtz": functools.partial(linear, "helmholtz-random", 40),
    "poisson-data": functools.partial(learned, "data", DiffusionPDE(declared=False), {}, 20),
    "poisson-data-768": functools.partial(learned, "data768", DiffusionPDE(declared=False, rank=768), {}, 20),
    "poisson-plain": functools.partial(learned, "plain", DiffusionPDE(rank=0), PLAIN, 4),
    "methods": methods,
    "published": published,
    "darcy": darcy,
    "burgers": burgers,
}

if __name__ == "__main__":
    run_cases(__doc__, ALL)
