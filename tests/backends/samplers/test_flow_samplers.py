"""DAS and AAS: from residuals with known densities to points."""

import numpy as np
import pytest
from sampler_cases import Cube, DiskInTime, zero

from pdesolve.backends.base import BackendOptionError
from pdesolve.backends.pinn.samplers import AAS, DAS
from pdesolve.backends.pinn.samplers.flow_sampler import tempered

SQUARE = Cube([(-1, 1), (-1, 1)])


def narrow(points):
    """r² is a Gaussian of width 0.03 about (0.5, 0.5): 3 widths about it are 0.6 % of the square."""
    return np.exp(-((points - 0.5) ** 2).sum(axis=1) / (4 * 0.03**2))[None]


def near(points, radius=0.09):
    return float((np.linalg.norm(points - 0.5, axis=1) < radius).mean())


def refreshed(sampler, region, residual, n, times, seed=0):
    rng = np.random.default_rng(seed)
    current = sampler.start(region, n, rng)
    for _ in range(times):
        sampler.refresh(current, region, residual, rng)
    return current


def test_das_draws_by_the_square_of_the_residual():
    """Within 3 widths of a Gaussian in 2-D lies 98.9 % of it; a tenth of the points is uniform."""
    current = refreshed(DAS(uniform=0.1, steps=60), SQUARE, narrow, 1000, 3)
    assert current.points.shape == (1000, 2) and current.weights is None
    assert near(current.points) == pytest.approx(0.9 * 0.989, abs=0.05)
    peak = current.points[np.linalg.norm(current.points - 0.5, axis=1) < 0.09]
    np.testing.assert_allclose(peak.mean(axis=0), 0.5, atol=0.01)
    # The standard deviation of the Gaussian cut at 3 widths is 0.974 of the width.
    np.testing.assert_allclose(peak.std(axis=0), 0.0292, rtol=0.25)
    assert (current.points < 0).any(axis=1).mean() == pytest.approx(0.1 * 0.75, abs=0.04)


def test_the_density_of_das_is_that_of_its_points():
    """∫ q over the box is one, and its share near the peak is that of the points."""
    sampler = DAS(steps=40)
    current = refreshed(sampler, SQUARE, narrow, 500, 2)
    axis = (np.arange(600) + 0.5) / 300 - 1  # the density may be a thousand times the mean at its peak
    grid = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    q = sampler.density(current.memory, SQUARE, grid)
    assert q.mean() == pytest.approx(1.0, abs=0.01)
    assert q.min() >= 0.1
    share = (q * (np.linalg.norm(grid - 0.5, axis=1) < 0.3)).mean()
    rng = np.random.default_rng(1)
    assert near(sampler.draw(current.memory, SQUARE, 4000, rng), 0.3) == pytest.approx(share, abs=0.03)


def test_das_g_adds_points_up_to_the_most_and_keeps_the_others():
    sampler, rng = DAS(mode="G", add=60, most=250, steps=30), np.random.default_rng(2)
    current = sampler.start(SQUARE, 100, rng)
    sizes, first = [], current.points
    for _ in range(4):
        sampler.refresh(current, SQUARE, narrow, rng)
        sizes.append(len(current.points))
    assert sizes == [160, 220, 250, 250]
    np.testing.assert_array_equal(current.points[:100], first)


def test_das_finds_a_peak_in_ten_dimensions():
    """r² = u² with u = exp(-10 |x|²), a Gaussian of width 0.158: the ball |x| < 0.8 holds 99.6 % of r² and
    2.7e-4 of the volume."""
    cube = Cube([(-1, 1)] * 10)

    def residual(points):
        return np.exp(-10 * (points**2).sum(axis=1))[None]

    sampler = DAS(pool=6, steps=50, batch=300, rate=1e-2, couplings=4)
    current = refreshed(sampler, cube, residual, 500, 3)
    radius = np.linalg.norm(current.points, axis=1)
    assert (radius < 0.8).mean() > 0.5


def test_points_of_regions_that_are_no_boxes_lie_inside():
    region = DiskInTime()
    current = refreshed(DAS(steps=20), region, lambda p: p[:, :1].T - 1, 300, 2)
    assert region.contains(current.points).all()
    assert current.points[:, 0].mean() > 2.1  # r² grows to the right


