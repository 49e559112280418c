"""RAD, R3 and their kin: distributions against closed forms, invariants by properties."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sampler_cases import Cube, zero

from pdesolve.backends.base import BackendOptionError
from pdesolve.backends.pinn.samplers import R3, RAD

LINE = Cube([(0, 1)])


def ramp(points):
    return points[:, :1].T


@pytest.mark.parametrize(
    ("power", "uniform", "moment"),
    # p ∝ x^k (k+1) + c on [0, 1]: E x = ((k+1)/(k+2) + c/2) / (1 + c)
    [(1.0, 0.01, (2 / 3 + 0.005) / 1.01), (2.0, 1.0, (3 / 4 + 1 / 2) / 2), (0.0, 1.0, 1 / 2)],
)
def test_rad_follows_its_density(power, uniform, moment):
    sampler = RAD(power=power, uniform=uniform, pool=40)
    rng = np.random.default_rng(0)
    current = sampler.start(LINE, 4000, rng)
    sampler.refresh(current, LINE, ramp, rng)
    assert current.points.shape == (4000, 1)
    assert current.points.mean() == pytest.approx(moment, abs=3 * 0.3 / np.sqrt(4000))


def test_rad_gives_equations_of_any_scale_the_same_say():
    """|r| = 1e6 on the left half by one equation, 1e-6 on the right by the other: the halves are equal."""

    def residual(points):
        left = points[:, 0] < 0.5
        return np.stack([1e6 * left, 1e-6 * ~left])

    rng = np.random.default_rng(1)
    current = RAD().start(LINE, 2000, rng)
    RAD().refresh(current, LINE, residual, rng)
    assert (current.points < 0.5).mean() == pytest.approx(0.5, abs=3 * 0.5 / np.sqrt(2000))


@pytest.mark.parametrize("huge", [1e300, 5e-324])
def test_powers_of_extreme_residuals_do_not_overflow(huge):
    rng = np.random.default_rng(2)
    sampler = RAD(power=3.0)
    current = sampler.start(LINE, 50, rng)
    sampler.refresh(current, LINE, lambda p: huge * (p.T > 0.5), rng)
    assert (current.points > 0.5).mean() > 0.5


@pytest.mark.parametrize("option", [{"pool": 0}, {"power": -1.0}, {"uniform": 0.0}, {"uniform": np.inf}])
def test_bad_options_of_rad_are_refused(option):
    with pytest.raises(BackendOptionError, match=next(iter(option))):
        RAD(**option)


@settings(max_examples=60, deadline=None)
@given(
    n=st.integers(1, 40),
    seed=st.integers(0, 2**32 - 1),
    scale=st.floats(1e-150, 1e150),
    bad=st.lists(st.tuples(st.integers(0, 39), st.sampled_from([np.nan, np.inf, -np.inf])), max_size=4),
)
def test_r3_keeps_what_lies_above_the_mean_and_the_size(n, seed, scale, bad):
    region = Cube([(0, 1), (-1, 1)])
    rng = np.random.default_rng(seed)
    current = R3().start(region, n, rng)
    before, values = current.points, scale * rng.standard_normal(n)
    for index, value in bad:
        values[index % n] = value
    R3().refresh(current, region, lambda points: values[None], rng)
    size = np.abs(values)
    finite = size[np.isfinite(size)]
    size[~np.isfinite(size)] = finite.max() if len(finite) else 0.0
    expected = before[size > size.mean() * (1 + 1e-9)]
    at_most = before[size > size.mean() * (1 - 1e-9)]
    kept = current.points[np.isin(current.points[:, 0], before[:, 0])]
    assert len(current.points) == n
    assert len(expected) <= len(kept) <= len(at_most) and len(kept) < max(n, 2)
    assert np.isin(expected[:, 0], kept[:, 0]).all() and np.isin(kept[:, 0], at_most[:, 0]).all()
    assert region.contains(current.points).all()


def test_r3_resamples_everything_where_all_residuals_are_equal():
    rng = np.random.default_rng(3)
    current = R3().start(LINE, 100, rng)
    before = current.points
    R3().refresh(current, LINE, zero, rng)
    assert not np.isin(current.points, before).any()


def test_r3_gathers_at_a_peak():
    """With |r| = 1 on a tenth of the line and 0 elsewhere, points there are never released: the share of the
    others falls by the factor 9/10 a refresh."""
    rng = np.random.default_rng(4)
    current = R3().start(LINE, 4000, rng)
    for _ in range(5):
        R3().refresh(current, LINE, lambda points: (points.T > 0.9).astype(float), rng)
    assert (current.points <= 0.9).mean() == pytest.approx(0.9**6, abs=0.03)
