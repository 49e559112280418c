"""The classical backends against published numbers and closed forms: error and time of each.

    python -m pdesolve.benchmarks.classical --out benchmarks/results/classical.json
    python -m pdesolve.benchmarks.classical --only cavity cylinder

Each case is one call of `solve` with a tolerance, timed as a whole: set-up, all refinements and the error
estimate. What it is compared with was not computed by the same run: a closed form, a published number, or
for ``refined`` a run with a tolerance a hundred times smaller. A case that is run again replaces its
record.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import sympy as sp

import pdesolve as pde
from pdesolve.benchmarks.records import Record, run_cases
from pdesolve.problems.cylinder import BACK, FRONT, PUBLISHED_STEADY
from pdesolve.problems.lid_driven_cavity import CENTRE_LINE_EXTREMA


def timed(problem: pde.Problem, backend: str, **options: Any) -> tuple[pde.Solution, Record]:
    """A solution, and what its record has in common with all others."""
    begin = time.perf_counter()
    solution = pde.solve(problem, backend, progress=False, **options)
    return solution, {
        "problem": problem.name,
        "backend": backend,
        "options": {key: str(value) for key, value in options.items()},
        "seconds": round(time.perf_counter() - begin, 2),
        "status": solution.status.name,
        "message": solution.message,
        "error_estimate": solution.error_estimate,
    }


# -- periodic problems ---------------------------------------------------------------------------------


def schroedinger() -> pde.Problem:
    """The focusing nonlinear Schrödinger equation i h_t + ½ h_xx + |h|² h = 0 in real and imaginary part.

    h(x, 0) = 2 sech x on [-15, 15], 0 <= t <= π/2: a bound state of two solitons (Satsuma & Yajima 1974).
    """
    x, t = pde.coordinates("x t")
    u, v = pde.unknown("u v", x, t)
    size = u**2 + v**2
    return pde.Problem(
        "schroedinger",
        [u.diff(t) + v.diff(x, 2) / 2 + size * v, v.diff(t) - u.diff(x, 2) / 2 - size * u],
        pde.Interval(x, -15, 15) * pde.Time(t, 0, sp.pi / 2),
        [pde.Initial(u, 2 / sp.cosh(x)), pde.Initial(v, 0), pde.Periodic(u), pde.Periodic(v)],
        unknowns=(u, v),
    )


def refined(problem: pde.Problem) -> Record:
    """A periodic problem to 1e-8, against a run to 1e-10 (more modes, smaller steps)."""
    solution, record = timed(problem, "spectral", rtol=1e-8)
    finer = pde.solve(problem, "spectral", rtol=1e-10, progress=False)
    return {
        **record,
        "relative_l2": solution.error(finer).relative_l2,
        "asked": "1e-8 in 10 s",
        "refined": finer.message,
    }


def burgers() -> Record:
    """Burgers with Dirichlet ends against the Cole-Hopf solution."""
    solution, record = timed(pde.catalogue("burgers"), "spectral", rtol=1e-8)
    return {**record, "relative_l2": solution.error().relative_l2, "asked": "1e-8 in 20 s"}


# -- flows ---------------------------------------------------------------------------------------------


def cavity(reynolds: int) -> Record:
    """Extrema on the centre lines against Botella & Peyret (Re = 400: Ghia et al.)."""
    solution, record = timed(
        pde.catalogue("lid-driven-cavity", Re=reynolds), "fem", graded=True, rtol=1e-3, ignore=("p",)
    )
    line, half = np.linspace(0, 1, 4001), np.full(4001, 0.5)
    u = solution(np.stack([half, line], axis=1))[:, 0]
    v = solution(np.stack([line, half], axis=1))[:, 1]
    wanted = CENTRE_LINE_EXTREMA[reynolds]
    found = {"u_min": float(u.min()), "v_max": float(v.max()), "v_min": float(v.min())}
    errors = {name: value - getattr(wanted, name) for name, value in found.items()}
    return {
        **record,
        "reynolds": reynolds,
        "found": found,
        "difference": errors,
        "largest_difference": max(map(abs, errors.values())),
        "asked": "5e-4; Re = 1000 in 60 s",
        "source": wanted.source,
    }


def cylinder(levels: int) -> Record:
    """Drag, lift and pressure difference of DFG 2D-1 on the shipped mesh, refined ``levels - 1`` times."""
    solution, record = timed(pde.catalogue("cylinder"), "fem", max_levels=levels)
    u, v, _ = solution.problem.unknowns
    pressures = solution(np.array([FRONT, BACK]))[:, 2]
    found = {
        "drag": 500 * solution.reaction(u, "cylinder"),
        "lift": 500 * solution.reaction(v, "cylinder"),
        "pressure_difference": float(pressures[0] - pressures[1]),
    }
    relative = {name: value / getattr(PUBLISHED_STEADY, name) - 1 for name, value in found.items()}
    return {
        **record,
        "found": found,
        "relative_difference": relative,
        "asked": "1e-4 in drag, 1e-2 in lift, in 30 s",
        "source": PUBLISHED_STEADY.source,
    }


def shedding(dt: float, end: float) -> Record:
    """Strouhal number, greatest drag and lift of DFG 2D-2 on the shipped mesh, over the last periods."""
    solution, record = timed(
        pde.catalogue("cylinder", variant="2D-2", T=end), "fem", max_levels=1, dt=dt, saved=10_000
    )
    u, v, _ = solution.problem.unknowns
    field: Any = solution.field
    times = field.times[field.times > end - 1.1]
    lift = np.array([20 * solution.reaction(v, "cylinder", float(t)) for t in times])
    drag = np.array([20 * solution.reaction(u, "cylinder", float(t)) for t in times])
    rising = np.flatnonzero((lift[:-1] < 0) & (lift[1:] >= 0))
    crossings = times[rising] - lift[rising] * (times[1] - times[0]) / (lift[rising + 1] - lift[rising])
    periods = np.diff(crossings)
    return {
        **record,
        "strouhal": float(0.1 / periods[-1]),
        "strouhal_per_period": (0.1 / periods).tolist(),
        "greatest_drag": float(drag.max()),
        "greatest_lift": float(lift.max()),
        "asked": "Strouhal number 0.30 within 1 % (published range 0.295 to 0.305)",
    }


def torsion() -> Record:
    """∫ u of -Δu = 1 on the L-shape, by the quadrature of the elements."""
    solution, record = timed(pde.catalogue("poisson-l-shape"), "fem", rtol=1e-3)
    field: Any = solution.field
    points, weights = field.mesh_quadrature()
    integral = float(weights @ solution(points)[:, 0])
    return {**record, "integral": integral, "difference": integral - 0.2140758, "asked": "0.2140758 to 1e-4"}


CASES: dict[str, Callable[[], Record]] = {
    "kdv": lambda: refined(pde.catalogue("kdv")),
    "kuramoto-sivashinsky": lambda: refined(pde.catalogue("kuramoto-sivashinsky")),
    "schroedinger": lambda: refined(schroedinger()),
    "heat-2d": lambda: refined(pde.catalogue("heat-2d")),
    "allen-cahn-2d": lambda: refined(pde.catalogue("allen-cahn-2d")),
    "burgers-2d": lambda: refined(pde.catalogue("burgers-2d")),
    "burgers": burgers,
    "cavity-100": lambda: cavity(100),
    "cavity-400": lambda: cavity(400),
    "cavity-1000": lambda: cavity(1000),
    "cylinder": lambda: cylinder(1),
    "cylinder-refined": lambda: cylinder(2),
    "l-shape": torsion,
    "shedding": lambda: shedding(0.01, 8.0),
}


if __name__ == "__main__":
    run_cases(__doc__, CASES, hidden=("options", "source", "problem", "backend"))
