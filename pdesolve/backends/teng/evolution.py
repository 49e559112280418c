"""A problem as u_t = f(x, t, u, u_x, …) and constraints 0 = g(x, t, u, u_x, …): solved in symbols.

Unknowns without a time derivative, such as the pressure of incompressible flow, are algebraic: at every time
they are what keeps the others on the constraints. Where a constraint holds none of them, its derivative in
time along u_t = f does (index two): for ∇·u = 0 that is the equation of the pressure, ∇·f = 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import sympy as sp

from ...declare import Dirichlet, Initial, Neumann, Periodic, Problem, Robin, Value
from ...declare.problem import Term
from .reduction import NotAnEvolution, first_order

_KNOWN = (Initial, Dirichlet, Neumann, Robin, Periodic, Value)


@dataclass(frozen=True)
class Evolution:
    """A problem of first order in time, its equations solved for the time derivatives.

    Attributes:
        problem: as `first_order` makes it.
        forms: for each unknown f, or g where it is algebraic.
        algebraic: which unknowns have no time derivative.
        starts: for each unknown what its value at the start of time follows from: itself where it is given
            there, else an expression that is zero and holds algebraic unknowns.
    """

    problem: Problem
    forms: tuple[sp.Expr, ...]
    algebraic: tuple[bool, ...]
    starts: tuple[sp.Expr, ...]

    @property
    def is_index_two(self) -> bool:
        """Whether algebraic unknowns follow from the time derivative of a constraint."""
        held = zip(self.algebraic, self.starts, self.forms, strict=True)
        return any(is_algebraic and start != form for is_algebraic, start, form in held)

    @property
    def differential(self) -> list[int]:
        """Positions of the unknowns that have an f."""
        return [k for k, is_algebraic in enumerate(self.algebraic) if not is_algebraic]


def as_evolution(problem: Problem) -> Evolution:
    """The equations of a problem, known parameters put in, solved for all time derivatives.

    Raises:
        NotAnEvolution: they cannot be solved for, or do not determine the algebraic unknowns.
    """
    problem = first_order(problem)
    algebraic = tuple(problem.time_order(u) == 0 for u in problem.unknowns)
    velocities = [sp.Dummy(f"{name}_t") for name in problem.unknown_names]
    dynamic: list[sp.Expr] = []
    constraints: list[sp.Expr] = []
    for term in problem.terms:
        if term.is_equation:
            lowered = _with_velocities(problem, term.expression, velocities)
            (dynamic if lowered.free_symbols & set(velocities) else constraints).append(lowered)
    if len(constraints) != sum(algebraic):
        without = [name for name, a in zip(problem.unknown_names, algebraic, strict=True) if a]
        raise NotAnEvolution(
            f"{len(constraints)} equations without a time derivative do not determine the "
            f"{len(without)} unknowns without one ({', '.join(without) or 'none'})"
        )
    solved = iter(_solved(dynamic, [v for v, a in zip(velocities, algebraic, strict=True) if not a]))
    rest = iter(constraints)
    forms = tuple(next(rest) if a else next(solved) for a in algebraic)
    found = Evolution(problem, forms, algebraic, ())
    starts = [_start(found, k) for k in range(len(forms))]
    return Evolution(problem, forms, algebraic, tuple(starts))


def _with_velocities(problem: Problem, expression: sp.Expr, velocities: Sequence[sp.Symbol]) -> sp.Expr:
    """An equation with symbols in place of time derivatives."""
    put = {}
    for node, (k, index) in problem.derivatives(expression).items():
        if index[-1]:
            if any(index[:-1]):
                raise NotAnEvolution(f"the time derivative {node} has space derivatives too")
            put[node] = velocities[k]
    return expression.xreplace(put)


def _solved(equations: Sequence[sp.Expr], velocities: Sequence[sp.Symbol]) -> list[sp.Expr]:
    """The velocities from equations that are linear in them."""
    mass = sp.Matrix([[sp.diff(e, v) for v in velocities] for e in equations])
    if mass.free_symbols & set(velocities):
        raise NotAnEvolution("the equations are not linear in the time derivatives")
    if mass.rows != mass.cols or sp.simplify(mass.det()) == 0:
        raise NotAnEvolution("the equations cannot be solved for all time derivatives")
    at_rest = sp.Matrix([e.xreplace(dict.fromkeys(velocities, sp.Integer(0))) for e in equations])
    return [sp.expand(rate) for rate in -(mass.inv() * at_rest)]


def _start(found: Evolution, k: int) -> sp.Expr:
    """What the k-th unknown follows from at the start."""
    problem = found.problem
    if not found.algebraic[k]:
        return problem.unknowns[k]
    g = found.forms[k]
    if not _has_algebraic(found, g):
        g = _along(found, g)
        if not _has_algebraic(found, g):
            raise NotAnEvolution("neither a constraint nor its time derivative holds an algebraic unknown")
    return g


def _has_algebraic(found: Evolution, expression: sp.Expr) -> bool:
    return any(found.algebraic[k] for k, _ in found.problem.derivatives(expression).values())


def _along(found: Evolution, g: sp.Expr) -> sp.Expr:
    """dg/dt along u_t = f, for a g of unknowns that have an f."""
    problem, nodes = found.problem, found.problem.derivatives(g)
    symbols: Mapping[sp.Expr, sp.Symbol] = {node: sp.Dummy() for node in nodes}
    written = g.xreplace(symbols)
    back = {symbol: node for node, symbol in symbols.items()}
    total = written.diff(problem.coordinates[-1]).xreplace(back)
    for node, (k, index) in nodes.items():
        orders = [(x, n) for x, n in zip(problem.coordinates, index, strict=True) if n]
        rate = found.forms[k].diff(*orders) if orders else found.forms[k]
        total += written.diff(symbols[node]).xreplace(back) * rate.doit()
    return sp.expand(total)


def start_conditions(evolution: Evolution) -> list[Term]:
    """What algebraic unknowns meet on the walls of a box at the start: f of a velocity that is prescribed
    there is the rate of its data, if f holds an algebraic unknown differentiated across the wall.

    For incompressible flow these are the Neumann data of the pressure.
    """
    problem, found = evolution.problem, []
    forms = dict(zip(problem.unknowns, evolution.forms, strict=True))
    for term in problem.terms:
        condition = term.condition
        if not isinstance(condition, Dirichlet) or not isinstance(condition.value, sp.Expr):
            continue
        if evolution.algebraic[problem.unknowns.index(condition.unknown)]:
            continue  # its form is a constraint, no rate
        normal = problem.domain.normal(term.region)
        if normal is None:
            continue
        form, across = forms[condition.unknown], int(np.abs(normal).argmax())
        crossing = [
            index
            for k, index in problem.derivatives(form).values()
            if evolution.algebraic[k] and index[across]
        ]
        if crossing:
            rate = problem.substitute(condition.value.diff(problem.coordinates[-1]))
            found.append(Term(f"start of {term.name}", form - rate, term.region, condition=condition))
    return found


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
    time = problem.coordinates[-1]
    if any(time in c.at for c in problem.of_type(Value)):
        return ["a step in time cannot impose a value at one time"]
    others = {type(c).__name__ for c in problem.conditions if not isinstance(c, _KNOWN)}
    if others:
        return [f"a step in time cannot impose {', '.join(sorted(others))}"]
    try:
        found = as_evolution(problem)
    except NotAnEvolution as error:
        return [str(error)]
    if not found.differential:
        return ["no unknown has a time derivative"]
    against = _against_conditions(found)
    if against:
        return [against]
    given = {c.unknown for c in found.problem.of_type(Initial)}
    names = zip(found.problem.unknown_names, found.problem.unknowns, found.algebraic, strict=True)
    return [f"{name} has no initial condition" for name, u, a in names if not a and u not in given]


def _against_conditions(found: Evolution) -> str | None:
    """Conditions that a step cannot impose, or that leave algebraic unknowns open at the start."""
    problem, differential = found.problem, {found.problem.unknowns[k] for k in found.differential}
    for value in problem.of_type(Value):
        if value.unknown in differential:
            return f"a step in time cannot impose a value of {value.unknown.func.__name__} at a point"
    if found.is_index_two:
        if not problem.domain.is_box:
            return "what its constraints say at the start is known on boxes alone"
        for wall in problem.of_type(Dirichlet):
            if wall.unknown in differential and not isinstance(wall.value, sp.Expr):
                name = wall.unknown.func.__name__
                return f"its constraints ask for data of {name} as an expression, not as a function"
    return None
