"""How often a solution goes through a cycle, read off the symbols: how many slabs of time it wants."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import sympy as sp

from ...declare import Initial, Problem
from ...declare.domain import INSIDE, Array
from ...residual.program import LoweringError, lower
from ...residual.singularities import NOT_SMOOTH
from ..slabs import edges, reasons_against

if TYPE_CHECKING:
    from .pinn import PINN

_POINTS = 500
_MOST = 50  # slabs
_AFFORDABLE = 500  # operations of an equation, and of the data in it
_SMALL = 0.1  # of the largest unknown: an unknown that starts below may grow to it

Data = dict[sp.Expr, sp.Expr]


def ends_of(backend: PINN, problem: Problem) -> list[float]:
    """Times at which slabs meet, and both ends."""
    alone = backend.stream_function or backend.subdomains is not None or backend.frame != "eulerian"
    is_open = backend.slabs == "auto" and not alone
    return edges(problem, slabs_of(problem) if is_open else backend.slabs)


def slabs_of(problem: Problem) -> int:
    """Number of equal slabs of time for "auto": the cycles of the fastest unknown, as it starts, rounded.

    With ∂_t^q u = f, and f' what f has without sources and without what only lets u grow or decay (its part
    along u, for q = 1), u goes through 1/(2π) (rms f' / rms u)^(1/q) cycles in a unit of time: a wave of wave
    number k at speed c through c k / (2π), a mode of diffusion through none. u and f are those of the initial
    data.

    One slab where that cannot be told: data that are no smooth expressions, a start from nothing, long
    expressions, mixed derivatives in time and space; and where the problem cannot be cut. Unknowns without
    initial data, such as a pressure, count as zero; initial velocities do not count.
    """
    if reasons_against(problem, 2) is not None or problem.domain.time is None:
        return 1
    data: Data = {}
    for condition in problem.of_type(Initial):
        if not isinstance(condition.value, sp.Expr) or condition.value.has(*NOT_SMOOTH):
            return 1
        if condition.order == 0:
            data[condition.unknown] = problem.substitute(condition.value)
    start, end = problem.domain.time.bounds
    points = problem.domain.sample(_POINTS, np.random.default_rng(0), INSIDE)
    points[:, -1] = start
    sizes = {u: float(np.sqrt(np.mean(_values(problem, e, points) ** 2))) for u, e in data.items()}
    least = _SMALL * max(sizes.values(), default=0.0)
    rates = [
        _rate(problem, term.expression, unknown, data, points, max(sizes[unknown], least))
        for term in problem.terms
        if term.is_equation
        for unknown in data
    ]
    return max(1, round(min(_MOST, max(rates, default=0.0) * (end - start) / (2 * math.pi))))


def _rate(
    problem: Problem, equation: sp.Expr, unknown: sp.Expr, data: Data, points: Array, size: float
) -> float:
    """(rms f' / size)^(1/q), f' from one equation; 0 where it does not hold ∂_t^q u, or cannot be told."""
    order, time = problem.time_order(unknown), problem.coordinates[-1]
    moving = [node for node, (_, index) in problem.derivatives(equation).items() if index[-1]]
    velocity = sp.Derivative(unknown, (time, order)) if order else None
    length = equation.count_ops() + sum(value.count_ops() for value in data.values())
    if velocity not in moving or not size or length > _AFFORDABLE:
        return 0.0
    if any(index[-1] and any(index[:-1]) for _, index in problem.derivatives(equation).values()):
        return 0.0
    still = equation.xreplace({node: sp.Integer(0) for node in moving if node != velocity})
    mass = sp.diff(still.xreplace({velocity: (v := sp.Dummy())}), v)
    force = -still.xreplace({velocity: sp.Integer(0)}) / mass
    nothing = dict.fromkeys(problem.unknowns, sp.Integer(0))
    full, source = (_values(problem, force.xreplace(nothing | put).doit(), points) for put in (data, {}))
    own, left = _values(problem, data[unknown], points), full - source
    if order == 1 and own.any():
        left = left - own * (left @ own) / (own @ own)
    rate = float(np.sqrt(np.mean(left**2)) / size) ** (1 / order)
    return rate if math.isfinite(rate) else 0.0


def _values(problem: Problem, expression: sp.Expr, points: Array) -> Array:
    """An expression of the coordinates at points, (n,); NaN where it has no values."""
    nothing = np.full(len(points), np.nan)
    if expression.has(sp.nan, sp.zoo, sp.oo, sp.Derivative) or expression.free_symbols - {
        *problem.coordinates
    }:
        return nothing
    try:
        function = lower(problem.coordinates, expression, "numpy")
    except LoweringError:
        return nothing
    with np.errstate(all="ignore"):
        found = np.asarray(function(*points.T), dtype=np.float64)
    return np.array(np.broadcast_to(found, len(points)))
