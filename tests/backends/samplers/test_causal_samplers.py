"""Samplers that respect causality, against their equations on made-up residuals."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sampler_cases import Cube, DiskInTime, zero

from pdesolve.backends.base import BackendOptionError
from pdesolve.backends.pinn.samplers import Causal, CausalR3

STRIP = Cube([(-1, 1), (2, 6)], timed=True)  # t in [2, 6]


@settings(max_examples=50, deadline=None)
@given(
    times=st.lists(st.floats(0, 1), min_size=2, max_size=10),
    gamma=st.floats(-1, 2),
    steepness=st.floats(0.1, 50),
    opened=st.floats(0, 1),
)
def test_the_gate_falls_in_time_and_opens_with_gamma(times, gamma, steepness, opened):
    sampler, time = CausalR3(steepness=steepness), np.sort(times)
    gate = sampler.gate(time, gamma)
    assert (np.diff(gate) <= 0).all() and gate.min() >= 0 and gate.max() <= 1
    assert (sampler.gate(time, gamma + opened) >= gate).all()
    assert sampler.gate(np.array([gamma]), gamma)[0] == 0.5


def test_causal_r3_follows_its_equations():
    sampler = CausalR3(first=0.3, rate=0.5, tolerance=2.0)
    rng = np.random.default_rng(0)
    current = sampler.start(STRIP, 500, rng)
    before, r = current.points, rng.standard_normal(500)
    gate = 1 / (1 + np.exp(2 * 5.0 * ((before[:, 1] - 2) / 4 - 0.3)))  # (1 - tanh z)/2 = 1/(1 + e^(2z))
    np.testing.assert_allclose(current.weights, gate**2, rtol=1e-12)
    sampler.refresh(current, STRIP, lambda points: r[None], rng)
    opening = np.exp(-2.0 * np.mean((gate * r) ** 2))
    gamma = 0.3 + 0.5 * min(opening, 0.1)
    assert current.memory == {"gamma": pytest.approx(gamma, rel=1e-12)}
    fitness = gate * np.abs(r)
    retained = before[fitness > fitness.mean()]
    np.testing.assert_array_equal(current.points[: len(retained)], retained)
    assert len(current.points) == 500
    after = 1 / (1 + np.exp(10.0 * ((current.points[:, 1] - 2) / 4 - gamma)))
    np.testing.assert_allclose(current.weights, after**2, rtol=1e-12)


def test_the_gate_stays_shut_while_the_residual_is_large_and_opens_at_the_cap():
    for residual, moved in ((lambda p: np.full((1, len(p)), 1e200), 0.0), (zero, 100 * 0.1 * 1e-2)):
        sampler, rng = CausalR3(rate=1e-2), np.random.default_rng(1)
        current = sampler.start(STRIP, 20, rng)
        for _ in range(100):
            sampler.refresh(current, STRIP, residual, rng)
        assert current.memory["gamma"] + 0.5 == pytest.approx(moved, abs=1e-12)


@pytest.mark.parametrize("region", [STRIP, DiskInTime()])
@pytest.mark.parametrize("n", [64, 67])
def test_slices_are_slices_of_time(region, n):
    """The defect of the widespread code: "slices" that mix all times. Here the i-th set of points has its
    times in [t_i, t_(i+1)] and fills space and that interval."""
    sampler = Causal(slices=8)
    current = sampler.start(region, n, np.random.default_rng(2))
    start, end = region.bounds[-1]
    edges = np.linspace(start, end, 9)
    counts = np.histogram(current.points[:, -1], edges)[0]
    assert counts.sum() == n and set(counts) <= {n // 8, -(-n // 8)}
    at = sampler.slice_of(region, current.points)
    assert (np.diff(at) >= 0).all()
    for i in range(8):
        t = current.points[at == i, -1]
        assert edges[i] <= t.min() and t.max() <= edges[i + 1]
        assert np.ptp(t) > 0.6 * (end - start) / 8
        assert np.ptp(current.points[at == i, 0]) > 1.0  # of 2
    assert region.contains(current.points).all()


def test_causal_weights_equal_the_formula():
    """Uneven slices too: Σ over points of weight r² / n equals mean_i w_i L_i."""
    sampler, rng = Causal(slices=4, epsilons=(0.7,)), np.random.default_rng(3)
    current = sampler.start(STRIP, 30, rng)
    r = rng.standard_normal((2, 30))
    index = np.floor(current.points[:, 1] - 2).astype(int)
    sampler.refresh(current, STRIP, lambda points: r, rng)
    losses = np.array([(r[:, index == i] ** 2).sum(axis=0).mean() for i in range(4)])
    weights = np.exp(-0.7 * np.array([0.0, losses[0], losses[:2].sum(), losses[:3].sum()]))
    total = (current.weights * (r**2).sum(axis=0)).mean()
    assert total == pytest.approx((weights * losses).mean(), rel=1e-12)
    counts = np.bincount(index)
    np.testing.assert_allclose(current.weights, weights[index] * 30 / (4 * counts[index]), rtol=1e-12)


def test_weights_that_say_nothing_are_zero_and_not_subnormal():
    weights = Causal(slices=4, epsilons=(100.0,)).slice_weights(np.array([0.1, 0.1, 0.6, 1.0]), 0)
    assert weights[:3] == pytest.approx(np.exp([0.0, -10.0, -20.0]))
    assert weights[3] == 0.0  # exp(-80) is 2e-35, and its square no normal number in single precision


def test_stages_end_when_the_least_weight_is_near_one():
    """With L_i = 1e-3 in 5 slices the least weight is exp(-4e-3 ε): above 0.99 for ε below 2.51."""
    sampler, rng = Causal(slices=5, epsilons=(0.1, 1.0, 10.0)), np.random.default_rng(4)
    current = sampler.start(STRIP, 50, rng)
    small = [np.full((1, 50), np.sqrt(loss)) for loss in (1.0, 1e-3, 1e-3, 1e-3, 1e-7)]
    stages, finished = [], []
    for r in small:
        sampler.refresh(current, STRIP, lambda points, r=r: r, rng)
        stages.append(current.memory["stage"])
        finished.append(current.memory["finished"])
    assert stages == [0, 1, 2, 2, 2]
    assert finished == [False, False, False, False, True]
    assert current.memory["least"] == pytest.approx(np.exp(-10 * 4e-7), rel=1e-12)


def test_a_stage_ends_after_its_longest():
    sampler, rng = Causal(slices=2, epsilons=(1.0, 2.0), longest=3), np.random.default_rng(5)
    current = sampler.start(STRIP, 10, rng)
    stages = []
    for _ in range(4):
        sampler.refresh(current, STRIP, lambda points: np.ones((1, 10)), rng)
        stages.append(current.memory["stage"])
    assert stages == [0, 0, 1, 1]


def test_points_are_redrawn_within_their_slices_at_the_period():
    sampler, rng = Causal(slices=4, redraw=2), np.random.default_rng(6)
    current = sampler.start(STRIP, 40, rng)
    first = current.points
    sampler.refresh(current, STRIP, zero, rng)
    assert current.points is first
    sampler.refresh(current, STRIP, zero, rng)
    assert not np.isin(current.points[:, 1], first[:, 1]).any()
    assert (np.histogram(current.points[:, 1], np.linspace(2, 6, 5))[0] == 10).all()


@pytest.mark.parametrize("sampler", [Causal(), CausalR3()])
def test_steady_problems_are_refused(sampler):
    with pytest.raises(BackendOptionError, match="steady"):
        sampler.start(Cube([(0, 1), (0, 1)]), 100, np.random.default_rng(0))


def test_fewer_points_than_slices_are_refused():
    with pytest.raises(BackendOptionError, match="slices"):
        Causal(slices=32).start(STRIP, 31, np.random.default_rng(0))


@pytest.mark.parametrize(
    ("kind", "option"),
    [
        (Causal, {"slices": 1}),
        (Causal, {"epsilons": ()}),
        (Causal, {"epsilons": (1.0, 1.0)}),
        (Causal, {"epsilons": (0.0, 1.0)}),
        (Causal, {"stop": 1.0}),
        (Causal, {"redraw": -1}),
        (CausalR3, {"steepness": 0.0}),
        (CausalR3, {"rate": np.nan}),
        (CausalR3, {"tolerance": -1.0}),
    ],
)
def test_bad_options_are_refused_by_name(kind, option):
    with pytest.raises(BackendOptionError, match=next(iter(option))):
        kind(**option)
