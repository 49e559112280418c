"""Guidance on Gaussian priors, whose denoiser and posterior are known in closed form."""

import math
from dataclasses import fields, replace

import numpy as np
import pytest
import torch

from pdesolve.backends.base import BackendOptionError
from pdesolve.backends.diffusion.guidance import (
    DDS,
    DPS,
    Event,
    Kriging,
    Moments,
    Particles,
    PiGDM,
    PublishedRule,
    Setting,
)
from pdesolve.backends.diffusion.guidance.moments import conjugate_gradients
from pdesolve.backends.diffusion.law import GaussianLaw
from pdesolve.backends.diffusion.observing import Observed
from pdesolve.backends.diffusion.samplers import DDIM, DPMSolver, GaussianExponential, Heun, UniPC

SHAPE = (2, 3, 2)
N, M = 12, 5
SIGMAS = [1e-2, 0.3, 2.0, 40.0]


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def normal(*shape, seed=0):
    return torch.randn(shape, generator=seeded(seed), dtype=torch.float64)


class Case:
    """x₀ ~ N(mean, C), y = A x₀ + ε."""

    def __init__(self, variances, noise=0.05, rows=None):
        basis = torch.linalg.qr(normal(N, N, seed=1)).Q
        self.law = GaussianLaw(
            normal(N, seed=2) / 3, basis, variances.double(), torch.zeros((), dtype=torch.float64)
        )
        self.covariance = basis * variances @ basis.T
        self.rows = normal(M, N, seed=3) if rows is None else rows
        self.noise = torch.full((len(self.rows),), noise, dtype=torch.float64)
        truth = self.law.mean + self.covariance @ normal(N, seed=4)
        self.values = self.rows @ truth + noise * normal(len(self.rows), seed=5)
        channel = torch.tensor([0, 0, 1, 1, 1])[: len(self.rows)]
        self.setting = Setting(
            self.denoise, self.law, Observed(self.rows, self.values, self.noise, channel), lambda z: z
        )

    def denoise(self, x, sigma):
        gain = torch.linalg.solve(self.covariance + sigma**2 * torch.eye(N).double(), self.covariance)
        return self.law.mean.view(SHAPE) + ((x.flatten(1) - self.law.mean) @ gain).view_as(x)

    def posterior(self, x=None, sigma=math.inf):
        """Mean (batch, n) and covariance of x₀ given y, and x = x₀ + σ ε where given: precisions add."""
        precision = torch.linalg.inv(self.covariance)
        right = precision @ self.law.mean
        precision = precision + self.rows.T @ torch.diag(self.noise**-2) @ self.rows
        right = right + self.rows.T @ (self.values / self.noise**2)
        if x is not None:
            precision = precision + torch.eye(N).double() / sigma**2
            right = right + x.flatten(1) / sigma**2
        covariance = torch.linalg.inv(precision)
        return right @ covariance, covariance


SMOOTH = Case(torch.logspace(0, -2.5, N).double())
FLAT = Case(torch.full((N,), 0.25).double())


def derived(**options):
    """Moments by derivatives alone, without a share of the Gaussian law's."""
    blended = any(f.name == "blend" for f in fields(Moments))
    return Moments(**options, **({"blend": 0.0} if blended else {}))


# -- D_y, at one noise level -----------------------------------------------------------------------------


@pytest.mark.parametrize("guidance", [Kriging(), Moments(), Moments(iterations=3), Particles()])
@pytest.mark.parametrize("sigma", SIGMAS)
def test_gaussian_posteriors_are_exact_at_every_noise(guidance, sigma):
    x = SMOOTH.law.mean.view(SHAPE) + (1 + sigma) * normal(4, *SHAPE, seed=6)
    found = guidance.begin(SMOOTH.setting).posterior(x, sigma)
    assert torch.allclose(found.flatten(1), SMOOTH.posterior(x, sigma)[0], atol=1e-7 * (1 + sigma))


def test_moments_are_exact_where_the_law_is_another_one():
    """The preconditioner is of a wrong law: conjugate gradients mend it."""
    other = GaussianLaw.isotropic(N, 0.25, SMOOTH.law.mean)
    setting = replace(SMOOTH.setting, law=other)
    x = normal(4, *SHAPE, seed=6)
    guide, wrong = (g.begin(setting) for g in (derived(iterations=20, rtol=1e-12), Kriging()))
    exact = SMOOTH.posterior(x, 0.3)[0]
    assert torch.allclose(guide.posterior(x, 0.3).flatten(1), exact, atol=1e-8)
    assert not torch.allclose(wrong.posterior(x, 0.3).flatten(1), exact, atol=1e-2)


