"""Checks of the equations: their number, their content, their order, their direction in time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import sympy as sp

from ..errors import (
    BackwardDiffusionError,
    EquationCountError,
    IllPosedWarning,
    NoUnknownError,
    SingularLimitError,
    TrivialEquationError,
)
from ..symbols import applied_functions
from .facts import Equation, Facts, Node, names, vanishes, warn


def check_any_unknown(facts: Facts) -> None:
    """Some equation holds an unknown; if none does, that is said before conditions are compared with it."""
    if any(applied_functions(e) for e in facts.problem.equations.values()):
        return
    if facts.equations:
        check_not_trivial(facts)
    raise EquationCountError(
        facts.who,
        "an equation for each unknown",
        "0 equations",
        "Give equations=[...], each an expression that is 0, or sympy.Eq.",
    )


def check_not_trivial(facts: Facts) -> None:
    """Each equation says something, and says it of an unknown."""
    conditions = facts.problem.conditions
    for equation in facts.equations:
        if _depends_on_unknowns(equation):
            continue
        if vanishes(equation.source):
            raise TrivialEquationError(
                equation.who,
                "an equation that holds for some fields only",
                f"{str(equation.declared)[:80]}, which is 0 = 0",
                "Correct the equation, or drop it.",
            )
        raise NoUnknownError(
            equation.who,
            f"an equation in {names(facts.problem.unknowns or {c.unknown: None for c in conditions})}",
            f"{str(equation.source)[:80]} = 0, which holds no unknown",
            "Correct the equation, or drop it.",
        )


def _depends_on_unknowns(equation: Equation) -> bool:
    # Highest derivatives come first; their coefficients are the simplest, so this is over at once.
    return any(not vanishes(equation.coefficient(node)) for node in equation.symbols)


def check_count(facts: Facts) -> None:
    """As many equations as unknowns, of which coefficients have none."""
    problem = facts.problem
    due = [u for u in problem.unknowns if u not in problem.coefficients]
    n, k = len(facts.equations), len(due)
    if n != k or n == 0:
        raise EquationCountError(
            facts.who,
            f"as many equations as unknowns ({names(due)})",
            f"{n} equation{'s' * (n != 1)} for {k} unknown{'s' * (k != 1)}",
            "Add the missing equation, or make a known function an expression or a parameter, and one that "
            "was observed a coefficient().",
        )


def check_singular_limit(facts: Facts) -> None:
    """No parameter value removes the highest derivative: the conditions would no longer fit."""
    problem = facts.problem
    declared: dict[Node, None] = {}
    for equation in facts.equations:
        declared |= dict.fromkeys(problem.derivatives(equation.declared).values())
    for k, unknown in enumerate(problem.unknowns):
        for axis, coordinate in enumerate(problem.coordinates):
            before = max((index[axis] for which, index in declared if which == k), default=0)
            after = facts.order(unknown, axis)
            if after < before:
                zero = [str(s) for s, v in problem.parameters.items() if sp.sympify(v) == 0]
                raise SingularLimitError(
                    f"{facts.who}, parameter {names(zero)}",
                    f"values that keep the derivative of order {before} of {unknown} in {coordinate}",
                    f"order {after} once the values are put in",
                    "Give a value other than 0, or declare the reduced equation with its own conditions.",
                )


def check_forward_in_time(facts: Facts) -> None:
    """The highest even derivative along each axis damps (first order in time) or propagates (second).

    With residual c ∂ᵗu + a ∂²ᵐu/∂x²ᵐ, a mode exp(ikx) has growth rate -(a/c)(-1)ᵐk²ᵐ, or its square root
    in second order in time: (-1)ᵐ a/c must not be negative.
    """
    if facts.time_axis is None or facts.problem.allow_ill_posed:
        return
    for equation in facts.equations:
        for k, in_time, in_space in _evolution(facts, equation):
            c, a = equation.coefficient((k, in_time)), equation.coefficient((k, in_space))
            m = max(in_space) // 2
            damping = (-1) ** m * a / c
            signs = _signs(facts, equation, damping)
            if {-1, 1} <= signs:
                term = _d(facts.problem.unknowns[k], in_space, facts)
                warn(
                    f"{equation.who}: the coefficient {a} of {term} has both signs in the domain. "
                    "Short waves grow without bound where it is wrong.",
                    IllPosedWarning,
                )
            elif damping.is_negative or -1 in signs:
                unknown = facts.problem.unknowns[k]
                coordinate = facts.problem.coordinates[in_space.index(max(in_space))]
                raise BackwardDiffusionError(
                    equation.who,
                    f"a well-posed evolution: (-1)^{m} a/c > 0 in c·{_d(unknown, in_time, facts)} "
                    f"+ a·{_d(unknown, in_space, facts)}",
                    f"c = {c}, a = {a}: short waves in {coordinate} grow without bound",
                    "Turn the sign of the term, or set allow_ill_posed=True.",
                )


def _signs(facts: Facts, equation: Equation, expression: sp.Expr) -> set[int]:
    """Signs of an expression in coordinates alone, over the domain; none where unknowns decide."""
    if not expression.free_symbols.issubset(facts.problem.coordinates):
        return set()
    values = facts.evaluate(expression, facts.points(64))
    values = values[np.isfinite(values)]
    values[np.abs(values) < 1e-12 * np.abs(values).max(initial=0.0)] = 0.0  # round-off has a sign too
    return {int(sign) for sign in np.sign(values)}


def _evolution(facts: Facts, equation: Equation) -> Iterator[tuple[int, tuple[int, ...], tuple[int, ...]]]:
    """(unknown, pure time derivative, highest even pure space derivative along one axis)."""
    time = facts.time_axis
    assert time is not None
    leading = [(k, index) for k, index in equation.symbols if index[time] == facts_time_order(facts, k)]
    evolving = [(k, index) for k, index in leading if index[time] > 0]
    # Two unknowns' time derivatives, or u_xxt beside u_t, change the dispersion relation: not judged.
    if len(evolving) != 1 or sum(evolving[0][1]) != evolving[0][1][time]:
        return
    k, in_time = evolving[0]
    for axis in range(len(facts.domain.space)):
        even = [
            index
            for which, index in equation.symbols
            if which == k and index[axis] == sum(index) > 0 and index[axis] % 2 == 0
        ]
        if even:
            yield k, in_time, max(even, key=sum)


def facts_time_order(facts: Facts, k: int) -> int:
    return facts.order(facts.problem.unknowns[k], facts.time_axis)


def _d(unknown: sp.Expr, index: tuple[int, ...], facts: Facts) -> str:
    letters = "".join(c.name * n for c, n in zip(facts.problem.coordinates, index, strict=True))
    return f"{unknown.func.__name__}_{letters}"
