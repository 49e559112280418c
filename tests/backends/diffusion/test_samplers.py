"""Samplers of diffusion, on Gaussian data, for which the denoiser and the flow are exact."""

import copy
import math
from dataclasses import fields, replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from gaussian import Gaussian, discrete_law
from hypothesis import given
from hypothesis import strategies as st

from pdesolve.backends.base import BackendOptionError
from pdesolve.backends.diffusion.samplers import (
    DDIM,
    DEIS,
    SAMPLERS,
    DPMSolver,
    FlowMatching,
    GaussianExponential,
    Heun,
    PredictorCorrector,
    StochasticInterpolant,
    Trajectory,
    UniPC,
    denoiser_from_velocity,
    flow_time,
    noise_level,
    proceed,
    sample,
    velocity_from_denoiser,
)
from pdesolve.backends.diffusion.samplers.unipc import _tail
from pdesolve.checkpoint import pack, unpack

DATA = Gaussian(np.logspace(-3, 0, 7), mean=0.3)
WRONG = Gaussian(3 * np.logspace(-3, 0, 7)).filter  # of a covariance that the data do not have
SHAPE = (5, 1, 7)
EXPONENTIAL = GaussianExponential(filter=WRONG)
DETERMINISTIC = [
    Heun(),
    DDIM(),
    DPMSolver(),
    DPMSolver(order=3),
    DEIS(),
    DEIS(order=3),
    UniPC(),
    UniPC(order=3),
    EXPONENTIAL,
    FlowMatching(),
    FlowMatching(order=1, shift=3.0),
]
STOCHASTIC = [
    Heun(churn=20.0),
    DDIM(eta=1.0),
    DDIM(eta=0.5),
    DPMSolver(order=1, stochastic=True),
    DPMSolver(stochastic=True),
    StochasticInterpolant(),
    StochasticInterpolant(noise=0.3, shift=0.2),
    PredictorCorrector(),
    PredictorCorrector(DDIM(), delta=0.02, corrections=2),
    PredictorCorrector(UniPC()),
]
ALL = DETERMINISTIC + STOCHASTIC


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def longer(sampler, **changes):
    """The sampler, or the one inside, with other options."""
    if isinstance(sampler, PredictorCorrector):
        return replace(sampler, sampler=replace(sampler.sampler, **changes))
    return replace(sampler, **changes)


def even(high, low, n):
    """n + 1 levels, even in ln σ."""
    return [high * (low / high) ** (i / n) for i in range(n + 1)]


def run(sampler, data, x, levels):
    return proceed(sampler, Trajectory(x, 0, 0, seeded()), data.denoise, levels)


# -- the equation ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sampler", "order"),
    [
        (Heun(), 2),
        (DDIM(), 1),
        (DPMSolver(order=1), 1),
        (DPMSolver(), 2),
        (DPMSolver(order=3), 3),
        (DEIS(order=1), 1),
        (DEIS(), 2),
        (DEIS(order=3), 3),
        (UniPC(order=1), 2),
        (UniPC(), 3),
        (UniPC(order=3), 4),
        (GaussianExponential(order=1, filter=WRONG), 1),
        (EXPONENTIAL, 2),
        (FlowMatching(order=1), 1),
        (FlowMatching(), 2),
        (StochasticInterpolant(noise=0.0), 1),
    ],
)
def test_observed_order(sampler, order):
    """The slope of the error over a doubling of the steps; UniPC's corrector adds one order to p.

    From σ = 80, where D hardly varies: begun at σ of the data's size, order 3 would suffer from the first
    steps, which are of lower order.
    """
    x = DATA.start(8, 80.0)
    exact = DATA.flow(x, 80.0, 0.05)
    coarse, fine = ((run(sampler, DATA, x, even(80.0, 0.05, n)) - exact).norm() for n in (80, 160))
    assert math.log2(coarse / fine) == pytest.approx(order, abs=0.25)


