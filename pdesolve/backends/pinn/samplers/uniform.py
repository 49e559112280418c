"""Independent points, drawn anew."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ...options import require_count
from .sampler import PointSet, Region, ResidualAt, Sampler


@dataclass(frozen=True)
class Uniform(Sampler):
    """Independent uniform points, all of them redrawn at every refresh, whatever the residual.

    The mean of r² over them is an unbiased estimate of its mean over the region, with a standard deviation
    ∝ n^(-1/2). With Adam, ``every=1`` keeps the points from being overfitted. Quasi-Newton methods need
    ``every`` of at least 100; Gauss-Newton methods take any.

    Attributes:
        every: optimiser steps between refreshes.
    """

    name: ClassVar[str] = "uniform"

    every: int = 1

    def __post_init__(self) -> None:
        require_count(self, "every")

    def start(self, region: Region, n: int, rng: np.random.Generator) -> PointSet:
        return PointSet(region.draw(n, rng, "uniform"))

    def refresh(
        self, current: PointSet, region: Region, residual: ResidualAt, rng: np.random.Generator
    ) -> None:
        current.points = region.draw(len(current.points), rng, "uniform")
