"""The PINN backend: relative L2 error within a budget of wall time, median over seeds.

    python -m pdesolve.benchmarks.pinn --out benchmarks/results/pinn.json
    python -m pdesolve.benchmarks.pinn --only burgers-30 convection-50

Each case solves one entry of the catalogue with seeds 0, 1 and 2 in float64. The budget holds everything from
the call of `solve` on: set-up, compilation and training; the measurement of errors is left out. The options
of a case were chosen with seed 10. ``asked`` is the error that the case should stay below.

Cases named ``faithful-…`` have the networks, optimisers, weights and precision of the papers, one seed or
two, and a quarter or half of an hour; what differs from a paper is said beside them.
"""

from __future__ import annotations

import functools
import itertools
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import nn

import pdesolve as pde
from pdesolve.backends.pinn import PINN
from pdesolve.backends.pinn.samplers import AAS, DAS, RAD, Causal, Uniform
from pdesolve.benchmarks.records import Record, run_cases
from pdesolve.checkpoint import plain
from pdesolve.declare.domain import Array
from pdesolve.optimize import Adam, GaussNewton
from pdesolve.solution.norms import default_grid, inner_points

SEEDS = (0, 1, 2)


@dataclass(frozen=True)
class Case:
    """One problem, the options of the method, the budget in seconds and the error asked for."""

    problem: str
    budget: float
    asked: float
    options: Mapping[str, Any] = field(default_factory=dict)
    parameters: Mapping[str, Any] = field(default_factory=dict)
    points: Callable[[pde.Problem], Array] | None = None  # where else the error is measured
    asked_there: float | None = None
    dtype: str = "float64"
    seeds: tuple[int, ...] = SEEDS


def away_from_the_seam(problem: pde.Problem) -> Array:
    """Points of the default grid with |x| < 0.9: the kink of Allen-Cahn's initial data sits at |x| = 1."""
    points, _ = inner_points(problem, default_grid(problem))
    return points[np.abs(points[:, 0]) < 0.9]


def at_the_peak(problem: pde.Problem) -> Array:
    """20,000 points drawn from the Gaussian peak itself: density ∝ exp(-10 |x|²)."""
    points = np.random.default_rng(0).normal(0.0, np.sqrt(1 / 20), (20_000, len(problem.coordinates)))
    return points[(np.abs(points) <= 1).all(axis=1)]


def spread(size: float | tuple[float, ...]) -> dict[str, Any]:
    """Options of a network of waves: the largest wave number along axes that are not periodic."""
    return {"network_options": {"spread": size}}


def released_mlp(d: int, k: int, generator: torch.Generator) -> nn.Module:
    """4 x 50 tanh of the coordinates as they are, PyTorch's own start: uniform within 1/√(inputs)."""
    layers: list[nn.Module] = []
    for inputs, outputs in itertools.pairwise((d, 50, 50, 50, 50, k)):
        linear = nn.utils.skip_init(nn.Linear, inputs, outputs)  # its own start has no generator
        with torch.no_grad():
            for parameter in linear.parameters():
                parameter.uniform_(-(inputs**-0.5), inputs**-0.5, generator=generator)
        layers += [linear, nn.Tanh()]
    return nn.Sequential(*layers[:-1])


WAVES = {"network": "waves", "sampler": "fixed", "compile": False}
# A slab starts near its end: without damping at first, trials are saved.
MARCH = {**WAVES, "optimizer": GaussNewton(damping=1e-16, factor=10.0, patience=3, least_gain=0.1)}
CONVECTION = {"slabs": 5, **WAVES, "width": 120, "harmonics": 2, "points": 500, **spread(8.0)}

CAVITY = {"depth": 3, "width": 20}
SEPARABLE = {"network": "separable", "network_options": {"rank": 4}, "compile": False}
PEAK = {**SEPARABLE, "width": 10, "depth": 2, "points": 3000}
TEN = {**SEPARABLE, "width": 8, "depth": 1, "exact_conditions": False, "points": 2000, "points_boundary": 50}
ONE: dict[str, Any] = {"dtype": "float32", "seeds": (0,)}
TWO = {**ONE, "seeds": (0, 1)}
ADAM = {
    "optimizer": Adam(learning_rate=1e-3, decay=0.9, decay_every=5000),
    "exact_conditions": False,
    "slabs": 1,
}
R3_NET = {**ADAM, "network": released_mlp, "periodicity": "rows", "points": 1000, "points_boundary": 512}
CAUSAL_NET = {**ADAM, "width": 128, "harmonics": 10, "symmetry": False}
# The sum over slices makes this about the authors' ε = 100 on 100 slices.
CAUSAL = Causal(every=5, slices=32, epsilons=(300.0,))
CAUSAL_REDRAWN = replace(CAUSAL, redraw=1)
CHAOTIC = (0.01, 0.02, 0.03, 0.04, *(round(0.05 + 0.0025 * k, 4) for k in range(180)))

