"""A problem as d' = L d + N(d, a, t) with constraints on a and d: what the symbols say, before any grid.

The *components* of the state are the unknowns that have a time derivative and, of those of second order,
u_t. Unknowns without one are algebraic. What is linear with constant coefficients becomes polynomials in
iκ, a matrix for each mode; all else is a list of *terms*, functions of fields on the grid, which the rows
take up through polynomials too (a flux through iκ).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy as sp

from ...declare import Initial, Problem, Value
from ...declare.domain import Array
from ..multiindex import unit
from ..program import Derivative, Module, Program, derivative_name, lower
from .fluxes import FirstOrder, conservative

Orders = tuple[int, ...]
Polynomial = dict[Orders, float]
"""Coefficient of each space derivative: Σ c (iκ)^orders."""
Component = tuple[int, int]
"""Index of the unknown, and order of its time derivative."""


@dataclass(frozen=True)
class Stage:
    """Terms that are evaluated together.

    Attributes:
        terms: their indices.
        fields: (component, space orders) of each field that they need.
        function: (*fields, *coordinates) -> the values of each term.
        slopes: the same -> ∂term/∂field, the fields of the first term first.
    """

    terms: tuple[int, ...]
    fields: tuple[tuple[int, Orders], ...]
    function: Callable[..., list[Any]]
    slopes: Callable[..., list[Any]]


class Evolution:
    """The equations of a periodic evolution problem.

    Rows and columns of all tables are the components: the dynamic ones first, then the algebraic ones.
    A row j < dynamic is Σ mass d' = linear + forcing, the others are 0 = linear + forcing.

    Attributes:
        components: of the state, the unknowns in the problem's order before their time derivatives.
        dynamic: how many of them have a time derivative.
        linear: (row, column) -> polynomial.
        mass: like ``linear``, where a time derivative has space derivatives too; else empty, the identity.
        forcing: (row, term) -> polynomial.
        terms: expressions in the symbols of ``fields``, the coordinates and time.
        fields: symbol -> (component, space orders), of all that the terms are made of.
        rates: index of a term that is a known function -> index of its time derivative.

    Raises:
        ValueError: the equations have another form; the text is a reason for `Backend.supports`.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.data = InitialData(problem)
        expressions, symbols = _in_symbols(problem)
        self.components, self.dynamic = _components(problem, symbols)
        self.algebraic = len(self.components) - self.dynamic
        rows, self.mass = self._rows(expressions, symbols)
        self.fields = self._space_symbols(symbols)
        self.linear: dict[tuple[int, int], Polynomial] = {}
        rest = [self._split(i, row) for i, row in enumerate(rows)]
        self.terms: list[sp.Expr] = []
        self.forcing: dict[tuple[int, int], Polynomial] = {}
        self._collect(rest)
        self.rates: dict[int, int] = {}
        self._differentiate_sources()
        used = set().union(*(term.free_symbols for term in self.terms)) if self.terms else set()
        self.fields = {s: place for s, place in self.fields.items() if s in used}
        self._compiled: dict[tuple[tuple[int, ...], Module], Stage] = {}
        self.gauges = {problem.unknowns.index(c.unknown): _gauge(problem, c) for c in problem.of_type(Value)}
        for k in self.gauges:
            if self.components.index((k, 0)) < self.dynamic:
                name = problem.unknown_names[k]
                raise ValueError(
                    f"a Value condition fixes the mean of an algebraic unknown, which {name} is not"
                )

    @property
    def is_autonomous(self) -> bool:
        """Whether no term holds the time."""
        return not any(self.problem.coordinates[-1] in term.free_symbols for term in self.terms)

    def is_rate(self, component: int, of: int) -> bool:
        """Whether a component is the time derivative of another."""
        k, order = self.components[of]
        return self.components[component] == (k, order + 1)

    def compiled(self, terms: tuple[int, ...], module: Module = "numpy") -> Stage:
        """Some of the terms as functions of arrays, their derivatives in the fields with them."""
        if (terms, module) not in self._compiled:
            chosen = [self.terms[j] for j in terms]
            used = [s for s in self.fields if any(s in e.free_symbols for e in chosen)]
            arguments = (*used, *self.problem.coordinates)
            slopes = [sp.diff(e, s) for e in chosen for s in used]
            self._compiled[terms, module] = Stage(
                terms,
                tuple(self.fields[s] for s in used),
                lower(arguments, chosen, module),
                lower(arguments, slopes, module),
            )
        return self._compiled[terms, module]

    # -- the parts, in the order in which they are found -------------------------------------------

    def _rows(
        self, expressions: Sequence[sp.Expr], symbols: dict[Derivative, sp.Symbol]
    ) -> tuple[list[sp.Expr], dict[tuple[int, int], Polynomial]]:
        """Right-hand side of each component, and the mass matrix where it is no identity."""
        problem = self.problem
        highest = [_highest(problem, symbols, k) for k in range(len(problem.unknowns))]
        evolving = [k for k, order in enumerate(highest) if order]
        velocities = {
            symbol: (evolving.index(k), index[:-1])
            for (k, index), symbol in symbols.items()
            if index[-1] and index[-1] == highest[k]
        }
        at_rest = [e.xreplace(dict.fromkeys(velocities, sp.Integer(0))) for e in expressions]
        entries: list[dict[tuple[int, Orders], sp.Expr]] = []
        for e in expressions:
            slopes = {place: sp.diff(e, s) for s, place in velocities.items() if s in e.free_symbols}
            if not all(slope.is_number for slope in slopes.values()):
                raise ValueError("a time derivative has a coefficient that is not constant")
            entries.append(slopes)
        zero = (0,) * len(problem.domain.space)
        mass: dict[tuple[int, int], Polynomial] = {}
        if all(orders == zero for _, orders in velocities.values()):
            matrix = sp.Matrix([[e.get((k, zero), 0) for k in range(len(evolving))] for e in entries])
            rates, constraints = _solve(matrix, at_rest)
        else:
            moving = [i for i, e in enumerate(entries) if e]
            if len(moving) != len(evolving):
                raise ValueError("the equations cannot be solved for all time derivatives")
            rates = [-at_rest[i] for i in moving]
            constraints = [at_rest[i] for i in range(len(expressions)) if i not in moving]
            for i, row in enumerate(moving):
                for (k, orders), c in entries[row].items():
                    place = self._rate_row(evolving[i], highest), self._rate_row(evolving[k], highest)
                    mass.setdefault(place, {})[orders] = float(c)
        rows: dict[int, sp.Expr] = {}
        for k, order in enumerate(highest):
            if order == 2:  # u' is the component u_t
                rate = (k, (*zero, 1))
                symbols.setdefault(rate, sp.Dummy(derivative_name(problem, rate), real=True))
                rows[self.components.index((k, 0))] = symbols[rate]
                if mass:
                    mass[(self.components.index((k, 0)),) * 2] = {zero: 1.0}
        for k, rate_of in zip(evolving, rates, strict=True):
            rows[self._rate_row(k, highest)] = rate_of
        return [rows[i] for i in range(self.dynamic)] + list(constraints), mass

    def _rate_row(self, k: int, highest: Sequence[int]) -> int:
        return self.components.index((k, highest[k] - 1))

    def _space_symbols(self, symbols: dict[Derivative, sp.Symbol]) -> dict[sp.Symbol, tuple[int, Orders]]:
        """Every symbol of a field, the fields themselves among them."""
        zero = (0,) * len(self.problem.domain.space)
        for k, m in self.components:
            symbols.setdefault(
                (k, (*zero, m)), sp.Dummy(derivative_name(self.problem, (k, (*zero, m))), real=True)
            )
        return {
            symbol: (self.components.index((k, index[-1])), index[:-1])
            for (k, index), symbol in symbols.items()
            if (k, index[-1]) in self.components
        }

    def _split(self, row: int, expression: sp.Expr) -> sp.Expr:
        """Put the linear part into `linear`, return the rest."""
        linear = sp.Integer(0)
        for symbol, (component, orders) in self.fields.items():
            if symbol in expression.free_symbols and (
                slope := _constant_slope(expression, symbol, self.fields)
            ):
                self.linear.setdefault((row, component), {})[orders] = slope
                linear += slope * symbol
        remainder = expression - linear
        expanded = sp.expand(remainder)
        return expanded if expanded.count_ops() <= remainder.count_ops() else remainder

    def _collect(self, rest: Sequence[sp.Expr]) -> None:
        """The terms of each row, equal ones shared."""
        dimension = len(self.problem.domain.space)
        symbols = self._first_order(dimension)
        homogeneous = [self._constraint(i) for i in range(self.dynamic, len(rest)) if rest[i] == 0]
        zero = (0,) * dimension
        for i, expression in enumerate(rest):
            flux = conservative(expression, symbols, homogeneous if i < self.dynamic else ())
            parts = [(zero, flux.local)] + [(unit(axis, dimension), f) for axis, f in flux.along.items()]
            for orders, term in parts:
                factor, core = term.as_coeff_Mul()
                if factor == 0:
                    continue
                if core not in self.terms:
                    self.terms.append(core)
                polynomial = self.forcing.setdefault((i, self.terms.index(core)), {})
                polynomial[orders] = polynomial.get(orders, 0.0) + float(factor)

    def _first_order(self, dimension: int) -> FirstOrder:
        places = {place: symbol for symbol, place in self.fields.items()}
        zero = (0,) * dimension
        values = [places[c, zero] for c in range(len(self.components))]
        derivatives = {
            places.get((c, unit(axis, dimension)), sp.Dummy(real=True)): (c, axis)
            for c in range(len(self.components))
            for axis in range(dimension)
        }
        for symbol, (c, axis) in derivatives.items():
            self.fields.setdefault(symbol, (c, unit(axis, dimension)))
        others = {s for s in self.fields if s not in values and s not in derivatives}
        return FirstOrder(tuple(values), derivatives, frozenset({*others, *self.problem.coordinates}))

    def _constraint(self, row: int) -> sp.Expr:
        places = {place: symbol for symbol, place in self.fields.items()}
        terms = [
            c * places[j, orders]
            for (i, j), polynomial in self.linear.items()
            if i == row
            for orders, c in polynomial.items()
        ]
        return sp.Add(*terms)

    def _differentiate_sources(self) -> None:
        """Time derivatives of the known functions in constraints, which index reduction may ask for."""
        time = self.problem.coordinates[-1]
        in_constraints = {term for row, term in self.forcing if row >= self.dynamic}
        for term in sorted(in_constraints):
            if not self.terms[term].free_symbols & set(self.fields):
                self.rates[term] = len(self.terms)
                self.terms.append(sp.diff(self.terms[term], time))


