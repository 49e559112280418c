"""The parts of the spectral backend, against closed forms and high-precision arithmetic."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pdesolve.residual.fourier import etdrk4
from pdesolve.residual.fourier.grid import FourierGrid, power, resize, tail
from pdesolve.residual.fourier.trajectory import Slab, differentiation_matrix, lagrange, prune, slab_edges


def grid(dimension: int, n: int = 18, dealias: bool = True) -> FourierGrid:
    bounds = np.array([[0.0, 2 * np.pi], [-1.0, 1.0], [1.0, 1.5]])[:dimension]
    return FourierGrid.make(bounds, n, dealias)


def test_modes_that_a_grid_keeps() -> None:
    assert grid(1, 18).modes == 5  # products reach 10, and 10 - 18 = -8 is none of -5..5
    assert grid(1, 18, dealias=False).modes == 8  # the Nyquist mode 9 is not kept
    assert grid(1, 9, dealias=False).modes == 4


@pytest.mark.parametrize("dimension", [1, 2, 3])
@settings(max_examples=15, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10**6))
def test_round_trip_and_parseval(dimension: int, seed: int) -> None:
    g = grid(dimension, 12)
    values = np.random.default_rng(seed).standard_normal((2, *g.shape))
    spectra = g.to_modes(values)  # a projection: what it keeps must survive
    smooth = g.to_grid(spectra)
    assert np.allclose(g.to_modes(smooth), spectra, atol=1e-14)
    assert np.allclose(power(spectra, dimension), (smooth**2).reshape(2, -1).mean(axis=1), rtol=1e-12)


def test_derivatives_of_a_closed_form() -> None:
    g = grid(2)
    x, y = g.points
    values = np.sin(2 * x) * np.cos(3 * np.pi * y)
    wanted = 4 * np.cos(2 * x) * 9 * np.pi**2 * np.cos(3 * np.pi * y) * 2
    derived = g.to_grid(g.multiplier((3, 2)) * g.to_modes(values[None]))[0]
    assert np.allclose(derived, wanted, atol=1e-10)


def test_products_of_two_dealiased_fields_are_exact() -> None:
    g = grid(1, 18)
    (x,) = g.points
    spectra = g.to_modes((np.cos(5 * x) * np.cos(4 * x))[None])[0]
    wanted = np.zeros(6)
    wanted[1] = 0.25  # half of cos x; cos 9x is cut, not folded onto another mode
    assert np.allclose(spectra, wanted, atol=1e-15)


@pytest.mark.parametrize("dimension", [1, 2, 3])
def test_resize_keeps_what_both_sizes_hold(dimension: int) -> None:
    g = grid(dimension, 12)
    spectra = g.to_modes(np.random.default_rng(0).standard_normal((1, *g.shape)))
    larger = resize(spectra, 7, dimension)
    assert larger.shape[-1] == 8 and np.allclose(power(larger, dimension), power(spectra, dimension))
    assert np.array_equal(resize(larger, g.modes, dimension), spectra)
    assert np.array_equal(prune(larger[None], dimension)[0], spectra)


def test_tail_is_free_of_cancellation() -> None:
    spectra = np.zeros((1, 31), dtype=complex)
    spectra[0, 1], spectra[0, 30] = 1.0, 1e-13
    assert tail(spectra, 1) == pytest.approx(1e-13, rel=1e-12)


@pytest.mark.parametrize("z", [0.0, 1e-9, -1e-3, -0.7, 1.3, -50.0, -1e5, 2j, -0.4 + 1e-3j, 3000j])
def test_coefficients_to_round_off(z: complex) -> None:
    """Against Cox & Matthews (2002), equations (26)-(29), in arithmetic of 120 digits."""
    h = 0.5
    c = etdrk4.coefficients(np.array([z / h], dtype=complex), h)
    with mpmath.workdps(120):
        w = mpmath.mpc(z) if z else mpmath.mpf(10) ** -25
        e = mpmath.exp(w)
        exact = [
            e,
            mpmath.exp(w / 2),
            h * (mpmath.exp(w / 2) - 1) / w,
            h * (-4 - w + e * (4 - 3 * w + w**2)) / w**3,
            h * (2 + w + e * (w - 2)) / w**3,
            h * (-4 - 3 * w - w**2 + e * (4 - w)) / w**3,
        ]
        wanted = np.array([complex(value) for value in exact])
    found = np.array([a[0] for a in (c.full, c.half, c.stage, c.first, c.middle, c.last)])
    assert np.abs(found - wanted).max() < 2e-13 * max(1.0, abs(z) * 1e-3)
    assert np.isrealobj(c.full) == (complex(z).imag == 0)


def test_interpolation_in_time_is_exact_for_degree_nine() -> None:
    rng = np.random.default_rng(1)
    polynomial = np.polynomial.Polynomial(rng.standard_normal(10), domain=[2.0, 5.0])
    times = np.linspace(2.0, 5.0, 31)
    slab = Slab(2.0, 5.0, polynomial(times)[:, None, None].astype(complex))
    where = np.concatenate([rng.uniform(2, 5, 40), times])
    for order in range(3):
        weights, first = slab.weights(where, order), slab.stencils(where)
        nodes = times[first[:, None] + np.arange(10)]
        assert np.allclose(
            np.sum(weights * polynomial(nodes), axis=1), polynomial.deriv(order)(where), atol=1e-8
        )
    assert np.allclose(slab.at(where)[:, 0, 0], polynomial(where), atol=1e-12)


def test_interpolation_weights_at_nodes_and_of_constants() -> None:
    assert np.array_equal(lagrange(4, np.arange(4.0)), np.eye(4))
    assert np.allclose(lagrange(10, np.linspace(0, 9, 50)).sum(axis=1), 1, atol=1e-12)
    assert np.allclose(differentiation_matrix(5) @ np.arange(5.0) ** 2, 2 * np.arange(5.0), atol=1e-12)


def test_slab_edges_double() -> None:
    assert np.allclose(slab_edges(1.0, 9.0, 4), [1, 2, 3, 5, 9])
    assert np.allclose(slab_edges(0.0, 1.0, 1), [0, 1])
