"""Box domains: products of intervals and a time interval.

    domain = Interval(x, -1, 1) * Time(t, 0, 1)
    domain = Box((x, 0, 1), (y, 0, 2)) * Time(t, 0, 1)

Boundary parts of a box are named ``left, right`` (first space axis), ``bottom, top`` (second),
``back, front`` (third) and ``x4-lower, x4-upper`` beyond, with the coordinate's own name. ``initial`` is
the part at the start of time. Space comes first in every point array, time last.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy as sp

from .errors import EmptyDomainError, ExpressionTypeError, NameClashError, UnknownPartError
from .symbols import as_expression

FACE_NAMES = (("left", "right"), ("bottom", "top"), ("back", "front"))
INITIAL = "initial"
INSIDE = "inside"

Array = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class Axis:
    """One closed interval ``lower <= coordinate <= upper``."""

    coordinate: sp.Symbol
    lower: sp.Expr
    upper: sp.Expr
    is_time: bool = False

    def __post_init__(self) -> None:
        kind = "Time" if self.is_time else "Interval"
        who = f"{kind}({self.coordinate})"
        if not isinstance(self.coordinate, sp.Symbol):
            raise ExpressionTypeError(
                who, "a coordinate", repr(self.coordinate), 'Make it with x = coordinates("x").'
            )
        lower, upper = as_expression(self.lower, who), as_expression(self.upper, who)
        object.__setattr__(self, "lower", lower)
        object.__setattr__(self, "upper", upper)
        if not all(bound.is_number and bound.is_real and bound.is_finite for bound in (lower, upper)):
            raise EmptyDomainError(who, "two finite numbers", f"{lower} and {upper}", "Give numeric bounds.")
        if not bool(lower < upper):
            raise EmptyDomainError(
                who, "lower < upper", f"{lower} and {upper}", "Swap the bounds or widen the interval."
            )

    @property
    def bounds(self) -> tuple[float, float]:
        return float(self.lower), float(self.upper)

    @property
    def length(self) -> float:
        lower, upper = self.bounds
        return upper - lower


@dataclass(frozen=True)
class Face:
    """One flat boundary part: ``axis`` at its lower (``side=-1``) or upper (``side=+1``) end."""

    name: str
    axis: int
    side: int


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
    """A box in space, with or without time; made by multiplying `Interval`, `Box` and `Time`."""

    axes: tuple[Axis, ...]

    def __post_init__(self) -> None:
        names = [axis.coordinate.name for axis in self.axes]
        if len(set(names)) < len(names):
            raise NameClashError(
                "Domain", "each coordinate once", ", ".join(names), "Rename or drop the repeated axis."
            )
        if sum(axis.is_time for axis in self.axes) > 1:
            raise NameClashError(
                "Domain", "at most one Time", ", ".join(names), "Make the other axis an Interval."
            )
        # Space first, time last: every (n, d) array in the library follows this order.
        ordered = tuple(sorted(self.axes, key=lambda axis: axis.is_time))
        object.__setattr__(self, "axes", ordered)

    def __mul__(self, other: Domain) -> Domain:
        if not isinstance(other, Domain):
            raise ExpressionTypeError(
                "Domain * ...",
                "Interval, Box or Time",
                repr(other)[:80],
                "Write Interval(x, 0, 1) * Time(t, 0, 1).",
            )
        return Domain(self.axes + other.axes)

    @property
    def coordinates(self) -> tuple[sp.Symbol, ...]:
        """Space coordinates, then time."""
        return tuple(axis.coordinate for axis in self.axes)

    @property
    def space(self) -> tuple[Axis, ...]:
        return tuple(axis for axis in self.axes if not axis.is_time)

    @property
    def time(self) -> Axis | None:
        return self.axes[-1] if self.axes and self.axes[-1].is_time else None

    @property
    def bounds(self) -> Array:
        """Shape (d, 2): lower and upper end of each coordinate."""
        return np.array([axis.bounds for axis in self.axes])

    @property
    def faces(self) -> tuple[Face, ...]:
        """The faces of the space box, without the initial one."""
        faces: list[Face] = []
        for i, axis in enumerate(self.space):
            names = (
                FACE_NAMES[i]
                if i < len(FACE_NAMES)
                else (f"{axis.coordinate.name}-lower", f"{axis.coordinate.name}-upper")
            )
            faces += [Face(names[0], i, -1), Face(names[1], i, +1)]
        return tuple(faces)

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

    def measure(self, part: str = INSIDE) -> float:
        """Volume of the inside (time included), or area of a boundary part (times duration)."""
        lengths = [axis.length for axis in self.axes]
        if part != INSIDE:
            lengths.pop(self.face(part).axis)
        return float(np.prod(lengths)) if lengths else 1.0

    def normal(self, part: str) -> Array:
        """Outward unit normal of a face in space, shape (number of space axes,)."""
        face = self.face(part)
        normal = np.zeros(len(self.space))
        if part != INITIAL:
            normal[face.axis] = face.side
        return normal

    def contains(self, points: Array, tolerance: float = 1e-12) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """True where a point of ``points`` (n, d) lies in the closed box, up to round-off."""
        lower, upper = self.bounds.T
        slack = tolerance * (upper - lower)
        return np.asarray(np.all((points >= lower - slack) & (points <= upper + slack), axis=1))

    def distance(self, points: Array) -> Array:
        """Distance of ``points`` (n, d) to the boundary in space, negative outside."""
        k = len(self.space)
        lower, upper = self.bounds[:k].T
        gap = np.minimum(points[:, :k] - lower, upper - points[:, :k])
        inside = gap.min(axis=1)
        outside = np.linalg.norm(np.minimum(gap, 0.0), axis=1)
        return np.asarray(np.where(inside >= 0, inside, -outside))

    def sample(self, n: int, rng: np.random.Generator, part: str = INSIDE, method: str = "sobol") -> Array:
        """``n`` points, shape (n, d), inside or on a boundary part.

        ``method`` is ``"sobol"`` (scrambled Sobol, the default: even cover at any n) or ``"uniform"``.
        """
        face = None if part == INSIDE else self.face(part)
        free = [i for i in range(len(self.axes)) if face is None or i != face.axis]
        unit = np.zeros((n, 0))
        if free and method == "uniform":
            unit = rng.random((n, len(free)))
        elif free:
            from scipy.stats import qmc  # imported here: SciPy's statistics take long to import

            engine = qmc.Sobol(len(free), rng=rng)
            # Sobol points come in powers of two; the first n of them keep most of the balance.
            unit = engine.random_base2(max(0, int(np.ceil(np.log2(max(n, 1))))))[:n]
        lower, upper = self.bounds.T
        points = np.empty((n, len(self.axes)))
        points[:, free] = lower[free] + unit * (upper - lower)[free]
        if face is not None:
            points[:, face.axis] = lower[face.axis] if face.side < 0 else upper[face.axis]
        return points

    def cover(self, n: int, part: str = INSIDE) -> Array:
        """``n`` points (n, d) of a part, always the same: two extreme corners, the centre, an even cover."""
        d = len(self.axes)
        roots = np.sqrt([2.0, 3.0, 5.0, 7.0, 11.0, 13.0, 17.0, 19.0, 23.0, 29.0, 31.0, 37.0])
        unit = (np.arange(n)[:, None] * np.resize(roots, d) + 0.3) % 1.0
        unit[: min(n, 3)] = np.array([0.0, 0.5, 1.0])[: min(n, 3), None]
        lower, upper = self.bounds.T
        points = lower + unit * (upper - lower)
        if part != INSIDE:
            face = self.face(part)
            points[:, face.axis] = lower[face.axis] if face.side < 0 else upper[face.axis]
        return np.asarray(points)

    def grid(self, shape: int | Sequence[int]) -> Grid:
        """A tensor grid with end points, ``shape`` points an axis."""
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


def Interval(coordinate: sp.Symbol, lower: Any, upper: Any) -> Domain:
    """One space axis, ``lower <= coordinate <= upper``; bounds may be symbolic numbers such as ``2*pi``."""
    return Domain((Axis(coordinate, lower, upper),))


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
    return Domain(tuple(Axis(*axis) for axis in axes))


def Time(coordinate: sp.Symbol, start: Any, end: Any) -> Domain:
    """The time axis, ``start <= coordinate <= end``."""
    return Domain((Axis(coordinate, start, end, is_time=True),))
