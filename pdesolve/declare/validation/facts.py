"""What the checks ask of a problem, worked out once: orders, coefficients, values of data."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np
import sympy as sp
from sympy.core.function import AppliedUndef

from ..conditions import BoundaryCondition, Condition, Initial, Observations, Robin, Value
from ..domain import INITIAL, INSIDE, Array, Face
from ..errors import BoundaryDataError
from ..problem import MultiIndex, Problem
from ..symbols import Parameter

ROUND_OFF = 1e-8
"""Relative mismatch of data beyond which it is no round-off."""

FILE_DIGITS = 1e-6
"""The same on flat parts of shapes and meshes, whose files may hold single precision."""

FLAT_PIECES = 8
"""Directions of the normal up to which a part counts as made of flat pieces, such as the walls of a room."""

CHORD = 0.2
"""Angle by which normals of a curved part may be off: π/16, of a circle cut into 16 chords.

Areas, and distances relative to the radius, are off by no more than its square.
"""

Node = tuple[int, MultiIndex]
"""Which unknown, and the order of its derivative in each coordinate."""


class Equation:
    """One equation with parameter values put in, as an ordinary function of its derivatives.

    Attributes:
        symbols: a symbol for each derivative that occurs.
        residual: the equation in these symbols.
    """

    def __init__(self, problem: Problem, name: str) -> None:
        self.name = name
        self.who = f"Problem {problem.name!r}, {name}"
        self.declared: sp.Expr = problem.equations[name]
        self.expression = problem.substitute(self.declared)
        found = problem.derivatives(self.expression)
        nodes = sorted(found.items(), key=lambda item: (-sum(item[1][1]), item[1]))
        self.symbols: dict[Node, sp.Symbol] = {node: sp.Dummy(str(e), real=True) for e, node in nodes}
        self.residual = self.expression.xreplace({e: self.symbols[node] for e, node in found.items()})

    def coefficient(self, node: Node) -> sp.Expr:
        """∂(equation)/∂(derivative)."""
        return sp.diff(self.residual, self.symbols[node])

    @cached_property
    def source(self) -> sp.Expr:
        """What is left where the unknowns and their derivatives vanish."""
        return self.residual.xreplace(dict.fromkeys(self.symbols.values(), sp.Integer(0)))


class Facts:
    """A problem, seen by the checks. Nothing is worked out before it is asked for."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.domain = problem.domain
        self.who = f"Problem {problem.name!r}"
        self._functions: dict[sp.Expr, Any] = {}
        self._directions: dict[str, Array] = {}

    @cached_property
    def equations(self) -> list[Equation]:
        return [Equation(self.problem, name) for name in self.problem.equations]

    @cached_property
    def orders(self) -> dict[Node, None]:
        """All derivatives that occur in any equation."""
        return {node: None for equation in self.equations for node in equation.symbols}

    @cached_property
    def time_axis(self) -> int | None:
        return None if self.domain.time is None else len(self.domain.axes) - 1

    def order(self, unknown: AppliedUndef, axis: int | None) -> int:
        """Highest order of derivative of an unknown along an axis; 0 for an axis that is not there."""
        if axis is None or unknown not in self.problem.unknowns:
            return 0
        k = self.problem.unknowns.index(unknown)
        return max((index[axis] for which, index in self.orders if which == k), default=0)

    def of(self, unknown: AppliedUndef, kind: type[Condition]) -> list[Any]:
        """The conditions of one class on one unknown."""
        return [c for c in self.problem.of_type(kind) if c.unknown == unknown]

    def leading_axis(self, unknown: AppliedUndef, face: Face) -> int:
        """The axis across a part along which the order of an unknown is the highest."""
        axes = [axis for axis in range(len(self.domain.space)) if face.crosses(axis)]
        return max(axes, key=lambda axis: self.order(unknown, axis))

    def order_across(self, unknown: AppliedUndef, face: Face) -> int:
        """Highest order along the axes that end on a part; it says how many conditions the part carries."""
        return self.order(unknown, self.leading_axis(unknown, face))

    def on(self, unknown: AppliedUndef, part: str) -> list[BoundaryCondition]:
        """The boundary conditions on one unknown and one face, one entry for each time it is named."""
        return [
            c for c in self.of(unknown, BoundaryCondition) for name in c.parts(self.domain) if name == part
        ]

    def chain(self, unknown: AppliedUndef) -> list[AppliedUndef]:
        """The unknown and those that equations give by derivatives of each other.

        In ∇²s = -ω, ω stands for derivatives of s: the two are of fourth order together, and conditions on s
        may take the place of conditions on ω.
        """
        joined = [self.problem.unknowns.index(unknown)]
        for member in joined:  # grows while it is walked
            partners = {k for pair in self._substitutes if member in pair for k in pair}
            joined += sorted(partners.difference(joined))
        return [self.problem.unknowns[k] for k in joined]

    @cached_property
    def _substitutes(self) -> list[tuple[int, int]]:
        """(ω, s) where an equation is linear in ω, without derivative, and of second order or more in s."""
        return [
            (k, other)
            for equation in self.equations
            for k, index in equation.symbols
            if not sum(index)
            and not equation.coefficient((k, index)).free_symbols & set(equation.symbols.values())
            for other in {j for j, order in equation.symbols if sum(order[: len(self.domain.space)]) > 1}
            if other != k
        ]

    @cached_property
    def is_ordinary(self) -> bool:
        """One unknown of one coordinate in space: its conditions may all stand at one end."""
        return self.domain.time is None and len(self.domain.space) == len(self.problem.unknowns) == 1

    @cached_property
    def observed(self) -> bool:
        """True for inverse problems, where measurements stand in for missing conditions."""
        return any(True for _ in self.problem.of_type(Observations))

    def data(self) -> Iterator[tuple[str, sp.Expr]]:
        """Every expression that conditions hold, with whose it is."""
        for condition in self.problem.conditions:
            value = getattr(condition, "value", None)
            if isinstance(value, sp.Expr):
                yield condition.who, value
            if isinstance(condition, Robin):
                yield f"{condition.who}, a", condition.a
                yield f"{condition.who}, b", condition.b

    # -- geometry ----------------------------------------------------------------------------------

    def directions(self, part: str) -> Array:
        """The outward normals (m, k) that occur on a part, each once: one on a face of a box."""
        if part not in self._directions:
            normal, k = self.domain.normal(part), len(self.domain.space)
            if normal is None:
                # One point of every piece, and many of each where pieces are few.
                centres, _ = self.domain.region.quadrature(1, part)
                points = np.concatenate([centres, self.points(64, part)[:, :k]])
                normals = self.domain.normals(points, part)
            else:
                normals = normal[None]
            digits = round(-np.log10(FILE_DIGITS))
            self._directions[part] = np.unique(np.round(normals, digits) + 0.0, axis=0)
        return self._directions[part]

    def is_curved(self, part: str) -> bool:
        """Whether chords or facets stand for a curve, so that areas and normals may be off."""
        return len(self.directions(part)) > FLAT_PIECES

    def tolerance(self, part: str) -> float:
        """Relative mismatch of data on a part beyond which it is no error of round-off or of geometry."""
        if self.domain.is_box:
            return ROUND_OFF
        return CHORD**2 if self.is_curved(part) else FILE_DIGITS

    # -- numbers -----------------------------------------------------------------------------------

    def points(self, n: int = 5, part: str = INSIDE, fixed: dict[int, float] | None = None) -> Array:
        """``n`` points (n, d) of a part, as `Domain.cover` gives them, some coordinates fixed."""
        points = self.domain.cover(n, part)
        for axis, value in (fixed or {}).items():
            points[:, axis] = value
        return points

    def values(self, condition: Condition, points: Array) -> Array:
        """A condition's data at points (n, d), shape (n,).

        Raises:
            BoundaryDataError: a user's function raises, or does not return an (n,) array of floats.
        """
        value = condition.value  # type: ignore[attr-defined]
        if isinstance(value, sp.Expr):
            return self.evaluate(value, points)
        who = f"{condition.who}, function {getattr(value, '__name__', type(value).__name__)}"
        expected = f"an array of {len(points)} floats, one for each of {len(points)} points"
        try:
            returned = value(points.copy())
        except Exception as error:  # it is the user's own function: anything may come out of it
            raise BoundaryDataError(
                who, expected, f"{type(error).__name__}: {error}", "It is called with points of shape (n, d)."
            ) from error
        if isinstance(returned, int | float | np.generic) or getattr(returned, "shape", None) == ():
            raise BoundaryDataError(
                who,
                expected,
                f"the constant {returned}",
                f"Return np.full(len(points), {returned}), or give the number itself as data.",
            )
        if not isinstance(returned, np.ndarray) or returned.shape != (len(points),):
            shape = getattr(returned, "shape", None)
            got = f"{type(returned).__name__}" + ("" if shape is None else f" of shape {tuple(shape)}")
            raise BoundaryDataError(who, expected, got, "Return a NumPy array of shape (n,).")
        if not np.issubdtype(returned.dtype, np.floating):
            raise BoundaryDataError(
                who, expected, f"values of type {returned.dtype}", "Return values.astype(float)."
            )
        return np.asarray(returned, dtype=np.float64)

    def evaluate(self, expression: sp.Expr, points: Array) -> Array:
        """An expression in coordinates and parameters at points (n, d), shape (n,); not checked."""
        if expression not in self._functions:
            self._functions[expression] = self._lowered(expression)
        with np.errstate(all="ignore"):
            values = self._functions[expression](*points.T)
        if np.iscomplexobj(values):
            values = np.where(np.imag(values) == 0, np.real(values), np.nan)
        return np.broadcast_to(np.asarray(values, dtype=np.float64), (len(points),))

    def _lowered(self, expression: sp.Expr) -> Any:
        e = self.problem.substitute(expression)
        starts = {s: s.start for s in e.free_symbols if isinstance(s, Parameter) and s.unknown}
        e = e.subs(starts)
        if e.is_number:
            number = complex(e)
            return lambda *columns: number.real if number.imag == 0 else np.nan
        coordinates = list(self.problem.coordinates)
        quick = sp.lambdify(coordinates, e, modules="numpy")
        try:
            with np.errstate(all="ignore"):
                quick(*(np.full(1, 0.5) for _ in coordinates))
        except (NameError, TypeError, AttributeError):
            # Special functions need SciPy, whose import is slow: only where they occur.
            return sp.lambdify(coordinates, e, modules=["scipy", "numpy"])
        except (ArithmeticError, ValueError):
            pass
        return quick

    def fixed(self, condition: Value) -> dict[int, float]:
        return {self.domain.axis_index(c): float(v) for c, v in condition.at.items()}

    def places(self, condition: Condition, n: int = 5) -> Iterator[tuple[str, Array]]:
        """Where a condition's data are tried, with the name of the place."""
        if isinstance(condition, Value):
            yield "its point", self.points(n, fixed=self.fixed(condition))
        elif isinstance(condition, Initial):
            yield INITIAL, self.points(n, part=INITIAL)
        elif isinstance(condition, BoundaryCondition):
            for part in condition.parts(self.domain):
                yield part, self.points(n, part=part)


def vanishes(e: sp.Expr) -> bool:
    """True where an expression is zero whatever its symbols are, tried at one generic point.

    Expanding would be exact, and would not end for (x + y + t)**1000.
    """
    if e.is_Mul:
        return any(vanishes(factor) for factor in e.args)
    if not e.is_Add:
        return bool(e == 0)
    symbols = sorted(e.free_symbols, key=lambda s: (str(s), s.sort_key()))
    generic = {s: sp.Float(0.4 + (0.618034 * i) % 1.3) for i, s in enumerate(symbols)}
    terms = [sp.N(term.xreplace(generic)) for term in e.args]  # SymPy's floats do not overflow
    if not all(term.is_number and term.is_finite for term in terms):
        return False
    return bool(abs(sp.Add(*terms)) <= 1e-10 * sp.Add(*map(abs, terms)))


def warn(message: str, category: type[Warning]) -> None:
    """Warn the user who declares the problem; for checks that are in `CHECKS` themselves."""
    # warn, check, validate, __post_init__, __init__: the sixth frame is the user's Problem(...).
    warnings.warn(message, category, stacklevel=6)


def names(items: Any) -> str:
    """A list for a message."""
    listed = [str(item) for item in items]
    return ", ".join(listed) if listed else "none"