@pytest.mark.parametrize(
    ("sampler", "error"),
    [
        (DPMSolver(), 1.5e-3),
        (DEIS(), 5e-3),
        (UniPC(order=1), 2.5e-3),
        (UniPC(), 2e-4),
        (UniPC(order=3), 2e-5),
    ],
)
def test_error_of_forty_evaluations(sampler, error):
    """Of the published methods against each other: σ from 5 to 0.05 in 40 even steps."""
    x = DATA.start(8, 5.0)
    exact = DATA.flow(x, 5.0, 0.05)
    got = (run(sampler, DATA, x, even(5.0, 0.05, 40)) - exact).norm() / exact.norm()
    assert error / 8 < got < error


@pytest.mark.parametrize(("dtype", "error"), [(torch.float64, 1e-12), (torch.float32, 1e-4)])
def test_exponential_is_exact_in_one_step(dtype, error):
    """Over all noise levels at once, whatever the mean, and whatever the scale of the data."""
    data = Gaussian(np.logspace(-6, 3, 10), mean=2.0)
    x = data.start(8, 80.0).to(dtype)
    data.modes, data.mean, data.variances = (
        data.modes.to(dtype),
        data.mean.to(dtype),
        data.variances.to(dtype),
    )
    got = run(GaussianExponential(filter=data.filter), data, x, [80.0, 0.002])
    exact = data.flow(x, 80.0, 0.002)
    assert got.dtype == dtype
    assert (got - exact).norm() < error * exact.norm()


def test_exponential_without_variance_is_dpm_solver():
    x, levels = DATA.start(8, 5.0), even(5.0, 0.05, 12)
    zero = GaussianExponential(filter=lambda x, f: DATA.filter(x, lambda c: f(0 * c)))
    torch.testing.assert_close(run(zero, DATA, x, levels), run(DPMSolver(), DATA, x, levels))


def test_exponential_needs_a_covariance():
    with pytest.raises(BackendOptionError, match="covariance of the prior"):
        sample(GaussianExponential(), DATA.denoise, SHAPE, seeded())
    with pytest.raises(BackendOptionError, match="covariance of the prior"):
        PredictorCorrector(GaussianExponential()).begin(SHAPE, seeded())
    ready = GaussianExponential(steps=3).with_filter(DATA.filter)
    assert ready.steps == 3
    assert sample(ready, DATA.denoise, SHAPE, seeded(), torch.float64).isfinite().all()


@pytest.mark.parametrize(
    "sampler",
    [DPMSolver(order=1), DEIS(order=1), FlowMatching(order=1), StochasticInterpolant(noise=0.0)],
)
def test_first_order_methods_are_one(sampler):
    x, levels = DATA.start(8, 5.0), even(5.0, 0.05, 12)
    torch.testing.assert_close(run(sampler, DATA, x, levels), run(DDIM(), DATA, x, levels))


def test_interpolant_holds_the_reverse_equation():
    x, levels = DATA.start(8, 5.0), even(5.0, 0.05, 12)
    reverse = run(DPMSolver(order=1, stochastic=True), DATA, x, levels)
    torch.testing.assert_close(run(StochasticInterpolant(noise=1.0), DATA, x, levels), reverse)


@pytest.mark.parametrize("k", [1, 2, 3])
def test_both_forms_of_the_tail_agree(k):
    assert _tail(-1.0 - 1e-12, k) == pytest.approx(_tail(-1.0 + 1e-12, k), rel=1e-11)


# -- the law ---------------------------------------------------------------------------------------


def assert_law(x, mean, covariance):
    """Mean and covariance within five standard deviations of Monte Carlo, after whitening."""
    n = len(x)
    root = torch.linalg.cholesky(covariance)
    white = torch.linalg.solve_triangular(root, (x[:, 0] - mean).T, upper=False)  # (d, n)
    assert white.mean(dim=1).abs().max() < 5 / math.sqrt(n)
    error = (white @ white.T / n - torch.eye(len(mean), dtype=x.dtype)).abs()
    assert error.diagonal().max() < 5 * math.sqrt(2 / n)
    assert (error - error.diagonal().diag()).max() < 5 / math.sqrt(n)


