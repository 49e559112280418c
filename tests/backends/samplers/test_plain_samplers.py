"""Samplers that take no look at the residual, and what all samplers share."""

import numpy as np
import pytest
from sampler_cases import Cube, DiskInTime, zero

from pdesolve.backends.base import BackendOptionError
from pdesolve.backends.pinn import samplers
from pdesolve.backends.pinn.samplers import Fixed, LatinHypercube, PointSet, Sampler, Sobol, Uniform
from pdesolve.checkpoint import pack, unpack

SQUARE = Cube([(-1, 1), (0, 4)])
CONCRETE = [
    kind
    for kind in (getattr(samplers, name) for name in samplers.__all__)
    if isinstance(kind, type) and issubclass(kind, Sampler) and kind is not Sampler
]
QUICK = {"aas": {"steps": 2, "ascents": 2, "warm": 1, "couplings": 2}, "das": {"steps": 2, "couplings": 2}}


def never(points):
    raise AssertionError("the residual is of no interest")


def waves(points):
    """Two equations, of scales 1 and 1000, the second large near the lower corner."""
    return np.stack([np.sin(3 * points.sum(axis=1)), 1e3 * np.exp(-(points.sum(axis=1) ** 2))])


def test_fixed_points_are_even_and_stay():
    rng = np.random.default_rng(0)
    current = Fixed().start(SQUARE, 256, rng)
    before = current.points.copy()
    Fixed().refresh(current, SQUARE, never, rng)
    assert Fixed().every == 0
    np.testing.assert_array_equal(current.points, before)
    assert np.histogram(before[:, 0], 8, (-1, 1))[0].min() >= 28


@pytest.mark.parametrize("sampler", [Uniform(), LatinHypercube(), Sobol()])
def test_redrawn_points_are_new_and_estimate_an_integral(sampler):
    """Mean of x²+y over [-1, 1] x [0, 4] is 1/3 + 2."""
    rng = np.random.default_rng(1)
    current = sampler.start(SQUARE, 2000, rng)
    before = current.points
    sampler.refresh(current, SQUARE, never, rng)
    assert current.points.shape == (2000, 2) and current.weights is None
    assert SQUARE.contains(current.points).all()
    assert not np.isin(current.points[:, 0], before[:, 0]).any()
    mean = (current.points[:, 0] ** 2 + current.points[:, 1]).mean()
    # Three standard deviations of independent points; the others are within a fraction of that.
    three_sigma = 3 * np.sqrt((4 / 45 + 16 / 12) / 2000)
    assert abs(mean - 7 / 3) < (three_sigma if isinstance(sampler, Uniform) else three_sigma / 10)


def test_each_slab_of_a_latin_hypercube_holds_one_point():
    points = LatinHypercube().start(SQUARE, 300, np.random.default_rng(2)).points
    for column, (lower, upper) in zip(points.T, SQUARE.bounds, strict=True):
        assert (np.histogram(column, 300, (lower, upper))[0] == 1).all()


def test_sobol_points_hit_every_elementary_interval():
    """A (0, m, 2) net of base 2: each of the 2^m boxes of area 2^-m holds one point, whatever its shape."""
    unit = Sobol().start(Cube([(0, 1), (0, 1)]), 64, np.random.default_rng(3)).points
    for k in range(7):
        counts = np.histogram2d(*unit.T, bins=[2**k, 2 ** (6 - k)], range=[(0, 1), (0, 1)])[0]
        assert (counts == 1).all()


@pytest.mark.parametrize("sampler", [LatinHypercube(), Sobol()])
def test_shapes_are_filled_by_rejection(sampler):
    """On the disk radius² is uniform on [0, 1]; time is uniform on [1, 3]."""
    region = DiskInTime()
    points = sampler.start(region, 4000, np.random.default_rng(4)).points
    assert points.shape == (4000, 3) and region.contains(points).all()
    radius2 = (points[:, 0] - 2) ** 2 + points[:, 1] ** 2
    for values in (radius2, (points[:, 2] - 1) / 2):
        # Kolmogorov-Smirnov at 1e-3 for independent points: 1.95 / sqrt(n)
        steps = np.abs(np.sort(values) - (np.arange(4000) + 0.5) / 4000).max()
        assert steps < 1.95 / np.sqrt(4000)


def test_a_region_of_no_volume_is_refused():
    class Nothing(Cube):
        def contains(self, points):
            return np.zeros(len(points), dtype=bool)

    with pytest.raises(BackendOptionError, match="inside"):
        Sobol().start(Nothing([(0, 1), (0, 1)]), 4, np.random.default_rng(0))


@pytest.mark.parametrize("kind", CONCRETE, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("region", [Cube([(0, 2), (1, 4)], timed=True), DiskInTime()])
def test_every_sampler_keeps_the_contract(kind, region):
    """Points stay inside, residuals that are not finite are survived, and equal seeds give equal points, also
    when the set goes through a checkpoint on the way."""

    def wild(points):
        values = waves(points)
        values[0, 1], values[1, 5] = np.nan, np.inf
        return values

    def run(stored):
        rng = np.random.default_rng(7)
        sampler = kind(**QUICK.get(kind.name, {}))
        current = sampler.start(region, 64, rng)
        assert current.points.shape == (64, len(region.bounds))
        for residual in (waves, wild, zero):
            if stored:
                current = unpack(pack(current), None, PointSet)
            sampler.refresh(current, region, residual, rng)
            assert region.contains(current.points).all()
            if current.weights is not None:
                assert current.weights.shape == (len(current.points),)
                assert np.isfinite(current.weights).all() and current.weights.mean() > 0
                assert current.weights.min() >= 0
        return current

    first, second = run(stored=False), run(stored=True)
    np.testing.assert_array_equal(first.points, second.points)
    assert (first.weights is None) == (second.weights is None)
    if first.weights is not None:
        np.testing.assert_array_equal(first.weights, second.weights)
    assert kind.name == kind.name.lower()


@pytest.mark.parametrize("kind", [k for k in CONCRETE if k is not Fixed], ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("every", [0, -1, 1.5, True, "often"])
def test_periods_are_whole_numbers(kind, every):
    with pytest.raises(BackendOptionError, match=r"every="):
        kind(every=every)
