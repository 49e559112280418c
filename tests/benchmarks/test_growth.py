"""Exponents of costs whose exponents are known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pdesolve.benchmarks.growth import GrowthError, curve, exponent, upper_half


@given(
    power=st.floats(-3, 4),
    factor=st.floats(1e-9, 1e9),
    sizes=st.lists(st.integers(1, 10**6), min_size=2, max_size=12, unique=True).map(sorted),
)
def test_the_exponent_of_a_power_law_is_its_power(power: float, factor: float, sizes: list[int]) -> None:
    costs = [factor * n**power for n in sizes]
    # Neighbouring sizes differ by a part in a million: round-off of the logarithms is that much larger.
    assert exponent(sizes, costs) == pytest.approx(power, abs=1e-6)


def test_it_is_the_line_that_numpy_fits_to_the_upper_half() -> None:
    generator = np.random.default_rng(0)
    sizes = np.array([3.0, 7, 20, 50, 110, 300, 900])
    costs = np.exp(generator.normal(size=7))
    expected = np.polyfit(np.log(sizes[3:]), np.log(costs[3:]), 1)[0]
    assert exponent(sizes.tolist(), costs.tolist()) == pytest.approx(expected, rel=1e-12)


def test_what_each_call_costs_at_least_does_not_count() -> None:
    sizes = [10**k for k in range(8)]
    assert exponent(sizes, [1e3 + n for n in sizes]) == pytest.approx(1, abs=0.05)
    assert [list(range(k))[upper_half(k)] for k in (2, 3, 4, 5)] == [[0, 1], [1, 2], [2, 3], [2, 3, 4]]


def test_a_curve_says_what_theory_says_at_its_sizes() -> None:
    sizes = [2.0**k for k in range(4, 12)]
    found = curve(sizes, [1e-6 * n**2 for n in sizes], lambda n: n * math.log(n), "n log n")
    x = np.log(sizes[4:])
    assert found["exponent"] == 2 and found["operations"] == "n log n"
    assert found["operations_exponent"] == pytest.approx(np.polyfit(x, x + np.log(x), 1)[0], abs=0.005)


@pytest.mark.parametrize(
    ("sizes", "costs"),
    [([1], [1]), ([1, 2], [1, 2, 3]), ([1, 2], [1, 0]), ([2, 1], [1, 1]), ([1, 2], [1, math.nan])],
)
def test_what_has_no_exponent_is_refused(sizes: list[float], costs: list[float]) -> None:
    with pytest.raises(GrowthError, match="two or more ascending sizes"):
        exponent(sizes, costs)
