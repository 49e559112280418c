"""Real fields on a box as products of cosines and sines: what random fields are samples of.

f(x) = Σ_k c_k Π_a φ_{k_a}(x_a),    φ orthonormal eigenfunctions of -d²/dx² on each axis
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from .domain import Array

Boundary = Literal["periodic", "neumann", "dirichlet"]


def eigenvalues(boundary: Boundary, length: float, modes: int) -> Array:
    """λ of -φ'' = λ φ on an interval, in the order of `eigenfunctions`."""
    return np.asarray(_wavenumbers(boundary, length, modes) ** 2)


def eigenfunctions(
    boundary: Boundary, lower: float, length: float, modes: int, x: Array, order: int = 0
) -> Array:
    """φ_k, or a derivative of them, at ``x`` (n,), shape (n, M).

    ``periodic``: 1, cos and sin of 2πk(x - x₀)/L, M = 2K + 1; ``neumann``: 1, cos πk(x - x₀)/L, M = K + 1;
    ``dirichlet``: sin πk(x - x₀)/L, M = K; all of unit L2 norm.
    """
    kappa = _wavenumbers(boundary, length, modes)
    unit = (2 if boundary == "periodic" else 1) * np.pi / length
    waves = np.empty((len(x), modes + 1), dtype=np.complex128)  # exp(iκ(x - x₀)), powers of the first
    waves[:, 0], waves[:, 1:] = 1, np.exp(1j * unit * (x - lower))[:, None]
    np.cumprod(waves, axis=1, out=waves)
    waves *= 1j**order
    sines = waves.imag[:, 1:]
    parts = {"periodic": (waves.real, sines), "neumann": (waves.real,), "dirichlet": (sines,)}
    norm = np.where(kappa > 0, np.sqrt(2 / length), np.sqrt(1 / length))
    return np.asarray(np.concatenate(parts[boundary], axis=1) * (norm * kappa**order))


def _wavenumbers(boundary: Boundary, length: float, modes: int) -> Array:
    """κ of each eigenfunction."""
    k = np.arange(modes + 1.0)
    if boundary == "periodic":
        return np.asarray(2 * np.pi / length * np.concatenate([k, k[1:]]))
    return np.asarray(np.pi / length * (k if boundary == "neumann" else k[1:]))


@dataclass(frozen=True, eq=False)
class Series:
    """One field, evaluated by a product of matrices on tensor grids.

    Attributes:
        boundary: which eigenfunctions.
        lower, length: of the box, one number an axis.
        modes: K.
        coefficients: c, an axis of length M for each axis of the box.
        orders: derivative along each axis.
    """

    boundary: Boundary
    lower: tuple[float, ...]
    length: tuple[float, ...]
    modes: int
    coefficients: Array
    orders: tuple[int, ...]

    def __call__(self, *coordinates: Array) -> Array:
        """Values at points, any shape that the coordinates have in common."""
        given = np.broadcast_arrays(*(np.asarray(c, dtype=np.float64) for c in coordinates))
        flat = [c.ravel() for c in given]
        columns = [np.unique(c, return_inverse=True) for c in flat]
        if np.prod([len(values) for values, _ in columns], dtype=float) <= 2 * len(flat[0]):
            values = self.on_grid([values for values, _ in columns])
            return np.asarray(values[tuple(place for _, place in columns)]).reshape(given[0].shape)
        tables = [self._table(axis, c) for axis, c in enumerate(flat)]
        result = tables[-1] @ np.moveaxis(self.coefficients, -1, 0).reshape(self.coefficients.shape[-1], -1)
        result = result.reshape(len(flat[0]), *self.coefficients.shape[:-1])
        for table in tables[-2::-1]:
            result = np.einsum("n...k,nk->n...", result, table)
        return np.asarray(result).reshape(given[0].shape)

    def on_grid(self, axes: Sequence[Array]) -> Array:
        """Values on the tensor grid of ``axes``."""
        result = self.coefficients
        for axis, x in enumerate(axes):
            result = np.moveaxis(np.tensordot(self._table(axis, x), result, axes=(1, axis)), 0, axis)
        return np.asarray(result)

    def differentiated(self, axis: int) -> Series:
        orders = tuple(o + (a == axis) for a, o in enumerate(self.orders))
        return replace(self, orders=orders)

    @property
    def digest(self) -> str:
        """Tells one field from another."""
        return hashlib.sha256(np.round(self.coefficients, 12).tobytes()).hexdigest()[:12]

    def _table(self, axis: int, x: Array) -> Array:
        box = self.lower[axis], self.length[axis]
        return eigenfunctions(self.boundary, *box, self.modes, x, self.orders[axis])
