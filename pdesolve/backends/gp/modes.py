"""Polynomials on one axis that satisfy homogeneous conditions, and make -d²/dz² and the mass diagonal.

With L_k Legendre's polynomials on [-1, 1] the combinations φ_k = L_k + α_k L_{k+1} + β_k L_{k+2} that satisfy

    p u + q u' = 0   at z = -1 and z = 1

have the stiffness K = -∫ φ_k'' φ_l = -β_k (4k + 6) δ_kl and a mass M with five diagonals. The eigenproblem is
solved for K^{-1/2} M K^{-1/2}, the inverse of the operator: the low modes, which a solution is made of, come
out to the last digit, whereas those of M^{-1} K drown in the round-off of its highest eigenvalue, ~ n⁴.

Source: J. Shen, SIAM J. Sci. Comput. 15 (1994) 1489-1505, lemma 2.1, with general conditions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.polynomial import legendre
from scipy import fft, linalg

from ...declare.domain import Array

Ends = tuple[tuple[float, float], tuple[float, float]]
"""(p, q) at z = -1 and at z = 1."""


@dataclass(frozen=True)
class Modes:
    """V with Vᵀ K V = diag(stiffness), Vᵀ M V = diag(mass).

    Attributes:
        legendre, chebyshev: coefficients of the modes in either polynomials, (n, modes).
    """

    stiffness: Array
    mass: Array
    legendre: Array
    chebyshev: Array

    @classmethod
    def of(cls, n: int, ends: Ends, parity: int = 0) -> Modes:
        """Of degree below ``n``; those that are even or odd alone with a ``parity`` of 1 or -1."""
        k = np.arange(n - 2)
        alpha, beta = _combinations(k, ends)
        if parity:
            k = k[(-1) ** k == parity]
        basis = np.zeros((n, len(k)))
        basis[k, np.arange(len(k))] = 1.0
        basis[k + 1, np.arange(len(k))] = alpha[k]
        basis[k + 2, np.arange(len(k))] = beta[k]
        mass = basis.T @ (basis * (2 / (2 * np.arange(n) + 1))[:, None])
        stiffness = -beta[k] * (4 * k + 6)
        turned = np.eye(len(k))
        if stiffness[0] <= 0:  # the constant, between two ends without flux: the others made orthogonal to it
            turned[0, 1:] = -mass[0, 1:] / mass[0, 0]
            mass = turned.T @ mass @ turned
        scale = 1 / np.sqrt(np.where(stiffness > 0, stiffness, mass[0, 0]))
        values, vectors = linalg.eigh(scale[:, None] * mass * scale, overwrite_a=True, check_finite=False)
        modes = basis @ (turned @ (scale[:, None] * vectors))
        # Vᵀ K V is the identity, but for the constant
        energies = np.square(vectors[1:]).sum(axis=0) if stiffness[0] <= 0 else np.ones(len(k))
        return cls(energies, np.maximum(values, np.finfo(float).tiny), modes, _chebyshev(n) @ modes)


def _combinations(k: np.ndarray[Any, Any], ends: Ends) -> tuple[Array, Array]:
    """(α_k, β_k)."""

    def at(end: int, degree: np.ndarray[Any, Any]) -> Array:
        """The condition at an end, of L_degree."""
        (value, slope), side = ends[max(end, 0)], float(end) ** degree
        return np.asarray(side * (value + end * slope * degree * (degree + 1) / 2))

    (a, b), (c, d) = ((at(end, k + 1), at(end, k + 2)) for end in (-1, 1))
    e, f = -at(-1, k), -at(1, k)
    determinant = a * d - b * c
    return (e * d - b * f) / determinant, (a * f - e * c) / determinant


def _chebyshev(n: int) -> Array:
    """Coefficients in Chebyshev's polynomials of Legendre's, (n, n)."""
    return coefficients(np.asarray(legendre.legvander(nodes(n), n - 1), dtype=np.float64), 0)


def nodes(n: int) -> Array:
    """Chebyshev's points of the first kind on [-1, 1], from which `coefficients` start."""
    return np.asarray(np.cos((np.arange(n) + 0.5) * np.pi / n))


def coefficients(values: Array, axis: int) -> Array:
    """Chebyshev coefficients along an axis from values at `nodes`."""
    found = np.moveaxis(fft.dct(values, type=2, axis=axis), axis, 0) / values.shape[axis]
    found[0] /= 2
    return np.asarray(np.moveaxis(found, 0, axis))
