"""Axes, steps, tableau, factorisations and row counts of the collocation methods, each alone."""

from __future__ import annotations

from math import inf
from typing import Any

import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from pdesolve.backends.spectral.axes import GridAxis, OpenAxis, PeriodicAxis, apply, from_array, to_array
from pdesolve.backends.spectral.factor import Factor, SingularSystemError
from pdesolve.backends.spectral.levels import CollocationMethod
from pdesolve.backends.spectral.radau import Tableau
from pdesolve.backends.spectral.steps import Steps, lagrange, top_coefficients
from pdesolve.backends.spectral.structure import Structure
from pdesolve.declare import (
    Box,
    Dirichlet,
    Initial,
    Interval,
    Neumann,
    Periodic,
    Problem,
    Time,
    Value,
    coordinates,
    unknown,
)
from pdesolve.problems import catalogue

x, y, t = coordinates("x y t")

AXES: list[GridAxis] = [
    OpenAxis(-1.0, 3.0, 48),
    OpenAxis(0.0, 2.0, 60, centre=0.3, width=0.1),
    PeriodicAxis(0.0, 2 * np.pi, 33),
]
FUNCTION = sp.exp(sp.sin(x)) * sp.cos(x)


@pytest.mark.parametrize("axis", AXES, ids=lambda a: type(a).__name__)
@pytest.mark.parametrize("order", [0, 1, 2, 3])
def test_derivatives_between_the_nodes(axis: GridAxis, order: int) -> None:
    points = np.linspace(axis.lower, axis.upper, 57)
    exact = sp.lambdify(x, FUNCTION.diff(x, order) if order else FUNCTION)
    values = sp.lambdify(x, FUNCTION)(axis.nodes)
    error = np.abs(axis.matrix(points, order) @ values - exact(points)).max()
    assert error < 1e-11 * 100.0**order


@settings(max_examples=30, deadline=None)
@given(n=st.integers(4, 40), degree=st.integers(0, 39), order=st.integers(0, 4))
def test_polynomials_are_exact(n: int, degree: int, order: int) -> None:
    degree = min(degree, n - 1)
    axis = OpenAxis(-1.0, 1.0, n)
    polynomial = np.polynomial.Chebyshev.basis(degree)
    exact = (polynomial.deriv(order) if order else polynomial)(axis.samples(2))
    found = axis.matrix(axis.samples(2), order) @ polynomial(axis.nodes)
    assert np.abs(found - exact).max() <= 1e-12 * max(1.0, float(n) ** (2 * order))


def test_a_map_gathers_points_where_its_layer_is() -> None:
    front = np.tanh
    mapped = OpenAxis(-1.0, 1.0, 80, centre=0.2, width=0.01)
    fine = np.linspace(-1, 1, 2001)
    for axis, bound in ((mapped, 1e-8), (OpenAxis(-1.0, 1.0, 80), 1.0)):
        error = np.abs(
            axis.matrix(fine, 0) @ front(100 * (axis.nodes - 0.2)) - front(100 * (fine - 0.2))
        ).max()
        assert error < bound
    assert error > 1e-3  # without the map the same points do not resolve it
    assert mapped.nodes[0] == -1 and mapped.nodes[-1] == 1 and np.all(np.diff(mapped.nodes) > 0)


def test_sharpening_finds_the_map_by_itself() -> None:
    """Seventy points, told by values on four hundred."""
    seen, axis = OpenAxis(0.0, 2.0, 400), OpenAxis(0.0, 2.0, 70)
    found = axis.sharpened(0.7, [(seen, np.tanh(40 * (seen.nodes - 0.7))[None, None])])
    tails = [a.tail(np.tanh(40 * (a.nodes - 0.7))[None, None])[0] for a in (axis, found)]
    assert tails[0] > 1e-2 and tails[1] < 1e-7
    assert axis.sharpened(0.7, [(seen, np.sin(seen.nodes)[None, None])]).width == inf


