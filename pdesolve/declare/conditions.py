"""Conditions: what holds at the start, on the boundary, at points, or was observed.

Each condition names the part it holds on (``on="left"``, several names, or all faces when omitted) and is
written as an equation residual = 0. Data may be a number, a SymPy expression in the coordinates and
parameters, or a function ``f(points) -> values`` from an (n, d) array to an (n,) array.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import sympy as sp
from sympy.core.function import AppliedUndef

from .domain import INITIAL, Array, Domain
from .errors import BoundaryDataError, PeriodicPairError, UndeclaredFunctionError, UnknownPartError
from .symbols import as_expression

Data: TypeAlias = "sp.Expr | Callable[[Array], Array]"


def as_data(value: Any, who: str) -> Data:
    """A number or expression as a SymPy expression; a function as it is; a string is refused."""
    if callable(value) and not isinstance(value, sp.Basic):
        return value  # type: ignore[no-any-return]
    return as_expression(value, who, "a number, a SymPy expression or a function of points")


def normal_symbols(domain: Domain) -> tuple[sp.Symbol, ...]:
    """Symbols n_x, n_y, … of the outward normal, which boundary residuals are written with."""
    return tuple(sp.Symbol(f"n_{axis.coordinate.name}", real=True) for axis in domain.space)


def flat_normal(domain: Domain, part: str) -> dict[sp.Symbol, sp.Expr] | None:
    """Values of the normal's symbols on a flat part, whole numbers free of round-off; None where n varies."""
    normal = domain.normal(part)
    if normal is None:
        return None
    whole = np.round(normal)
    values = [
        sp.Integer(int(w)) if abs(n - w) < 1e-12 else sp.Float(float(n))
        for n, w in zip(normal, whole, strict=True)
    ]
    return dict(zip(normal_symbols(domain), values, strict=True))


@dataclass(frozen=True)
class Condition:
    """Base of all conditions: ``residual = 0`` for one unknown on some parts."""

    unknown: AppliedUndef

    def __post_init__(self) -> None:
        if not isinstance(self.unknown, AppliedUndef):
            raise UndeclaredFunctionError(
                type(self).__name__,
                "an unknown made by unknown(), such as u",
                repr(self.unknown)[:80],
                "Name the unknown itself first; Neumann and Robin differentiate it for you.",
            )

    @property
    def kind(self) -> str:
        return type(self).__name__.lower()

    @property
    def who(self) -> str:
        return f"{type(self).__name__}({self.unknown.func.__name__})"

    def parts(self, domain: Domain) -> tuple[str, ...]:
        """Names of the boundary parts it holds on; empty for conditions at points."""
        return ()


@dataclass(frozen=True)
class BoundaryCondition(Condition):
    """a u + b ∂u/∂n = g on the named parts of the boundary; the concrete classes fix a and b."""

    value: Data = field(default_factory=lambda: sp.Integer(0))
    on: str | Sequence[str] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "value", as_data(self.value, self.who))
        if self.on is not None:
            on = (self.on,) if isinstance(self.on, str) else self.on
            if not isinstance(on, Sequence) or not on or not all(isinstance(part, str) for part in on):
                raise UnknownPartError(
                    self.who, "names of parts", repr(self.on), 'Write on="left" or on=("left", "right").'
                )
            object.__setattr__(self, "on", tuple(on))

    def parts(self, domain: Domain) -> tuple[str, ...]:
        if self.on is None:
            return tuple(face.name for face in domain.faces)
        return tuple(self.on)

    def coefficients(self) -> tuple[sp.Expr, sp.Expr]:
        """(a, b) of a u + b ∂u/∂n = g."""
        raise TypeError(f"{type(self).__name__} is abstract")

    def operator(self, domain: Domain) -> sp.Expr:
        """a u + b n·∇u, with the normal's symbols of `normal_symbols`."""
        a, b = self.coefficients()
        flux = sum(
            n * self.unknown.diff(axis.coordinate)
            for n, axis in zip(normal_symbols(domain), domain.space, strict=True)
        )
        return sp.sympify(a * self.unknown + b * flux)


@dataclass(frozen=True)
class Dirichlet(BoundaryCondition):
    """u = g on the named parts of the boundary (all of it when ``on`` is omitted).

    Where two parts meet and their data disagree, the condition that was declared first holds.

    >>> Dirichlet(u, 0, on="left")                                          # doctest: +SKIP
    """

    def coefficients(self) -> tuple[sp.Expr, sp.Expr]:
        return sp.Integer(1), sp.Integer(0)


@dataclass(frozen=True)
class Neumann(BoundaryCondition):
    """∂u/∂n = g on the named parts, n the outward normal."""

    def coefficients(self) -> tuple[sp.Expr, sp.Expr]:
        return sp.Integer(0), sp.Integer(1)


@dataclass(frozen=True)
class Robin(BoundaryCondition):
    """a u + b ∂u/∂n = g on the named parts, n the outward normal.

    ``Robin(u, 1, on="right", a=2, b=1)`` is 2u + ∂u/∂n = 1.
    """

    a: Any = 1
    b: Any = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "a", as_expression(self.a, f"{self.who}, a"))
        object.__setattr__(self, "b", as_expression(self.b, f"{self.who}, b"))

    def coefficients(self) -> tuple[sp.Expr, sp.Expr]:
        return self.a, self.b


