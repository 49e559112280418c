"""Space-filling points, drawn anew: Latin hypercubes and Sobol sequences."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ....declare.domain import Array
from ...options import require_count
from .rejection import accepted
from .sampler import PointSet, Region, ResidualAt, Sampler


@dataclass(frozen=True)
class SpaceFilling(Sampler):
    """Points of the bounding box by a rule of `scipy.stats.qmc`, less those outside the region."""

    every: int = 500

    def __post_init__(self) -> None:
        require_count(self, "every")

    @abstractmethod
    def _engine(self, d: int, rng: np.random.Generator) -> Any:
        """A generator of points of [0, 1]^d."""

    def start(self, region: Region, n: int, rng: np.random.Generator) -> PointSet:
        return PointSet(self._draw(region, n, rng))

    def refresh(
        self, current: PointSet, region: Region, residual: ResidualAt, rng: np.random.Generator
    ) -> None:
        current.points = self._draw(region, len(current.points), rng)

    def _draw(self, region: Region, n: int, rng: np.random.Generator) -> Array:
        engine = self._engine(len(region.bounds), rng)
        with warnings.catch_warnings():
            # Sobol points are balanced at powers of two; others are as even as n allows.
            warnings.filterwarnings("ignore", "The balance properties", UserWarning)
            return accepted(f"{type(self).__name__}()", region, n, engine.random)


@dataclass(frozen=True)
class LatinHypercube(SpaceFilling):
    """Latin hypercube: each of n equal slabs of each coordinate holds exactly one point (on boxes).

    On other regions the points of a larger hypercube that lie inside. It evens out functions that are sums of
    functions of one coordinate; for others it is no better than uniform points. A redraw takes no look at the
    residual. Adam and Gauss-Newton methods take any ``every``, quasi-Newton methods 100 and more.

    McKay, Beckman & Conover, Technometrics 21 (1979) 239.

    Attributes:
        every: optimiser steps between refreshes.
    """

    name: ClassVar[str] = "latin-hypercube"

    def _engine(self, d: int, rng: np.random.Generator) -> Any:
        from scipy.stats import qmc  # takes long to import

        return qmc.LatinHypercube(d, rng=rng)


@dataclass(frozen=True)
class Sobol(SpaceFilling):
    """Scrambled Sobol points, a new scrambling at every refresh.

    The mean of a smooth r² over them errs by nearly n^(-3/2) on boxes, against n^(-1/2) of independent
    points. On other regions the points of the sequence that lie inside. A redraw takes no look at the
    residual. Adam and Gauss-Newton methods take any ``every``, quasi-Newton methods 100 and more. Good
    values: n a power of two.

    Owen, Ann. Statist. 25 (1997) 1541.

    Attributes:
        every: optimiser steps between refreshes.
    """

    name: ClassVar[str] = "sobol"

    def _engine(self, d: int, rng: np.random.Generator) -> Any:
        from scipy.stats import qmc

        return qmc.Sobol(d, rng=rng)
