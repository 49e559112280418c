"""The Gaussian-process backend: error and seconds, with a classical solver on the same declaration.

    python -m pdesolve.benchmarks.gp --out benchmarks/results/gp.json
    python -m pdesolve.benchmarks.gp --only u6 burgers

Each case solves one entry of the catalogue, with seeds 0, 1 and 2 (they place the lines on which residuals
are looked at); no frequency is given. Errors are relative in L2 over 300 points an axis, seconds are those of
set-up and solve. The spectral backend solves the same declaration with its defaults, once. ``calibration``
holds the share of 200 problems with noisy observations in which bands of 90 % cover the truth;
``calibration-open`` that of 30 in the plane whose boundary values are unknown, with the median error.

Cases named ``published-…`` give the method as published (`gp-hm`, Student-t kernel, its authors' grids and
frequencies) 60 seconds, and set its last iterate beside `gp` with spectra taken on as many points a line.

Cases named ``disk-…``, ``polygon-hole`` and ``l-shape`` are on shapes: error, seconds and error estimate for
growing numbers of measurements, and finite elements with their defaults. ``factor-cost`` holds the seconds of
ordering and sparse factor, and the entries of the factor, up to 32,000 measurements.
"""

from __future__ import annotations

import functools
import math
import statistics
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import sympy as sp

import pdesolve as pde
from pdesolve.backends.gp import GP, GPHM
from pdesolve.backends.gp.conditioned import NUGGET, normalised
from pdesolve.backends.gp.linearised import Collocation
from pdesolve.backends.gp.radial import RadialKernel
from pdesolve.backends.gp.sparse_cholesky import InverseFactor, ordering
from pdesolve.benchmarks.records import Record, run_cases
from pdesolve.checkpoint import plain
from pdesolve.residual.program import Program

SEEDS = (0, 1, 2)
POINTS = 300  # along each axis, for errors
PROBLEMS, OBSERVED, NOISE = 200, 20, 0.1  # of the calibration
OPEN_PROBLEMS, OPEN_OBSERVED, OPEN_NOISE = 30, 100, 0.05
NINETY = 1.645  # standard deviations


@dataclass(frozen=True)
class Case:
    """One problem, options, and the error and seconds asked for."""

    problem: str
    asked: float
    within: float
    parameters: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)


CASES = {
    **{f"u{k}": Case(f"poisson-u{k}", 1e-10, 1.0, {}, {"rtol": 1e-13}) for k in range(1, 6)},
    **{f"u{k}": Case(f"poisson-u{k}", 1e-10, 5.0) for k in (6, 7)},
    "advection": Case("advection", 1e-8, 10.0),
    "advection-all-edges": Case("advection", 1e-8, 10.0, {"variant": "all-edges"}),
    "a1": Case("allen-cahn-steady-1d", 1e-10, 1.0),
    "a2": Case("allen-cahn-steady-1d", 1e-10, 1.0, {"variant": "modulated"}),
    "a3": Case("allen-cahn-steady-2d", 1e-8, 20.0),
    "chirp": Case("poisson-chirp", 1e-5, 30.0),
    "boundary-layer": Case("advection-diffusion", 1e-5, 30.0, {"nu": 1e-3}),
    "variable-coefficients": Case("poisson-variable", 1e-5, 30.0),
    "burgers": Case("burgers", 1e-4, 30.0, {"nu": 0.02}, {"rtol": 1e-4}),
    "burgers-sharp": Case("burgers", 1e-2, 120.0, {"nu": 0.001}, {"rtol": 1e-3}),
}

SHAPES = (
    "disk-poisson",
    "disk-coefficients",
    "disk-nonlinear",
    "disk-neumann",
    "polygon-hole",
    "l-shape",
)
SHAPE_POINTS = (500, 1000, 2000, 4000)
FACTOR_POINTS = (2000, 4000, 8000, 16000, 32000)

PUBLISHED_SECONDS = 60.0
PUBLISHED = {
    "published-u1": ("poisson-u1", GPHM(n=400, highest=20.0)),
    "published-u2": ("poisson-u2", GPHM(n=900, highest=30.0, change_point=0.5)),
    "published-u6": ("poisson-u6", GPHM(n=400, highest=20.0)),
    "published-a1": ("allen-cahn-steady-1d", GPHM(n=400, highest=20.0)),
}
"""Entry of the catalogue, and the authors' settings for it."""


def grid(problem: pde.Problem) -> np.ndarray[Any, Any]:
    """All combinations of ``POINTS`` values on each axis."""
    columns = [np.linspace(lower, upper, POINTS) for lower, upper in problem.domain.bounds]
    return np.stack([m.ravel() for m in np.meshgrid(*columns, indexing="ij")], axis=1)


def error(solution: pde.Solution, exact: np.ndarray[Any, Any]) -> float:
    """Relative in L2 over `grid`."""
    found = solution(grid(solution.problem))
    return float(np.linalg.norm(found - exact) / np.linalg.norm(exact))


