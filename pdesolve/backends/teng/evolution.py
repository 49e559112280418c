"""A problem as u_t = f(x, t, u, u_x, …): its equations solved for the time derivatives, in symbols."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import sympy as sp

from ...declare import Dirichlet, Initial, Neumann, Periodic, Problem, Robin, unknown
from ...declare.conditions import Condition

_KNOWN = (Initial, Dirichlet, Neumann, Robin, Periodic)


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


def rates(problem: Problem) -> list[sp.Expr]:
    """f for each unknown of a problem of first order in time, known parameters put in.

    Raises:
        NotAnEvolution: an unknown has no time derivative, or the equations cannot be solved for them.
    """
    names, count = problem.unknown_names, len(problem.unknowns)
    for name, u in zip(names, problem.unknowns, strict=True):
        if problem.time_order(u) == 0:
            raise NotAnEvolution(f"no equation holds a time derivative of {name}")
    expressions = [term.expression for term in problem.terms if term.is_equation]
    velocities = [sp.Dummy(f"{name}_t") for name in names]
    lowered = []
    for e in expressions:
        put = {}
        for node, (k, index) in problem.derivatives(e).items():
            if index[-1]:
                if any(index[:-1]):
                    raise NotAnEvolution(f"the time derivative {node} has space derivatives too")
                put[node] = velocities[k]
        lowered.append(e.xreplace(put))
    mass = sp.Matrix([[sp.diff(e, v) for v in velocities] for e in lowered])
    if mass.free_symbols & set(velocities):
        raise NotAnEvolution("the equations are not linear in the time derivatives")
    if mass.rows != count or sp.simplify(mass.det()) == 0:
        raise NotAnEvolution("the equations cannot be solved for all time derivatives")
    at_rest = sp.Matrix([e.xreplace(dict.fromkeys(velocities, sp.Integer(0))) for e in lowered])
    return [sp.expand(rate) for rate in -(mass.inv() * at_rest)]


def reasons(problem: Problem) -> list[str]:
    """Why the problem cannot be stepped through time; empty where it can."""
    if problem.domain.time is None:
        return ["it has no time to step through"]
    if len(problem.domain.space) > 3:
        return ["its points are a grid, which four and more dimensions make too large"]
    if problem.unknown_parameters:
        return ["it does not identify unknown parameters"]
    if problem.coefficients:
        return ["it does not find unknown coefficients"]
    others = {type(c).__name__ for c in problem.conditions if not isinstance(c, _KNOWN)}
    if others:
        return [f"a step in time cannot impose {', '.join(sorted(others))}"]
    try:
        evolution = first_order(problem)
        rates(evolution)
    except NotAnEvolution as error:
        return [str(error)]
    given = {c.unknown for c in evolution.of_type(Initial)}
    return [
        f"{name} has no initial condition"
        for name, u in zip(evolution.unknown_names, evolution.unknowns, strict=True)
        if u not in given
    ]
