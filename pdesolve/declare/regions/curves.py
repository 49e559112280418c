"""Segments and circular arcs: the pieces of a boundary whose distance has a closed form."""

from __future__ import annotations

import math
from dataclasses import dataclass

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
