"""Kernels of one coordinate and their derivatives, in closed form.

A stationary kernel is a sum of envelopes times cosines, one for each line of its spectrum,

    k(d) = Σ_q w_q E(d; a_q) cos(2π μ_q d),   d = x - x',

with Gaussian lines for E(d; a) = exp(-a d²) (spectral mixture: Wilson & Adams, ICML 2013) and Student-t lines
of 2m + 1 degrees of freedom for the Matérn envelope of order m + ½ (Fang et al., ICLR 2024). Derivatives are
written out: torch's own are wrong at d = 0, where |d| has a slope of 0 for it. They can be differentiated by
weights, scales and frequencies.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Protocol

import torch
from numpy.polynomial import Hermite, Polynomial
from torch import Tensor


class Envelope(Protocol):
    """E(d; a), positive definite and even, with E(0) = 1."""

    @property
    def smoothness(self) -> float:
        """Up to which order derivatives exist at d = 0."""

    def derivative(self, d: Tensor, scale: Tensor, order: int) -> Tensor:
        """∂^order E / ∂d^order at ``d``, of any shape that broadcasts with ``scale``."""


@dataclass(frozen=True)
class Gaussian:
    """E = exp(-a d²): Gaussian spectral lines of standard deviation √(a / 2π²)."""

    @property
    def smoothness(self) -> float:
        return math.inf

    def derivative(self, d: Tensor, scale: Tensor, order: int) -> Tensor:
        """(-√a)^n H_n(√a d) exp(-a d²), with the physicists' Hermite polynomials."""
        root = scale.sqrt()
        z = root * d
        polynomial = Hermite.basis(order).convert(kind=Polynomial)
        return (-root) ** order * _horner(polynomial, z) * torch.exp(-z * z)


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

    def derivative(self, d: Tensor, scale: Tensor, order: int) -> Tensor:
        """sign(d)^n α^n Q_n(α|d|) exp(-α|d|), with Q_0 = P_m and Q_{n+1} = Q_n' - Q_n."""
        alpha = math.sqrt(2 * self.m + 1) * scale
        s = alpha * d.abs()
        even = alpha**order * _horner(_matern_polynomial(self.m, order), s) * torch.exp(-s)
        # Odd derivatives have Q_n(0) = 0 as long as they exist, so that sign(0) = 0 is right.
        return d.sign() * even if order % 2 else even


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


def _horner(polynomial: Polynomial, z: Tensor) -> Tensor:
    result = torch.zeros_like(z)
    for coefficient in reversed(polynomial.coef.tolist()):
        result = result * z + coefficient
    return result


@dataclass(frozen=True, eq=False)
class Mixture:
    """k(d) = Σ_q w_q E(d; a_q) cos(2π μ_q d).

    Attributes:
        envelope: `Gaussian()` for the spectral mixture, `Matern(m)` for the Student-t mixture.
        weights: w_q (q,), positive; they sum to the variance.
        scales: a_q, or b_q of a Matérn envelope.
        frequencies: μ_q, in cycles per unit of length; all zero gives the baselines.
    """

    envelope: Envelope
    weights: Tensor
    scales: Tensor
    frequencies: Tensor

    @classmethod
    def of(
        cls,
        envelope: Envelope,
        weights: Sequence[float],
        scales: Sequence[float],
        frequencies: Sequence[float],
    ) -> Mixture:
        """From numbers, in float64."""
        return cls(envelope, *(torch.tensor(v, dtype=torch.float64) for v in (weights, scales, frequencies)))

    def derivative(self, d: Tensor, order: int = 0) -> Tensor:
        """k^(n)(d), of the shape of ``d``. In x it is ∂^n k, in x' (-1)^n times that.

        Raises:
            ValueError: the kernel is not that smooth.
        """
        if order > self.envelope.smoothness:
            raise ValueError(f"the kernel has {self.envelope.smoothness:g} derivatives, not {order}")
        d = d.unsqueeze(-1)
        m = 2 * math.pi * self.frequencies
        result = torch.zeros_like(d)
        for j in range(order + 1):  # Leibniz
            wave = m**j * torch.cos(m * d + j * math.pi / 2)
            result = result + math.comb(order, j) * wave * self.envelope.derivative(d, self.scales, order - j)
        return result @ self.weights

    def matrix(self, x: Tensor, other: Tensor, orders: tuple[int, int] = (0, 0)) -> Tensor:
        """∂^(i + j) k(x - x') / ∂x^i ∂x'^j for all pairs, (n, m)."""
        i, j = orders
        return (-1.0) ** j * self.derivative(x[:, None] - other, i + j)

    def toeplitz(self, n: int, spacing: float, order: int = 0) -> Tensor:
        """`matrix` on n equally spaced points, from n evaluations instead of n²: (n, n)."""
        column = self.derivative(spacing * torch.arange(n, dtype=torch.float64), order)
        both = torch.cat([(-1.0) ** order * column.flip(0)[:-1], column])  # k^(n) from -(n-1) to n-1
        at = torch.arange(n)
        return both[at[:, None] - at + n - 1]


def product(
    kernels: Sequence[Mixture], x: Tensor, other: Tensor, orders: Sequence[tuple[int, int]]
) -> Tensor:
    """Π_j ∂^(i_j + i'_j) k_j for all pairs of points (n, d) and (m, d), shape (n, m)."""
    result = torch.ones(len(x), len(other), dtype=torch.float64)
    for axis, (kernel, order) in enumerate(zip(kernels, orders, strict=True)):
        result = result * kernel.matrix(x[:, axis], other[:, axis], order)
    return result
