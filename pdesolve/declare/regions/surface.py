"""`SurfaceRegion`: the inside of a closed surface made of triangles."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NoReturn

import numpy as np
import sympy as sp

from ..errors import MeshingError
from . import simplices
from .arrays import array_from_json, array_to_json
from .mesh import Indices
from .region import INSIDE, Array, Axis, Face, Mask, Region
from .search import SimplexSearch

FLAT = 1e-6  # normals of a flat part differ by no more than this; STL holds single precision
PIECES = 16  # boxes along the longest side in quadrature of the inside
CORNERS = ((1, 2), (2, 0), (0, 1))  # of a triangle: the two other vertices of each


@dataclass(frozen=True, eq=False)
class SurfaceRegion(Region):
    """What a closed surface encloses, checked and turned outward by `surface_checks.checked_surface`.

    Areas, volume and normals are those of the triangles. `place` fills the bounding box, so that points
    outside must be dropped. The inside has no mesh: finite elements need `MeshDomain`.

    Attributes:
        variables: the coordinates x, y, z.
        points: vertices (n, 3).
        triangles: (m, 3) vertex numbers, counter-clockwise seen from outside.
        parts: names of the parts.
        labels: (m,) the part of each triangle, as its place in ``parts``.
    """

    variables: tuple[sp.Symbol, ...]
    points: Array
    triangles: Indices
    parts: tuple[str, ...]
    labels: Indices

    @cached_property
    def axes(self) -> tuple[Axis, ...]:
        ends = zip(self.variables, *self._bounds, strict=True)
        return tuple(Axis(symbol, sp.Float(float(low)), sp.Float(float(high))) for symbol, low, high in ends)

    @property
    def faces(self) -> tuple[Face, ...]:
        return tuple(map(Face, self.parts))

    @property
    def is_filled(self) -> bool:
        return False

    def measure(self, part: str = INSIDE) -> float:
        """Area of a part; the volume by the divergence theorem, V = Σ v₀ · (v₁ × v₂) / 6."""
        if part != INSIDE:
            return float(simplices.measures(self._facets(part)).sum())
        v = self._vertices - self._bounds[0]
        return float(np.einsum("mk,mk->", v[:, 0], np.cross(v[:, 1], v[:, 2])) / 6)

    def normal(self, part: str) -> Array | None:
        normals = self._normals[self.labels == self.parts.index(part)]
        return np.asarray(normals[0]) if np.ptp(normals, axis=0).max() <= FLAT else None

    def normals(self, points: Array, part: str) -> Array:
        """Outward unit normals (n, 3) of the triangles of a part that are nearest to ``points``."""
        nearest, _ = SimplexSearch(self._facets(part)).nearest(points)
        return np.asarray(self._normals[self.labels == self.parts.index(part)][nearest])

    def contains(self, points: Array, tolerance: float = 1e-12) -> Mask:
        lower, upper = self._bounds
        slack = tolerance * float(np.max(upper - lower))
        found = np.all((points >= lower - slack) & (points <= upper + slack), axis=1)
        found[found] = self.distance(points[found]) >= -slack
        return np.asarray(found)

    def distance(self, points: Array) -> Array:
        """Distance (n,) to the nearest triangle; its sign from the pseudonormal of the nearest feature.

        Where a vertex is nearest, the sign is that of the mean of the normals around it, weighted by the
        angles of their triangles, and at an edge of the plain mean: J. A. Bærentzen, H. Aanæs, IEEE Trans.
        Vis. Comput. Graph. 11 (2005) 243, theorem 1.
        """
        nearest, size = self._search.nearest(points)
        vertices = self._vertices[nearest]
        barycentric = closest_barycentric(points, vertices)
        feature = np.argmax(np.all((barycentric > 0)[:, None] == FEATURES, axis=2), axis=1)
        foot = np.einsum("nv,nvk->nk", barycentric, vertices)
        outside = np.einsum("nk,nk->n", points - foot, self._pseudonormals[nearest, feature]) > 0
        return np.asarray(np.where(outside, -size, size))

    def place(self, unit: Array, part: str = INSIDE) -> Array:
        """Points of a part; for the inside of the bounding box."""
        if part != INSIDE:
            return simplices.place(self._facets(part), unit)
        lower, upper = self._bounds
        return np.asarray(lower + unit * (upper - lower))

    def quadrature(self, n: int, part: str = INSIDE) -> tuple[Array, Array]:
        """Gauss points and weights: on a part exact for polynomials of degree 2n - 2 on each triangle.

        Inside it is approximate: the Gauss points of a grid of boxes, 16 along the longest side, that lie
        inside, with weights scaled to the exact volume. Boxes that the surface cuts make the error: with
        n from 2 to 4, below 1e-3 for smooth functions on a ball, below 1e-2 on a thin bracket, and no
        smaller at larger n.
        """
        if part != INSIDE:
            return simplices.quadrature(self._facets(part), n)
        from .box import tensor

        lower, upper = self._bounds
        nodes, weights = np.polynomial.legendre.leggauss(n)
        counts = np.maximum(1, np.round(PIECES * (upper - lower) / np.max(upper - lower))).astype(int)
        along = [((np.arange(c)[:, None] + (nodes + 1) / 2) / c).ravel() for c in counts]
        weight = tensor([np.tile(weights / 2, c) / c for c in counts]).prod(axis=1)
        points = lower + tensor(along) * (upper - lower)
        inside = self.contains(points)
        kept = weight[inside]
        return points[inside], kept * (self.measure() / kept.sum())

    def mesh(self, size: float | None = None) -> NoReturn:
        """Refused: triangles of a surface say nothing of cells inside.

        Raises:
            MeshingError: always.
        """
        raise MeshingError(
            "SurfaceDomain",
            "a region with cells inside",
            "a surface",
            "Mesh its inside (gmsh -3 part.stl, after Merge and a Volume), and load that with MeshDomain.",
        )

    def to_json(self) -> dict[str, Any]:
        from ..trees import expression_to_json as write

        return {
            "kind": "surface",
            "coordinates": [write(symbol) for symbol in self.variables],
            "points": array_to_json(self.points, "<f8"),
            "triangles": array_to_json(self.triangles, "<i4"),
            "parts": list(self.parts),
            "labels": array_to_json(self.labels[:, None], "<i4"),
        }

    # -- what is computed once ---------------------------------------------------------------------

    @cached_property
    def _vertices(self) -> Array:
        return np.asarray(self.points[self.triangles])

    @cached_property
    def _bounds(self) -> tuple[Array, Array]:
        return self.points.min(axis=0), self.points.max(axis=0)

    def _facets(self, part: str) -> Array:
        return np.asarray(self._vertices[self.labels == self.parts.index(part)])

    @cached_property
    def _search(self) -> SimplexSearch:
        return SimplexSearch(self._vertices)

    @cached_property
    def _normals(self) -> Array:
        return normals_of(self._vertices)

    @cached_property
    def _pseudonormals(self) -> Array:
        """For each triangle those of its features (m, 7, 3), in the order of `FEATURES`."""
        t, v, normals = self.triangles, self._vertices, self._normals
        at_vertex = np.zeros_like(self.points)
        for i, (j, k) in enumerate(CORNERS):
            a, b = v[:, j] - v[:, i], v[:, k] - v[:, i]
            cosine = np.einsum("mk,mk->m", a, b) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
            np.add.at(at_vertex, t[:, i], np.arccos(np.clip(cosine, -1, 1))[:, None] * normals)
        edges = np.sort(np.concatenate([t[:, list(pair)] for pair in CORNERS]), axis=1)
        _, same = np.unique(edges, axis=0, return_inverse=True)
        at_edge = np.zeros((same.max() + 1, 3))
        np.add.at(at_edge, same, np.tile(normals, (3, 1)))
        of_edges = at_edge[same].reshape(3, -1, 3).transpose(1, 0, 2)
        return np.concatenate([normals[:, None], of_edges, at_vertex[t]], axis=1)


FEATURES = np.array([(1, 1, 1), (0, 1, 1), (1, 0, 1), (1, 1, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1)], dtype=bool)
"""Which barycentric coordinates are positive on the face, the three edges and the three vertices."""


def normals_of(vertices: Array) -> Array:
    """Unit normals (m, 3) of triangles (m, 3, 3), on the side from which they run counter-clockwise."""
    normals = np.cross(vertices[:, 1] - vertices[:, 0], vertices[:, 2] - vertices[:, 0])
    return np.asarray(normals / np.linalg.norm(normals, axis=1, keepdims=True))


def closest_barycentric(points: Array, vertices: Array) -> Array:
    """Barycentric coordinates (n, 3) of the place of each triangle (n, 3, 3) that is nearest to its point,
    exactly zero off the face, edge or vertex where it lies."""
    offset = points - vertices[:, 0]
    a, b = vertices[:, 1] - vertices[:, 0], vertices[:, 2] - vertices[:, 0]
    aa, ab, bb, oa, ob = _dot(a, a), _dot(a, b), _dot(b, b), _dot(offset, a), _dot(offset, b)
    whole = aa * bb - ab**2
    first, second = (bb * oa - ab * ob) / whole, (aa * ob - ab * oa) / whole
    best = np.column_stack([1 - first - second, first, second])
    off = np.flatnonzero((best < 0).any(axis=1))
    least = np.full(len(off), np.inf)
    for i, (j, k) in enumerate(CORNERS):  # the nearest place of each edge
        start, edge = vertices[off, j], vertices[off, k] - vertices[off, j]
        along = np.clip(_dot(points[off] - start, edge) / _dot(edge, edge), 0, 1)
        gap = np.linalg.norm(points[off] - start - along[:, None] * edge, axis=1)
        nearer = gap < least
        least[nearer] = gap[nearer]
        rows = off[nearer]
        best[rows, i], best[rows, j], best[rows, k] = 0.0, 1 - along[nearer], along[nearer]
    return best


def _dot(a: Array, b: Array) -> Array:
    return np.asarray(np.einsum("nk,nk->n", a, b))


def read_surface_region(content: Any) -> SurfaceRegion:
    """The region that `SurfaceRegion.to_json` wrote, checked anew.

    Raises:
        SerializationError: the content is malformed.
        DeclarationError: the surface is refused by `checked_surface`.
    """
    from ..trees import listed, refused, symbol, text
    from .surface_checks import checked_surface

    variables = tuple(symbol(item) for item in listed(content["coordinates"]))
    points = array_from_json(content["points"], "<f8", 3)
    triangles = array_from_json(content["triangles"], "<i4", 3).astype(np.int64)
    parts = tuple(text(name) for name in listed(content["parts"]))
    labels = array_from_json(content["labels"], "<i4", 1)[:, 0].astype(np.int64)
    if len(variables) != 3 or len(labels) != len(triangles) or set(labels.tolist()) != set(range(len(parts))):
        raise refused("three coordinates, and a part for each triangle", f"{len(variables)}, {parts}"[:80])
    checked = checked_surface(points, triangles, "problem_from_json(), surface")
    if checked[1].shape != triangles.shape:
        raise refused("a surface without degenerate triangles", "some")
    return SurfaceRegion(variables, *checked, parts, labels)
