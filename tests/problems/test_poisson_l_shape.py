"""The reference of Poisson's equation on the L-shape."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from pdesolve.problems import catalogue
from pdesolve.problems.poisson_l_shape import INTEGRAL, particular_solutions, particular_solutions_error


def inside(n: int, margin: float) -> np.ndarray:
    """Random points at least ``margin`` away from the boundary."""
    points = np.random.default_rng(0).uniform(margin - 1, 1 - margin, (4 * n, 2))
    return points[(points[:, 0] < -margin) | (points[:, 1] > margin)][:n]


def integral(n: int = 40) -> float:
    """∫ u by Gauss's rule on six triangles that meet in the re-entrant corner, dense towards it."""
    nodes, weights = np.polynomial.legendre.leggauss(n)
    nodes, weights = (nodes + 1) / 2, weights / 2
    fan = np.array([(1, 0), (1, 1), (0, 1), (-1, 1), (-1, 0), (-1, -1), (0, -1)], dtype=float)
    radius, along = (g.ravel() for g in np.meshgrid(nodes**3, nodes, indexing="ij"))
    weight = np.outer(weights * 3 * nodes**5, weights).ravel()
    total = 0.0
    for a, b in pairwise(fan):
        points = radius[:, None] * (a + along[:, None] * (b - a))
        total += abs(a[0] * b[1] - a[1] * b[0]) * weight @ particular_solutions(points)[:, 0]
    return float(total)


def test_the_published_torsion_integral() -> None:
    assert integral() == pytest.approx(0.2140758, abs=5e-8)
    assert integral() == pytest.approx(INTEGRAL, abs=5e-11)


def test_it_satisfies_the_equation() -> None:
    """By central differences of eighth order."""
    stencil = np.array([-9, 128, -1008, 8064, -14350, 8064, -1008, 128, -9]) / 5040
    h, points, laplacian = 5e-3, inside(40, 0.1), 0.0
    for axis in range(2):
        shifts = np.zeros((9, 1, 2))
        shifts[:, 0, axis] = h * np.arange(-4, 5)
        laplacian += stencil @ particular_solutions((points + shifts).reshape(-1, 2)).reshape(9, -1) / h**2
    assert np.abs(laplacian + 1).max() < 1e-7


def test_it_vanishes_on_the_declared_boundary_and_the_stated_error_is_the_largest_there() -> None:
    problem = catalogue("poisson-l-shape")
    points = problem.domain.sample(2000, np.random.default_rng(1), "boundary")
    reference = problem.reference
    assert reference is not None and callable(reference.error) and reference.function is not None
    largest, error = np.abs(reference.function(points)).max(), reference.error()
    size = np.sqrt(np.mean(reference.function(inside(2000, 0.0)) ** 2))
    assert largest / size < 2 * error < 1e-11


def test_the_error_falls_with_the_number_of_functions() -> None:
    errors = [particular_solutions_error(powers) for powers in (10, 20, 30)]
    assert errors[0] > 100 * errors[1] > 10_000 * errors[2] > 0
    few, many = (particular_solutions(inside(50, 0.05), powers) for powers in (10, 40))
    assert 1e-7 < np.abs(few - many).max() < errors[0]  # the maximum principle; rms of u is below 1


def test_the_corner_is_as_singular_as_theory_says() -> None:
    """u = c r^(2/3) (1 + O(r^(4/3))) on the bisector of the re-entrant corner, symmetric about it."""
    r = np.array([1e-6, 1e-3])
    bisector = r[:, None] * np.array([-1, 1]) / np.sqrt(2)
    scaled = particular_solutions(bisector)[:, 0] / r ** (2 / 3)
    assert scaled[0] == pytest.approx(scaled[1], rel=1e-3) and scaled[0] > 0.1
    points = inside(30, 0.0)
    mirrored = -points[:, ::-1]
    assert particular_solutions(points) == pytest.approx(particular_solutions(mirrored), abs=1e-12)
