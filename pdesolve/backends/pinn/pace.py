"""How often a solution goes through a cycle, read off the symbols: how many slabs of time it wants."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import sympy as sp

from ...declare import Initial, Problem
from ...declare.domain import INSIDE, Array
from ...declare.problem import MultiIndex
from ...residual.program import Derivative, LoweredTerm, LoweringError, Program, lower
from ...residual.singularities import NOT_SMOOTH
from ..slabs import edges, reasons_against

if TYPE_CHECKING:
    from .pinn import PINN

_POINTS = 500
_MOST = 50  # slabs
_AFFORDABLE = 500  # operations in initial data
_SMALL = 0.1  # of the largest unknown: an unknown that starts below may grow to it


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

    One slab where that cannot be told: data that are no smooth expressions, or long ones, a start from
    nothing, mixed derivatives in time and space; and where the problem cannot be cut. Unknowns without
    initial data, such as a pressure, count as zero; initial velocities do not count.
    """
    if reasons_against(problem, 2) is not None or problem.domain.time is None:
        return 1
    data: dict[int, sp.Expr] = {}
    for condition in problem.of_type(Initial):
        value = condition.value
        if not isinstance(value, sp.Expr) or value.has(*NOT_SMOOTH) or value.count_ops() > _AFFORDABLE:
            return 1
        if condition.order == 0:
            data[problem.unknowns.index(condition.unknown)] = problem.substitute(value)
    program, (start, end) = Program(problem), problem.domain.time.bounds
    points = problem.domain.sample(_POINTS, np.random.default_rng(0), INSIDE)
    points[:, -1] = start
    wanted = {d for term in program.equations for d in term.derivatives}
    with np.errstate(all="ignore"):
        own = {k: _values(problem, value, points) for k, value in data.items()}
        at_rest = {
            (k, index): np.zeros(_POINTS)
            if index[-1] or k not in data
            else _values(problem, _derivative(problem, data[k], index), points)
            for k, index in wanted
        }
        sizes = {k: _rms(values) for k, values in own.items()}
        least = _SMALL * max(sizes.values(), default=0.0)
        rates = [
            _rate(program, term, at_rest, points, k, own[k], max(sizes[k], least))
            for term in program.equations
            for k in data
        ]
    finite = [rate for rate in rates if math.isfinite(rate)]
    return max(1, round(min(_MOST, max(finite, default=0.0) * (end - start) / (2 * math.pi))))


def _rate(
    program: Program,
    term: LoweredTerm,
    at_rest: dict[Derivative, Array],
    points: Array,
    k: int,
    own: Array,
    size: float,
) -> float:
    """(rms f' / size)^(1/q) of the k-th unknown, f' from one equation; 0 where that does not hold ∂_t^q u."""
    problem = program.problem
    order = problem.time_order(problem.unknowns[k])
    velocity = (k, (*(0 for _ in problem.domain.space), order))
    is_mixed = any(index[-1] and any(index[:-1]) for _, index in term.derivatives)
    if not order or not size or velocity not in term.derivatives or is_mixed:
        return 0.0

    def force(share: float) -> Array:
        """f of this share of the state: an equation is linear in its highest time derivative."""
        arrays = [share * at_rest[d] for d in term.derivatives]
        still = program.evaluate(term, arrays, points)
        arrays[term.derivatives.index(velocity)] = np.ones(len(points))
        found: Array = -still / (program.evaluate(term, arrays, points) - still)
        return found

    left = force(1.0) - force(0.0)
    if order == 1 and own.any():
        left = left - own * (left @ own) / (own @ own)
    return float((_rms(left) / size) ** (1 / order))


def _derivative(problem: Problem, expression: sp.Expr, index: MultiIndex) -> sp.Expr:
    """D^index of an expression."""
    orders = [(c, n) for c, n in zip(problem.coordinates, index, strict=True) if n]
    return sp.diff(expression, *orders) if orders else expression


def _values(problem: Problem, expression: sp.Expr, points: Array) -> Array:
    """An expression of the coordinates at points, (n,); NaN where NumPy lacks it."""
    try:
        found = lower(problem.coordinates, expression, "numpy")(*points.T)
    except LoweringError:
        return np.full(len(points), np.nan)
    return np.array(np.broadcast_to(np.asarray(found, dtype=np.float64), len(points)))


def _rms(values: Array) -> float:
    return float(np.sqrt(np.mean(values**2)))
