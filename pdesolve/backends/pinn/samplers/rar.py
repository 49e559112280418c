"""RAR: points are added where the residual is large, and none is taken away."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ....declare.domain import Array
from ...options import require_count, require_number
from .rad import RAD
from .residual_size import relative_size
from .sampler import PointSet, Region, ResidualAt, Sampler


@dataclass(frozen=True)
class Growing(Sampler):
    """At every refresh ``add`` of ``pool`` uniform candidates more, up to ``most`` points."""

    every: int = 500
    add: int = 100
    most: int = 20_000
    pool: int = 10_000

    def __post_init__(self) -> None:
        require_count(self, "every", "add", "most")
        require_count(self, "pool", least=self.add)

    @abstractmethod
    def _new(self, candidates: Array, residual: Array, n: int, rng: np.random.Generator) -> Array:
        """``n`` of the candidates (m, d), by their residuals (equations, m)."""

    def refresh(
        self, current: PointSet, region: Region, residual: ResidualAt, rng: np.random.Generator
    ) -> None:
        n = min(self.add, self.most - len(current.points))
        if n > 0:
            candidates = region.draw(self.pool, rng, "uniform")
            new = self._new(candidates, residual(candidates), n, rng)
            current.points = np.concatenate([current.points, new])


@dataclass(frozen=True)
class RARG(Growing):
    """Residual-based adaptive refinement, greedy: the candidates of largest |r| are added.

    At every refresh ``pool`` uniform candidates are drawn, and the ``add`` of them with the largest residual
    join the points for good; none joins once there are ``most``. With several equations the size is the mean
    over them of |r| / mean|r|. The new points lie close together where the residual has one peak; `RARD`
    spreads them. Works with every optimiser: the objective changes at refreshes alone, and little. Good
    values: start with half the points of a fixed set; ``every`` 100 to 1000, ``pool`` 100 times ``add``.

    Lu, Meng, Mao & Karniadakis, SIAM Rev. 63 (2021) 208; Wu, Zhu, Tan, Kartha & Lu, Comput. Methods Appl.
    Mech. Engrg. 403 (2023) 115671.

    Attributes:
        every: optimiser steps between refreshes.
        add: points that a refresh adds.
        most: no points are added beyond this number.
        pool: candidates.

    Raises:
        BackendOptionError: an option is out of range, or the pool is smaller than ``add``.
    """

    name: ClassVar[str] = "rar-g"

    def _new(self, candidates: Array, residual: Array, n: int, rng: np.random.Generator) -> Array:
        order = np.argsort(relative_size(residual), kind="stable")
        return candidates[order[len(order) - n :]]


@dataclass(frozen=True)
class RARD(Growing):
    """Residual-based adaptive refinement with a distribution: points are added by a density.

    At every refresh ``pool`` uniform candidates are drawn, and ``add`` of them, chosen with probability

        p(x) ∝ |r(x)|^k / mean|r|^k + c,

    join the points for good; none joins once there are ``most``. The authors' choice is k = 2 and c = 0; here
    c is a trifle, so that candidates where the residual vanishes can be drawn if no others are left. Works
    with every optimiser: the objective changes at refreshes alone, and little. Good values: as for `RARG`.

    Wu, Zhu, Tan, Kartha & Lu, Comput. Methods Appl. Mech. Engrg. 403 (2023) 115671, eq. (2).

    Attributes:
        every: optimiser steps between refreshes.
        add: points that a refresh adds.
        most: no points are added beyond this number.
        pool: candidates.
        power: k.
        uniform: c.

    Raises:
        BackendOptionError: an option is out of range, or the pool is smaller than ``add``.
    """

    name: ClassVar[str] = "rar-d"

    power: float = 2.0
    uniform: float = 1e-6

    def __post_init__(self) -> None:
        super().__post_init__()
        require_number(self, "power", least=0.0)
        require_number(self, "uniform", above=0.0)

    def _new(self, candidates: Array, residual: Array, n: int, rng: np.random.Generator) -> Array:
        return RAD(power=self.power, uniform=self.uniform).choose(candidates, residual, n, rng)
