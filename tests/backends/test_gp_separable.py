"""Fast diagonalisation: closed forms under all conditions that it takes, and what it leaves to others."""

from __future__ import annotations

import numpy as np
import pytest
import sympy as sp

import pdesolve as pde
from pdesolve.backends.gp import GP
from pdesolve.backends.gp.modes import Modes, coefficients, nodes
from pdesolve.backends.gp.separable import separable
from pdesolve.conformance import BackendConformance

x, y, z = pde.coordinates("x y z")
u = pde.unknown("u", x, y)
SQUARE = pde.Box((x, 0, 1), (y, -1, 2))
EXACT = sp.sin(9 * (x**2 + x * y / 2 + y)) + y**2


def solve(problem, **options):
    return pde.solve(problem, GP(**options), progress=False, throw=False)


def operator(v, c=0):
    return -2 * v.diff(x, 2) - v.diff(y, 2) + c * v


def problem(conditions, c=0, exact=EXACT, **changes):
    equation = sp.Eq(operator(u, c), operator(exact, c))
    return pde.Problem("separable", [equation], SQUARE, conditions, reference=exact, **changes)


def flux(side, exact=EXACT):
    """The derivative along the outward normal."""
    axis = x if side in ("left", "right") else y
    return exact.diff(axis) * (-1 if side in ("left", "bottom") else 1)


SIDES = ("left", "right", "bottom", "top")
NEUMANN = {side: pde.Neumann(u, flux(side), on=side) for side in SIDES}
DIRICHLET = {side: pde.Dirichlet(u, EXACT, on=side) for side in SIDES}
ROBIN = {side: pde.Robin(u, 3 * EXACT + 2 * flux(side), on=side, a=3, b=2) for side in SIDES}
CONDITIONS = {
    "values": (DIRICHLET.values(), 0),
    "values, shifted": (DIRICHLET.values(), 7),
    "values, indefinite": (DIRICHLET.values(), -100),
    "fluxes": (NEUMANN.values(), 1),
    "one value": ((DIRICHLET["left"], NEUMANN["right"], NEUMANN["bottom"], NEUMANN["top"]), 0),
    "mixed": ((DIRICHLET["left"], ROBIN["right"], NEUMANN["bottom"], ROBIN["top"]), 0),
}


class TestGPSeparable(BackendConformance):
    """A chirp in two directions: more than its dense features may be."""

    backend = GP(max_features=300)
    steps = 20
    tolerance = 1e-10

    def problem(self) -> pde.Problem:
        return pde.catalogue("poisson-chirp-2d", k=8)


@pytest.mark.parametrize("kind", CONDITIONS)
def test_conditions_on_faces(kind):
    conditions, c = CONDITIONS[kind]
    solution = solve(problem(list(conditions), c), max_features=100)
    assert solution.status is pde.Status.CONVERGED, solution.message
    assert "fast diagonalisation" in solution.message
    assert solution.error().relative_l2 < 1e-9


def test_symmetries_are_kept():
    solution = solve(pde.catalogue("poisson-u6"), max_features=30)
    assert "fast diagonalisation, odd in x, odd in y" in solution.message
    assert solution.error().relative_l2 < 1e-9


def test_three_dimensions():
    v = pde.unknown("v", x, y, z)
    exact = sp.sin(5 * x + 4 * y * z)
    laplacian = [sum(f.diff(axis, 2) for axis in (x, y, z)) for f in (v, exact)]
    box = pde.Box((x, 0, 1), (y, 0, 1), (z, 0, 2))
    cube = pde.Problem("cube", [sp.Eq(*laplacian)], box, [pde.Dirichlet(v, exact)], reference=exact)
    solution = solve(cube, max_features=250)
    assert "fast diagonalisation" in solution.message
    assert solution.error().relative_l2 < 1e-10


def test_high_frequencies_by_the_defaults():
    solution = solve(pde.catalogue("poisson-chirp-2d", k=150))
    assert solution.status is pde.Status.CONVERGED
    assert solution.field.layout.size > 100_000
    assert solution.error().relative_l2 < 1e-10


def test_data_that_jump_in_a_corner():
    conditions = [pde.Dirichlet(u, float(side == "top"), on=side) for side in SIDES]
    solution = solve(pde.Problem("jump", [operator(u)], SQUARE, conditions), max_features=200)
    assert solution.status is pde.Status.STAGNATED
    assert "data of faces differ by" in solution.message


def test_what_is_not_separable():
    values = list(DIRICHLET.values())
    assert separable(problem(values)) is not None
    gauge = pde.Value(u, 0, at={x: 0, y: 0})
    assert separable(problem([*NEUMANN.values(), gauge])) is None
    ends = [pde.Dirichlet(u, 0, on="left"), pde.Dirichlet(u, 0, on="right"), pde.Periodic(u, y)]
    assert separable(pde.Problem("tube", [sp.Eq(operator(u), 1)], SQUARE, ends)) is None
    assert separable(problem([pde.Robin(u, 0, on="left", a=-3, b=2), *values[1:]])) is None
    for wrong in (u.diff(x, y), u.diff(x), u**2, x * u, u.diff(y, 2) * 3):
        equation = sp.Eq(operator(u) + wrong, 1)
        assert separable(pde.Problem("other", [equation], SQUARE, values)) is None
    assert separable(pde.catalogue("heat-2d")) is None
    assert separable(pde.catalogue("poisson-l-shape")) is None
    assert separable(pde.catalogue("kovasznay")) is None


@pytest.mark.parametrize("parity", [0, 1, -1])
@pytest.mark.parametrize("n", [16, 400])
def test_modes_of_an_interval_are_sines(n, parity):
    """-u'' = λ u, u(±1) = 0: λ_j = (j π / 2)², to the last digits for any n."""
    modes = Modes.of(n, ((1.0, 0.0), (1.0, 0.0)), parity)
    j = np.arange(1, 5)
    j = {0: j, 1: j[j % 2 == 1], -1: j[j % 2 == 0]}[parity]
    found = np.sort(modes.stiffness / modes.mass)[: len(j)]
    assert np.allclose(found, (j * np.pi / 2) ** 2, rtol=1e-9 if n == 16 else 1e-13, atol=0)


def test_modes_between_insulated_ends_hold_the_constant():
    modes = Modes.of(40, ((0.0, 1.0), (0.0, 1.0)))
    found = np.sort(modes.stiffness / modes.mass)[:4]
    assert np.allclose(found, (np.arange(4) * np.pi / 2) ** 2, rtol=1e-12, atol=1e-20)


def test_coefficients_are_those_of_the_values():
    table = np.random.default_rng(0).normal(size=(9, 3))
    values = np.polynomial.chebyshev.chebvander(nodes(9), 8) @ table
    assert np.allclose(coefficients(values, 0), table)
