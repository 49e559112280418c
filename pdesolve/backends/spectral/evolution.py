"""A problem as û' = L û + N(û, t): what the symbols say, before any grid is chosen.

Every equation is solved for its time derivatives, u_t = F. The part of F_j that is linear in u_j with
constant coefficients becomes the diagonal symbol L_j(κ) = Σ_α c_α (iκ)^α; all else is N, evaluated on the
grid.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import sympy as sp

from ...declare import Initial, Problem
from ...declare.domain import Array
from ...residual.program import Derivative, Program, derivative_name, lower
from .fourier import FourierGrid, Spectra

Orders = tuple[int, ...]


class Evolution:
    """The right-hand side of a periodic evolution problem.

    Attributes:
        linear: for each unknown, the coefficient of each of its space derivatives in L.
        needed: the derivatives (unknown, space orders) that N is made of.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.count = len(problem.unknowns)
        self.data = InitialData(problem)
        rates, symbols = time_derivatives(problem)
        space = {symbol: (k, index[:-1]) for (k, index), symbol in symbols.items() if not index[-1]}
        self.linear: list[dict[Orders, float]] = []
        rest = []
        for j, rate in enumerate(rates):
            parts = {s: c for s, (k, _) in space.items() if k == j and (c := _constant_slope(rate, s, space))}
            self.linear.append({space[s][1]: c for s, c in parts.items()})
            remainder = rate - sp.Add(*(c * s for s, c in parts.items()))
            expanded = sp.expand(remainder)
            rest.append(expanded if expanded.count_ops() <= remainder.count_ops() else remainder)
        used = [s for s in space if any(s in r.free_symbols for r in rest)]
        self.needed = tuple(space[s] for s in used)
        self.is_linear = all(r == 0 for r in rest)
        arguments = (*used, *problem.coordinates)
        self._rest: Callable[..., list[Any]] = lower(arguments, rest, "numpy")
        slopes = [sp.diff(r, s) for r in rest for s in used]
        self._slopes: Callable[..., list[Any]] = lower(arguments, slopes, "numpy")

    def on(self, grid: FourierGrid) -> Discretization:
        return Discretization(self, grid)


class InitialData:
    """The declared initial values as a function of points in space."""

    def __init__(self, problem: Problem) -> None:
        self.time = float(problem.domain.bounds[-1, 0])
        self._functions: dict[int, Callable[[Array], Any]] = {}
        for condition in problem.of_type(Initial):
            self._functions[problem.unknowns.index(condition.unknown)] = _as_function(
                problem, condition.value
            )

    def values(self, space: Array) -> Array:
        """All unknowns at ``space`` (n, space axes), shape (n, unknowns)."""
        points = np.column_stack([space, np.full(len(space), self.time)])
        values = np.empty((len(points), len(self._functions)))
        for k, function in self._functions.items():
            values[:, k] = function(points)
        return values


def _as_function(problem: Problem, data: Any) -> Callable[[Array], Any]:
    if not isinstance(data, sp.Basic):
        return data  # type: ignore[no-any-return]
    expression = lower(problem.coordinates, problem.substitute(data), "numpy")
    return lambda points: expression(*points.T)


