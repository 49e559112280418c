"""Posterior covariance: against the closed form of a regression, and in files."""

from __future__ import annotations

import numpy as np
import pytest
import pyvista
import sympy as sp

import pdesolve as pde
from pdesolve.backends.gp import GP

x, y = pde.coordinates("x y")
u = pde.unknown("u", x)
EXACT = sp.sin(9 * x) / 2 + x
AT = np.random.default_rng(3).uniform(0, 1, (15, 1))
PLACES = np.linspace(0, 1, 21)[:, None]


def true(points):
    return np.sin(9 * points[:, 0]) / 2 + points[:, 0]


def observed(sigma, stated=True, seed=0, at=AT):
    """u_xx is known, the ends are not: what is left open is a straight line."""
    values = true(at) + sigma * np.random.default_rng(seed).normal(size=len(at))
    data = pde.Observations(u, at, values, noise=sigma if stated else 0.0)
    return pde.Problem("noisy", [u.diff(x, 2) - EXACT.diff(x, 2)], pde.Interval(x, 0, 1), [data]), values


def line(points):
    return np.column_stack([np.ones(len(points)), points[:, 0]])


@pytest.mark.parametrize("sigma", [1e-3, 0.2])
@pytest.mark.parametrize("stated", [True, False])
def test_posterior_is_that_of_a_regression(sigma, stated):
    problem, values = observed(sigma, stated)
    solution = pde.solve(problem, GP(), progress=False)
    design = line(AT)
    found, misfit, *_ = np.linalg.lstsq(design, values - true(AT))
    assert np.allclose(solution(PLACES)[:, 0], true(PLACES) + line(PLACES) @ found, atol=1e-7 * sigma + 1e-9)
    variance = sigma**2 if stated else float(misfit[0]) / (len(AT) - 2)
    covariance = variance * np.linalg.inv(design.T @ design)
    expected = np.sqrt(np.einsum("ni,ij,nj->n", line(PLACES), covariance, line(PLACES)))
    assert np.allclose(solution.uncertainty(PLACES)[:, 0], expected, rtol=1e-5)


def test_observations_weigh_by_their_noise():
    """Precise ones at one end, coarse ones everywhere."""
    rng = np.random.default_rng(1)
    ends = rng.uniform(0, 0.2, (5, 1))
    sets = [(AT, 0.2), (ends, 1e-3)]
    values = [true(at) + sigma * rng.normal(size=len(at)) for at, sigma in sets]
    data = [pde.Observations(u, at, v, noise=s) for (at, s), v in zip(sets, values, strict=True)]
    problem = pde.Problem("two", [u.diff(x, 2) - EXACT.diff(x, 2)], pde.Interval(x, 0, 1), data)
    solution = pde.solve(problem, GP(), progress=False)
    design = np.concatenate([line(at) / s for at, s in sets])
    right = np.concatenate([(v - true(at)) / s for (at, s), v in zip(sets, values, strict=True)])
    found = np.linalg.lstsq(design, right)[0]
    assert np.allclose(solution(PLACES)[:, 0], true(PLACES) + line(PLACES) @ found, atol=1e-7)
    covariance = np.linalg.inv(design.T @ design)
    expected = np.sqrt(np.einsum("ni,ij,nj->n", line(PLACES), covariance, line(PLACES)))
    assert np.allclose(solution.uncertainty(PLACES)[:, 0], expected, rtol=1e-5)


def test_bands_cover_the_truth():
    """90 % bands at one place over random noise: 40 draws leave a standard deviation of 5 %."""
    problem_bands = []
    for seed in range(40):
        problem, _ = observed(0.1, seed=seed)
        solution = pde.solve(problem, GP(rtol=1e-8), progress=False)
        at = PLACES[[5]]
        problem_bands.append(abs(solution(at)[0, 0] - true(at)[0]) < 1.645 * solution.uncertainty(at)[0, 0])
    assert 0.75 < np.mean(problem_bands) < 1


def test_exact_data_have_no_uncertainty():
    assert pde.solve(pde.catalogue("poisson-u2"), GP(), progress=False).uncertainty(PLACES) is None


def test_two_observations_leave_no_estimate_of_their_noise():
    problem, _ = observed(0.1, stated=False, at=AT[:2])
    assert pde.solve(problem, GP(), progress=False).uncertainty(PLACES) is None


def test_uncertainty_is_kept_in_files(tmp_path):
    problem, _ = observed(0.1)
    solution = pde.solve(problem, GP(), progress=False)
    loaded = pde.load(solution.save(tmp_path / "u.h5"))
    assert np.array_equal(loaded.uncertainty(PLACES), solution.uncertainty(PLACES))
    loaded.write_vtk(tmp_path / "vtk")
    files = [f for f in sorted((tmp_path / "vtk").iterdir()) if f.suffix in (".vti", ".vtu", ".vtr", ".vts")]
    grid = next(g for g in map(pyvista.read, files) if "u_deviation" in g.point_data)
    places = np.asarray(grid.points)[:, :1]
    assert np.allclose(grid["u_deviation"], loaded.uncertainty(places)[:, 0], rtol=1e-6)