@pytest.mark.parametrize("sampler", ALL)
def test_samples_have_the_law_of_the_method(sampler):
    """In few steps, hence not the law of the data; it tests that the noise is normal and independent."""
    sampler = longer(sampler, steps=30)
    levels = sampler.noise_levels()
    mean, variances = discrete_law(sampler, DATA, levels)
    x = DATA.start(4000, 80.0) - DATA.mean
    got = proceed(sampler, Trajectory(x, 0, 0, seeded(7)), DATA.denoise, levels)
    assert_law(got, mean, DATA.modes * variances @ DATA.modes.T)


@pytest.mark.parametrize(
    "sampler", [Heun(), DPMSolver(order=3), UniPC(), EXPONENTIAL, DPMSolver(stochastic=True)]
)
def test_samples_have_the_law_of_the_data(sampler):
    x = sample(longer(sampler, steps=60), DATA.denoise, (4000, 1, 7), seeded(), torch.float64)
    assert_law(x, DATA.mean, DATA.covariance)


@pytest.mark.parametrize(
    ("sampler", "order", "error"),
    [
        (Heun(churn=20.0), 2, 0.02),
        (DDIM(eta=1.0), 1, 0.1),
        (DDIM(eta=0.5), 1, 0.1),
        (DPMSolver(order=1, stochastic=True), 1, 0.1),
        (DPMSolver(stochastic=True), 2, 0.02),
        (StochasticInterpolant(), 1, 0.1),
        (StochasticInterpolant(noise=0.3), 1, 0.1),
    ],
)
def test_law_converges_to_that_of_the_data(sampler, order, error):
    """The variance at σ = 0.05, of every mode over four decades of c; and the mean."""
    errors = []
    for n in (100, 200):
        mean, variances = discrete_law(sampler, DATA, even(80.0, 0.05, n))
        errors.append((variances / (DATA.variances + 0.05**2) - 1.0).abs().max().item())
    assert errors[1] < error
    assert math.log2(errors[0] / errors[1]) == pytest.approx(order, abs=0.3)
    torch.testing.assert_close(mean, DATA.mean, rtol=0, atol=0.01)


@pytest.mark.parametrize(
    "sampler", [sampler for sampler in STOCHASTIC if isinstance(sampler, PredictorCorrector)]
)
def test_law_of_predictor_corrector(sampler):
    """Up to the error of Langevin steps, which is no more than δ/2."""
    mean, variances = discrete_law(sampler, DATA, even(80.0, 0.05, 300))
    error = variances / (DATA.variances + 0.05**2) - 1.0
    assert error.abs().max() < sampler.delta / 2 + 0.005
    torch.testing.assert_close(mean, DATA.mean, rtol=0, atol=1e-4)


@pytest.mark.parametrize("sampler", [DPMSolver(stochastic=True), DDIM(eta=1.0), Heun(churn=40.0)])
def test_noise_makes_runs_from_one_start_differ(sampler):
    x = DATA.start(1, 80.0).expand(200, -1, -1)
    got = run(sampler, DATA, x, even(80.0, 0.5, 50))
    assert got.std(dim=0).min() > 0.1


def test_langevin_steps_keep_their_own_law():
    """V/(1 - δ σ²/(2 V)) with V = c + σ², as its docstring says."""
    data, delta = Gaussian([0.01, 1.0]), 0.4
    sampler = PredictorCorrector(DDIM(), delta=delta, corrections=60)
    x = run(sampler, data, data.start(20000, 1.001), [1.001, 1.0])
    total = data.variances + 1.0
    law = data.modes * (total / (1 - delta / (2 * total))) @ data.modes.T
    assert_law(x, data.mean, law)


# -- flows -----------------------------------------------------------------------------------------


def velocity(state, t):
    """E[ε - x₀ | x_t], from the joint Gaussian law of both."""
    drift = DATA.filter(state - (1 - t) * DATA.mean, lambda c: (t - (1 - t) * c) / ((1 - t) ** 2 * c + t**2))
    return drift - DATA.mean


