"""Residual-weighted choice of collocation points (RAD).

Wu, Zhu, Tan, Kartha & Lu, Comput. Methods Appl. Mech. Engrg. 403 (2023) 115671, eq. (2): points are drawn
from a pool with probability p(x) ∝ |r(x)|^k / mean|r|^k + c.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..base import BackendOptionError

Array = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class RAD:
    """Refresh the interior points every ``every`` optimiser steps.

    Attributes:
        every: optimiser steps between refreshes; quasi-Newton methods need at least 100.
        pool: candidates, as a multiple of the number of points.
        power: k; larger values concentrate the points more.
        uniform: c, the share drawn regardless of the residual; keeps the domain covered.
    """

    every: int = 500
    pool: int = 5
    power: float = 1.0
    uniform: float = 1.0

    def __post_init__(self) -> None:
        if not (self.every >= 1 and self.pool >= 1 and self.power >= 0 and self.uniform > 0):
            raise BackendOptionError(
                "RAD()", "every >= 1, pool >= 1, power >= 0, uniform > 0", repr(self), "Change the option."
            )

    def choose(self, candidates: Array, residual: Array, n: int, rng: np.random.Generator) -> Array:
        """``n`` of the candidates (m, d), drawn without repetition by their residual (m,)."""
        size = np.abs(residual) ** self.power
        mean = size.mean()
        # A residual of exact zero everywhere leaves a uniform choice.
        density = (size / mean if mean > 0 else np.zeros_like(size)) + self.uniform
        chosen = rng.choice(len(candidates), n, replace=False, p=density / density.sum())
        return candidates[chosen]
