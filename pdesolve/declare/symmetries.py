"""Symmetries of periodic evolution equations, read off the symbols.

Learned operators need not learn what the equations say: fields are brought to one representative of each
orbit, or mirrored at random in training.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sympy as sp

from .conditions import Dirichlet
from .known import KnownFunction
from .problem import Problem
from .series import Series


@dataclass(frozen=True)
class Symmetries:
    """What leaves an evolution of one unknown on a circle unchanged.

    Attributes:
        translation: u(x + s, t) is a solution with u(x, t).
        boost: σ, where c + u(x - σ c t, t) is one (Galilean invariance); None where there is none.
        mirror: ±1, where ±u(-x, t) is one; None where neither is.
        square: whether a steady problem with zero boundary values on a square stays one of its family when
            inputs and solution are mirrored, or x and y exchanged, together.
    """

    translation: bool = False
    boost: float | None = None
    mirror: int | None = None
    square: bool = False


def symmetries(problem: Problem) -> Symmetries:
    """The symmetries of a problem; none for all but evolutions of one unknown on a circle."""
    domain = problem.domain
    if domain.time is None:
        return Symmetries(square=_is_square(problem))
    if len(domain.space) != 1 or len(problem.unknowns) != 1:
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


def _is_square(problem: Problem) -> bool:
    """Whether the equations are the same in mirrored and exchanged coordinates."""
    bounds = problem.domain.bounds
    data = {c.value for c in problem.conditions if isinstance(c, Dirichlet)}
    zero = len(data) == 1 and data == {sp.Integer(0)} and len(problem.conditions) == len(problem.unknowns)
    sides = bounds[:, 1] - bounds[:, 0]
    if not problem.domain.is_box or len(bounds) != 2 or not zero or sides[0] != sides[1]:
        return False
    for equation in problem.equations.values():
        expression = problem.substitute(equation)
        places: dict[sp.Expr, tuple[Any, tuple[int, ...]]] = dict(problem.derivatives(expression))
        for known in expression.atoms(KnownFunction):
            function = type(known)._imp_
            if not isinstance(function, Series) or known.args != problem.coordinates:
                return False
            places[known] = (function.digest, function.orders)
        symbols = {place: sp.Dummy(real=True) for place in places.values()}
        for what, (i, j) in list(symbols):  # what an exchange leads to
            symbols.setdefault((what, (j, i)), sp.Dummy(real=True))
        plain = expression.xreplace({node: symbols[place] for node, place in places.items()})
        if plain.free_symbols & set(problem.coordinates):
            return False
        mirrored = {s: (-1) ** index[0] * s for (_, index), s in symbols.items()}
        exchanged = {s: symbols[what, index[::-1]] for (what, index), s in symbols.items()}
        for moved in (mirrored, exchanged):
            if sp.expand(plain.xreplace(moved) - plain) != 0:
                return False
    return True


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
