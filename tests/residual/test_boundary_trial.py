"""Trial functions on shapes: which conditions they meet for any network to round-off, and which are rows."""

from itertools import pairwise

import numpy as np
import pytest
import sympy as sp
import torch

import pdesolve.declare as pde
from pdesolve.residual.ansatz import build_ansatz
from pdesolve.residual.model import Model
from pdesolve.residual.networks import box_features, mlp
from pdesolve.residual.program import Program

x, y, t = pde.coordinates("x y t")
u, v = pde.unknown("u", x, y), pde.unknown("v", x, y, t)
UNIT = pde.Box((x, 0, 1), (y, 0, 1))
HOLE = UNIT - pde.Disk((x, y), (0.5, 0.4), 0.2, name="hole")
L_SHAPE = pde.Box((x, -1, 1), (y, -1, 1)) - pde.Box((x, 0, 1), (y, 0, 1))
SIDES = ("left", "right", "bottom", "top")


def poisson(domain, conditions):
    return pde.Problem("poisson", [u.diff(x, 2) + u.diff(y, 2) - 1], domain, conditions)


def heat(domain, conditions):
    equation = v.diff(t) - v.diff(x, 2) - v.diff(y, 2)
    return pde.Problem("heat", [equation], domain * pde.Time(t, 0, 1), conditions)


def random_field(problem, seed=0):
    """The trial function of a random network, as a function of points."""
    program, ansatz = Program(problem), build_ansatz(problem)
    generator = torch.Generator().manual_seed(seed)
    network = mlp(box_features(problem.domain, ()), 1, generator, width=6, depth=2)
    model = Model(program, network, ansatz)
    wanted = ((0, (0,) * len(problem.coordinates)),)
    model.prepare(wanted)
    return lambda points: model.derivatives(torch.tensor(points), wanted)[0].detach().numpy()


def exact(problem):
    """Names of the parts whose conditions are met exactly."""
    return {name.rpartition(" on ")[2] for name in build_ansatz(problem).exact}


def circle(center, radius, n=200):
    angles = np.random.default_rng(0).uniform(0, 2 * np.pi, n)
    return center + radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)


def segment(start, end, n=200):
    return np.asarray(start) + np.random.default_rng(0).random((n, 1)) * np.subtract(end, start)


@pytest.mark.parametrize("seed", [0, 1])
def test_data_on_a_circle_are_met_to_round_off(seed):
    field = random_field(poisson(pde.Disk((x, y), (1, -2), 3), [pde.Dirichlet(u, sp.exp(x) * y)]), seed)
    points = circle((1, -2), 3)
    assert np.abs(field(points) - np.exp(points[:, 0]) * points[:, 1]).max() < 1e-11
    inside = pde.Disk((x, y), (1, -2), 2).sample(50, np.random.default_rng(1))
    assert np.abs(field(inside) - np.exp(inside[:, 0]) * inside[:, 1]).min() > 1e-4


def test_sides_and_hole_with_different_data_are_met_together():
    """One expression holds on all four sides although it was given as four; the hole has its own."""
    g = sp.sin(x + 2 * y)
    conditions = [
        pde.Dirichlet(u, g.subs(y, 0), on="bottom"),
        pde.Dirichlet(u, g.subs(y, 1), on="top"),
        pde.Dirichlet(u, g.subs(x, 0), on="left"),
        pde.Dirichlet(u, g, on="right"),
        pde.Dirichlet(u, 3, on="hole"),
    ]
    problem = poisson(HOLE, conditions)
    assert exact(problem) == {*SIDES, "hole"}
    field = random_field(problem)
    assert np.abs(field(circle((0.5, 0.4), 0.2)) - 3).max() < 1e-11
    corners = [(0, 0), (1, 0), (1, 1), (0, 1), (0, 0)]
    for start, end in pairwise(corners):
        points = segment(start, end)
        assert np.abs(field(points) - np.sin(points[:, 0] + 2 * points[:, 1])).max() < 1e-11


def test_what_the_factor_does_elsewhere():
    """Positive inside and where fluxes are given, at most about one: the network is free there."""
    conditions = [pde.Dirichlet(u, 0, on=SIDES), pde.Neumann(u, 1, on="hole")]
    problem = poisson(HOLE, conditions)
    assert exact(problem) == set(SIDES)
    (trial,) = build_ansatz(problem).trials
    factor = sp.lambdify((x, y), trial.factor)
    inside = factor(*HOLE.sample(2000, np.random.default_rng(0)).T)
    assert inside.min() > 0
    assert 0.5 < inside.max() < 1.1
    assert factor(*circle((0.5, 0.4), 0.2).T).min() > 0.1


def test_sides_of_a_reentrant_corner_are_rows():
    problem = poisson(L_SHAPE, [pde.Dirichlet(u, 0)])
    assert exact(problem) == {"left", "right", "bottom", "top"}
    assert exact(poisson(UNIT | pde.Disk((x, y), (1, 0.5), 0.5), [pde.Dirichlet(u, 0)])) == {
        "left",
        "bottom",
        "top",
    }


