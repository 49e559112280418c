"""Checks of what errors are measured against: a reference that does not solve the problem is found out."""

from __future__ import annotations

import math

import numpy as np
import sympy as sp

from pdesolve.declare import Problem
from pdesolve.residual.program import LoweredTerm, Program, lower
from pdesolve.solution import ResolvedReference

POINTS = 512


def reference_residual(problem: Problem, reference: ResolvedReference, closed: bool = True) -> float | None:
    """The largest relative residual that a reference leaves in the equations and conditions.

    Of each, ‖Σ aᵢ‖₂ / Σ ‖aᵢ‖₂ over points, aᵢ its summands: 0 where they cancel, 1 where they do not. So
    it does not depend on the scale of an equation.

    Args:
        problem: the declaration.
        reference: must have derivatives; None is returned where it has none.
        closed: look at closed forms alone; derivatives of computed ones have an error of their own.
    """
    declared = problem.reference
    if reference.derivatives is None or problem.unknown_parameters:
        return None
    if closed and (declared is None or declared.expressions is None):
        return None
    rng = np.random.default_rng(0)
    found = [_relative(problem, term, reference, rng) for term in Program(problem).terms]
    known = [value for value in found if math.isfinite(value)]
    return max(known) if known else None


def _relative(
    problem: Problem, term: LoweredTerm, reference: ResolvedReference, rng: np.random.Generator
) -> float:
    """The relative residual of one term; NaN where the reference has a limit at every point."""
    points = term.term.sample(problem.domain, POINTS, rng)
    assert reference.derivatives is not None
    derivatives = reference.derivatives(points, term.derivatives)
    inputs = [function(points) for function in term.term.inputs.values()]
    summands = sp.Add.make_args(term.expression)
    if len(summands) == 1:  # a product of sums; not deep, exponents must stay together
        summands = sp.Add.make_args(sp.expand_mul(term.expression, deep=False))
    with np.errstate(all="ignore"):  # limits such as 0/0, left out below
        values = lower(term.arguments, summands, "numpy")(*derivatives, *points.T, *inputs)
    table = np.stack([np.broadcast_to(np.asarray(v, dtype=np.float64), (len(points),)) for v in values])
    table = table[:, np.isfinite(table).all(axis=0)]
    if not table.size:
        return math.nan
    sizes = np.linalg.norm(table, axis=1)
    # Of one summand alone, such as u = 0 on a boundary, one is the scale: a field of unit size.
    scale = float(sizes.sum()) if len(sizes) > 1 else math.sqrt(table.shape[1])
    return float(np.linalg.norm(table.sum(axis=0))) / max(scale, float(np.finfo(np.float64).tiny))
