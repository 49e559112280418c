"""`Spectral`: Fourier in space, ETDRK4 in time, refined until two resolutions agree."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from ...declare import Initial, Observations, Problem, Value
from ...declare.conditions import BoundaryCondition
from ...declare.domain import Array
from ...solution.status import Status
from ..base import Backend, Capabilities, Context, Progress
from . import etdrk4
from .evolution import Discretization, Evolution, InitialData, time_derivatives
from .field import SpectralField
from .fourier import FourierGrid, Spectra, resize, tail
from .run import Run, edges
from .trajectory import Slab, difference

START_N = (64, 32, 16)
MAX_N = (16384, 1024, 128)
INTERVALS = (64, 24)
"""Saved intervals on the first level: of a single slab, of each of several."""
STABLE = 1.0
"""Step times `Discretization.rate`; ETDRK4 is stable up to about 2.8 for purely oscillating N."""
MEMORY = 1 << 28
"""Most bytes of saved spectra in one slab."""
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
    stalls: int = 0
    work: float = 0.0
    evolution: Any = field(default=None, metadata={"transient": True})
    discretization: Any = field(default=None, metadata={"transient": True})
    coefficients: Any = field(default=None, metadata={"transient": True})


@dataclass(frozen=True)
class Spectral(Backend):
    """Fourier pseudo-spectral ETDRK4 for periodic evolution problems in one to three space dimensions.

        û' = L û + N(û, t),   L diagonal (constant coefficients), N evaluated on the grid

    Each level runs with 3/2 times the modes and half the time step of the one before. Their relative L2
    difference over the saved times, plus the measured error of the interpolation in time, is the error
    estimate; it estimates the *coarser* of the two, and the finer is returned. Once the highest third of
    the modes is below 10 % of ``rtol``, the modes are held, and that share is added to the estimate.

    Args:
        n: grid points on each axis on the first level; None chooses by the decay of the spectrum.
        dt: largest time step on the first level (lowered to fit); None chooses by the rates of N. Where
            both n and dt are given, exactly one refinement is made and the finer run is returned.
        rtol: the relative L2 error estimate to reach.
        dealias: the 2/3 rule. Without it more modes are kept for the same n: right for solutions with
            kinks under diffusion, where aliasing is as small as the truncated tail.
        max_n: most grid points on an axis; None for 16384, 1024, 128 in 1-D, 2-D, 3-D.
        max_steps: most time steps in one run.

    Good values: the defaults; ``rtol=1e-11`` for references (round-off ends near 1e-13).

    Fails where the solution leaves the smooth class (a shock without viscosity), and is slow where a
    coupling of different unknowns, which stays in N, holds high derivatives.

    Sources: Cox & Matthews (2002), equations (26)-(29); Kassam & Trefethen (2005), section 2.
    """

    n: int | None = None
    dt: float | None = None
    rtol: float = 1e-8
    dealias: bool = True
    max_n: int | None = None
    max_steps: int = 1_000_000

    name: ClassVar[str] = "spectral"
    summary: ClassVar[str] = "Fourier ETDRK4 on periodic boxes, with a refinement error estimate"
    capabilities: ClassVar[Capabilities] = Capabilities(time_marching=True, dtypes=("float64",))
    citations: ClassVar[tuple[str, ...]] = (
        "S. M. Cox, P. C. Matthews: Exponential time differencing for stiff systems. "
        "J. Comput. Phys. 176 (2002) 430-455.",
        "A.-K. Kassam, L. N. Trefethen: Fourth-order time-stepping for stiff PDEs. "
        "SIAM J. Sci. Comput. 26 (2005) 1214-1233.",
    )

    def __post_init__(self) -> None:
        self.require_count(*(name for name in ("n", "max_n") if getattr(self, name) is not None), least=8)
        self.require_count("max_steps")
        self.require_positive("rtol", *(("dt",) if self.dt is not None else ()))
        self.require("dealias", isinstance(self.dealias, bool), "True or False")

    # -- the contract ------------------------------------------------------------------------------

    def supports(self, problem: Problem) -> list[str]:
        if problem.domain.time is None:
            return ["the problem is steady, and the method marches in time"]
        reasons = []
        space = problem.domain.space
        if not 1 <= len(space) <= 3:
            reasons.append(f"it covers 1 to 3 space dimensions, not {len(space)}")
        for unknown in problem.unknowns:
            periodic = problem.periodic_axes(unknown)
            open_axes = [axis.coordinate.name for i, axis in enumerate(space) if i not in periodic]
            if open_axes:
                reasons.append(f"{unknown.func.__name__} is not periodic along {', '.join(open_axes)}")
            orders = [c.order for c in problem.of_type(Initial) if c.unknown == unknown]
            if orders != [0]:
                name = unknown.func.__name__
                reasons.append(f"{name} needs one initial condition, on its value (it has {len(orders)})")
        kinds = {type(c).__name__ for c in problem.conditions if isinstance(c, (BoundaryCondition, Value))}
        reasons += [f"a {kind} condition cannot be imposed on a Fourier series" for kind in sorted(kinds)]
        if problem.unknown_parameters or any(problem.of_type(Observations)):
            reasons.append("it does not identify unknown parameters from observations")
        else:
            try:
                time_derivatives(problem)
            except ValueError as error:
                reasons.append(str(error))
        return reasons

    def start(self, problem: Problem, context: Context) -> State:
        evolution = Evolution(problem)
        n = self.n or START_N[len(problem.domain.space) - 1]
        discretization = evolution.on(self._grid(problem, n))
        spectra = discretization.initial()
        most = self._most(problem, first=True)
        while (
            self.n is None
            and not context.resuming
            and n < most
            and tail(spectra, spectra.ndim - 1) > self._unresolved
        ):
            n = _finer(n, most)
            discretization = evolution.on(self._grid(problem, n))
            spectra = discretization.initial()
        return State(self._first_run(discretization), evolution=evolution, discretization=discretization)

    def advance(self, state: State) -> Progress:
        run = state.run
        discretization = self._prepare(state)
        run.advance(discretization, state.coefficients, _batch(discretization))
        if not run.is_bounded:
            return self._unstable(state)
        loss = tail(run.spectra, run.dimension)
        most = self._most(state.evolution.problem, first=True)
        rough = max(loss, float(np.sqrt(run.roughness)))
        if state.level == 0 and self.n is None and rough > self._unresolved and run.n < most:
            # The solution has grown finer than its data: start again with more modes.
            state.work += run.steps_done * run.n**run.dimension
            grid = self._grid(state.evolution.problem, _finer(run.n, most))
            state.run = self._first_run(state.evolution.on(grid), run)
        elif run.done:
            return self._compare(state, loss)
        return Progress(loss, fraction=self._fraction(state), message=_stage(state))

    def field(self, state: State) -> SpectralField:
        problem = state.evolution.problem
        lower, upper = problem.domain.bounds[:-1].T
        return SpectralField(lower, upper - lower, state.finest or state.run.so_far(), InitialData(problem))

    def restore(self, problem: Problem, arrays: Mapping[str, Array]) -> SpectralField:
        return SpectralField.from_arrays(arrays, InitialData(problem))

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
        """`tail` above which a first level is not worth finishing: a geometric spectrum whose highest third
        holds rtol^(2/3) is cut off at about rtol."""
        return float(self.rtol ** (2 / 3))

    def _grid(self, problem: Problem, n: int) -> FourierGrid:
        return FourierGrid.make(problem.domain.bounds[:-1], n, self.dealias)

    def _most(self, problem: Problem, first: bool = False) -> int:
        """Most grid points on an axis; the first level leaves room for one refinement."""
        most = self.max_n or MAX_N[len(problem.domain.space) - 1]
        return max(2 * most // 3, 8) if first else most

    def _first_run(self, discretization: Discretization, seen: Run | None = None) -> Run:
        """``seen`` is an abandoned run, whose last rates count where they exceed those at the start."""
        grid, spectra = discretization.grid, discretization.initial()
        time = discretization.evolution.problem.domain.bounds[-1]
        rough = self.dt is None and self._is_rough(discretization, spectra)
        times = edges(time[0], time[1], float(-discretization.symbol.real.min()), rough)
        longest = float(times[-1] - times[-2])
        if self.dt is None:
            intervals = INTERVALS[len(times) > 2]
            rate = discretization.rate(spectra)
            if seen is not None:
                later = resize(seen.spectra, grid.modes, grid.dimension)
                rate = max(rate, discretization.rate(later, seen.time))
            wanted = longest * rate / STABLE
        else:
            wanted = longest / self.dt
            half = 10 * int(np.ceil(wanted / 20 - 1e-9))
            intervals = max(d for d in range(1, INTERVALS[0] + 1) if half % d == 0)
        while intervals > 16 and intervals % 2 == 0 and intervals * spectra.nbytes > MEMORY:
            intervals //= 2
        steps = 2 * intervals * max(1, int(np.ceil(wanted / (2 * intervals) - 1e-9)))
        return Run.begin(grid.n, times, steps, intervals, spectra)

    def _is_rough(self, discretization: Discretization, spectra: Spectra) -> bool:
        """Whether the initial spectrum decays algebraically (a kink): twice the modes then help little, while
        they square the tail of a smooth function."""
        evolution, grid = discretization.evolution, discretization.grid
        here = tail(spectra, grid.dimension)
        if here <= 0.1 * self.rtol:
            return False
        finer = evolution.on(self._grid(evolution.problem, 2 * grid.n)).initial()
        return tail(finer, grid.dimension) > 0.05 * here

    def _prepare(self, state: State) -> Discretization:
        """The tables for the run under way, made anew where its grid or step has changed."""
        run, discretization = state.run, state.discretization
        if discretization.grid.n != run.n:
            discretization = state.discretization = state.evolution.on(
                self._grid(state.evolution.problem, run.n)
            )
            state.coefficients = None
        if state.coefficients is None or state.coefficients.step != run.step_size:
            with np.errstate(over="ignore", invalid="ignore"):
                state.coefficients = etdrk4.coefficients(discretization.symbol, run.step_size)
        return discretization  # type: ignore[no-any-return]

    def _unstable(self, state: State) -> Progress:
        """Start the level again with half the step, unless the user has fixed it."""
        run = state.run
        if state.restarts >= RETRIES or (self.dt is not None and state.level == 0):
            return Progress(float("nan"), message=self.diagnose(state))
        state.restarts += 1
        state.work += run.steps_done * run.n**run.dimension
        spectra = state.discretization.initial()
        state.run = Run.begin(run.n, run.edges, 2 * run.steps, run.intervals, spectra)
        return Progress(tail(spectra, run.dimension), message="unstable: starting again with half the step")

    def _compare(self, state: State, loss: float) -> Progress:
        """A run is done: estimate the error against the one before, then plan the next or stop."""
        run, before = state.run, state.estimate
        rough = float(np.sqrt(run.roughness))
        held = run.n == state.coarse_n
        if state.finest:
            state.estimate = difference(state.finest, run.slabs, run.dimension) + run.interpolation_error
            if held:
                state.estimate += rough
        state.finest, state.coarse_n = run.slabs, run.n
        state.work += run.total_steps * run.n**run.dimension
        if state.estimate is None:
            status, why = None, _stage(state)
        else:
            fell = before is None or state.estimate < 0.5 * before
            state.stalls = 0 if fell else state.stalls + 1
            status, why = self._verdict(state, state.estimate, rough if held else 0.0)
        if status is not None:
            return Progress(loss, fraction=1.0, status=status, message=why)
        self._refine(state, rough)
        return Progress(loss, fraction=self._fraction(state), message=why)

    def _verdict(self, state: State, estimate: float, floor: float) -> tuple[Status | None, str]:
        """Whether to stop, and why; ``floor`` is what a smaller step cannot improve."""
        run = state.run
        reached = f"error estimate {estimate:.1e} with {run.n} points an axis and dt = {run.dt:.2e}"
        if estimate <= self.rtol:
            return Status.CONVERGED, reached
        if self.n is not None and self.dt is not None:
            return Status.STAGNATED, f"{reached}, after the one refinement that a fixed n= and dt= allow"
        if 2 * run.total_steps > self.max_steps:
            return Status.STAGNATED, f"{reached}; max_steps={self.max_steps} allows no smaller step"
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
        n, intervals = run.n, run.intervals
        resolved = state.level > 0 and rough <= 0.1 * self.rtol
        if not resolved:
            n = _finer(n, self._most(problem))
        if run.interpolation_error > 0.1 * self.rtol and 2 * intervals * run.spectra.nbytes <= MEMORY:
            intervals *= 2
        spectra = state.evolution.on(self._grid(problem, n)).initial()
        state.run = Run.begin(n, run.edges, 2 * run.steps, intervals, spectra)
        state.level, state.restarts = state.level + 1, 0

    def _fraction(self, state: State) -> float:
        """Work done over the work foreseen: one refinement, then a factor of 16 from each (order four)."""
        run = state.run
        cost = float(run.total_steps * run.n**run.dimension)
        done = state.work + run.steps_done * run.n**run.dimension
        if state.estimate is None:
            ahead = 1 - state.level
        else:
            ahead = max(0, int(np.ceil(np.log(state.estimate / self.rtol) / np.log(16))) - 1)
        return float(done / (state.work + cost * sum(3.0**j for j in range(ahead + 1))))


def _finer(n: int, most: int) -> int:
    """About 3/2 of ``n``, a length that the FFT likes, no more than ``most`` (nor less than ``n``)."""
    from scipy.fft import next_fast_len

    return min(int(next_fast_len(-(-3 * n // 2), real=True)), max(n, most))


def _batch(discretization: Discretization) -> int:
    """Time steps that take about 50 ms together; a matter of sizes alone, so that runs repeat exactly."""
    evolution, grid = discretization.evolution, discretization.grid
    transforms = 4 * (len(evolution.needed) + evolution.count)
    return max(1, int(0.05 / (2e-4 + transforms * grid.n**grid.dimension * 2e-8)))


def _stage(state: State) -> str:
    run = state.run
    return f"level {state.level + 1}: {run.n} points an axis, {run.total_steps} steps"