class Discretization:
    """`Evolution` on a grid: L as an array, N as a function of spectra."""

    def __init__(self, evolution: Evolution, grid: FourierGrid) -> None:
        self.evolution, self.grid = evolution, grid
        ones = np.ones((2 * grid.modes + 1,) * (grid.dimension - 1) + (grid.modes + 1,))
        self.symbol: Spectra = np.stack(
            [
                sum((c * grid.multiplier(orders) for orders, c in terms.items()), start=0j) * ones
                for terms in evolution.linear
            ]
        )
        self._multipliers = [grid.multiplier(orders) for _, orders in evolution.needed]

    def _arguments(self, spectra: Spectra, t: float) -> list[Any]:
        pairs = zip(self.evolution.needed, self._multipliers, strict=True)
        fields = [m * spectra[k] for (k, _), m in pairs]
        values = self.grid.to_grid(np.stack(fields)) if fields else ()
        return [*values, *self.grid.points, t]

    def nonlinear(self, spectra: Spectra, t: float) -> Spectra:
        """N(û, t), shape as ``spectra``."""
        if self.evolution.is_linear:
            return np.zeros_like(spectra)
        values = np.empty((self.evolution.count, *self.grid.shape))
        for k, value in enumerate(self.evolution._rest(*self._arguments(spectra, t))):
            values[k] = value
        return self.grid.to_modes(values)

    def initial(self) -> Spectra:
        """The series of the initial data, unknowns in the problem's order."""
        grid, data = self.grid, self.evolution.data
        values = data.values(np.stack([p.ravel() for p in grid.points], axis=1))
        return grid.to_modes(values.T.reshape(-1, *grid.shape))

    def rate(self, spectra: Spectra, time: float | None = None) -> float:
        """A bound for the fastest rate of N, Σ max|∂N/∂(∂^α u)| κ_max^|α|; steps must not exceed ~1/rate."""
        if not self.evolution.needed:
            return 0.0
        time = self.evolution.data.time if time is None else time
        slopes = self.evolution._slopes(*self._arguments(spectra, time))
        largest = np.array([np.max(np.abs(s)) for s in slopes]).reshape(self.evolution.count, -1)
        top = [kappa[self.grid.modes] for kappa in self.grid.wavenumbers]
        powers = [
            np.prod([k**o for k, o in zip(top, orders, strict=True)]) for _, orders in self.evolution.needed
        ]
        return float((largest @ np.array(powers)).max())


def time_derivatives(problem: Problem) -> tuple[list[sp.Expr], dict[Derivative, sp.Symbol]]:
    """u_t of every unknown as an expression in symbols, and the symbol of each derivative.

    Raises:
        ValueError: the equations cannot be solved for first time derivatives with constant coefficients;
            the text is a reason for `Backend.supports`.
    """
    program = Program(problem)
    symbols: dict[Derivative, sp.Symbol] = {}
    expressions = []
    for term in program.equations:
        for derivative in term.derivatives:
            symbols.setdefault(derivative, sp.Dummy(derivative_name(problem, derivative), real=True))
        shared = {own: symbols[d] for d, own in zip(term.derivatives, term.symbols, strict=True)}
        expressions.append(term.expression.xreplace(shared))
    dimension = len(problem.domain.space)
    first = (0,) * dimension + (1,)
    for derivative in symbols:
        if derivative[1][-1] and derivative[1] != first:
            name = derivative_name(problem, derivative)
            raise ValueError(f"it takes first-order time derivatives only, and {name} is none")
    missing = [n for k, n in enumerate(problem.unknown_names) if (k, first) not in symbols]
    if missing:
        raise ValueError(f"no equation holds a time derivative of {', '.join(missing)}")
    velocities = [symbols[k, first] for k in range(len(problem.unknowns))]
    mass = sp.Matrix([[sp.diff(e, v) for v in velocities] for e in expressions])
    if not all(entry.is_number for entry in mass):
        raise ValueError("a time derivative has a coefficient that is not constant")
    if mass.rows != mass.cols or mass.det() == 0:
        raise ValueError("the equations cannot be solved for all time derivatives")
    at_rest = sp.Matrix([e.xreplace(dict.fromkeys(velocities, sp.Integer(0))) for e in expressions])
    return list(-mass.inv() * at_rest), symbols


def _constant_slope(rate: sp.Expr, symbol: sp.Symbol, symbols: dict[sp.Symbol, Any]) -> float:
    """The coefficient of ``symbol`` in the linear part of ``rate`` where it is a constant, else 0."""
    slope = sp.diff(rate, symbol).xreplace(dict.fromkeys(symbols, sp.Integer(0)))
    if slope.is_number and slope.is_real and slope.is_finite:
        return float(slope)
    return 0.0


__all__ = ["Array", "Discretization", "Evolution", "time_derivatives"]