class InitialData:
    """The declared initial values as functions of points in space."""

    def __init__(self, problem: Problem) -> None:
        self.time = float(problem.domain.bounds[-1, 0])
        self._functions: dict[Component, Callable[[Array], Any]] = {}
        for condition in problem.of_type(Initial):
            place = problem.unknowns.index(condition.unknown), condition.order
            self._functions[place] = _as_function(problem, condition.value)

    def __contains__(self, component: Component) -> bool:
        return component in self._functions

    def values(self, component: Component, space: Array) -> Array:
        """One component at ``space`` (n, space axes), shape (n,)."""
        points = np.column_stack([space, np.full(len(space), self.time)])
        return np.broadcast_to(
            np.asarray(self._functions[component](points), dtype=np.float64), (len(points),)
        )

    def on_grid(self, components: Sequence[Component], axes: Sequence[Array]) -> Array:
        """Components on a tensor grid in space, (components, *grid)."""
        grids = np.meshgrid(*axes, indexing="ij")
        space = np.stack([g.ravel() for g in grids], axis=1)
        return np.stack([self.values(c, space).reshape(grids[0].shape) for c in components])


def _as_function(problem: Problem, data: Any) -> Callable[[Array], Any]:
    if not isinstance(data, sp.Basic):
        return data  # type: ignore[no-any-return]
    expression = lower(problem.coordinates, problem.substitute(data), "numpy")
    return lambda points: expression(*points.T)


