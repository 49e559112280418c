"""Segments and circular arcs: the pieces of a boundary whose distance has a closed form."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .shape import Ring, Side

Point = tuple[float, float]


@dataclass(frozen=True)
class Segment:
    """A straight piece of the boundary, directed so that the region lies to its left."""

    start: Point
    end: Point


@dataclass(frozen=True)
class Arc:
    """A circular piece of the boundary, by default the whole circle.

    Attributes:
        center, radius: of the circle.
        first, last: angles in radians, ``first < last <= first + 2π``; the arc runs counter-clockwise
            between them.
        is_outer: whether the region lies on the inner side of the circle (a disk) or outside (a hole).
    """

    center: Point
    radius: float
    first: float = 0.0
    last: float = 2 * math.pi
    is_outer: bool = True

    @property
    def is_circle(self) -> bool:
        return self.last - self.first > 2 * math.pi * (1 - 1e-12)


Curve = Segment | Arc


def curves_of(rings: Sequence[Ring], part: str) -> tuple[Curve, ...] | None:
    """The segments and arcs of a part; None where it holds a piece of an ellipse.

    In each ring the region lies to the left of every edge.
    """
    curves: list[Curve] = []
    for ring in rings:
        n = len(ring.sides)
        # Begin where a curve begins, so that no arc is cut in two by the start of the ring.
        first = next((i for i in range(n) if ring.sides[i] != ring.sides[i - 1]), 0)
        order = [(first + i) % n for i in range(n)]
        for side, group in groupby(order, key=lambda i: ring.sides[i]):
            if side.part != part:
                continue
            edges = [(ring.points[i], ring.points[(i + 1) % n]) for i in group]
            if side.ellipse is None:
                curves += [Segment(start, end) for start, end in edges]
            elif math.isclose(side.ellipse[2], side.ellipse[3], rel_tol=1e-12):
                curves.append(_arc(side, edges))
            else:
                return None
    return tuple(curves)


def _arc(side: Side, edges: Sequence[tuple[Point, Point]]) -> Arc:
    """The arc under consecutive chords."""
    assert side.ellipse is not None
    x, y, radius, _ = side.ellipse
    angles = [math.atan2(q[1] - y, q[0] - x) for q in (edges[0][0], edges[0][1], edges[-1][1])]
    is_outer = math.remainder(angles[1] - angles[0], 2 * math.pi) > 0  # region on the left: inside the circle
    first, last = (angles[0], angles[2]) if is_outer else (angles[2], angles[0])
    if edges[0][0] == edges[-1][1]:
        return Arc((x, y), radius, is_outer=is_outer)
    return Arc((x, y), radius, first, first + (last - first) % (2 * math.pi), is_outer)
