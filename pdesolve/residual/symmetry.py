"""Reflections of space under which a problem stays itself, found from its symbols.

With x' = a + b - x on an axis from a to b, the problem is even in x where u(x', …) solves it whenever u does,
and odd where -u(x', …) does. A solution that is unique has the symmetry of its problem; so has every solution
of an evolution in time. Of a steady non-linear problem others may exist.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from ..declare import Problem
from ..declare.domain import INITIAL, INSIDE, Array
from .program import LoweredTerm, Program

Parity = Literal[1, -1]

_SAMPLES = 24
_AGREE = 1e-10  # relative: round-off of expressions


def parities(problem: Problem) -> dict[int, Parity]:
    """Axes of space along which all unknowns are even (1), or all are odd (-1); others are left out.

    Equations and data are compared with their mirror images at random values of the unknowns, their
    derivatives and the coordinates. Only boxes, and data that are expressions, have symmetries here.
    """
    if not problem.domain.is_box or any(_is_special(term) for term in Program(problem).terms):
        return {}
    program = Program(problem)
    found: dict[int, Parity] = {}
    for axis in range(len(problem.domain.space)):
        for parity in (1, -1):
            if all(_has_image(program, term, axis, parity) for term in program.terms):  # type: ignore[arg-type]
                found[axis] = parity  # type: ignore[assignment]
                break
    return found


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


def _has_image(program: Program, term: LoweredTerm, axis: int, parity: Parity) -> bool:
    region = _mirrored(program.problem, term.term.region, axis)
    return any(
        _is_image(program, term, other, axis, parity)
        for other in program.terms
        if other.term.region == region
        and other.term.is_equation == term.term.is_equation
        and other.derivatives == term.derivatives
    )


def _is_image(program: Program, term: LoweredTerm, other: LoweredTerm, axis: int, parity: Parity) -> bool:
    """Whether the mirrored field's residual is that of the field at the mirrored point, or minus it."""
    domain = program.problem.domain
    rng = np.random.default_rng(0)
    lower, upper = domain.bounds.T
    points = lower + (upper - lower) * rng.random((_SAMPLES, len(lower)))
    if other.term.region != INSIDE:
        face = domain.face(other.term.region)
        points[:, face.axis] = domain.bounds[face.axis][int(face.side > 0)]
    image = points.copy()
    image[:, axis] = lower[axis] + upper[axis] - image[:, axis]
    values = rng.normal(size=(len(term.derivatives), _SAMPLES))
    signs = np.array([parity * (-1) ** index[axis] for _, index in term.derivatives])
    parameters = rng.normal(size=(len(program.parameters), _SAMPLES))
    here = _evaluate(other, values, points, parameters)
    there = _evaluate(term, signs[:, None] * values, image, parameters)
    if not (np.isfinite(here).all() and np.isfinite(there).all()):
        return False
    slack = _AGREE * max(1.0, float(np.abs(here).max()))
    return bool(np.abs(there - here).max() <= slack or np.abs(there + here).max() <= slack)


def _evaluate(term: LoweredTerm, values: Sequence[Array] | Array, points: Array, parameters: Array) -> Array:
    with np.errstate(all="ignore"):
        result = term.function("numpy")(*values, *points.T, *parameters)
    return np.broadcast_to(np.asarray(result, dtype=np.float64), (len(points),))
