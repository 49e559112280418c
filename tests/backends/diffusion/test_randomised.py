"""Randomised maximum likelihood: exact for linear evolutions, and what it makes of Burgers' equation."""

import math

import numpy as np
import pytest
import torch

import pdesolve as pde
from pdesolve.backends.base import BackendOptionError
from pdesolve.backends.diffusion import DiffusionPDE, DPMSolver, Event, Particles, RandomisedLikelihood
from pdesolve.backends.diffusion.encoding import DEVIATION, JointEncoding
from pdesolve.backends.diffusion.equations import Stepped
from pdesolve.backends.diffusion.law import GaussianLaw
from pdesolve.backends.diffusion.observing import observed
from pdesolve.backends.diffusion.randomised import Likelihood, reasons_against
from pdesolve.declare.family import Family

N, TIMES, NU = 16, 6, 0.02
SMALL = {"width": 8, "rank": 20, "samples": 4, "batch": 8}
BURGERS = pde.family("burgers-random", nu=0.05, T=0.2)


x, t = pde.coordinates("x t")
WARM = pde.unknown("u", x, t)
CIRCLE = pde.Interval(x, 0, 1)


def warm(u0):
    conditions = [pde.Initial(WARM, u0), pde.Periodic(WARM)]
    return pde.Problem("warm", [WARM.diff(t) - NU * WARM.diff(x, 2)], CIRCLE * pde.Time(t, 0, 1), conditions)


HEAT = Family(
    "warm", warm, {"u0": pde.GaussianField(CIRCLE, sigma=2, tau=2, gamma=1, modes=4, boundary="periodic")}
)
ENCODING = JointEncoding(
    ("u",), 1, ((0.0, 1.0), (0.0, 1.0)), (True, False), (N, TIMES), (3,), (0.3,), (1.7,), translation=True
)


