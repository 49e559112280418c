"""The Gaussian-process backend: closed forms, no frequency given, on lines, squares and in time."""

from __future__ import annotations

import numpy as np
import pytest
import sympy as sp

import pdesolve as pde
from pdesolve.backends.base import BackendOptionError
from pdesolve.backends.gp import GP
from pdesolve.backends.gp.field import layout_of
from pdesolve.backends.gp.fit import Fit
from pdesolve.backends.gp.rows import Layout, contract, needed
from pdesolve.conformance import BackendConformance

x, y, t = pde.coordinates("x y t")


def solve(problem, **options):
    given = pde.catalogue(problem) if isinstance(problem, str) else problem
    return pde.solve(given, GP(**options), progress=False, throw=False)


class TestGP(BackendConformance):
    """A line with two scales: a quarter of the steps leaves it half solved."""

    backend = GP()
    steps = 20
    tolerance = 1e-10

    def problem(self) -> pde.Problem:
        return pde.catalogue("poisson-variable")

    def unsupported(self) -> pde.Problem:
        return pde.catalogue("poisson-10d")


class TestGPInTime(BackendConformance):
    """A non-linear evolution, on slabs of time."""

    backend = GP(rtol=1e-3, resolution=256)
    steps = 60
    tolerance = 1e-2

    def problem(self) -> pde.Problem:
        return pde.catalogue("burgers", nu=0.3)


@pytest.mark.parametrize("k", range(1, 8))
def test_high_frequencies_are_found(k):
    solution = solve(f"poisson-u{k}")
    assert solution.status is pde.Status.CONVERGED
    assert solution.error().relative_l2 < 3e-10  # the source's own round-off leaves 1e-10


@pytest.mark.parametrize("variant", ["wave", "modulated"])
def test_non_linear_terms_make_no_difference(variant):
    solution = solve(pde.catalogue("allen-cahn-steady-1d", variant=variant))
    assert solution.error().relative_l2 < 3e-10


@pytest.mark.parametrize("variant", ["causal", "all-edges"])
def test_advection_needs_the_inflow_alone(variant):
    solution = solve(pde.catalogue("advection", variant=variant))
    assert solution.error().relative_l2 < 1e-11


@pytest.mark.parametrize("name", ["poisson-chirp", "poisson-variable"])
def test_spectra_that_the_source_hides(name):
    assert solve(name).error().relative_l2 < 1e-9


def test_a_boundary_layer():
    """The source is zero, and the traces are two numbers."""
    solution = solve(pde.catalogue("advection-diffusion", nu=1e-3))
    assert solution.error().relative_l2 < 1e-10


def test_a_system_on_a_square():
    solution = solve(pde.catalogue("kovasznay", Re=10), rtol=1e-4)
    assert solution.error().relative_l2 < 1e-5


def test_periodic_axes_have_whole_frequencies():
    solution = solve(pde.catalogue("convection", beta=10), rtol=1e-9)
    assert solution.error().relative_l2 < 1e-9
    at = np.array([[0.0, 0.3], [2 * np.pi, 0.3]])
    assert np.ptp(solution(at)) < 1e-12


def test_second_order_in_time():
    solution = solve("wave", rtol=1e-6)
    assert solution.error().relative_l2 < 1e-7


def test_slabs_of_time_meet():
    """Few features a slab: it is halved until they do, and goes on from where it ended."""
    solution = solve("heat", rtol=1e-4, max_features=150)
    assert solution.status is pde.Status.CONVERGED
    assert solution.error().relative_l2 < 5e-5
    ends = solution.field.arrays()["ends"]
    assert len(ends) > 2
    middle = ends[1] + 1e-9 * np.array([-1.0, 1.0])
    assert np.ptp(solution(np.array([[0.3, s] for s in middle]))) < 5e-5


def test_fronts_of_burgers():
    solution = solve(pde.catalogue("burgers", nu=0.1), rtol=1e-3)
    assert solution.error().relative_l2 < 1e-3
    assert "odd in x" in solution.message


