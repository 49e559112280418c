"""Uniform refinement of simplices: every cell into 2^k of half the size, curved edges kept curved."""

from __future__ import annotations

import numpy as np

from .mesh import EDGES, Indices, Mesh
from .region import Array

CHILDREN: dict[int, tuple[tuple[tuple[int, int], ...], ...]] = {
    0: (((0, 0),),),
    1: (((0, 0), (0, 1)), ((0, 1), (1, 1))),
    2: (
        ((0, 0), (0, 1), (0, 2)),
        ((0, 1), (1, 1), (1, 2)),
        ((0, 2), (1, 2), (2, 2)),
        ((0, 1), (1, 2), (0, 2)),
    ),
    3: (
        ((0, 0), (0, 1), (0, 2), (0, 3)),
        ((0, 1), (1, 1), (1, 2), (1, 3)),
        ((0, 2), (1, 2), (2, 2), (2, 3)),
        ((0, 3), (1, 3), (2, 3), (3, 3)),
        ((0, 1), (0, 2), (0, 3), (1, 3)),
        ((0, 1), (0, 2), (1, 2), (1, 3)),
        ((0, 2), (0, 3), (1, 3), (2, 3)),
        ((0, 2), (1, 2), (1, 3), (2, 3)),
    ),
}
"""Corners of each child: (i, j) is the middle of vertices i and j. Triangles into four similar ones;
tetrahedra as J. Bey, Computing 55 (1995) 355, algorithm "RefineTet": with this order of the vertices
repeated refinement makes three shapes at most, so that angles stay bounded away from zero."""


def refine(mesh: Mesh) -> Mesh:
    """The mesh with every cell cut into 2^k; see `Mesh.refined`."""
    k, order = mesh.dimension, 2 if mesh.is_quadratic else 1
    parts = 2 * order  # lattice of the refined nodes: barycentric coordinates are multiples of 1 / parts
    children = np.array(CHILDREN[k])
    unit = np.eye(k + 1, dtype=np.int64)
    corners = unit[children].sum(axis=2) * order  # (children, k + 1, k + 1)
    nodes = corners
    if order == 2:
        middles = [(corners[:, i] + corners[:, j]) // 2 for i, j in EDGES[k]]
        nodes = np.concatenate([corners, np.stack(middles, axis=1)], axis=1)
    lattice, where = np.unique(nodes.reshape(-1, k + 1), axis=0, return_inverse=True)

    numbers, points = _number(mesh, lattice, parts)
    cells = numbers[:, where.reshape(nodes.shape[:2])].reshape(-1, nodes.shape[1])
    ends = np.concatenate([mesh.cells[:, edge] for edge in map(list, EDGES[k])])
    middles_of_cells = [_column(lattice, order * (unit[i] + unit[j])) for i, j in EDGES[k]]
    middle = _EdgeMiddles(ends, np.asarray(numbers[:, middles_of_cells].T.ravel()))

    pieces = np.array(CHILDREN[k - 1])
    boundaries = {}
    for part, facets in mesh.boundaries.items():
        halves = facets[:, pieces].reshape(-1, 2)
        boundaries[part] = middle.of(halves).reshape(-1, k)
    return Mesh(points, cells, boundaries)


class _EdgeMiddles:
    """Node numbers of the middles of edges, by the ends of the edge in any order."""

    def __init__(self, ends: Indices, middles: Indices) -> None:
        self._base = int(ends.max()) + 1
        keys, first = np.unique(self._key(ends), return_index=True)
        self._keys = np.asarray(keys)
        self._middles = middles[first]

    def _key(self, ends: Indices) -> Indices:
        return np.asarray(ends.min(axis=1) * self._base + ends.max(axis=1))

    def of(self, ends: Indices) -> Indices:
        """Middles (n,) of the edges (n, 2); of a vertex paired with itself the vertex."""
        numbers = ends[:, 0].copy()
        is_edge = ends[:, 0] != ends[:, 1]
        numbers[is_edge] = self._middles[np.searchsorted(self._keys, self._key(ends[is_edge]))]
        return numbers


def _column(lattice: Indices, position: Indices) -> int:
    (at,) = np.flatnonzero(np.all(lattice == position, axis=1))
    return int(at)


def _number(mesh: Mesh, lattice: Indices, parts: int) -> tuple[Indices, Array]:
    """Node numbers (m, lattice points) and all points: the old nodes keep their numbers, the new follow."""
    k, m = mesh.dimension, len(mesh.cells)
    own = parts * np.eye(k + 1, dtype=np.int64)
    if mesh.is_quadratic:
        own = np.concatenate([own, [(own[i] + own[j]) // 2 for i, j in EDGES[k]]])
    numbers = np.empty((m, len(lattice)), dtype=np.int64)
    is_old = np.zeros(len(lattice), dtype=bool)
    for column, position in zip(mesh.cells.T, own, strict=True):
        at = _column(lattice, position)
        numbers[:, at], is_old[at] = column, True
    new = lattice[~is_old]

    # A new node is known by the vertices that span it and its weight on each: cells that share an edge or
    # a face find the same key, whatever their own order of vertices.
    vertices = np.broadcast_to(mesh.cells[:, None, : k + 1], (m, len(new), k + 1))
    weights = np.broadcast_to(new, vertices.shape)
    key = np.where(weights > 0, vertices * (parts + 1) + weights, -1)
    key = np.sort(key.reshape(-1, k + 1), axis=1)
    _, first, same = np.unique(key, axis=0, return_index=True, return_inverse=True)
    numbers[:, ~is_old] = len(mesh.points) + same.reshape(m, len(new))

    cell, site = np.divmod(first, len(new))
    shape = _shape_functions(new / parts, k, mesh.is_quadratic)
    points = np.einsum("pn,pnk->pk", shape[site], mesh.points[mesh.cells[cell]])
    return numbers, np.concatenate([mesh.points, points])


def _shape_functions(barycentric: Array, k: int, is_quadratic: bool) -> Array:
    """Values (p, nodes of a cell) of the Lagrange polynomials of a cell."""
    if not is_quadratic:
        return barycentric
    corner = barycentric * (2 * barycentric - 1)
    edge = [4 * barycentric[:, i] * barycentric[:, j] for i, j in EDGES[k]]
    return np.column_stack([corner, *edge])
