"""The method for evolution on periodic boxes: Fourier in space, ETDRK4 in time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...declare import Initial, Problem
from ...declare.conditions import BoundaryCondition
from ...declare.domain import Array
from ...residual.fourier.discretization import Discretization, series
from ...residual.fourier.evolution import Evolution, InitialData
from ...residual.fourier.grid import FourierGrid, Spectra, resize, tail
from ...residual.fourier.trajectory import Slab, difference
from ...solution.status import Status
from ..base import Context, Progress
from ..fourier_field import SpectralField
from .method import Method
from .run import Run, edges
from .unseen import Data

START_N = (64, 32, 16)
MAX_N = (16384, 1024, 128)
INTERVALS = (64, 24)
"""Saved intervals on the first level: of a single slab, of each of several."""
STABLE = 1.0
"""Step times `Discretization.rate`; ETDRK4 is stable up to about 2.8 for purely oscillating N."""
MEMORY = 1 << 28
"""Most bytes of saved spectra in one slab."""
SEEN = (8.0, 25.0)
"""Ratios of two successive changes that show an order near four. Of a change with the ratio r, 1/(r - 1) is
the error that is left; half as much again is claimed."""
ROUND_OFF = 1e-14
"""Least error of interpolation that more saved times are spent on."""
UNRESOLVED = 1e-3
"""Error of interpolation above which the saved times miss what happens between them."""
RETRIES = 5
"""Times that a level starts again with half the step after it became unstable."""


@dataclass
class State:
    """Everything but what `Spectral.start` rebuilds from the problem."""

    run: Run
    level: int = 0
    restarts: int = 0
    finest: list[Slab] = field(default_factory=list)
    coarse_n: int = 0
    estimate: float | None = None
    change: float | None = None
    stalls: int = 0
    work: float = 0.0
    method: Any = field(default=None, metadata={"transient": True})
    evolution: Any = field(default=None, metadata={"transient": True})
    data: Any = field(default=None, metadata={"transient": True})
    discretization: Any = field(default=None, metadata={"transient": True})
    coefficients: Any = field(default=None, metadata={"transient": True})


class FourierMarch(Method):
    """Levels of ETDRK4 runs on Fourier series, each with half the time step and up to 3/2 times the modes."""

    @classmethod
    def reasons(cls, problem: Problem) -> list[str]:
        reasons = []
        for k, unknown in enumerate(problem.unknowns):
            wanted = list(range(problem.time_order(unknown)))
            orders = sorted(c.order for c in problem.of_type(Initial) if c.unknown == unknown)
            if orders != wanted:
                name = problem.unknown_names[k]
                reasons.append(f"{name} needs {len(wanted)} initial conditions (it has {len(orders)})")
        kinds = {type(c).__name__ for c in problem.conditions if isinstance(c, BoundaryCondition)}
        reasons += [f"a {kind} condition cannot be imposed on a Fourier series" for kind in sorted(kinds)]
        try:
            # A few modes show whether the constraints can be eliminated.
            Discretization(Evolution(problem), FourierGrid.make(problem.domain.bounds[:-1], 8, True))
        except ValueError as error:
            reasons.append(str(error))
        return reasons

    def start(self, context: Context) -> State:
        problem = self.problem
        evolution = Evolution(problem)
        n = self.options.n or START_N[len(problem.domain.space) - 1]
        spectra, data = series(evolution, self._grid(problem, n)), Data(evolution)
        most = self._most(problem, first=True)
        while (
            self.options.n is None
            and not context.resuming
            and n < most
            and max(tail(spectra, spectra.ndim - 1), data.unseen(spectra.shape[-1] - 1)) > self._unresolved
        ):
            n = _finer(n, most)
            spectra = series(evolution, self._grid(problem, n))
        discretization = Discretization(evolution, self._grid(problem, n))
        return State(
            self._first_run(discretization),
            method=self,
            evolution=evolution,
            discretization=discretization,
            data=data,
        )

    def advance(self, state: State) -> Progress:
        run = state.run
        discretization = self._prepare(state)
        run.advance(discretization, state.coefficients, _batch(discretization))
        if not run.is_bounded:
            return self._unstable(state)
        loss = tail(run.spectra, run.dimension)
        most = self._most(state.evolution.problem, first=True)
        rough = max(loss, float(np.sqrt(run.roughness)))
        if state.level == 0 and self.options.n is None and rough > self._unresolved and run.n < most:
            # The solution has grown finer than its data: start again with more modes.
            state.work += run.steps_done * run.n**run.dimension
            grid = self._grid(state.evolution.problem, _finer(run.n, most))
            state.discretization, state.coefficients = Discretization(state.evolution, grid), None
            state.run = self._first_run(state.discretization, run)
        elif run.done:
            return self._compare(state, loss)
        return Progress(loss, fraction=self._fraction(state), message=_stage(state))

    def field(self, state: State) -> SpectralField:
        problem = state.evolution.problem
        lower, upper = problem.domain.bounds[:-1].T
        return SpectralField(lower, upper - lower, state.finest or state.run.so_far(), InitialData(problem))

    def restore(self, arrays: Mapping[str, Array]) -> SpectralField:
        return SpectralField.from_arrays(arrays, InitialData(self.problem))

    def error_estimate(self, state: State) -> float | None:
        return state.estimate

    def diagnose(self, state: State) -> str:
        run = state.run
        names = ", ".join(state.evolution.problem.equations)
        where = f"time step {run.steps_done} at t = {run.time:.6g}"
        return f"{names}: {where} ({run.n} points an axis, dt = {run.dt:.3g})"

    # -- levels ------------------------------------------------------------------------------------

    @property
    def _unresolved(self) -> float:
        """`tail` above which a first level is not worth finishing."""
        return float(self.options.rtol)

    def _grid(self, problem: Problem, n: int) -> FourierGrid:
        return FourierGrid.make(problem.domain.bounds[:-1], n, self.options.dealias)

    def _most(self, problem: Problem, first: bool = False) -> int:
        """Most grid points on an axis; the first level leaves room for one refinement."""
        most = self.options.max_n or MAX_N[len(problem.domain.space) - 1]
        return max(2 * most // 3, 8) if first else most

    def _first_run(self, discretization: Discretization, seen: Run | None = None) -> Run:
        """``seen`` is an abandoned run, whose last rates count where they exceed those at the start."""
        grid, spectra = discretization.grid, discretization.initial()
        time = discretization.evolution.problem.domain.bounds[-1]
        rough = self.options.dt is None and self._is_rough(discretization, spectra)
        times = edges(time[0], time[1], discretization.decay if rough else 0.0, rough)
        longest = float(times[-1] - times[-2])
        if self.options.dt is None:
            intervals = INTERVALS[len(times) > 2]
            if len(times) == 2:  # of degree nine: half the intervals, a thousand times the error
                intervals >>= int(np.clip(np.log10(self.options.rtol / 1e-9) // 3, 0, 2))
            rate = discretization.rate(spectra)
            if seen is not None:
                later = resize(seen.spectra, grid.modes, grid.dimension)
                rate = max(rate, discretization.rate(later, seen.time))
            wanted = longest * rate / STABLE
        else:
            wanted = longest / self.options.dt
            half = 10 * int(np.ceil(wanted / 20 - 1e-9))
            intervals = max(d for d in range(1, INTERVALS[0] + 1) if half % d == 0)
        while intervals > 16 and intervals % 2 == 0 and intervals * spectra.nbytes > MEMORY:
            intervals //= 2
        steps = 2 * intervals * max(1, int(np.ceil(wanted / (2 * intervals) - 1e-9)))
        return Run.begin(discretization, times, steps, intervals)

    def _is_rough(self, discretization: Discretization, spectra: Spectra) -> bool:
        """Whether the initial spectrum decays algebraically (a kink): twice the modes then help little, while
        they square the tail of a smooth function."""
        evolution, grid = discretization.evolution, discretization.grid
        here = tail(spectra, grid.dimension)
        if here <= 0.1 * self.options.rtol:
            return False
        finer = series(evolution, self._grid(evolution.problem, 2 * grid.n))
        return tail(finer, grid.dimension) > 0.05 * here

    def _prepare(self, state: State) -> Discretization:
        """The tables for the run under way, made anew where its grid or step has changed."""
        run, discretization = state.run, self._discretization(state, state.run.n)
        if state.coefficients is None or state.coefficients.step != run.step_size:
            with np.errstate(over="ignore", invalid="ignore"):
                state.coefficients = discretization.coefficients(run.step_size)
        return discretization

    def _discretization(self, state: State, n: int) -> Discretization:
        if state.discretization.grid.n != n:
            grid = self._grid(self.problem, n)
            state.discretization, state.coefficients = Discretization(state.evolution, grid), None
        return state.discretization  # type: ignore[no-any-return]

    def _unstable(self, state: State) -> Progress:
        """Start the level again with half the step, unless the user has fixed it."""
        run = state.run
        if state.restarts >= RETRIES or (self.options.dt is not None and state.level == 0):
            return Progress(float("nan"), message=self.diagnose(state))
        state.restarts += 1
        state.work += run.steps_done * run.n**run.dimension
        discretization = self._discretization(state, run.n)
        state.run = Run.begin(discretization, run.edges, 2 * run.steps, run.intervals)
        loss = tail(state.run.spectra, run.dimension)
        return Progress(loss, message="unstable: starting again with half the step")

    def _compare(self, state: State, loss: float) -> Progress:
        """A run is done: estimate the error against the one before, then plan the next or stop."""
        run, before = state.run, state.estimate
        unseen = state.data.unseen(run.spectra.shape[-1] - 1)
        rough = max(float(np.sqrt(run.roughness)), unseen)
        held = run.n == state.coarse_n
        if state.finest:
            change, last = difference(state.finest, run.slabs, run.dimension), state.change
            state.change = change
            ratio = last / change if held and last and change else 0.0
            if SEEN[0] <= ratio <= SEEN[1]:
                change *= 1.5 / (min(ratio, 16.0) - 1)
            state.estimate = change + run.interpolation_error + (rough if held else unseen)
        state.finest, state.coarse_n = run.slabs, run.n
        state.work += run.total_steps * run.n**run.dimension
        if state.estimate is None:
            status, why = None, _stage(state)
        else:
            fell = before is None or state.estimate < 0.5 * before or self._intervals(run) > run.intervals
            state.stalls = 0 if fell else state.stalls + 1
            status, why = self._verdict(state, state.estimate, rough if held else unseen)
        if status is not None:
            return Progress(loss, fraction=1.0, status=status, message=why)
        self._refine(state, rough)
        return Progress(loss, fraction=self._fraction(state), message=why)

    def _verdict(self, state: State, estimate: float, floor: float) -> tuple[Status | None, str]:
        """Whether to stop, and why; ``floor`` is what a smaller step cannot improve."""
        run = state.run
        reached = f"error estimate {estimate:.1e} with {run.n} points an axis and dt = {run.dt:.2e}"
        if estimate <= self.options.rtol:
            return Status.CONVERGED, reached
        if self.options.n is not None and self.options.dt is not None:
            return Status.STAGNATED, f"{reached}, after the one refinement that a fixed n= and dt= allow"
        if 2 * run.total_steps > self.options.max_steps:
            return Status.STAGNATED, f"{reached}; max_steps={self.options.max_steps} allows no smaller step"
        if run.n >= self._most(state.evolution.problem) and floor > 0.5 * estimate:
            return Status.STAGNATED, f"{reached}; max_n={run.n} resolves the solution no better"
        if state.stalls == 2:
            return (
                Status.STAGNATED,
                f"{reached}; refinement no longer helps (round-off, or a solution not smooth)",
            )
        return None, reached

    def _refine(self, state: State, rough: float) -> None:
        run, problem = state.run, state.evolution.problem
        n, intervals = run.n, self._intervals(run)
        resolved = state.level > 0 and rough <= 0.1 * self.options.rtol
        if not resolved:
            n = _finer(n, self._most(problem), _growth(rough, self.options.rtol))
        steps = 2 * intervals * -(-run.steps // intervals)
        state.run = Run.begin(self._discretization(state, n), run.edges, steps, intervals)
        state.level, state.restarts = state.level + 1, 0

    def _intervals(self, run: Run) -> int:
        """Saved intervals of the next level: interpolation is of order ten. More than twice as many take more
        than twice the steps, which only what is not resolved at all is worth."""
        unresolved = self.options.dt is None and run.interpolation_error > UNRESOLVED
        intervals, most = run.intervals, 3 if unresolved else 1
        missing = run.interpolation_error / max(0.1 * self.options.rtol, ROUND_OFF)
        for _ in range(int(np.clip(np.ceil(np.log2(max(missing, 1.0)) / 10), 0, most))):
            if 2 * intervals * run.spectra.nbytes <= MEMORY:
                intervals *= 2
        return intervals

    def _fraction(self, state: State) -> float:
        """Work done over the work foreseen: one refinement, then a factor of 16 from each (order four)."""
        run = state.run
        cost = float(run.total_steps * run.n**run.dimension)
        done = state.work + run.steps_done * run.n**run.dimension
        if state.estimate is None:
            ahead = 1 - state.level
        else:
            ahead = max(0, int(np.ceil(np.log(state.estimate / self.options.rtol) / np.log(16))) - 1)
        return float(done / (state.work + cost * sum(3.0**j for j in range(ahead + 1))))


def _finer(n: int, most: int, factor: float = 1.5) -> int:
    """About ``factor`` times ``n``, a length that the FFT likes, at most ``most`` (nor less than ``n``)."""
    from scipy.fft import next_fast_len

    return min(int(next_fast_len(int(np.ceil(factor * n)), real=True)), max(n, most))


def _growth(rough: float, rtol: float) -> float:
    """How many more modes resolve to 3 % of ``rtol``, or to a tenth of what is missing: a geometric spectrum
    e^{-ak}, cut off at ``rough`` = e^{-aK}, falls by f up to (1 + ln f / aK) K."""
    fall = max(10.0, rough / (0.03 * rtol))
    return float(np.clip(1 + np.log(fall) / np.log(1 / np.clip(rough, 1e-16, 0.5)), 1.1, 1.5))


def _batch(discretization: Discretization) -> int:
    """Time steps that take about 50 ms together; a matter of sizes alone, so that runs repeat exactly."""
    grid, transforms = discretization.grid, 4 * discretization.transforms
    return max(1, int(0.05 / (2e-4 + transforms * grid.n**grid.dimension * 4e-9)))


def _stage(state: State) -> str:
    run = state.run
    return f"level {state.level + 1}: {run.n} points an axis, {run.total_steps} steps"
