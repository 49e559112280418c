"""The functions φ of exponential integrators, of many small matrices at once.

    φ_0(Z) = e^Z,   φ_k(Z) = (φ_{k-1}(Z) - 1/(k-1)!) / Z

Scaling and squaring: a Taylor polynomial of Z / 2^s, then s times

    φ_k(2Z) = 2^{-k} (e^Z φ_k(Z) + Σ_{j=1..k} φ_j(Z) / (k-j)!)

(Higham & Al-Mohy, Acta Numerica 19 (2010) 159-208, section 5; Skaflestad & Wright, Appl. Numer. Math. 59
(2009) 783-799, equation (2.6)). No eigenvectors are formed, so that defective matrices, such as
[[0, 1], [0, 0]] of a wave equation's mean, are as accurate as others.
"""

from __future__ import annotations

from math import factorial
from typing import Any

import numpy as np

Matrices = np.ndarray[Any, np.dtype[Any]]

ORDER = 3
"""The highest k."""
DEGREE = 15
"""Of the Taylor polynomials; with norms <= 1/2 the first term left out is below 1e-18."""


def phi_functions(z: Matrices) -> tuple[list[Matrices], list[Matrices]]:
    """φ_0, …, φ_3 of ``z`` (m, n, n), and of ``z / 2``; real where ``z`` is real."""
    z, scale = balance(z)
    norms = np.abs(z).sum(axis=2).max(axis=1, initial=0.0)
    squarings = np.ones(len(z), dtype=int)  # one at least: z / 2 is passed on the way
    large = norms > 0.5
    squarings[large] = 1 + np.ceil(np.log2(norms[large])).astype(int)
    phi = _taylor(z * np.ldexp(1.0, -squarings)[:, None, None])
    for left in range(int(squarings.max(initial=1)), 1, -1):
        active = squarings >= left
        for p, doubled in zip(phi, _double([p[active] for p in phi]), strict=True):
            p[active] = doubled
    back = scale[:, :, None] / scale[:, None, :]
    return [p * back for p in _double(phi)], [p * back for p in phi]


def balance(z: Matrices, sweeps: int = 6) -> tuple[Matrices, np.ndarray[Any, np.dtype[np.float64]]]:
    """D⁻¹ Z D with rows and columns of similar size, D of powers of two; and the diagonal of D, (m, n).

    A wave's [[0, 1], [-κ², 0]] has the norm κ² and the eigenvalues ±iκ: balanced, it needs as few
    squarings as they do (Osborne, J. ACM 7 (1960) 338-345).
    """
    count, n, _ = z.shape
    size = np.abs(z) * (1 - np.eye(n))
    scale = np.ones((count, n))
    for _ in range(sweeps):
        for i in range(n):
            row, column = size[:, i, :].sum(axis=1), size[:, :, i].sum(axis=1)
            both = (row > 0) & (column > 0)
            ratio = np.where(both, row, 1.0) / np.where(both, column, 1.0)
            factor = np.exp2(np.round(np.log2(ratio) / 2))
            scale[:, i] *= factor
            size[:, i, :] /= factor[:, None]
            size[:, :, i] *= factor[:, None]
    return z * (scale[:, None, :] / scale[:, :, None]), scale


def _taylor(z: Matrices) -> list[Matrices]:
    """φ_k(Z) = Σ_j Z^j / (j+k)!: the highest by Horner's rule, the others by φ_k = Z φ_{k+1} + 1/k!."""
    identity = np.broadcast_to(np.eye(z.shape[1], dtype=z.dtype), z.shape)
    highest = identity / factorial(DEGREE + ORDER)
    for j in range(DEGREE - 1, -1, -1):
        highest = z @ highest + identity / factorial(j + ORDER)
    phi = [highest]
    for k in range(ORDER - 1, -1, -1):
        phi.insert(0, z @ phi[0] + identity / factorial(k))
    return phi


def _double(phi: list[Matrices]) -> list[Matrices]:
    """The functions of 2Z from those of Z."""
    exponential = phi[0]
    doubled = [exponential @ exponential]
    for k in range(1, ORDER + 1):
        rest = sum(phi[j] / factorial(k - j) for j in range(1, k + 1))
        doubled.append((exponential @ phi[k] + rest) / 2.0**k)
    return doubled


__all__ = ["balance", "phi_functions"]
