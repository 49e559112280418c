"""Points that never change."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from .sampler import PointSet, Region, ResidualAt, Sampler


@dataclass(frozen=True)
class Fixed(Sampler):
    """Even points, drawn once: the same discrete problem from the first step to the last.

    Suits every optimiser; quasi-Newton methods keep all that they learnt. The residual may become small at
    the points and stay large between them (overfitting of the collocation set); a validation set shows that.
    Good values: more points than the network has parameters.
    """

    name: ClassVar[str] = "fixed"
    every: int = field(default=0, init=False)

    def refresh(
        self, current: PointSet, region: Region, residual: ResidualAt, rng: np.random.Generator
    ) -> None:
        """Nothing changes."""
