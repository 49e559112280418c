"""What steady and transient collocation share: sizes of grids, sharpening, and when refinement ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ...declare import Problem
from ...declare.domain import Array
from ...solution.status import Status
from .axes import GridAxis, OpenAxis
from .collocation import Collocation
from .grid_field import GridField
from .method import Method
from .structure import Structure

START_N = (1, 32, 14, 8)
"""Points an axis on the first level, by the number of space coordinates."""
LARGEST = (6000, 2500)
"""Most nodal values of all unknowns together, in steady and in transient problems: matrices are dense."""
MOST_N = 1024
"""Most points on the axis of a line."""
UNSEEN = 1e-2
"""Tail above which interpolation of the values says nothing between the points."""
SLOWEST = 1.25
"""Least ratio of two successive changes that is taken for convergence."""
GAIN = 0.1
"""A map is taken where the tail of the expansion with it is that many times the one without."""


class CollocationMethod(Method):
    """Levels of collocation on tensor grids, each with 3/2 times the points of the one before."""

    def __init__(self, options: Any, problem: Problem) -> None:
        super().__init__(options, problem)
        self.structure = Structure.of(problem)
        self.dimension = len(problem.domain.space)

    @classmethod
    def reasons(cls, problem: Problem) -> list[str]:
        return Structure.of(problem).reasons()

    def restore(self, arrays: Mapping[str, Array]) -> GridField:
        return GridField.from_arrays(self.problem, arrays)

    @property
    def most(self) -> int:
        """Most points on an axis."""
        if self.options.max_n is not None or self.dimension == 0:
            return self.options.max_n or 1
        largest = LARGEST[self.problem.domain.time is not None] / len(self.problem.unknowns)
        return min(MOST_N, int(largest ** (1 / self.dimension) + 1e-9))

    @property
    def first(self) -> int:
        """Points on an axis of the first level; room is left for one refinement."""
        return self.options.n or min(START_N[self.dimension], max(2 * self.most // 3, 6))

    @property
    def unresolved(self) -> float:
        """Tail above which a grid is too coarse: a geometric expansion whose highest third holds rtol^(2/3)
        is cut off at about rtol."""
        return float(self.options.rtol ** (2 / 3))

    def finer(self, n: int) -> int:
        return min(-(-3 * n // 2), max(n, self.most))

    def sharpened(
        self, axes: Sequence[GridAxis], now: Array, others: Sequence[tuple[Collocation, Array]] = ()
    ) -> list[GridAxis]:
        """The axes with points gathered where the vector ``now`` on ``axes`` is steepest, where this serves
        it and the ``others`` (vectors on grids of their own) much better."""
        grid = Collocation(self.structure, axes)
        result = list(axes)
        for a, axis in enumerate(axes):
            if not isinstance(axis, OpenAxis):
                continue
            snapshots: list[tuple[Any, Array]] = [
                (g.axes[a], v)
                for g, values in ((grid, now), *others)
                for k, v in enumerate(_along(g, values, a))
                if g.layout.axes[k][a].n == g.axes[a].n
            ]
            every = zip(grid.layout.axes, _along(grid, now, a), strict=True)
            own = [v for axes_of, v in every if axes_of[a].n == axis.n]
            fine = np.linspace(axis.lower, axis.upper, 16 * axis.n)
            slopes = [np.abs(v @ axis.matrix(fine, 1).T).max(axis=(0, 1)) for v in own]
            sizes = [0.5 * float(np.ptp(v)) for v in own]
            steepest = np.max([s / (r or 1.0) for s, r in zip(slopes, sizes, strict=True)], axis=0)
            centre = float(fine[int(np.argmax(steepest))])
            if grid.layout.tails(now)[a] > UNSEEN:
                # Too coarse to tell what a map would do: the width is that of a front of this slope.
                width = 2 / (float(steepest.max()) * (axis.upper - axis.lower))
                result[a] = axis.mapped(centre, width)
                continue
            better = axis.sharpened(centre, snapshots)
            tails = [
                max(float(x.tail(v @ y.matrix(x.nodes, 0).T).max()) for y, v in snapshots)
                for x in (axis, better)
            ]
            if tails[1] < GAIN * tails[0]:
                result[a] = better
        return result

    @staticmethod
    def points(axes: Sequence[Array]) -> int:
        """The most points on one of ``axes``, which are as `to_array` gives them."""
        return int(max((axis[3] for axis in axes), default=1))

    @staticmethod
    def remaining(change: float, before: float | None) -> float:
        """The error left after a ``change`` from level to level, ``before`` being the one before that: never
        less than the change, and of slowly falling ones the sum of all that are to come."""
        ratio = before / change if before is not None and change > 0 else 2.0
        return change / float(np.clip(ratio - 1, SLOWEST - 1, 1.0))

    def verdict(self, estimate: float, reached: str, stalls: int, limit: str | None) -> Status | None:
        """Whether to stop after a comparison; ``limit`` says why no finer level is allowed."""
        if estimate <= self.options.rtol:
            return Status.CONVERGED
        return Status.STAGNATED if limit is not None or stalls >= 2 else None


def _along(grid: Collocation, values: Array, a: int) -> list[Array]:
    """Each unknown as (1, others, points of axis a)."""
    parts = grid.layout.split(values)
    return [np.moveaxis(p, a, -1).reshape(1, -1, p.shape[a]) for p in parts]