def _gauge(problem: Problem, condition: Value) -> tuple[Array, Callable[[float], float]]:
    """The point in space, and the value there as a function of time."""
    name = condition.unknown.func.__name__
    space, time = problem.coordinates[:-1], problem.coordinates[-1]
    if set(condition.at) != set(space):
        wanted = ", ".join(c.name for c in space)
        raise ValueError(f"the gauge of {name} must fix {wanted} and hold at all times")
    point = np.array([float(condition.at[c]) for c in space])
    at = dict(zip(space, point, strict=True))
    data: Any = condition.value
    if isinstance(data, sp.Basic):
        of_time = lower([time], problem.substitute(data).subs(at), "numpy")
        return point, lambda t: float(of_time(t))
    return point, lambda t: float(np.asarray(data(np.array([[*point, t]]))).ravel()[0])


def _in_symbols(problem: Problem) -> tuple[list[sp.Expr], dict[Derivative, sp.Symbol]]:
    """The equations in one symbol for each derivative."""
    symbols: dict[Derivative, sp.Symbol] = {}
    expressions = []
    for term in Program(problem).equations:
        for derivative in term.derivatives:
            symbols.setdefault(derivative, sp.Dummy(derivative_name(problem, derivative), real=True))
        shared = {own: symbols[d] for d, own in zip(term.derivatives, term.symbols, strict=True)}
        expressions.append(term.expression.xreplace(shared))
    return expressions, symbols


