"""Causal R3: R3 behind a gate that moves forward in time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ....declare.domain import Array
from ...options import require_count, require_number
from .r3 import retain_and_resample
from .residual_size import magnitude, relative_size
from .sampler import PointSet, Region, ResidualAt, Sampler
from .scaled_time import require_time, scaled_time

_FASTEST = 0.1  # the authors' cap of exp(-ε mean (g r)²)


@dataclass(frozen=True)
class CausalR3(Sampler):
    """R3 with a causal gate over scaled time t in [0, 1]:

        g(t) = (1 - tanh(α (t - γ))) / 2,
        loss = mean (g r)²,   fitness F = g |r|,
        γ ← γ + η min(exp(-ε mean (g r)²), 0.1)   at every refresh,

    so that later times are learnt once the residual at earlier ones is small. The gate enters as weights g²
    of r². ``memory["gamma"]`` holds γ. With several equations F is the mean over them of g|r| / mean g|r|,
    and mean (g r)² is the sum over them.

    The cap makes the gate move by at most 0.1 η a refresh: at the authors' η = 1e-3 and one refresh a step it
    takes 2e4 steps from γ = -0.5 to 1.5 at least (they train for 2e5 to 3e5 with Adam; η = 5e-3 for
    Kuramoto-Sivashinsky). ``rate`` counts per refresh: with ``every=100``, which quasi-Newton methods need,
    0.1 keeps that speed. ε compares with r², so scale the equations to order one. Gauss-Newton methods take
    any ``every``, but time slabs are simpler there.

    Daw, Bu, Wang, Perdikaris & Karpatne, ICML 2023 (arXiv:2207.02338).

    Attributes:
        every: optimiser steps between refreshes.
        steepness: α.
        first: γ at the start; -0.5 leaves the gate nearly shut.
        rate: η, per refresh.
        tolerance: ε.

    Raises:
        BackendOptionError: an option is out of range, or the problem is steady.
    """

    name: ClassVar[str] = "causal-r3"

    every: int = 1
    steepness: float = 5.0
    first: float = -0.5
    rate: float = 1e-3
    tolerance: float = 20.0

    def __post_init__(self) -> None:
        require_count(self, "every")
        require_number(self, "steepness", "rate", above=0.0)
        require_number(self, "tolerance", least=0.0)
        require_number(self, "first")

    def gate(self, time: Array, gamma: float) -> Array:
        """g at scaled times (n,); falls from 1 to 0 about t = γ."""
        g: Array = 0.5 * (1.0 - np.tanh(self.steepness * (time - gamma)))
        return g

    def start(self, region: Region, n: int, rng: np.random.Generator) -> PointSet:
        require_time("CausalR3()", region)
        points = region.draw(n, rng, "uniform")
        return PointSet(points, self._weights(region, points, self.first), {"gamma": float(self.first)})

    def refresh(
        self, current: PointSet, region: Region, residual: ResidualAt, rng: np.random.Generator
    ) -> None:
        gamma = current.memory["gamma"]
        gate = self.gate(scaled_time(region, current.points), gamma)
        gated = gate * magnitude(residual(current.points))
        with np.errstate(over="ignore"):  # a residual whose square overflows leaves the gate where it is
            loss = float((gated**2).mean(axis=1).sum())
        gamma += self.rate * min(float(np.exp(-self.tolerance * loss)), _FASTEST)
        current.points = retain_and_resample(current.points, relative_size(gated), region, rng)
        current.weights = self._weights(region, current.points, gamma)
        current.memory["gamma"] = gamma

    def _weights(self, region: Region, points: Array, gamma: float) -> Array:
        weights: Array = self.gate(scaled_time(region, points), gamma) ** 2
        return weights
