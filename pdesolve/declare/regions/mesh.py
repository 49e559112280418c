"""`Mesh`: simplices with a named boundary, as every region reaches finite elements and files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import permutations
from typing import Any

import numpy as np

from .region import Array

Indices = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True, eq=False)
class Mesh:
    """Simplices of one dimension, linear or quadratic (curved).

    Attributes:
        points: nodes (n, k).
        cells: (m, k + 1) node numbers of vertices; in a quadratic mesh the nodes at the middles of edges
            follow in the order of ``EDGES[k]``: (m, k + 1 + number of edges).
        boundaries: for each part its facets, (q, k) vertex numbers.
    """

    points: Array
    cells: Indices
    boundaries: Mapping[str, Indices] = field(default_factory=dict)

    @property
    def dimension(self) -> int:
        return int(self.points.shape[1])

    @property
    def is_quadratic(self) -> bool:
        return bool(self.cells.shape[1] > self.dimension + 1)

    @cached_property
    def vertices(self) -> Array:
        """Corners of the cells, (m, k + 1, k)."""
        return self.points[self.cells[:, : self.dimension + 1]]

    @cached_property
    def facets(self) -> Indices:
        """The boundary facets (q, k), each a facet of one cell alone, oriented as in its cell."""
        all_facets, _ = self.cell_facets
        _, first, count = np.unique(self._keys(all_facets), return_index=True, return_counts=True)
        return np.asarray(all_facets[np.sort(first[count == 1])])

    @property
    def cell_facets(self) -> tuple[Indices, Indices]:
        """The facets (m (k + 1), k) of all cells, inner ones from both sides, and the vertex opposite each.

        The facets without the first vertex of every cell come first, then those without the second, ...
        """
        corners = self.cells[:, : self.dimension + 1]
        facets = [np.delete(corners, i, axis=1) for i in range(corners.shape[1])]
        return np.concatenate(facets), np.asarray(corners.T.ravel())

    def opposite(self, facets: Indices) -> Indices:
        """For each boundary facet (q, k) the vertex (q,) of its cell that is not on it."""
        keys, vertices = self._opposite
        return np.asarray(vertices[np.searchsorted(keys, self._keys(facets))])

    @cached_property
    def _opposite(self) -> tuple[Indices, Indices]:
        """The keys of the facets of all cells, sorted, and the vertex opposite each."""
        all_facets, vertices = self.cell_facets
        keys = self._keys(all_facets)
        order = np.argsort(keys, kind="stable")
        return keys[order], vertices[order]

    def _keys(self, facets: Indices) -> Indices:
        """One number for each facet (q, k), whatever the order of its vertices: rows would sort slowly."""
        keys = np.zeros(len(facets), dtype=np.int64)
        for column in np.sort(facets, axis=1).T:
            keys = keys * len(self.points) + column
        return keys

    @cached_property
    def edges(self) -> Indices:
        """The edges of the cells (e, 2), each once, as vertex numbers in increasing order."""
        ends = np.concatenate([self.cells[:, pair] for pair in map(list, EDGES[self.dimension])])
        return np.asarray(np.unique(np.sort(ends, axis=1), axis=0))

    @property
    def longest_edge(self) -> float:
        """Length of the longest edge, from vertex to vertex."""
        ends = self.points[self.edges]
        return float(np.linalg.norm(ends[:, 1] - ends[:, 0], axis=1).max())

    def refined(self) -> Mesh:
        """Uniformly refined: every cell cut into 2^k of half the size (k the dimension), parts inherited.

        Nodes keep their numbers and new ones follow, so that values at the old nodes are the first rows.
        In a quadratic mesh the new nodes lie on the curved edges.
        """
        from .refinement import refine

        return refine(self)


EDGES = {1: ((0, 1),), 2: ((0, 1), (1, 2), (0, 2)), 3: ((0, 1), (1, 2), (0, 2), (0, 3), (2, 3), (1, 3))}
"""Ends of the edge on which each middle node of a quadratic cell lies, as gmsh (triangles) numbers them."""


def box_mesh(axes: Sequence[Array]) -> Mesh:
    """The tensor grid of increasing coordinates, each box cut into k! simplices (Kuhn), faces named."""
    from .box import FACE_NAMES

    k = len(axes)
    shape = tuple(len(a) for a in axes)
    points = np.stack([g.ravel() for g in np.meshgrid(*axes, indexing="ij")], axis=1)
    number = np.arange(len(points)).reshape(shape)
    corner = np.stack([g.ravel() for g in np.indices(tuple(n - 1 for n in shape))], axis=1)
    cells = []
    for order in permutations(range(k)):
        path = [corner]
        for axis in order:  # from the lowest corner to the highest, one axis after the other
            step = path[-1].copy()
            step[:, axis] += 1
            path.append(step)
        cells.append(np.stack([number[tuple(p.T)] for p in path], axis=1))
    mesh = Mesh(points, np.concatenate(cells))
    facets, boundaries = mesh.facets, {}
    for i, grid in enumerate(axes):
        for name, value in zip(FACE_NAMES[i], (grid[0], grid[-1]), strict=True):
            boundaries[name] = facets[np.all(points[facets][:, :, i] == value, axis=1)]
    return Mesh(mesh.points, mesh.cells, boundaries)
