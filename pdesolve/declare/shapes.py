"""Shapes of the plane: `Polygon`, `Disk`, `Ellipse`; combined with each other and with boxes by | & -.

    channel = Box((x, 0, 2.2), (y, 0, 0.41)) - Disk((x, y), center=(0.2, 0.2), radius=0.05, name="cylinder")
    l_shape = Polygon((x, y), [(0, 0), (1, 0), (1, 1), (-1, 1), (-1, -1), (0, -1)], names="wall")
    ring = Disk((x, y), radius=2, name="outer") - Disk((x, y), radius=1, name="inner")

A box brings its parts ``left``, ``right``, ``bottom``, ``top``; parts of one name become one part, and
`Domain.rename` tells them apart: ``box.rename({"left": "inlet"})``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import sympy as sp

from .domain import Domain
from .errors import EmptyDomainError, ExpressionTypeError, ShapeError
from .regions.region import Array
from .regions.shape import Point, Ring, Shape, Side
from .symbols import as_expression


def Polygon(
    coordinates: Sequence[sp.Symbol],
    vertices: Sequence[Sequence[Any]],
    names: str | Sequence[str] | None = None,
) -> Domain:
    """The inside of a closed polygon.

    Args:
        coordinates: the two space coordinates, ``(x, y)``.
        vertices: at least three points in the order along the boundary, either way round; a last one that
            repeats the first is dropped.
        names: one name for the whole boundary, or one for each edge, the i-th for the edge from vertex i to
            vertex i + 1; edges of one name are one part. By default ``side-1``, ``side-2``, …

    Raises:
        ShapeError: fewer than three vertices, repeated or non-finite ones, a wrong number of names.
        SelfIntersectionError: edges cross.
        EmptyDomainError: all vertices lie on one line.
        ExpressionTypeError: a vertex is not a pair of numbers; strings are never evaluated.
        NameClashError: a part is called ``initial`` or ``inside``, or both coordinates are the same.
    """
    who = "Polygon"
    plane = _plane(coordinates, who)
    if isinstance(vertices, str) or not hasattr(vertices, "__iter__"):
        raise ExpressionTypeError(
            who, "a list of vertices (x, y)", repr(vertices)[:80], "Write [(0, 0), (1, 0), (0, 1)]."
        )
    points = [_point(vertex, who) for vertex in vertices]
    if len(points) > 1 and points[0] == points[-1]:
        points.pop()
    if names is None:
        names = [f"side-{i + 1}" for i in range(len(points))]
    elif isinstance(names, str):
        names = [names] * len(points)
    if not isinstance(names, list | tuple) or len(names) != len(points):
        expected = f"one name, or a list of {len(points)} (one for each edge)"
        raise ShapeError(who, expected, repr(names)[:80], "Name every edge.")
    return Domain(Shape(plane, (Ring(tuple(points), tuple(Side(name) for name in names)),)))


def Disk(
    coordinates: Sequence[sp.Symbol],
    center: Sequence[Any] = (0, 0),
    radius: Any = 1,
    name: str = "circle",
    segments: int = 512,
) -> Domain:
    """The disk ‖x - center‖ < radius, as a regular polygon with its vertices on the circle.

    The polygon lacks 2 π² / (3 segments²) of the circle's area (2.5e-5 at 512) and π² / (6 segments²) of its
    length, and its edges run up to π² / (2 segments²) radii inside the circle; normals are those of the
    circle.

    Args:
        coordinates: the two space coordinates, ``(x, y)``.
        center, radius: numbers, in the coordinates' unit.
        name: what conditions call the circle.
        segments: number of edges, at least 16.

    Raises:
        EmptyDomainError: the radius is not positive.
        ShapeError: a number is not finite, or there are too few segments.
        ExpressionTypeError: centre or radius are no numbers; strings are never evaluated.
    """
    r = _number(radius, "Disk, radius", "a number")
    return _ellipse(coordinates, center, (r, r), name, segments, "Disk")


def Ellipse(
    coordinates: Sequence[sp.Symbol],
    center: Sequence[Any] = (0, 0),
    radii: Sequence[Any] = (2, 1),
    name: str = "ellipse",
    segments: int = 512,
) -> Domain:
    """The ellipse (x - x₀)² / a² + (y - y₀)² / b² < 1 with half axes ``radii = (a, b)``, as a polygon.

    Vertices lie on the ellipse at equal steps of its parameter angle; else as `Disk`.
    """
    return _ellipse(coordinates, center, radii, name, segments, "Ellipse")


def _ellipse(
    coordinates: Sequence[sp.Symbol],
    center: Sequence[Any],
    radii: Sequence[Any],
    name: str,
    segments: int,
    who: str,
) -> Domain:
    plane = _plane(coordinates, who)
    x0, y0 = _point(center, f"{who}, center")
    a, b = _point(radii, f"{who}, radii")
    if not (a > 0 and b > 0):
        raise EmptyDomainError(who, "a positive radius", f"{min(a, b):g}", "Give a radius above zero.")
    if not isinstance(segments, int) or isinstance(segments, bool) or segments < 16:
        raise ShapeError(who, "at least 16 segments", repr(segments)[:40], "Leave the default of 512.")
    angles = 2 * np.pi * np.arange(segments) / segments
    circle = _unit_circle(angles) * (a, b) + (x0, y0)
    side = Side(name, (x0, y0, a, b))
    ring = Ring(tuple((float(x), float(y)) for x, y in circle), (side,) * segments)
    return Domain(Shape(plane, (ring,)))


def _unit_circle(angles: Array) -> Array:
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def _plane(coordinates: Any, who: str) -> tuple[sp.Symbol, sp.Symbol]:
    is_pair = isinstance(coordinates, tuple | list) and len(coordinates) == 2
    if not is_pair or not all(isinstance(symbol, sp.Symbol) for symbol in coordinates):
        raise ExpressionTypeError(
            who, "two coordinates (x, y)", repr(coordinates)[:80], 'Make them with coordinates("x y").'
        )
    return (coordinates[0], coordinates[1])


def _point(value: Any, who: str) -> Point:
    """Two finite numbers."""
    if isinstance(value, str) or not hasattr(value, "__len__") or len(value) != 2:
        raise ExpressionTypeError(who, "two numbers (x, y)", repr(value)[:80], "Write (0.5, 0.5).")
    x, y = (_number(v, who, "two numbers (x, y)") for v in value)
    return x, y


def _number(value: Any, who: str, expected: str) -> float:
    """A finite number, symbolic ones such as ``pi / 2`` included."""
    number = as_expression(value, who, expected)
    if not (number.is_number and (number.is_extended_real or number is sp.nan)):
        raise ExpressionTypeError(who, expected, str(value)[:80], "Give real numbers, not symbols.")
    if not np.isfinite(float(number)):
        raise ShapeError(who, "finite numbers", str(number), "Correct the number.")
    return float(number)


__all__ = ["Disk", "Ellipse", "Polygon"]
