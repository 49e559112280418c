"""Hard starts, indefinite and singular systems, values that are not finite: solved, or told in words."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
import sympy as sp
from fem_cases import on_one_mesh, t, x, y, z

from pdesolve.backends.fem import FEM, linear
from pdesolve.declare import Box, Dirichlet, Initial, Interval, Neumann, Problem, Time, Value, unknown
from pdesolve.driver import SolveError, solve

SQUARE = Box((x, 0, 1), (y, 0, 1))


@pytest.mark.parametrize(
    "reaction", [lambda u: u ** sp.Rational(3, 2), sp.log, lambda u: 1 / u], ids=["power", "log", "inverse"]
)
def test_what_is_singular_at_zero_starts_from_the_boundary_values(reaction: Any) -> None:
    u = unknown("u", x, y)
    problem = Problem("start", [reaction(u) - u.diff(x, 2) - u.diff(y, 2)], SQUARE, [Dirichlet(u, 0)])
    solution = on_one_mesh(problem.manufacture(u=sp.exp(x) * (1 + y)), size=1 / 8)
    assert solution.error().relative_l2 < 1e-4


def test_a_source_that_is_not_finite_is_named_with_its_place() -> None:
    u = unknown("u", x, y)
    problem = Problem(
        "nan", {"balance": -u.diff(x, 2) - u.diff(y, 2) - sp.log(x - y)}, SQUARE, [Dirichlet(u, 0)]
    )
    with pytest.raises(SolveError, match=r"'balance' at x = .*, y = .* is not finite"):
        solve(problem, FEM(size=1 / 4), progress=False)


def test_a_source_that_ceases_to_be_finite_is_named_with_its_time() -> None:
    u = unknown("u", x, t)
    problem = Problem(
        "nan",
        [u.diff(t) - u.diff(x, 2) - sp.log(sp.Rational(1, 2) - t)],
        Interval(x, 0, 1) * Time(t, 0, 1),
        [Initial(u, 0), Dirichlet(u, 0)],
    )
    with pytest.raises(SolveError, match=r"t = 0\.5.* is not finite"):
        solve(problem, FEM(size=1 / 4), progress=False)


def test_a_step_that_overflows_is_halved() -> None:
    """u_t = 20 u² from 1/2 is 1/(2 - 20 t); in the first step a stage has no real solution."""
    u = unknown("u", x, t)
    problem = Problem(
        "growth",
        [u.diff(t) - u.diff(x, 2) - 20 * u**2],
        Interval(x, 0, 1) * Time(t, 0, sp.Rational(9, 100)),
        [Initial(u, sp.Rational(1, 2)), Dirichlet(u, 1 / (2 - 20 * t))],
        reference={u: 1 / (2 - 20 * t)},
    )
    solution = on_one_mesh(problem, size=1 / 4, dt=0.09, scheme="implicit-euler")
    assert solution.error().relative_l2 < 0.3
    assert len(solution.field.times) > 2  # type: ignore[attr-defined]


@pytest.mark.parametrize("sign", [1, -1])
def test_multigrid_serves_both_signs_of_diffusion(sign: int, monkeypatch: pytest.MonkeyPatch) -> None:
    u = unknown("u", x, y, z)
    monkeypatch.setattr(linear, "MULTIGRID_FROM", 0)
    monkeypatch.setattr(linear, "_direct", None)  # nothing but multigrid may be used
    problem = Problem(
        "cube",
        [sign * sum(u.diff(c, 2) for c in (x, y, z))],
        Box((x, 0, 1), (y, 0, 1), (z, 0, 1)),
        [Dirichlet(u, 0)],
    ).manufacture(u=x**2 - y * z)
    assert on_one_mesh(problem, size=1 / 3).error().max < 1e-9


def test_what_is_not_definite_after_all_is_factorised(monkeypatch: pytest.MonkeyPatch) -> None:
    u = unknown("u", x, y, z)
    monkeypatch.setattr(linear, "MULTIGRID_FROM", 0)
    problem = Problem(
        "helmholtz",
        [sum(u.diff(c, 2) for c in (x, y, z)) + 40 * u],
        Box((x, 0, 1), (y, 0, 1), (z, 0, 1)),
        [Dirichlet(u, 0)],
    ).manufacture(u=x**2 - y * z)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert on_one_mesh(problem, size=1 / 4).error().max < 1e-9


def test_data_that_no_solution_balances_are_told() -> None:
    """-((1 + u²) u')' = 0 with no flux on the left and 1 + u² on the right."""
    u = unknown("u", x)
    equation, line = -((1 + u**2) * u.diff(x)).diff(x), Interval(x, 0, 1)
    gauge = Value(u, 2, at={x: 0})
    wrong = Problem("wrong", [equation], line, [Neumann(u, 0, on="left"), Neumann(u, 1, on="right"), gauge])
    with pytest.raises(SolveError, match="out of balance"):
        solve(wrong, FEM(size=1 / 4), progress=False)
    right = Problem("right", [equation], line, [Neumann(u, 0), gauge]).manufacture(u=2 + sp.cos(sp.pi * x))
    assert on_one_mesh(right, size=1 / 16).error().relative_l2 < 1e-3