CASES: dict[str, Case] = {
    "burgers-30": Case("burgers", 30, 1e-5, {"width": 12, "points": 3000, "compile": False}),
    "burgers-120": Case("burgers", 120, 1e-6, {"width": 12, "points": 3000}),
    "burgers-300": Case("burgers", 300, 1e-7, {"points": 5000}),
    "convection-30": Case("convection", 60, 1e-5, CONVECTION),
    "convection-50": Case("convection", 60, 1e-5, CONVECTION, {"beta": 50}),
    "allen-cahn": Case("allen-cahn", 120, 1e-4, {"slabs": 5, "depth": 3}, {}, away_from_the_seam, 1e-5),
    "allen-cahn-dirichlet": Case(
        "allen-cahn",
        120,
        1e-6,
        {"slabs": 8, **MARCH, "width": 1200, "points": 3000, **spread((350.0, 1.5))},
        {"variant": "dirichlet", "diffusivity": 1e-3},
    ),
    "kdv": Case(
        "kdv",
        300,
        1e-4,
        {"slabs": 30, **MARCH, "width": 1000, "harmonics": 96, "points": 2500, **spread(1.5)},
    ),
    "kuramoto-sivashinsky": Case(
        "kuramoto-sivashinsky",
        600,
        1e-4,
        {"slabs": 40, **MARCH, "width": 600, "harmonics": 32, "points": 1800, **spread(2.0)},
    ),
    # Fronts form at t ~ 0.08. Where points are few, what one slab leaves grows in the next: with 2.3 points
    # for each parameter (seed 10), with four on seed 11 and in a first record (seed 1, lost), not with six.
    "kuramoto-sivashinsky-chaotic": Case(
        "kuramoto-sivashinsky",
        1800,
        1e-2,
        {"slabs": CHAOTIC, **MARCH, "width": 1000, "harmonics": 96, "points": 6000, **spread(2.0)},
        {"variant": "chaotic", "T": 0.5},
    ),
    "poisson": Case("poisson", 60, 1e-8, {"depth": 2}),
    "poisson-waves": Case("poisson", 60, 1e-8, {**WAVES, "width": 300, "points": 1000, **spread(6.0)}),
    "helmholtz": Case(
        "helmholtz", 60, 1e-8, {**WAVES, "width": 700, "points": 2800, **spread(25.0)}, {"a1": 6, "a2": 6}
    ),
    "kovasznay": Case("kovasznay", 120, 1e-6, {"depth": 3}, {"Re": 40}),
    "kovasznay-waves": Case(
        "kovasznay", 120, 1e-6, {**WAVES, "width": 500, "points": 2000, **spread(8.0)}, {"Re": 40}
    ),
    "taylor-green": Case(
        "taylor-green", 120, 1e-6, {**WAVES, "width": 400, "harmonics": 3, "points": 1500, **spread(3.0)}
    ),
    # Asked in 300 and 900 s. Beyond half of this budget the error hardly changes.
    "cavity-100": Case("lid-driven-cavity", 150, 1e-3, {**CAVITY}, {"Re": 100, "lid": "regularised"}),
    "cavity-400": Case("lid-driven-cavity", 150, 5e-3, {**CAVITY}, {"Re": 400, "lid": "regularised"}),
    # Asked in 300 s. The three samplers share network, optimiser and time. With tanh the networks do not hold
    # the peaks, which are products of Gaussians. Each redraws its points as often as suits it: with uniform
    # ones at every step, the default of that sampler, errors stayed above 1 on two peaks.
    **{
        f"{problem}-{sampler}": Case(problem, budget, 1e-4, {**PEAK, "sampler": chosen})
        for problem, budget in (("poisson-peak", 60), ("poisson-two-peaks", 300))
        for sampler, chosen in {
            "rad": RAD(every=10, pool=10, power=2.0),
            "aas": AAS(every=20),
            "uniform": Uniform(every=10),
        }.items()
    },
    # Asked in 600 s. ``relative_l2`` is that at the 1,024 points of the default grid, all (±½, …, ±½), where
    # u = 1e-11: it says nothing. ``relative_l2_there`` is what counts.
    **{
        f"poisson-10d-{sampler}": Case(
            "poisson-10d",
            80,
            1e-2,
            {**TEN, "sampler": chosen},
            points=at_the_peak,
            asked_there=1e-2,
        )
        for sampler, chosen in {
            "das": DAS(every=10),
            "aas": AAS(every=10),
            "uniform": Uniform(every=10),
        }.items()
    },
    # Asked in 30 minutes. Differs from Daw et al.: 15 minutes for 300,000 steps, 512 points for 251 on the
    # boundary. With harmonics as features and a Glorot start the error was 23 % after 30 minutes.
    "faithful-r3": Case("convection", 900, 0.03, {**R3_NET, "sampler": "r3"}, {}, **ONE),
    "faithful-r3-fixed": Case("convection", 900, 0.03, {**R3_NET, "sampler": "fixed"}, {}, **ONE),
    # Differs from Wang et al.: 1,024 fixed points for a grid of 25,600, new weights every five steps; 30
    # minutes for 300,000 steps.
    "faithful-causal": Case(
        "allen-cahn", 1800, 0.1, {**CAUSAL_NET, "points": 1024, "sampler": CAUSAL}, {}, **ONE
    ),
    "faithful-causal-without": Case(
        "allen-cahn", 1800, 0.1, {**CAUSAL_NET, "points": 1024, "sampler": "fixed"}, {}, **ONE
    ),
    # The same with new points every five steps, which help the run without weights more.
    "faithful-causal-redrawn": Case(
        "allen-cahn", 1800, 0.1, {**CAUSAL_NET, "points": 512, "sampler": CAUSAL_REDRAWN}, {}, **TWO
    ),
    "faithful-causal-redrawn-without": Case(
        "allen-cahn", 1800, 0.1, {**CAUSAL_NET, "points": 512, "sampler": Uniform(every=5)}, {}, **TWO
    ),
}


