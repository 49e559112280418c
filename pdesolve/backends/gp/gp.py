"""`GP`: Gaussian processes with mixture kernels, whose spectrum is found from what the problem says."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from ...declare import Observations, Problem
from ...declare.domain import Array
from ...residual.program import LoweringError, Program
from ...residual.symmetry import Parity, in_words, parities
from ...solution.field import Field
from ...solution.status import Status
from ..base import Backend, Capabilities, Context, Progress
from ..slabs import continued, during
from .features import Line
from .field import FeatureField, SlabFeatureField, as_array, field_of, layout_of
from .fit import Fit
from .rows import Layout, needed

_NEWTON = 8  # steps on one set of features at most
_SETTLED = 0.3  # a step that lowers the residual by less ends them
_PATIENCE = 4  # cycles of growth without a residual half as large,
_AIM = 0.1  # of rtol, before the last slab of time: what is left of one is rough data for the next
_PRUNED = 1e-2  # of rtol: coefficients that the next slab does without
_FIRST = 16  # slabs that a non-linear evolution would need, if all were as long as the first
_SMALL, _LONGER = 0.4, 1.5  # share of max_features below which the next slab is longer, and by how much
_SLOW = 3  # degree in time to begin with on half of a slab whose needs in space are known
_ROOM = 0.8  # share of max_features that such a start may take
_SHORTEST = 1e-4  # slab of time, as a share of all
_RESOLVED = 0.1  # counted once there is one like this: fields of many scales show nothing before


@dataclass
class GPState:
    """The spectrum and the coefficients of a run.

    Attributes:
        lines: of each axis, frequencies and degrees (lines, 2), on the present slab of time.
        level: the residual, relative to that of u = 0; best: the least so far; waited: cycles since then.
        steps: Newton steps on the present features; a cycle begins at 0.
        ends: times at which slabs end, the start and the end of the present one included.
        finished: coefficients and lines of the slabs before; levels: what their residuals came to.
    """

    lines: list[Array]
    coefficients: Array
    level: float = math.inf
    best: float = math.inf
    waited: int = 0
    steps: int = 0
    ends: list[float] = field(default_factory=list)
    finished: list[list[Array]] = field(default_factory=list)
    levels: list[float] = field(default_factory=list)
    problem: Problem = field(metadata={"transient": True}, default=None)  # type: ignore[assignment]
    context: Context = field(metadata={"transient": True}, default_factory=Context)
    symmetries: dict[int, Parity] = field(metadata={"transient": True}, default_factory=dict)
    fit: Fit = field(metadata={"transient": True}, default=None)  # type: ignore[assignment]


@dataclass(frozen=True)
class GP(Backend):
    """A Gaussian process whose kernel is a spectral mixture on each axis, conditioned on the equations.

    The prior of each unknown is a product over the axes of kernels k(d) = Σ_q w_q exp(-a_q d²) cos(2π μ_q d),
    in explicit features that stay stable where kernel matrices have no digits left (`features`). The mean of
    the posterior is found by Gauss-Newton steps, QR instead of normal equations, no matrix inverted, no
    jitter. Frequencies come from the spectrum of the residual: at u = 0 that is the source, the boundary
    traces and the initial data; later on, what is missing.

    Attributes:
        rtol: the residual to reach, relative to that of u = 0, both weighted as the rows are.
        max_features: most coefficients of all unknowns; None: 3,000, and 1,500 where there is time: what
            needs more is solved on shorter slabs of time, one after the other. A step costs about 6
            max_features³ flops at most.
        resolution: points along a line on which spectra are taken: frequencies up to π/2 times as many, on an
            axis scaled to [-1, 1], are seen.
        lines: lines along each axis, through random points, on which residuals are looked at.
        symmetry: take on the reflections that leave the problem as it is (`pdesolve.residual.symmetry`):
            half of the features for the same resolution.

    Observations with noise are fitted as far as equations and conditions leave something open; the posterior
    covariance of the coefficients is that of `Solution.uncertainty`. Noise that is not stated is estimated
    from the misfit. Time is then solved as a whole.

    Good values: the defaults; ``rtol=1e-8`` saves a cycle or two. Problems with few frequencies in each
    direction, however high, are its home: sin 100x sin 100y takes a second. Fields with walls and fronts need
    many features in one axis; in two and more dimensions these are a tensor product.

    Sources: Fang et al., ICLR 2024 (arXiv 2311.04465): Gaussian processes with spectral mixtures on grids;
    Chen, Hosseini, Owhadi & Stuart, J. Comput. Phys. 447 (2021) 110668: Gauss-Newton for the posterior mean.
    """

    rtol: float = 1e-12
    max_features: int | None = None
    resolution: int = 2048
    lines: int = 6
    symmetry: bool = True

    name: ClassVar[str] = "gp"
    summary: ClassVar[str] = (
        "Gaussian process with spectral-mixture kernels, whose frequencies it finds itself"
    )
    capabilities: ClassVar[Capabilities] = Capabilities(gives_uncertainty=True, dtypes=("float64",))
    citations: ClassVar[tuple[str, ...]] = (
        "S. Fang, M. Cooley, D. Long, S. Li, R. Kirby, S. Zhe: Solving high frequency and multi-scale PDEs "
        "with Gaussian processes. ICLR 2024, arXiv 2311.04465.",
        "Y. Chen, B. Hosseini, H. Owhadi, A. M. Stuart: Solving and learning nonlinear PDEs with Gaussian "
        "processes. J. Comput. Phys. 447 (2021) 110668.",
        "A. G. Wilson, R. P. Adams: Gaussian process kernels for pattern discovery and extrapolation. "
        "ICML 2013.",
    )

    def __post_init__(self) -> None:
        self.require_positive("rtol")
        if self.max_features is not None:
            self.require_count("max_features", least=10)
        self.require_count("resolution", least=64)
        self.require_count("lines")
        self.require("symmetry", isinstance(self.symmetry, bool), "True or False")

    # -- the contract ------------------------------------------------------------------------------

    def supports(self, problem: Problem) -> list[str]:
        if not problem.domain.is_box:
            return ["the domain is no box, and its features are products over the axes of one"]
        if len(problem.coordinates) > 4:
            return [f"a tensor product over {len(problem.coordinates)} axes is too large"]
        if problem.unknown_parameters:
            return ["it does not identify unknown parameters"]
        try:
            for term in Program(problem).terms:
                term.linearisation("numpy")
        except LoweringError as error:
            return [str(error)]
        return []

    def start(self, problem: Problem, context: Context) -> GPState:
        ends: list[float] = []
        if problem.domain.time is not None and not any(problem.of_type(Observations)):
            start, end = problem.domain.bounds[-1].tolist()
            is_linear = all(term.is_linear for term in Program(problem).terms)
            ends = [start, end if is_linear else start + (end - start) / _FIRST]
        state = GPState([], np.zeros(0), ends=ends, problem=problem, context=context)
        state.symmetries = self._symmetries(problem)
        self._begin(state)
        return state

    def advance(self, state: GPState) -> Progress:
        """One Gauss-Newton step, on features that were let grow where the last step changed little."""
        fit = self._follow(state)
        if state.steps == 0:
            layout = fit.grown()
            if layout.size > self._most(state.problem):
                return self._too_large(state, layout)
            fit.use(layout, fit.layout.moved(fit.coefficients, layout))
        ratio = fit.step()
        state.steps += 1
        state.level = fit.level() / fit.data_level
        self._take(state)
        aim = self.rtol if self._is_last(state) else _AIM * self.rtol
        if state.level <= aim:
            return self._finish(state, Status.CONVERGED)
        if fit.is_linear or ratio > _SETTLED or state.steps >= _NEWTON:
            state.steps = 0
            if state.level < 0.5 * state.best:
                state.best, state.waited = state.level, 0
            elif state.best < _RESOLVED:
                state.waited += 1
            if state.waited >= _PATIENCE:
                if state.ends and state.best > math.sqrt(self.rtol) and self._halve(state):
                    return Progress(1.0, self._share(state), message="a shorter slab of time")
                return self._finish(state, Status.STAGNATED)
        return Progress(state.level, self._share(state), message=self._stage(state))

    def field(self, state: GPState) -> Field:
        layout = layout_of(self._part(state), state.lines, state.symmetries)
        own = FeatureField(layout, state.coefficients, self._follow(state).factor())
        if len(state.ends) <= 2:
            return own
        return SlabFeatureField([*self._earlier(state), own], state.ends)

    def restore(self, problem: Problem, arrays: Mapping[str, Array]) -> Field:
        return field_of(problem, arrays, self._symmetries(problem))

    def merit(self, state: GPState) -> float | None:
        """The largest residual of a slab, relative to that of u = 0; None before the last slab."""
        if not self._is_last(state):
            return None
        return max(state.level, *state.levels, 0.0)

    def diagnose(self, state: GPState) -> str:
        return "the rows of the least-squares problem"

    # -- slabs of time -----------------------------------------------------------------------------

    def _most(self, problem: Problem) -> int:
        if self.max_features is not None:
            return self.max_features
        return 3000 if problem.domain.time is None else 1500

    def _earlier(self, state: GPState) -> list[Field]:
        """The fields of finished slabs."""
        fields: list[Field] = []
        for k, (coefficients, *lines) in enumerate(state.finished):
            part = during(state.problem, state.ends[k], state.ends[k + 1])
            fields.append(FeatureField(layout_of(part, lines, state.symmetries), coefficients))
        return fields

    def _part(self, state: GPState) -> Problem:
        """The problem of the present slab."""
        if len(state.ends) < 2:
            return state.problem
        if not state.finished:
            return during(state.problem, *state.ends[-2:])
        before = SlabFeatureField(self._earlier(state), state.ends[: len(state.finished) + 1])
        return continued(state.problem, before, *state.ends[-2:])

    def _begin(self, state: GPState) -> None:
        """A fit of the present slab."""
        state.fit = self._fit(state)
        state.level = state.best = math.inf
        state.waited = state.steps = 0
        self._take(state)

    def _fit(self, state: GPState) -> Fit:
        part, rng = self._part(state), state.context.rng()
        return Fit(part, state.symmetries, self.resolution, self.lines, rng)

    def _symmetries(self, problem: Problem) -> dict[int, Parity]:
        return parities(problem) if self.symmetry else {}

    @staticmethod
    def _take(state: GPState) -> None:
        state.coefficients = state.fit.coefficients
        state.lines = [as_array(axis.lines) for axis in state.fit.layout.axes]

    def _follow(self, state: GPState) -> Fit:
        """The fit that the state is at: after a checkpoint was read it may be another."""
        if state.fit.coefficients is not state.coefficients:
            state.fit = self._fit(state)
            state.fit.use(layout_of(state.fit.problem, state.lines, state.symmetries), state.coefficients)
        return state.fit

    def _is_last(self, state: GPState) -> bool:
        """True on the last slab of time, and without time."""
        return not state.ends or state.ends[-1] >= float(state.problem.domain.bounds[-1, 1])

    def _too_large(self, state: GPState, layout: Layout) -> Progress:
        """The next slab, where this one is good enough; half of it, where it is not; else the end."""
        if state.level <= self.rtol:
            return self._finish(state, Status.CONVERGED)
        if state.ends and self._halve(state):
            return Progress(1.0, self._share(state), message="a shorter slab of time")
        message = f"the next features are {layout.size}, more than max_features"
        return Progress(min(state.level, 1.0), status=Status.STAGNATED, message=message)

    def _halve(self, state: GPState) -> bool:
        """Begin anew on half of the slab; False where it is short already."""
        length = state.ends[-1] - state.ends[-2]
        if length <= _SHORTEST * np.ptp(state.problem.domain.bounds[-1]):
            return False
        state.ends[-1] = state.ends[-2] + length / 2
        *in_space, _ = state.lines
        self._begin(state)
        in_time = as_array([Line(0.0, _SLOW)])
        new = layout_of(state.fit.problem, [*in_space, in_time], state.symmetries)
        if new.size <= _ROOM * self._most(state.problem):  # what space needed on the longer slab first
            state.fit.use(new, np.zeros(new.size))
            self._take(state)
            state.steps = 1
        return True

    def _finish(self, state: GPState, status: Status) -> Progress:
        """On to the next slab, as long as the last, or the end."""
        if self._is_last(state):
            worst = max(state.level, *state.levels, 0.0)
            is_done = worst <= self.rtol
            stage = self._stage(state) if is_done else f"the residual stays at {worst:.1e} of the data's"
            return Progress(state.level, status=Status.CONVERGED if is_done else status, message=stage)
        layout, last = state.fit.layout, float(state.problem.domain.bounds[-1, 1])
        lines = [as_array(each) for each in needed(layout, state.coefficients, _PRUNED * self.rtol)]
        state.levels.append(state.level)
        state.finished.append([state.coefficients, *state.lines])
        length, rest = state.ends[-1] - state.ends[-2], last - state.ends[-1]
        if layout.size < _SMALL * self._most(state.problem):
            length *= _LONGER
        state.ends.append(last if rest < 1.5 * length else state.ends[-1] + length)
        level = state.level
        self._begin(state)
        state.fit.start_from(layout_of(state.fit.problem, lines, state.symmetries), *self._carried(state))
        self._take(state)
        state.steps = 1  # what the last slab needed first
        return Progress(level, self._share(state), message=self._stage(state))

    def _carried(self, state: GPState) -> tuple[Layout, Array]:
        """Layout of the last slab, and its values at the end as coefficients in space (unknowns, …)."""
        coefficients, *lines = state.finished[-1]
        part = during(state.problem, *state.ends[-3:-1])
        layout = layout_of(part, lines, state.symmetries)
        at_end = layout.axes[-1].matrix(np.array([state.ends[-2]]))
        return layout, layout.split(coefficients) @ at_end[0]

    def _share(self, state: GPState) -> float | None:
        """How much of time is done."""
        if not state.ends:
            return None
        start, end = state.problem.domain.bounds[-1]
        return float((state.ends[len(state.finished)] - start) / (end - start))

    def _stage(self, state: GPState) -> str:
        shape = " x ".join(map(str, state.fit.layout.shape))
        parts = [f"{shape} features", in_words(state.problem, state.symmetries)]
        if len(state.ends) > 2:
            parts.append(f"at t = {state.ends[-1]:.4g}")
        return ", ".join(part for part in parts if part)
