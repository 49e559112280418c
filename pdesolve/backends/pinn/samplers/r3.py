"""R3: retain the points of large residual, release and resample the others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ....declare.domain import Array
from ...options import require_count
from .residual_size import relative_size
from .sampler import PointSet, Region, ResidualAt, Sampler


def retain_and_resample(points: Array, fitness: Array, region: Region, rng: np.random.Generator) -> Array:
    """Points (n, d) of fitness (n,) above the mean, and uniform ones in place of the others.

    The mean is never exceeded by all: at least one point is always resampled.
    """
    retained = points[fitness > fitness.mean()]
    return np.concatenate([retained, region.draw(len(points) - len(retained), rng, "uniform")])


@dataclass(frozen=True)
class R3(Sampler):
    """Retain-resample-release sampling.

    At every refresh, with F_i = |r(x_i)| of the present points:

        retain {x_i : F_i > mean F}, release the rest, and fill up with uniform points.

    There is no threshold to tune, no pool and no importance weight: the loss stays the plain mean of r² over
    the population, which drifts to where the residual is large. With several equations F is the mean over
    them of |r| / mean|r|. The authors refresh at every step, with Adam; that is the default. A population
    that changes at every step breaks quasi-Newton methods: they need ``every`` of 100 to 500. Gauss-Newton
    methods take any.

    Daw, Bu, Wang, Perdikaris & Karpatne, ICML 2023 (arXiv:2207.02338), Algorithm 1.

    Attributes:
        every: optimiser steps between refreshes.

    Raises:
        BackendOptionError: an option is out of range.
    """

    name: ClassVar[str] = "r3"

    every: int = 1

    def __post_init__(self) -> None:
        require_count(self, "every")

    def start(self, region: Region, n: int, rng: np.random.Generator) -> PointSet:
        return PointSet(region.draw(n, rng, "uniform"))

    def refresh(
        self, current: PointSet, region: Region, residual: ResidualAt, rng: np.random.Generator
    ) -> None:
        fitness = relative_size(residual(current.points))
        current.points = retain_and_resample(current.points, fitness, region, rng)