def run(name: str) -> Record:
    """The record of a case: errors and seconds of every seed, and their medians."""
    case = CASES[name]
    problem = pde.catalogue(case.problem, **case.parameters)
    backend = PINN(**case.options)
    runs = [_once(case, problem, backend, seed) for seed in case.seeds]
    record: Record = {
        "problem": case.problem,
        "parameters": dict(case.parameters),
        "options": plain(backend),
        "budget": case.budget,
        "asked": case.asked,
        "dtype": case.dtype,
        "relative_l2": statistics.median(r["relative_l2"] for r in runs),
        "seconds": statistics.median(r["seconds"] for r in runs),
    }
    if case.points is not None:
        record |= {
            "points": (case.points.__doc__ or "").splitlines()[0],
            "asked_there": case.asked_there,
            "relative_l2_there": statistics.median(r["relative_l2_there"] for r in runs),
        }
    return record | {"runs": runs}


def _once(case: Case, problem: pde.Problem, backend: PINN, seed: int) -> Record:
    begin = time.perf_counter()
    solution = pde.solve(
        problem, backend, budget=case.budget, seed=seed, dtype=case.dtype, progress=False, throw=False
    )
    norms = solution.error()
    record: Record = {
        "seed": seed,
        "status": solution.status.name,
        "message": solution.message,
        "relative_l2": norms.relative_l2,
        "max": norms.max,
        "seconds": round(solution.cost.seconds_setup + solution.cost.seconds_solve, 1),
        "seconds_setup": round(solution.cost.seconds_setup, 1),
        "seconds_with_measurement": round(time.perf_counter() - begin, 1),
        "steps": solution.history.step[-1],
        "curve": [
            [round(s, 1), float(f"{e:.3e}")]
            for s, e in zip(solution.history.seconds, solution.history.relative_l2, strict=True)
        ],
    }
    if case.points is not None:
        points = case.points(problem)
        assert solution.reference is not None
        exact = np.asarray(solution.reference.values(points)).reshape(len(points), -1)
        record["relative_l2_there"] = float(np.linalg.norm(solution(points) - exact) / np.linalg.norm(exact))
    return record


if __name__ == "__main__":
    run_cases(
        __doc__,
        {name: functools.partial(run, name) for name in CASES},
        hidden=("runs", "options", "parameters", "problem", "points"),
    )
