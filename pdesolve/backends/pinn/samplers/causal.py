"""Causal training: slices of time, each weighted by how well the earlier ones are solved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ....declare.domain import Array
from ...base import BackendOptionError
from ...options import is_number, require, require_count
from .residual_size import magnitude
from .sampler import PointSet, Region, ResidualAt, Sampler
from .scaled_time import require_time, scaled_time

_NOTHING = 1e-12
"""Weights below this are 0: else gradients in single precision hold subnormal numbers, on which processors
are slow: a step of the faithful benchmark took twice as long."""


@dataclass(frozen=True)
class Causal(Sampler):
    """Causal weights over N slices of time, with the points of a slice spread evenly over it:

        L_i = mean of r² in slice i,   w_i = exp(-ε Σ_{k<i} L_k),   loss = mean_i w_i L_i,

    the w_i held constant in the gradient. ε rises through a list: a stage ends when min w > 0.99, or after
    ``longest`` refreshes. With several equations L_i is the sum over them. Every point carries the weight of
    its slice, divided by the slice's share of the points.

    ``memory`` holds the stage, the refreshes in this stage and in all, the least weight, and whether the last
    stage is done (``finished``): then earlier slices no longer hold back later ones, and training may end.

    Too small an ε has no effect, too large a one leaves the front where it is; scale the equations to order
    one. The sum grows with N: N and ε belong together. Good values: 32 slices (100 for Allen-Cahn),
    ε = 0.01 .. 100 with Adam; JAX-PI takes ε = 1 alone.
    Weights that move at every step suit Adam; quasi-Newton methods want them frozen for ``every`` of 100 and
    more; Gauss-Newton methods take them as scales of rows, though time slabs are simpler.

    Not in the paper: its codes put the loss of the initial condition into the exponent for some problems; a
    sampler sees the equations alone. Where the condition is met exactly there is nothing to add.

    Implemented from the equations of Wang, Sankaran & Perdikaris, Comput. Methods Appl. Mech. Engrg. 421
    (2024) 116813 (arXiv:2203.07404), and from no released code. **Notice**: the README of the authors' code
    (CC BY-NC-SA 4.0, non-commercial) states that the method is protected by a patent of the University of
    Pennsylvania. Whoever uses it commercially should clear that first.

    Attributes:
        every: optimiser steps between refreshes, each of which recomputes the weights.
        slices: N; at most the number of points.
        epsilons: the list of ε, increasing.
        stop: a stage ends when the least weight exceeds this.
        longest: refreshes of a stage at most.
        redraw: refreshes between new points in the slices; 0: never.

    Raises:
        BackendOptionError: an option is out of range, there are fewer points than slices, or the problem is
            steady.
    """

    name: ClassVar[str] = "causal"

    every: int = 1
    slices: int = 32
    epsilons: tuple[float, ...] = (1e-2, 1e-1, 1.0, 10.0, 100.0)
    stop: float = 0.99
    longest: int = 200_000
    redraw: int = 0

    def __post_init__(self) -> None:
        require_count(self, "every", "longest")
        require_count(self, "slices", least=2)
        require_count(self, "redraw", least=0)
        require(self, "stop", is_number(self.stop) and 0 < self.stop < 1, "a number between 0 and 1")
        values = self.epsilons
        rising = isinstance(values, tuple) and all(is_number(e) and e > 0 for e in values)
        rising = rising and bool(values) and list(values) == sorted(set(values))
        require(self, "epsilons", rising, "a tuple of positive numbers that increase")

    def start(self, region: Region, n: int, rng: np.random.Generator) -> PointSet:
        require_time("Causal()", region)
        if n < self.slices:
            raise BackendOptionError(
                "Causal(slices=)", f"at most {n}, the number of points", str(self.slices), "Take more points."
            )
        memory = {"stage": 0, "age": 0, "count": 0, "least": 0.0, "finished": False}
        return PointSet(self._draw(region, n, rng), None, memory)

    def refresh(
        self, current: PointSet, region: Region, residual: ResidualAt, rng: np.random.Generator
    ) -> None:
        memory = current.memory
        losses = self.slice_losses(region, current.points, residual(current.points))
        weights = self.slice_weights(losses, memory["stage"])
        memory["count"] += 1
        memory["age"] += 1
        done = bool(weights.min() > self.stop)
        if memory["stage"] + 1 == len(self.epsilons):
            memory["finished"] = done
        elif done or memory["age"] >= self.longest:
            memory["stage"], memory["age"] = memory["stage"] + 1, 0
            weights = self.slice_weights(losses, memory["stage"])
        memory["least"] = float(weights.min())
        if self.redraw and memory["count"] % self.redraw == 0:
            current.points = self._draw(region, len(current.points), rng)
        at = self.slice_of(region, current.points)
        share = np.bincount(at, minlength=self.slices) * (self.slices / len(at))
        current.weights = weights[at] / share[at]

    def slice_of(self, region: Region, points: Array) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
        """(n,): the slice of time, 0 to N - 1, in which each point lies."""
        index = np.floor(self.slices * scaled_time(region, points)).astype(np.intp)
        return np.clip(index, 0, self.slices - 1)

    def slice_losses(self, region: Region, points: Array, residual: Array) -> Array:
        """L_i (N,): mean of r² over the points of each slice, summed over the equations."""
        at = self.slice_of(region, points)
        with np.errstate(over="ignore"):  # an overflow shuts all later slices
            square = (magnitude(residual) ** 2).sum(axis=0)
        total = np.bincount(at, square, self.slices)
        losses: Array = total / np.maximum(np.bincount(at, minlength=self.slices), 1)
        return losses

    def slice_weights(self, losses: Array, stage: int) -> Array:
        """w_i (N,) = exp(-ε Σ_{k<i} L_k) with the ε of a stage; 0 for those that say nothing."""
        before = np.concatenate([[0.0], np.cumsum(losses[:-1])])
        weights: Array = np.exp(-self.epsilons[stage] * before)
        weights[weights < _NOTHING] = 0.0
        return weights

    def _draw(self, region: Region, n: int, rng: np.random.Generator) -> Array:
        """Even points of the region, pressed in time into one slice after the other."""
        axis = region.time_axis
        assert axis is not None
        start, end = region.bounds[axis]
        parts = []
        for i, some in enumerate(np.array_split(np.arange(n), self.slices)):
            points = region.draw(len(some), rng, "even")
            # Kept off the slice's ends, where round-off could move a point into the next slice.
            inside = np.clip(scaled_time(region, points), 1e-9, 1 - 1e-9)
            points[:, axis] = start + (i + inside) * (end - start) / self.slices
            parts.append(points)
        return np.concatenate(parts)
