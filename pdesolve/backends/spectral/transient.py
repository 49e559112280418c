"""Evolution on boxes that are not periodic all around: collocation in space and time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...declare import Initial, Problem
from ...declare.domain import Array
from ...solution.status import Status
from ..base import Context, Progress
from .axes import GridAxis, OpenAxis, from_array, to_array
from .collocation import Collocation, Layout, grid_axes
from .defect import unseen
from .factor import SingularSystemError
from .grid_field import GridField, difference
from .levels import CollocationMethod
from .radau import STAGES, Linearisation, Tableau, step
from .steps import Steps, lagrange, top_coefficients

NEWTON = 1e-3
"""Accuracy of the Newton iterations, times rtol."""
FLOOR = 1e-12
"""Least error that adaptive steps aim at; below, round-off would rule them."""
SHORTEST = 1e-10
"""Least step, in units of the whole time."""
FALL = 0.4
"""Estimates that fall by less from level to level count as stalled: three halves of the points divide the
error of a function with a jump by 1.5 to 2.25."""
CHECKED = 5
"""Times at which the defect between the points is looked at."""
COMPARED = 48
"""Times at which two levels are compared, about."""


@dataclass
class TransientState:
    """One run through time on one grid, and the level before.

    Attributes:
        axes: of the grid, as `to_array` gives them.
        values, rate: u and, where second derivatives in time occur, u_t at ``time``; (size,).
        step: length of the next step.
        mesh, passed: the times to pass through, its ends only where the steps adapt; the index of the last.
        edges, saved: of the steps so far; each saved array is (stages + 1, size).
        linearisation: the Jacobian in use; None where it must be taken anew.
        target: error of a step that adaptive steps aim at.
        rough, plain: whether more points, and maps, have stopped helping (data with a kink, for instance), so
            that this is no longer tried.
        trigger, triggered: the tail for which, and the time at which, the first level last started again.
        unsteady: largest error of a step by its top coefficients.
    """

    axes: list[Array]
    values: Array
    rate: Array
    time: float
    step: float
    mesh: Array
    edges: list[float]
    saved: list[Array] = field(default_factory=list)
    passed: int = 0
    linearisation: Linearisation | None = None
    rough: bool = False
    plain: bool = False
    trigger: float = np.inf
    triggered: float = -np.inf
    level: int = 0
    coarse_axes: list[Array] = field(default_factory=list)
    coarse_edges: Array = field(default_factory=lambda: np.zeros(0))
    coarse: Array = field(default_factory=lambda: np.zeros(0))
    estimate: float | None = None
    change: float | None = None
    stalls: int = 0
    work: float = 0.0
    roughness: float = 0.0
    unsteady: float = 0.0
    failed: str = ""
    method: Any = field(default=None, metadata={"transient": True})
    grid: Any = field(default=None, metadata={"transient": True})


class TransientCollocation(CollocationMethod):
    """F(t, u, u_t, u_tt) = 0 with all conditions as algebraic rows, by Radau IIA collocation in time.

    The first level adapts its steps to the highest coefficients of the polynomial in time; each further one
    halves them and takes 3/2 times the points, until those resolve the solution.
    """

    def __init__(self, options: Any, problem: Problem) -> None:
        super().__init__(options, problem)
        self.tableau = Tableau.make(STAGES)
        self.begin, self.end = (float(t) for t in problem.domain.bounds[-1])

    @classmethod
    def reasons(cls, problem: Problem) -> list[str]:
        reasons = super().reasons(problem)
        for unknown, name in zip(problem.unknowns, problem.unknown_names, strict=True):
            order = problem.time_order(unknown)
            if order > 2:
                reasons.append(
                    f"it takes time derivatives up to the second, and {name} has one of order {order}"
                )
            given = sorted(c.order for c in problem.of_type(Initial) if c.unknown == unknown)
            if given != list(range(order)) and not (order == 0 and given == [0]):
                reasons.append(f"{name} needs {order} initial condition(s), and has {len(given)}")
        return reasons

    def start(self, context: Context) -> TransientState:
        state = self._run(grid_axes(self.structure, self.first), self._first_mesh())
        state.method = self
        return state

    def _first_mesh(self) -> Array:
        if self.options.dt is None:
            return np.array([self.begin, self.end])
        count = max(1, int(np.ceil((self.end - self.begin) / self.options.dt - 1e-9)))
        return np.linspace(self.begin, self.end, count + 1)

    def _run(self, axes: Sequence[GridAxis], mesh: Array) -> TransientState:
        """From the start of time on a grid."""
        grid = Collocation(self.structure, axes)
        length = float(mesh[1] - mesh[0])
        if len(mesh) == 2 and self.options.dt is None:
            length *= 1e-3
        return TransientState(
            [to_array(a) for a in axes],
            grid.initial(0),
            grid.initial(1),
            self.begin,
            length,
            mesh,
            [self.begin],
            grid=grid,
        )

    def advance(self, state: TransientState) -> Progress:
        grid = self._grid(state)
        for _ in range(self._batch(grid)):
            with np.errstate(all="ignore"):  # what is not finite is looked for
                accepted = self._step(state, grid)
            if state.failed:
                return self._give_up(state)
            if accepted and state.level == 0 and self._too_coarse(state, grid):
                return Progress(state.trigger, message=self._stage(state))
            if state.time >= self.end:
                return self._compare(state)
        return Progress(
            float(grid.layout.tails(state.values).max(initial=0.0)),
            fraction=self._fraction(state),
            message=self._stage(state),
        )

    def field(self, state: TransientState) -> GridField:
        if state.level and state.time < self.end:  # the level before is whole
            return self._field(state.coarse_axes, state.coarse_edges, state.coarse)
        return self._current(state)

    def error_estimate(self, state: TransientState) -> float | None:
        return state.estimate

    def diagnose(self, state: TransientState) -> str:
        names = ", ".join(self.problem.equations)
        return f"{names}: step {len(state.saved)} at t = {state.time:.6g} ({self._stage(state)})"

    # -- one step ------------------------------------------------------------------------------------

    def _step(self, state: TransientState, grid: Collocation) -> bool:
        """Try one step; True where it was accepted, and otherwise the next one is shorter."""
        target = float(state.mesh[state.passed + 1])
        reaches = state.time + 1.01 * state.step >= target
        h = target - state.time if reaches else state.step
        stages = self._solve(state, grid, h)
        shortest = SHORTEST * (self.end - self.begin)
        adaptive = self.options.dt is None and state.level == 0
        factor = 0.25
        if stages is not None:
            values = self._with_start(state, stages)
            error = self._error(grid, values)
            factor = 1.0
            if adaptive:
                ratio = max(self.options.rtol, FLOOR) / max(error, 1e-300)
                factor = float(np.clip(0.9 * ratio ** (1 / (STAGES + 1)), 0.1, 4.0))
        if stages is None or (adaptive and factor < 0.8 and h > shortest):
            state.step, state.linearisation = max(h * max(factor, 0.1), shortest), None
            if h <= shortest:
                state.failed = f"Newton's method fails at t = {state.time:.6g} however short the step"
            return False
        if len(state.saved) >= self.options.max_steps:
            reached = f"t = {state.time:.6g} with steps that aim at rtol={self.options.rtol:g}"
            state.failed = f"max_steps={self.options.max_steps} lead no further than {reached}"
            return False
        last = self.tableau.derivatives(stages, state.values, state.rate, h, grid.time_order or 1)
        state.saved.append(values)
        state.unsteady = max(state.unsteady, error * (h > shortest))
        state.rate, state.values = last[1][-1], stages[-1].copy()
        state.time, state.passed = (target, state.passed + 1) if reaches else (state.time + h, state.passed)
        state.edges.append(state.time)
        state.roughness = max(state.roughness, float(grid.layout.tails(state.values).max(initial=0.0)))
        if adaptive:
            state.step = h if 1.0 <= factor < 1.4 else h * factor  # an equal step keeps its factorisations
        elif reaches and state.time < self.end:
            state.step = float(state.mesh[state.passed + 1]) - target
        return True

    def _solve(self, state: TransientState, grid: Collocation, h: float) -> Array | None:
        """Stage values of a step; the Jacobian is taken anew where the frozen one does not do."""
        guess = self._guess(state, h)
        begin = (state.time, state.values, state.rate)
        tolerance = NEWTON * max(self.options.rtol, 10 * FLOOR)
        at = state.linearisation
        if at is not None and abs(at.step - h) > 1e-9 * h:
            at = None
        for _ in range(2):
            fresh = at is None
            if at is None:
                middle = STAGES // 2
                values = self.tableau.derivatives(guess, state.values, state.rate, h, grid.time_order or 1)
                at = Linearisation(
                    [v[middle].copy() for v in values], state.time + float(self.tableau.c[middle]) * h, h
                )
            try:
                outcome = step(self.tableau, grid, begin, h, guess, at, tolerance)
            except SingularSystemError:
                outcome = None
            if outcome is not None:
                state.linearisation = None if outcome.slow else at
                return outcome.stages
            at = None
            if fresh:
                break
        return None

    def _guess(self, state: TransientState, h: float) -> Array:
        """The polynomial of the step before, continued; constant on the first step."""
        if not state.saved:
            return np.tile(state.values, (STAGES, 1))
        before = state.edges[-1] - state.edges[-2]
        if h > 4 * before:
            return np.tile(state.values, (STAGES, 1))
        return np.asarray(lagrange(self.tableau.nodes, 1 + self.tableau.c * h / before) @ state.saved[-1])

    def _with_start(self, state: TransientState, stages: Array) -> Array:
        """Values at the start and the stages; unknowns without initial data are continued to the start."""
        values = np.concatenate([state.values[None], stages])
        if not state.saved:
            given = {c.unknown for c in self.problem.of_type(Initial)}
            back = lagrange(self.tableau.c, np.zeros(1)) @ stages
            for unknown, part in zip(self.problem.unknowns, self._grid(state).layout.slices, strict=True):
                if unknown not in given:
                    values[0, part] = back[0, part]
        return values

    def _error(self, grid: Collocation, values: Array) -> float:
        """Of one step, by the top coefficients of the polynomial in time."""
        top, next_to = (grid.layout.norms(v) for v in top_coefficients(self.tableau.nodes, values))
        scale = grid.layout.norms(values[-1])
        scale = np.where(scale > 1e-3 * scale.max(), scale, scale.max() or 1.0)
        return float(np.max(top / scale * np.minimum(1.0, top / np.maximum(next_to, 1e-300))))

    # -- levels ------------------------------------------------------------------------------------

    def _too_coarse(self, state: TransientState, grid: Collocation) -> bool:
        """Start the first level again on a better grid where the solution has outgrown this one."""
        tail = float(grid.layout.tails(state.values).max(initial=0.0))
        n = self.points(state.axes)
        if tail <= self.unresolved or self.options.n is not None or state.rough or not len(grid.axes):
            return False
        in_vain = tail > 0.3 * state.trigger and state.time <= state.triggered
        mapped = any(isinstance(a, OpenAxis) and a.width < np.inf for a in grid.axes)
        plain, rough = state.plain or (in_vain and mapped), in_vain and not mapped
        axes: list[GridAxis] = list(grid.axes)
        if plain and mapped:
            axes = grid_axes(self.structure, n)
        elif not plain:
            axes = self.sharpened(axes, state.values, [(grid, grid.initial(0))])
        most = max(2 * self.most // 3, 6)
        if tuple(axes) == grid.axes:
            if n >= most:
                state.rough = True
                return False
            axes = [a.with_points(min(self.finer(n), most)) for a in axes]
        state.trigger, state.triggered = tail, state.time
        self._again(state, axes, plain, rough)
        return True

    def _again(self, state: TransientState, axes: list[GridAxis], plain: bool, rough: bool) -> None:
        """The first level from the start of time on other axes."""
        fresh = self._run(axes, self._first_mesh())
        fresh.plain, fresh.rough, fresh.work = plain, rough, state.work + self._cost(state)
        self._replace(state, fresh)

    def _give_up(self, state: TransientState) -> Progress:
        """A step failed: try the first level without maps, else end."""
        if state.level == 0 and not state.plain and len(state.saved) < self.options.max_steps:
            self._again(state, grid_axes(self.structure, self.points(state.axes)), True, state.rough)
            return Progress(1.0, message=self._stage(state))
        return Progress(1.0, status=Status.STAGNATED, message=state.failed)

    def _compare(self, state: TransientState) -> Progress:
        n, steps, before = self.points(state.axes), len(state.saved), state.estimate
        held = bool(len(state.coarse_axes)) and n == self.points(state.coarse_axes)
        grid = self._grid(state)
        tail = float(grid.layout.tails(state.values).max(initial=0.0))
        here, reached, status = self._current(state), self._stage(state), None
        if len(state.coarse):
            coarse = self._field(state.coarse_axes, state.coarse_edges, state.coarse)
            change, last = difference(coarse, here, self._times(state.coarse_edges)), state.change
            state.change = change
            state.estimate = self.remaining(change, last)
            if held:
                state.estimate += tail
            missed = unseen(self.structure, here, self.options.rtol, _checked(state.edges))
            state.estimate, before = max(state.estimate, missed), None if missed else before
            state.stalls = 0 if before is None or state.estimate < FALL * before else state.stalls + 1
            reached = f"error estimate {state.estimate:.1e} with {n} points an axis and {steps} steps"
            limit = None
            if self.options.n is not None and self.options.dt is not None:
                limit = "after the one refinement that a fixed n= and dt= allow"
            elif 2 * steps > self.options.max_steps:
                limit = f"max_steps={self.options.max_steps} allows no shorter steps"
            elif self.finer(n) == n and (missed or tail > state.estimate / 2):
                limit = f"max_n={n} resolves the solution no better"
            elif state.stalls >= 2:
                limit = "refinement helps little (round-off, or a solution not smooth)"
            status = self.verdict(state.estimate, reached, state.stalls, limit)
            if status is Status.STAGNATED:
                reached = f"{reached}; {limit}"
        if status is not None:
            return Progress(tail, fraction=1.0, status=status, message=reached)
        self._refine(state, grid, n)
        return Progress(tail, fraction=self._fraction(state), message=reached)

    def _refine(self, state: TransientState, grid: Collocation, n: int) -> None:
        axes: list[GridAxis] = list(grid.axes)
        if not (state.level and state.roughness <= 0.1 * self.options.rtol):
            axes = [a.with_points(self.finer(n)) for a in axes]
        edges = mesh = np.array(state.edges)
        finer_in_space = any(a.n > b.n for a, b in zip(axes, grid.axes, strict=True))
        if not (state.level and finer_in_space and state.unsteady <= 0.01 * self.options.rtol):
            mesh = np.sort(np.concatenate([edges, (edges[1:] + edges[:-1]) / 2]))
        fresh = self._run(axes, mesh)
        fresh.work = state.work + self._cost(state)
        state.coarse_axes, state.coarse_edges, state.coarse = state.axes, edges, np.stack(state.saved)
        self._replace(state, fresh)
        state.level += 1

    def _replace(self, state: TransientState, fresh: TransientState) -> None:
        """Take over the run of ``fresh``; levels and estimates stay."""
        for name in (
            "axes", "values", "rate", "time", "step", "mesh", "passed", "edges", "saved", "linearisation",
            "rough", "plain", "work", "roughness", "unsteady", "failed", "grid",
        ):  # fmt: skip
            setattr(state, name, getattr(fresh, name))

    @staticmethod
    def _times(edges: Array) -> Array:
        """Some middles and ends of steps, after the first."""
        times = np.sort(np.concatenate([edges[1:], (edges[1:] + edges[:-1]) / 2]))
        return np.asarray(times[np.unique(np.linspace(0, len(times) - 1, COMPARED).astype(int))])

    # -- cost and parts that are rebuilt ---------------------------------------------------------------

    def _batch(self, grid: Collocation) -> int:
        """Steps that take about 50 ms together; a matter of sizes alone, so that runs repeat exactly."""
        size = grid.layout.size
        return max(1, int(0.05 / (3e-3 + 60 * size**2 * 1e-9 + 13 * size**3 * 1e-10)))

    def _cost(self, state: TransientState) -> float:
        return float(len(state.saved) * self.points(state.axes) ** max(self.dimension, 1))

    def _fraction(self, state: TransientState) -> float:
        """Time that has passed on this level, the next one being as costly as all before."""
        share = (state.time - self.begin) / (self.end - self.begin)
        levels = 2 if state.estimate is None else state.level + 1
        return float(min(1.0, (state.level + share) / levels))

    def _grid(self, state: TransientState) -> Collocation:
        if state.grid is None or any(
            not np.array_equal(to_array(a), b) for a, b in zip(state.grid.axes, state.axes, strict=True)
        ):
            state.grid = Collocation(self.structure, [from_array(a) for a in state.axes])
        return state.grid  # type: ignore[no-any-return]

    def _current(self, state: TransientState) -> GridField:
        if not state.saved:
            layout = Layout.of(self.structure, [from_array(a) for a in state.axes])
            return GridField(self.problem, layout, None, None)
        return self._field(state.axes, np.array(state.edges), np.stack(state.saved))

    def _field(self, axes: list[Array], edges: Array, values: Array) -> GridField:
        layout = Layout.of(self.structure, [from_array(a) for a in axes])
        return GridField(self.problem, layout, Steps(edges, self.tableau.nodes, values), None)

    def _stage(self, state: TransientState) -> str:
        return f"level {state.level + 1}: {self.points(state.axes)} points an axis, step {len(state.saved)}"


def _checked(edges: Sequence[float]) -> Array:
    """Some ends of steps, where the equations hold at the points of the grid."""
    chosen = np.unique(np.linspace(1, len(edges) - 1, CHECKED).astype(int))
    return np.array([edges[i] for i in chosen])