@dataclass(frozen=True)
class Initial(Condition):
    """u = g at the start of time, or ``Initial(u.diff(t), g)`` for its time derivative."""

    unknown: Any  # u or Derivative(u, t)
    value: Data

    def __post_init__(self) -> None:
        given = self.unknown
        order = 0
        if isinstance(given, sp.Derivative):
            order = sum(count for _, count in given.variable_count)
            object.__setattr__(self, "unknown", given.expr)
        super().__post_init__()
        object.__setattr__(self, "value", as_data(self.value, self.who))
        object.__setattr__(self, "_order", int(order))
        object.__setattr__(self, "_operator", given)

    @property
    def order(self) -> int:
        """Order of the time derivative that is prescribed: 0 or 1."""
        return int(self._order)  # type: ignore[attr-defined]

    @property
    def operator(self) -> sp.Expr:
        return self._operator  # type: ignore[attr-defined, no-any-return]

    def parts(self, domain: Domain) -> tuple[str, ...]:
        return (INITIAL,)


@dataclass(frozen=True)
class Periodic(Condition):
    """u and all its derivatives agree on opposite faces of a box.

    ``Periodic(u)`` holds on every space axis, ``Periodic(u, x)`` along x. Face names may be given
    instead, always as the matching pair: ``Periodic(u, ("left", "right"))``.
    """

    along: Any = None

    @property
    def items(self) -> tuple[Any, ...]:
        """The coordinates or face names that were given."""
        if isinstance(self.along, Sequence) and not isinstance(self.along, str):
            return tuple(self.along)
        return (self.along,)

    def axes(self, domain: Domain) -> tuple[int, ...]:
        """Indices of the periodic axes.

        Raises:
            PeriodicPairError: the names are no matching pair of faces, or no space coordinate, or space is
                no box.
        """
        if not domain.is_box:
            raise PeriodicPairError(
                self.who,
                "a box, whose opposite faces match",
                f"a {type(domain.region).__name__} with the parts {', '.join(f.name for f in domain.faces)}",
                "Declare the domain by Interval or Box, or give Dirichlet, Neumann or Robin on its parts.",
            )
        if self.along is None:
            return tuple(range(len(domain.space)))
        axes: set[int] = set()
        faces = []
        for item in self.items:
            if isinstance(item, sp.Symbol):
                space = [axis.coordinate for axis in domain.space]
                if item not in space:
                    raise PeriodicPairError(
                        self.who, f"a space coordinate of {space}", str(item), "Name a space axis."
                    )
                axes.add(space.index(item))
            else:
                faces.append(domain.face(item))
        sides: dict[int, dict[int, str]] = {}
        for face in faces:
            if face.axis is not None:  # as of every face of a box
                sides.setdefault(face.axis, {})[face.side] = face.name
        for axis, named in sides.items():
            if len(named) < 2:
                raise PeriodicPairError(
                    self.who,
                    "both faces of an axis",
                    f"{next(iter(named.values()))!r} without its opposite face",
                    f"Write Periodic({self.unknown.func.__name__}, {domain.coordinates[axis]}).",
                )
        return tuple(sorted(axes.union(sides)))

    def parts(self, domain: Domain) -> tuple[str, ...]:
        axes = self.axes(domain)
        return tuple(face.name for face in domain.faces if face.axis in axes)


@dataclass(frozen=True)
class Value(Condition):
    """u = g at one point, for instance a pressure gauge: ``Value(p, 0, at={x: 0, y: 0})``.

    Coordinates that are left out stay free: a gauge in a transient flow holds at all times. On a shape or a
    mesh all coordinates of space are given.
    """

    value: Data = field(default_factory=lambda: sp.Integer(0))
    at: Mapping[sp.Symbol, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "value", as_data(self.value, self.who))
        if not isinstance(self.at, Mapping):
            raise BoundaryDataError(
                self.who, "a dictionary of coordinates", repr(self.at)[:80], "Write at={x: 0, y: 0}."
            )
        if not self.at:
            raise BoundaryDataError(
                self.who, "at least one fixed coordinate", "none", "Write at={x: 0, y: 0}."
            )
        # One form of number, whatever the user wrote: the problem's digest depends on it.
        object.__setattr__(self, "at", {c: as_expression(v, f"{self.who}, at") for c, v in self.at.items()})


@dataclass(frozen=True, eq=False)
class Observations(Condition):
    """Measured values of an unknown at points, with the standard deviation of their noise.

    ``points`` has shape (n, d), coordinates in the order of the domain (time last); ``values`` (n,).
    """

    points: Any = None
    values: Any = None
    noise: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        try:
            points = np.asarray(self.points, dtype=np.float64)
            values = np.asarray(self.values, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise BoundaryDataError(self.who, "numeric arrays", str(error), "Give arrays.") from error
        if points.ndim != 2 or values.shape != points.shape[:1] or len(values) == 0:
            raise BoundaryDataError(
                self.who,
                "points (n, d) and values (n,)",
                f"shapes {points.shape} and {values.shape}",
                "Give one value for each point.",
            )
        if not (isinstance(self.noise, int | float) and 0 <= self.noise < np.inf):
            raise BoundaryDataError(
                self.who, "noise >= 0", repr(self.noise), "Give its standard deviation, or leave it out."
            )
        if not (np.isfinite(points).all() and np.isfinite(values).all()):
            raise BoundaryDataError(
                self.who, "finite numbers", "NaN or inf", "Drop the rows that are missing."
            )
        object.__setattr__(self, "points", points)
        object.__setattr__(self, "values", values)
