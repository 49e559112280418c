"""Dirichlet data where two faces of a box meet: polynomials converge only where they agree there."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from ...declare import Dirichlet
from ...declare.domain import Array
from ...residual.program import LoweredTerm, Program

JUMP = 1e-6
"""Least jump that counts, relative to the data."""
POINTS = 5
"""Points an axis along an edge in space, and times."""


def corner_reasons(program: Program) -> list[str]:
    """A sentence for each unknown whose Dirichlet data jump where two faces meet; empty where none do."""
    problem, domain = program.problem, program.problem.domain
    bounds, space = domain.bounds, len(domain.space)
    reasons: dict[str, str] = {}
    held = [term for term in program.conditions if isinstance(term.term.condition, Dirichlet)]
    for one, other in combinations(held, 2):
        (a, end_a), (b, end_b) = ((f.axis, f.side) for f in map(domain.face, _regions(one, other)))
        name = one.term.condition.unknown.func.__name__  # type: ignore[union-attr]
        same = one.term.condition.unknown == other.term.condition.unknown  # type: ignore[union-attr]
        if not same or a is None or b is None or a == b or name in reasons:
            continue
        columns = [np.linspace(lower, upper, POINTS) for lower, upper in bounds.tolist()]
        for axis, side in ((a, end_a), (b, end_b)):
            columns[axis] = bounds[axis, 1 if side > 0 else 0][None]
        points = np.stack([m.ravel() for m in np.meshgrid(*columns, indexing="ij")], axis=1)
        jump, size = _data(one, points) - _data(other, points), np.abs(_data(one, points)).max()
        largest = float(np.abs(jump[np.isfinite(jump)]).max(initial=0.0))
        if largest > JUMP * max(size, np.abs(_data(other, points)).max()):
            where = points[int(np.nanargmax(np.abs(jump)))]
            names = problem.coordinates[:space]
            place = ", ".join(f"{c} = {p:.6g}" for c, p in zip(names, where, strict=False))
            reasons[name] = (
                f"the Dirichlet data of {name} on {one.term.region} and {other.term.region} differ by "
                f"{largest:.3g} where they meet ({place}), and polynomials cannot follow a jump"
            )
    return list(reasons.values())


def _regions(*terms: LoweredTerm) -> list[str]:
    return [term.term.region for term in terms]


def _data(term: LoweredTerm, points: Array) -> Array:
    """The datum g of the row u - g at ``points``, (n,)."""
    inputs = [f(points) for f in term.term.inputs.values()]
    zero = [np.zeros(len(points)) for _ in term.derivatives]
    values = term.function("numpy")(*zero, *points.T, *inputs)
    return -np.broadcast_to(np.asarray(values, dtype=np.float64), (len(points),))
