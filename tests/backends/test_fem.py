"""Finite elements: observed orders, closed forms, what is exact in the space, the estimate, refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import sympy as sp
from fem_cases import on_one_mesh, orders, quasilinear, t, x, y, z

import pdesolve as pde
from pdesolve.backends.base import BackendOptionError
from pdesolve.backends.fem import FEM, linear
from pdesolve.declare import (
    Box,
    Dirichlet,
    Initial,
    Interval,
    Neumann,
    Periodic,
    Problem,
    Robin,
    Time,
    Value,
    coordinates,
    unknown,
)
from pdesolve.driver import solve
from pdesolve.solution import Status

SIZES = {1: (1 / 16, 1 / 32), 2: (1 / 12, 1 / 24), 3: (1 / 5, 1 / 10)}


@pytest.mark.parametrize("dimension", [1, 2, 3])
@pytest.mark.parametrize("degree", [1, 2])
def test_elements_have_their_order(dimension: int, degree: int) -> None:
    sizes = (1 / 3, 1 / 6) if (degree, dimension) == (2, 3) else SIZES[dimension]
    observed = orders(quasilinear(dimension), "size", sizes, degree=degree)
    assert observed["u"] == pytest.approx([degree + 1], abs=0.15)


def reaction_diffusion(boundary_moves: bool) -> Problem:
    u = unknown("u", x, t)
    problem = Problem(
        "reaction-diffusion",
        [u.diff(t) - u.diff(x, 2) + u**2],
        Interval(x, 0, 1) * Time(t, 0, 1),
        [Initial(u, 0), Dirichlet(u, 0)],
    )
    return problem.manufacture(
        u=sp.sin(1 + x + 2 * t) if boundary_moves else sp.sin(sp.pi * x) * sp.cos(3 * t)
    )


@pytest.mark.parametrize(
    ("scheme", "order", "steps"),
    [
        ("implicit-euler", 1, (1 / 80, 1 / 160)),
        ("sdirk2", 2, (1 / 20, 1 / 40)),
        ("sdirk3", 3, (1 / 48, 1 / 96)),
    ],
)
def test_schemes_have_their_order(scheme: str, order: int, steps: tuple[float, float]) -> None:
    observed = orders(reaction_diffusion(False), "dt", steps, scheme=scheme, size=1 / 250)
    assert observed["u"] == pytest.approx([order], abs=0.15)


@pytest.mark.parametrize(("scheme", "order"), [("implicit-euler", 1), ("sdirk2", 2)])
def test_schemes_keep_their_order_where_boundary_values_move(scheme: str, order: int) -> None:
    observed = orders(reaction_diffusion(True), "dt", (1 / 40, 1 / 80), scheme=scheme, size=1 / 250)
    assert observed["u"] == pytest.approx([order], abs=0.15)


def test_second_order_in_time() -> None:
    u = unknown("u", x, t)
    problem = Problem(
        "klein-gordon",
        [u.diff(t, 2) - u.diff(x, 2) + u**3],
        Interval(x, 0, 1) * Time(t, 0, 1),
        [Initial(u, 0), Initial(u.diff(t), 0), Dirichlet(u, 0)],
    ).manufacture(u=sp.sin(1 + x + 2 * t))
    observed = orders(problem, "dt", (1 / 20, 1 / 40), size=1 / 250)
    assert observed["u"] == pytest.approx([2], abs=0.15)


@pytest.mark.parametrize("degree", [1, 2])
@pytest.mark.parametrize("dimension", [1, 2, 3])
def test_polynomials_of_the_degree_are_exact(dimension: int, degree: int) -> None:
    """Also across Robin and Neumann faces, an anisotropic tensor and a coefficient that varies."""
    space = (x, y, z)[:dimension]
    u = unknown("u", *space)
    flux = sum((i + 2 + x) * u.diff(c, 2) for i, c in enumerate(space)) + u.diff(x) - 3 * u
    domain = Interval(x, 0, 1) if dimension == 1 else Box(*((c, 0, 1) for c in space))
    conditions: list[Any] = [Dirichlet(u, 0, on="left"), Robin(u, 0, on="right", a=x + 1, b=2)]
    conditions += [Neumann(u, 0, on=face.name) for face in domain.faces[2:]]
    field = (1 + sum((i + 1) * c for i, c in enumerate(space))) ** degree
    problem = Problem("linear", [flux], domain, conditions).manufacture(u=field)
    assert on_one_mesh(problem, size=1 / 3, degree=degree).error().max < 1e-12


def test_the_estimate_is_met_and_honest() -> None:
    for rtol in (1e-2, 1e-4):
        solution = solve(pde.catalogue("poisson"), "fem", rtol=rtol, progress=False)
        assert solution.status is Status.CONVERGED
        assert solution.error_estimate is not None and solution.error_estimate <= rtol
        assert solution.error().relative_l2 <= 2 * solution.error_estimate
    assert "observed order 3" in solution.message


def test_a_tolerance_out_of_reach_says_why() -> None:
    solution = solve(pde.catalogue("helmholtz"), FEM(rtol=1e-9, max_unknowns=3000), progress=False)
    assert solution.status is Status.STAGNATED and "max_unknowns=3000" in solution.message


def test_the_largest_error_counts_but_for_what_is_ignored() -> None:
    problem = pde.catalogue("kovasznay")
    strict = solve(problem, FEM(size=1 / 4, max_levels=3, rtol=1e-6), progress=False)
    loose = solve(problem, FEM(size=1 / 4, max_levels=3, rtol=1e-6, ignore=("p",)), progress=False)
    assert strict.error_estimate is not None and loose.error_estimate is not None
    assert "of p" in strict.message and "(p left out)" in loose.message
    assert loose.error_estimate < strict.error_estimate / 3
    assert strict.error().relative_l2 < 2 * strict.error_estimate
    (reason,) = FEM(ignore=("q",)).supports(problem)
    assert "u, v, p" in reason


def test_the_condition_declared_first_holds_at_a_corner() -> None:
    u = unknown("u", x, y)
    faces = [Dirichlet(u, 1, on="top"), Dirichlet(u, 0, on=("left", "right", "bottom"))]
    for conditions, corner in ((faces, 1.0), (faces[::-1], 0.0)):
        problem = Problem("corner", [u.diff(x, 2) + u.diff(y, 2)], Box((x, 0, 1), (y, 0, 1)), conditions)
        assert on_one_mesh(problem, size=1 / 4)(np.array([[0.0, 1.0]]))[0, 0] == pytest.approx(
            corner, abs=1e-12
        )


def test_a_gauge_fixes_the_constant_of_a_pure_neumann_problem() -> None:
    u = unknown("u", x, y)
    problem = Problem(
        "neumann",
        [-u.diff(x, 2) - u.diff(y, 2)],
        Box((x, 0, 1), (y, 0, 1)),
        [Neumann(u, 0), Value(u, 0, at={x: sp.Rational(1, 3), y: sp.Rational(1, 5)})],
    ).manufacture(u=x**2 - x * y + 3)
    assert on_one_mesh(problem, size=1 / 4).error().max < 1e-11


def test_reactions_are_what_flows_out() -> None:
    """Across each face -n·∇u of u = x² y, by the residual; the field is not in the space."""
    u = unknown("u", x, y)
    exact = x**2 * y
    problem = Problem(
        "flux", [-u.diff(x, 2) - u.diff(y, 2)], Box((x, 0, 1), (y, 0, 1)), [Dirichlet(u, 0)]
    ).manufacture(u=exact)
    solution = on_one_mesh(problem, size=1 / 24)
    field: Any = solution.field
    # the corner functions belong to both faces: compare sums, which corners leave whole
    total = sum(solution.reaction(u, part) for part in ("left", "right"))
    assert solution.reaction(u, "right") == pytest.approx(-1.0, abs=5e-2)
    corners = [(0, 0), (1, 0), (0, 1), (1, 1)]
    nodes = field.space.nodes(0)
    residual = field._system.residual(*field._state(None))
    doubled = sum(residual[np.flatnonzero((nodes == c).all(axis=1))[0]] for c in corners)
    total += sum(solution.reaction(u, part) for part in ("bottom", "top")) + doubled
    assert total == pytest.approx(-1.0, abs=1e-10)  # ∫ Δu = ∫ 2y = 1 flows in


def test_heat_through_a_wall_by_its_reaction() -> None:
    u = unknown("u", x)
    problem = Problem(
        "wall",
        [-3 * u.diff(x, 2)],
        Interval(x, 0, 2),
        [Dirichlet(u, 10, on="left"), Dirichlet(u, 4, on="right")],
    )
    for declared in (problem, problem.replace(equations=[3 * u.diff(x, 2)])):
        solution = on_one_mesh(declared, size=1 / 2)
        assert solution.reaction(u, "right") == pytest.approx(9.0)  # conductivity 3 times slope 3
        assert solution.reaction(u, "left") == pytest.approx(-9.0)


def test_second_derivatives_converge() -> None:
    problem = pde.catalogue("poisson")
    (u,) = problem.unknowns
    points = 0.2 + 0.6 * np.random.default_rng(0).random((200, 2))
    exact = -(np.pi**2) * np.prod(np.sin(np.pi * points), axis=1)
    a, _ = problem.coordinates
    errors = [
        np.abs(on_one_mesh(problem, size=size).derivative(points, u.diff(a, 2)) - exact).max()
        for size in (1 / 10, 1 / 20)
    ]
    assert errors[1] < 0.4 * errors[0] and errors[1] < 0.05 * np.pi**2


def test_a_vector_of_data_functions_is_used_as_given() -> None:
    u = unknown("u", x, y)
    conditions = [
        Dirichlet(u, lambda p: p[:, 1] ** 2, on="left"),
        Neumann(u, lambda p: 2 * p[:, 0], on="right"),
        Neumann(u, lambda p: 2 * p[:, 1], on="top"),
        Robin(u, lambda p: p[:, 0] ** 2, on="bottom"),
    ]
    problem = Problem("data", [4 - u.diff(x, 2) - u.diff(y, 2)], Box((x, 0, 1), (y, 0, 1)), conditions)
    points = problem.domain.cover(40)
    values = on_one_mesh(problem, size=1 / 3)(points)[:, 0]
    assert np.abs(values - (points**2).sum(axis=1)).max() < 1e-12


def test_multigrid_and_factorisation_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    u = unknown("u", x, y, z)
    problem = Problem(
        "cube",
        [u - u.diff(x, 2) - 2 * u.diff(y, 2) - u.diff(z, 2)],
        Box((x, 0, 1), (y, 0, 1), (z, 0, 1)),
        [Dirichlet(u, 0, on="left"), Neumann(u, 0, on=("right", "top", "bottom", "back", "front"))],
    ).manufacture(u=sp.sin(x + 2 * y) * sp.exp(z))
    answers = []
    for least in (10**9, 0):
        monkeypatch.setattr(linear, "MULTIGRID_FROM", least)
        answers.append(on_one_mesh(problem, size=1 / 5)(problem.domain.cover(50)))
    assert np.abs(answers[0] - answers[1]).max() < 1e-10


# -- shapes --------------------------------------------------------------------------------------------


def disk_problem(**conditions: Any) -> Problem:
    u = unknown("u", x, y)
    return Problem("disk", [-u.diff(x, 2) - u.diff(y, 2) - 4], pde.Disk((x, y)), [Dirichlet(u, 0)])


def test_a_disk_keeps_the_order_of_its_elements() -> None:
    """Curved cells: with straight ones the order would be two."""
    u = unknown("u", x, y)
    problem = Problem("disk", [-u.diff(x, 2) - u.diff(y, 2) + u], pde.Disk((x, y)), [Robin(u, 0, a=1, b=1)])
    problem = problem.manufacture(u=sp.exp(x) * sp.cos(2 * y))
    errors = [
        solve(problem, FEM(size=0.3, max_levels=n, rtol=1e-12), progress=False).error().relative_l2
        for n in (2, 3)
    ]
    assert np.log2(errors[0] / errors[1]) == pytest.approx(3, abs=0.15)


def test_torsion_of_the_l_shape() -> None:
    """∫ u of -Δu = 1 on the L-shape of three unit squares, 0.2140758 (published)."""
    u = unknown("u", x, y)
    shape = Box((x, -1, 1), (y, -1, 1)) - Box((x, 0, 1), (y, 0, 1))
    problem = Problem("l-shape", [-u.diff(x, 2) - u.diff(y, 2) - 1], shape, [Dirichlet(u, 0)])
    solution = solve(problem, FEM(rtol=1e-3), progress=False)
    points, weights = solution.field.mesh_quadrature()  # type: ignore[attr-defined]
    assert weights @ solution(points)[:, 0] == pytest.approx(0.2140758, abs=1e-4)


# -- refusals ------------------------------------------------------------------------------------------


def test_problems_without_this_weak_form_are_refused_in_words() -> None:
    a, b = coordinates("a b")
    u = unknown("u", a, b)
    square = Box((a, 0, 1), (b, 0, 1))
    p_laplace = (u.diff(a) ** 2 + 1) * u.diff(a, 2) + u.diff(b, 2)
    cases = {
        "second derivative": Problem(
            "transport", [u.diff(a) + u.diff(b)], square, [Dirichlet(u, 0, on=("left", "bottom"))]
        ),
        "periodic": Problem("periodic", [u - u.diff(a, 2) - u.diff(b, 2)], square, [Periodic(u)]),
        "depends on derivatives": Problem("p-laplace", [p_laplace], square, [Dirichlet(u, 0)]),
        "up to second order": Problem(
            "plate", [u.diff(a, 4) + u.diff(b, 4)], square, [Dirichlet(u, 0), Neumann(u, 0)]
        ),
        "oblique": Problem(
            "oblique",
            [u.diff(a, 2) + u.diff(b, 2) + u.diff(a).diff(b)],
            square,
            [Dirichlet(u, 0, on=("left", "right")), Neumann(u, 0, on=("top", "bottom"))],
        ),
    }
    for word, problem in cases.items():
        (reason,) = FEM().supports(problem)
        assert word in reason


@pytest.mark.parametrize(
    "options",
    [
        {"degree": 3},
        {"size": -1.0},
        {"scheme": "rk4"},
        {"rtol": 0},
        {"max_levels": 0},
        {"graded": 1},
        {"ignore": 1},
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(BackendOptionError):
        FEM(**options)
