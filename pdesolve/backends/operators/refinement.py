"""From a prediction to a tolerance: Newton's method on all steps of the trajectory, level by level."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...declare import Problem
from ...declare.domain import Array
from ...residual.fourier.ensemble import LEVELS, MARGIN, Level, first_level
from ...residual.fourier.evolution import Evolution, InitialData
from ...residual.fourier.semilinear import every_point, to_grid, to_modes
from ...residual.fourier.steps import StepResidual
from ...residual.fourier.trajectory import Slab
from ...solution.status import Status
from ..base import Progress
from .encoding import EVOLUTION, Encoding
from .inputs import grid_axes

CLOSE = 0.1
"""Newton's method ends on a level where its last move is below this share of the tolerance."""
ITERATIONS = 20
"""Newton steps on one level, at most."""
DENSEST = 20_000
"""Times of the answer, about, at most."""
SLOW = 0.3
"""The jacobian is taken anew where a move is longer than this share of the one before."""


def reasons(problem: Problem, encoding: Encoding) -> list[str]:
    """Why a prediction cannot be refined; empty where it can."""
    if encoding.kind != EVOLUTION:
        return ["rtol= refines evolutions alone; give rtol=None, and a classical backend for a tolerance"]
    try:
        evolution = Evolution(problem)
    except ValueError as error:
        return [f"rtol= needs a periodic evolution: {error}"]
    if not evolution.is_autonomous or len(encoding.axes) > 1 or len(evolution.components) > 1:
        return ["rtol= refines autonomous evolutions of one unknown on a line"]
    return []


@dataclass
class Refined:
    """The trajectory on the current level.

    Attributes:
        spectra: (times, components, *modes).
        moves: relative length of the last Newton move; iterations on this level.
        earlier: values of the level before, at the points of the output.
        dense: the answer at more times.
        jacobian: of the steps on the level where it was last taken.
    """

    spectra: Tensor
    level: list[int]
    moves: float = math.inf
    iterations: int = 0
    levels: int = 1
    earlier: Tensor | None = None
    jacobian: Tensor | None = None
    estimate: float | None = None
    dense: Tensor | None = None
    residual: Any = field(default=None, metadata={"transient": True})


class Refinement:
    """Newton's method for `StepResidual`, from the values that a network predicted.

    A level is left when Newton's moves are small; two levels that agree to `MARGIN` times the tolerance end
    the run, as for data sets: a prediction saves iterations on the first level, and nothing is trusted.
    """

    def __init__(self, problem: Problem, encoding: Encoding, rtol: float, grid: tuple[int, ...]) -> None:
        self.evolution = Evolution(problem)
        self.encoding, self.rtol, self.grid = encoding, rtol, grid
        self.times = np.array(encoding.times)
        self.initial = InitialData(problem)

    def start(self, values: Array) -> Refined:
        """From values (times, components, *grid)."""
        level = first_level(
            self.evolution, self._initial(4 * self.grid[0])[None], self.times, self.grid[0], self.rtol
        )
        residual = self._residual(level)
        spectra = to_modes(torch.from_numpy(values), residual.system.modes, len(self.grid))
        return Refined(self._with_start(spectra, residual), [level.points, level.steps], residual=residual)

    def advance(self, state: Refined) -> Progress:
        """One Newton step, or the next level."""
        residual = state.residual or self._residual(Level(*state.level))
        state.residual = residual
        if state.jacobian is None:
            state.jacobian = residual.jacobian(state.spectra)
        delta = residual.correction(state.spectra, state.jacobian)
        state.spectra = state.spectra + delta
        before, state.moves = state.moves, float(delta.norm() / state.spectra.norm())
        state.iterations += 1
        if not math.isfinite(state.moves) or state.iterations >= ITERATIONS:
            return Progress(state.moves, status=Status.DIVERGED, message="Newton's method did not converge")
        if state.moves > SLOW * before:
            state.jacobian = None
        if state.moves > CLOSE * self.rtol:
            return Progress(state.moves, message=f"{state.level[0]} points, Newton step {state.iterations}")
        return self._compare(state)

    def values(self, state: Refined) -> Array:
        """The trajectory at equally spaced times, on a grid that holds its modes, (times, 1, n)."""
        spectra = state.spectra if state.dense is None else state.dense
        return to_grid(spectra, self._shape(state)).numpy()  # type: ignore[no-any-return]

    def _densified(self, state: Refined) -> tuple[Tensor, float]:
        """The trajectory at so many times that interpolation between them meets the tolerance, and its error.

        The error is that of interpolation from every second of these times at the others.
        """
        points, steps = state.level
        spacing = float(self.times[1] - self.times[0])
        while True:
            dense = StepResidual(self.evolution, spacing, Level(points, 2 * steps)).between(state.spectra)
            array = dense.numpy()
            slab = Slab(float(self.times[0]), float(self.times[-1]), array[::2])
            between = slab.at(np.linspace(self.times[0], self.times[-1], len(array))[1::2])
            error = float(np.linalg.norm(between - array[1::2]) / np.linalg.norm(array[1::2]))
            if error <= CLOSE * self.rtol or len(array) > DENSEST:
                return dense, error
            steps *= 2

    def _compare(self, state: Refined) -> Progress:
        values = to_grid(state.spectra, self._shape(state))
        values = every_point(values, values.shape[-1] // self.grid[0], len(self.grid))
        if state.earlier is not None:
            state.estimate = float((values - state.earlier).norm() / values.norm()) / MARGIN
            if state.estimate <= (1 - CLOSE) * self.rtol:
                state.dense, gap = self._densified(state)
                state.estimate += gap
                points, steps = state.level
                said = (
                    f"error estimate {state.estimate:.1e} with {points} points, {steps} steps between times"
                )
                if state.estimate > self.rtol:
                    said += "; interpolation between the times does not meet the tolerance"
                    return Progress(state.estimate, 1.0, Status.STAGNATED, said)
                return Progress(state.estimate, 1.0, Status.CONVERGED, said)
        if state.levels >= LEVELS:
            return Progress(state.moves, status=Status.STAGNATED, message="two levels never agreed")
        level, last = Level(*state.level).finer(), state.moves
        state.earlier, state.levels, state.iterations, state.moves = values, state.levels + 1, 0, math.inf
        state.estimate = None
        state.level, state.residual = [level.points, level.steps], self._residual(level)
        modes = state.residual.system.modes
        finer = to_modes(to_grid(state.spectra, self._shape(state)), modes, len(self.grid))
        state.spectra = self._with_start(finer, state.residual)
        return Progress(last, message=f"{level.points} points")

    def _shape(self, state: Refined) -> tuple[int, ...]:
        """A grid that holds all modes and the points of the output."""
        every = -(-(2 * state.spectra.shape[-1]) // self.grid[0])
        return tuple(every * n for n in self.grid)

    def _residual(self, level: Level) -> StepResidual:
        return StepResidual(self.evolution, float(self.times[1] - self.times[0]), level)

    def _initial(self, points: int) -> Array:
        """Declared initial values (components, *grid)."""
        axes = grid_axes(self.encoding, (points,) * len(self.grid))
        return self.initial.on_grid(self.evolution.components[: self.evolution.dynamic], axes)

    def _with_start(self, spectra: Tensor, residual: StepResidual) -> Tensor:
        start = to_modes(
            torch.from_numpy(self._initial(4 * max(self.grid[0], residual.level.points))),
            residual.system.modes,
            len(self.grid),
        )
        return torch.cat([start[None], spectra[1:]])


__all__ = ["Refined", "Refinement", "reasons"]