def test_the_spectrum_of_the_heat_and_transport_operators() -> None:
    """Rectangular collocation of u_t = u_xx has the eigenvalues -(kπ/2)², of u_t = -u_x none unstable."""
    from scipy.linalg import eigvals

    axis = OpenAxis(-1.0, 1.0, 40)
    ends = axis.matrix(np.array([-1.0, 1.0]), 0)
    for order, sign, rows in ((2, 1.0, ends), (1, -1.0, ends[:1])):
        points = axis.samples(order)
        stiffness = np.vstack([sign * axis.matrix(points, order), rows])
        mass = np.vstack([axis.matrix(points, 0), 0 * rows])
        values = eigvals(stiffness, mass)
        values = values[np.isfinite(values) & (np.abs(values) < 1e12)]
        assert values.real.max() < 0
        if order == 2:
            exact = -((np.arange(1, 6) * np.pi / 2) ** 2)
            assert np.allclose(np.sort(values.real)[::-1][:5], exact, rtol=1e-9)


def test_axes_go_through_arrays() -> None:
    assert all(from_array(to_array(axis)) == axis for axis in AXES)


def test_apply_acts_along_each_axis() -> None:
    rng = np.random.default_rng(0)
    values, a, b = rng.random((2, 3, 4)), rng.random((5, 3)), rng.random((6, 4))
    assert np.allclose(apply([a, b], values), np.einsum("ij,kl,njl->nik", a, b, values))


# -- time ----------------------------------------------------------------------------------------------


def test_the_tableau_is_that_of_radau_iia() -> None:
    """Three stages: Hairer & Wanner (1996), table IV.5.6; five: orders of quadrature, and A⁻¹ = Σ v λ w."""
    root = np.sqrt(6)
    three = Tableau.make(3)
    assert np.allclose(three.c, [(4 - root) / 10, (4 + root) / 10, 1], atol=1e-14)
    table = [
        [(88 - 7 * root) / 360, (296 - 169 * root) / 1800, (-2 + 3 * root) / 225],
        [(296 + 169 * root) / 1800, (88 + 7 * root) / 360, (-2 - 3 * root) / 225],
        [(16 - root) / 36, (16 + root) / 36, 1 / 9],
    ]
    assert np.allclose(np.linalg.inv(three.inverse), table, atol=1e-13)
    five = Tableau.make(5)
    weights = np.linalg.inv(five.inverse)[-1]
    for degree in range(9):
        assert abs(weights @ five.c**degree - 1 / (degree + 1)) < 1e-13
    assert abs(weights @ five.c**9 - 1 / 10) > 1e-9
    rebuilt = np.zeros((5, 5))
    for k, (value, v, w) in enumerate(zip(five.values, five.vectors.T, five.covectors, strict=True)):
        rebuilt += (1 if k == 0 else 2) * np.real(value * np.outer(v, w))
    assert np.allclose(rebuilt, five.inverse, atol=1e-10)


def test_steps_interpolate_polynomials_exactly() -> None:
    nodes = Tableau.make(5).nodes
    edges = np.array([0.0, 0.1, 0.5, 2.0])
    times = edges[:-1, None] + np.diff(edges)[:, None] * nodes
    steps = Steps(edges, nodes, np.stack([times**5, 1 + times], axis=-1))
    at = np.array([0.0, 0.05, 0.1, 0.3, 1.9, 2.0])
    assert np.allclose(steps.at(at)[:, 0], at**5, atol=1e-13)
    assert np.allclose(steps.at(at, 2)[:, 0], 20 * at**3, atol=1e-9)
    assert np.allclose(steps.at(at, 1)[:, 1], 1, atol=1e-11)
    assert np.isnan(steps.at(np.array([-0.1, 2.1]))).all()


def test_top_coefficients_and_lagrange() -> None:
    nodes = Tableau.make(3).nodes
    top, following = top_coefficients(nodes, (2 * nodes[:, None] - 1) ** 3)
    assert np.allclose([top[0], following[0]], [2 / 5, 0], atol=1e-13)  # s³ = 2/5 P₃ + 3/5 P₁
    assert np.allclose(lagrange(nodes, nodes), np.eye(4), atol=1e-12)


@pytest.mark.parametrize("shape", [(12, 12), (15, 12)])
@pytest.mark.parametrize("unit", [0, 1j])
def test_factors_solve(shape: tuple[int, int], unit: complex) -> None:
    rng = np.random.default_rng(1)
    matrix = rng.random(shape) + unit * rng.random(shape)
    matrix[0] *= 1e9
    exact = rng.random(shape[1])
    assert np.allclose(Factor(matrix).solve(matrix @ exact), exact, rtol=1e-9)
    matrix[:, 0] = 0
    with pytest.raises(SingularSystemError):
        Factor(matrix)


