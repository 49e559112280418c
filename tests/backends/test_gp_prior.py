"""Widths of the prior: the evidence against dense formulas, and what they are worth on noisy observations."""

from __future__ import annotations

import numpy as np
import pytest
import sympy as sp
from scipy import linalg, stats

import pdesolve as pde
from pdesolve.backends.gp import GP
from pdesolve.backends.gp.fit import Fit
from pdesolve.backends.gp.least_squares import QUIET
from pdesolve.backends.gp.prior import deviations, found_widths, surprise_of

x, y = pde.coordinates("x y")
u = pde.unknown("u", x, y)
SQUARE = pde.Box((x, 0, 1), (y, 0, 1))
GRID = np.stack([m.ravel() for m in np.meshgrid(*(np.linspace(0, 1, 21),) * 2)], axis=1)
SMOOTH = sp.exp(3 * (x - 1)) * sp.cos(3 * y + 1) + sp.sin(3 * x) * sp.cos(2 * y)


def observed(seed, n=40, noise=0.05, exact=SMOOTH, conditions=()):
    """Poisson's equation with a known source; n noisy values inside, and nothing on most of the boundary."""
    rng = np.random.default_rng(seed)
    at = rng.uniform(0, 1, (n, 2))
    values = true(exact, at) + noise * rng.standard_normal(n)
    source = exact.diff(x, 2) + exact.diff(y, 2)
    data = pde.Observations(u, at, values, noise=noise)
    return pde.Problem("open", [u.diff(x, 2) + u.diff(y, 2) - source], SQUARE, [*conditions, data])


def true(exact, points):
    return sp.lambdify((x, y), exact, "numpy")(*points.T)


def solve(problem):
    return pde.solve(problem, GP(), progress=False, throw=False)


def test_evidence_is_that_of_the_dense_normal_law():
    """d given E c = f, c ~ N(0, D²), is normal with the mean and covariance of conditioning."""
    problem = observed(0, n=12)
    fit = Fit(problem, {}, resolution=64, lines=2, rng=np.random.default_rng(0))
    surprise, _ = surprise_of(fit, QUIET * fit.noise)
    jacobian, rows, seen = fit.jacobian(), fit.residual(np.zeros(fit.layout.size)), fit.observed
    equations, data = jacobian[~seen], jacobian[seen] / QUIET
    free = linalg.null_space(np.linalg.qr(equations, mode="r"), rcond=1e-10)
    held = np.linalg.lstsq(equations, -rows[~seen], rcond=1e-10)[0]

    def dense(widths):
        precision = 1 / deviations(fit.layout, widths) ** 2
        inner = np.linalg.inv(free.T @ (precision[:, None] * free))
        mean = held - free @ (inner @ (free.T @ (precision * held)))
        covariance = data @ free @ inner @ free.T @ data.T + fit.noise**2 * np.eye(len(data))
        return -2 * stats.multivariate_normal.logpdf(-rows[seen] / QUIET, data @ mean, covariance)

    widths = [np.array([0.0, 0.5]), np.array([1.0, 1.5]), np.array([-1.0, 1.0])]
    expected = [dense(w) - dense(widths[0]) for w in widths]
    assert [surprise(w) - surprise(widths[0]) for w in widths] == pytest.approx(expected, rel=1e-6, abs=1e-6)


def test_fields_that_little_is_known_of():
    """Forty values and no boundary data: a flat prior follows the noise far above the field itself."""
    inside, errors = [], []
    for seed in range(2):
        solution = solve(observed(seed))
        assert solution.status is pde.Status.CONVERGED
        error = solution(GRID)[:, 0] - true(SMOOTH, GRID)
        errors.append(np.sqrt(np.mean(error**2)))
        inside.append(np.abs(error) < 1.645 * solution.uncertainty(GRID)[:, 0])
    assert max(errors) < 0.05  # the noise
    assert 0.75 < np.mean(inside) <= 1


def test_features_grow_where_observations_ask_for_more():
    """Without a source the equation holds with any harmonic polynomial: the data alone ask for degrees."""
    exact = sp.exp(6 * (x - 1)) * sp.cos(6 * y)
    solution = solve(observed(1, n=150, noise=0.01, exact=exact))
    assert min(axis.count for axis in solution.field.layout.axes) > 6
    error = solution(GRID)[:, 0] - true(exact, GRID)
    assert np.sqrt(np.mean(error**2)) < 0.01


def test_a_handful_of_open_directions_has_a_flat_prior():
    known = [pde.Dirichlet(u, SMOOTH)]
    fit = Fit(observed(2, conditions=known), {}, resolution=64, lines=2, rng=np.random.default_rng(0))
    assert not len(found_widths(fit, QUIET * fit.noise))


def test_a_run_with_a_prior_goes_on_from_a_checkpoint(tmp_path):
    problem = observed(0)
    whole = pde.solve(problem, GP(), steps=4, progress=False, throw=False)
    for steps in (2, 4):
        resumed = pde.solve(
            problem, GP(), steps=steps, progress=False, throw=False, checkpoint=tmp_path / "run"
        )
    assert np.array_equal(resumed(GRID), whole(GRID))
    assert np.array_equal(resumed.uncertainty(GRID), whole.uncertainty(GRID))