def test_the_share_of_uniform_points_may_be_all():
    current = refreshed(DAS(uniform=1.0, steps=1), SQUARE, narrow, 1000, 1)
    assert near(current.points) < 0.03


def test_a_residual_of_zero_leaves_the_density():
    sampler = DAS(steps=5)
    current = refreshed(sampler, SQUARE, zero, 100, 1)
    np.testing.assert_allclose(sampler.density(current.memory, SQUARE, current.points), 1.0, atol=1e-9)


def test_tempering_leaves_the_wanted_effective_sample():
    weights = np.exp(np.random.default_rng(3).normal(0, 4, 5000))
    ess = [w.sum() ** 2 / (w**2).sum() / 5000 for w in (weights, tempered(weights, 0.2))]
    assert ess[0] < 0.05 and ess[1] == pytest.approx(0.2, rel=1e-6)
    lesser = weights < weights.max()
    power = np.log(tempered(weights, 0.2)[lesser]) / np.log(weights[lesser] / weights.max())
    assert power.max() == pytest.approx(power.min(), rel=1e-9)
    np.testing.assert_allclose(tempered(weights, 0.0), weights / weights.max(), rtol=1e-9)
    assert tempered(np.array([1.0, 0.0, 0.0, 0.0]), 0.5).tolist() == [1.0, 1.0, 1.0, 1.0]


def test_aas_settles_where_the_penalty_says():
    """r² = 1 + a cos πx on the unit square: -2β p'' = r² - 1 and p' = 0 at the ends give
    p = 1 + a cos πx / (2 β π²); with β = a/π² the amplitude is 1/2, and E_p cos πx = 1/4."""
    a, square = 0.8, Cube([(0, 1), (0, 1)])
    sampler = AAS(
        penalty=a / np.pi**2, uniform=0.2, warm=0, ascents=40, ascent_rate=5e-3, batch=300, couplings=2
    )

    def residual(points):
        return np.sqrt(1 + a * np.cos(np.pi * points[:, :1].T))

    current = refreshed(sampler, square, residual, 1000, 6)
    line = np.column_stack([np.linspace(0, 1, 21), np.full(21, 0.3)])
    p = (sampler.density(current.memory, square, line) - 0.2) / 0.8
    np.testing.assert_allclose(p, 1 + 0.5 * np.cos(np.pi * line[:, 0]), atol=0.15)
    expected = 0.8 * 0.25  # the uniform share adds nothing
    assert np.cos(np.pi * current.points[:, 0]).mean() == pytest.approx(expected, abs=0.07)


def test_aas_gathers_at_a_narrow_peak_as_far_as_the_penalty_lets_it():
    """For a residual at a point Green's function gives p = ln(R/ρ)/(4πβ) within R = √(8β) (box of side 1):
    a share s² (1 - 2 ln s) of p lies within sR. Here R = 0.18 (box of side 2); at s = 1/2 that is 60 %, and
    with the uniform share 54 % of the points. A tenth of β lets p follow r² itself."""
    share = {}
    for penalty in (1e-3, 1e-4):
        sampler = AAS(penalty=penalty, batch=300, steps=40, rate=1e-2, couplings=3)
        current = refreshed(sampler, SQUARE, narrow, 400, 5)
        share[penalty] = near(current.points, 0.09)
    assert 0.25 < share[1e-3] < 0.65  # of uniform points 0.6 %
    assert share[1e-4] > 0.75


@pytest.mark.parametrize(
    ("kind", "option"),
    [
        (DAS, {"mode": "X"}),
        (DAS, {"uniform": 1.5}),
        (DAS, {"uniform": -0.1}),
        (DAS, {"effective": 2.0}),
        (DAS, {"add": 0}),
        (DAS, {"steps": 0}),
        (DAS, {"bins": 1}),
        (DAS, {"rate": 0.0}),
        (AAS, {"penalty": 0.0}),
        (AAS, {"warm": -1}),
        (AAS, {"ascents": 0}),
        (AAS, {"pool": 0}),
    ],
)
def test_bad_options_are_refused_by_name(kind, option):
    with pytest.raises(BackendOptionError, match=next(iter(option))):
        kind(**option)
