"""A coordinate in which a layer is wide: features of it are those of a kernel that is narrow in the layer.

    z = c + w sinh(a s + b),   z(±1) = ±1,   s in [-1, 1],

with a layer of width w at c. Derivatives of s follow from R² s'' + y s' = 0, y = z - c, R² = w² + y².

Source: T. W. Tee, L. N. Trefethen, SIAM J. Sci. Comput. 28 (2006) 1798-1811, equation (6.2).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ...declare.domain import Array


@dataclass(frozen=True)
class Stretch:
    """Centre c and width w on [-1, 1]."""

    centre: float
    width: float

    @cached_property
    def _range(self) -> tuple[float, float]:
        """(a, b)."""
        right, left = (math.asinh((1 - side * self.centre) / self.width) for side in (1, -1))
        return (right + left) / 2, (right - left) / 2

    def place(self, s: Array) -> Array:
        """z of s."""
        a, b = self._range
        return np.asarray(np.clip(self.centre + self.width * np.sinh(a * s + b), -1.0, 1.0))

    def coordinate(self, z: Array) -> Array:
        """s of z."""
        a, b = self._range
        return np.asarray((np.arcsinh((z - self.centre) / self.width) - b) / a)

    def factors(self, z: Array, order: int) -> list[Array]:
        """B_k with ∂^order / ∂z^order = Σ_k B_k ∂^k / ∂s^k, k = 0..order (Bell's polynomials)."""
        rates = self._rates(z, order)
        table: list[list[Array]] = [[np.ones_like(z)]]
        for n in range(1, order + 1):
            row = [np.zeros_like(z)]
            for k in range(1, n + 1):
                parts = (
                    math.comb(n - 1, i - 1) * rates[i] * table[n - i][k - 1] for i in range(1, n - k + 2)
                )
                row.append(sum(parts, np.zeros_like(z)))
            table.append(row)
        return table[order]

    def _rates(self, z: Array, order: int) -> list[Array]:
        """∂^n s / ∂z^n, n = 0..order."""
        a, _ = self._range
        y = z - self.centre
        square = self.width**2 + y**2
        rates = [np.zeros_like(z), 1 / (a * np.sqrt(square))]
        for n in range(order - 1):
            rates.append(-((2 * n + 1) * y * rates[n + 1] + n**2 * rates[n]) / square)
        return rates