@pytest.mark.parametrize("sigma", SIGMAS)
def test_pigdm_is_exact_for_isotropic_laws(sigma):
    x = (1 + sigma) * normal(4, *SHAPE, seed=6)
    found = PiGDM().begin(FLAT.setting).posterior(x, sigma).flatten(1)
    assert torch.allclose(found, FLAT.posterior(x, sigma)[0], atol=1e-8 * (1 + sigma))
    smooth = PiGDM().begin(SMOOTH.setting).posterior(x, sigma).flatten(1)
    if sigma > 0.1:
        assert not torch.allclose(smooth, SMOOTH.posterior(x, sigma)[0], atol=1e-2)


def test_dds_is_its_minimum():
    x, sigma = normal(4, *SHAPE, seed=6), 0.5
    found = DDS().begin(SMOOTH.setting).posterior(x, sigma).flatten(1)
    clean = SMOOTH.denoise(x, sigma).flatten(1)
    # |y - A v|²/s² + |v - D|²/σ² as one least squares problem
    stacked = torch.cat([SMOOTH.rows / 0.05, torch.eye(N).double() / sigma])
    right = torch.cat([SMOOTH.values.expand(4, M) / 0.05, clean / sigma], dim=1)
    assert torch.allclose(found, torch.linalg.lstsq(stacked, right.T).solution.T, atol=1e-5)


@pytest.mark.parametrize("sigma", [0.3, 2.0])
def test_dps_is_a_step_down_the_gradient(sigma):
    """The gradient of the mean square misfit, by central differences."""
    x, weight, step = normal(2, *SHAPE, seed=6), 3.0, 1e-5

    def objective(image):
        misfit = SMOOTH.values - SMOOTH.denoise(image, sigma).flatten(1) @ SMOOTH.rows.T
        return float(misfit.square().sum() / M / 2)

    gradient = torch.zeros_like(x)
    for place in np.ndindex(*x.shape):
        shift = torch.zeros_like(x)
        shift[place] = step
        gradient[place] = (objective(x + shift) - objective(x - shift)) / (2 * step)
    found = DPS(weight=weight).begin(SMOOTH.setting).posterior(x, sigma)
    assert torch.allclose(found, SMOOTH.denoise(x, sigma) - sigma**2 * weight * gradient, atol=1e-6)


def test_little_noise_is_met_and_no_noise_is_held_up_by_the_floor():
    exact = Case(torch.logspace(0, -2.5, N).double(), noise=0.0)
    x = normal(3, *SHAPE, seed=6)
    for guidance in (Kriging(), Moments(iterations=20), Kriging(floor=1e-6)):
        guide = guidance.begin(exact.setting)
        left = exact.setting.misfit(guide.posterior(x, 0.3))
        assert float(left.abs().max()) < 1e-4
    loose = Kriging(floor=10.0).begin(exact.setting)
    assert torch.allclose(loose.posterior(x, 0.3), exact.denoise(x, 0.3), atol=0.05)


def test_one_sensor_twice_is_no_trouble():
    rows = normal(1, N, seed=3).repeat(3, 1)
    case = Case(torch.logspace(0, -2.5, N).double(), noise=0.0, rows=rows)
    x = normal(3, *SHAPE, seed=6)
    for guidance in (Kriging(floor=1e-9), Moments(floor=1e-9)):
        found = guidance.begin(case.setting).posterior(x, 0.3)
        assert torch.isfinite(found).all() and float(case.setting.misfit(found).abs().max()) < 1e-4


def test_solutions_replace_what_was_denoised():
    setting = replace(SMOOTH.setting, solved=lambda z, sigma: 0 * z if sigma < 0.5 else z)
    guide, x = Kriging().begin(setting), normal(2, *SHAPE)
    assert float(guide.estimate(x, 0.4).abs().max()) == 0
    assert torch.equal(guide.estimate(x, 0.6), guide.posterior(x, 0.6))


# -- samples of the posterior ----------------------------------------------------------------------------

SAMPLES = 4000


def sampled(case, guidance, sampler, count=SAMPLES):
    guide = guidance.begin(case.setting)
    run = sampler.begin((count, *SHAPE), seeded(7), torch.float64)
    while run.index < sampler.steps:
        guide.step(sampler, run)
    return run.x.flatten(1)


