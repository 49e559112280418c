"""A problem of second order in time as one of first order, in symbols."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import sympy as sp

from ...declare import Initial, Periodic, Problem, unknown
from ...declare.conditions import Condition


class NotAnEvolution(ValueError):
    """The equations cannot be stepped through time; the text is a reason for `Backend.supports`."""


def first_order(problem: Problem) -> Problem:
    """The same problem without second time derivatives: each such unknown is followed by its rate, ``u_t``.

    The rate keeps to the boundary data of u through the equations u - c u_t = g of the stages.

    Raises:
        NotAnEvolution: derivatives in time are of third or higher order, or mixed ones of second order.
    """
    second = [u for u in problem.unknowns if problem.time_order(u) == 2]
    for u in problem.unknowns:
        if problem.time_order(u) > 2:
            raise NotAnEvolution(f"{u.func.__name__} has a time derivative of order {problem.time_order(u)}")
    if not second:
        return problem
    t = problem.coordinates[-1]
    rates = {u: unknown(f"{u.func.__name__}_t", *problem.coordinates) for u in second}
    equations = {name: _with_rates(problem, e, rates) for name, e in problem.equations.items()}
    equations |= {f"rate of {u.func.__name__}": u.diff(t) - rate for u, rate in rates.items()}
    conditions = [c for condition in problem.conditions for c in _conditions(condition, rates)]
    return problem.replace(equations=equations, conditions=conditions, unknowns=(), reference=None)


def _with_rates(problem: Problem, expression: sp.Expr, rates: dict[sp.Expr, sp.Expr]) -> sp.Expr:
    """The equation with u_t written as the rate, u_tt as its derivative."""
    put = {}
    for node, (k, index) in problem.derivatives(expression).items():
        rate, *in_space = rates.get(problem.unknowns[k]), *index[:-1]
        if rate is None or not index[-1]:
            continue
        if index[-1] == 2 and any(in_space):
            raise NotAnEvolution(f"the mixed derivative {node} cannot be solved for")
        orders = [(x, n) for x, n in zip(problem.coordinates, (*in_space, index[-1] - 1), strict=True) if n]
        put[node] = rate.diff(*orders) if orders else rate
    return expression.xreplace(put)


def _conditions(condition: Condition, rates: dict[sp.Expr, sp.Expr]) -> Iterator[Condition]:
    """A condition of the problem of first order, and the periodicity of the rate."""
    rate = rates.get(condition.unknown)
    if isinstance(condition, Initial) and condition.order == 1:
        assert rate is not None
        yield Initial(rate, condition.value)
        return
    yield condition
    if rate is not None and isinstance(condition, Periodic):
        yield replace(condition, unknown=rate)
