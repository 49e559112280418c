"""RAD, R3 and their kin: distributions against closed forms, invariants by properties."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sampler_cases import Cube, zero

from pdesolve.backends.base import BackendOptionError
from pdesolve.backends.pinn.samplers import R3, RAD, RARD, RARG, VRBA

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


@pytest.mark.parametrize("kind", [RARG, RARD])
def test_refinement_adds_points_and_takes_none_away_up_to_the_most(kind):
    sampler, rng = kind(add=30, most=100), np.random.default_rng(5)
    current = sampler.start(LINE, 50, rng)
    sizes = []
    for _ in range(3):
        before = current.points
        sampler.refresh(current, LINE, ramp, rng)
        np.testing.assert_array_equal(current.points[: len(before)], before)
        sizes.append(len(current.points))
    assert sizes == [80, 100, 100]


def test_greedy_refinement_takes_the_largest():
    """Of 10 000 uniform candidates the 30 with the largest |r| = x lie above about 1 - 30/10000."""
    sampler, rng = RARG(add=30), np.random.default_rng(6)
    current = sampler.start(LINE, 50, rng)
    sampler.refresh(current, LINE, lambda points: -ramp(points), rng)
    new = current.points[50:, 0]
    assert len(np.unique(new)) == 30
    assert 1 - 60 / 10_000 < new.min() < 1 - 15 / 10_000


def test_refinement_by_density_draws_by_the_square():
    """p ∝ x²: E x = 3/4."""
    sampler, rng = RARD(add=3000, pool=60_000), np.random.default_rng(7)
    current = sampler.start(LINE, 50, rng)
    sampler.refresh(current, LINE, ramp, rng)
    assert current.points[50:].mean() == pytest.approx(0.75, abs=3 * np.sqrt(3 / 80 / 3000))


@pytest.mark.parametrize("residual", [zero, lambda p: np.full((1, len(p)), np.nan)])
@pytest.mark.parametrize("kind", [RARG, RARD])
def test_refinement_goes_on_without_a_residual(kind, residual):
    rng = np.random.default_rng(8)
    current = kind(add=10).start(LINE, 5, rng)
    kind(add=10).refresh(current, LINE, residual, rng)
    assert len(np.unique(current.points)) == 15


@pytest.mark.parametrize("kind", [RARG, RARD])
@pytest.mark.parametrize("option", [{"add": 0}, {"most": 0}, {"pool": 99}])
def test_bad_options_of_refinement_are_refused(kind, option):
    with pytest.raises(BackendOptionError, match=next(iter(option))):
        kind(**option)


def test_attention_is_the_derivative_of_its_potential():
    """Exponential: ln q is linear in |r| with slope ln(k + 2)/(c max|r|); power: q = |r|^(p-1)."""
    r = np.array([[0.5, -2.0, 1.0, 0.0]])
    q = VRBA(sharpness=0.7).attention(r, 8)
    np.testing.assert_allclose(np.log(q), (np.abs(r[0]) - 2) * np.log(10) / (0.7 * 2), rtol=1e-12)
    np.testing.assert_allclose(
        VRBA(potential="power", exponent=4.0).attention(r, 8), np.abs(r[0] / 2) ** 3, rtol=1e-12
    )
    np.testing.assert_array_equal(VRBA(potential="power", exponent=1.0).attention(r, 8), 1.0)


def test_multipliers_follow_the_recursion_and_weigh_by_their_square():
    """λ_k = γ^k λ_0 + η q (1 - γ^k)/(1 - γ) for a q that stays; q is constant in k for a power potential."""
    sampler = VRBA(decay=0.8, gain=0.3, sample=False, multiply=True, potential="power", exponent=3.0)
    rng = np.random.default_rng(9)
    current = sampler.start(LINE, 100, rng)
    points = current.points.copy()
    np.testing.assert_array_equal(current.weights, 0.1**2)
    for _ in range(7):
        sampler.refresh(current, LINE, ramp, rng)
    q = (points[:, 0] / points.max()) ** 2
    expected = 0.8**7 * 0.1 + 0.3 * q * (1 - 0.8**7) / 0.2
    np.testing.assert_array_equal(current.points, points)
    np.testing.assert_allclose(current.weights, expected**2, rtol=1e-12)


def test_vrba_draws_by_its_multipliers():
    """With γ = 0 and the quadratic potential λ = x on [0, 1]: E x = 2/3."""
    sampler = VRBA(decay=0.0, gain=1.0, potential="power", pool=40)
    rng = np.random.default_rng(10)
    current = sampler.start(LINE, 3000, rng)
    assert current.points.mean() == pytest.approx(0.5, abs=0.02)
    sampler.refresh(current, LINE, ramp, rng)
    assert current.weights is None and len(np.unique(current.points)) == 3000
    assert current.points.mean() == pytest.approx(2 / 3, abs=3 * np.sqrt(1 / 18 / 3000) + 2e-3)


@pytest.mark.parametrize(
    "option",
    [
        {"pool": 0},
        {"potential": "cosh"},
        {"exponent": 0.5},
        {"sharpness": 0.0},
        {"decay": 1.0},
        {"gain": -1.0},
        {"sample": False},
    ],
)
def test_bad_options_of_vrba_are_refused(option):
    with pytest.raises(BackendOptionError, match=next(iter(option))):
        VRBA(**option)
