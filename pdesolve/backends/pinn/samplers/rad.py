"""RAD: points by a density that follows the residual."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ....declare.domain import Array
from ...options import require_count, require_number
from .residual_size import relative_size
from .sampler import PointSet, Region, ResidualAt, Sampler


@dataclass(frozen=True)
class RAD(Sampler):
    """Residual-based adaptive distribution: all points are redrawn at every refresh.

    Points are drawn from a pool of uniform candidates with probability

        p(x) ∝ |r(x)|^k / mean|r|^k + c.

    Works with every optimiser: the objective changes at refreshes alone, over which a quasi-Newton method may
    keep its inverse Hessian. Good values: the defaults; ``every`` 100 to 500 for quasi-Newton methods and
    1000 for Adam, ``pool`` 5 to 20; ``power=2`` for a residual in a narrow layer.

    Wu, Zhu, Tan, Kartha & Lu, Comput. Methods Appl. Mech. Engrg. 403 (2023) 115671, eq. (2).

    Attributes:
        every: optimiser steps between refreshes; quasi-Newton methods need at least 100.
        pool: candidates, as a multiple of the number of points.
        power: k; larger values concentrate the points more.
        uniform: c, added to every weight, whose mean is 1: a share c/(1 + c) is drawn regardless of the
            residual and keeps the domain covered.

    Raises:
        BackendOptionError: an option is out of range.
    """

    name: ClassVar[str] = "rad"

    every: int = 500
    pool: int = 5
    power: float = 1.0
    uniform: float = 1.0

    def __post_init__(self) -> None:
        require_count(self, "every", "pool")
        require_number(self, "power", least=0.0)
        require_number(self, "uniform", above=0.0)

    def refresh(
        self, current: PointSet, region: Region, residual: ResidualAt, rng: np.random.Generator
    ) -> None:
        n = len(current.points)
        candidates = region.draw(self.pool * n, rng, "uniform")
        current.points = self.choose(candidates, residual(candidates), n, rng)

    def choose(self, candidates: Array, residual: Array, n: int, rng: np.random.Generator) -> Array:
        """``n`` of the candidates (m, d), drawn without repetition by their residuals (equations, m).

        With several equations the weights |r|^k / mean|r|^k of each are averaged.
        """
        density = relative_size(residual, self.power) + self.uniform
        chosen = rng.choice(len(candidates), n, replace=False, p=density / density.sum())
        return candidates[chosen]
