"""PINNs on shapes and meshes of the plane: hard conditions, fluxes on curved parts, rows."""

from pathlib import Path

import numpy as np
import sympy as sp

import pdesolve as pde
from pdesolve.backends.pinn import PINN, RAD
from pdesolve.conformance import BackendConformance

x, y, t = pde.coordinates("x y t")
u, v = pde.unknown("u", x, y), pde.unknown("v", x, y, t)
SMALL = {"width": 12, "depth": 2, "points": 400, "points_boundary": 60, "adam_steps": 30, "compile": False}
UNIT = pde.Box((x, 0, 1), (y, 0, 1))
HOLE = UNIT - pde.Disk((x, y), (0.5, 0.5), 0.2, name="hole")
SIDES = ("left", "right", "bottom", "top")
WAVE = sp.sin(sp.pi * x) * sp.sin(sp.pi * y)
MESHES = Path(__file__).parents[2] / "meshes"


def poisson(name, domain, conditions, exact):
    source = sp.diff(exact, x, 2) + sp.diff(exact, y, 2)
    equation = u.diff(x, 2) + u.diff(y, 2) - source
    return pde.Problem(name, [equation], domain, conditions, reference=exact)


def solve(problem, steps=70, **options):
    backend = PINN(**{**SMALL, "sampler": RAD(every=50), **options})
    return pde.solve(problem, backend, steps=steps, seed=0, progress=False)


def circle(center, radius):
    angles = np.linspace(0, 2 * np.pi, 101)
    return center + radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)


def outward_flux(field):
    """Of the hole: the normal points to its centre."""
    return -((x - 0.5) * field.diff(x) + (y - 0.5) * field.diff(y)) / sp.Rational(1, 5)


def test_poisson_on_the_unit_disk():
    """-Δu = 4, u = 0 on the circle: u = 1 - x² - y²."""
    problem = poisson("disk", pde.Disk((x, y)), [pde.Dirichlet(u, 0)], 1 - x**2 - y**2)
    solution = solve(problem, steps=60)
    assert solution.error().relative_l2 < 1e-4
    assert np.abs(solution.values(circle((0, 0), 1))).max() < 1e-10


def test_flux_on_a_curved_hole():
    conditions = [pde.Dirichlet(u, 0, on=SIDES), pde.Neumann(u, outward_flux(WAVE), on="hole")]
    solution = solve(poisson("neumann hole", HOLE, conditions, WAVE))
    assert solution.error().relative_l2 < 1e-4
    edge = np.linspace(0, 1, 101)
    for side in (np.stack([edge, 0 * edge], 1), np.stack([edge, 0 * edge + 1], 1)):
        assert np.abs(solution.values(side)).max() < 1e-10


def test_robin_condition_on_the_circle_of_a_hole():
    robin = pde.Robin(u, 2 * WAVE + outward_flux(WAVE), a=2, b=1, on="hole")
    solution = solve(poisson("robin hole", HOLE, [pde.Dirichlet(u, 0, on=SIDES), robin], WAVE))
    assert solution.error().relative_l2 < 1e-4


def test_different_data_on_sides_and_hole_are_met_exactly():
    """u = 1 + (x + 2) (|x - c|² - r²): one on the hole, 1 + (x + 2) (…) on the sides."""
    exact = 1 + (x + 2) * ((x - sp.Rational(1, 2)) ** 2 + (y - sp.Rational(1, 2)) ** 2 - sp.Rational(1, 25))
    conditions = [pde.Dirichlet(u, exact, on=SIDES), pde.Dirichlet(u, 1, on="hole")]
    problem = poisson("two data", HOLE, conditions, exact)
    solution = solve(problem)
    assert solution.error().relative_l2 < 1e-4
    assert np.abs(solution.values(circle((0.5, 0.5), 0.2)) - 1).max() < 1e-10


def test_l_shape():
    """Four sides are exact, the two at the re-entrant corner are rows."""
    domain = pde.Box((x, -1, 1), (y, -1, 1)) - pde.Box((x, 0, 1), (y, 0, 1))
    solution = solve(poisson("L", domain, [pde.Dirichlet(u, 0)], WAVE), steps=90, width=14)
    assert solution.error().relative_l2 < 1e-4
    edge = np.linspace(-1, 1, 101)
    assert np.abs(solution.values(np.stack([0 * edge - 1, edge], 1))).max() < 1e-10


def test_a_mesh_from_a_file_by_rows():
    exact = sp.sin(2 * x) * sp.exp(y / 2)
    domain = pde.MeshDomain(str(MESHES / "l-shape.msh"), (x, y))
    solution = solve(poisson("mesh", domain, [pde.Dirichlet(u, exact)], exact))
    assert solution.error().relative_l2 < 1e-3


def test_many_dirichlet_rows_on_an_ellipse():
    """No distance to an ellipse is known here; u = 1 - x²/4 - y² vanishes on it."""
    exact = 1 - x**2 / 4 - y**2
    domain = pde.Ellipse((x, y), (0, 0), (2, 1))
    solution = solve(poisson("ellipse", domain, [pde.Dirichlet(u, 0)], exact))
    assert solution.error().relative_l2 < 1e-3


def test_heat_on_a_disk_with_exact_initial_and_boundary_data():
    exact = (4 - (x - 1) ** 2 - y**2) * sp.exp(-t) * (1 + y / 2) + x * t
    source = exact.diff(t) - exact.diff(x, 2) - exact.diff(y, 2)
    problem = pde.Problem(
        "heat disk",
        [v.diff(t) - v.diff(x, 2) - v.diff(y, 2) - source],
        pde.Disk((x, y), (1, 0), 2) * pde.Time(t, 0, 1),
        [pde.Dirichlet(v, x * t), pde.Initial(v, exact.subs(t, 0))],
        reference=exact,
    )
    solution = solve(problem, width=14)
    assert solution.error().relative_l2 < 1e-4
    points = np.column_stack([circle((1, 0), 2), np.linspace(0, 1, 101)])
    assert np.abs(solution.values(points)[:, 0] - points[:, 0] * points[:, 2]).max() < 1e-10


class TestPINNOnAShape(BackendConformance):
    """Checkpoints, files and derivatives where the trial function holds distances, with a row on a curve."""

    backend = PINN(width=8, depth=2, points=200, points_boundary=40, adam_steps=30, compile=False)
    steps = 60
    tolerance = 1e-3

    def problem(self):
        conditions = [pde.Dirichlet(u, 0, on=SIDES), pde.Neumann(u, outward_flux(WAVE), on="hole")]
        return poisson("neumann hole", HOLE, conditions, WAVE)
