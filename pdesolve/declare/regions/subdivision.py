"""`Subdivision`: the boundary of a shape as segments of a mesh, which can be split."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .mesh import Indices
from .region import Array, Mask
from .shape import Shape
from .size_field import SizeField

SHARP = math.radians(60)
"""At corners below this, segments are split at distances that both sides have in common."""


class Subdivision:
    """The points of a mesh and the segments of its boundary, for the time of its making.

    Segment i leads from ``points[ends[i, 0]]`` to ``points[ends[i, 1]]`` along the run ``run[i]`` of the
    shape (a straight edge, or all chords of a curve), between the lengths ``arc[i]`` along it; the inside
    lies to its left. ``on_run`` is for each point the run inside which it lies; -1 for corners and inner
    points. ``wanted`` is the field at each point.
    """

    def __init__(self, shape: Shape, field: SizeField) -> None:
        self.shape, self.field = shape, field
        self.lines = [np.concatenate([shape.edges[run, 0], shape.edges[run[-1:], 1]]) for run in shape.runs]
        steps = (np.linalg.norm(np.diff(line, axis=0), axis=1) for line in self.lines)
        self.lengths = [np.concatenate([[0.0], np.cumsum(step)]) for step in steps]
        corners, number = np.unique(
            np.concatenate([line[[0, -1]] for line in self.lines]), axis=0, return_inverse=True
        )
        corner_of = number.reshape(-1, 2)  # of each run, the numbers of its first and last point
        points, ends, runs, arcs = [corners], [], [], []
        count, inner = len(corners), []
        for i, (first, last) in enumerate(corner_of):
            arc = self._divide(i)
            own = count + np.arange(len(arc) - 2)
            points.append(self._at(i, arc[1:-1]))
            ends.append(np.column_stack([[first, *own], [*own, last]]))
            runs.append(np.full(len(arc) - 1, i))
            arcs.append(np.column_stack([arc[:-1], arc[1:]]))
            inner.append(np.full(len(own), i))
            count += len(own)
        self.points: Array = np.concatenate(points)
        self.ends: Indices = np.concatenate(ends).astype(np.int64)
        self.run: Indices = np.concatenate(runs)
        self.arc: Array = np.concatenate(arcs)
        self.on_run: Indices = np.concatenate([np.full(len(corners), -1), *inner])
        self.wanted: Array = field(self.points)
        self.sharp_codes, self.sharp_corners = self._sharp(corner_of)

    def _divide(self, run: int) -> Array:
        """Lengths along a run at which its segments begin and end, as the size field wants them."""
        lengths = self.lengths[run]
        fine = lengths
        while True:  # until the field is seen everywhere
            middle = (fine[:-1] + fine[1:]) / 2
            wanted = self.field(self._at(run, middle))
            coarse = np.diff(fine) > 0.5 * wanted
            if not np.any(coarse):
                break
            fine = np.sort(np.concatenate([fine, middle[coarse]]))
        amount = np.concatenate([[0.0], np.cumsum(np.diff(fine) / wanted)])
        is_closed = bool(np.all(self.lines[run][0] == self.lines[run][-1]))
        count = max(math.ceil(amount[-1] - 0.1), 3 if is_closed else 1)
        arc = np.interp(np.linspace(0.0, amount[-1], count + 1), amount, fine)
        arc[0], arc[-1] = lengths[0], lengths[-1]
        for i in range(1, count):
            arc[i] = self._snapped(run, arc[i], 0.1 * (arc[i + 1] - arc[i - 1]))
        return np.asarray(arc)

    def _snapped(self, run: int, at: float, reach: float) -> float:
        """The vertex nearest to ``at``, if within reach: it lies on the curve itself."""
        lengths = self.lengths[run]
        nearest = float(lengths[np.argmin(np.abs(lengths - at))])
        return nearest if abs(nearest - at) <= reach else float(at)

    def _at(self, run: int, arc: Array) -> Array:
        lengths, line = self.lengths[run], self.lines[run]
        return np.stack([np.interp(arc, lengths, line[:, k]) for k in (0, 1)], axis=1)

    def _sharp(self, corner_of: Indices) -> tuple[Indices, Mask]:
        """Codes of the pairs of runs that meet at less than 60°, and the points where they do."""
        n = len(self.lines)
        codes: list[int] = []
        corners = np.zeros(int(corner_of.max()) + 1, dtype=bool)
        for one, (_, following) in enumerate(self.shape.touching_runs):
            arriving = self.lines[one][-2] - self.lines[one][-1]
            leaving = self.lines[following][1] - self.lines[following][0]
            cosine = arriving @ leaving / np.linalg.norm(arriving) / np.linalg.norm(leaving)
            is_convex = leaving[0] * arriving[1] - leaving[1] * arriving[0] > 0
            if is_convex and cosine > math.cos(SHARP) + 1e-9:
                codes += [one * n + following, following * n + one]
                corners[corner_of[one, 1]] = True
        return np.array(codes, dtype=np.int64), corners

    def meet_sharply(self, one: Indices, other: Indices) -> Mask:
        """Whether points lie on two runs that meet at less than 60°."""
        runs = self.on_run[one], self.on_run[other]
        codes = runs[0] * len(self.lines) + runs[1]
        return np.asarray((runs[0] >= 0) & (runs[1] >= 0) & np.isin(codes, self.sharp_codes))

    # -- change ----------------------------------------------------------------------------------------

    def add(self, points: Array) -> None:
        """More points inside."""
        self.points = np.concatenate([self.points, points])
        self.on_run = np.concatenate([self.on_run, np.full(len(points), -1)])
        self.wanted = np.concatenate([self.wanted, self.field(points)])

    def split(self, which: Mask) -> None:
        """Put a new point into each of these segments, near its middle."""
        old = np.flatnonzero(which)
        if not len(old):
            return
        arc = np.array([self._split_arc(i) for i in old.tolist()])
        new = len(self.points) + np.arange(len(old))
        points = np.concatenate([self._at(self.run[i], arc[k : k + 1]) for k, i in enumerate(old)])
        self.points = np.concatenate([self.points, points])
        self.on_run = np.concatenate([self.on_run, self.run[old]])
        self.wanted = np.concatenate([self.wanted, self.field(points)])
        self.ends = np.concatenate([self.ends, np.column_stack([new, self.ends[old, 1]])])
        self.arc = np.concatenate([self.arc, np.column_stack([arc, self.arc[old, 1]])])
        self.run = np.concatenate([self.run, self.run[old]])
        self.ends[old, 1], self.arc[old, 1] = new, arc

    def _split_arc(self, i: int) -> float:
        lower, upper = self.arc[i]
        for end, corner, sign in ((self.ends[i, 0], lower, 1), (self.ends[i, 1], upper, -1)):
            if end < len(self.sharp_corners) and self.sharp_corners[end]:
                half = (upper - lower) / 2 / self.shape.size
                return float(corner + sign * self.shape.size * 2.0 ** round(math.log2(half)))
        return self._snapped(self.run[i], (lower + upper) / 2, 0.25 * (upper - lower))

    # -- facts -----------------------------------------------------------------------------------------

    @property
    def lengths_squared(self) -> Array:
        along = self.points[self.ends[:, 1]] - self.points[self.ends[:, 0]]
        return np.asarray(np.einsum("nk,nk->n", along, along))

    @property
    def is_curved(self) -> Mask:
        """Segments that lie along a curve."""
        curved = np.array([self.shape.sides[run[0]].ellipse is not None for run in self.shape.runs])
        return np.asarray(curved[self.run])

    def polygon(self) -> Any:
        """The polygon of the segments, as a ``shapely.Polygon``."""
        import shapely

        order = np.lexsort((self.arc[:, 0], self.run))
        first = self.points[self.ends[order, 0]]
        ring_of_edge = np.repeat(np.arange(len(self.shape.rings)), [len(r.sides) for r in self.shape.rings])
        ring_of_run = ring_of_edge[[run[0] for run in self.shape.runs]]
        rings = ring_of_run[self.run[order]]
        outer, *holes = [first[rings == i] for i in range(len(self.shape.rings))]
        return shapely.Polygon(outer, holes)
