"""Periodicity as rows, for networks that do not have it by their features."""

from __future__ import annotations

import sympy as sp

from ..declare import Periodic, Problem
from ..declare.problem import Term


def periodic_terms(problem: Problem) -> list[Term]:
    """D u(x, t) - D u(x + P, t) = 0 on the lower faces, P the period.

    D are the derivatives along the axis from none up to one order less than the unknown has in the equations:
    what a solution and its smooth continuation share.
    """
    terms = []
    for condition in problem.of_type(Periodic):
        for axis in condition.axes(problem.domain):
            x = problem.coordinates[axis]
            lower, upper = map(float, problem.domain.bounds[axis])
            face = next(f.name for f in problem.domain.faces if f.axis == axis and f.side < 0)
            for order in range(max(1, problem.order(condition.unknown, x))):
                value = sp.Derivative(condition.unknown, (x, order)) if order else condition.unknown
                of = f"{condition.unknown.func.__name__}_{x.name * order}".rstrip("_")
                name = f"{condition.kind} {of} on {face}"
                terms.append(Term(name, value, face, shift={axis: upper - lower}, condition=condition))
    return terms
