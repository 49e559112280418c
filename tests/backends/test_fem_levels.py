"""Levels: nested meshes and times, guards, what the estimate is relative to, the start of time."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sympy as sp
from fem_cases import t, x, y

from pdesolve.backends.base import Context
from pdesolve.backends.fem import FEM
from pdesolve.declare import Box, Dirichlet, Initial, Interval, Neumann, Problem, Time, Value, unknown
from pdesolve.driver import solve
from pdesolve.solution import Status

SQUARE = Box((x, 0, 1), (y, 0, 1))


def torsion() -> Problem:
    u = unknown("u", x, y)
    return Problem("torsion", [-u.diff(x, 2) - u.diff(y, 2) - 1], SQUARE, [Dirichlet(u, 0)])


@pytest.mark.parametrize("degree", [1, 2])
def test_a_size_beyond_the_domain_still_refines(degree: int) -> None:
    """Two equal meshes would agree to the last digit; ∫ u = 0.0351442587 (Timoshenko's series)."""
    solution = solve(torsion(), FEM(size=10.0, degree=degree, rtol=5e-3), progress=False)
    assert solution.status is Status.CONVERGED
    points, weights = solution.field.mesh_quadrature()  # type: ignore[attr-defined]
    assert weights @ solution(points)[:, 0] == pytest.approx(0.0351442587, rel=1e-2)


def test_the_first_mesh_obeys_max_unknowns_before_it_is_made() -> None:
    (reason,) = FEM(size=1e-7).supports(torsion())
    assert "max_unknowns=150000" in reason
    (reason,) = FEM(size=1e-7).supports(torsion().replace(domain=SQUARE - Box((x, 0, 0.5), (y, 0, 0.5))))
    assert "max_unknowns=150000" in reason


@pytest.mark.parametrize(("steps", "saved"), [(70, 100), (7, 3), (16, 10)])
def test_levels_save_at_common_times(steps: int, saved: int) -> None:
    u = unknown("u", x, t)
    problem = Problem(
        "heat",
        [u.diff(t) - u.diff(x, 2)],
        Interval(x, 0, 1) * Time(t, 0, 1),
        [Initial(u, 0), Dirichlet(u, 0)],
    ).manufacture(u=sp.sin(1 + x + 2 * t))
    backend = FEM(size=1 / 4, dt=1 / steps, saved=saved, max_levels=4, rtol=1e-12)
    state = backend.start(problem, Context())
    times: list[Any] = []
    while True:
        progress = backend.advance(state)
        if state.answer is not None and len(times) == state.answer.number:
            times.append(state.answer.times)
        if progress.status is not None:
            break
    assert len(times) == 4
    for coarse, fine in pairwise(times):
        assert len(fine) <= saved + 1
        assert np.abs(coarse[:, None] - fine).min(axis=1).max() < 1e-12


def test_a_component_that_vanishes_does_not_spoil_the_estimate() -> None:
    """Poiseuille flow: v = 0 up to round-off, of which no digit is right."""
    u, v, p = unknown("u v p", x, y)
    problem = Problem(
        "poiseuille",
        [p.diff(c) - w.diff(x, 2) - w.diff(y, 2) for w, c in ((u, x), (v, y))] + [u.diff(x) + v.diff(y)],
        SQUARE,
        [Dirichlet(u, y * (1 - y)), Dirichlet(v, 0), Value(p, 0, at={x: 0, y: 0})],
    )
    solution = solve(problem, FEM(size=1 / 3, rtol=1e-9), progress=False)
    assert solution.status is Status.CONVERGED and len(solution.history.step) < 20
    assert np.abs(solution(problem.domain.cover(30))[:, problem.unknowns.index(v)]).max() < 1e-11


def test_unknowns_without_a_rate_are_right_at_the_start() -> None:
    """Cahn-Hilliard's chemical potential has no initial condition, and must not start from zero."""
    c, mu = unknown("c mu", x, t)
    problem = Problem(
        "cahn-hilliard",
        [c.diff(t) - mu.diff(x, 2), mu - c**3 + c + c.diff(x, 2) / 10],
        Interval(x, 0, 1) * Time(t, 0, 1),
        [Initial(c, 0), Neumann(c, 0), Neumann(mu, 0)],
        unknowns=(c, mu),
    ).manufacture(c=sp.sin(x + t), mu=sp.cos(x + t))
    solution = solve(problem, FEM(size=1 / 16, dt=1 / 20, max_levels=2), progress=False)
    points = problem.domain.sample(200, np.random.default_rng(0))
    for time in (0.0, 0.01, 0.1):
        points[:, 1] = time
        assert np.abs(solution(points)[:, 1] - np.cos(points[:, 0] + time)).max() < 2e-3
    assert solution.error_estimate is not None
    assert solution.error().relative_l2 < 2 * solution.error_estimate


def test_a_resumed_run_makes_the_same_matrix(tmp_path: Path) -> None:
    """Where the rate's coefficient depends on the solution, the matrix depends on the rates at its making."""
    u = unknown("u", x, t)
    problem = Problem(
        "quasilinear",
        [(2 + u) * u.diff(t) - ((1 + u**2) * u.diff(x)).diff(x)],
        Interval(x, 0, 1) * Time(t, 0, 1),
        [Initial(u, sp.sin(3 * x)), Neumann(u, 0, on="left"), Neumann(u, sp.sin(5 * t), on="right")],
    )
    backend = FEM(size=1 / 4, max_levels=1)
    whole = solve(problem, backend, progress=False)
    for cut in (2, 7, 12):
        file = tmp_path / f"after-{cut}"
        solve(problem, backend, steps=cut, checkpoint=file, progress=False)
        resumed = solve(problem, backend, checkpoint=file, progress=False)
        assert np.array_equal(whole.field.arrays()["saved"], resumed.field.arrays()["saved"])


def test_derivatives_beyond_those_of_the_polynomials_are_no_numbers() -> None:
    u = unknown("u", x, t)
    problem = Problem(
        "heat",
        [u.diff(t) - u.diff(x, 2)],
        Interval(x, 0, 1) * Time(t, 0, 1),
        [Initial(u, 0), Dirichlet(u, 0)],
    ).manufacture(u=x + x**2 * t)
    solution = solve(problem, FEM(size=1 / 4, max_levels=1), progress=False)
    place = np.array([[0.3, 0.4]])
    assert solution.derivative(place, u.diff(t))[0] == pytest.approx(0.09, abs=1e-8)
    assert solution.derivative(place, u.diff(t, 4))[0] == pytest.approx(0, abs=1e-4)
    assert np.isnan(solution.derivative(place, u.diff(t, 5))[0])
    assert np.isnan(solution.derivative(place, u.diff(x, 3))[0])