# -- rows ------------------------------------------------------------------------------------------------


def test_the_pressure_of_a_flow_is_a_multiplier() -> None:
    structure = Structure.of(catalogue("kovasznay"))
    assert structure.equations == (0, 1, 2)
    assert structure.reduced == (0, 0, 2)
    assert structure.lost == ((2, 2), (2, 2), (2, 2))
    assert structure.reasons() == []


def test_equations_find_their_unknowns_in_any_order() -> None:
    u, v = unknown("u v", x)
    ends = [Dirichlet(u, 0), Dirichlet(v, 0)]
    problem = Problem("s", [v.diff(x, 2) - u, u.diff(x, 2) - v], Interval(x, 0, 1), ends, unknowns=(u, v))
    assert Structure.of(problem).equations == (1, 0)


def clamped_mixed() -> Problem:
    """The biharmonic as two Poisson equations, both conditions on one of them: corners lack rows."""
    w, s = unknown("w s", x, y)
    equations = [w.diff(x, 2) + w.diff(y, 2) - 1, s.diff(x, 2) + s.diff(y, 2) + w]
    domain = Box((x, 0, 1), (y, 0, 1))
    return Problem("clamped", equations, domain, [Dirichlet(s, 0), Neumann(s, 0)], unknowns=(w, s))


def half_periodic() -> Problem:
    u, v = unknown("u v", x)
    equations = [u.diff(x, 2) - u + v, v.diff(x, 2) - v + u]
    return Problem("half", equations, Interval(x, 0, 1), [Periodic(u), Dirichlet(v, 0)], unknowns=(u, v))


def held_twice() -> Problem:
    """u' = 1 has room for one value; least squares would meet neither."""
    u: Any = unknown("u", x)
    return Problem("twice", [u.diff(x) - 1], Interval(x, 0, 1), [Dirichlet(u, 0)])


def lid(start: Any = 1) -> Problem:
    """Heat in a square whose top jumps against its sides from the time on at which ``start`` does."""
    u: Any = unknown("u", x, y, t)
    ends = [Dirichlet(u, 0, on=("left", "right", "bottom")), Dirichlet(u, start, on="top")]
    domain = Box((x, 0, 1), (y, 0, 1)) * Time(t, 0, 1)
    return Problem("lid", [u.diff(t) - u.diff(x, 2) - u.diff(y, 2)], domain, [Initial(u, 0), *ends])


@pytest.mark.parametrize(
    ("problem", "words"),
    [
        (clamped_mixed(), "w lacks 2 condition"),
        (half_periodic(), "u is periodic, and the others are not"),
        (held_twice(), "1 condition(s) more"),
        (lid(t), "the Dirichlet data of u on left and top differ by 1 where they meet (x = 0, y = 1)"),
    ],
    ids=["clamped", "periodic", "twice", "lid"],
)
def test_what_the_rows_cannot_hold(problem: Problem, words: str) -> None:
    assert any(words in reason for reason in Structure.of(problem).reasons())


def test_data_that_agree_in_corners_are_taken() -> None:
    assert Structure.of(lid(x * (1 - x) * t)).reasons() == []


@pytest.mark.parametrize("ratio", [1.3, 1.5, 1.9, 2.25, 100.0])
def test_changes_that_fall_slowly_are_summed(ratio: float) -> None:
    """Levels L - c r^-k: what is left after a change is at most what is claimed, exactly so for r < 2."""
    before, change = ratio**-3 - ratio**-4, ratio**-4 - ratio**-5
    claimed = CollocationMethod.remaining(change, before)
    assert claimed >= ratio**-5 * (1 - 1e-12)
    assert ratio >= 2 or np.isclose(claimed, ratio**-5, rtol=1e-12)
    assert CollocationMethod.remaining(change, None) == change


def test_on_a_line_values_stand_for_conditions() -> None:
    u: Any = unknown("u", x)
    growth = Problem("growth", [u.diff(x) - u], Interval(x, 0, 1), [Value(u, 1, at={x: 0})])
    assert Structure.of(growth).reasons() == []
