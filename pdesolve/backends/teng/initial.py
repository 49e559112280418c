"""What the run starts from: the initial data as values at nodes, and a first network of them.

A network that is fitted to symmetric data, such as f(sin x), may lose the features that break the symmetry,
and with them the tangents along which the equation wants to leave it. So the first fit gives the network two
outputs an unknown: the data u₀ and their rate f(u₀), which is kept roughly. The hidden features hold both
from then on, and the last layer makes every combination of them a tangent.

An algebraic unknown has no data: its output is fitted to the equation that determines it at the start.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import sympy as sp

from ...declare import Initial, Periodic, Problem, unknown
from ...declare.domain import Array
from ...residual.program import lower
from .evolution import Evolution

DATA_WEIGHT, RATE_WEIGHT = 1.0, 1e-2
"""Sizes that the data and their rates are fitted with: the data first."""

Data = Callable[[Array], Array]


def initial_data(evolution: Evolution) -> list[Data]:
    """u₀ of each unknown, zero of algebraic ones, as functions of points (n, d)."""
    return [_function(evolution.problem, value) for value in _values(evolution).values()]


def initial_rates(evolution: Evolution) -> list[Data] | None:
    """f(u₀) of each unknown that has one, algebraic ones taken as zero; None where data are functions of
    points, which symbols cannot differentiate, or where f is not defined at zero."""
    values = _values(evolution)
    if not all(isinstance(value, sp.Expr) for value in values.values()):
        return None
    rates = [evolution.forms[k] for k in evolution.differential]
    found = [rate.subs(values).doit() for rate in rates]
    if any(rate.has(sp.zoo, sp.nan, sp.oo, -sp.oo) for rate in found):
        return None
    return [_function(evolution.problem, rate) for rate in found]


def _values(evolution: Evolution) -> dict[sp.Expr, Any]:
    problem = evolution.problem
    given = {c.unknown: c.value for c in problem.of_type(Initial)}
    pairs = zip(problem.unknowns, evolution.algebraic, strict=True)
    return {u: sp.Integer(0) if is_algebraic else given[u] for u, is_algebraic in pairs}


def _function(problem: Problem, data: Any) -> Data:
    if not isinstance(data, sp.Expr):
        return lambda points: np.asarray(data(points), dtype=np.float64)
    expression = lower(problem.coordinates, problem.substitute(data), "numpy")
    return lambda points: np.broadcast_to(np.asarray(expression(*points.T), dtype=np.float64), len(points))


def with_companions(evolution: Evolution) -> Problem:
    """The problem with one more unknown for each that has a rate, of which nothing is asked."""
    problem = evolution.problem
    differential = [problem.unknowns[k] for k in evolution.differential]
    companions = {u: unknown(f"{u.func.__name__}_rate", *problem.coordinates) for u in differential}
    t = problem.coordinates[-1]
    equations = {f"companion of {u.func.__name__}": c.diff(t) for u, c in companions.items()}
    conditions = [Initial(c, sp.Integer(0)) for c in companions.values()]
    periodic = [
        Periodic(companions[c.unknown], c.along)
        for c in problem.conditions
        if isinstance(c, Periodic) and c.unknown in companions
    ]
    return problem.replace(
        equations={**problem.equations, **equations},
        conditions=[*problem.conditions, *conditions, *periodic],
        unknowns=(*problem.unknowns, *companions.values()),
        reference=None,
    )
