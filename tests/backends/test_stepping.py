"""Learned time steppers: schemes, labels, symmetries, training."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from torch import nn

import pdesolve as pde
from pdesolve.backends.base import BackendOptionError, Context
from pdesolve.backends.card import CardError
from pdesolve.backends.learner import TrainingDataError
from pdesolve.backends.operators.stepping import (
    ClassicalStep,
    Stepper,
    StepperError,
    SteppingTask,
    SteppingTraining,
    TrainedStepper,
    differences,
    load_stepper,
    rates,
)
from pdesolve.backends.operators.stepping.labels import StencilError
from pdesolve.backends.operators.stepping.schemes import SCHEMES
from pdesolve.backends.operators.stepping.stepper import Statistics
from pdesolve.backends.operators.stepping.steps import rollout
from pdesolve.data.dataset import Dataset
from pdesolve.problems.burgers_random import burgers_random
from pdesolve.problems.kuramoto_sivashinsky_random import kuramoto_sivashinsky_random
from pdesolve.residual.fourier.evolution import Evolution
from pdesolve.residual.fourier.semilinear import Semilinear
from pdesolve.steppers import train_stepper

LENGTH, POINTS = 32.0, 48
SMALL = {"modes": 8, "width": 8, "layers": 2, "projection": 16, "learning_rate": 1e-2}


@pytest.fixture(scope="module")
def family():
    return kuramoto_sivashinsky_random(L=LENGTH, T=20)


@pytest.fixture(scope="module")
def evolution(family):
    return Evolution(family.typical)


@pytest.fixture(scope="module")
def states(evolution):
    """Eight states on the attractor, (8, 1, POINTS)."""
    x = LENGTH * torch.arange(POINTS, dtype=torch.float64) / POINTS
    phases = torch.arange(8, dtype=torch.float64)[:, None]
    start = torch.cos(2 * np.pi * x / LENGTH + phases) + 0.3 * torch.sin(4 * np.pi * x / LENGTH - 2 * phases)
    return ClassicalStep(evolution, 40.0, POINTS, substeps=160)(start[:, None])


@pytest.fixture(scope="module")
def data(evolution, states):
    """Trajectories as `generate` makes them, with a spacing of 0.25."""
    values = rollout(ClassicalStep(evolution, 0.25, POINTS, substeps=2), states, 20).numpy()
    x = LENGTH * np.arange(POINTS) / POINTS
    return Dataset(values, ("u",), (x,), 0.25 * np.arange(21), {"u0": values[:, 0, 0]})


def stepper(evolution, scheme, network=None, interval=0.25, **options):
    chosen = Stepper(scheme=scheme, precision="float64", **{**SMALL, **options})
    if network is None:
        network = chosen.network(evolution, torch.Generator().manual_seed(0))
    return TrainedStepper(chosen, evolution, network, Statistics((1.0,), (1.0,)), interval, POINTS)


def random_network(evolution):
    """One whose output is not zero."""
    network = Stepper(precision="float64", **SMALL).network(evolution, torch.Generator().manual_seed(1))
    nn.init.normal_(network.last, std=0.1, generator=torch.Generator().manual_seed(2))
    return network


class Given(nn.Module):
    """A function in place of a network."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, fields):
        return self.function(fields)


def spectral(fields, order):
    """∂_x^order by NumPy."""
    spectrum = np.fft.rfft(fields.numpy())
    k = 2 * np.pi / LENGTH * np.arange(spectrum.shape[-1])
    return torch.from_numpy(np.fft.irfft((1j * k) ** order * spectrum, fields.shape[-1]))


