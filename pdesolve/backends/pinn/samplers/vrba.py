"""VRBA: attention to the residual by a potential, as a density of points or as multipliers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from ....declare.domain import Array
from ...options import is_number, require, require_count, require_number
from .residual_size import magnitude
from .sampler import PointSet, Region, ResidualAt, Sampler


@dataclass(frozen=True)
class VRBA(Sampler):
    """Variational residual-based attention.

    Training that minimises the mean of a convex potential Φ(|r|) is training of r² with weights q ∝ Φ'(|r|):

        exponential:  q = exp(|r| / ε),  ε = c max|r| / ln(k + 2)  at refresh k (towards the greatest |r|),
        power:        q = |r|^(p - 1)                              (the L^p norm; p = 2 is quadratic).

    A fixed pool of points carries multipliers, which follow q by a moving average at every refresh:

        λ ← γ λ + η q / max q,   0 < λ <= η / (1 - γ).

    The points of the loss are drawn from the pool with probability ∝ λ / mean λ + ``uniform`` (``sample``);
    r² carries the weight λ² (``multiply``). With several equations q / max q is the mean over them.

    The authors' quasi-Newton stage is the default: density alone, γ = 0.1, η = 0.9, refresh every 100 steps,
    a pool of ten times the points (20 000 of 200 000). Their Adam stage is ``VRBA(every=1, decay=0.999,
    gain=0.01, multiply=True)``, and multipliers on a fixed set (RBA) ``VRBA(every=1, decay=0.999, gain=0.01,
    sample=False, multiply=True, potential="power")``. Every refresh evaluates the whole pool: the cost of
    ``pool`` residuals of the loss. Both forms suit Adam and Gauss-Newton methods, where multipliers scale
    rows; quasi-Newton methods need ``every`` of at least 100.

    Toscano et al., arXiv:2509.14198; the settings are those of the released code.

    Attributes:
        every: optimiser steps between refreshes.
        pool: its size, as a multiple of the number of points; without ``sample`` the pool is the points.
        potential: "exponential" or "power".
        exponent: p of the power potential; at least 1, which leaves all weights equal.
        sharpness: c of the exponential potential; smaller values look at the greatest residual more.
        decay: γ.
        gain: η.
        first: λ at the start.
        uniform: added to the density, whose mean is 1.
        sample: draw the points by λ.
        multiply: weigh r² by λ².

    Raises:
        BackendOptionError: an option is out of range, or neither ``sample`` nor ``multiply`` is set.
    """

    name: ClassVar[str] = "vrba"

    every: int = 100
    pool: int = 10
    potential: Literal["exponential", "power"] = "exponential"
    exponent: float = 2.0
    sharpness: float = 1.0
    decay: float = 0.1
    gain: float = 0.9
    first: float = 0.1
    uniform: float = 1e-6
    sample: bool = True
    multiply: bool = False

    def __post_init__(self) -> None:
        require_count(self, "every", "pool")
        require(self, "potential", self.potential in ("exponential", "power"), '"exponential" or "power"')
        require_number(self, "exponent", least=1.0)
        require_number(self, "sharpness", "gain", "first", "uniform", above=0.0)
        require(self, "decay", is_number(self.decay) and 0 <= self.decay < 1, "a number from 0 to below 1")
        use = self.sample is True or self.multiply is True
        require(self, "sample", use, "True, or multiply=True: λ must be used for something")

    def attention(self, residual: Array, count: int) -> Array:
        """q / max q (m,), of the residuals (equations, m), at refresh ``count`` >= 1."""
        size = magnitude(residual)
        largest = size.max(axis=1, keepdims=True, initial=0.0)
        # A residual of zero everywhere leaves all points equal.
        relative = np.divide(size, largest, out=np.ones_like(size), where=largest > 0)
        if self.potential == "power":
            q = relative ** (self.exponent - 1.0)
        else:
            q = np.exp((relative - 1.0) * math.log(count + 2.0) / self.sharpness)
        mean = q.mean(axis=0)
        attention: Array = mean / mean.max()
        return attention

    def start(self, region: Region, n: int, rng: np.random.Generator) -> PointSet:
        pool = region.draw(n * self.pool if self.sample else n, rng, "even")
        memory = {"pool": pool, "multipliers": np.full(len(pool), float(self.first)), "count": 0}
        current = PointSet(pool[:n], None, memory)
        self._use(current, rng)
        return current

    def refresh(
        self, current: PointSet, region: Region, residual: ResidualAt, rng: np.random.Generator
    ) -> None:
        memory = current.memory
        memory["count"] += 1
        q = self.attention(residual(memory["pool"]), memory["count"])
        memory["multipliers"] = self.decay * memory["multipliers"] + self.gain * q
        self._use(current, rng)

    def _use(self, current: PointSet, rng: np.random.Generator) -> None:
        """Points and weights by the multipliers of the pool."""
        pool, multipliers = current.memory["pool"], current.memory["multipliers"]
        chosen = np.arange(len(current.points))
        if self.sample:
            density = multipliers / multipliers.mean() + self.uniform
            chosen = rng.choice(len(pool), len(chosen), replace=False, p=density / density.sum())
        current.points = pool[chosen]
        current.weights = multipliers[chosen] ** 2 if self.multiply else None