@pytest.mark.parametrize(
    "sampler",
    [
        Heun(steps=30, rho=5),
        DPMSolver(steps=60),
        DPMSolver(steps=100, stochastic=True),
        UniPC(steps=40),
        DDIM(steps=200, eta=1.0),
        GaussianExponential(steps=60, filter=lambda x, f: SMOOTH.law.function(x.flatten(1), f).view_as(x)),
    ],
    ids=lambda s: type(s).__name__,
)
def test_samples_are_those_of_the_posterior(sampler):
    found = sampled(SMOOTH, Kriging(), replace(sampler, sigma_min=5e-3))
    mean, covariance = SMOOTH.posterior()
    deviation = covariance.diagonal().sqrt()
    bias = (found.mean(dim=0) - mean) / deviation
    apart = (torch.cov(found.T) - covariance) / torch.outer(deviation, deviation)
    # Four standard errors of each number, and what so few steps leave.
    assert float(bias.abs().max()) < 4 / math.sqrt(SAMPLES) + 0.01
    assert float(apart.abs().max()) < 4 * math.sqrt(2 / SAMPLES) + 0.05


def test_moments_sample_as_kriging_does():
    sampler = DPMSolver(steps=20)
    one, other = (sampled(SMOOTH, g, sampler, 50) for g in (Kriging(), Moments(iterations=20, rtol=1e-10)))
    assert torch.allclose(one, other, atol=1e-6)


def test_particles_know_the_evidence():
    """log p(y) of a Gaussian, in closed form; and the weighted samples are of the posterior."""
    sampler = DPMSolver(steps=300)
    guide = Particles().begin(SMOOTH.setting)
    run = sampler.begin((500, *SHAPE), seeded(1), torch.float64)
    while run.index < sampler.steps:
        guide.step(sampler, run)
    law = torch.distributions.MultivariateNormal(
        SMOOTH.rows @ SMOOTH.law.mean,
        SMOOTH.rows @ SMOOTH.covariance @ SMOOTH.rows.T + torch.diag(SMOOTH.noise**2),
    )
    assert guide.log_evidence == pytest.approx(float(law.log_prob(SMOOTH.values)), abs=0.2)
    mean, covariance = SMOOTH.posterior()
    bias = (run.x.flatten(1).mean(dim=0) - mean) / covariance.diagonal().sqrt()
    assert float(bias.abs().max()) < 0.4
    with pytest.raises(BackendOptionError, match="an estimate of log p"):
        Particles(inner=PiGDM()).begin(SMOOTH.setting)


# -- events ----------------------------------------------------------------------------------------------

WEIGHT, THRESHOLD = normal(N, seed=8), -0.8


def exceeds(z):
    return z.flatten(1) @ WEIGHT - THRESHOLD


def log_probability(x=None, sigma=math.inf):
    """log P(C > 0 | y), and given x = x₀ + σ ε."""
    mean, covariance = SMOOTH.posterior(x, sigma)
    return torch.special.log_ndtr((mean @ WEIGHT - THRESHOLD) / (WEIGHT @ covariance @ WEIGHT).sqrt())


@pytest.mark.parametrize("sigma", [0.1, 1.0, 10.0])
def test_linear_events_are_exact_on_gaussian_priors(sigma):
    x, step = (1 + sigma) * normal(2, *SHAPE, seed=6), 1e-4
    guided, plain, reward = Event(exceeds).begin(SMOOTH.setting).twisted(x, sigma)
    assert torch.allclose(plain.flatten(1), SMOOTH.posterior(x, sigma)[0], atol=1e-6 * (1 + sigma))
    assert torch.allclose(reward, log_probability(x, sigma), rtol=1e-4)
    gradient = torch.zeros_like(x)
    for place in np.ndindex(*SHAPE):
        shift = torch.zeros(SHAPE).double()
        shift[place] = step
        up, down = (log_probability(x + s * shift, sigma) for s in (1, -1))
        gradient[(slice(None), *place)] = (up - down) / (2 * step)
    assert torch.allclose(guided - plain, sigma**2 * gradient, atol=1e-4 * (1 + sigma))


def test_particles_know_the_probability_of_an_event():
    """The probability is 0.022; what is wrong of its logarithm falls with the steps."""
    wrong = []
    for steps in (50, 200):
        sampler = DPMSolver(steps=steps)
        guide = Particles(inner=Event(exceeds)).begin(SMOOTH.setting)
        run = sampler.begin((300, *SHAPE), seeded(2), torch.float64)
        while run.index < sampler.steps:
            guide.step(sampler, run)
        wrong.append(abs(guide.log_evidence - float(log_probability())))
        assert float((exceeds(run.x) > 0).double().mean()) > 0.95
    assert wrong[1] < 0.25 and wrong[1] < 0.5 * wrong[0]


# -- the published rule ----------------------------------------------------------------------------------


