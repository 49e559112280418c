"""Gaussian processes on shapes of the plane: scattered points, sparse Cholesky factors, Gauss-Newton steps.

A level conditions a Matérn process on equations and conditions at points: the smoothest field, in the norm of
the kernel, that meets them all,

    min ‖u‖_k   subject to   r_i(u) = 0 at all points.

A unit of work is one Gauss-Newton step. Each level has twice the measurements of the one before, and starts
from its field; their difference at points that neither uses gives the error estimate.

Source: Chen, Owhadi & Schäfer, Math. Comp. 94 (2025), arXiv 2304.01294.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ...declare import Dirichlet, Neumann, Observations, Problem, Robin, Value
from ...declare.domain import Array
from ...residual.program import LoweringError, Program
from ...solution.status import Status
from ..base import Progress
from .conditioned import best_length, condition, longest
from .corners import Singular, as_table, singular_functions
from .kernel_field import KernelField
from .linearised import Collocation
from .measurements import Block
from .radial import RadialKernel
from .rows import Functions

if TYPE_CHECKING:
    from .gp import GP

FIRST = 250
"""Measurements of the first level."""

RTOL = 1e-5
"""The relative error that levels aim at by default."""

_GROWTH = 2  # measurements of a level over those of the one before
_HELD_OUT = 2000  # points at which levels are compared
_LEARN = 3  # levels that choose the length of the kernel: their evidence is dense
_NEWTON = 20  # steps on one level at most
_SETTLED = 1e-2  # of rtol: residual relative to that of u = 0 at which steps end
_SLOW = 0.5  # steps end where one lowers the residual by less, unless it is far from small
_SHORTEST = 1e-3  # part of a step
_FASTEST, _SLOWEST = 0.5, 0.9  # ratios of successive differences that are believed


@dataclass
class ScatteredState:
    """The iterate of the level under way, and the last level that was finished.

    Attributes:
        level, steps: number of the level, Gauss-Newton steps made on it.
        iterate: the arrays of the present field; of the last finished level before a first step.
        before: those of the last finished level.
        length, rho: of the kernel and of the sparse factor.
        differences: relative L2 distances between successive levels.
        estimate: of the relative error of the last finished level.
        residual: of the iterate, relative to that of u = 0.
        note: what the last step was made of.
    """

    level: int = 0
    steps: int = 0
    iterate: dict[str, Array] = field(default_factory=dict)
    before: dict[str, Array] = field(default_factory=dict)
    length: float = 1.0
    rho: float = 0.0
    differences: list[float] = field(default_factory=list)
    estimate: float | None = None
    residual: float = 1.0
    note: str = ""
    method: Any = field(default=None, metadata={"transient": True})
    collocation: Any = field(default=None, metadata={"transient": True})


class Scattered:
    """`GP` for one problem on a shape."""

    def __init__(self, options: GP, problem: Problem) -> None:
        self.options, self.problem = options, problem
        self.rtol = RTOL if options.rtol is None else options.rtol
        self.size = float(np.ptp(problem.domain.bounds, axis=1).max())

    @staticmethod
    def reasons(problem: Problem) -> list[str]:
        """Why shapes of this kind, or what is asked on them, are out of reach; empty where they are not."""
        reasons = []
        if problem.domain.time is not None:
            reasons.append("on shapes it solves steady problems alone")
        if len(problem.domain.space) != 2:
            reasons.append(
                f"its scattered points are of the plane, not of {len(problem.domain.space)} dimensions"
            )
        if problem.unknown_parameters or any(problem.of_type(Observations)):
            reasons.append("it fits observations and finds unknown parameters on boxes alone")
        strange = [c.kind for c in problem.conditions if not isinstance(c, _KNOWN)]
        if strange:
            reasons.append(f"on shapes it knows no {' or '.join(dict.fromkeys(strange))} conditions")
        if reasons:
            return reasons
        try:
            program = Program(problem)
            for term in program.terms:
                Functions.of(term)
        except LoweringError as error:
            return [str(error)]
        highest = max(sum(index) for _, index in program.derivatives)
        if highest > 2:
            return [f"on shapes it solves equations of second order, and this is one of order {highest}"]
        return []

    # -- the contract --------------------------------------------------------------------------------

    def start(self) -> ScatteredState:
        return ScatteredState(rho=self.options.rho, method=self)

    def field(self, state: ScatteredState) -> KernelField:
        """The iterate."""
        if state.iterate:
            return KernelField.from_arrays(state.iterate)
        return KernelField(RadialKernel(self.options.smoothness, state.length), [])

    @np.errstate(all="ignore")  # what is not finite is found by its norm
    def advance(self, state: ScatteredState) -> Progress:
        """One Gauss-Newton step."""
        points, start = self._collocation(state), self.field(state)
        is_new = points.is_linear or not state.iterate
        now = points.at_rest() if is_new else points.derivatives(start)
        blocks, values = points.linearised(now)
        if not all(np.isfinite(a).all() for a in (*values, *(b.weights for b in blocks))):
            return Progress(math.nan)
        functions = singular_functions(self.problem, [blocks[i] for i in points.equations])
        if state.steps == 0:
            self._choose_length(state, blocks, values, functions)
        kernel = RadialKernel(self.options.smoothness, state.length)
        found = condition(kernel, blocks, values, points.groups, state.rho, functions)
        target = KernelField(kernel, found.expansion, as_table(functions, found.coefficients))
        state.steps, state.rho = state.steps + 1, found.rho
        size = sum(map(len, blocks))
        state.note = f"{size} measurements, length {state.length:.2g}, {found.iterations} CG iterations"
        if points.is_linear:
            state.iterate, state.residual = target.arrays(), found.residual
            return self._compare(state)
        return self._move(state, points, start, target, now)

    def _move(
        self,
        state: ScatteredState,
        points: Collocation,
        start: KernelField,
        target: KernelField,
        now: list[Array],
    ) -> Progress:
        """As far towards the target as lowers the residual; then the next step, the next level or the end."""
        at_rest, before = _norm(points, points.at_rest()) or 1.0, _norm(points, now)
        aim = points.derivatives(target)
        share, after = 1.0, _norm(points, aim)
        if start.kernel != target.kernel:
            before = (
                math.inf
            )  # no mixture of the two is at hand: the first step on another kernel is a whole one
        while not after < before and share > _SHORTEST:
            share /= 2
            after = _norm(points, [(1 - share) * a + share * b for a, b in zip(now, aim, strict=True)])
        is_close = min(before, after) / at_rest < math.sqrt(self.rtol)
        if after < before:
            moved = target if share == 1 else start.mixed(target, share)
            state.iterate, state.residual = moved.arrays(), after / at_rest
        elif not is_close:
            why = "Gauss-Newton steps do not lower the residual"
            return Progress(before / at_rest, status=Status.DIVERGED, message=f"{why}; {state.note}")
        if state.residual <= _SETTLED * self.rtol or (after > _SLOW * before and is_close):
            return self._compare(state)
        if state.steps >= _NEWTON:
            why = f"{_NEWTON} Gauss-Newton steps were not enough"
            return Progress(state.residual, status=Status.STAGNATED, message=f"{why}; {state.note}")
        return Progress(state.residual, message=f"{state.note}, step {state.steps}")

    # -- levels --------------------------------------------------------------------------------------

    def _compare(self, state: ScatteredState) -> Progress:
        """A level is done: estimate its error, then refine or stop."""
        if state.before:
            coarser = KernelField.from_arrays(state.before)
            state.differences.append(self._distance(coarser, self.field(state)))
            state.estimate = _extrapolated(state.differences)
        note = state.note + ("" if state.estimate is None else f"; error estimate {state.estimate:.1e}")
        if state.estimate is not None and state.estimate <= self.rtol:
            return Progress(state.residual, status=Status.CONVERGED, message=note)
        if FIRST * _GROWTH ** (state.level + 1) > self.options.max_points:
            note += f"; max_points={self.options.max_points} allows no more"
            return Progress(state.residual, status=Status.STAGNATED, message=note)
        state.before = state.iterate
        state.level, state.steps, state.collocation = state.level + 1, 0, None
        return Progress(state.residual, message=note)

    def _distance(self, coarser: KernelField, finer: KernelField) -> float:
        """Relative L2 distance at points that no level uses, of the unknown for which it is largest."""
        held_out = self.problem.domain.cover(_HELD_OUT)
        count = len(self.problem.unknowns)
        fine = finer.values(held_out, count)
        gaps = np.linalg.norm(fine - coarser.values(held_out, count), axis=0)
        norms = np.linalg.norm(fine, axis=0)
        return float(np.max(gaps / np.maximum(norms, 1e-10 * norms.max() or 1.0)))

    def _collocation(self, state: ScatteredState) -> Collocation:
        if state.collocation is None:
            state.collocation = Collocation.of(Program(self.problem), FIRST * _GROWTH**state.level)
        found: Collocation = state.collocation
        return found

    def _choose_length(
        self, state: ScatteredState, blocks: list[Block], values: list[Array], functions: list[Singular]
    ) -> None:
        """As given, or by the evidence of the first levels, as far as round-off lets it."""
        if self.options.length is not None:
            state.length = self.options.length
            return
        if state.level < _LEARN:
            state.length = best_length(self.options.smoothness, self.size, blocks, values, functions)
        state.length = min(state.length, longest(self.options.smoothness, self._collocation(state).spacing))


def _norm(points: Collocation, derivatives: Sequence[Array]) -> float:
    """Root mean square of the residuals of all terms, one after the other; NaN where one is."""
    parts = points.residuals(derivatives)
    return math.sqrt(sum(float(np.mean(np.square(part))) for part in parts))


def _extrapolated(differences: Sequence[float]) -> float:
    """The error of the finest level from distances that fall in proportion, by no more than observed.

    Not less than the last distance, the error of the coarser level. Twice that where it is the only one: it
    may be small by chance.
    """
    last = differences[-1]
    if len(differences) < 2 or not differences[-2]:
        return 2 * last
    ratio = min(max(last / differences[-2], _FASTEST), _SLOWEST)
    return last * ratio / (1 - ratio)


_KNOWN = (Dirichlet, Neumann, Robin, Value)
