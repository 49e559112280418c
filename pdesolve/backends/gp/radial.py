"""Isotropic kernels of the plane and their derivatives, in closed form from the radial function.

    k(x, x') = f(‖x - x'‖² / 2),      ∂₁^n ∂₂^m f = Σ_ij c_ni c_mj d₁^(n-2i) d₂^(m-2j) f^(n+m-i-j),

d = x - x', c_ni = n! / (i! (n - 2i)! 2^i), and f^(p) = (1/r d/dr)^p k the p-th derivative of f. Products of
two operators of second order take p up to 4.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from ...declare.domain import Array
from ...declare.problem import MultiIndex

Operator = tuple[tuple[int, MultiIndex, float], ...]
"""Σ factor · ∂^index of unknowns, as (unknown, index, factor)."""

Polynomial = Mapping[int, Mapping[MultiIndex, float]]
"""Σ_p f^(p) Σ c d₁^i d₂^j, as {p: {(i, j): c}}."""

_TINY = 1e-40  # distances below are zero: their powers in denominators would underflow


@dataclass(frozen=True)
class RadialKernel:
    """A Matérn kernel of half-integer smoothness.

        k = θ_m(s) exp(-s) / θ_m(0),   s = √(2ν) r / ℓ,   ν = m + ½

    with the reverse Bessel polynomials θ_{j+1} = (2j + 1) θ_j + s² θ_{j-1}, θ_0 = 1, θ_{-1} = 1/s, of which
    (1/s d/ds) θ_j e^-s = -θ_{j-1} e^-s: f^(p) is a Matérn function again.

    Attributes:
        smoothness: ν = 2.5, 3.5, …: equations of second order need 2ν > 4.
        length: ℓ, in the unit of the coordinates.

    Source: Rasmussen & Williams, Gaussian Processes for Machine Learning (2006), equations (4.14) and (4.16).
    """

    smoothness: float
    length: float

    def radial(self, squares: Array, highest: int) -> list[Array]:
        """f^(p) at r² = ``squares`` for p = 0 … ``highest``; what diverges at r = 0 is 0 there.

        Such a function comes with powers of d that vanish faster.
        """
        m = round(self.smoothness - 0.5)
        rate = 2 * self.smoothness / self.length**2
        squares = rate * squares
        s = np.sqrt(squares)
        decay = np.exp(-s) / math.prod(range(1, 2 * m, 2))
        found = {0: decay, 1: decay * (1 + s)}
        for j in range(1, m):
            found[j + 1] = (2 * j + 1) * found[j] + squares * found[j - 1]
        if m < highest:
            inverse = np.divide(1.0, squares, out=np.zeros_like(s), where=s > _TINY)
            for j in range(0, m - highest, -1):
                found[j - 1] = (found[j + 1] - (2 * j + 1) * found[j]) * inverse if j else decay * s * inverse
        return [(-rate) ** p * found[m - p] for p in range(highest + 1)]

    def combine(self, polynomial: Polynomial, radial: Sequence[Array], d1: Array, d2: Array) -> Array:
        """Σ_p f^(p) Σ c d₁^i d₂^j, of the shape of ``d1``."""
        result: Array | None = None
        powers = _Powers(d1, d2)
        for p, monomials in polynomial.items():
            factor: Array | float = 0.0
            for index, c in monomials.items():
                factor = factor + (c if index == (0, 0) else c * powers[index])
            part = radial[p] * factor
            result = part if result is None else result + part
        return np.zeros_like(d1) if result is None else result


class _Powers:
    """d₁^i d₂^j, each made once."""

    def __init__(self, d1: Array, d2: Array) -> None:
        self._known: dict[MultiIndex, Array] = {(1, 0): d1, (0, 1): d2}

    def __getitem__(self, index: MultiIndex) -> Array:
        if index not in self._known:
            i, j = index
            half = (i // 2, j // 2) if i % 2 == j % 2 == 0 else None
            if half is not None:
                self._known[index] = np.square(self[half])
            else:
                one, rest = ((1, 0), (i - 1, j)) if i % 2 else ((0, 1), (i, j - 1))
                self._known[index] = self[one] * self[rest] if rest != (0, 0) else self[one]
        return self._known[index]


@cache
def pair(first: Operator, second: Operator) -> Polynomial:
    """``first`` applied to x and ``second`` to x' of k(x - x'); of unknowns that are independent a priori."""
    total: defaultdict[int, defaultdict[MultiIndex, float]] = defaultdict(lambda: defaultdict(float))
    for k, index, factor in first:
        for other, index2, factor2 in second:
            if k != other:
                continue
            sign = (-1) ** sum(index2)
            for p, monomials in _derivative(index[0] + index2[0], index[1] + index2[1]).items():
                for monomial, c in monomials.items():
                    total[p][monomial] += sign * factor * factor2 * c
    return {p: dict(monomials) for p, monomials in total.items()}


@cache
def _derivative(n: int, m: int) -> Polynomial:
    """∂₁^n ∂₂^m f."""
    total: defaultdict[int, dict[MultiIndex, float]] = defaultdict(dict)
    for i in range(n // 2 + 1):
        for j in range(m // 2 + 1):
            c = _coefficient(n, i) * _coefficient(m, j)
            total[n + m - i - j][n - 2 * i, m - 2 * j] = c
    return dict(total)


def _coefficient(n: int, i: int) -> float:
    return math.factorial(n) / float(math.factorial(i) * math.factorial(n - 2 * i) * 2**i)