@pytest.mark.parametrize("symmetry", [True, False])
def test_sharp_fronts_take_a_coordinate_of_their_own(symmetry):
    """At ν = 0.01 the front needs some 300 polynomials in x, and 30 in the coordinate that is found."""
    solution = solve(pde.catalogue("burgers", nu=0.01), rtol=1e-3, symmetry=symmetry)
    assert solution.status is pde.Status.CONVERGED
    assert solution.error().relative_l2 < 1e-3
    last = solution.field._fields[-1].layout.axes[0]
    assert last.count < 60
    assert abs(last.stretch.centre) < 0.02


def test_symmetry_halves_the_features():
    counts = [solve("poisson-u6", symmetry=symmetry).field.layout.size for symmetry in (True, False)]
    assert 3 * counts[0] < counts[1]


def test_frequencies_beyond_the_resolution_are_not_believed():
    """512 radians on [0, 1] are 256 on [-1, 1]; 64 points see up to 100: what they show is an alias."""
    solution = solve("poisson-u5", resolution=64, max_features=60)
    assert solution.status is pde.Status.STAGNATED
    assert "max_features" in solution.message


def test_data_that_no_smooth_field_meets():
    """u jumps in a corner: the residual stays, and the run says where."""
    u = pde.unknown("u", x, y)
    square = pde.Box((x, 0, 1), (y, 0, 1))
    ends = [pde.Dirichlet(u, 1, on="top"), *(pde.Dirichlet(u, 0, on=s) for s in ("left", "right", "bottom"))]
    solution = solve(pde.Problem("jump", [u.diff(x, 2) + u.diff(y, 2)], square, ends), max_features=400)
    assert solution.status is pde.Status.STAGNATED


def test_features_move_without_changing_the_function():
    problem = pde.catalogue("poisson")
    few = layout_of(problem, [np.array([[0.0, 3]]), np.array([[0.0, 2], [9.0, 1]])], {})
    many = layout_of(problem, [np.array([[0.0, 5], [4.0, 0]]), np.array([[0.0, 2], [5.0, 1], [9.0, 3]])], {})
    coefficients = np.random.default_rng(0).normal(size=few.size)
    moved = few.moved(coefficients, many)
    places = [np.linspace(0, 1, 5), np.linspace(0, 1, 4)]

    def values(layout: Layout, c):
        return contract([a.matrix(z) for a, z in zip(layout.axes, places, strict=True)], layout.split(c)[0])

    assert np.allclose(values(few, coefficients), values(many, moved))
    back = Layout(tuple(needed(many, moved, 1e-12)), 1)
    assert back.size <= few.size


def test_a_start_is_held_over_time_where_pruning_left_waves_alone():
    problem = pde.catalogue("heat")
    fit = Fit(problem, {}, resolution=64, lines=1, rng=np.random.default_rng(0))
    space = np.array([[0.0, 3], [5.0, 1]])
    before = layout_of(problem, [space, np.array([[0.0, 1]])], {})
    after = layout_of(problem, [space, np.array([[7.0, 2]])], {})
    values = np.random.default_rng(1).normal(size=(1, before.shape[0]))
    fit.start_from(after, before, values)
    x, t = np.linspace(0, 1, 5), np.linspace(0, 1, 4)
    found = contract(
        [a.matrix(z) for a, z in zip(fit.layout.axes, (x, t), strict=True)],
        fit.layout.split(fit.coefficients)[0],
    )
    assert np.allclose(found, (before.axes[0].matrix(x) @ values[0])[:, None])


@pytest.mark.parametrize(
    ("option", "value"), [("rtol", 0), ("max_features", 3), ("resolution", 8), ("lines", 0), ("symmetry", 1)]
)
def test_options_out_of_range(option, value):
    with pytest.raises(BackendOptionError, match=option):
        GP(**{option: value})


def test_observations_are_rows():
    """No boundary data at one end; an observation inside takes its place."""
    u = pde.unknown("u", x)
    exact = sp.sin(3 * x) + x
    at = np.array([[0.3]])
    conditions = [
        pde.Dirichlet(u, exact, on="left"),
        pde.Observations(u, at, np.sin(3 * at[:, 0]) + at[:, 0]),
    ]
    problem = pde.Problem("data", [u.diff(x, 2) - exact.diff(x, 2)], pde.Interval(x, 0, 1), conditions)
    assert solve(problem).error(exact).relative_l2 < 1e-10
