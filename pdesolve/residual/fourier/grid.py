"""Real fields on a periodic box as truncated Fourier series.

    u(x) = Σ_k û_k exp(i κ·(x - x₀)),   κ_a = 2π k_a / L_a,   |k_a| <= K on every axis

Only the half with k >= 0 on the last axis is stored (û_{-k} is the conjugate of û_k), so an array of
spectra has the shape (..., 2K+1, ..., 2K+1, K+1), the full axes in the order 0..K, -K..-1. No Nyquist
mode is kept: odd derivatives need no special case.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any

import numpy as np

from ...declare.domain import Array

Spectra = np.ndarray[Any, np.dtype[np.complex128]]

PARALLEL = 1 << 16
"""Grid points from which a transform is worth several threads."""


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
    """Share of the norm beyond the highest mode, extrapolated; the largest over all unknowns.

    s, the share of the highest fifth of the modes, times its ratio to that of the fifth before. This is
    exact for geometrically decaying spectra, 0.6 of the truth for û_k ~ 1/k², and never above s. An unknown
    that vanishes is measured by the others.
    """
    modes = spectra.shape[-1] - 1
    total = power(spectra, dimension)
    shares = []
    for fraction in (0.6, 0.8):
        high = spectra.copy()  # a difference of two norms would end at the root of round-off
        high[block(int(fraction * modes), dimension)] = 0
        shares.append(power(high, dimension))
    before, last = shares[0] - shares[1], shares[1]
    ratio = np.minimum(last / np.where(before > 0, before, 1.0), 1.0)
    return relative(last * np.where(before > 0, ratio, 1.0), total)


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

    @property
    def stored(self) -> tuple[int, ...]:
        """Shape of the stored modes."""
        return (2 * self.modes + 1,) * (self.dimension - 1) + (self.modes + 1,)

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

        One axis after another, in place, where there are modes: the others are zero and stay so.
        """
        from scipy import fft

        k, n, d = self.modes, self.n, self.dimension
        padded = self._padded(spectra.shape[:-d])
        parts = (slice(0, k + 1), slice(n - k, n)), (slice(0, k + 1), slice(k + 1, None))
        for places in product(range(2), repeat=d - 1):
            there: Any = (..., *(parts[0][p] for p in places), parts[0][0])
            stored: Any = (..., *(parts[1][p] for p in places), slice(None))
            padded[there] = spectra[stored]
        for axis in range(-d, -1):
            for places in product(range(2), repeat=-axis - 2):
                modes: Any = (..., slice(None), *(parts[0][p] for p in places), parts[0][0])
                here = padded[modes]
                here[(..., slice(k + 1, n - k)) + (slice(None),) * (-axis - 1)] = 0
                done = fft.ifft(here, axis=axis, norm="forward", overwrite_x=True, workers=self.workers)
                if not np.may_share_memory(done, here):  # SciPy may, and does not promise to, use the place
                    here[...] = done
        return np.asarray(fft.irfft(padded, n, norm="forward", workers=self.workers))

    def to_modes(self, values: Array) -> Spectra:
        """The series of values on the grid, cut to K modes."""
        from scipy import fft

        k, n = self.modes, self.n
        spectra = fft.rfft(values, norm="forward", workers=self.workers)[..., : k + 1]
        for axis in range(-2, -self.dimension - 1, -1):
            full = fft.fft(spectra, axis=axis, norm="forward", overwrite_x=True, workers=self.workers)
            halves = np.split(full, (k + 1, n - k), axis=axis)[::2]
            spectra = np.concatenate(halves, axis=axis)
        return np.ascontiguousarray(spectra)

    def _padded(self, lead: tuple[int, ...]) -> Spectra:
        """The input of the last inverse transform; kept, since fresh memory costs as much as a transform."""
        shape = (*lead, *[self.n] * (self.dimension - 1), self.n // 2 + 1)
        if shape not in self._buffers:
            self._buffers[shape] = np.zeros(shape, dtype=np.complex128)
        return self._buffers[shape]

    @cached_property
    def _buffers(self) -> dict[tuple[int, ...], Spectra]:
        return {}

    @cached_property
    def workers(self) -> int:
        """Threads of one transform: the processors that the process may use, where it is large."""
        return cores() if self.n**self.dimension >= PARALLEL else 1


def cores() -> int:
    """The processors that this process may use, no more than OMP_NUM_THREADS allows."""
    present = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    allowed = os.environ.get("OMP_NUM_THREADS", "")
    return max(1, min(present, int(allowed))) if allowed.isdigit() else present
