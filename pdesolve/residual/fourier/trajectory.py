"""What a run leaves behind: spectra at equally spaced times, in one or more time slabs.

Between the saved times a field is interpolated by local polynomials of degree nine, centred where the
slab allows it. Data with a kink evolve fast at first; slabs whose lengths double from one to the next
then put the saved times where the solution changes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...declare.domain import Array
from .grid import Spectra, power, relative, resize

NODES = 10
"""Saved times that one interpolation uses, where the slab has as many."""


@dataclass
class Slab:
    """Spectra (saved times, unknowns, *modes) at equally spaced times from ``start`` to ``end``."""

    start: float
    end: float
    spectra: Spectra

    @property
    def intervals(self) -> int:
        return len(self.spectra) - 1

    @property
    def spacing(self) -> float:
        return (self.end - self.start) / self.intervals if self.intervals else 1.0

    def stencils(self, times: Array) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        """Index of the first saved time that each interpolation uses, shape (n,)."""
        nodes = min(NODES, self.intervals + 1)
        interval = np.floor((times - self.start) / self.spacing).astype(np.int64)
        return np.clip(interval - (nodes // 2 - 1), 0, self.intervals + 1 - nodes)

    def weights(self, times: Array, order: int) -> Array:
        """Weights of the saved times of each stencil for the time derivative of ``order``, (n, nodes)."""
        nodes = min(NODES, self.intervals + 1)
        local = (times - self.start) / self.spacing - self.stencils(times)
        values = lagrange(nodes, local)
        differentiate = np.linalg.matrix_power(differentiation_matrix(nodes), order)
        return np.asarray(values @ differentiate) / self.spacing**order

    def matrix(self, times: Array, order: int) -> Array:
        """`weights` spread over all saved times, (n, saved times)."""
        weights, first = self.weights(times, order), self.stencils(times)
        result = np.zeros((len(times), self.intervals + 1))
        columns = first[:, None] + np.arange(weights.shape[1])
        np.put_along_axis(result, columns, weights, axis=1)
        return result

    def at(self, times: Array) -> Spectra:
        """Interpolated spectra, (n, unknowns, *modes)."""
        matrix = self.matrix(times, 0)
        flat = self.spectra.reshape(len(self.spectra), -1).view(np.float64)
        return (matrix @ flat).view(np.complex128).reshape(len(times), *self.spectra.shape[1:])


def lagrange(nodes: int, x: Array) -> Array:
    """The Lagrange polynomials of the nodes 0, 1, …, at ``x`` (n,), shape (n, nodes)."""
    j = np.arange(nodes)
    gap = np.where(np.eye(nodes, dtype=bool), 1, j[:, None] - j)
    factors = (x[:, None, None] - j) / gap  # (n, polynomial, node)
    factors[:, j, j] = 1
    return np.asarray(factors.prod(axis=2))


def differentiation_matrix(nodes: int) -> Array:
    """Derivative at the nodes 0, 1, … of the polynomial through values there (barycentric formula)."""
    j = np.arange(nodes)
    gap = np.where(np.eye(nodes, dtype=bool), 1, j[:, None] - j).astype(np.float64)
    inverse = 1 / gap.prod(axis=1)  # barycentric weights
    matrix = inverse / inverse[:, None] / gap
    matrix[j, j] = 0
    matrix[j, j] = -matrix.sum(axis=1)
    return np.asarray(matrix)


def prune(spectra: Spectra, dimension: int) -> Spectra:
    """Without the highest modes that are below round-off at all times."""
    size = np.abs(spectra).max(axis=(0, 1))
    keep = size > 0.01 * np.finfo(np.float64).eps * size.max()
    modes = spectra.shape[-1] - 1
    highest = 0
    for axis in range(dimension):
        used = np.flatnonzero(keep.any(axis=tuple(a for a in range(dimension) if a != axis)))
        full = 2 * modes + 1 if axis < dimension - 1 else None
        highest = max(highest, *(int(k if full is None else min(k, full - k)) for k in used), 0)
    return resize(spectra, highest, dimension)


def slab_edges(start: float, end: float, slabs: int) -> Array:
    """Edges of ``slabs`` intervals, each twice as long as the one before (the first two are equal)."""
    fractions = np.concatenate([[0.0], 2.0 ** -np.arange(slabs - 1, -1, -1)])
    return np.asarray(start + (end - start) * fractions)


def difference(coarse: Sequence[Slab], fine: Sequence[Slab], dimension: int) -> float:
    """Relative L2 distance in space and time at the saved times of ``coarse``, the largest of the unknowns.

    The trapezoid rule weights the times; ``fine`` may have saved more of them.
    """
    total = fine[-1].end - fine[0].start
    square = norm = np.zeros(fine[0].spectra.shape[1])
    for a, b in zip(coarse, fine, strict=True):
        modes = max(a.spectra.shape[-1], b.spectra.shape[-1]) - 1
        every = b.intervals // a.intervals
        reference = resize(b.spectra[::every], modes, dimension)
        weights = np.full(a.intervals + 1, a.spacing / total)
        weights[[0, -1]] /= 2
        square = square + weights @ power(resize(a.spectra, modes, dimension) - reference, dimension)
        norm = norm + weights @ power(reference, dimension)
    return relative(square, norm)