def run(name: str) -> Record:
    """Errors and seconds of every seed, and their medians; those of the spectral backend."""
    case = CASES[name]
    problem = pde.catalogue(case.problem, **case.parameters)
    backend = GP(**case.options)
    runs: list[Record] = []
    for seed in SEEDS:
        solution = pde.solve(problem, backend, seed=seed, progress=False, throw=False)
        assert solution.reference is not None
        exact = np.asarray(solution.reference.values(grid(problem))).reshape(-1, 1)
        runs.append(
            {
                "seed": seed,
                "status": solution.status.name,
                "message": solution.message,
                "relative_l2": error(solution, exact),
                "seconds": round(solution.cost.seconds_setup + solution.cost.seconds_solve, 2),
            }
        )
    return {
        "problem": case.problem,
        "parameters": dict(case.parameters),
        "options": plain(backend),
        "asked": case.asked,
        "within": case.within,
        "relative_l2": statistics.median(r["relative_l2"] for r in runs),
        "seconds": statistics.median(r["seconds"] for r in runs),
        **_classical(problem, exact),
        "runs": runs,
    }


def _classical(problem: pde.Problem, exact: np.ndarray[Any, Any]) -> Record:
    """The spectral backend with its defaults, or why it does not solve the problem."""
    try:
        solution = pde.solve(problem, "spectral", progress=False, throw=False)
    except pde.PDESolveError as refusal:
        return {"spectral": str(refusal)}
    return {
        "spectral": solution.status.name,
        "spectral_relative_l2": error(solution, exact),
        "spectral_seconds": round(solution.cost.seconds_setup + solution.cost.seconds_solve, 2),
    }


def published(name: str) -> Record:
    """Error and seconds of `gp-hm` within its budget and of `gp`, at equal grids."""
    entry, method = PUBLISHED[name]
    problem = pde.catalogue(entry)
    record: Record = {"problem": entry, "options": plain(method)}
    for label, backend, budget in (
        ("gp_hm", method, PUBLISHED_SECONDS),
        ("gp", GP(resolution=method.n), None),
    ):
        solution = pde.solve(problem, backend, budget=budget, progress=False, throw=False)
        assert solution.reference is not None
        exact = np.asarray(solution.reference.values(grid(problem))).reshape(-1, 1)
        record[label] = {
            "status": solution.status.name,
            "relative_l2": error(solution, exact),
            "seconds": round(solution.cost.seconds_setup + solution.cost.seconds_solve, 2),
            "steps": solution.provenance["steps"],
        }
    return record


def shape_problem(name: str) -> pde.Problem:
    """A manufactured problem on a shape, or the L-shape of the catalogue."""
    if name == "l-shape":
        return pde.catalogue("poisson-l-shape")
    x, y = pde.coordinates("x y")
    u = pde.unknown("u", x, y)
    exact = sp.sin(3 * x + 1) * sp.exp(y) + sp.cos(5 * x * y)
    laplacian = u.diff(x, 2) + u.diff(y, 2)
    disk, everywhere = pde.Disk((x, y)), [pde.Dirichlet(u, 0)]
    corners = [(0, 0), (2, 0), (2, 1), (1, 1.7), (0, 1)]
    pierced = pde.Polygon((x, y), corners, names="wall") - pde.Disk((x, y), (0.8, 0.6), 0.25, name="hole")
    equation, domain, conditions = {
        "disk-poisson": (-laplacian, disk, everywhere),
        "disk-coefficients": (
            -((1 + x**2) * u.diff(x)).diff(x) - (sp.exp(y) * u.diff(y)).diff(y) + 2 * u.diff(x) - u,
            disk,
            everywhere,
        ),
        "disk-nonlinear": (-laplacian + u**3, disk, everywhere),
        "disk-neumann": (-laplacian + u, disk, [pde.Neumann(u, 0)]),
        "polygon-hole": (
            -laplacian,
            pierced,
            [pde.Dirichlet(u, 0, on="wall"), pde.Neumann(u, 0, on="hole")],
        ),
    }[name]
    return pde.Problem(name, [equation], domain, conditions).manufacture(u=exact)


def shape(name: str) -> Record:
    """Error, estimate and seconds on the default grid, for growing numbers of measurements."""
    problem = shape_problem(name)
    runs: list[Record] = []
    for most in SHAPE_POINTS:
        backend = GP(rtol=1e-12, max_points=most)
        runs.append({"max_points": most, **_on_shape(problem, backend)})
    first, last = runs[0], runs[-1]
    ratio = math.log2(last["max_points"] / first["max_points"]) / 2  # halvings of the spacing
    return {
        "problem": name,
        "relative_l2": last["relative_l2"],
        "seconds": last["seconds"],
        "order": round(math.log2(first["relative_l2"] / last["relative_l2"]) / ratio, 2),
        "errors": [run["relative_l2"] for run in runs],
        "fem": _on_shape(problem, "fem"),
        "runs": runs,
    }


def _on_shape(problem: pde.Problem, backend: Any) -> Record:
    solution = pde.solve(problem, backend, progress=False, throw=False)
    return {
        "status": solution.status.name,
        "message": solution.message,
        "relative_l2": solution.error().relative_l2,
        "error_estimate": solution.error_estimate,
        "seconds": round(solution.cost.seconds_setup + solution.cost.seconds_solve, 2),
    }


