"""Marching in time: stages solved by a simplified Newton method that keeps one factorisation as long as it
converges fast.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ...declare.domain import Array
from .linear import Solver, factorise
from .system import Moment, System
from .time_stepping import Scheme

TOLERANCE = 1e-10
"""Relative error of a stage, by the last step and the observed contraction."""

SLOW = 0.3
"""Contraction above which a new factorisation costs less than going on."""

MOST_ITERATIONS = 25


@dataclass
class March:
    """A run in time on one mesh.

    Attributes:
        start, step: first time and h.
        steps: to be done; steps_done: done.
        every: steps between saved states.
        values, rates: U and V now.
        saved: states so far, the initial one first.
        pivot: values at which the matrix in use was made; None asks for a new one.
        pivot_time, pivot_rates: time there, and h and g of `Moment`: a resumed run makes the same matrix.
        residual: ‖R‖ at the end of the last step.
        has_failed: a stage did not converge.
    """

    start: float
    step: float
    steps: int
    every: int
    values: Array
    rates: Array
    saved: list[Array] = field(default_factory=list)
    steps_done: int = 0
    pivot: Array | None = None
    pivot_time: float = 0.0
    pivot_rates: list[Array] = field(default_factory=list)
    residual: float = 0.0
    has_failed: bool = False

    @property
    def time(self) -> float:
        return self.start + self.steps_done * self.step

    @property
    def is_done(self) -> bool:
        return self.steps_done >= self.steps

    @property
    def times(self) -> Array:
        """The saved times."""
        return np.asarray(self.start + self.step * self.every * np.arange(len(self.saved)))


class Stepper:
    """What a march needs and a checkpoint does not hold: the system, and the factorisation in use."""

    def __init__(self, system: System, scheme: Scheme) -> None:
        self.system, self.scheme = system, scheme
        self._solve: Solver | None = None

    def advance(self, march: March) -> None:
        """One time step, in place."""
        slopes: list[tuple[Array, Array]] = []
        start = (march.values, march.rates)
        values, moment = march.values, Moment()
        for stage in range(len(self.scheme.lower)):
            moment = self.scheme.moment(stage, march.time, march.step, start, slopes)
            solved = self._stage(march, values, moment)
            if solved is None:
                march.has_failed = True
                return
            values = solved
            slopes.append(moment.rates(values))
        march.values, march.rates = values, slopes[-1][0]
        march.steps_done += 1
        if march.steps_done % march.every == 0:
            march.saved.append(values.copy())

    def _stage(self, march: March, guess: Array, moment: Moment) -> Array | None:
        """The stage's values, or None where Newton's method fails."""
        system, free = self.system, ~self.system.fixed
        values = guess.copy()
        system.prescribe(values, moment.time)
        before = np.inf
        for iteration in range(MOST_ITERATIONS):
            residual = system.constrained_residual(values, moment)
            norm = float(np.linalg.norm(residual))
            if not np.isfinite(norm):
                return None
            march.residual = norm
            try:
                step = self._solver(march, values, moment)(-residual[free])
            except RuntimeError:  # singular
                return None
            values[free] += step
            change = float(np.abs(step).max(initial=0.0))
            # One step solves a system whose matrix never changes; else the second tells the speed.
            contraction = change / before if iteration else (0.0 if system.is_affine else 1.0)
            rest = change * contraction / (1 - contraction) if contraction < 1 else np.inf
            if rest <= TOLERANCE * float(np.abs(values).max(initial=0.0)):
                return values
            if iteration and contraction > SLOW:
                march.pivot = None  # the next step makes the matrix anew
            before = change
        return None

    def _solver(self, march: March, values: Array, moment: Moment) -> Solver:
        """The factorisation in use; made anew where the march has dropped it, again where the process is a
        new one.
        """
        if march.pivot is None:
            march.pivot, march.pivot_time = values.copy(), float(moment.time or 0.0)
            march.pivot_rates = [np.asarray(moment.h), np.asarray(moment.g)]
            self._solve = None
        if self._solve is None:
            free = ~self.system.fixed
            place = Moment(march.pivot_time, moment.alpha, *march.pivot_rates)
            matrix = self.system.jacobian(march.pivot, place)
            self._solve = factorise(matrix[free][:, free], self.system.space.dimension)
        return self._solve
