"""Neural time stepping: error at the final time and seconds, with the spectral backend beside it.

    python -m pdesolve.benchmarks.teng --out benchmarks/results/teng.json
    python -m pdesolve.benchmarks.teng --only heat burgers-1

Errors are relative in L2 at the final time, of all unknowns together, against the exact solution or a
spectral one of tolerance 1e-9.
Seconds are those of set-up and solve, the first fit included; cases of more than five minutes have one seed.
Options were chosen with seed 0, which is not recorded. ``spectral`` is the loosest of the tolerances 1e-3,
1e-4, … of that backend whose error is no larger, none where it does not solve the problem. The ``published``
cases run the released form of the method with a tenth of its points or less (along one period, where fields
repeat themselves), and its relatives; ``floor`` is what their scheme leaves with the same steps in Fourier
space. ``insr`` runs that of implicit spatial representations on its authors' advection and on their flow
between slip walls, beside our steps for the same.
"""

from __future__ import annotations

import functools
import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import sympy as sp

import pdesolve as pde
from pdesolve.backends.registry import make_backend
from pdesolve.backends.teng import TENG
from pdesolve.benchmarks.records import Record, run_cases
from pdesolve.checkpoint import plain

SEEDS = (1, 2, 3)
POINTS = {1: 2000, 2: 128}  # along each axis, for errors


def on_torus(name: str, T: float) -> Callable[[], pde.Problem]:
    """A problem of the catalogue."""
    return lambda: pde.catalogue(name, T=T)


def on_square(reaction: bool) -> pde.Problem:
    """Heat or Allen-Cahn with Dirichlet data on the unit square, made so that a given field is exact."""
    x, y, t = pde.coordinates("x y t")
    u = pde.unknown("u", x, y, t)
    diffusivity = sp.Rational(1, 100) if reaction else sp.Rational(1, 10)
    equation = u.diff(t) - diffusivity * (u.diff(x, 2) + u.diff(y, 2)) - (u - u**3 if reaction else 0)
    domain = pde.Box((x, 0, 1), (y, 0, 1)) * pde.Time(t, 0, 1)
    problem = pde.Problem("square", [equation], domain, [pde.Initial(u, 0), pde.Dirichlet(u, 0)])
    return problem.manufacture(u=sp.exp(-t) * sp.sin(2 * x + y) + sp.cos(x - 3 * y * t) / 2)


def on_line(burgers: bool) -> pde.Problem:
    """The one-dimensional problems of Berman & Peherstorfer, NeurIPS 2023, periodic, to T = 4."""
    x, t = pde.coordinates("x t")
    u = pde.unknown("u", x, t)
    if burgers:
        start = (1 - x**2) * sp.exp(-30 * (x + sp.Rational(1, 2)) ** 2)
        equation = u.diff(t) + u * u.diff(x) - sp.Rational(1, 1000) * u.diff(x, 2)
        domain = pde.Interval(x, -1, 1)
    else:
        bumps = ((-23.5, sp.pi / 2, -1), (-27.0, 4.2, 1), (-38.0, 5.4, 1))
        start = sp.tanh(2 * sp.sin(x)) / 3 + sum(s * sp.exp(a * (x - c) ** 2) for a, c, s in bumps)
        equation = u.diff(t) - sp.Rational(1, 200) * u.diff(x, 2) - u + u**3
        domain = pde.Interval(x, 0, 2 * sp.pi)
    conditions = [pde.Initial(u, start), pde.Periodic(u)]
    return pde.Problem("line", [equation], domain * pde.Time(t, 0, 4), conditions)


def floor_of_advection(dt: float = 0.05) -> float:
    """What the implicit midpoint rule leaves of the Gaussian below: phases of its waves that lag behind."""
    n, length = 4096, 16.0
    x = np.arange(n) / n * length - length / 2
    turned = 1j * dt / 4 * 2 * np.pi * np.fft.fftfreq(n, length / n)
    modes = np.fft.fft(np.exp(-50 * (x + 1.5) ** 2)) * ((1 - turned / 2) / (1 + turned / 2)) ** round(12 / dt)
    exact = np.exp(-50 * (x - 1.5) ** 2)
    return float(np.linalg.norm(np.fft.ifft(modes).real - exact) / np.linalg.norm(exact))


