"""Weak forms of less common declarations, by manufactured solutions; refusals of what has none."""

from __future__ import annotations

from typing import Any

import pytest
import sympy as sp
from fem_cases import on_one_mesh, orders, t, x, y

import pdesolve as pde
from pdesolve.backends.fem import FEM
from pdesolve.declare import (
    Box,
    Dirichlet,
    Initial,
    Interval,
    Neumann,
    Polygon,
    Problem,
    Robin,
    Time,
    Value,
    unknown,
)

SQUARE = Box((x, 0, 1), (y, 0, 1))


def laplacian(u: Any) -> sp.Expr:
    return u.diff(x, 2) + u.diff(y, 2)


# -- flows ---------------------------------------------------------------------------------------------


def stokes(*conditions: Any, compressibility: Any = 0) -> Problem:
    """Stokes flow whose exact solution lies in the space of Taylor-Hood elements."""
    u, v, p = unknown("u v p", x, y)
    equations = [
        p.diff(x) - laplacian(u),
        p.diff(y) - laplacian(v),
        u.diff(x) + v.diff(y) + compressibility * p,
    ]
    problem = Problem("stokes", equations, SQUARE, conditions, unknowns=(u, v, p))
    return problem.manufacture(u=x**2 + y**2, v=x * y - 2 * y**2, p=1 + x - 3 * y)


def velocity() -> tuple[Any, Any, Any]:
    return unknown("u v p", x, y)  # type: ignore[no-any-return]


def test_flow_slips_along_a_wall_without_a_pressure() -> None:
    u, v, p = velocity()
    sides = ("left", "right", "top")
    problem = stokes(
        Dirichlet(u, 0, on=sides), Neumann(u, 0, on="bottom"), Dirichlet(v, 0), Value(p, 0, at={x: 0, y: 0})
    )
    assert on_one_mesh(problem, size=1 / 3).error().max < 1e-10


def test_a_pressure_may_stand_in_its_own_equation() -> None:
    """Slightly compressible flow: no gauge."""
    u, v, _ = velocity()
    problem = stokes(Dirichlet(u, 0), Dirichlet(v, 0), compressibility=sp.Rational(1, 10))
    solution = on_one_mesh(problem, size=1 / 3)
    assert solution.error().max < 1e-10
    assert solution.field.space.degrees == (2, 2, 1)  # type: ignore[attr-defined]


@pytest.mark.parametrize("extra", [Neumann, Value])
def test_conditions_on_a_pressure_that_would_have_no_effect_are_refused(extra: Any) -> None:
    u, v, p = velocity()
    walls = ("left", "bottom", "top")
    outlet = [Neumann(u, 0, on="right"), Neumann(v, 0, on="right"), Dirichlet(p, 0, on="right")]
    more = Neumann(p, 0, on="top") if extra is Neumann else Value(p, 0, at={x: 0, y: 0})
    given = [Dirichlet(u, 0, on=walls), Dirichlet(v, 0, on=walls), *outlet]
    assert FEM().supports(stokes(*given)) == []
    (reason,) = FEM().supports(stokes(*given, more))
    assert f"{extra.__name__}(p)" in reason


# -- unknowns that nothing diffuses --------------------------------------------------------------------


def test_a_recovery_variable_without_diffusion() -> None:
    """FitzHugh-Nagumo: an ordinary equation at each point beside one that diffuses."""
    u, v = unknown("u v", x, t)
    problem = Problem(
        "fitzhugh-nagumo",
        [u.diff(t) - u.diff(x, 2) - u + u**3 + v, v.diff(t) - u + v / 2],
        Interval(x, 0, 1) * Time(t, 0, 1),
        [Initial(u, 0), Initial(v, 0), Neumann(u, 0)],
    ).manufacture(u=sp.sin(x + 2 * t), v=sp.cos(2 * x + t))
    observed = orders(problem, "dt", (1 / 16, 1 / 32), size=1 / 200)
    assert observed["u"] == pytest.approx([2], abs=0.15)
    assert observed["v"] == pytest.approx([2], abs=0.15)


def test_waves_as_a_system_of_first_order_in_time() -> None:
    u, v = unknown("u v", x, t)
    problem = Problem(
        "wave",
        [u.diff(t) - v, v.diff(t) - u.diff(x, 2)],
        Interval(x, 0, 1) * Time(t, 0, 1),
        [Initial(u, 0), Initial(v, 0), Dirichlet(u, 0)],
    ).manufacture(u=sp.sin(sp.pi * x) * sp.cos(2 * t), v=-2 * sp.sin(sp.pi * x) * sp.sin(2 * t))
    observed = orders(problem, "dt", (1 / 20, 1 / 40), size=1 / 200)
    assert observed["u"] == pytest.approx([2], abs=0.15)


def test_an_algebraic_relation_beside_a_differential_equation() -> None:
    u, v = unknown("u v", x, y)
    problem = Problem("relation", [v - laplacian(u), v - u**2], SQUARE, [Dirichlet(u, 0)])
    observed = orders(problem.manufacture(u=sp.sin(x + 2 * y), v=sp.exp(x) * y), "size", (1 / 12, 1 / 24))
    assert observed["u"][0] > 2.85 and observed["v"][0] > 2.85


