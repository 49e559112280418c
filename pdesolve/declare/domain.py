"""Domains: a region of space, with or without an interval of time.

    domain = Interval(x, -1, 1) * Time(t, 0, 1)
    domain = Box((x, 0, 1), (y, 0, 2)) * Time(t, 0, 1)
    domain = Box((x, 0, 2), (y, 0, 1)) - Disk((x, y), center=(0.5, 0.5), radius=0.1, name="hole")
    domain = MeshDomain("part.msh", (x, y, z))

Boundary parts of a box are named ``left, right`` (first space axis), ``bottom, top`` (second),
``back, front`` (third) and ``x4-lower, x4-upper`` beyond, with the coordinate's own name; other regions
name their own. ``initial`` is the part at the start of time. Space comes first in every point array, time
last.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import sympy as sp

from .errors import EmptyDomainError, ExpressionTypeError, NameClashError, UnknownPartError
from .regions.box import BoxRegion
from .regions.region import INITIAL, INSIDE, Array, Axis, Face, Mask, Region


@dataclass(frozen=True)
class Grid:
    """A tensor-product grid; ``points`` has the last axis fastest, as NumPy's C order."""

    axes: tuple[Array, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(len(axis) for axis in self.axes)

    @property
    def points(self) -> Array:
        """All grid points, shape (product of ``shape``, number of axes)."""
        mesh = np.meshgrid(*self.axes, indexing="ij")
        return np.stack([m.ravel() for m in mesh], axis=1)


@dataclass(frozen=True)
class Domain:
    """A region of space, with or without time; made by `Interval`, `Box`, shapes or `MeshDomain`."""

    region: Region
    time: Axis | None = None

    def __post_init__(self) -> None:
        names = [axis.coordinate.name for axis in self.axes]
        if len(set(names)) < len(names):
            raise NameClashError(
                "Domain", "each coordinate once", ", ".join(names), "Rename or drop the repeated axis."
            )

    # -- products and set operations ---------------------------------------------------------------

    def __mul__(self, other: Domain) -> Domain:
        self._check_operand("*", other, "Write Interval(x, 0, 1) * Time(t, 0, 1).")
        if self.time is not None and other.time is not None:
            names = f"{self.time.coordinate}, {other.time.coordinate}"
            raise NameClashError("Domain", "at most one Time", names, "Make the other axis an Interval.")
        factors = [domain.region for domain in (self, other) if domain.space]
        if all(isinstance(region, BoxRegion) for region in factors):
            region: Region = BoxRegion(sum((r.axes for r in factors), start=()))
        elif len(factors) == 1:
            (region,) = factors
        else:
            raise ExpressionTypeError(
                "Domain * ...",
                "a product of boxes, or of one shape or mesh with Time",
                " * ".join(type(r).__name__ for r in factors),
                "Load a mesh of the extruded shape with MeshDomain.",
            )
        return Domain(region, self.time or other.time)

    def __or__(self, other: Domain) -> Domain:
        return self._combine("|", other)

    def __and__(self, other: Domain) -> Domain:
        return self._combine("&", other)

    def __sub__(self, other: Domain) -> Domain:
        return self._combine("-", other)

    def _combine(self, operation: str, other: Domain) -> Domain:
        """Union, intersection or difference of two regions of the plane."""
        from .regions.combine import combine

        self._check_operand(
            operation, other, "Combine two shapes of the plane, such as Box(...) - Disk(...)."
        )
        if self.time is not None or other.time is not None:
            raise ExpressionTypeError(
                f"Domain {operation} ...",
                "two regions of space",
                "one with Time",
                "Combine the shapes first: (a - b) * Time(t, 0, 1).",
            )
        return Domain(combine(self.region, other.region, operation))

    def rename(self, names: Mapping[str, str]) -> Domain:
        """The domain with other names for some boundary parts; parts that get the same name become one.

        For shapes, and for boxes of the plane, which become shapes by it.
        """
        from .regions.combine import rename

        return Domain(rename(self.region, names), self.time)

    def _check_operand(self, operation: str, other: Any, remedy: str) -> None:
        if not isinstance(other, Domain):
            raise ExpressionTypeError(
                f"Domain {operation} ...", "Interval, Box, Time or a shape", repr(other)[:80], remedy
            )

    # -- coordinates and parts ---------------------------------------------------------------------

    @property
    def is_box(self) -> bool:
        """Whether space is a box: then `faces` are perpendicular to axes, and tensor grids fit."""
        return isinstance(self.region, BoxRegion)

    @cached_property
    def axes(self) -> tuple[Axis, ...]:
        """The bounding box: space coordinates, then time."""
        return (*self.region.axes, self.time) if self.time is not None else self.region.axes

    @property
    def coordinates(self) -> tuple[sp.Symbol, ...]:
        """Space coordinates, then time."""
        return tuple(axis.coordinate for axis in self.axes)

    @property
    def space(self) -> tuple[Axis, ...]:
        """The bounding box in space."""
        return self.region.axes

    @property
    def bounds(self) -> Array:
        """Shape (d, 2): lower and upper end of each coordinate."""
        return np.array([axis.bounds for axis in self.axes])

    @property
    def faces(self) -> tuple[Face, ...]:
        """The parts of the boundary in space, without the initial one."""
        return self.region.faces

    @property
    def parts(self) -> tuple[str, ...]:
        """Names of all boundary parts, ``initial`` last where there is time."""
        names = tuple(face.name for face in self.faces)
        return (*names, INITIAL) if self.time is not None else names

    def face(self, name: str) -> Face:
        for face in self.faces:
            if face.name == name:
                return face
        if name == INITIAL and self.time is not None:
            return Face(INITIAL, len(self.axes) - 1, -1)
        raise UnknownPartError(
            "Domain", f"one of {', '.join(self.parts)}", repr(name), "Name an existing boundary part."
        )

    def axis_index(self, coordinate: sp.Symbol) -> int:
        return self.coordinates.index(coordinate)

    # -- geometry ----------------------------------------------------------------------------------

    def measure(self, part: str = INSIDE) -> float:
        """Volume of the inside (time included), or area of a boundary part (times duration)."""
        if part != INSIDE and self.face(part).name == INITIAL:
            return self.region.measure()
        duration = self.time.length if self.time is not None else 1.0
        return self.region.measure(part) * duration

    def normal(self, part: str) -> Array | None:
        """Outward unit normal (number of space axes,) of a flat part; None where it varies."""
        if self.face(part).name == INITIAL:
            return np.zeros(len(self.space))
        return self.region.normal(part)

    def normals(self, points: Array, part: str) -> Array:
        """Outward unit normals (n, number of space axes) of a part at ``points`` (n, d)."""
        return self.region.normals(points[:, : len(self.space)], self.face(part).name)

    def contains(self, points: Array, tolerance: float = 1e-12) -> Mask:
        """True where a point of ``points`` (n, d) lies in the closed domain, up to round-off."""
        k = len(self.space)
        inside = self.region.contains(points[:, :k], tolerance) if k else np.ones(len(points), dtype=bool)
        if self.time is None:
            return inside
        start, end = self.time.bounds
        slack = tolerance * (end - start)
        return np.asarray(inside & (points[:, k] >= start - slack) & (points[:, k] <= end + slack))

    def distance(self, points: Array) -> Array:
        """Distance of ``points`` (n, d) to the boundary in space, negative outside."""
        return self.region.distance(points[:, : len(self.space)])

    def sample(self, n: int, rng: np.random.Generator, part: str = INSIDE, method: str = "sobol") -> Array:
        """``n`` points, shape (n, d), inside or on a boundary part.

        ``method`` is ``"sobol"`` (scrambled Sobol, the default: even cover at any n) or ``"uniform"``.
        """
        d = self._dimension(part)
        if self._is_filled(part):
            return self._place(_unit(n, d, rng, method), part)
        found = np.empty((0, len(self.axes)))
        while len(found) < n:  # points of the bounding box, less those outside
            batch = self._place(_unit(2 * n, d, rng, method), part)
            found = np.concatenate([found, batch[self.contains(batch)]])
        return found[:n]

    def cover(self, n: int, part: str = INSIDE) -> Array:
        """``n`` points (n, d) of a part, always the same: of a box two extreme corners and the centre first,
        then an even cover."""
        d = self._dimension(part)
        roots = np.sqrt([2.0, 3.0, 5.0, 7.0, 11.0, 13.0, 17.0, 19.0, 23.0, 29.0, 31.0, 37.0])
        filled = self._is_filled(part)
        tried = n
        while True:
            unit = (np.arange(tried)[:, None] * np.resize(roots, d) + 0.3) % 1.0
            unit[: min(n, 3)] = np.array([0.0, 0.5, 1.0])[: min(n, 3), None]
            points = self._place(unit, part)
            if filled:
                return points
            points = points[self.contains(points)]
            if len(points) >= n:
                return points[:n]
            tried *= 4

    def _dimension(self, part: str) -> int:
        """Columns of the unit cube that `_place` maps onto a part."""
        k = len(self.space) + (self.time is not None)
        return k if part == INSIDE else k - 1

    def _is_filled(self, part: str) -> bool:
        return self.region.is_filled or part not in (INSIDE, INITIAL)

    def _place(self, unit: Array, part: str) -> Array:
        """Points (n, d) from the unit cube: the region's own, and time in the last column."""
        if part != INSIDE:
            self.face(part)  # raises UnknownPartError
        if self.time is None:
            return self.region.place(unit, part)
        start, end = self.time.bounds
        if part == INITIAL:
            return np.column_stack([self.region.place(unit), np.full(len(unit), start)])
        return np.column_stack([self.region.place(unit[:, :-1], part), start + unit[:, -1] * (end - start)])

    def grid(self, shape: int | Sequence[int]) -> Grid:
        """A tensor grid with end points over the bounding box, ``shape`` points an axis."""
        counts = [shape] * len(self.axes) if isinstance(shape, int) else list(shape)
        if len(counts) != len(self.axes) or min(counts) < 2:
            raise EmptyDomainError(
                "Domain.grid",
                f"{len(self.axes)} counts of at least 2",
                str(shape),
                f"Give one count for each of {', '.join(map(str, self.coordinates))}.",
            )
        return Grid(
            tuple(np.linspace(*axis.bounds, count) for axis, count in zip(self.axes, counts, strict=True))
        )


def _unit(n: int, d: int, rng: np.random.Generator, method: str) -> Array:
    """``n`` points of the d-dimensional unit cube."""
    if method not in ("sobol", "uniform"):
        raise ExpressionTypeError(
            "Domain.sample", "a method 'sobol' or 'uniform'", repr(method)[:40], "Leave the default, 'sobol'."
        )
    if not d:
        return np.zeros((n, 0))
    if method == "uniform":
        return rng.random((n, d))
    from scipy.stats import qmc  # imported here: SciPy's statistics take long to import

    engine = qmc.Sobol(d, rng=rng)
    # Sobol points come in powers of two; the first n of them keep most of the balance.
    return np.asarray(engine.random_base2(max(0, int(np.ceil(np.log2(max(n, 1))))))[:n])


def Interval(coordinate: sp.Symbol, lower: Any, upper: Any) -> Domain:
    """One space axis, ``lower <= coordinate <= upper``; bounds may be symbolic numbers such as ``2*pi``."""
    return Domain(BoxRegion((Axis(coordinate, lower, upper),)))


def Box(*axes: tuple[sp.Symbol, Any, Any]) -> Domain:
    """Several space axes at once: ``Box((x, 0, 1), (y, 0, 2))``."""
    for axis in axes:
        if not isinstance(axis, tuple | list) or len(axis) != 3:
            raise ExpressionTypeError(
                "Box",
                "(coordinate, lower, upper) for each axis",
                repr(axis)[:80],
                "Write Box((x, 0, 1), (y, 0, 2)).",
            )
    return Domain(BoxRegion(tuple(Axis(*axis) for axis in axes)))


def Time(coordinate: sp.Symbol, start: Any, end: Any) -> Domain:
    """The time axis, ``start <= coordinate <= end``."""
    return Domain(BoxRegion(), Axis(coordinate, start, end, is_time=True))


__all__ = [
    "INITIAL",
    "INSIDE",
    "Array",
    "Axis",
    "Box",
    "Domain",
    "Face",
    "Grid",
    "Interval",
    "Mask",
    "Region",
    "Time",
]
