"""Union, intersection and difference of regions of the plane."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..errors import DisconnectedDomainError, EmptyDomainError, ExpressionTypeError, ShapeError
from .box import FACE_NAMES, BoxRegion
from .region import Array, Region
from .shape import Ring, Shape, Side, nearest_edges

ROUND_OFF = 1e-12
"""Relative to the size: a vertex nearer than this to the other boundary lies on it. Without this, edges that
lie on one line but for rounding would leave slivers."""


def combine(first: Region, second: Region, operation: str) -> Shape:
    """``first | second``, ``first & second`` or ``first - second``.

    Each edge of the result keeps the name of the edge on which it lies, of ``first`` where both have one.
    Parts of one name become one part. A box that is subtracted bounds the result from the other side: its
    parts are called ``cut-left``, ``cut-right``, ``cut-bottom``, ``cut-top``.

    Raises:
        ExpressionTypeError: one is neither a shape nor a box.
        ShapeError: a box is not two-dimensional, or the coordinates differ.
        EmptyDomainError: nothing is left.
        DisconnectedDomainError: the result falls apart, also where pieces only touch in a point.
    """
    import shapely

    who = f"Domain {operation} Domain"
    a, b = outline(first, who), outline(second, who)
    if operation == "-" and isinstance(second, BoxRegion):
        b = b.rename({name: f"cut-{name}" for name in (face.name for face in b.faces)})
    if a.plane != b.plane:
        raise ShapeError(who, f"the coordinates {a.plane}", str(b.plane), "Give both the same coordinates.")
    size = max(a.size, b.size)
    tolerance = ROUND_OFF * size
    snapped_a, snapped_b = a.polygon, b.polygon
    if shapely.dwithin(a.boundary, b.boundary, tolerance):
        snapped_a = shapely.snap(snapped_a, snapped_b, tolerance)
        snapped_b = shapely.snap(snapped_b, snapped_a, tolerance)
    apply = {"|": shapely.union, "&": shapely.intersection, "-": shapely.difference}[operation]
    pieces = [
        piece
        for piece in shapely.get_parts(apply(snapped_a, snapped_b))
        if piece.geom_type == "Polygon" and piece.area > tolerance * size
    ]
    if not pieces:
        raise EmptyDomainError(who, "a region with positive area", "nothing", _REMEDY[operation])
    if len(pieces) > 1:
        raise DisconnectedDomainError(
            who, "a connected region", f"{len(pieces)} pieces", "Declare a problem for each piece."
        )
    polygon = shapely.normalize(pieces[0])
    rings = [shapely.get_coordinates(ring)[:-1] for ring in (polygon.exterior, *polygon.interiors)]
    return Shape(a.plane, _named_rings(rings, a, b, tolerance))


_REMEDY = {
    "|": "Give shapes with positive area.",
    "&": "Move the shapes so that they overlap.",
    "-": "Subtract a shape that does not cover the first.",
}


def rename(region: Region, names: Mapping[str, str]) -> Shape:
    """A shape or two-dimensional box with other names for some parts."""
    return outline(region, "Domain.rename").rename(names)


def outline(region: Region, who: str) -> Shape:
    """A shape as it is, a box of the plane as a shape.

    Raises:
        ExpressionTypeError: the region is neither.
        ShapeError: the box is not two-dimensional.
    """
    if isinstance(region, Shape):
        return region
    if not isinstance(region, BoxRegion):
        raise ExpressionTypeError(
            who,
            "shapes or boxes of the plane",
            type(region).__name__,
            "Make the geometry in the program that makes the mesh.",
        )
    if len(region.axes) != 2:
        raise ShapeError(
            who,
            "boxes with 2 axes",
            f"one with {len(region.axes)}",
            "Only regions of the plane are combined.",
        )
    (left, right), (bottom, top) = FACE_NAMES[:2]
    (x0, x1), (y0, y1) = (axis.bounds for axis in region.axes)
    ring = Ring(((x0, y0), (x1, y0), (x1, y1), (x0, y1)), (Side(bottom), Side(right), Side(top), Side(left)))
    return Shape((region.axes[0].coordinate, region.axes[1].coordinate), (ring,))


def _named_rings(rings: list[Array], a: Shape, b: Shape, tolerance: float) -> tuple[Ring, ...]:
    """The rings of a result, each edge with the side of the operand's edge on which its middle lies."""
    middles = np.concatenate([(points + np.roll(points, -1, axis=0)) / 2 for points in rings])
    side_a = nearest_edges(a.edges, middles, within=10 * tolerance)
    others = np.flatnonzero(side_a < 0)
    side_b = np.full(len(middles), -1)
    side_b[others] = nearest_edges(b.edges, middles[others])
    sides = [a.sides[i] if i >= 0 else b.sides[j] for i, j in zip(side_a, side_b, strict=True)]
    named, start = [], 0
    for points in rings:
        own_sides = tuple(sides[start : start + len(points)])
        named.append(Ring(tuple((float(x), float(y)) for x, y in points), own_sides))
        start += len(points)
    return tuple(named)
