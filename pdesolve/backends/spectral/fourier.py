"""Real fields on a periodic box as truncated Fourier series.

    u(x) = Σ_k û_k exp(i κ·(x - x₀)),   κ_a = 2π k_a / L_a,   |k_a| <= K on every axis

Only the half with k >= 0 on the last axis is stored (û_{-k} is the conjugate of û_k), so an array of
spectra has the shape (..., 2K+1, ..., 2K+1, K+1), the full axes in the order 0..K, -K..-1. No Nyquist
mode is kept: odd derivatives need no special case.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ...declare.domain import Array

Spectra = np.ndarray[Any, np.dtype[np.complex128]]


def integers(modes: int, dimension: int) -> list[np.ndarray[Any, np.dtype[np.int64]]]:
    """The integer wavenumbers k of each axis, in storage order."""
    half = np.arange(modes + 1)
    full = np.concatenate([half, np.arange(-modes, 0)])
    return [full] * (dimension - 1) + [half]


def block(modes: int, dimension: int) -> tuple[Any, ...]:
    """Index of the modes |k| <= ``modes`` on the last axes of any array that holds them.

    Negative k count from the end, so that one index serves arrays of different length.
    """
    return (..., *np.ix_(*integers(modes, dimension)))


def resize(spectra: Spectra, modes: int, dimension: int) -> Spectra:
    """The series cut, or padded with zeros, to ``modes`` on the last ``dimension`` axes."""
    old = spectra.shape[-1] - 1
    if old == modes:
        return spectra
    kept = block(min(old, modes), dimension)
    lead = spectra.shape[: spectra.ndim - dimension]
    result = np.zeros((*lead, *[2 * modes + 1] * (dimension - 1), modes + 1), dtype=np.complex128)
    result[kept] = spectra[kept]
    return result


def power(spectra: Spectra, dimension: int) -> Array:
    """Mean square over the box, by Parseval; the last ``dimension`` axes are summed."""
    squares = spectra.real**2 + spectra.imag**2
    squares[..., 1:] *= 2  # each stored mode with k > 0 stands for its conjugate too
    return np.asarray(squares.sum(axis=tuple(range(-dimension, 0))))


def tail(spectra: Spectra, dimension: int) -> float:
    """Share of the norm that lies in the highest third of the modes, the largest over all unknowns.

    It bounds the truncation error from above for geometrically decaying spectra, and is about 1.5 times
    that error for û_k ~ 1/k². An unknown that vanishes is measured by the others.
    """
    modes = spectra.shape[-1] - 1
    total = power(spectra, dimension)
    high = spectra.copy()  # a difference of two norms would end at the root of round-off
    high[block(2 * modes // 3, dimension)] = 0
    return relative(power(high, dimension), total)


def relative(square: Array, norm: Array) -> float:
    """sqrt(square / norm), the largest of the unknowns; one that vanishes is measured by the others."""
    scale = np.where(norm > 1e-28 * norm.max(), norm, norm.max())
    return float(np.sqrt(np.max(square / np.where(scale > 0, scale, 1.0))))


@dataclass(frozen=True)
class FourierGrid:
    """``n`` points on each axis of a periodic box; ``modes`` = K of the series that lives on them."""

    lower: tuple[float, ...]
    length: tuple[float, ...]
    n: int
    modes: int

    @classmethod
    def make(cls, bounds: Array, n: int, dealias: bool) -> FourierGrid:
        """With ``dealias`` K < n/3 (the 2/3 rule: products of two factors are exact), else K < n/2."""
        lower, upper = bounds.T
        modes = (n - 1) // 3 if dealias else (n - 1) // 2
        return cls(tuple(lower), tuple(upper - lower), n, modes)

    @property
    def dimension(self) -> int:
        return len(self.lower)

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.n,) * self.dimension

    @cached_property
    def wavenumbers(self) -> list[Array]:
        """κ of each axis, 2π k / L."""
        ks = integers(self.modes, self.dimension)
        return [np.asarray(2 * np.pi / length * k) for k, length in zip(ks, self.length, strict=True)]

    @cached_property
    def points(self) -> list[Array]:
        """The grid's coordinates, one array of shape `shape` for each axis."""
        axes = [
            a + length * np.arange(self.n) / self.n for a, length in zip(self.lower, self.length, strict=True)
        ]
        return list(np.meshgrid(*axes, indexing="ij"))

    def multiplier(self, orders: Sequence[int]) -> Spectra:
        """(iκ)^orders, the symbol of a derivative."""
        result = np.ones((1,) * self.dimension, dtype=np.complex128)
        for axis, (kappa, order) in enumerate(zip(self.wavenumbers, orders, strict=True)):
            shape = [1] * self.dimension
            shape[axis] = -1
            result = result * ((1j * kappa) ** order).reshape(shape)
        return result

    def to_grid(self, spectra: Spectra) -> Array:
        """Values on the grid, (..., n, ..., n).

        One axis after another: the modes that are zero on the axes still to come are left out.
        """
        from scipy import fft

        k = self.modes
        for axis in range(-self.dimension, -1):
            before, after = spectra.shape[:axis], spectra.shape[axis + 1 :]
            padded = np.zeros((*before, self.n, *after), dtype=np.complex128)
            rest = (slice(None),) * (-axis - 1)
            padded[..., : k + 1, *rest] = spectra[..., : k + 1, *rest]
            padded[..., self.n - k :, *rest] = spectra[..., k + 1 :, *rest]
            spectra = fft.ifft(padded, axis=axis, norm="forward", overwrite_x=True)
        return np.asarray(fft.irfft(spectra, self.n, norm="forward"))

    def to_modes(self, values: Array) -> Spectra:
        """The series of values on the grid, cut to K modes."""
        from scipy import fft

        k = self.modes
        spectra = np.ascontiguousarray(fft.rfft(values, norm="forward")[..., : k + 1])
        for axis in range(-2, -self.dimension - 1, -1):
            full = fft.fft(spectra, axis=axis, norm="forward", overwrite_x=True)
            rest = (slice(None),) * (-axis - 1)
            spectra = np.concatenate([full[..., : k + 1, *rest], full[..., self.n - k :, *rest]], axis=axis)
        return np.asarray(spectra)