def wavenumbers():
    return 2 * np.pi / LENGTH * np.arange(POINTS // 2 + 1)


# -- what schemes are without a network -----------------------------------------------------------------


def test_correction_starts_as_the_classical_scheme(evolution, states):
    found = stepper(evolution, "correction", substeps=2)(states)
    torch.testing.assert_close(found, ClassicalStep(evolution, 0.25, POINTS, 2)(states))


def test_increment_and_rates_start_at_rest(evolution, states):
    projected = ClassicalStep(evolution, 1.0, POINTS).system
    kept = projected.fields(projected.state(states))
    for scheme in ("increment", "rate"):
        torch.testing.assert_close(stepper(evolution, scheme)(states), kept)
    assert float(stepper(evolution, "state")(states).detach().abs().max()) < 1e-14  # the mean alone is kept


@pytest.mark.parametrize("scheme", ["exponential", "semilinear"])
def test_split_schemes_start_as_the_linear_flow(evolution, scheme):
    x = LENGTH * torch.arange(POINTS, dtype=torch.float64) / POINTS
    k = 2 * np.pi * 3 / LENGTH
    found = stepper(evolution, scheme)(torch.cos(k * x)[None, None])
    torch.testing.assert_close(found[0, 0], np.exp(0.25 * (k**2 - k**4)) * torch.cos(k * x))


# -- what they are with an exact one ---------------------------------------------------------------------


def test_exponential_is_exact_for_a_constant_forcing(evolution, states):
    x = LENGTH * torch.arange(POINTS, dtype=torch.float64) / POINTS
    force = torch.cos(2 * np.pi * 2 * x / LENGTH)
    start = states[:1] * 0 + torch.sin(2 * np.pi * x / LENGTH)
    found = stepper(evolution, "exponential", Given(lambda u: force.expand_as(u)), 0.7)(start)
    k1, k2 = wavenumbers()[1:3]
    l1, l2 = k1**2 - k1**4, k2**2 - k2**4
    expected = np.exp(0.7 * l1) * start[0, 0] + np.expm1(0.7 * l2) / l2 * force
    torch.testing.assert_close(found[0, 0], expected)


def test_semilinear_with_the_exact_term_is_etdrk4(evolution, states):
    exact = Given(lambda u: -0.5 * spectral(u**2, 1))
    found = stepper(evolution, "semilinear", exact, substeps=3)(states)
    torch.testing.assert_close(found, ClassicalStep(evolution, 0.25, POINTS, 3)(states))


def test_rate_with_the_exact_rate_converges_to_the_flow(evolution, states):
    def exact(u):
        return -0.5 * spectral(u**2, 1) - spectral(u, 2) - spectral(u, 4)

    reference = ClassicalStep(evolution, 0.25, POINTS, substeps=128)(states)
    errors = [
        float((stepper(evolution, "rate", Given(exact), substeps=n)(states) - reference).abs().max())
        for n in (32, 64)
    ]
    assert errors[1] < 1e-5
    assert 10 < errors[0] / errors[1] < 25  # of order four


# -- labels -----------------------------------------------------------------------------------------------


def test_rates_are_the_slopes_of_a_fine_trajectory(evolution, states):
    system = Semilinear(evolution, POINTS)
    step = ClassicalStep(evolution, 1e-3, POINTS)
    frames = rollout(step, system.fields(system.state(states)), 4)
    slope = (8 * (frames[:, 3] - frames[:, 1]) - (frames[:, 4] - frames[:, 0])) / (12 * 1e-3)
    found = system.fields(rates(system, system.state(frames[:, 2]), linear=True))
    torch.testing.assert_close(found, slope, rtol=1e-7, atol=1e-8)
    split = system.fields(rates(system, system.state(frames[:, 2]), linear=False))
    linear = -spectral(frames[:, 2], 2) - spectral(frames[:, 2], 4)
    torch.testing.assert_close(split + linear, slope, rtol=1e-6, atol=1e-7)


def test_differences_are_of_fourth_order():
    errors = []
    for spacing in (0.1, 0.05):
        t = spacing * torch.arange(9, dtype=torch.float64)
        found = differences(torch.sin(t)[None, :, None], spacing)[0, :, 0]
        errors.append(float((found - torch.cos(t[2:-2])).abs().max()))
    assert 14 < errors[0] / errors[1] < 18
    with pytest.raises(StencilError, match="more than 4 frames"):
        differences(torch.zeros(1, 4, 1), 0.1)


# -- symmetries --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", SCHEMES)
def test_mean_is_conserved_and_frames_are_equivalent(evolution, states, scheme):
    step = stepper(evolution, scheme, random_network(evolution))
    still = states - states.mean(dim=-1, keepdim=True)
    with torch.no_grad():
        moved, rest = step(still + 0.8), step(still)
    torch.testing.assert_close(moved.mean(dim=-1), torch.full((8, 1), 0.8, dtype=torch.float64))
    # u(x, t) solves with c + u(x - c t, t): a shift by c h, here by NumPy
    shifted = np.fft.irfft(np.exp(-1j * wavenumbers() * 0.8 * 0.25) * np.fft.rfft(rest.numpy()), POINTS)
    torch.testing.assert_close(moved - 0.8, torch.from_numpy(shifted))


def test_translations_commute(evolution, states):
    step = stepper(evolution, "exponential", random_network(evolution))
    with torch.no_grad():
        torch.testing.assert_close(step(states.roll(5, -1)), step(states).roll(5, -1))


# -- grids and dimensions ------------------------------------------------------------------------------------


def test_fields_keep_their_grid(evolution, states):
    coarse = ClassicalStep(evolution, 0.25, 24)
    assert coarse(states).shape == states.shape
    assert stepper(evolution, "increment")(states[..., ::1]).dtype == torch.float64


def test_two_dimensions():
    evolution = Evolution(pde.catalogue("burgers-2d"))
    fields = torch.randn(2, evolution.dynamic, 16, 16, generator=torch.Generator().manual_seed(0))
    options = Stepper(scheme="correction", **SMALL)
    network = options.network(evolution, torch.Generator().manual_seed(0))
    ones = (1.0,) * evolution.dynamic
    step = TrainedStepper(options, evolution, network, Statistics(ones, ones), 0.01, 16)
    expected = ClassicalStep(evolution, 0.01, 16, dtype=torch.float32)(fields)
    torch.testing.assert_close(step(fields), expected)
    with pytest.raises(StepperError, match="with 2 axes in space"):
        step(fields[..., 0])


# -- training ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        {"scheme": "increment"},
        {"scheme": "correction", "points": 24, "rollout": 2},
        {"scheme": "rate", "labels": "differences", "substeps": 4},
        {"scheme": "semilinear", "noise": 0.01},
    ],
    ids=lambda options: options["scheme"],
)
def test_training_lowers_the_loss(family, data, tmp_path, options):
    out = tmp_path / "s.safetensors"
    made = train_stepper(family, Stepper(**{**SMALL, **options}), data, out, steps=60, progress=False)
    assert made.known["loss"] < 0.8  # 1 is what the scheme has without a network
    fields = torch.from_numpy(data.values[:, 0])
    again = load_stepper(out, family)
    assert again.known == made.known
    with torch.no_grad():
        assert torch.equal(again(fields), made(fields))


