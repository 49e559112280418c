"""Which of many simplices is nearest to a point, and which cell holds it: exact, for many points."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .region import Array, Mask

Numbers = np.ndarray[Any, np.dtype[np.int64]]
PAIRS = 2**17  # pairs of a point and a simplex that are looked at together: a few tens of MiB
ROUNDS = 4  # factor by which the number of candidates grows


class SimplexSearch:
    """Simplices (m, q + 1, k) behind a tree of their centroids.

    Candidates are taken by growing distance of their centroids until no farther one can matter: a simplex
    whose centroid is at distance d is no nearer than d - r, with r the largest distance of its vertices to
    the centroid.
    """

    def __init__(self, vertices: Array) -> None:
        from scipy.spatial import cKDTree

        self._vertices = vertices
        centroids = vertices.mean(axis=1)
        self._radii = np.linalg.norm(vertices - centroids[:, None], axis=2).max(axis=1)
        self._tree = cKDTree(centroids)

    def nearest(self, points: Array) -> tuple[Numbers, Array]:
        """Number (n,) of the nearest simplex, of dimension q <= 2, and distance (n,) to it."""
        return self._search(
            points,
            lambda point, simplex: distance(points[point], self._vertices[simplex]),
            lambda reach, radius, best: reach - radius < best,
        )

    def nearest_apart(self, points: Array, numbers: Numbers, vertices: Numbers) -> Array:
        """Distance (n,) of each point, which is vertex ``numbers`` (n,), to the simplices without it;
        ``vertices`` (m, q + 1) are the numbers of the vertices of the simplices."""

        def apart(point: Numbers, simplex: Numbers) -> Array:
            is_own = np.any(vertices[simplex] == numbers[point, None], axis=1)
            found = np.full(len(point), np.inf)
            found[~is_own] = distance(points[point[~is_own]], self._vertices[simplex[~is_own]])
            return found

        _, found = self._search(points, apart, lambda reach, radius, best: reach - radius < best)
        return found

    def locate(self, points: Array, tolerance: float) -> tuple[Numbers, Mask]:
        """Number (n,) of a cell (q = k) that holds each point, and whether (n,) there is one; ``tolerance``
        is how far outside of the planes of its faces a point may lie."""
        origins = self._vertices[:, 0]
        rest = np.linalg.inv(self._vertices[:, 1:] - origins[:, None]).transpose(0, 2, 1)
        gradients = np.concatenate([-rest.sum(axis=1, keepdims=True), rest], axis=1)  # of the barycentrics
        heights = 1 / np.linalg.norm(gradients, axis=2)

        def outside(point: Numbers, cell: Numbers) -> Array:
            inner = np.einsum("pfk,pk->pf", rest[cell], points[point] - origins[cell])
            barycentric = np.column_stack([1 - inner.sum(axis=1), inner])
            return np.asarray(np.max(-barycentric * heights[cell], axis=1))

        cells, worst = self._search(
            points,
            outside,
            lambda reach, radius, best: (best > tolerance) & (reach <= radius + tolerance),
        )
        return cells, np.asarray(worst <= tolerance)

    def _search(
        self,
        points: Array,
        measure: Callable[[Numbers, Numbers], Array],
        matters: Callable[[Array, Any, Array], Mask],
    ) -> tuple[Numbers, Array]:
        """The simplex of least ``measure(points, simplices)``, and that measure; infinite for points that
        are not finite.

        ``matters(reach, radius, best)``: whether a simplex of this radius, whose centroid is at distance
        ``reach``, can improve on the ``best`` so far.
        """
        best, chosen = np.full(len(points), np.inf), np.zeros(len(points), dtype=np.int64)
        left = np.flatnonzero(np.isfinite(points).all(axis=1))
        seen, total, largest = 0, len(self._vertices), float(self._radii.max())
        while len(left) and seen < total:
            count = min(ROUNDS * seen or 2, total)
            unsure = []
            for some in np.array_split(left, -(-len(left) * count // PAIRS)):
                found = self._tree.query(points[some], k=range(seen + 1, count + 1))
                reach, candidates = map(np.asarray, found)
                for column in _halves(reach.shape[1]):  # the first candidates spare work on the rest
                    near = reach[:, column]
                    row, at = np.nonzero(
                        matters(near, self._radii[candidates[:, column]], best[some][:, None])
                    )
                    values = np.full(near.shape, np.inf)
                    values[row, at] = measure(some[row], candidates[:, column][row, at])
                    least, rows = values.argmin(axis=1), np.arange(len(some))
                    better = values[rows, least] < best[some]
                    best[some[better]] = values[rows, least][better]
                    chosen[some[better]] = candidates[:, column][rows, least][better]
                unsure.append(some[matters(reach[:, -1], largest, best[some])])
            left, seen = np.concatenate(unsure), count
        return chosen, best


def _halves(count: int) -> list[slice]:
    return [slice(0, 1), slice(1, count)] if count > 1 else [slice(0, 1)]


def distance(points: Array, vertices: Array) -> Array:
    """Distance (n,) of each point (n, k) to its own simplex (n, q + 1, k), q <= 2.

    To the foot of the perpendicular where it lies in the simplex, else to the nearest of the faces.
    """
    corners = list(vertices.transpose(1, 2, 0))  # (k, n) each: long sums run along memory
    offset = points.T - corners[0]
    edges = [corner - corners[0] for corner in corners[1:]]
    if not edges:
        return _length(offset)
    if len(edges) == 1:
        return _to_segment(offset, edges[0])
    (a, b), (oa, ob) = edges, (_dot(offset, e) for e in edges)
    aa, ab, bb = _dot(a, a), _dot(a, b), _dot(b, b)
    sides = [_to_segment(offset, a), _to_segment(offset, b), _to_segment(offset - a, b - a)]
    rim = np.minimum(np.minimum(sides[0], sides[1]), sides[2])
    first, second, whole = bb * oa - ab * ob, aa * ob - ab * oa, aa * bb - ab * ab
    is_above = (first >= 0) & (second >= 0) & (first + second <= whole) & (whole > 0)
    whole = np.where(is_above, whole, 1.0)
    foot = offset - first / whole * a - second / whole * b
    return np.where(is_above, np.minimum(_length(foot), rim), rim)


def _to_segment(offset: Array, edge: Array) -> Array:
    along = np.clip(_dot(offset, edge) / _dot(edge, edge), 0.0, 1.0)
    return _length(offset - along * edge)


def _dot(a: Array, b: Array) -> Array:
    return np.asarray(sum(x * y for x, y in zip(a, b, strict=True)))


def _length(a: Array) -> Array:
    return np.asarray(np.sqrt(_dot(a, a)))
