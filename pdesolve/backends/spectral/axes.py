"""Points on one axis of a tensor grid, with interpolation and differentiation between any points.

An open axis carries Chebyshev points x = g(s), a periodic one equally spaced points. Barycentric formulas
serve them: J.-P. Berrut, L. N. Trefethen, SIAM Review 46 (2004) 501-517, equation (4.2); derivatives at the
points by the recursion of Schneider & Werner, equation (9.4) there, diagonals by negative sums (9.5).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from math import inf, isinf
from typing import Any

import numpy as np

from ...declare.domain import Array

WIDTHS = tuple(2.0**-k for k in range(13))
"""Widths that `OpenAxis.sharpened` tries, relative to half the length."""


@dataclass(frozen=True)
class GridAxis(ABC):
    """``n`` points on [lower, upper]."""

    lower: float
    upper: float
    n: int

    @property
    @abstractmethod
    def nodes(self) -> Array:
        """The points, (n,)."""

    @abstractmethod
    def matrix(self, points: Array, order: int) -> Array:
        """The derivative of ``order`` at ``points`` (m,) from values at the nodes, (m, n)."""

    @abstractmethod
    def samples(self, lost: int) -> Array:
        """Where an equation is imposed that loses ``lost`` rows to conditions, (n - lost,)."""

    @abstractmethod
    def coefficients(self, values: Array) -> Array:
        """Absolute coefficients of the expansion along the last axis, lowest first."""

    @abstractmethod
    def with_points(self, n: int) -> GridAxis:
        """The axis with about ``n`` points."""

    @cached_property
    def spacing(self) -> Array:
        """Length of the axis that each node stands for, (n,)."""
        return np.asarray(np.gradient(self.nodes))

    def tail(self, values: Array) -> Array:
        """Share of the norm in the highest third of the coefficients along the last axis, for each entry of
        the first; values (unknowns, ..., n)."""
        size = self.coefficients(values) ** 2
        size = size.reshape(len(size), -1, size.shape[-1]).sum(axis=1)
        total = size.sum(axis=1)
        return np.asarray(np.sqrt(size[:, -(size.shape[1] // 3) :].sum(axis=1) / np.where(total, total, 1.0)))


@dataclass(frozen=True)
class OpenAxis(GridAxis):
    """Chebyshev points of the second kind (Gauss-Lobatto) s, mapped by

        x = c + w sinh(a s + b),   x(±1) = ±1,   on [-1, 1], then scaled

    which gathers them around a layer of width w at c; an infinite width is no map. Functions are rational
    then, and polynomials without a map. T. W. Tee, L. N. Trefethen, SIAM J. Sci. Comput. 28 (2006)
    1798-1811, equation (6.2).
    """

    centre: float = 0.0
    width: float = inf

    @cached_property
    def _stretch(self) -> tuple[float, float]:
        """(a, b) of the map."""
        right, left = np.arcsinh((1 - self.centre) / self.width), np.arcsinh((1 + self.centre) / self.width)
        return float(right + left) / 2, float(right - left) / 2

    def _place(self, s: Array) -> Array:
        """x of the parameter s in [-1, 1]."""
        if isinf(self.width):
            x = s
        else:
            a, b = self._stretch
            x = self.centre + self.width * np.sinh(a * s + b)
        x = np.where(s == -1, -1.0, np.where(s == 1, 1.0, x))
        half = (self.upper - self.lower) / 2
        return np.asarray(np.where(x < 0, self.lower + half * (1 + x), self.upper - half * (1 - x)))

    @cached_property
    def _angles(self) -> Array:
        return np.asarray(np.pi * np.arange(self.n - 1, -1, -1) / (self.n - 1))

    @cached_property
    def nodes(self) -> Array:
        s = np.cos(self._angles)
        s[[0, -1]] = -1.0, 1.0
        return self._place(s)

    @cached_property
    def _weights(self) -> Array:
        weights = (-1.0) ** np.arange(self.n)
        weights[[0, -1]] /= 2
        return np.asarray(weights)

    @cached_property
    def _gaps(self) -> Array:
        """x_i - x_j by products, which keep the digits that differences of near points lose."""
        angle = self._angles
        gap = 2 * np.sin((angle[:, None] + angle) / 2) * np.sin((angle - angle[:, None]) / 2)
        if not isinf(self.width):
            a, b = self._stretch
            s = np.cos(angle)
            mean = a * (s[:, None] + s) / 2 + b
            gap = 2 * self.width * np.cosh(mean) * np.sinh(a * gap / 2)
        np.fill_diagonal(gap, 1.0)
        return np.asarray(gap * (self.upper - self.lower) / 2)

    @lru_cache(maxsize=64)  # noqa: B019  the axis is small and frozen; its matrices are what is worth keeping
    def derivative(self, order: int) -> Array:
        """The derivative at the nodes, (n, n)."""
        if order == 0:
            return np.eye(self.n)
        before = self.derivative(order - 1)
        ratio = self._weights / self._weights[:, None]
        matrix = order * (ratio * np.diag(before)[:, None] - before) / self._gaps
        np.fill_diagonal(matrix, 0.0)
        np.fill_diagonal(matrix, -matrix.sum(axis=1))
        return np.asarray(matrix)

    def matrix(self, points: Array, order: int) -> Array:
        gap = np.asarray(points)[:, None] - self.nodes
        hit = gap == 0
        table = self._weights / np.where(hit, 1.0, gap)
        table /= table.sum(axis=1, keepdims=True)
        rows = hit.any(axis=1)
        table[rows] = hit[rows]
        return table if order == 0 else np.asarray(table @ self.derivative(order))

    def samples(self, lost: int) -> Array:
        count = self.n - lost
        return self._place(-np.cos(np.pi * (np.arange(count) + 0.5) / count))

    def coefficients(self, values: Array) -> Array:
        from scipy import fft

        return np.asarray(np.abs(fft.dct(values, type=1, axis=-1)))

    def with_points(self, n: int) -> OpenAxis:
        return replace(self, n=n)

    def mapped(self, centre: float, width: float) -> OpenAxis:
        """The map with a layer at ``centre`` of the axis, and a width relative to half its length."""
        place = (centre - self.lower) / (self.upper - self.lower) * 2 - 1
        return replace(self, centre=float(np.clip(place, -1.0, 1.0)), width=max(width, WIDTHS[-1]))

    def sharpened(self, centre: float, snapshots: list[tuple[OpenAxis, Array]]) -> OpenAxis:
        """The map around ``centre`` with which the expansions of all snapshots end soonest.

        Snapshots are pairs of an axis and values (unknowns, ..., its points). Of maps that serve about
        equally the widest is taken: near points cost digits.
        """
        plain = replace(self, centre=0.0, width=inf)
        candidates = [plain, *(self.mapped(centre, width) for width in WIDTHS)]
        found = [
            max(float(axis.tail(v @ a.matrix(axis.nodes, 0).T).max()) for a, v in snapshots)
            for axis in candidates
        ]
        return next(axis for axis, value in zip(candidates, found, strict=True) if value <= 2 * min(found))


@dataclass(frozen=True)
class PeriodicAxis(GridAxis):
    """Equally spaced points, odd in number: trigonometric polynomials without a Nyquist mode."""

    @cached_property
    def nodes(self) -> Array:
        return np.asarray(self.lower + (self.upper - self.lower) * np.arange(self.n) / self.n)

    def matrix(self, points: Array, order: int) -> Array:
        kappa = 2 * np.pi / (self.upper - self.lower) * np.arange(self.n // 2 + 1)
        weight = np.where(kappa > 0, 2.0, 1.0) / self.n * (1j * kappa) ** order
        forward = np.exp(-1j * np.outer(kappa, self.nodes - self.lower))
        return np.asarray((np.exp(1j * np.outer(points - self.lower, kappa)) * weight @ forward).real)

    def samples(self, lost: int) -> Array:
        return self.nodes

    def coefficients(self, values: Array) -> Array:
        from scipy import fft

        return np.asarray(np.abs(fft.rfft(values, axis=-1)))

    def with_points(self, n: int) -> PeriodicAxis:
        return replace(self, n=n | 1)


def to_array(axis: GridAxis) -> Array:
    """The axis as numbers, for files."""
    layer = (axis.centre, axis.width) if isinstance(axis, OpenAxis) else (0.0, 0.0)
    return np.array([isinstance(axis, OpenAxis), axis.lower, axis.upper, axis.n, *layer])


def from_array(numbers: Array) -> GridAxis:
    """The inverse of `to_array`."""
    is_open, lower, upper, n, centre, width = (float(v) for v in numbers)
    if is_open:
        return OpenAxis(lower, upper, int(n), centre, width)
    return PeriodicAxis(lower, upper, int(n))


def apply(matrices: list[Any], values: Array) -> Array:
    """Matrices (m_a, n_a) along the last axes of ``values`` (..., n_0, n_1, ...); None leaves an axis."""
    for a, matrix in enumerate(matrices):
        if matrix is not None:
            axis = values.ndim - len(matrices) + a
            values = np.moveaxis(np.moveaxis(values, axis, -1) @ matrix.T, -1, axis)
    return values