def advection() -> pde.Problem:
    """A Gaussian that moves by three, Chen et al., ICML 2023 (arXiv 2210.00124)."""
    x, t = pde.coordinates("x t")
    u = pde.unknown("u", x, t)
    exact = sp.exp(-50 * (x + sp.Rational(3, 2) - t / 4) ** 2)
    domain = pde.Interval(x, -2, 2) * pde.Time(t, 0, 12)
    conditions = [pde.Initial(u, exact.subs(t, 0)), pde.Dirichlet(u, exact, on="left")]
    return pde.Problem("advection", [u.diff(t) + u.diff(x) / 4], domain, conditions, reference=exact)


def between_slip_walls() -> pde.Problem:
    """Steady vortices of an inviscid fluid in a box, from the same paper."""
    x, y, t = pde.coordinates("x y t")
    u, v, p = pde.unknown("u v p", x, y, t)
    a, b = sp.pi * (x + 1), sp.pi * (y + 1)
    exact = {
        u: sp.sin(a) * sp.cos(b) / sp.pi,
        v: -sp.cos(a) * sp.sin(b) / sp.pi,
        p: (sp.cos(2 * a) + sp.cos(2 * b)) / (4 * sp.pi**2),
    }
    carried = {w: w.diff(t) + u * w.diff(x) + v * w.diff(y) for w in (u, v)}
    return pde.Problem(
        "slip-walls",
        [carried[u] + p.diff(x), carried[v] + p.diff(y), u.diff(x) + v.diff(y)],
        pde.Box((x, -1, 1), (y, -1, 1)) * pde.Time(t, 0, 5),
        [
            pde.Initial(u, exact[u]),
            pde.Initial(v, exact[v]),
            pde.Dirichlet(u, 0, on=("left", "right")),
            pde.Dirichlet(v, 0, on=("bottom", "top")),
            pde.Value(p, exact[p].subs({x: 0, y: 0}), at={x: 0, y: 0}),
        ],
        unknowns=(u, v, p),
        reference=exact,
    )


Modes = np.ndarray[Any, np.dtype[np.complex128]]
N = 128  # modes of the floor along each axis; a third of them is cut off
K = np.fft.fftfreq(N, 1 / N)
KX, KY = np.meshgrid(K, K, indexing="ij")
KEPT = (np.abs(KX) < N / 3) & (np.abs(KY) < N / 3)


def diffused(diffusivity: float, other: Callable[[Modes], Any] | None = None) -> Callable[[Modes], Modes]:
    """û' of D ∇²u, and of another term as a function of û on the grid."""

    def rate(modes: Modes) -> Modes:
        more = 0.0 if other is None else np.fft.fft2(other(modes))
        return np.asarray(KEPT * (more - diffusivity * (KX**2 + KY**2) * modes))

    return rate


def on_grid(modes: Modes) -> np.ndarray[Any, Any]:
    return np.fft.ifft2(modes).real


def floor(rate: Callable[[Modes], Modes], T: float, dt: float = 0.005) -> float:
    """What Heun's scheme leaves at T: relative to classical Runge-Kutta steps of half the length."""
    found, exact = start_on_torus(), start_on_torus()
    for _ in range(round(T / dt)):
        first = rate(found)
        found = found + dt / 2 * (first + rate(found + dt * first))
        for _ in range(2):
            a = rate(exact)
            b = rate(exact + dt / 4 * a)
            c = rate(exact + dt / 4 * b)
            exact = exact + dt / 12 * (a + 2 * b + 2 * c + rate(exact + dt / 2 * c))
    return float(np.linalg.norm(found - exact) / np.linalg.norm(exact))


