"""What the run starts from: the initial data as values at nodes, and a first network of them.

A network that is fitted to symmetric data, such as f(sin x), may lose the features that break the symmetry,
and with them the tangents along which the equation wants to leave it. So the first fit gives the network two
outputs an unknown: the data u₀ and their rate f(u₀), which is kept roughly. The hidden features hold both
from then on, and the last layer makes every combination of them a tangent.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import sympy as sp

from ...declare import Initial, Periodic, Problem, unknown
from ...declare.domain import Array
from ...residual.program import lower

DATA_WEIGHT, RATE_WEIGHT = 1.0, 1e-2
"""Sizes that the data and their rates are fitted with: the data first."""

Data = Callable[[Array], Array]


def initial_data(problem: Problem) -> list[Data]:
    """u₀ of each unknown, as functions of points (n, d)."""
    given = {c.unknown: c.value for c in problem.of_type(Initial)}
    return [_function(problem, given[u]) for u in problem.unknowns]


def initial_rates(problem: Problem, rates: Sequence[sp.Expr]) -> list[Data] | None:
    """f(u₀) of each unknown; None where data are functions of points, which symbols cannot differentiate."""
    given = {c.unknown: c.value for c in problem.of_type(Initial)}
    if not all(isinstance(value, sp.Expr) for value in given.values()):
        return None
    return [_function(problem, rate.subs(given).doit()) for rate in rates]


def _function(problem: Problem, data: Any) -> Data:
    if not isinstance(data, sp.Expr):
        return lambda points: np.asarray(data(points), dtype=np.float64)
    expression = lower(problem.coordinates, problem.substitute(data), "numpy")
    return lambda points: np.broadcast_to(np.asarray(expression(*points.T), dtype=np.float64), len(points))


def with_companions(problem: Problem) -> Problem:
    """The problem with one more unknown beside each, of which nothing is asked."""
    companions = {u: unknown(f"{u.func.__name__}_rate", *problem.coordinates) for u in problem.unknowns}
    t = problem.coordinates[-1]
    equations = {f"companion of {u.func.__name__}": c.diff(t) for u, c in companions.items()}
    conditions = [Initial(c, sp.Integer(0)) for c in companions.values()]
    periodic = [
        Periodic(companions[c.unknown], c.along) for c in problem.conditions if isinstance(c, Periodic)
    ]
    return problem.replace(
        equations={**problem.equations, **equations},
        conditions=[*problem.conditions, *conditions, *periodic],
        unknowns=(*problem.unknowns, *companions.values()),
        reference=None,
    )