def test_a_part_with_some_pieces_at_a_reentrant_corner_is_a_row_as_a_whole():
    wall = pde.Polygon((x, y), [(0, 0), (1, 0), (1, 1), (-1, 1), (-1, -1), (0, -1)], names="wall")
    assert exact(poisson(wall, [pde.Dirichlet(u, x * y)])) == set()
    # its other pieces are met all the same
    points = segment((-1, -1), (-1, 1))
    assert np.abs(random_field(poisson(wall, [pde.Dirichlet(u, x * y)]))(points) + points[:, 1]).max() < 1e-12


def test_a_line_that_carries_fluxes_elsewhere_must_not_be_a_factor():
    """The top of a notched box is two pieces of one line; where one of them has a flux, neither is exact."""
    vertices = [(0, 0), (3, 0), (3, 2), (2, 2), (2, 1), (1, 1), (1, 2), (0, 2)]
    names = ("bottom", "right", "top-right", "a", "b", "c", "top-left", "left")
    notched = pde.Polygon((x, y), vertices, names)
    both = [pde.Dirichlet(u, 0)]
    one = [pde.Dirichlet(u, 0, on=[n for n in names if n != "top-left"]), pde.Neumann(u, 0, on="top-left")]
    assert exact(poisson(notched, both)) == {"bottom", "right", "left", "top-left", "top-right"}
    assert exact(poisson(notched, one)) == {"bottom", "right", "left"}


def test_data_that_differ_where_parts_touch_stay_rows():
    triangle = pde.Polygon((x, y), [(0, 0), (1, 0), (0, 1)], names=("a", "b", "c"))
    bump = sp.sin(sp.pi * x)  # zero on c, too
    conditions = [pde.Dirichlet(u, bump, on="a"), pde.Dirichlet(u, 0, on=("b", "c"))]
    assert exact(poisson(triangle, conditions)) == {"a", "c"}
    assert exact(poisson(triangle, [pde.Dirichlet(u, bump)])) == {"a", "b", "c"}


def test_ellipses_functions_and_many_sides_are_rows():
    ellipse = pde.Ellipse((x, y), (0, 0), (2, 1))
    assert exact(poisson(ellipse, [pde.Dirichlet(u, 0)])) == set()
    assert exact(poisson(HOLE, [pde.Dirichlet(u, lambda points: points[:, 0])])) == set()
    angles = 2 * np.pi * np.arange(20) / 20
    polygon = pde.Polygon((x, y), [(float(np.cos(a)), float(np.sin(a))) for a in angles], names="wall")
    assert exact(poisson(polygon, [pde.Dirichlet(u, 0)])) == set()


def test_initial_data_are_met_together_with_boundary_data_where_they_agree():
    initial = 1 - x**2 - y**2 + x * sp.Rational(1, 2)
    disk = pde.Disk((x, y))
    problem = heat(disk, [pde.Dirichlet(v, x / 2 * (1 + t)), pde.Initial(v, initial)])
    assert build_ansatz(problem).exact == {"dirichlet v on circle", "initial v"}
    field = random_field(problem)
    points = np.column_stack([circle((0, 0), 1), np.linspace(0, 1, 200)])
    assert np.abs(field(points) - points[:, 0] / 2 * (1 + points[:, 2])).max() < 1e-12
    start = problem.domain.sample(100, np.random.default_rng(0), "initial")
    expected = 1 - start[:, 0] ** 2 - start[:, 1] ** 2 + start[:, 0] / 2
    assert np.abs(field(start) - expected).max() < 1e-12


@pytest.mark.filterwarnings("ignore::pdesolve.declare.errors.CompatibilityWarning")
def test_initial_data_that_disagree_with_the_boundary_are_a_row():
    problem = heat(pde.Disk((x, y)), [pde.Dirichlet(v, 0), pde.Initial(v, 1)])
    assert build_ansatz(problem).exact == {"dirichlet v on circle"}


def test_exact_false_leaves_rows_only():
    assert build_ansatz(poisson(HOLE, [pde.Dirichlet(u, 0)]), exact=False).exact == frozenset()


@pytest.mark.parametrize(
    "value",
    [
        sp.log(x**2 + y**2),
        1 / (x - sp.Rational(1, 10)),
        sp.sqrt(x**2 + y**2),
        (x + 2) ** sp.Rational(1, 3) + x / (x**2 + (y - sp.Rational(1, 3)) ** 2),
        sp.tan(3 * x),
        sp.exp(1 / (x + y)),
        sp.atan2(y, x),
    ],
)
def test_data_with_a_singularity_inside_are_rows(value):
    """A lift would carry it into the region, where the solution has none."""
    assert exact(poisson(pde.Disk((x, y), (0.2, 0)), [pde.Dirichlet(u, value)])) == set()


@pytest.mark.parametrize(
    "value",
    [sp.log(x**2 + y**2), x / (x**2 + y**2), sp.sqrt(x + 4), 1 / (y + 3), sp.tan(x / 2), sp.atan(x)],
)
def test_data_with_singularities_outside_are_met(value):
    ring = pde.Disk((x, y), radius=2, name="outer") - pde.Disk((x, y), radius=0.5, name="inner")
    problem = poisson(ring, [pde.Dirichlet(u, value)])
    assert exact(problem) == {"outer", "inner"}
    field, function = random_field(problem), sp.lambdify((x, y), value)
    for radius in (0.5, 2):
        points = circle(0, radius)
        np.testing.assert_allclose(field(points), function(*points.T), rtol=1e-12, atol=1e-12)