def start_on_torus() -> Modes:
    """The initial data of the three problems on the torus."""
    x, y = np.meshgrid(*[np.arange(N) * 2 * np.pi / N] * 2, indexing="ij")
    return np.asarray(np.fft.fft2(0.04 * np.cosh(3 * np.sin(x)) * np.sinh(np.sin(y))))


@dataclass(frozen=True)
class Case:
    """One problem, options, and the error and seconds asked for."""

    problem: Callable[[], pde.Problem]
    asked: float
    within: float
    options: Mapping[str, Any] = field(default_factory=dict)
    seeds: tuple[int, ...] = SEEDS
    floor: Callable[[], float] | None = None  # what the scheme alone leaves


WIDE = {"width": 20, "harmonics": 4}
HEUN = {"published": "teng", "scheme": "heun", "dt": 0.005}
INSR = {"published": "insr", "scheme": "midpoint", "dt": 0.05}
RELEASED = {"points": 80, "rtol": 1e-6}

CASES = {
    "heat": Case(on_torus("heat-2d", 4), 1e-7, 120.0, {"rtol": 1e-7}),
    "allen-cahn-1": Case(on_torus("allen-cahn-2d", 1), 1e-6, 300.0),
    "allen-cahn-4": Case(on_torus("allen-cahn-2d", 4), 1e-5, 1200.0, {"width": 20, "rtol": 1e-5}, (1,)),
    "burgers-1": Case(on_torus("burgers-2d", 1), 1e-5, 300.0, WIDE),
    "burgers-4": Case(on_torus("burgers-2d", 4), 1e-4, 1200.0, {**WIDE, "rtol": 1e-4}, (1,)),
    "square-heat": Case(functools.partial(on_square, False), 1e-6, 120.0, {"rtol": 1e-5}),
    "square-allen-cahn": Case(functools.partial(on_square, True), 1e-6, 120.0, {"rtol": 1e-5}),
    "line-allen-cahn": Case(functools.partial(on_line, False), 1.66e-5, 776.0, {"harmonics": 4}),
    "line-burgers": Case(
        functools.partial(on_line, True), 6.07e-5, 2378.0, {"harmonics": 4, "rtol": 5e-4}, (1,)
    ),
    "published-heun": Case(
        on_torus("heat-2d", 0.5),
        5.4e-7,
        0.0,
        {**HEUN, **RELEASED},
        (1,),
        functools.partial(floor, diffused(0.1), 0.5),
    ),
    "published-heun-4": Case(
        on_torus("heat-2d", 4),
        5.4e-7,
        0.0,
        {**HEUN, "points": 48, "rtol": 1e-6},
        (1,),
        functools.partial(floor, diffused(0.1), 4),
    ),
    "published-heun-allen-cahn": Case(
        on_torus("allen-cahn-2d", 0.5),
        2.4e-6,
        0.0,
        {**HEUN, **RELEASED},
        (1,),
        functools.partial(floor, diffused(0.005, lambda modes: on_grid(modes) - on_grid(modes) ** 3), 0.5),
    ),
    "published-heun-burgers": Case(
        on_torus("burgers-2d", 0.5),
        3.9e-6,
        0.0,
        {**HEUN, "points": 48, "rtol": 1e-6},
        (1,),
        functools.partial(
            floor, diffused(0.01, lambda modes: -on_grid(modes) * on_grid(1j * (KX + KY) * modes)), 0.5
        ),
    ),
    "published-tdvp": Case(
        on_torus("heat-2d", 0.5),
        0.0,
        0.0,
        {"published": "tdvp", "scheme": "rk4", "dt": 0.01, **RELEASED},
        (1,),
    ),
    "published-rsng": Case(
        on_torus("heat-2d", 0.5),
        0.0,
        0.0,
        {"published": "rsng", "scheme": "rk4", "dt": 0.01, "subset": 300, "cut_off": 1e-6, **RELEASED},
        (1,),
    ),
    "published-obti": Case(
        on_torus("heat-2d", 0.5),
        0.0,
        0.0,
        {"published": "obti", "scheme": "heun", "dt": 0.05, **RELEASED},
        (1,),
    ),
    "insr-advection": Case(
        advection, 0.0, 0.0, {**INSR, "depth": 2, "width": 20, "rtol": 1e-4}, (1,), floor_of_advection
    ),
    "advection": Case(advection, 0.0, 0.0, {"width": 12, "rtol": 1e-4}, (1,)),
    "insr-slip-walls": Case(between_slip_walls, 0.0, 0.0, {**INSR, "points": 32, "rtol": 1e-3}, (1,)),
    "slip-walls": Case(between_slip_walls, 0.0, 0.0, {"points": 32, "rtol": 1e-4}, (1,)),
    "taylor-green": Case(on_torus("taylor-green", 1), 0.0, 0.0, {"rtol": 1e-5}, (1,)),
}