# -- anisotropy ----------------------------------------------------------------------------------------


def test_flux_through_parts_that_principal_axes_are_normal_to() -> None:
    """Axes along the sides of a turned square, and along those of a box with a hole."""
    u = unknown("u", x, y)
    turned = Polygon((x, y), ((0, 0), (3, 4), (-1, 7), (-4, 3)), names=("a", "b", "c", "d"))
    a, b, c = (sp.Rational(n, 25) for n in (9 + 2 * 16, 16 + 2 * 9, -12))
    oblique = -a * u.diff(x, 2) - b * u.diff(y, 2) - 2 * c * u.diff(x, y)
    holed = Box((x, 0, 2), (y, 0, 1)) - pde.Disk((x, y), (1, sp.Rational(1, 2)), 0.25, name="hole")
    for problem in (
        Problem("turned", [oblique], turned, [Neumann(u, 0, on=("a", "c")), Dirichlet(u, 0, on=("b", "d"))]),
        Problem(
            "holed",
            [-2 * u.diff(x, 2) - u.diff(y, 2)],
            holed,
            [
                Dirichlet(u, 0, on=("hole", "top")),
                Neumann(u, 0, on="left"),
                Robin(u, 0, on=("right", "bottom")),
            ],
        ),
    ):
        exact = (x + 2 * y) ** 2 - x
        # quadratic fields are in the space of straight cells; curved ones hold them to their own order
        limit = 1e-11 if problem.name == "turned" else 1e-5
        assert on_one_mesh(problem.manufacture(u=exact), size=0.3).error().relative_l2 < limit


def test_cross_diffusion_with_conditions_of_all_kinds() -> None:
    u, v = unknown("u v", x, y)
    crowded = [(1 + v**2) * u.diff(c) + u * v.diff(c) for c in (x, y)]
    ends, sides = ("left", "right"), ("top", "bottom")
    problem = Problem(
        "crowded",
        [u - laplacian(v), -crowded[0].diff(x) - crowded[1].diff(y)],
        SQUARE,
        [
            Dirichlet(u, 0, on=ends),
            Dirichlet(v, 0, on=ends),
            Neumann(u, 0, on=sides),
            Robin(v, 0, on=sides, a=2 + x, b=1 + x),
        ],
    ).manufacture(u=sp.sin(x + 2 * y), v=sp.exp(x) * y)
    observed = orders(problem, "size", (1 / 6, 1 / 12))
    assert observed["u"] == pytest.approx([3], abs=0.2)
    assert observed["v"] == pytest.approx([3], abs=0.2)


# -- refusals ------------------------------------------------------------------------------------------


def test_a_value_must_be_a_gauge() -> None:
    u = unknown("u", x, y)
    equation, middle = -laplacian(u) - 1, {x: 0.5, y: 0.5}
    cases = {
        "one point of space": [Neumann(u, -sp.Rational(1, 4)), Value(u, 0, at={x: 0})],
        "conditions determine u already": [Dirichlet(u, 0), Value(u, 1, at=middle)],
        "determine u": [Neumann(u, -sp.Rational(1, 4)), Value(u, 0, at=middle), Value(u, 1, at={x: 0, y: 0})],
    }
    for words, conditions in cases.items():
        (reason,) = FEM().supports(Problem("value", [equation], SQUARE, conditions))
        assert words in reason
    held = Problem("value", [equation + u], SQUARE, [Neumann(u, 0), Value(u, 5, at=middle)])
    (reason,) = FEM().supports(held)
    assert "equations" in reason
    quasilinear = -sum(((1 + u**2) * u.diff(c)).diff(c) for c in (x, y))
    free = Problem("value", [quasilinear], SQUARE, [Neumann(u, 0), Value(u, 5, at=middle)])
    problem = free.manufacture(u=sp.cos(sp.pi * x) * sp.cos(sp.pi * y))
    assert on_one_mesh(problem, size=1 / 8).error().relative_l2 < 1e-2


@pytest.mark.parametrize("a", [1, x - sp.Rational(1, 2)])
def test_what_is_not_elliptic_is_refused(a: Any) -> None:
    u = unknown("u", x, y)
    (reason,) = FEM().supports(Problem("mixed", [a * u.diff(x, 2) - u.diff(y, 2)], SQUARE, [Dirichlet(u, 0)]))
    assert "not elliptic" in reason


def test_reactions_have_the_sign_of_diffusion_that_vanishes_at_zero() -> None:
    """Porous medium -(u u_x)_x = 0: u² is linear, and the flux through the wall one half of its slope."""
    u = unknown("u", x)
    flux = (u * u.diff(x)).diff(x)
    for equation in (-flux, flux):
        problem = Problem(
            "porous", [equation], Interval(x, 0, 1), [Dirichlet(u, 2, on="left"), Dirichlet(u, 1, on="right")]
        )
        solution = on_one_mesh(problem, size=1 / 64)
        assert solution.reaction(u, "right") == pytest.approx(1.5, rel=1e-3)
