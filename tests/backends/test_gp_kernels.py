"""Kernels and features: closed forms against differences, quadrature and matrices written out."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate

from pdesolve.backends.gp.features import AxisFeatures, Line
from pdesolve.backends.gp.kernels import Gaussian, Matern, Mixture, product
from pdesolve.backends.gp.spectrum import peaks

ENVELOPES = [Gaussian(), Matern(2), Matern(4)]
MIXTURES = [Mixture.of(envelope, (1.0, 0.3), (2.0, 0.7), (3.0, 0.0)) for envelope in ENVELOPES]


@pytest.mark.parametrize("kernel", MIXTURES)
def test_derivatives_are_those_of_the_values(kernel):
    d, h = torch.linspace(-0.61, 0.74, 9, dtype=torch.float64), 1e-5
    for order in range(4):
        quotient = (kernel.derivative(d + h, order) - kernel.derivative(d - h, order)) / (2 * h)
        exact = kernel.derivative(d, order + 1)
        assert (quotient - exact).abs().max() < 1e-7 * exact.abs().max()


@pytest.mark.parametrize(("envelope", "expected"), [(Gaussian(), -357.30575844), (Matern(2), -356.97242511)])
def test_curvature_at_zero(envelope, expected):
    """Published check values, k''(0) for μ = 3 and unit scale and weight; automatic ones give another."""
    kernel = Mixture.of(envelope, (1.0,), (1.0,), (3.0,))
    assert float(kernel.derivative(torch.zeros(1, dtype=torch.float64), 2)[0]) == pytest.approx(
        expected, abs=1e-8
    )


@pytest.mark.parametrize("m", [1, 2, 4])
def test_matern_has_student_t_spectral_lines(m):
    """E(0.4) is the integral of the density of 2m + 1 degrees of freedom times cos 2πs d."""
    scale, degrees = 1.7, 2 * m + 1
    width = scale / (2 * math.pi)

    def density(s):
        norm = math.gamma((degrees + 1) / 2) / (
            math.gamma(degrees / 2) * math.sqrt(degrees * math.pi) * width
        )
        return norm * (1 + (s / width) ** 2 / degrees) ** (-(degrees + 1) / 2)

    whole, _ = integrate.quad(lambda s: 2 * density(s) * math.cos(2 * math.pi * s * 0.4), 0, 60, limit=500)
    assert float(Matern(m).derivative(torch.tensor(0.4), torch.tensor(scale), 0)) == pytest.approx(
        whole, abs=1e-5
    )


def test_a_kernel_that_is_too_rough_is_refused():
    with pytest.raises(ValueError, match="has 2 derivatives, not 3"):
        Mixture.of(Matern(1), (1.0,), (1.0,), (0.0,)).derivative(torch.zeros(2), 3)


@pytest.mark.parametrize("order", [0, 1, 2, 4])
def test_toeplitz_is_the_matrix_on_a_uniform_grid(order):
    x = 0.3 + 0.05 * torch.arange(20, dtype=torch.float64)
    for kernel in MIXTURES:
        expected = kernel.matrix(x, x, (order, 0))
        assert torch.allclose(
            kernel.toeplitz(20, 0.05, order), expected, atol=1e-12 * float(expected.abs().max())
        )


def test_products_are_positive_definite_with_their_derivatives():
    """The covariance of u and u_xy at some points, all blocks together."""
    points = torch.as_tensor(np.random.default_rng(0).random((12, 2)))
    kernels = MIXTURES[:2]

    def block(mine, other):
        return product(kernels, points, points, [(mine, other)] * 2)

    whole = torch.cat([torch.cat([block(i, j) for j in (0, 1)], dim=1) for i in (0, 1)])
    assert torch.allclose(whole, whole.T)
    assert torch.linalg.eigvalsh(whole).min() > -1e-10 * whole.abs().max()


@given(
    frequency=st.floats(0.5, 50),
    degree=st.integers(0, 6),
    parity=st.sampled_from([0, 1, -1]),
    seed=st.integers(0, 99),
)
def test_features_and_their_derivatives(frequency, degree, parity, seed):
    axis = AxisFeatures(-1.0, 2.0, (Line(0.0, 4), Line(frequency, degree)), parity)
    x, h = np.random.default_rng(seed).uniform(-1, 2, 5), 1e-6
    assert axis.matrix(x).shape == (5, axis.count)
    for order in range(3):
        quotient = (axis.matrix(x + h, order) - axis.matrix(x - h, order)) / (2 * h)
        exact = axis.matrix(x, order + 1)
        assert np.abs(quotient - exact).max() < 1e-6 * (1 + np.abs(exact).max())
    if parity:
        assert np.allclose(axis.matrix(1.0 - x), parity * axis.matrix(x), atol=1e-9)


def test_parities_share_the_features():
    lines = (Line(0.0, 5), Line(7.0, 3))
    whole, even, odd = (AxisFeatures(0.0, 1.0, lines, parity).count for parity in (0, 1, -1))
    assert even + odd == whole == 6 + 8


@given(st.lists(st.floats(15, 2000), min_size=1, max_size=3), st.integers(0, 99))
def test_peaks_are_where_the_waves_are(frequencies, seed):
    """Waves of equal size whose main lobes do not meet are found to a fiftieth of a lobe's width."""
    frequencies = sorted(frequencies)
    if any(b - a < 30 for a, b in pairwise(frequencies)):
        return
    z, rng = np.linspace(-1, 1, 2048), np.random.default_rng(seed)
    waves = sum(np.cos(w * z + rng.uniform(0, 6)) for w in frequencies)
    found = sorted(peaks(waves[:, None], 6))
    assert len(found) == len(frequencies)
    assert np.abs(np.subtract(found, frequencies)).max() < 0.5


def test_peaks_of_periodic_signals_are_whole():
    z = np.linspace(-1, 1, 64, endpoint=False)
    values = np.stack([np.cos(3 * np.pi * z), 0.5 * np.sin(7 * np.pi * z)], axis=1)
    assert peaks(values, 4, is_periodic=True) == pytest.approx([3 * np.pi, 7 * np.pi])
    assert peaks(np.zeros((64, 2)), 4) == []