def factor_cost() -> Record:
    """Seconds and entries of ordering and factor on a disk: nearly linear in the number of measurements."""
    program = Program(shape_problem("disk-poisson"))
    rows: list[Record] = []
    for most in FACTOR_POINTS:
        points = Collocation.of(program, most)
        blocks, _ = points.linearised(points.at_rest())
        measurements, _ = normalised(RadialKernel(3.5, 1.0), blocks)
        begin = time.perf_counter()
        ordered = ordering(np.concatenate([block.points for block in blocks]), points.groups)
        middle = time.perf_counter()
        factor = InverseFactor(measurements.matrix, ordered, 8.0, NUGGET)
        end = time.perf_counter()
        rows.append(
            {
                "measurements": len(measurements),
                "seconds_ordering": round(middle - begin, 3),
                "seconds_factor": round(end - middle, 2),
                "entries_a_column": round(factor.upper.nnz / len(measurements), 1),
            }
        )
    growth = rows[-1]["seconds_factor"] / rows[0]["seconds_factor"]
    times = rows[-1]["measurements"] / rows[0]["measurements"]
    return {"exponent": round(math.log(growth) / math.log(times), 2), "sizes": rows}


def calibration() -> Record:
    """u_xx = f with random u, known f and noisy observations of u instead of values at the ends."""
    x = pde.coordinates("x")
    u = pde.unknown("u", x)
    places = np.linspace(0, 1, 50)[:, None]
    covered = []
    for seed in range(PROBLEMS):
        rng = np.random.default_rng([seed, 0xCA11])
        waves = zip(rng.normal(size=4), rng.uniform(3, 40, 4), strict=True)
        exact = sum((float(a) * sp.sin(float(w) * x) for a, w in waves), sp.Integer(0))
        true = sp.lambdify(x, exact, "numpy")
        at = rng.uniform(0, 1, (OBSERVED, 1))
        values = true(at[:, 0]) + NOISE * rng.normal(size=OBSERVED)
        data = pde.Observations(u, at, values, noise=NOISE)
        problem = pde.Problem("noisy", [u.diff(x, 2) - exact.diff(x, 2)], pde.Interval(x, 0, 1), [data])
        solution = pde.solve(problem, GP(), progress=False)
        deviation = solution.uncertainty(places)
        assert deviation is not None
        inside = np.abs(solution(places)[:, 0] - true(places[:, 0])) < NINETY * deviation[:, 0]
        covered.append(float(inside.mean()))
    return {"asked": "0.85 to 0.95", "covered": statistics.mean(covered), "problems": PROBLEMS}


def open_calibration() -> Record:
    """Poisson's equation on a square: random u, known source, noisy values inside and no boundary data."""
    x, y = pde.coordinates("x y")
    u = pde.unknown("u", x, y)
    places = np.random.default_rng(0).uniform(0, 1, (400, 2))
    covered, errors = [], []
    for seed in range(OPEN_PROBLEMS):
        rng = np.random.default_rng([seed, 0x09E2])
        exact = sp.sin(3 * x) * sp.cos(2 * y)
        for size, rate, phase in zip(
            rng.normal(size=3), rng.uniform(1, 6, 3), rng.uniform(0, 7, 3), strict=True
        ):
            exact += float(size) * sp.exp(float(rate) * (x - 1)) * sp.cos(float(rate) * y + float(phase))
        true = sp.lambdify((x, y), exact, "numpy")
        at = rng.uniform(0, 1, (OPEN_OBSERVED, 2))
        values = true(*at.T) + OPEN_NOISE * rng.normal(size=OPEN_OBSERVED)
        data = pde.Observations(u, at, values, noise=OPEN_NOISE)
        source = exact.diff(x, 2) + exact.diff(y, 2)
        problem = pde.Problem(
            "open", [u.diff(x, 2) + u.diff(y, 2) - source], pde.Box((x, 0, 1), (y, 0, 1)), [data]
        )
        solution = pde.solve(problem, GP(), progress=False, throw=False)
        deviation = solution.uncertainty(places)
        assert deviation is not None
        misses = np.abs(solution(places)[:, 0] - true(*places.T))
        covered.append(float((misses < NINETY * deviation[:, 0]).mean()))
        errors.append(float(np.sqrt(np.mean(misses**2))))
    return {
        "asked": "0.85 to 0.95",
        "covered": statistics.mean(covered),
        "median_error": statistics.median(errors),
        "noise": OPEN_NOISE,
        "problems": OPEN_PROBLEMS,
    }


if __name__ == "__main__":
    run_cases(
        __doc__,
        {
            **{name: functools.partial(run, name) for name in CASES},
            **{name: functools.partial(published, name) for name in PUBLISHED},
            **{name: functools.partial(shape, name) for name in SHAPES},
            "factor-cost": factor_cost,
            "calibration": calibration,
            "calibration-open": open_calibration,
        },
        hidden=("runs", "options", "parameters", "problem"),
    )
