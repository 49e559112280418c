"""Parameters from noisy observations, against least squares with the closed form."""

import json
import math

import numpy as np
import pytest
import sympy as sp
from scipy import optimize

import pdesolve as pde
from pdesolve.backends.base import Context
from pdesolve.backends.pinn import PINN
from pdesolve.backends.pinn.inverse import ensemble
from pdesolve.declare.errors import UndeterminedParameterError

TRUE = 0.5
BACKEND = PINN(width=10, depth=2, points=300, compile=False)
x, t = pde.coordinates("x t")
u = pde.unknown("u", x, t)


def exact(points, k):
    """u of u_t = k u_xx on [-1, 1] with u(x, 0) = sin π(x + 1)/2, zero at the ends."""
    return np.exp(-k * np.pi**2 * points[:, 1] / 4) * np.sin(np.pi * (points[:, 0] + 1) / 2)


def measured(seed, n, noise):
    rng = np.random.default_rng(seed)
    points = rng.uniform([-1, 0], [1, 1], (n, 2))
    return points, exact(points, TRUE) + noise * rng.standard_normal(n)


def inverse(*sets, positive=True):
    """The heat equation of unknown diffusivity; sets are (points, values, stated noise)."""
    k = pde.parameter("k", unknown=True, start=0.1, positive=positive)
    return pde.Problem(
        "inverse heat",
        [u.diff(t) - k * u.diff(x, 2)],
        pde.Interval(x, -1, 1) * pde.Time(t, 0, 1),
        [
            pde.Initial(u, sp.sin(sp.pi * (x + 1) / 2)),
            pde.Dirichlet(u, 0),
            *(pde.Observations(u, points, values, noise=noise) for points, values, noise in sets),
        ],
    )


def least_squares(*sets):
    """k and the standard deviation of log k by weighted least squares on the closed form."""

    def rows(log_k):
        return np.concatenate([(exact(p, math.exp(log_k[0])) - d) / sigma for p, d, sigma in sets])

    found = optimize.least_squares(rows, [math.log(0.3)], xtol=1e-14, ftol=1e-14)
    return math.exp(found.x[0]), 1 / np.linalg.norm(found.jac)


def half_width(solution):
    low, high = solution.intervals["k"]
    assert low < solution.parameters["k"] < high
    return math.log(high / low) / 2


def test_sets_count_by_their_noise():
    """A large set with tenfold noise must not spoil a small good one, as it does with equal weights."""
    sets = ((*measured(1, 40, 0.02), 0.02), (*measured(2, 400, 0.2), 0.2))
    solution = pde.solve(inverse(*sets), BACKEND, steps=150, progress=False)
    best, deviation = least_squares(*sets)
    alike, _ = least_squares(*((p, d, 1.0) for p, d, _ in sets))
    assert abs(math.log(alike / best)) > 1.0 * deviation
    assert abs(math.log(solution.parameters["k"] / best)) < 0.1 * deviation
    assert half_width(solution) == pytest.approx(1.96 * deviation, rel=0.1)


def test_noise_that_is_not_stated_is_estimated():
    points, values = measured(3, 150, 0.05)
    problem = inverse((points, values, 0.0))
    state = BACKEND.start(problem, Context(steps=150))
    for _ in range(150):
        BACKEND.advance(state)
    (noise,) = BACKEND.evidence(state).noise.values()
    best, _ = least_squares((points, values, 1.0))
    assert noise == pytest.approx(np.sqrt(np.sum((values - exact(points, best)) ** 2) / 149), rel=0.02)
    low, high = BACKEND.intervals(state, BACKEND.field(state))["k"]
    _, deviation = least_squares((points, values, noise))
    assert math.log(high / low) / 2 == pytest.approx(1.976 * deviation, rel=0.1)


