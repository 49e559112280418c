"""Reflections and translations of space under which a problem stays itself, found from its symbols.

With x' = a + b - x on an axis from a to b, the problem is even in x where u(x', …) solves it whenever u does,
and odd where -u(x', …) does. On a periodic axis it may repeat itself m times: u(x + (b - a)/m, …) solves it.
A solution that is unique has the symmetry of its problem.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
import sympy as sp

from ..declare import Domain, Problem
from ..declare.domain import INITIAL, INSIDE
from ..declare.regions.box import BoxRegion
from .ansatz import common_periodic_axes
from .program import LoweredTerm, Program
from .singularities import NOT_SMOOTH

Parity = Literal[1, -1]

_MOST_REPEATS = 8
_SAMPLES = 6
_DIGITS = 30  # of evaluation; what is left of an identity is far below, a difference far above 1e-15


def parities(problem: Problem) -> dict[int, Parity]:
    """Axes of space along which all unknowns are even (1), or all are odd (-1); others are left out.

    Only on boxes, with data that are expressions, for evolutions and for linear problems: a steady non-linear
    one may have solutions without its symmetry.
    """
    program = _decided(problem)
    if program is None:
        return {}
    found: dict[int, Parity] = {}
    for axis in range(len(problem.domain.space)):
        for parity in (1, -1):
            if all(_has_image(program, term, axis, parity) for term in program.terms):
                found[axis] = 1 if parity == 1 else -1
                break
    return found


def one_period(problem: Problem) -> Problem:
    """The problem on the shortest part of its box that the rest repeats, along its periodic axes.

    Where a solution is sought for as with `parities`; elsewhere the problem itself.
    """
    program = _decided(problem)
    if program is None:
        return problem
    axes = list(problem.domain.space)
    for i in common_periodic_axes(problem):
        axis = axes[i]
        for repeats in range(_MOST_REPEATS, 1, -1):
            period = (axis.upper - axis.lower) / repeats
            if all(_is_repeated(term, axis.coordinate, period) for term in program.terms):
                axes[i] = replace(axis, upper=axis.lower + period)
                break
    if axes == list(problem.domain.space):
        return problem
    return problem.replace(domain=Domain(BoxRegion(tuple(axes)), problem.domain.time), reference=None)


def _decided(problem: Problem) -> Program | None:
    """The equations, where the solution is that of the symbols alone: see `parities`."""
    if not problem.domain.is_box:
        return None
    program = Program(problem)
    is_decided = problem.domain.time is not None or all(term.is_linear for term in program.terms)
    return program if is_decided and not any(_is_special(term) for term in program.terms) else None


def _is_repeated(term: LoweredTerm, coordinate: sp.Symbol, period: sp.Expr) -> bool:
    """Whether a term is the same one period on."""
    there = term.expression.subs(coordinate, coordinate + period)
    return _vanishes(sp.expand(there - term.expression))


def in_words(problem: Problem, found: dict[int, Parity]) -> str:
    """Such as "even in x, odd in y"."""
    names = {1: "even", -1: "odd"}
    return ", ".join(f"{names[parity]} in {problem.coordinates[axis].name}" for axis, parity in found.items())


def _is_special(term: LoweredTerm) -> bool:
    """True where a term holds functions of points, or at single points."""
    return bool(term.term.inputs) or term.term.points is not None or bool(term.term.fixed)


def _mirrored(problem: Problem, region: str, axis: int) -> str:
    """The part that a part is reflected onto."""
    if region in (INSIDE, INITIAL):
        return region
    face = problem.domain.face(region)
    if face.axis != axis:
        return region
    return next(f.name for f in problem.domain.faces if f.axis == axis and f.side == -face.side)


def _has_image(program: Program, term: LoweredTerm, axis: int, parity: int) -> bool:
    """Whether the term's mirror image is a term of the problem, too."""
    region = _mirrored(program.problem, term.term.region, axis)
    return any(
        _is_image(program.problem, term, other, axis, parity)
        for other in program.terms
        if other.term.region == region
        and type(other.term.condition) is type(term.term.condition)
        and other.derivatives == term.derivatives
    )


def _is_image(problem: Problem, term: LoweredTerm, other: LoweredTerm, axis: int, parity: int) -> bool:
    """Whether the mirrored field's residual is that of the field at the mirrored point, or minus it."""
    coordinate, at = problem.coordinates[axis], problem.domain.axes[axis]
    image = {coordinate: at.lower + at.upper - coordinate}
    for mine, its, (_, index) in zip(term.symbols, other.symbols, term.derivatives, strict=True):
        image[mine] = parity * (-1) ** index[axis] * its
    there = term.expression.subs(image, simultaneous=True)
    here = other.expression
    face = None if other.term.region == INSIDE else problem.domain.face(other.term.region)
    if face is not None and face.axis is not None:  # faces of boxes have one
        end = problem.domain.axes[face.axis]
        where = {end.coordinate: end.upper if face.side > 0 else end.lower}
        there, here = there.subs(where), here.subs(where)
    return any(_vanishes(sp.expand(there - sign * here)) for sign in (1, -1))


def _vanishes(difference: sp.Expr) -> bool:
    """Whether an expression is zero for all values of its symbols.

    What does not cancel in symbols is evaluated at random points, each term to 30 digits: analytic functions
    that vanish there vanish everywhere. Of others, which may differ in a corner, nothing is believed.
    """
    if difference == 0:
        return True
    if difference.has(*NOT_SMOOTH):
        return False
    rng = np.random.default_rng(0)
    for _ in range(_SAMPLES):
        at = {s: sp.Float(rng.uniform(-1, 1), _DIGITS) for s in sorted(difference.free_symbols, key=str)}
        terms = [term.subs(at).evalf(_DIGITS) for term in sp.Add.make_args(difference)]
        size = sum(abs(term) for term in terms)
        if not (size.is_finite and abs(sum(terms)) <= 1e-15 * size):
            return False
    return True
