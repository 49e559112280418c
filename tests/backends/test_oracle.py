"""The exact posterior of linear Gaussian problems, against Gaussian process regression by hand."""

import itertools
import math

import numpy as np
import pytest
import sympy as sp

import pdesolve as pde
from pdesolve.backends.base import BackendOptionError
from pdesolve.backends.oracle import GPOracle
from pdesolve.conformance import BackendConformance
from pdesolve.declare.family import Family

x, y, t = pde.coordinates("x y t")
u = pde.unknown("u", x, y)
SQUARE = pde.Box((x, 0, 1), (y, 0, 1))
SIGMA, TAU, COUNT = 3.0, 3.0, 3
ORACLE = GPOracle(points=13, rtol=1e-6)


def declare(a):
    return pde.Problem("sources", [u.diff(x, 2) + u.diff(y, 2) - a], SQUARE, [pde.Dirichlet(u, x)])


SINES = pde.GaussianField(SQUARE, sigma=SIGMA, tau=TAU, modes=COUNT, boundary="dirichlet")
FAMILY = Family("sources", declare, {"a": SINES}, points=9)


def table(points):
    """Standard normal numbers to (u - x, a) at points: sines, and the solutions that they cause."""
    own = []
    for k, m in itertools.product(range(1, COUNT + 1), repeat=2):
        eigenvalue = math.pi**2 * (k**2 + m**2)
        mode = 2 * np.sin(math.pi * k * points[:, 0]) * np.sin(math.pi * m * points[:, 1])
        size = SIGMA / (eigenvalue + TAU**2)
        own.append((-size / eigenvalue * mode, size * mode))
    return np.moveaxis(np.array(own), 0, -1)  # (2, n, modes)


def regression(given, points):
    """Mean and covariance of (u, a) at points, (2n,), by the formulas for jointly Gaussian numbers."""
    rows = np.concatenate([table(at)["ua".index(name)] for name, at, _, _ in given])
    right = np.concatenate([v - at[:, 0] * (name == "u") for name, at, v, _ in given])
    noise = np.concatenate([np.full(len(at), s**2) for _, at, _, s in given])
    asked = table(points).reshape(2 * len(points), -1)
    inverse = np.linalg.inv(rows @ rows.T + np.diag(noise))
    gain = asked @ rows.T @ inverse
    mean = gain @ right + np.concatenate([points[:, 0], 0 * points[:, 0]])
    return mean, asked @ asked.T - gain @ rows @ asked.T


def problem_of(given):
    return FAMILY.observed(
        {name: (at, v) for name, at, v, _ in given}, noise={name: s for name, _, _, s in given}
    )


def solve(problem, backend=ORACLE, **more):
    return pde.solve(problem, backend, progress=False, **more)


def sensors(seed=0, n=5, noise=(2e-3, 3e-2), names="ua"):
    """Noisy values of a random member at random places, none of them a node."""
    rng = np.random.default_rng(seed)
    weights, given = rng.standard_normal(COUNT**2), []
    for name, s in zip("ua", noise, strict=True):
        at = rng.uniform(0.02, 0.98, (n, 2))
        v = table(at)["ua".index(name)] @ weights + at[:, 0] * (name == "u") + s * rng.standard_normal(n)
        if name in names:
            given.append((name, at, v, s))
    return given, weights


NODES = np.array([(i / 12, j / 12) for i, j in ((2, 3), (6, 6), (9, 4), (11, 11), (1, 8))])


class TestConformance(BackendConformance):
    backend = GPOracle(points=17, rtol=1e-6)
    steps = 10
    tolerance = 1e-5

    def problem(self):
        """All of a source of one mode is seen: the solution is the closed form."""
        mode = 0.3 * sp.sin(sp.pi * x) * sp.sin(2 * sp.pi * y)
        at = np.random.default_rng(0).uniform(0.05, 0.95, (30, 2))
        values = 0.3 * np.sin(np.pi * at[:, 0]) * np.sin(2 * np.pi * at[:, 1])
        problem = FAMILY.observed({"a": (at, values)})
        a = problem.coefficients[0]
        return problem.replace(reference={u: x - mode / (5 * sp.pi**2), a: mode})

    def unsupported(self):
        return pde.catalogue("heat")


# -- against regression by hand ------------------------------------------------------------------------