def by_hand(case, x, start, end, weight, late=False, residual=None, factor=0.0):
    """x_{i+1} of algorithm 1, with the derivative of the objective by central differences."""

    def heun(image):
        clean = case.denoise(image, start)
        slope = (image - clean) / start
        moved = image + (end - start) * slope
        second = case.denoise(moved, end)
        return image + (end - start) / 2 * (slope + (moved - second) / end), second

    def objective(image):
        misfit = case.values - heun(image)[1].flatten(1) @ case.rows.T
        norms = misfit[:, :2].norm(dim=1) + misfit[:, 2:].norm(dim=1)
        total = weight * (0.1 if late else 1.0) * float(norms.sum())
        if late and residual is not None:
            left = residual(heun(image)[1])
            total += factor * float((left.norm(dim=1) / left.shape[1]).sum())
        return total

    gradient, step = torch.zeros_like(x), 1e-5
    for place in np.ndindex(*x.shape):
        shift = torch.zeros_like(x)
        shift[place] = step
        gradient[place] = (objective(x + shift) - objective(x - shift)) / (2 * step)
    return heun(x)[0] - gradient


def residual(z):
    return z.flatten(1)[:, :4] ** 2 - 1


@pytest.mark.parametrize("late", [False, True])
def test_a_published_step_is_the_one_by_hand(late):
    sampler = Heun(steps=10, sigma_max=5.0, sigma_min=0.1)
    setting = replace(SMOOTH.setting, residual=residual)
    guide = PublishedRule(observation=0.3, residual=0.7).begin(setting)
    run = sampler.begin((2, *SHAPE), seeded(7), torch.float64)
    run.index = 9 if late else 0
    levels = sampler.noise_levels()
    if late:  # the last step but one acts on the residual; the last of all ends at zero
        sampler = replace(sampler, steps=12)
        levels = sampler.noise_levels()
        run.index = 10
    start, end = levels[run.index], levels[run.index + 1]
    expected = by_hand(SMOOTH, run.x.clone(), start, end, 0.3, late, residual, 0.7)
    guide.step(sampler, run)
    assert torch.allclose(run.x, expected, atol=1e-7)


def test_the_published_rule_lowers_the_misfit():
    sampler = Heun(steps=100)

    def misfit(weight):
        found = sampled(SMOOTH, PublishedRule(observation=weight, residual=0.0), sampler, 20)
        return float(SMOOTH.setting.misfit(found.view(20, *SHAPE)).norm(dim=1).mean())

    assert misfit(0.3) < 0.3 * misfit(0.0)


def test_evaluations_of_the_published_rule_are_counted():
    sampler = Heun(steps=6)
    guide = PublishedRule().begin(SMOOTH.setting)
    run = sampler.begin((2, *SHAPE), seeded(7), torch.float64)
    while run.index < 6:
        estimate = guide.step(sampler, run)
    assert run.evaluations == 11 and torch.equal(estimate, run.x)  # 2 N - 1
    assert not run.x.requires_grad


# -- conjugate gradients ---------------------------------------------------------------------------------


def test_conjugate_gradients_solve_definite_systems():
    root = normal(8, 8, seed=1)
    matrix = root @ root.T + 0.1 * torch.eye(8).double()
    right = normal(3, 8, seed=2)
    right[1] = 0
    exact = torch.linalg.solve(matrix, right.T).T
    for precondition in (lambda r: r, lambda r: r / matrix.diagonal()):
        found = conjugate_gradients(lambda w: w @ matrix, right, precondition, 30, 1e-12)
        assert torch.allclose(found, exact, atol=1e-8)
    at_once = conjugate_gradients(
        lambda w: w @ matrix, right, lambda r: torch.linalg.solve(matrix, r.T).T, 1, 0
    )
    assert torch.allclose(at_once, exact, atol=1e-10)


def test_conjugate_gradients_stop_where_the_curvature_fails():
    matrix = torch.diag(torch.tensor([1.0, 2.0, -1.0]).double())
    found = conjugate_gradients(lambda w: w @ matrix, torch.ones(1, 3).double(), lambda r: r, 50, 1e-12)
    assert torch.isfinite(found).all()


def test_rows_that_are_done_wait_for_the_others():
    matrix = torch.diag(torch.logspace(0, 3, 6).double())
    right = torch.zeros(2, 6, dtype=torch.float64)
    right[0, 0], right[1] = 1.0, 1.0
    found = conjugate_gradients(lambda w: w @ matrix, right, lambda r: r, 60, 1e-10)
    assert torch.allclose(found, right / matrix.diagonal(), atol=1e-9)