@pytest.mark.parametrize("sigma", [80.0, 1.0, 0.01])
def test_velocity_and_denoiser_are_one(sigma):
    x, t = DATA.start(4, sigma), flow_time(sigma)
    assert noise_level(t) == pytest.approx(sigma)
    torch.testing.assert_close(denoiser_from_velocity(velocity)(x, sigma), DATA.denoise(x, sigma))
    state = x / (1 + sigma)
    torch.testing.assert_close(velocity_from_denoiser(DATA.denoise)(state, t), velocity(state, t))


@pytest.mark.parametrize("sampler", ALL)
def test_velocity_serves_every_sampler(sampler):
    sampler = longer(sampler, steps=6)
    expected = sample(sampler, DATA.denoise, SHAPE, seeded(), torch.float64)
    got = sample(sampler, denoiser_from_velocity(velocity), SHAPE, seeded(), torch.float64)
    torch.testing.assert_close(got, expected)


def test_levels_of_flows_are_even_in_time():
    levels = FlowMatching(steps=11, shift=2.0).noise_levels()
    times = [flow_time(sigma / 2.0) for sigma in levels[:-1]]
    np.testing.assert_allclose(np.diff(times), (times[-1] - times[0]) / 10)
    assert levels[0] == 80.0 and levels[-2:] == [0.002, 0.0]


# -- the run ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("sampler", ALL)
def test_evaluations_and_estimates(sampler):
    """The last step returns x itself, which is D; the count is what the sampler announces."""
    sampler = longer(sampler, steps=6)
    seen = []

    def denoise(x, sigma):
        seen.append(sigma)
        return DATA.denoise(x, sigma).requires_grad_()

    run = sampler.begin(SHAPE, seeded(), torch.float64)
    assert run.x.std() == pytest.approx(80.0, rel=0.5)
    for index in range(6):
        estimate = sampler.step(run, denoise)
        assert run.index == index + 1 and estimate.shape == SHAPE
        assert not run.x.requires_grad and not estimate.requires_grad
    per_step = sampler.evaluations_per_step
    assert run.evaluations == len(seen) == 5 * per_step + 1
    assert min(seen) > 0
    torch.testing.assert_close(run.x, estimate, rtol=0, atol=0)
    with pytest.raises(ValueError, match="all 6 steps"):
        sampler.step(run, denoise)


@pytest.mark.parametrize("sampler", ALL)
def test_one_seed_gives_the_same_bits(sampler):
    sampler = longer(sampler, steps=7)
    first, second, other = (sample(sampler, DATA.denoise, SHAPE, seeded(k), torch.float64) for k in (1, 1, 2))
    assert torch.equal(first, second)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("sampler", ALL)
def test_resumed_run_equals_the_uninterrupted_one(sampler):
    sampler = longer(sampler, steps=9)
    run = sampler.begin(SHAPE, seeded(), torch.float64)
    for _ in range(5):
        sampler.step(run, DATA.denoise)
    copied = copy.deepcopy(run)
    packed = pack(run)
    expected = proceed(sampler, run, DATA.denoise)
    assert torch.equal(proceed(sampler, copied, DATA.denoise), expected)
    read = unpack(packed, sampler.begin(SHAPE, seeded(), torch.float64))
    assert read.index == 5 and torch.equal(proceed(sampler, read, DATA.denoise), expected)
    assert read.evaluations == run.evaluations == copied.evaluations


def test_one_step_is_the_denoiser():
    got = sample(Heun(steps=1), DATA.denoise, SHAPE, seeded(), torch.float64)
    start = Heun(steps=1).begin(SHAPE, seeded(), torch.float64).x
    torch.testing.assert_close(got, DATA.denoise(start, 80.0))


def test_predictor_corrector_without_corrections_is_its_sampler():
    sampler = UniPC(steps=8)
    got = sample(PredictorCorrector(sampler, corrections=0), DATA.denoise, SHAPE, seeded(), torch.float64)
    assert torch.equal(got, sample(sampler, DATA.denoise, SHAPE, seeded(), torch.float64))