@pytest.mark.parametrize("names", ["u", "a", "ua"])
def test_mean_and_deviation_are_those_of_regression(names):
    given, _ = sensors(names=names)
    solution = solve(problem_of(given))
    mean, covariance = regression(given, NODES)
    scale = np.repeat(np.sqrt((table(NODES) ** 2).sum(axis=(1, 2)) / len(NODES)), len(NODES))
    found, deviation = solution(NODES).T.ravel(), solution.uncertainty(NODES).T.ravel()
    assert np.abs((found - mean) / scale).max() < 2e-3  # sensors of u lie between nodes: splines
    assert np.abs((deviation - np.sqrt(np.diag(covariance))) / scale).max() < 2e-3
    assert solution.status is pde.Status.COMPLETED and "9 modes" in solution.message


def test_sensors_on_nodes_need_no_spline():
    rng = np.random.default_rng(3)
    at = rng.permutation([(i / 12, j / 12) for i in range(1, 12) for j in range(1, 12)])[:6]
    given = [("u", at, at[:, 0] + 1e-2 * rng.standard_normal(6), 1e-4)]
    mean, covariance = regression(given, NODES)
    solution = solve(problem_of(given), GPOracle(points=13, rtol=1e-8))
    prior = np.repeat(np.sqrt((table(NODES) ** 2).sum(axis=2)).mean(axis=1), len(NODES))
    amplified = np.abs(mean).max() / prior.max()  # the data are unlikely, and errors count in proportion
    assert np.abs((solution(NODES).T.ravel() - mean) / prior).max() < 1e-4 * max(1, amplified)
    deviation = solution.uncertainty(NODES).T.ravel()
    assert np.abs((deviation - np.sqrt(np.diag(covariance))) / prior).max() < 1e-4


def test_noise_is_weighed_and_no_noise_is_met():
    given, _ = sensors(n=4, names="u")
    (name, at, v, _) = given[0]
    exact, noisy = (solve(problem_of([(name, at, v, s)])) for s in (0.0, 1.0))
    assert np.abs(exact(at)[:, 0] - v).max() < 1e-5
    assert np.abs(noisy(at)[:, 0] - at[:, 0]).max() < 1e-3  # such noise leaves the prior's mean
    assert np.all(exact.uncertainty(NODES) <= noisy.uncertainty(NODES) + 1e-12)


def test_a_sensor_twice_is_one_of_half_the_variance():
    given, _ = sensors(n=3, noise=(4e-3, 1), names="u")
    (name, at, v, s) = given[0]
    twice = solve(problem_of([(name, np.concatenate([at, at]), np.concatenate([v, v]), s)]))
    once = solve(problem_of([(name, at, v, s / math.sqrt(2))]))
    assert np.allclose(twice(NODES), once(NODES), atol=1e-9)
    assert np.allclose(twice.uncertainty(NODES), once.uncertainty(NODES), atol=1e-9)


def test_no_observations_leave_the_prior():
    solution = solve(FAMILY.undetermined)
    assert np.allclose(solution(NODES), np.stack([NODES[:, 0], 0 * NODES[:, 0]], axis=1), atol=1e-6)
    deviation = np.sqrt((table(NODES) ** 2).sum(axis=2)).T
    assert np.allclose(solution.uncertainty(NODES), deviation, rtol=1e-4)


def test_draws_have_the_mean_and_covariance_of_the_posterior():
    given, _ = sensors(seed=2)
    count = 4000
    solution = solve(problem_of(given), GPOracle(points=13, rtol=1e-6, samples=count))
    draws = np.moveaxis(solution.samples(NODES), -1, 1).reshape(count, -1)  # u then a, as regression() has it
    mean, covariance = regression(given, NODES)
    deviation = np.sqrt(np.diag(covariance))
    assert np.abs((draws.mean(axis=0) - mean) / deviation).max() < 4 / math.sqrt(count) + 0.01
    apart = (np.cov(draws.T) - covariance) / np.outer(deviation, deviation)
    assert np.abs(apart).max() < 4 * math.sqrt(2 / count) + 0.01


def test_draws_satisfy_the_equation():
    """A draw's solution is that of its own source, by the closed form in its modes."""
    given, _ = sensors()
    solution = solve(problem_of(given), GPOracle(points=13, rtol=1e-8, samples=3))
    points = np.stack([g.ravel() for g in np.meshgrid(*[np.arange(13) / 12] * 2, indexing="ij")], axis=1)
    solutions, sources = table(points)
    for draw in solution.samples(points):
        weights = np.linalg.lstsq(sources, draw[:, 1], rcond=None)[0]
        assert np.abs(sources @ weights - draw[:, 1]).max() < 1e-10
        assert np.abs(solutions @ weights + points[:, 0] - draw[:, 0]).max() < 1e-7