def decayed(fields, seconds):
    """The heat equation's solution on N points (..., N), by its modes."""
    wave = 2 * np.pi * np.arange(N // 2 + 1)
    return np.fft.irfft(np.fft.rfft(fields) * np.exp(-NU * wave**2 * seconds), N)


def heat_likelihood(noise, options):
    """A likelihood with three sensors, its C, the matrix from u₀ to what they see, all by closed forms."""
    rng = np.random.default_rng(4)
    factor = rng.normal(size=(N, 3)) * [0.8, 0.5, 0.3]
    factor = decayed(factor.T, 0.3).T  # smooth: the integrator keeps two thirds of the modes
    mean = decayed(rng.normal(size=N), 0.5)
    times = np.linspace(0, 1, TIMES)
    images = np.stack([decayed(factor.T, s) for s in times], axis=-1)  # (3, N, times)
    law = GaussianLaw.of_factor(
        torch.from_numpy(np.stack([decayed(mean, s) for s in times], axis=-1).ravel()),
        torch.from_numpy(images.reshape(3, -1).T),
    )
    places, when = np.array([2, 7, 12]), np.array([1, 3, 5])
    points = np.stack([places / N, times[when]], axis=1)
    scale = ENCODING.scale[0] / DEVIATION
    problem = HEAT.observed({"u": (points, rng.normal(size=3))}, noise=noise * scale)
    seen = observed(problem, ENCODING)
    matrix = np.stack([decayed(np.eye(N), times[k])[:, p] for k, p in zip(when, places, strict=True)])
    return Likelihood(options, problem, law, ENCODING, seen), mean, factor, matrix


def test_samples_of_a_linear_evolution_are_of_the_posterior():
    noise, count = 0.1, 4000
    options = RandomisedLikelihood(iterations=30, floor=1e-3, left_out=0)
    likelihood, mean, factor, matrix = heat_likelihood(noise, options)
    images = torch.zeros(count, *ENCODING.shape, dtype=torch.float64)
    search = likelihood.begin(images, torch.Generator().manual_seed(0))
    while not likelihood.is_over(search):
        likelihood.step(search)
    assert bool(search.settled.all())
    found = likelihood.images(search.place)[:, 0, :, 0].numpy()
    covariance = factor @ factor.T
    gain = covariance @ matrix.T @ np.linalg.inv(matrix @ covariance @ matrix.T + noise**2 * np.eye(3))
    exact = covariance - gain @ matrix @ covariance
    assert np.trace(exact) < 0.6 * np.trace(covariance)  # the sensors say something
    deviation = np.sqrt(exact.diagonal())
    expected = mean + gain @ (likelihood.observed.values.numpy() - matrix @ mean)
    assert np.all(np.abs(found.mean(axis=0) - expected) < 5 * deviation / math.sqrt(count) + 1e-3)
    assert np.linalg.norm(np.cov(found.T) - exact) < 0.08 * np.linalg.norm(exact)


def test_jacobian_is_that_of_the_solution():
    likelihood, _, _, matrix = heat_likelihood(0.1, RandomisedLikelihood(left_out=0))
    place = torch.zeros(2, likelihood.basis.shape[1], dtype=torch.float64)
    exact = matrix @ (likelihood.basis * likelihood.deviations).numpy()
    assert np.allclose(likelihood.jacobian(place)[1], exact, atol=1e-5)


def test_directions_hold_the_share_that_is_asked_for():
    few, _, factor, _ = heat_likelihood(0.1, RandomisedLikelihood(left_out=0.3))
    total = np.square(factor).sum()
    assert few.basis.shape[1] < 3
    assert float(few.deviations.square().sum()) >= 0.7 * total


@pytest.fixture(scope="module")
def burgers(tmp_path_factory):
    """The file of a hardly trained prior, and a member with two sensor lines: (prior, problem, truth)."""
    folder = tmp_path_factory.mktemp("burgers")
    data = pde.generate(
        BURGERS, 33, folder / "d.h5", points=N, times=9, rtol=1e-5, progress=False, dtype="float64"
    )
    trained = pde.train(
        BURGERS, DiffusionPDE(**SMALL), data.subset(slice(0, 32)), folder / "p", steps=3, progress=False
    )
    truth = data.values[32, :, 0]  # (times, N)
    at = [(i / N, s) for i in (1, 6, 11) for s in data.times]
    values = [truth[k, i] for i in (1, 6, 11) for k in range(9)]
    return str(trained.weights), BURGERS.observed({"u": (np.array(at), np.array(values))}), truth.T


def options(burgers, **changes):
    sampler = DPMSolver(steps=12, sigma_max=20.0, stochastic=True)
    return DiffusionPDE.load(burgers[0], **{"sampler": sampler, "samples": 4, **changes})


def error(solution, truth):
    draws = solution.field.draws[:, 0]
    return float(np.mean(np.linalg.norm(draws - truth, axis=(1, 2)) / np.linalg.norm(truth)))


def test_samples_become_trajectories_that_fit(burgers):
    _, problem, truth = burgers
    plain = pde.solve(problem, options(burgers, refine=None), progress=False)
    refined = pde.solve(problem, options(burgers), progress=False)
    assert error(refined, truth) < 0.5 * error(plain, truth)
    encoding = options(burgers).card().encoding
    system = Stepped(problem, encoding)
    left = [
        float(system.residual(encoding.normalised(torch.from_numpy(s.field.draws))).norm())
        for s in (plain, refined)
    ]
    assert left[1] < 1e-8 < left[0]
    assert "minimum of their likelihood" in refined.message
    assert refined.status is pde.Status.COMPLETED


def test_a_search_that_was_cut_goes_on(burgers, tmp_path):
    _, problem, _ = burgers
    whole = pde.solve(problem, options(burgers), progress=False)
    half = {"checkpoint": tmp_path / "run", "progress": False}
    pde.solve(problem, options(burgers), steps=13, **half)
    resumed = pde.solve(problem, options(burgers), **half)
    assert np.array_equal(resumed.field.draws, whole.field.draws)


def test_a_trajectory_that_overflows_stops_no_other(burgers):
    _, problem, _ = burgers
    encoding, denoiser = options(burgers).trained(problem)
    law = denoiser.law.to(torch.zeros((), dtype=torch.float64))
    likelihood = Likelihood(RandomisedLikelihood(), problem, law, encoding, observed(problem, encoding))
    images = law.mean.view(1, *encoding.shape).repeat(2, 1, 1, 1)
    images[0] += 1e9 * torch.randn(encoding.shape, generator=torch.Generator().manual_seed(0))
    search = likelihood.begin(images, torch.Generator().manual_seed(0))
    before = search.cost.clone()
    while not likelihood.is_over(search):
        likelihood.step(search)
    assert before[0] == math.inf == search.cost[0]
    assert search.cost[1] < 0.5 * before[1]


def test_says_where_no_search_is_possible():
    y = pde.coordinates("y")
    square = pde.Box((x, 0, 1), (y, 0, 1))
    u = pde.unknown("u", x, y)
    steady = pde.Problem("steady", [u.diff(x, 2) + u.diff(y, 2) - 1], square, [pde.Dirichlet(u, 0)])
    assert "evolution" in reasons_against(steady, None)[0]
    two = pde.TwoPhase(pde.GaussianField(CIRCLE, sigma=2, modes=4, boundary="periodic"))
    seen = {"u": (np.array([[0.5, 0.5]]), np.array([1.0]))}
    jumping, smooth = Family("jumping", warm, {"u0": two}).observed(seen), HEAT.observed(seen)
    assert "Gaussian" in reasons_against(jumping, Stepped(jumping, ENCODING))[0]
    assert not reasons_against(smooth, Stepped(smooth, ENCODING))


@pytest.mark.parametrize(
    ("option", "value"), [("iterations", 0), ("iterations", 2.5), ("floor", 0.0), ("left_out", 1.0)]
)
def test_refuses_wrong_options(option, value):
    with pytest.raises(BackendOptionError, match=option):
        RandomisedLikelihood(**{option: value})


def test_refuses_another_refinement():
    with pytest.raises(BackendOptionError, match="refine"):
        DiffusionPDE(refine="always")


def test_samples_that_know_more_than_sensors_stay(burgers):
    """Given an event all samples have it; the search would know of sensors alone."""
    _, problem, truth = burgers

    def quantity(fields):
        return fields[:, 0, 8, 0] - float(truth[8, 0])

    event = Event(quantity)
    solution = pde.solve(problem, options(burgers, guidance=event, samples=8), progress=False)
    assert "likelihood" not in solution.message
    assert np.all(solution.field.draws[:, 0, 8, 0] > truth[8, 0] - 0.05)
    for guidance in (event, Particles()):
        with pytest.raises(BackendOptionError, match="more than sensors"):
            DiffusionPDE(guidance=guidance, refine=RandomisedLikelihood())


def test_the_future_from_past_frames(burgers):
    """All nodes until half of the time, with noise: the rest follows by the equations."""
    _, _, truth = burgers
    seen, noise = 5, 0.01 * truth.std()
    rng = np.random.default_rng(5)
    at = np.array([(i / N, 0.2 * k / 8) for i in range(N) for k in range(seen)])
    values = truth[:, :seen].ravel() + noise * rng.normal(size=N * seen)
    solution = pde.solve(BURGERS.observed({"u": (at, values)}, noise=noise), options(burgers), progress=False)
    future = solution.field.mean[0][:, seen:]
    assert np.linalg.norm(future - truth[:, seen:]) < 0.01 * np.linalg.norm(truth[:, seen:])
    persistence = truth[:, [seen - 1]] - truth[:, seen:]
    assert np.linalg.norm(persistence) > 0.1 * np.linalg.norm(truth[:, seen:])
