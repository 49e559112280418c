"""Explicit features of a Gaussian mixture kernel on one axis, stable in the flat limit.

With z in [-1, 1] on the axis, the Gaussian envelope expands as

    exp(-a (z - z')²) = Σ_k ((2a)^k / k!) [z^k e^{-a z²}] [z'^k e^{-a z'²}],

so that a spectral line at frequency ω has the features z^k cos ωz, z^k sin ωz with variances (2a)^k / k!,
which fall so fast that a few degrees hold all there is. For small a the powers are nearly dependent; their
span is that of Chebyshev polynomials, which are not, and e^{-a z²} tends to 1:

    φ = T_k(z) cos ωz,  T_k(z) sin ωz,   k = 0..K_ω.

A line's width is thus its degree K. Along periodic axes the frequencies are whole and the degrees zero. Where
an axis has a layer, z may be a coordinate in which it is wide (`stretch`).

Sources: Fasshauer & McCourt, SIAM J. Sci. Comput. 34 (2012) A737 (the expansion); Fornberg, Larsson & Flyer,
SIAM J. Sci. Comput. 33 (2011) 869 (polynomials in place of powers).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.polynomial import chebyshev

from ...declare.domain import Array
from .stretch import Stretch

_FITTED = 4  # points for each feature that others are fitted by


@dataclass(frozen=True, order=True)
class Line:
    """A line of the spectrum: its angular frequency ω on [-1, 1], and its degree K."""

    frequency: float
    degree: int


@dataclass(frozen=True)
class AxisFeatures:
    """The features of all lines on the interval from ``lower`` to ``upper``.

    Attributes:
        parity: 1 or -1 keeps only those that are even or odd about the middle.
        stretch: the coordinate that features are functions of; None: z itself.
    """

    lower: float
    upper: float
    lines: tuple[Line, ...]
    parity: int = 0
    stretch: Stretch | None = None

    @cached_property
    def slope(self) -> float:
        """dz/dx."""
        return 2 / (self.upper - self.lower)

    @property
    def count(self) -> int:
        """Number of features r."""
        return len(self.names)

    @cached_property
    def names(self) -> tuple[tuple[float, int, int], ...]:
        """Of each feature the frequency, 0 for cosines and 1 for sines, and the degree."""
        return tuple(name for name, keep in zip(self._all, self._kept, strict=True) if keep)

    @cached_property
    def _all(self) -> list[tuple[float, int, int]]:
        return [
            (line.frequency, part, k)
            for line in self.lines
            for part in range(2 if line.frequency else 1)
            for k in range(line.degree + 1)
        ]

    @cached_property
    def _kept(self) -> list[bool]:
        return [not self.parity or (-1) ** (part + k) == self.parity for _, part, k in self._all]

    def matrix(self, x: Array, order: int = 0) -> Array:
        """∂^order φ / ∂x^order at ``x`` (n,), shape (n, r)."""
        z = (np.asarray(x) - self.lower) * self.slope - 1
        if self.stretch is None:
            every = self._waves(z, order)
        else:
            s = self.stretch.coordinate(z)
            factors = self.stretch.factors(z, order)
            first = 1 if order else 0
            every = sum(
                (factors[k][:, None] * self._waves(s, k) for k in range(first, order + 1)), np.zeros(())
            )
        every = self.slope**order * every
        return np.asarray(every[:, self._kept] if self.parity else every)

    def places(self, s: Array) -> Array:
        """x of the coordinate that features are functions of."""
        z = s if self.stretch is None else self.stretch.place(s)
        return np.asarray(self.lower + (z + 1) / 2 * (self.upper - self.lower))

    def evenly(self, n: int, is_periodic: bool = False) -> Array:
        """``n`` x whose coordinates are equally spaced, both ends included (periodic: without the last)."""
        if self.stretch is None:  # without the round-off of `places`, which may leave the axis
            return np.linspace(self.lower, self.upper, n, endpoint=not is_periodic)
        return self.places(np.linspace(-1.0, 1.0, n, endpoint=not is_periodic))

    def _waves(self, z: Array, order: int) -> Array:
        """Derivatives of all features in their own coordinate, of either parity."""
        highest = max(line.degree for line in self.lines)
        powers = [self._polynomials(z, highest, j) for j in range(order + 1)]
        blocks = []
        for line in self.lines:
            k = line.degree + 1
            if not line.frequency:
                blocks.append(powers[order][:, :k])
                continue
            for shift in (0.0, -math.pi / 2):  # cos(θ - π/2) = sin θ
                total = np.zeros((len(z), k))
                for j in range(order + 1):  # Leibniz
                    phase = line.frequency * z + shift + (order - j) * math.pi / 2
                    wave = math.comb(order, j) * line.frequency ** (order - j) * np.cos(phase)
                    total += powers[j][:, :k] * wave[:, None]
                blocks.append(total)
        return np.concatenate(blocks, axis=1)

    @staticmethod
    def _polynomials(z: Array, degree: int, order: int) -> Array:
        """∂^order T_k / ∂z^order, (n, degree + 1)."""
        values = chebyshev.chebvander(z, degree)
        if not order or order > degree:
            return np.asarray(values if not order else np.zeros_like(values))
        change = chebyshev.chebder(np.eye(degree + 1), order)  # of the coefficients, (degree + 1 - order, …)
        return np.asarray(values[:, : len(change)] @ change)

    @property
    def constant(self) -> int:
        """The place of the constant among the features."""
        return self.names.index((0.0, 0, 0))

    def selection(self, other: AxisFeatures) -> Array:
        """S (other.count, count): c @ S are the coefficients here of what both have, zero for the rest.

        In another coordinate nothing is the same: coefficients there are those that come nearest.
        """
        if self.stretch != other.stretch:
            n = _FITTED * self.count
            at = self.places(np.cos((np.arange(n) + 0.5) * math.pi / n))
            return np.asarray(np.linalg.lstsq(self.matrix(at), other.matrix(at), rcond=1e-13)[0].T)
        places = {name: i for i, name in enumerate(self.names)}
        result = np.zeros((other.count, self.count))
        for i, name in enumerate(other.names):
            if name in places:
                result[i, places[name]] = 1.0
        return result

    def with_constant(self) -> AxisFeatures:
        """A copy that has the constant among its features."""
        if any(line.frequency == 0 for line in self.lines):
            return self
        return self.with_lines(Line(0.0, 0), *self.lines)

    def with_lines(self, *lines: Line) -> AxisFeatures:
        """A copy with other lines, sorted."""
        return replace(self, lines=tuple(sorted(lines)))
