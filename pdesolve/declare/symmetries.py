"""Symmetries of periodic evolution equations, read off the symbols.

Learned operators need not learn what the equations say: fields are brought to one representative of each
orbit, or mirrored at random in training.
"""

from __future__ import annotations

from dataclasses import dataclass

import sympy as sp

from .problem import Problem


@dataclass(frozen=True)
class Symmetries:
    """What leaves an evolution of one unknown on a circle unchanged.

    Attributes:
        translation: u(x + s, t) is a solution with u(x, t).
        boost: σ, where c + u(x - σ c t, t) is one (Galilean invariance); None where there is none.
        mirror: ±1, where ±u(-x, t) is one; None where neither is.
    """

    translation: bool = False
    boost: float | None = None
    mirror: int | None = None


def symmetries(problem: Problem) -> Symmetries:
    """The symmetries of a problem; none for all but evolutions of one unknown on a circle."""
    domain = problem.domain
    if domain.time is None or len(domain.space) != 1 or len(problem.unknowns) != 1:
        return Symmetries()
    (u,) = problem.unknowns
    if not problem.periodic_axes(u) or problem.time_order(u) != 1:
        return Symmetries()
    (equation,) = problem.equations.values()
    expression = problem.substitute(equation)
    found = problem.derivatives(expression)
    symbols = {index: sp.Dummy(real=True) for _, index in found.values()}
    plain = expression.xreplace({node: symbols[index] for node, (_, index) in found.items()})
    if plain.has(domain.space[0].coordinate):
        return Symmetries()
    return Symmetries(True, _boost(plain, symbols), _mirror(plain, symbols))


def _boost(plain: sp.Expr, symbols: dict[tuple[int, ...], sp.Symbol]) -> float | None:
    """σ of E(u + c, u_t - σ c u_x, …) = E(u, u_t, …), for E linear in u_t."""
    value, slope, rate = (symbols.get(index) for index in ((0, 0), (1, 0), (0, 1)))
    mixed = any(index[1] and index != (0, 1) for index in symbols)
    if value is None or slope is None or rate is None or mixed:
        return None
    mass, c = sp.diff(plain, rate), sp.Dummy(real=True)
    if not mass.is_number:
        return None
    change = sp.expand(plain.subs(value, value + c) - plain)
    speed = sp.simplify(change / (mass * c * slope))
    return float(speed) if speed.is_number else None


def _mirror(plain: sp.Expr, symbols: dict[tuple[int, ...], sp.Symbol]) -> int | None:
    """The sign s for which E(s u(-x)) is ±E; odd symmetry first, which is the rarer one to be trivial."""
    for sign in (-1, 1):
        swapped = plain.xreplace({d: sign * (-1) ** index[0] * d for index, d in symbols.items()})
        if sp.expand(swapped - plain) == 0 or sp.expand(swapped + plain) == 0:
            return sign
    return None


__all__ = ["Symmetries", "symmetries"]