def at_the_end(problem: pde.Problem) -> np.ndarray[Any, Any]:
    """A grid at the final time."""
    *space, (_, end) = problem.domain.bounds.tolist()
    columns = [np.linspace(lower, upper, POINTS[len(space)]) for lower, upper in space]
    points = np.stack([m.ravel() for m in np.meshgrid(*columns, indexing="ij")], axis=1)
    return np.column_stack([points, np.full(len(points), end)])


def exact(problem: pde.Problem) -> np.ndarray[Any, Any]:
    """The solution at the end, (n, unknowns)."""
    points = at_the_end(problem)
    if problem.reference is not None and problem.reference.expressions is not None:
        expressions = [problem.substitute(sp.sympify(e)) for e in problem.reference.expressions]
        values = [sp.lambdify(problem.coordinates, e, "numpy")(*points.T) for e in expressions]
        return np.stack([np.broadcast_to(v, len(points)) for v in values], axis=1)
    return pde.solve(problem, "spectral", rtol=1e-9, progress=False)(points)


def run(name: str) -> Record:
    """Errors and seconds of every seed, and their medians; those of the spectral backend."""
    case = CASES[name]
    problem = case.problem()
    known, backend = exact(problem), TENG(**case.options)
    unaided = problem.replace(reference=None)
    runs = []
    for seed in case.seeds:
        solution = pde.solve(unaided, backend, seed=seed, progress=False, throw=False)
        runs.append(
            {
                "seed": seed,
                "status": solution.status.name,
                "message": solution.message,
                "relative_l2": error(solution, known),
                "seconds": round(solution.cost.seconds_setup + solution.cost.seconds_solve, 1),
            }
        )
    reached = statistics.median(r["relative_l2"] for r in runs)
    return {
        "options": plain(backend),
        "asked": case.asked,
        "within": case.within,
        "relative_l2": reached,
        "seconds": statistics.median(r["seconds"] for r in runs),
        **classical(unaided, known, reached),
        **({} if case.floor is None else {"floor": case.floor()}),
        "runs": runs,
    }


def error(solution: pde.Solution, known: np.ndarray[Any, Any]) -> float:
    """Relative in L2 at the end; NaN where the run did not come so far."""
    found = solution(at_the_end(solution.problem))
    return float(np.linalg.norm(found - known) / np.linalg.norm(known))


def classical(problem: pde.Problem, known: np.ndarray[Any, Any], reached: float) -> Record:
    """The spectral backend at the loosest tolerance that is as exact; nothing where it cannot."""
    if make_backend("spectral").supports(problem):
        return {"spectral_rtol": None, "spectral_relative_l2": None, "spectral_seconds": None}
    for digits in range(3, 10):
        solution = pde.solve(problem, "spectral", rtol=10.0**-digits, progress=False, throw=False)
        found = error(solution, known)
        if found <= reached:
            break
    return {
        "spectral_rtol": 10.0**-digits,
        "spectral_relative_l2": found,
        "spectral_seconds": round(solution.cost.seconds_setup + solution.cost.seconds_solve, 2),
    }


if __name__ == "__main__":
    run_cases(__doc__, {name: functools.partial(run, name) for name in CASES}, hidden=("runs", "options"))
