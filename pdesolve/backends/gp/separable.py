"""Problems whose operator is a sum of one for each axis, read off the symbols.

    Σ_j -a_j ∂²u/∂x_j² + c u = f   on a box,      p u + q ∂u/∂x_j = g   on the faces across each axis j

with constants a_j > 0, c, p and q: on products of functions of one axis that satisfy the conditions with
g = 0 the operator is a sum of Kronecker products, which one eigenproblem for each axis makes diagonal.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ...declare import Problem
from ...declare.domain import INSIDE, Array
from ...residual.program import LoweredTerm, Program

Data = Callable[[Array], Array]
"""Points (n, d) to values (n,)."""


@dataclass(frozen=True)
class Face:
    """``value`` u + ``slope`` ∂u/∂x_j = ``data``."""

    value: float
    slope: float
    data: Data


@dataclass(frozen=True)
class Separable:
    """A problem of this kind.

    Attributes:
        leading: a_j; constant: c; source: f.
        faces: of each axis, at its lower and its upper end.
    """

    leading: tuple[float, ...]
    constant: float
    source: Data
    faces: tuple[tuple[Face, Face], ...]


def separable(problem: Problem) -> Separable | None:
    """The problem in this form; None where it has another."""
    axes = len(problem.coordinates)
    if not problem.domain.is_box or problem.domain.time is not None or len(problem.unknowns) > 1 or axes < 2:
        return None
    program = Program(problem)
    if program.parameters or len(program.equations) != 1 or not all(t.is_linear for t in program.terms):
        return None
    found = _operator(program.equations[0], axes)
    faces = _faces(problem, program.conditions)
    if found is None or faces is None:
        return None
    (*leading, constant), sign = found
    source = _data(program.equations[0])
    return Separable(tuple(leading), constant, lambda points: sign * source(points), faces)


def _operator(term: LoweredTerm, axes: int) -> tuple[list[float], float] | None:
    """(a_1, …, a_d, c) and the sign that the equation is multiplied by."""
    values = [0.0] * (axes + 1)
    if term.term.region != INSIDE or term.term.points is not None or term.term.fixed:
        return None
    for (_, index), coefficient in zip(term.derivatives, _constants(term), strict=True):
        if coefficient is None:
            return None
        if not any(index):
            values[-1] = coefficient
        elif sum(index) == max(index) == 2:
            values[index.index(2)] = -coefficient
        else:
            return None
    signs = set(np.sign(values[:-1]))
    if signs not in ({1.0}, {-1.0}):
        return None
    (sign,) = signs
    return [sign * value for value in values], float(sign)


def _faces(problem: Problem, terms: tuple[LoweredTerm, ...]) -> tuple[tuple[Face, Face], ...] | None:
    """One condition on each face, in derivatives across it alone."""
    found: dict[tuple[int, int], Face] = {}
    for term in terms:
        if term.term.region == INSIDE:
            return None
        face = problem.domain.face(term.term.region)
        if face.axis is None or (face.axis, face.side) in found:
            return None
        value = slope = 0.0
        for (_, index), coefficient in zip(term.derivatives, _constants(term), strict=True):
            if coefficient is None or sum(index) > 1 or sum(index) != index[face.axis]:
                return None
            value, slope = (value, coefficient) if any(index) else (coefficient, slope)
        if value * slope * face.side < 0:  # a source of energy: eigenvalues of either sign
            return None
        found[face.axis, face.side] = Face(value, slope, _data(term))
    axes = range(len(problem.coordinates))
    if set(found) != {(axis, side) for axis in axes for side in (-1, 1)}:
        return None
    return tuple((found[axis, -1], found[axis, 1]) for axis in axes)


def _constants(term: LoweredTerm) -> list[float | None]:
    """∂(residual)/∂(each derivative), None where it is no number."""
    return [float(c) if c.is_number else None for c in term.coefficients]


def _data(term: LoweredTerm) -> Data:
    """What a linear residual leaves of u = 0, on the right-hand side."""
    function = term.function("numpy")

    def data(points: Array) -> Array:
        inputs = [given(points) for given in term.term.inputs.values()]
        values = function(*(np.zeros(()) for _ in term.derivatives), *points.T, *inputs)
        return -np.broadcast_to(np.asarray(values, dtype=np.float64), (len(points),))

    return data
