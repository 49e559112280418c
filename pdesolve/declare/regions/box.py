"""Boxes: products of intervals.

Boundary parts are named ``left, right`` (first axis), ``bottom, top`` (second), ``back, front`` (third) and
``x4-lower, x4-upper`` beyond, with the coordinate's own name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .region import INSIDE, Array, Axis, Face, Mask, Region, checked_size

if TYPE_CHECKING:
    from .mesh import Mesh

FACE_NAMES = (("left", "right"), ("bottom", "top"), ("back", "front"))


@dataclass(frozen=True)
class BoxRegion(Region):
    """a_i <= x_i <= b_i; without axes a single point, for problems in time alone."""

    intervals: tuple[Axis, ...] = ()

    @property
    def axes(self) -> tuple[Axis, ...]:
        return self.intervals

    @property
    def bounds(self) -> Array:
        return np.array([axis.bounds for axis in self.intervals]).reshape(-1, 2)

    @property
    def faces(self) -> tuple[Face, ...]:
        faces: list[Face] = []
        for i, axis in enumerate(self.intervals):
            own = (f"{axis.coordinate.name}-lower", f"{axis.coordinate.name}-upper")
            lower, upper = FACE_NAMES[i] if i < len(FACE_NAMES) else own
            faces += [Face(lower, i, -1), Face(upper, i, +1)]
        return tuple(faces)

    def _face(self, part: str) -> Face:
        return next(face for face in self.faces if face.name == part)

    def _free(self, part: str) -> list[int]:
        """The axes along which a part extends."""
        fixed = None if part == INSIDE else self._face(part).axis
        return [i for i in range(len(self.intervals)) if i != fixed]

    def measure(self, part: str = INSIDE) -> float:
        return float(np.prod([self.intervals[i].length for i in self._free(part)], initial=1.0))

    def normal(self, part: str) -> Array:
        face, normal = self._face(part), np.zeros(len(self.intervals))
        normal[face.axis] = face.side
        return normal

    def normals(self, points: Array, part: str) -> Array:
        return np.tile(self.normal(part), (len(points), 1))

    def contains(self, points: Array, tolerance: float = 1e-12) -> Mask:
        lower, upper = self.bounds.T
        slack = tolerance * (upper - lower)
        return np.asarray(np.all((points >= lower - slack) & (points <= upper + slack), axis=1))

    def distance(self, points: Array) -> Array:
        lower, upper = self.bounds.T
        gap = np.minimum(points - lower, upper - points)
        inside = gap.min(axis=1)
        outside = np.linalg.norm(np.minimum(gap, 0.0), axis=1)
        return np.asarray(np.where(inside >= 0, inside, -outside))

    def place(self, unit: Array, part: str = INSIDE) -> Array:
        lower, upper = self.bounds.T
        free = self._free(part)
        points = np.empty((len(unit), len(self.intervals)))
        points[:, free] = lower[free] + unit * (upper - lower)[free]
        if part != INSIDE:
            face = self._face(part)
            points[:, face.axis] = lower[face.axis] if face.side < 0 else upper[face.axis]
        return points

    def quadrature(self, n: int, part: str = INSIDE) -> tuple[Array, Array]:
        nodes, weights = np.polynomial.legendre.leggauss(n)
        free = self._free(part)
        unit = tensor([(nodes + 1) / 2] * len(free))
        product = tensor([weights / 2] * len(free)).prod(axis=1)
        return self.place(unit, part), product * self.measure(part)

    def mesh(self, size: float | None = None) -> Mesh:
        from .mesh import box_mesh

        longest = max(axis.length for axis in self.intervals)
        step = longest / 32 if size is None else checked_size(size)
        return box_mesh([np.linspace(*a.bounds, max(1, round(a.length / step)) + 1) for a in self.intervals])

    def to_json(self) -> dict[str, Any]:
        from ..trees import expression_to_json as write

        return {
            "kind": "box",
            "axes": [[write(a.coordinate), write(a.lower), write(a.upper)] for a in self.intervals],
        }


def tensor(columns: Sequence[Array]) -> Array:
    """All combinations of one value from each column, (product of lengths, columns); one row for none."""
    if not columns:
        return np.ones((1, 0))
    return np.stack([m.ravel() for m in np.meshgrid(*columns, indexing="ij")], axis=1)
