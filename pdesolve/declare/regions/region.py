"""`Region`: a bounded part of space with a named boundary; what every geometry offers.

Points are (n, k) arrays of the k space coordinates; time is the business of `Domain`.

Corners: a corner belongs to every part that meets there. Sampled points and quadrature points of a part never
lie in one. At the corner itself `normals` gives the normal of one of the pieces, and where the Dirichlet data
of two parts disagree there, the condition that was declared first holds.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy as sp

from ..errors import EmptyDomainError, ExpressionTypeError, MeshingError
from ..symbols import as_expression

if TYPE_CHECKING:
    from .curves import Curve
    from .mesh import Mesh

INITIAL = "initial"
INSIDE = "inside"

Array = np.ndarray[Any, np.dtype[np.float64]]
Mask = np.ndarray[Any, np.dtype[np.bool_]]


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
    """One part of the boundary.

    Attributes:
        name: what conditions call it.
        axis: of a box face, the axis that it is perpendicular to; None for a part of any other shape.
        side: -1 or +1, the end of that axis; 0 where there is no axis.
    """

    name: str
    axis: int | None = None
    side: int = 0

    def crosses(self, axis: int) -> bool:
        """Whether lines along ``axis`` end on this part: a condition on it closes the equation along them."""
        return self.axis is None or self.axis == axis


class Region(ABC):
    """A bounded, open set in space and its boundary.

    `place` maps the unit cube onto the region or a part of its boundary and preserves measure: one
    mechanism serves Sobol points, uniform points and covers, also jointly with time.
    """

    @property
    @abstractmethod
    def axes(self) -> tuple[Axis, ...]:
        """The bounding box, one interval a coordinate."""

    @property
    @abstractmethod
    def faces(self) -> tuple[Face, ...]:
        """The parts of the boundary, in a fixed order."""

    @abstractmethod
    def measure(self, part: str = INSIDE) -> float:
        """Volume of the inside, or area (length) of a part of the boundary."""

    @abstractmethod
    def normal(self, part: str) -> Array | None:
        """The outward unit normal (k,) of a flat part; None where it varies."""

    @abstractmethod
    def normals(self, points: Array, part: str) -> Array:
        """Outward unit normals (n, k) of a part at the places of it nearest to ``points`` (n, k)."""

    @abstractmethod
    def contains(self, points: Array, tolerance: float = 1e-12) -> Mask:
        """True where a point lies in the closed region, up to ``tolerance`` times its size."""

    @abstractmethod
    def distance(self, points: Array) -> Array:
        """Distance (n,) to the boundary, negative outside."""

    @abstractmethod
    def place(self, unit: Array, part: str = INSIDE) -> Array:
        """Points (n, k) from ``unit`` in the unit cube, (n, k) inside and (n, k - 1) on a part."""

    @abstractmethod
    def quadrature(self, n: int, part: str = INSIDE) -> tuple[Array, Array]:
        """Gauss points (m, k) and weights (m,) of ``n`` points an axis in each piece (box, simplex)."""

    @abstractmethod
    def mesh(self, size: float | None = None) -> Mesh:
        """Simplices that fill the region, with the parts as named facets.

        ``size`` is the length of edges, by default 1/32 of the longest side of the bounding box.

        Raises:
            MeshingError: the size is not a positive number, or would make too many cells.
        """

    @abstractmethod
    def to_json(self) -> dict[str, Any]:
        """All that defines the region, as plain JSON values with a ``"kind"``; digests hash it."""

    def boundary_curves(self, part: str) -> tuple[Curve, ...] | None:
        """A part of a boundary in the plane as segments and arcs; None where it is made of anything else."""
        return None

    @property
    def coordinates(self) -> tuple[sp.Symbol, ...]:
        return tuple(axis.coordinate for axis in self.axes)

    @property
    def is_filled(self) -> bool:
        """Whether `place` yields inner points only; else those outside must be dropped."""
        return True


def checked_size(size: float) -> float:
    """A length of edges as a float.

    Raises:
        MeshingError: it is not a positive number.
    """
    is_number = isinstance(size, int | float | np.integer | np.floating) and not isinstance(size, bool)
    if not is_number or not (size > 0 and math.isfinite(size)):
        raise MeshingError("mesh", "a positive length of edges", repr(size)[:40], "Give one such as 0.05.")
    return float(size)