@pytest.mark.parametrize("scheme", ["increment", "rate", "semilinear"])
@pytest.mark.parametrize("labels", ["symbols", "differences"])
def test_moving_frames_teach_the_same(family, data, scheme, labels):
    """Trajectories c + u(x - c t, t) give the network what u gives it."""
    phase = np.exp(-1j * wavenumbers()[None] * 0.7 * data.times[:, None])
    moving = np.fft.irfft(phase[:, None] * np.fft.rfft(data.values), POINTS) + 0.7
    found = []
    for values in (data.values, moving):
        given = dataclasses.replace(data, values=values)
        training = SteppingTraining(Stepper(scheme=scheme, labels=labels, precision="float64", **SMALL))
        state = training.start(SteppingTask(family, *given.split(6)), Context(steps=1))
        found.append((state.learning.frames, state.learning.defect))
    torch.testing.assert_close(found[1][0].states, found[0][0].states)
    torch.testing.assert_close(found[1][1], found[0][1], rtol=1e-6, atol=0)
    if scheme != "increment":
        torch.testing.assert_close(found[1][0].labels, found[0][0].labels, rtol=1e-6, atol=1e-8)


def test_training_can_be_repeated(family, data, tmp_path):
    options = Stepper(scheme="increment", noise=0.01, **SMALL)
    made = [
        train_stepper(family, options, data, tmp_path / "s", steps=5, seed=seed, progress=False)
        for seed in (1, 1, 2)
    ]
    with torch.no_grad():
        first, again, other = (step(torch.from_numpy(data.values[:, 0])) for step in made)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_rates_serve_other_intervals(family, data, tmp_path):
    options = Stepper(scheme="semilinear", **SMALL)
    made = train_stepper(family, options, data, tmp_path / "s", steps=30, progress=False)
    fields = torch.from_numpy(data.values[:, 0])
    with torch.no_grad():
        half = made.over(0.125)
        torch.testing.assert_close(half(half(fields)), made.over(0.25, 2)(fields), rtol=1e-4, atol=1e-5)
    fixed = dataclasses.replace(made, options=dataclasses.replace(options, scheme="exponential"))
    with pytest.raises(StepperError, match=r"trained for an interval of 0\.25"):
        fixed.over(0.125)


def test_refusals(family, data, tmp_path):
    with pytest.raises(BackendOptionError, match=r"Stepper\(scheme=\)"):
        Stepper(scheme="leapfrog")
    with pytest.raises(BackendOptionError, match="rates are no states"):
        Stepper(scheme="rate", rollout=2)
    with pytest.raises(TrainingDataError, match=r"multiple of the spacing of the data, 0\.25"):
        train_stepper(family, Stepper(interval=0.3), data, tmp_path / "s", steps=1, progress=False)
    with pytest.raises(TrainingDataError, match="frames after the burn-in"):
        train_stepper(family, Stepper(burn_in=5.0), data, tmp_path / "s", steps=1, progress=False)
    with pytest.raises(TrainingDataError, match="data of v"):
        other = dataclasses.replace(data, names=("v",))
        train_stepper(family, Stepper(), other, tmp_path / "s", steps=1, progress=False)
    made = train_stepper(family, Stepper(**SMALL), data, tmp_path / "s", steps=1, progress=False)
    assert made.interval == 0.25
    with pytest.raises(CardError, match="of another declaration"):
        load_stepper(tmp_path / "s", burgers_random())
