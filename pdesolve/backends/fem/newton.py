"""Newton's method with a line search, from two starts, and continuation in the nonlinear part.

The first start is zero (or the solution of the level before), the second the harmonic extension of the
prescribed values. With R_s = linear part about zero + s (R - linear part), s = 1 is tried first. If that
fails from both, s goes from 0 to 1 in steps that adapt: for a flow this is continuation in the Reynolds
number from Stokes flow.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...declare.domain import Array
from .linear import factorise
from .system import Moment, System

TOLERANCE = 1e-10
"""Relative size of the last step: the error after it is about its square."""

SINGULAR = 1e-3
"""Share of the residual that is left of a linear problem where its matrix is singular up to round-off."""

MOST_ITERATIONS = 20
SHORTEST_SEARCH = 1 / 16
FIRST_INCREMENT, LEAST_INCREMENT, GROWTH = 1 / 8, 1e-3, 3.0


@dataclass
class Iterate:
    """A Newton iteration under way.

    Attributes:
        values: degrees of freedom, prescribed ones included.
        homotopy: s that is solved for.
        reached: s that was solved last; None before the first.
        anchor: its solution, or the start.
        increment: of s.
        is_extended: whether the second start is in use.
        iterations: at this s.
        residual: ‖R_s‖₂.
        is_done, has_failed: how it ended.
    """

    values: Array
    homotopy: float
    reached: float | None
    anchor: Array
    increment: float = 0.0
    is_extended: bool = False
    iterations: int = 0
    residual: float = 0.0
    is_done: bool = False
    has_failed: bool = False

    @classmethod
    def begin(cls, system: System, guess: Array) -> Iterate:
        values = guess.copy()
        system.prescribe(values, None)
        return cls(values, 1.0, None, values.copy())


def advance(system: System, iterate: Iterate) -> None:
    """One Newton step, in place."""
    moment, free = Moment(), ~system.fixed
    residual = system.constrained_residual(iterate.values, moment, iterate.homotopy)
    norm = float(np.linalg.norm(residual))
    iterate.iterations += 1
    if not np.isfinite(norm):
        _retreat(system, iterate)
        iterate.residual = norm if iterate.has_failed else iterate.residual
        return None
    iterate.residual = norm
    matrix = system.jacobian(iterate.values, moment, iterate.homotopy)[free][:, free]
    try:
        step = factorise(matrix, system.space.dimension)(-residual[free])
    except RuntimeError:  # singular here: another path may pass by
        return _retreat(system, iterate)
    length = _search(system, iterate, free, step)
    if length is None:
        return _retreat(system, iterate)
    iterate.values[free] += length * step
    change, size = float(np.abs(step).max(initial=0.0)), float(np.abs(iterate.values).max(initial=0.0))
    if not np.isfinite(change):
        return _retreat(system, iterate)
    if system.form.is_linear:
        after = np.linalg.norm(system.constrained_residual(iterate.values, moment))
        is_solved = after <= SINGULAR * norm or change <= np.sqrt(TOLERANCE) * size
        return _arrive(iterate) if is_solved else _retreat(system, iterate)
    if length == 1.0 and change <= TOLERANCE * size:
        return _arrive(iterate)
    if iterate.iterations >= MOST_ITERATIONS:
        return _retreat(system, iterate)
    return None


def _search(system: System, iterate: Iterate, free: np.ndarray, step: Array) -> float | None:
    """The longest of 1, ½, … that lowers ‖R‖, or None; steps at the level of round-off are taken as they
    are.
    """
    size = np.abs(iterate.values).max(initial=0.0)
    if system.form.is_linear or np.abs(step).max(initial=0.0) <= np.sqrt(TOLERANCE) * size:
        return 1.0
    length = 1.0
    while length >= SHORTEST_SEARCH:
        trial = iterate.values.copy()
        trial[free] += length * step
        norm = np.linalg.norm(system.constrained_residual(trial, Moment(), iterate.homotopy))
        if norm <= (1 - 0.1 * length) * iterate.residual:
            return length
        length /= 2
    return None


def _arrive(iterate: Iterate) -> None:
    """R_s = 0 is solved: go on to a larger s, or end."""
    if iterate.homotopy == 1.0:
        iterate.is_done = True
        return
    iterate.anchor, iterate.reached = iterate.values.copy(), iterate.homotopy
    iterate.homotopy = min(1.0, iterate.homotopy + iterate.increment)
    iterate.increment *= GROWTH
    iterate.iterations = 0


def _retreat(system: System, iterate: Iterate) -> None:
    """R_s = 0 was not solved: take the second start, begin at s = 0, or take a smaller step from the last
    solution; a linear problem has no other way.
    """
    if system.form.is_linear:
        iterate.has_failed = True
        return
    if not iterate.is_extended and iterate.homotopy == 1.0 and iterate.reached is None:
        iterate.anchor, iterate.is_extended = system.extended(iterate.anchor), True
    elif iterate.reached is None:
        iterate.has_failed = iterate.homotopy == 0.0
        iterate.homotopy, iterate.increment = 0.0, FIRST_INCREMENT
    else:
        iterate.increment = (iterate.homotopy - iterate.reached) / GROWTH
        iterate.has_failed = iterate.increment < LEAST_INCREMENT
        iterate.homotopy = iterate.reached + iterate.increment
    iterate.values, iterate.iterations = iterate.anchor.copy(), 0
