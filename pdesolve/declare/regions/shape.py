"""`Shape`: a region of the plane inside closed polygons, with holes and named parts of its boundary.

Circles and ellipses are polygons with many vertices on them, whose edges know their curve. Areas, distances
and sampled points are those of the polygon; normals are those of the curve.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy as sp

from ..errors import EmptyDomainError, NameClashError, SelfIntersectionError, ShapeError
from . import simplices
from .curves import Curve, curves_of
from .region import INITIAL, INSIDE, Array, Axis, Face, Mask, Region, checked_size

if TYPE_CHECKING:
    from .mesh import Indices, Mesh

Point = tuple[float, float]


@dataclass(frozen=True)
class Side:
    """What an edge belongs to.

    Attributes:
        part: the part of the boundary.
        ellipse: of a chord of an ellipse, its centre and half axes (x₀, y₀, a, b).
    """

    part: str
    ellipse: tuple[float, float, float, float] | None = None


@dataclass(frozen=True)
class Ring:
    """A closed polygon; ``sides[i]`` leads from ``points[i]`` to ``points[i + 1]``, the last one back."""

    points: tuple[Point, ...]
    sides: tuple[Side, ...]

    def reversed(self) -> Ring:
        """The same polygon, run through the other way."""
        sides = self.sides[-2::-1] + self.sides[-1:]
        return Ring(self.points[::-1], sides)

    @property
    def signed_area(self) -> float:
        """Positive for a ring that runs counter-clockwise."""
        x, y = np.array(self.points).T
        x, y = x - x[0], y - y[0]
        return float(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y) / 2)


@dataclass(frozen=True)
class Shape(Region):
    """The inside of ``rings[0]`` less that of the other rings.

    Attributes:
        plane: the two coordinates.
        rings: the outer boundary, then the holes. The first is turned counter-clockwise and the others
            clockwise, so that the inside lies to the left of every edge.

    Raises:
        ShapeError: fewer than three vertices, vertices that are not finite, or one that is repeated.
        EmptyDomainError: the area is zero.
        SelfIntersectionError: edges cross, or a hole lies outside.
        NameClashError: a part is called ``"initial"`` or ``"inside"``.
    """

    plane: tuple[sp.Symbol, sp.Symbol]
    rings: tuple[Ring, ...]

    def __post_init__(self) -> None:
        for ring in self.rings:
            _check_ring(ring)
        outer, *holes = self.rings
        turned = [outer if outer.signed_area > 0 else outer.reversed()]
        turned += [ring if ring.signed_area < 0 else ring.reversed() for ring in holes]
        object.__setattr__(self, "rings", tuple(turned))
        import shapely

        if not shapely.is_valid(self.polygon):
            raise SelfIntersectionError(
                "Shape",
                "edges that meet at their ends only, and holes inside",
                shapely.is_valid_reason(self.polygon),
                "Give the vertices in the order in which they follow each other along the boundary.",
            )

    # -- the parts as arrays ---------------------------------------------------------------------------

    @cached_property
    def polygon(self) -> Any:
        """The shape as a ``shapely.Polygon``."""
        import shapely

        outer, *holes = [np.array(ring.points) for ring in self.rings]
        polygon = shapely.Polygon(outer, holes)
        shapely.prepare(polygon)
        return polygon

    @cached_property
    def edges(self) -> Array:
        """All edges (m, 2, 2): number, end, coordinate; the inside lies to their left."""
        rings = [np.array(ring.points) for ring in self.rings]
        return np.concatenate([np.stack([ring, np.roll(ring, -1, axis=0)], axis=1) for ring in rings])

    @cached_property
    def sides(self) -> tuple[Side, ...]:
        """What each edge belongs to."""
        return tuple(side for ring in self.rings for side in ring.sides)

    @cached_property
    def _members(self) -> dict[str, Indices]:
        """The numbers of the edges of each part."""
        names = np.array([side.part for side in self.sides])
        return {name: np.flatnonzero(names == name) for name in dict.fromkeys(names.tolist())}

    @cached_property
    def runs(self) -> tuple[Indices, ...]:
        """The edges in runs without a corner: each straight edge alone, the chords of one curve together."""
        runs: list[Indices] = []
        start = 0
        for ring in self.rings:
            n, sides = len(ring.sides), ring.sides
            first = [i for i in range(n) if sides[i].ellipse is None or sides[i] != sides[i - 1]] or [0]
            for i, following in zip(first, [*first[1:], first[0] + n], strict=True):
                runs.append(start + np.arange(i, following) % n)
            start += n
        return tuple(runs)

    @cached_property
    def touching_runs(self) -> tuple[tuple[int, int], ...]:
        """For each run the one before it and the one after it on its ring."""
        touching: list[tuple[int, int]] = []
        ends = np.cumsum([len(ring.sides) for ring in self.rings])
        ring_of = np.searchsorted(ends, [run[0] for run in self.runs], side="right")
        for ring in range(len(self.rings)):
            own = np.flatnonzero(ring_of == ring).tolist()
            touching += zip([own[-1], *own[:-1]], [*own[1:], own[0]], strict=True)
        return tuple(touching)

    @cached_property
    def edge_normals(self) -> Array:
        """The outward unit normal (m, 2) of each edge."""
        along = self.edges[:, 1] - self.edges[:, 0]
        along /= np.linalg.norm(along, axis=1)[:, None]
        return np.stack([along[:, 1], -along[:, 0]], axis=1) + 0.0  # no -0

    @cached_property
    def triangles(self) -> Array:
        """A triangulation (m, 3, 2) that adds no vertex; its triangles may be long and thin."""
        import shapely

        pieces = shapely.get_parts(shapely.constrained_delaunay_triangles(self.polygon))
        return np.array([shapely.get_coordinates(piece)[:3] for piece in pieces])

    # -- the region ------------------------------------------------------------------------------------

    @cached_property
    def axes(self) -> tuple[Axis, ...]:
        lower, upper = self.edges.min(axis=(0, 1)), self.edges.max(axis=(0, 1))
        return tuple(Axis(s, float(a), float(b)) for s, a, b in zip(self.plane, lower, upper, strict=True))

    @cached_property
    def size(self) -> float:
        """The longest side of the bounding box; tolerances are relative to it."""
        return max(axis.length for axis in self.axes)

    @cached_property
    def faces(self) -> tuple[Face, ...]:
        return tuple(Face(name) for name in self._members)

    def measure(self, part: str = INSIDE) -> float:
        if part == INSIDE:
            return math.fsum(ring.signed_area for ring in self.rings)
        return float(np.sum(simplices.measures(self.edges[self._members[part]])))

    def normal(self, part: str) -> Array | None:
        normals = self.edge_normals[self._members[part]]
        is_flat = np.all(np.abs(normals - normals[0]) < 1e-10)
        return np.asarray(normals[0]) if is_flat else None

    def normals(self, points: Array, part: str) -> Array:
        members = self._members[part]
        nearest = members[nearest_edges(self.edges[members], points)]
        normals = self.edge_normals[nearest]
        chords = self._ellipses[nearest]
        curved = np.isfinite(chords[:, 0])
        center, radii = chords[curved, :2], chords[curved, 2:]
        gradient = (points[curved] - center) / radii**2
        gradient /= np.linalg.norm(gradient, axis=1)[:, None]
        outward = np.einsum("nk,nk->n", gradient, normals[curved])
        normals[curved] = gradient * np.sign(outward)[:, None]
        return normals

    def contains(self, points: Array, tolerance: float = 1e-12) -> Mask:
        """True inside, up to ``tolerance`` times the size, and between a chord and its curve."""
        import shapely

        inside = shapely.contains_xy(self.polygon, points[:, 0], points[:, 1])
        slack = tolerance * self.size
        outside = np.flatnonzero(~inside)
        geometries = shapely.points(points[outside])
        inside[outside] = shapely.dwithin(self.polygon, geometries, slack)
        if np.any(np.isfinite(self._ellipses)):
            near = outside[shapely.dwithin(self.polygon, geometries, slack + self._sagitta)]
            x0, y0, a, b = self._ellipses[nearest_edges(self.edges, points[near])].T
            level = np.hypot((points[near, 0] - x0) / a, (points[near, 1] - y0) / b)
            inside[near] |= level <= 1 + slack / np.maximum(a, b)  # never of a straight edge: NaN
        return np.asarray(inside)

    @cached_property
    def _ellipses(self) -> Array:
        """The ellipse (m, 4) of each edge; NaN for straight ones."""
        return np.array([side.ellipse or (np.nan,) * 4 for side in self.sides])

    @cached_property
    def _sagitta(self) -> float:
        """An upper bound of the distance between a chord and its curve."""
        lengths = np.linalg.norm(self.edges[:, 1] - self.edges[:, 0], axis=1)
        a, b = self._ellipses[:, 2:].T
        flattest = np.minimum(a, b) ** 2 / np.maximum(a, b)  # the least radius of curvature
        return float(np.nanmax(np.minimum(lengths**2 / (4 * flattest), lengths)))

    def distance(self, points: Array) -> Array:
        import shapely

        away = shapely.distance(self.boundary, shapely.points(points))
        inside = shapely.contains_xy(self.polygon, points[:, 0], points[:, 1])
        return np.asarray(np.where(inside, away, -away))

    @cached_property
    def boundary(self) -> Any:
        """All rings as lines of shapely."""
        import shapely

        boundary = shapely.boundary(self.polygon)
        shapely.prepare(boundary)
        return boundary

    def place(self, unit: Array, part: str = INSIDE) -> Array:
        return simplices.place(self._pieces(part), unit)

    def quadrature(self, n: int, part: str = INSIDE) -> tuple[Array, Array]:
        return simplices.quadrature(self._pieces(part), n)

    def _pieces(self, part: str) -> Array:
        return self.triangles if part == INSIDE else self.edges[self._members[part]]

    def mesh(self, size: float | None = None) -> Mesh:
        from .size_field import CELLS
        from .triangulate import triangulate

        return triangulate(self, self.size / CELLS if size is None else checked_size(size))

    def boundary_curves(self, part: str) -> tuple[Curve, ...] | None:
        return curves_of(self.rings, part)

    def to_json(self) -> dict[str, Any]:
        from ..trees import expression_to_json as write

        return {
            "kind": "shape",
            "coordinates": [write(symbol) for symbol in self.plane],
            "rings": [
                {
                    "points": [list(point) for point in ring.points],
                    "sides": [[s.part, s.ellipse and list(s.ellipse)] for s in ring.sides],
                }
                for ring in self.rings
            ],
        }

    def rename(self, names: Mapping[str, str]) -> Shape:
        """The shape with other names for some parts; parts that get the same name become one.

        Raises:
            ShapeError: a part to be renamed does not exist.
        """
        for name in names:
            if name not in self._members:
                raise ShapeError(
                    "rename", f"some of {', '.join(self._members)}", repr(name), "Name existing parts."
                )
        rings = (
            Ring(ring.points, tuple(Side(names.get(s.part, s.part), s.ellipse) for s in ring.sides))
            for ring in self.rings
        )
        return Shape(self.plane, tuple(rings))


def _check_ring(ring: Ring) -> None:
    points = np.array(ring.points, dtype=float).reshape(-1, 2)
    if len(points) < 3:
        raise ShapeError("Shape", "at least 3 vertices", str(len(points)), "Give a polygon.")
    if not np.all(np.isfinite(points)):
        bad = points[~np.all(np.isfinite(points), axis=1)][0]
        raise ShapeError("Shape", "finite vertices", str(tuple(bad.tolist())), "Correct the coordinates.")
    repeated = np.all(points == np.roll(points, -1, axis=0), axis=1)
    if np.any(repeated):
        twice = tuple(points[repeated][0].tolist())
        raise ShapeError(
            "Shape", "vertices that differ from the next", f"{twice} twice in a row", "Drop the repetition."
        )
    extent = np.linalg.svd(points - points.mean(axis=0), compute_uv=False)
    if extent[1] <= 1e-14 * extent[0]:
        raise EmptyDomainError(
            "Shape", "a positive area", "vertices on one line", "Move the vertices off one line."
        )
    radii = np.array([side.ellipse[2:] for side in ring.sides if side.ellipse])
    if len(ring.sides) != len(points) or not np.all((radii > 0) & np.isfinite(radii)):
        got = f"{len(ring.sides)} sides, half axes {radii.tolist()}"[:80]
        raise ShapeError("Shape", f"{len(points)} sides, positive half axes", got, "Correct the ring.")
    check_names((side.part for side in ring.sides), "Shape")


def check_names(names: Iterable[Any], who: str) -> None:
    """Names of parts are strings, and none is reserved.

    Raises:
        ShapeError: a name is no string, or empty.
        NameClashError: a name is ``"initial"`` or ``"inside"``.
    """
    for name in dict.fromkeys(names):
        if not isinstance(name, str) or not name:
            raise ShapeError(who, "names of parts as strings", repr(name)[:80], 'Write names="wall".')
        if name in (INITIAL, INSIDE):
            raise NameClashError(
                who, "names of parts of the boundary", repr(name), "The name is reserved: choose another."
            )


def nearest_edges(edges: Array, points: Array, within: float | None = None) -> Indices:
    """The edge (n,) of ``edges`` (m, 2, 2) nearest to each point (n, 2); -1 where none is near enough."""
    import shapely

    tree = shapely.STRtree(shapely.linestrings(edges))
    asked, found = tree.query_nearest(shapely.points(points), max_distance=within, all_matches=False)
    nearest = np.full(len(points), -1, dtype=np.int64)
    nearest[asked] = found
    return nearest
