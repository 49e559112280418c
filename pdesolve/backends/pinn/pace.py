"""How often a solution changes by about itself, read off the symbols: how many slabs of time it wants."""

from __future__ import annotations

import math

import numpy as np
import sympy as sp

from ...declare import Initial, Problem
from ...declare.domain import INSIDE, Array
from ..slabs import reasons_against

_POINTS = 500
_MOST = 50  # slabs
_AFFORDABLE = 2000  # operations of an equation with the initial data put in


def slabs_of(problem: Problem) -> int:
    """Number of equal slabs of time for "auto": the cycles of the fastest unknown at its start, rounded.

    An unknown u with ∂_t^q u = f has 1/(2π) (rms f / rms u)^(1/q) of them in a unit of time, f and u of the
    initial data: a wave of wave number k at speed c has c k / (2π). One slab where that cannot be told (data
    that are no expressions, a start from nothing), and where the problem cannot be cut.
    """
    if reasons_against(problem, 2) is not None or problem.domain.time is None:
        return 1
    data: dict[sp.Expr, sp.Expr] = dict.fromkeys(problem.unknowns, sp.Integer(0))
    for condition in problem.of_type(Initial):
        if not isinstance(condition.value, sp.Expr):
            return 1
        if condition.order == 0:
            data[condition.unknown] = problem.substitute(condition.value)
    start, end = problem.domain.time.bounds
    points = problem.domain.sample(_POINTS, np.random.default_rng(0), INSIDE)
    points[:, -1] = start
    rates = [
        _rate(problem, term.expression, unknown, data, points)
        for term in problem.terms
        if term.is_equation
        for unknown in problem.unknowns
    ]
    return max(1, min(_MOST, round(max(rates) * (end - start) / (2 * math.pi))))


def _rate(
    problem: Problem, equation: sp.Expr, unknown: sp.Expr, data: dict[sp.Expr, sp.Expr], points: Array
) -> float:
    """(rms f / rms u)^(1/q), f from one equation; 0 where it does not hold ∂_t^q u."""
    order, velocity = problem.time_order(unknown), sp.Dummy()
    size = _rms(problem, data[unknown], points)
    if not order or not size:
        return 0.0
    mass = sp.diff(equation.xreplace({unknown.diff((problem.coordinates[-1], order)): velocity}), velocity)
    if mass == 0:
        return 0.0
    at_rest = equation.xreplace(data).doit()  # the data stand still: what is left of the equation is -f
    force = at_rest / mass.xreplace(data).doit()
    if force.count_ops() > _AFFORDABLE:
        return 0.0
    return float((_rms(problem, force, points) / size) ** (1 / order))


def _rms(problem: Problem, expression: sp.Expr, points: Array) -> float:
    """Root mean square of an expression of the coordinates, 0 where it has no finite values."""
    with np.errstate(all="ignore"):
        values = np.asarray(sp.lambdify(problem.coordinates, expression, ["scipy", "numpy"])(*points.T))
    finite = np.broadcast_to(values, len(points))[np.isfinite(np.broadcast_to(values, len(points)))]
    return float(np.sqrt(np.mean(finite**2))) if len(finite) else 0.0