def test_intervals_cover_the_truth_as_often_as_they_say():
    """Of 60 random members, each with its own sensors and noise, at one random place a channel."""
    hits = np.zeros(2)
    rng = np.random.default_rng(11)
    backend = GPOracle(points=9, rtol=1e-4, samples=1)
    for seed in range(60):
        given, weights = sensors(seed=100 + seed, n=3)
        at = rng.integers(1, 8, (1, 2)) / 8
        solution = solve(problem_of(given), backend)
        truth = table(at)[:, 0] @ weights + [at[0, 0], 0]
        hits += np.abs(solution(at)[0] - truth) <= 1.645 * solution.uncertainty(at)[0]
    # 54 expected, with a deviation of 2.3
    assert np.all((hits >= 46) & (hits <= 60)) and 95 <= hits.sum() <= 118


# -- use and misuse ------------------------------------------------------------------------------------


def test_columns_come_in_the_order_of_the_problem():
    given, _ = sensors()
    problem = problem_of(given)
    turned = problem.replace(unknowns=problem.unknowns[::-1])
    assert turned.unknown_names == ("a", "u")
    assert np.allclose(solve(turned)(NODES)[:, ::-1], solve(problem)(NODES), atol=1e-12)


def test_answers_do_not_depend_on_what_was_asked_before():
    """Responses are remembered: other laws, points and tolerances must not be mixed up."""
    given, _ = sensors(names="u")
    first = solve(problem_of(given))(NODES)
    wider = pde.GaussianField(SQUARE, sigma=30, tau=TAU, modes=COUNT, boundary="dirichlet")
    (name, at, v, s) = given[0]
    other = Family("sources", declare, {"a": wider}).observed({name: (at, v)}, noise=s)
    second = solve(other)(NODES)
    assert np.abs(first - second).max() > 1e-3
    assert np.array_equal(solve(problem_of(given))(NODES), first)


def test_saved_solutions_keep_deviations_and_draws(tmp_path):
    given, _ = sensors()
    problem = problem_of(given)
    solution = solve(problem, seed=3)
    solution.save(tmp_path / "u.h5")
    points = np.random.default_rng(0).uniform(0, 1, (7, 2))
    for loaded in (pde.load(tmp_path / "u.h5"), pde.load(tmp_path / "u.h5", problem=problem)):
        assert np.array_equal(loaded(points), solution(points))
        assert np.array_equal(loaded.uncertainty(points), solution.uncertainty(points))
        assert np.array_equal(loaded.samples(points), solution.samples(points))
    assert solution.samples(points).shape == (16, 7, 2)
    again, others = solve(problem, seed=3), solve(problem, seed=4)
    assert np.array_equal(again.samples(points), solution.samples(points))
    assert not np.array_equal(others.samples(points), solution.samples(points))
    assert np.array_equal(others(points), solution(points))


def test_loaded_solutions_belong_to_their_priors(tmp_path):
    given, _ = sensors()
    solve(problem_of(given)).save(tmp_path / "u.h5")
    wider = pde.GaussianField(SQUARE, sigma=30, tau=TAU, modes=COUNT, boundary="dirichlet")
    other = problem_of(given).replace(priors={"a": wider})
    with pytest.raises(pde.PDESolveError):
        pde.load(tmp_path / "u.h5", problem=other)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: pde.catalogue("heat"), "steady"),
        (lambda: pde.catalogue("poisson-l-shape"), "boxes"),
        (lambda: pde.family("darcy-random").undetermined, "affine"),
        (lambda: FAMILY.sample(0), "elementary functions"),
        (lambda: FAMILY.member(a=sp.sin(x)), "not all Gaussian fields"),
        (lambda: FAMILY.undetermined.replace(priors={}), "not all Gaussian fields"),
        (lambda: FAMILY.undetermined.replace(priors={"a": pde.TwoPhase(SINES)}), "not all Gaussian fields"),
        (lambda: pde.catalogue("allen-cahn-steady-2d"), "linear"),
    ],
)
def test_other_problems_are_refused(make, words):
    reasons = ORACLE.supports(make())
    assert reasons and words in reasons[0]


@pytest.mark.parametrize("options", [{"points": 4}, {"samples": 0}, {"rtol": 0}, {"floor": -1.0}])
def test_options_are_checked(options):
    with pytest.raises(BackendOptionError, match=next(iter(options))):
        GPOracle(**options)
