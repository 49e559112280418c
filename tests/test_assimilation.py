"""Assimilation: observations, the Kalman analysis against its closed form, nudging, learned gains."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from pdesolve.assimilation import (
    AssimilationTask,
    EnsembleKalman,
    LearnedGain,
    Nudging,
    ObservationError,
    OpenLoop,
    assimilate,
    observe_every,
    observe_points,
    train_gain,
)
from pdesolve.assimilation.cycle import Assimilation
from pdesolve.assimilation.errors import FilterDivergenceError, FilterOptionError
from pdesolve.assimilation.kalman import gaspari_cohn
from pdesolve.backends.operators.stepping import ClassicalStep, Stepper, TrainedStepper
from pdesolve.backends.operators.stepping.stepper import Statistics
from pdesolve.problems.kuramoto_sivashinsky_random import kuramoto_sivashinsky_random
from pdesolve.residual.fourier.evolution import Evolution

N = 24
LINE = (np.arange(N) / N,)
SMALL = LearnedGain(memory=2, window=2, streams=4, life=8, modes=6, width=8, layers=2, projection=8)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def randn(*shape, seed=0):
    return torch.randn(*shape, generator=generator(seed), dtype=torch.float64)


def smooth(count, seed=0):
    """Random fields of a few waves, (count, 1, N)."""
    x = torch.from_numpy(LINE[0])
    waves = torch.stack([f(2 * np.pi * k * x) / k for k in (1, 2, 3) for f in (torch.sin, torch.cos)])
    return (randn(count, 6, seed=seed) @ waves)[:, None]


class Linear:
    """Fields move by a matrix."""

    interval = 0.5

    def __init__(self, matrix):
        self.matrix = matrix

    def __call__(self, values, t=0.0):
        return values @ self.matrix.to(values).T


def shift():
    """Advection by a grid cell, which a filter must follow; a little damped."""
    return Linear(0.99 * torch.eye(N, dtype=torch.float64).roll(1, 0))


# -- observations ---------------------------------------------------------------------------------------


def test_observations_on_the_grid_pick_values():
    fields = randn(3, 2, N)
    seen = observe_every(LINE, [1.0], 5, 0.1, component=1)
    assert seen.count == 5
    torch.testing.assert_close(seen(fields), fields[:, 1, ::5])


@pytest.mark.parametrize("n", [16, 17])
def test_observations_between_points_interpolate_waves(n):
    x, y = np.arange(n) / n, 2 * np.arange(n) / n
    places = np.array([[0.123, 1.9], [0.5, 0.777]])
    grids = np.meshgrid(x, y, indexing="ij")

    def wave(a, b):
        return np.sin(2 * np.pi * 3 * a) * np.cos(np.pi * 2 * b) + np.cos(np.pi * b)

    seen = observe_points((x, y), (1.0, 2.0), places, 0.1)
    fields = torch.from_numpy(wave(*grids))[None, None]
    torch.testing.assert_close(seen(fields)[0], torch.from_numpy(wave(*places.T)))


def test_adjoint_noise_and_distances():
    seen = observe_points(LINE, [1.0], np.array([[0.01], [0.9]]), 0.3)
    fields, values = randn(1, 1, N), randn(1, 2, seed=1)
    left = (seen(fields) * values).sum()
    torch.testing.assert_close(left, (fields * seen.adjoint(values, (N,))).sum())
    noise = seen.draw(fields.expand(20_000, 1, N), generator()) - seen(fields)
    torch.testing.assert_close(noise.std(), torch.tensor(0.3, dtype=torch.float64), rtol=0.02, atol=0)
    assert float(seen.distances()[0, 1]) == pytest.approx(0.1)  # around the circle


def test_observation_refusals():
    with pytest.raises(ObservationError, match="positive standard deviation"):
        observe_every(LINE, [1.0], 4, 0.0)
    with pytest.raises(ObservationError, match=r"shape \(n, 1\)"):
        observe_points(LINE, [1.0], np.zeros(3), 0.1)
    with pytest.raises(ObservationError, match="one column for each observed point"):
        seen = observe_every(LINE, [1.0], 4, 0.1)
        assimilate(OpenLoop(), shift(), seen, torch.zeros(1, 3, 2), smooth(4))


# -- Kalman ------------------------------------------------------------------------------------------------


def moments(ensemble):
    """Mean and covariance of one ensemble (members, N)."""
    centred = ensemble - ensemble.mean(dim=0)
    return ensemble.mean(dim=0), centred.T @ centred / (len(ensemble) - 1)


def kalman(mean, covariance, matrix, noise, values):
    """The analysis of Kalman, in its closed form."""
    c = matrix.numpy()
    gain = covariance @ c.T @ np.linalg.inv(c @ covariance @ c.T + noise**2 * np.eye(len(c)))
    return mean + gain @ (values - c @ mean), covariance - gain @ c @ covariance


@pytest.mark.parametrize("members", [4, 40])
def test_transform_is_the_kalman_analysis_in_every_cycle(members):
    seen, step = observe_every(LINE, [1.0], 6, 0.2), shift()
    values = randn(2, 5, seen.count, seed=3)
    method = EnsembleKalman(members, inflation=1.0)
    state = method.start(smooth(100), 2, generator())
    mean, covariance = (m.numpy() for m in moments(state[1, :, 0]))
    for k in range(5):
        state = method.analyse(method.forecast(state, step, 0.0), seen, values[:, k])
        m = step.matrix.numpy()
        mean, covariance = kalman(
            m @ mean, m @ covariance @ m.T, seen.matrix, seen.noise, values[1, k].numpy()
        )
        found = moments(state[1, :, 0])
        np.testing.assert_allclose(found[0], mean, atol=1e-10)
        np.testing.assert_allclose(found[1], covariance, atol=1e-10)
    np.testing.assert_allclose(method.spread(state)[1] ** 2, np.trace(covariance) / N, rtol=1e-10)


def test_inflation_multiplies_the_forecast_covariance():
    seen = observe_every(LINE, [1.0], 6, 0.2)
    state = EnsembleKalman(20).start(smooth(50), 1, generator())
    mean, covariance = (m.numpy() for m in moments(state[0, :, 0]))
    values = randn(1, seen.count, seed=3)
    found = EnsembleKalman(20, inflation=1.3).analyse(state, seen, values)
    expected, _ = kalman(mean, 1.69 * covariance, seen.matrix, seen.noise, values[0].numpy())
    np.testing.assert_allclose(method_mean(found), expected, atol=1e-10)


def method_mean(state):
    return state[0].mean(dim=0)[0].numpy()


def test_relaxation_goes_back_to_the_spread_of_the_forecast():
    seen = observe_every(LINE, [1.0], 6, 0.2)
    state = EnsembleKalman(20).start(smooth(50), 1, generator())
    values = randn(1, seen.count, seed=3)
    plain, relaxed = (EnsembleKalman(20, 1.0, a).analyse(state, seen, values) for a in (0.0, 0.4))
    expected = 0.6 * plain.std(dim=1) + 0.4 * state.std(dim=1)
    torch.testing.assert_close(relaxed.std(dim=1), expected)
    torch.testing.assert_close(relaxed.mean(dim=1), plain.mean(dim=1))


def test_localisation():
    seen = observe_points(LINE, [1.0], np.array([[0.0]]), 0.1)
    state = EnsembleKalman(10).start(smooth(50), 1, generator())
    values = torch.ones(1, 1, dtype=torch.float64)
    whole = EnsembleKalman(10, 1.0).analyse(state, seen, values)
    wide = EnsembleKalman(10, 1.0, localisation=1e6).analyse(state, seen, values)
    torch.testing.assert_close(wide, whole)
    near = EnsembleKalman(10, 1.0, localisation=0.1).analyse(state, seen, values)
    far = torch.from_numpy(np.minimum(LINE[0], 1 - LINE[0]) >= 0.2)
    torch.testing.assert_close(near[..., far], state[..., far])
    torch.testing.assert_close(near[..., 0], whole[..., 0])


def test_gaspari_cohn():
    found = gaspari_cohn(torch.tensor([0.0, 0.5, 1.0, 1.5, 2.0, 3.0], dtype=torch.float64))
    # Gaspari & Cohn, eq. (4.10), by hand
    expected = [1.0, 263 / 384, 5 / 24, 19 / 1152, 0.0, 0.0]
    torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float64))


# -- others --------------------------------------------------------------------------------------------------


def test_nudging_meets_observations_and_leaves_the_rest():
    seen = observe_every(LINE, [1.0], 8, 0.1)
    state, values = smooth(2), randn(2, seen.count, seed=4)
    found = Nudging(1.0, 0.05, 1e-9).analyse(state, seen, values)
    torch.testing.assert_close(seen(found), values, rtol=1e-6, atol=1e-6)
    half = Nudging(0.5, 0.05, 1e-9).analyse(state, seen, values)
    torch.testing.assert_close(half - state, 0.5 * (found - state))
    exact = Nudging(1.0, 0.05).analyse(state, seen, seen(state))
    torch.testing.assert_close(exact, state)


def test_filters_follow_an_advected_field():
    seen, step = observe_every(LINE, [1.0], 6, 0.02), shift()
    truth = [smooth(3, seed=9)]
    for _ in range(30):
        truth.append(step(truth[-1]))
    exact = torch.stack(truth[1:], dim=1)
    values, climatology = seen.draw(exact, generator(1)), smooth(200, seed=5)
    errors = {
        type(method).__name__: assimilate(method, step, seen, values, climatology).rmse(exact, 1.0, 20).mean()
        for method in (OpenLoop(), Nudging(0.5, 0.05), EnsembleKalman(20))
    }
    assert errors["EnsembleKalman"] < 0.8 * errors["Nudging"] < 0.1 * errors["OpenLoop"]


def test_rmse_is_of_the_analyses():
    truth = torch.zeros(2, 3, 1, N)
    found = Assimilation(truth + 9, torch.tensor([3.0, 4.0]).view(2, 1, 1, 1) + truth)
    np.testing.assert_allclose(found.rmse(truth, 2.0, skip=1), [1.5, 2.0])


def twins():
    """Trajectories that a gain is trained on, (6, 40, 1, N)."""
    step, states = shift(), [smooth(6, seed=7)]
    for _ in range(39):
        states.append(step(states[-1]))
    return torch.stack(states, dim=1)


def test_learned_gain_starts_as_the_open_loop():
    truth, step = twins(), shift()
    seen = observe_every(LINE, [1.0], 6, 0.05)
    task = AssimilationTask(truth[:4], step, seen, truth[4:])
    gain = train_gain(task, replace(SMALL, learning_rate=1e-30), steps=1, progress=False)
    values = seen(truth[4:, 1:])
    runs = [assimilate(m, step, seen, values, truth.flatten(0, 1)).analyses for m in (gain, OpenLoop())]
    torch.testing.assert_close(runs[0].double(), runs[1], rtol=1e-5, atol=1e-5)


def test_learned_gain_is_trained_and_can_be_repeated():
    truth, step = twins(), shift()
    seen = observe_every(LINE, [1.0], 4, 0.05)
    task = AssimilationTask(truth[:4], step, seen, truth[4:])
    values = seen.draw(truth[4:, 1:], generator(2))
    climatology = truth.flatten(0, 1)
    runs = [
        assimilate(train_gain(task, SMALL, steps=60, seed=1, progress=False), step, seen, values, climatology)
        for _ in range(2)
    ]
    assert torch.equal(runs[0].analyses, runs[1].analyses)
    open_loop = assimilate(OpenLoop(), step, seen, values, climatology)
    learned, without = (r.rmse(truth[4:, 1:], 1.0, 20).mean() for r in (runs[0], open_loop))
    assert learned < 0.7 * without


def test_any_stepper_forecasts():
    """An untrained correction is the classical step, and a filter cannot tell them apart."""
    evolution = Evolution(kuramoto_sivashinsky_random(L=22, T=20).typical)
    options = Stepper(scheme="correction", modes=8, width=8, layers=2, projection=8, precision="float64")
    network = options.network(evolution, generator())
    unit = Statistics((1.0,), (1.0,))
    learned = TrainedStepper(options, evolution, network, unit, 0.25, N)
    classical = ClassicalStep(evolution, 0.25, N)
    seen, values = observe_every(LINE, [1.0], 6, 0.1), randn(2, 3, 4)
    runs = [assimilate(EnsembleKalman(6), step, seen, values, smooth(20)) for step in (learned, classical)]
    torch.testing.assert_close(runs[0].analyses, runs[1].analyses)


def test_forecasts_that_blow_up_are_reported():
    seen = observe_every(LINE, [1.0], 6, 0.1)
    explosive = Linear(1e200 * torch.eye(N, dtype=torch.float64))
    with pytest.raises(FilterDivergenceError, match="2 of 2 twins, in cycle 1"):
        assimilate(OpenLoop(), explosive, seen, torch.zeros(2, 4, seen.count), smooth(9))


def test_filter_refusals():
    with pytest.raises(FilterOptionError, match="two members or more"):
        EnsembleKalman(members=1)
    with pytest.raises(FilterOptionError, match=r"strength in \(0, 1\]"):
        Nudging(strength=2.0)
    with pytest.raises(FilterOptionError, match="life=4"):
        LearnedGain(life=4)
    with pytest.raises(FilterOptionError, match="33 held out"):
        short = AssimilationTask(twins()[:, :9], shift(), observe_every(LINE, [1.0], 4, 0.1), twins()[:, :9])
        train_gain(short, SMALL, steps=1, progress=False)