# -- options ---------------------------------------------------------------------------------------


@given(
    kind=st.sampled_from([Heun, FlowMatching]),
    steps=st.integers(1, 300),
    low=st.floats(-6, 3),
    decades=st.floats(0.01, 9),
    rho=st.floats(1, 50),
)
def test_levels_decrease_from_first_to_zero(kind, steps, low, decades, rho):
    sampler = kind(steps=steps, sigma_min=10**low, sigma_max=10 ** (low + decades), rho=rho)
    levels = sampler.noise_levels()
    assert len(levels) == steps + 1
    assert levels[0] == sampler.sigma_max and levels[-1] == 0.0
    assert all(high > lower for high, lower in pairwise(levels))
    assert steps == 1 or levels[-2] == sampler.sigma_min


def test_levels_are_those_of_the_paper():
    levels = Heun(steps=18).noise_levels()
    i = np.arange(18)
    expected = (80 ** (1 / 7) + i / 17 * (0.002 ** (1 / 7) - 80 ** (1 / 7))) ** 7
    np.testing.assert_allclose(levels[:-1], expected)


@pytest.mark.parametrize(
    ("kind", "options", "words"),
    [
        (Heun, {"steps": 0}, "Heun(steps=)"),
        (Heun, {"steps": 2.0}, "whole number"),
        (Heun, {"sigma_min": 90.0}, "less than sigma_max=80.0"),
        (Heun, {"sigma_max": math.inf}, "finite number"),
        (Heun, {"rho": 0.5}, "Heun(rho=)"),
        (Heun, {"sigma_min": 1.0, "sigma_max": 1.0 + 1e-15, "steps": 50}, "round-off"),
        (Heun, {"churn": -1.0}, "Heun(churn=)"),
        (Heun, {"churn_min": 60.0}, "at most churn_max=50.0"),
        (Heun, {"churn_noise": 0.0}, "churn_noise"),
        (DDIM, {"eta": 1.5}, "DDIM(eta=)"),
        (DDIM, {"eta": True}, "DDIM(eta=)"),
        (DPMSolver, {"order": 4}, "at most 3"),
        (DPMSolver, {"order": 3, "stochastic": True}, "at most 2 in the stochastic form"),
        (DPMSolver, {"stochastic": 1}, "True or False"),
        (DEIS, {"order": 0}, "DEIS(order=)"),
        (DEIS, {"order": 4}, "at most 3"),
        (UniPC, {"order": 4}, "at most 3"),
        (GaussianExponential, {"order": 3}, "at most 2"),
        (GaussianExponential, {"filter": 3.0}, "(x, f) -> f(C) x"),
        (FlowMatching, {"order": 3}, "at most 2"),
        (FlowMatching, {"shift": 0.0}, "FlowMatching(shift=)"),
        (StochasticInterpolant, {"noise": -0.1}, "StochasticInterpolant(noise=)"),
        (PredictorCorrector, {"delta": 1.0}, "PredictorCorrector(delta=)"),
        (PredictorCorrector, {"corrections": -1}, "PredictorCorrector(corrections=)"),
        (PredictorCorrector, {"sampler": "heun"}, "PredictorCorrector(sampler=)"),
        (PredictorCorrector, {"sampler": PredictorCorrector()}, "other than PredictorCorrector"),
    ],
)
def test_bad_options_are_refused(kind, options, words):
    with pytest.raises(BackendOptionError) as refused:
        kind(**options)
    assert words in str(refused.value)


def test_registry():
    """Every sampler is made by its name alone, and explains each of its options."""
    assert len(SAMPLERS) == 9
    for name, kind in SAMPLERS.items():
        made = kind()
        assert made.name == name and made.steps == 20
        text = "".join(base.__doc__ or "" for base in kind.__mro__)
        assert all(f"        {f.name}: " in text for f in fields(kind) if f.init), name
