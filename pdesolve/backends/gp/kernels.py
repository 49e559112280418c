"""Kernels of one coordinate and their derivatives, in closed form.

A stationary kernel is a sum of envelopes times cosines, one for each line of its spectrum,

    k(d) = Σ_q w_q E(d; a_q) cos(2π μ_q d),   d = x - x',

with Gaussian lines for E(d; a) = exp(-a d²) (spectral mixture: Wilson & Adams, ICML 2013) and Student-t lines
of ν = 2m + 1 degrees of freedom for the Matérn envelope of order m + ½ (Fang et al., ICLR 2024). Everything
is even in d: derivatives are those of smooth functions, at d = 0 too, where automatic ones fail.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Protocol

import numpy as np
from numpy.polynomial import Polynomial
from scipy import linalg

from ...declare.domain import Array


class Envelope(Protocol):
    """E(d; a), positive definite and even, with E(0) = 1."""

    @property
    def smoothness(self) -> float:
        """Up to which order derivatives exist at d = 0."""

    def derivative(self, d: Array, scale: float, order: int) -> Array:
        """∂^order E / ∂d^order at ``d``."""


@dataclass(frozen=True)
class Gaussian:
    """E = exp(-a d²): Gaussian spectral lines of standard deviation √(a / 2π²)."""

    @property
    def smoothness(self) -> float:
        return math.inf

    def derivative(self, d: Array, scale: float, order: int) -> Array:
        """(-√a)^n H_n(√a d) exp(-a d²), with the physicists' Hermite polynomials."""
        root = math.sqrt(scale)
        z = root * d
        polynomial = np.polynomial.hermite.Hermite.basis(order)
        return np.asarray((-root) ** order * polynomial(z) * np.exp(-z * z))


@dataclass(frozen=True)
class Matern:
    """The Matérn envelope of order m + ½: Student-t spectral lines of 2m + 1 degrees of freedom.

        E = P_m(s) exp(-s),   s = √(2m + 1) b |d|,
        P_m(s) = m!/(2m)! Σ_i (m + i)! / (i! (m - i)!) (2s)^(m - i)

    ``scale`` is b, an inverse length. E has 2m derivatives at d = 0: m = 2 (the paper's) serves equations of
    second order, m = 4 those of fourth order.
    """

    m: int = 2

    @property
    def smoothness(self) -> float:
        return 2 * self.m

    def derivative(self, d: Array, scale: float, order: int) -> Array:
        """sign(d)^n α^n Q_n(α|d|) exp(-α|d|), with Q_0 = P_m and Q_{n+1} = Q_n' - Q_n."""
        alpha = math.sqrt(2 * self.m + 1) * scale
        s = alpha * np.abs(d)
        # Odd derivatives have Q_n(0) = 0 as long as they exist, so that sign(0) = 0 is right.
        sign = np.sign(d) if order % 2 else 1.0
        return np.asarray(sign * alpha**order * _matern_polynomial(self.m, order)(s) * np.exp(-s))


@cache
def _matern_polynomial(m: int, order: int) -> Polynomial:
    if order:
        before = _matern_polynomial(m, order - 1)
        return before.deriv() - before
    factor = math.factorial(m) / math.factorial(2 * m)
    terms = [
        factor * math.factorial(m + i) / (math.factorial(i) * math.factorial(m - i)) * 2.0 ** (m - i)
        for i in range(m, -1, -1)
    ]
    return Polynomial(terms)


@dataclass(frozen=True)
class Mixture:
    """k(d) = Σ_q w_q E(d; a_q) cos(2π μ_q d).

    Attributes:
        envelope: `Gaussian()` for the spectral mixture, `Matern(m)` for the Student-t mixture.
        weights: w_q, positive; they sum to the variance.
        scales: a_q, or b_q of a Matérn envelope.
        frequencies: μ_q, in cycles per unit of length; all zero gives the baselines.
    """

    envelope: Envelope
    weights: tuple[float, ...]
    scales: tuple[float, ...]
    frequencies: tuple[float, ...]

    def derivative(self, d: Array, order: int = 0) -> Array:
        """k^(n)(d). In x it is ∂^n k, in x' (-1)^n times that.

        Raises:
            ValueError: the kernel is not that smooth.
        """
        if order > self.envelope.smoothness:
            raise ValueError(f"the kernel has {self.envelope.smoothness:g} derivatives, not {order}")
        result = np.zeros_like(d, dtype=np.float64)
        for weight, scale, frequency in zip(self.weights, self.scales, self.frequencies, strict=True):
            m = 2 * math.pi * frequency
            for j in range(order + 1):  # Leibniz
                wave = m**j * np.cos(m * d + j * math.pi / 2)
                envelope = self.envelope.derivative(d, scale, order - j)
                result += weight * math.comb(order, j) * envelope * wave
        return result

    def matrix(self, x: Array, other: Array, orders: tuple[int, int] = (0, 0)) -> Array:
        """∂^(i + j) k(x - x') / ∂x^i ∂x'^j for all pairs, (n, m)."""
        i, j = orders
        return np.asarray((-1) ** j * self.derivative(np.subtract.outer(x, other), i + j))

    def toeplitz(self, n: int, spacing: float, order: int = 0) -> Array:
        """`matrix` on n equally spaced points, from n evaluations instead of n²: (n, n)."""
        column = self.derivative(spacing * np.arange(n, dtype=np.float64), order)
        return np.asarray(linalg.toeplitz(column, (-1) ** order * column))


def product(kernels: Sequence[Mixture], x: Array, other: Array, orders: Sequence[tuple[int, int]]) -> Array:
    """Π_j ∂^(i_j + i'_j) k_j for all pairs of points (n, d) and (m, d), shape (n, m)."""
    result = np.ones((len(x), len(other)))
    for axis, (kernel, order) in enumerate(zip(kernels, orders, strict=True)):
        result *= kernel.matrix(x[:, axis], other[:, axis], order)
    return result