def _highest(problem: Problem, symbols: dict[Derivative, sp.Symbol], k: int) -> int:
    return max((index[-1] for which, index in symbols if which == k), default=0)


def _components(problem: Problem, symbols: dict[Derivative, sp.Symbol]) -> tuple[tuple[Component, ...], int]:
    """The dynamic components, then the algebraic ones; and the number of the former."""
    unknowns = range(len(problem.unknowns))
    order = {k: _highest(problem, symbols, k) for k in unknowns}
    for k, index in symbols:
        if index[-1] > 2:
            name = derivative_name(problem, (k, index))
            raise ValueError(f"it takes time derivatives of first and second order, and {name} is neither")
    if not any(order.values()):
        raise ValueError("no equation holds a time derivative")
    dynamic = [(k, m) for m in range(2) for k in unknowns if order[k] > m]
    return (*dynamic, *((k, 0) for k in unknowns if not order[k])), len(dynamic)


def _solve(mass: sp.Matrix, at_rest: Sequence[sp.Expr]) -> tuple[list[sp.Expr], list[sp.Expr]]:
    """The rates v of mass v + at_rest = 0, and what is left of the other equations.

    Raises:
        ValueError: the mass matrix has no full column rank.
    """
    chosen = mass.T.rref()[1]
    if len(chosen) < mass.cols:
        raise ValueError("the equations cannot be solved for all time derivatives")
    inverse = mass[list(chosen), :].inv()
    rates = list(-inverse * sp.Matrix([at_rest[i] for i in chosen]))
    others = [i for i in range(mass.rows) if i not in chosen]
    return rates, [at_rest[i] + (mass[i, :] * sp.Matrix(rates))[0] for i in others]


def _constant_slope(expression: sp.Expr, symbol: sp.Symbol, symbols: dict[sp.Symbol, Any]) -> float:
    """The coefficient of ``symbol`` in the linear part where it is a constant, else 0."""
    slope = sp.diff(expression, symbol).xreplace(dict.fromkeys(symbols, sp.Integer(0)))
    if slope.is_number and slope.is_real and slope.is_finite:
        return float(slope)
    return 0.0


__all__ = ["Component", "Evolution", "InitialData", "Polynomial", "Stage"]