def test_the_equations_end_as_a_constraint():
    """Few numbers are fitted to the data, and the misfit of the equation is far below the noise.

    Estimate and interval are then those of maximum likelihood.
    """
    sets = (*measured(4, 150, 0.05), 0.05)
    state = BACKEND.start(inverse(sets), Context(steps=150))
    first = BACKEND.evidence(state)
    for _ in range(150):
        BACKEND.advance(state)
    last = BACKEND.evidence(state)
    assert last.precision > 1e3 * first.precision
    assert 1 <= last.freedom < 4
    assert last.precision * last.level < 5
    misfit = BACKEND.field(state).values(sets[0], 1)[:, 0] - exact(sets[0], BACKEND.parameters(state)["k"])
    assert np.abs(misfit).max() < 0.05 / 10
    assert last.ratio[1] == pytest.approx(1, abs=0.3)
    best, deviation = least_squares(sets)
    k, (low, high) = BACKEND.parameters(state)["k"], BACKEND.intervals(state, BACKEND.field(state))["k"]
    assert low < k < high
    assert abs(math.log(k / best)) < 0.1 * deviation
    assert math.log(high / low) / 2 == pytest.approx(1.96 * deviation, rel=0.1)


def test_a_parameter_of_either_sign_has_an_interval_that_is_symmetric():
    sets = (*measured(5, 150, 0.05), 0.05)
    solution = pde.solve(inverse(sets, positive=False), BACKEND, steps=150, progress=False)
    best, deviation = least_squares(sets)
    low, high = solution.intervals["k"]
    assert (low + high) / 2 == pytest.approx(solution.parameters["k"])
    assert (high - low) / 2 == pytest.approx(1.96 * best * deviation, rel=0.1)


def test_a_bootstrap_gives_the_same_width():
    sets = (*measured(6, 150, 0.05), 0.05)
    small = PINN(width=6, depth=1, points=80, compile=False)
    low, high = ensemble(inverse(sets), small, range(8), steps=40)["k"]
    best, deviation = least_squares(sets)
    assert low < best < high
    assert math.log(high / low) / 2 == pytest.approx(2.36 * deviation, rel=0.6)  # χ²_7: within ±51 % in 95 %


def test_a_bootstrap_needs_parameters_and_seeds():
    with pytest.raises(UndeterminedParameterError, match="2 seeds"):
        ensemble(inverse((*measured(6, 150, 0.05), 0.05)), BACKEND, range(2), steps=1)


def test_observations_without_unknown_parameters_have_weights_and_no_intervals():
    sets = (*measured(7, 50, 0.05), 0.05)
    k = pde.parameter("k")
    problem = inverse(sets)
    known = problem.replace(equations=[u.diff(t) - k * u.diff(x, 2)], parameters={k: TRUE})
    solution = pde.solve(known, BACKEND, steps=150, progress=False)
    assert solution.intervals == {}
    assert np.abs(solution(sets[0])[:, 0] - exact(sets[0], TRUE)).max() < 0.05 / 5


def test_intervals_are_saved_and_shown(tmp_path):
    solution = pde.solve(inverse((*measured(8, 50, 0.05), 0.05)), BACKEND, steps=20, progress=False)
    low, high = solution.intervals["k"]
    assert pde.load(solution.save(tmp_path / "a.h5")).intervals == {"k": (low, high)}
    assert f"(95 %: {low:.6g} to {high:.6g})" in repr(solution)
    assert json.loads(json.dumps(solution.summary()))["intervals"] == {"k": [low, high]}
    solution.intervals["k"] = (0.0, math.inf)
    assert solution.summary()["intervals"] == {"k": [0.0, None]}
    assert pde.load(solution.save(tmp_path / "b.h5")).intervals == {"k": (0.0, math.inf)}


def test_weights_go_through_a_checkpoint(tmp_path):
    """A run that was stopped and resumed goes on with the weights that it had, and ends the same."""
    problem = inverse((*measured(9, 50, 0.05), 0.05))
    whole = pde.solve(problem, BACKEND, steps=45, progress=False)
    pde.solve(problem, BACKEND, steps=35, progress=False, checkpoint=tmp_path / "run")
    resumed = pde.solve(problem, BACKEND, steps=45, progress=False, checkpoint=tmp_path / "run")
    assert resumed.parameters == whole.parameters
    assert resumed.intervals == whole.intervals
