"""Integration and sampling on sets of simplices: segments, triangles, tetrahedra, in any space.

``vertices`` is always (m, q + 1, k): m simplices of dimension q in k-dimensional space.
"""

from __future__ import annotations

import math

import numpy as np

from .region import Array


def measures(vertices: Array) -> Array:
    """Length, area or volume (m,) of each simplex: √det(EᵀE) / q! with E the edges from the first vertex."""
    edges = vertices[:, 1:] - vertices[:, :1]
    gram = np.linalg.det(edges @ edges.transpose(0, 2, 1))
    return np.asarray(np.sqrt(np.maximum(gram, 0.0)) / math.factorial(vertices.shape[1] - 1))


def place(vertices: Array, unit: Array) -> Array:
    """Points (n, k) from ``unit`` (n, q) in the unit cube, preserving measure.

    The first coordinate picks the simplex; what remains of it, stretched to [0, 1], is used again, so that
    low-discrepancy points stay evenly spread.
    """
    n = len(unit)
    edges = np.concatenate([[0.0], np.cumsum(measures(vertices))])
    edges /= edges[-1]
    chosen = np.clip(np.searchsorted(edges, unit[:, 0], side="right") - 1, 0, len(vertices) - 1)
    rest = (unit[:, 0] - edges[chosen]) / (edges[chosen + 1] - edges[chosen])
    sorted_unit = np.sort(np.column_stack([rest, unit[:, 1:]]), axis=1)  # spacings of order statistics
    barycentric = np.diff(np.column_stack([np.zeros(n), sorted_unit, np.ones(n)]), axis=1)
    return np.asarray(np.einsum("nv,nvk->nk", barycentric, vertices[chosen]))


def quadrature(vertices: Array, n: int) -> tuple[Array, Array]:
    """Gauss points (m n^q, k) and weights, exact for polynomials of degree 2n - q on each simplex.

    The collapsed (Duffy) product of Gauss-Legendre rules.
    """
    q = vertices.shape[1] - 1
    nodes, weights = np.polynomial.legendre.leggauss(n)
    nodes, weights = (nodes + 1) / 2, weights / 2
    cube = np.stack([g.ravel() for g in np.meshgrid(*[nodes] * q, indexing="ij")], axis=1)
    weight = np.stack([g.ravel() for g in np.meshgrid(*[weights] * q, indexing="ij")], axis=1).prod(axis=1)
    remaining, coordinates = np.ones(len(cube)), np.empty_like(cube)
    for i in range(q):  # x_i = c_i (1 - x_0 - … - x_{i-1})
        coordinates[:, i] = cube[:, i] * remaining
        weight = weight * remaining
        remaining = remaining - coordinates[:, i]
    barycentric = np.column_stack([1 - coordinates.sum(axis=1), coordinates])
    points = np.einsum("pv,mvk->mpk", barycentric, vertices)
    scale = measures(vertices) * math.factorial(q)
    return points.reshape(-1, vertices.shape[2]), (scale[:, None] * weight).ravel()
