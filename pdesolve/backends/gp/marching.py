"""Slabs of time, one after the other, each as long as its features allow.

A slab starts from the end of the one before, with the features that this needed. Where max_features do not
resolve it, it begins anew on half of its length, with what space needed on the whole; where it took few, the
next one is longer.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from ...declare import Observations, Problem
from ...declare.domain import Array
from ...residual.program import Program
from ...residual.symmetry import Parity, in_words
from ...solution.field import Field
from ..base import Context
from ..slabs import continued, during
from .features import AxisFeatures
from .field import FeatureField, SlabFeatureField, as_array, layout_of
from .fit import Fit, periodic_axes
from .least_squares import QUIET
from .rows import Layout, needed
from .separable import Separable
from .sharpening import sharpened

_PRUNED = 1e-2  # of rtol: coefficients that the next slab does without
_FIRST = 16  # slabs that a non-linear evolution would need, if all were as long as the first
_SMALL, _LONGER = 0.4, 1.5  # share of most features below which the next slab is longer, and by how much
_SLOW = 3  # degree in time to begin with on half of a slab whose needs in space are known
_ROOM = 0.8  # share of most features that such a start may take
_SHORTEST = 1e-4  # slab of time, as a share of all


@dataclass
class GPState:
    """The spectrum and the coefficients of a run.

    Attributes:
        lines: of each axis, frequencies and degrees (lines, 2), on the present slab of time.
        widths: of the prior, empty where it is flat.
        misfit: of observations beside unknown parameters or a prior, relative to that of u = 0.
        level: the residual, relative to that of u = 0; best: the least so far; waited: cycles since then.
        steps: Newton steps on the present features; a cycle begins at 0.
        ends: times at which slabs end, the start and the end of the present one included; empty where time is
            solved as a whole, and without time.
        finished: coefficients and lines of the slabs before; levels: what their residuals came to.
        parameters: the unknown ones, as they are held; data_level: of u = 0 with them.
        is_diagonal: solved by fast diagonalisation: the level is that of the highest degrees.
    """

    lines: list[Array]
    coefficients: Array
    parameters: Array = field(default_factory=lambda: np.zeros(0))
    data_level: float = 1.0
    widths: Array = field(default_factory=lambda: np.zeros(0))
    misfit: float = 0.0
    level: float = math.inf
    best: float = math.inf
    waited: int = 0
    steps: int = 0
    ends: list[float] = field(default_factory=list)
    finished: list[list[Array]] = field(default_factory=list)
    levels: list[float] = field(default_factory=list)
    is_diagonal: bool = False
    problem: Problem = field(metadata={"transient": True}, default=None)  # type: ignore[assignment]
    context: Context = field(metadata={"transient": True}, default_factory=Context)
    symmetries: dict[int, Parity] = field(metadata={"transient": True}, default_factory=dict)
    fit: Fit = field(metadata={"transient": True}, default=None)  # type: ignore[assignment]
    separable: Separable | None = field(metadata={"transient": True}, default=None)

    def take(self) -> None:
        """What the fit has come to."""
        self.coefficients, self.parameters = self.fit.coefficients, self.fit.parameters
        self.data_level = self.fit.data_level
        self.widths = self.fit.widths
        self.misfit = self.fit.misfit() if len(self.parameters) or len(self.widths) else 0.0
        self.lines = [as_array(axis) for axis in self.fit.layout.axes]

    @property
    def layout(self) -> Layout:
        """The present features."""
        return layout_of(present(self), self.lines, self.symmetries)

    @property
    def is_last(self) -> bool:
        """True on the last slab of time, and without time."""
        return not self.ends or self.ends[-1] >= float(self.problem.domain.bounds[-1, 1])

    @property
    def worst(self) -> float:
        """The largest residual of a slab, relative to that of u = 0."""
        return max(self.level, *self.levels, 0.0)

    def enough(self, rtol: float) -> float:
        """The level to reach: ``rtol``; what is nothing beside noise where that moves the coefficients."""
        return max(rtol, QUIET * self.misfit)

    @property
    def share(self) -> float | None:
        """How much of time is done."""
        if not self.ends:
            return None
        start, end = self.problem.domain.bounds[-1]
        return float((self.ends[len(self.finished)] - start) / (end - start))

    @property
    def stage(self) -> str:
        """In words."""
        shape = " x ".join(map(str, layout_of(self.problem, self.lines, self.symmetries).shape))
        how = " by fast diagonalisation" if self.is_diagonal else ""
        parts = [f"{shape} features{how}", in_words(self.problem, self.symmetries)]
        if len(self.ends) > 2:
            parts.append(f"at t = {self.ends[-1]:.4g}")
        return ", ".join(part for part in parts if part)


def first_ends(problem: Problem) -> list[float]:
    """Start and end of the first slab: all of time for linear problems; none where time is not cut."""
    if problem.domain.time is None or any(problem.of_type(Observations)):
        return []
    start, end = problem.domain.bounds[-1].tolist()
    is_linear = all(term.is_linear for term in Program(problem).terms)
    return [start, end if is_linear else start + (end - start) / _FIRST]


def earlier(state: GPState) -> list[Field]:
    """The fields of finished slabs."""
    fields: list[Field] = []
    for k, (coefficients, *lines) in enumerate(state.finished):
        part = during(state.problem, state.ends[k], state.ends[k + 1])
        fields.append(FeatureField(layout_of(part, lines, state.symmetries), coefficients))
    return fields


def present(state: GPState) -> Problem:
    """The problem of the present slab."""
    if len(state.ends) < 2:
        return state.problem
    if not state.finished:
        return during(state.problem, *state.ends[-2:])
    before = SlabFeatureField(earlier(state), state.ends[: len(state.finished) + 1])
    return continued(state.problem, before, *state.ends[-2:])


@dataclass(frozen=True)
class Marching:
    """From slab to slab.

    Attributes:
        rtol: residual of a slab, relative to that of u = 0; most: features of a slab.
        resolution, lines: of `Fit`.
    """

    rtol: float
    most: int
    resolution: int
    lines: int

    def begin(self, state: GPState) -> None:
        """A fit of the present slab."""
        state.fit = self._fit(state)
        state.level = state.best = math.inf
        state.waited = state.steps = 0
        state.take()

    def _fit(self, state: GPState) -> Fit:
        return Fit(present(state), state.symmetries, self.resolution, self.lines, state.context.rng())

    def follow(self, state: GPState) -> Fit:
        """The fit that the state is at: after a checkpoint was read it may be another."""
        if state.fit.coefficients is not state.coefficients:
            state.fit = self._fit(state)
            state.fit.use(layout_of(state.fit.problem, state.lines, state.symmetries), state.coefficients)
            state.fit.parameters, state.fit.data_level = state.parameters, state.data_level
            state.fit.widths = state.widths
        return state.fit

    def halve(self, state: GPState) -> bool:
        """Begin anew on half of the slab; False where time is not cut, or the slab is short already."""
        if not state.ends:
            return False
        length = state.ends[-1] - state.ends[-2]
        if length <= _SHORTEST * np.ptp(state.problem.domain.bounds[-1]):
            return False
        state.ends[-1] = state.ends[-2] + length / 2
        in_space = [as_array(axis) for axis in self._sharpened(state)]
        self.begin(state)
        in_time = np.array([[0.0, _SLOW]])
        new = layout_of(state.fit.problem, [*in_space, in_time], state.symmetries)
        if new.size <= _ROOM * self.most:  # what space needed on the longer slab first
            state.fit.use(new, np.zeros(new.size))
            state.take()
            state.steps = 1
        return True

    def go_on(self, state: GPState) -> None:
        """Begin the slab after the present one, from its end and with the features that it needed."""
        layout, last = state.fit.layout, float(state.problem.domain.bounds[-1, 1])
        *_, in_time = needed(layout, state.coefficients, _PRUNED * self.rtol)
        lines = [as_array(axis) for axis in (*self._sharpened(state), in_time)]
        state.levels.append(state.level)
        state.finished.append([state.coefficients, *state.lines])
        length, rest = state.ends[-1] - state.ends[-2], last - state.ends[-1]
        if layout.size < _SMALL * self.most:
            length *= _LONGER
        state.ends.append(last if rest < 1.5 * length else state.ends[-1] + length)
        self.begin(state)
        at_end = layout.axes[-1].matrix(np.array([state.ends[-2]]))[0]
        values = layout.split(state.finished[-1][0]) @ at_end
        state.fit.start_from(layout_of(state.fit.problem, lines, state.symmetries), layout, values)
        state.take()
        state.steps = 1

    def _sharpened(self, state: GPState) -> list[AxisFeatures]:
        """Features in space for what the present slab ends with."""
        layout = state.fit.layout
        *space, time = layout.axes
        at_end = layout.split(state.coefficients) @ time.matrix(np.array([state.ends[-1]]))[0]
        *lean, _ = needed(layout, state.coefficients, _PRUNED * self.rtol)
        periodic = periodic_axes(state.problem)
        result = []
        for j, (axis, pruned) in enumerate(zip(space, lean, strict=True)):
            table = np.moveaxis(at_end, j + 1, -1).reshape(-1, axis.count)
            result.append(pruned if j in periodic else sharpened(axis, pruned, table, _PRUNED * self.rtol))
        return result
