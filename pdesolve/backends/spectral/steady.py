"""Steady problems by collocation and Newton's method, with continuation in the highest derivatives."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...declare.domain import Array
from ...solution.status import Status
from ..base import Context, Progress
from .axes import from_array, to_array
from .collocation import Collocation, Layout, grid_axes
from .defect import unseen
from .factor import Factor, SingularSystemError
from .grid_field import GridField, difference
from .levels import CollocationMethod

MOST_STEPS = 25
"""Newton steps for one problem of the continuation."""
SHORTEST = 1 / 64
"""Least damping factor before a Newton iteration counts as failed."""
UNRESOLVED = 0.1
"""Estimate above which a level says nothing about the next."""
DECADES = 4
"""Continuation starts with highest derivatives that count 10^DECADES times."""
INCREMENT, NARROWEST = 0.25, 0.01
"""First and least increment of the continuation parameter."""


@dataclass
class SteadyState:
    """A Newton iteration on one grid, and the level before.

    Attributes:
        axes: of the grid, as `to_array` gives them.
        values: nodal values now, (size,).
        goal, reached, increment, anchor: the continuation parameter that is aimed at, the last one that was
            solved for (-1: none), the next distance, and the solution there.
        steps, correction: Newton steps for this goal, and the relative size of the last one.
        coarse_axes, coarse: the level before; none on the first.
        sharpened, tail: whether maps have been tried, and the tail of the level before.
    """

    axes: list[Array]
    values: Array
    goal: float
    reached: float
    increment: float
    anchor: Array
    steps: int = 0
    correction: float = 1.0
    level: int = 0
    coarse_axes: list[Array] = field(default_factory=list)
    coarse: Array = field(default_factory=lambda: np.zeros(0))
    estimate: float | None = None
    change: float | None = None
    stalls: int = 0
    sharpened: bool = False
    tail: float = np.inf
    method: Any = field(default=None, metadata={"transient": True})
    grid: Any = field(default=None, metadata={"transient": True})
    principal: Any = field(default=None, metadata={"transient": True})


class SteadyCollocation(CollocationMethod):
    """F(u) = 0 on levels of grids; on each Newton's method, damped by the natural monotonicity test of
    P. Deuflhard, Newton Methods for Nonlinear Problems (2004), section 3.3.

    Where it fails from the first guess (zero), the path of

        F(u) + (10^(4 (1 - s)) - 1) P u = 0,   s from 0 to 1,

    is followed, P the terms of highest order in F' there of each equation: in a flow, the Reynolds number
    grows.
    """

    def start(self, context: Context) -> SteadyState:
        grid = Collocation(self.structure, grid_axes(self.structure, self.first))
        state = self._from_scratch(grid)
        state.method = self
        return state

    def _from_scratch(self, grid: Collocation) -> SteadyState:
        values = self._first_guess(grid)
        axes = [to_array(axis) for axis in grid.axes]
        return SteadyState(axes, values, 1.0, -1.0, INCREMENT, values.copy(), grid=grid)

    def _first_guess(self, grid: Collocation) -> Array:
        """Zero; where the equations are not finite there, the mean of the Dirichlet data of each unknown."""
        values = np.zeros(grid.layout.size)
        with np.errstate(all="ignore"):
            rows = grid.residual([values[None]]), grid.jacobian([values])[0]
        if all(np.isfinite(r).all() for r in rows):
            return values
        for k, part in enumerate(grid.layout.slices):
            data = grid.given(k)
            values[part] = data.mean() if len(data) else 1.0
        return values

    def advance(self, state: SteadyState) -> Progress:
        grid = self._grid(state)
        try:
            done = self._newton_step(state, grid)
        except SingularSystemError as error:
            return self._retreat(state, f"{error} at step {state.steps + 1}")
        if not np.isfinite(state.correction) or (state.steps >= MOST_STEPS and not done):
            return self._retreat(state, f"{state.steps} steps did not reach a solution")
        if not done:
            return Progress(state.correction, message=self._stage(state))
        state.reached, state.anchor = state.goal, state.values.copy()
        if state.goal < 1:
            self._aim(state)
            state.increment *= 1.5
            return Progress(state.correction, message=self._stage(state))
        return self._compare(state)

    def field(self, state: SteadyState) -> GridField:
        return self._field(state.axes, state.values)

    def error_estimate(self, state: SteadyState) -> float | None:
        return state.estimate

    def diagnose(self, state: SteadyState) -> str:
        return f"{', '.join(self.problem.equations)}: {self._stage(state)}"

    # -- Newton's method ---------------------------------------------------------------------------

    def _newton_step(self, state: SteadyState, grid: Collocation) -> bool:
        """One damped step; True where the solution is reached."""
        with np.errstate(all="ignore"):  # what is not finite is looked for
            factor = Factor(self._jacobian(state, grid, state.values))
            step = -factor.solve(self._residual(state, grid, state.values))
            size = self._size(grid, step, state.values + step)
            share, previous = 1.0, state.correction
            while True:
                trial = state.values + share * step
                left = self._residual(state, grid, trial)
                bound = np.linalg.norm(step)
                if np.isfinite(left).all() and (
                    size < 1e-9 or np.linalg.norm(factor.solve(left)) <= (1 - share / 4) * bound
                ):
                    break
                share /= 2
                if share < SHORTEST or not np.isfinite(bound):
                    state.correction = np.nan
                    return False
        state.values, state.correction, state.steps = trial, size, state.steps + 1
        at_floor = size < 1e-6 and size > previous / 4  # round-off: it falls no further
        return share == 1.0 and (size <= 1e-4 * self.options.rtol or at_floor)

    def _residual(self, state: SteadyState, grid: Collocation, values: Array) -> Array:
        residual = grid.residual([values[None]])[0]
        return residual if state.goal == 1 else np.asarray(residual + self._added(state, grid) @ values)

    def _jacobian(self, state: SteadyState, grid: Collocation, values: Array) -> Array:
        jacobian = grid.jacobian([values])[0]
        return jacobian if state.goal == 1 else np.asarray(jacobian + self._added(state, grid))

    def _added(self, state: SteadyState, grid: Collocation) -> Array:
        """What continuation adds to the Jacobian."""
        if state.principal is None:
            state.principal = grid.jacobian([self._first_guess(grid)], principal=True)[0]
        return np.asarray((10.0 ** (DECADES * (1 - state.goal)) - 1) * state.principal)

    def _size(self, grid: Collocation, step: Array, values: Array) -> float:
        """Largest of the unknowns' ‖step‖ / ‖value‖; one that vanishes is measured by the others."""
        if not np.isfinite(step).all():
            return float("nan")
        norms = grid.layout.norms(values)
        scale = np.maximum(norms, 1e-3 * norms.max())
        return float(np.max(grid.layout.norms(step) / np.where(scale > 0, scale, 1.0)))

    # -- continuation ------------------------------------------------------------------------------

    def _aim(self, state: SteadyState) -> None:
        """Start towards the next goal from the last solution."""
        state.goal = min(1.0, state.reached + state.increment)
        state.values = state.anchor.copy()
        state.steps, state.correction = 0, 1.0

    def _retreat(self, state: SteadyState, why: str) -> Progress:
        """Newton's method failed: start the continuation, take a nearer goal, or another grid."""
        grid = self._grid(state)
        if state.reached < 0 and state.goal == 1 and not grid.is_linear:
            state.goal, state.steps, state.correction = 0.0, 0, 1.0
            state.values = self._first_guess(grid)
            return Progress(1.0, message=self._stage(state))
        if state.reached >= 0 and state.increment > NARROWEST:
            state.increment /= 4
            self._aim(state)
            return Progress(1.0, message=self._stage(state))
        n = self.points(state.axes)
        if state.estimate is None and self.finer(n) > n and self.options.n is None:
            finer = Collocation(self.structure, grid_axes(self.structure, self.finer(n)))
            self._replace(state, self._from_scratch(finer))
            return Progress(1.0, message=self._stage(state))
        state.values = state.anchor.copy()
        solved = "" if state.reached < 0 else f" after {100 * state.reached:.3g} % of the continuation"
        return Progress(
            1.0,
            status=Status.STAGNATED,
            message=f"Newton's method failed ({why}){solved}, with {n} points an axis",
        )

    def _replace(self, state: SteadyState, fresh: SteadyState) -> None:
        """Take over the iteration of ``fresh``; levels and estimates stay."""
        for name in (
            "axes",
            "values",
            "goal",
            "reached",
            "increment",
            "anchor",
            "steps",
            "correction",
            "grid",
        ):
            setattr(state, name, getattr(fresh, name))
        state.principal = None

    # -- levels ------------------------------------------------------------------------------------

    def _compare(self, state: SteadyState) -> Progress:
        n = self.points(state.axes)
        before, here = state.estimate, self._field(state.axes, state.values)
        reached, status = self._stage(state), None
        if len(state.coarse):
            change, last = difference(self._field(state.coarse_axes, state.coarse), here), state.change
            state.change = change
            state.estimate = self.remaining(change, last) + state.correction
            missed = unseen(self.structure, here, self.options.rtol)
            state.estimate, before = max(state.estimate, missed), None if missed else before
            # What is not resolved at all yet may well become so.
            fell = before is None or state.estimate < before / 2 or state.estimate > UNRESOLVED
            state.stalls = 0 if fell else state.stalls + 1
            reached = f"error estimate {state.estimate:.1e} with {n} points an axis"
            limit = None
            if self.options.n is not None and self.options.dt is not None:
                limit = "after the one refinement that a fixed n= and dt= allow"
            elif self.finer(n) == n:
                limit = f"max_n={n} allows no finer grid"
            elif state.stalls >= 2:
                limit = "refinement helps little (round-off, or a solution not smooth)"
            status = self.verdict(state.estimate, reached, state.stalls, limit)
            if status is Status.STAGNATED:
                reached = f"{reached}; {limit}"
        if status is not None:
            return Progress(state.correction, fraction=1.0, status=status, message=reached)
        self._refine(state, n)
        return Progress(1.0, message=reached)

    def _refine(self, state: SteadyState, n: int) -> None:
        grid = self._grid(state)
        axes, tail = list(grid.axes), float(grid.layout.tails(state.values).max(initial=0.0))
        if state.sharpened and tail > state.tail:
            axes = grid_axes(self.structure, n)  # gathered points were of no use
        elif self.options.n is None and tail > self.unresolved and (tail < state.tail or not state.sharpened):
            axes, state.sharpened = self.sharpened(axes, state.values), True
        state.tail = tail
        finer = Collocation(self.structure, [a.with_points(self.finer(n)) for a in axes])
        state.coarse_axes, state.coarse = state.axes, state.values
        fresh = self._from_scratch(finer)
        fresh.values = grid.layout.moved(state.values, finer.layout)
        self._replace(state, fresh)
        state.level += 1

    # -- parts that are rebuilt ----------------------------------------------------------------------

    def _grid(self, state: SteadyState) -> Collocation:
        if state.grid is None or any(
            not np.array_equal(to_array(a), b) for a, b in zip(state.grid.axes, state.axes, strict=True)
        ):
            state.grid = Collocation(self.structure, [from_array(a) for a in state.axes])
            state.principal = None
        return state.grid  # type: ignore[no-any-return]

    def _field(self, axes: list[Array], values: Array) -> GridField:
        layout = Layout.of(self.structure, [from_array(a) for a in axes])
        return GridField(self.problem, layout, None, values.copy())

    def _stage(self, state: SteadyState) -> str:
        n = self.points(state.axes)
        part = "" if state.goal == 1 else f", continuation {100 * state.goal:.3g} %"
        return f"level {state.level + 1}: {n} points an axis{part}, Newton step {state.steps}"
