"""Residual-weighted choice of collocation points (RAD).

Wu, Zhu, Tan, Kartha & Lu, Comput. Methods Appl. Mech. Engrg. 403 (2023) 115671, eq. (2): points are drawn
from a pool with probability p(x) ∝ |r(x)|^k / mean|r|^k + c.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ....declare.domain import Array
from ...base import BackendOptionError


@dataclass(frozen=True)
class RAD:
    """Refresh the interior points every ``every`` optimiser steps.

    Attributes:
        every: optimiser steps between refreshes; quasi-Newton methods need at least 100.
        pool: candidates, as a multiple of the number of points.
        power: k; larger values concentrate the points more.
        uniform: c, added to every weight, whose mean is 1: a share c/(1 + c) is drawn regardless of the
            residual and keeps the domain covered.
    """

    every: int = 500
    pool: int = 5
    power: float = 1.0
    uniform: float = 1.0

    def __post_init__(self) -> None:
        counts = all(isinstance(n, int) and n >= 1 for n in (self.every, self.pool))
        numbers = all(isinstance(z, int | float) and math.isfinite(z) for z in (self.power, self.uniform))
        if not (counts and numbers and self.power >= 0 and self.uniform > 0):
            raise BackendOptionError(
                "RAD()",
                "whole numbers every, pool >= 1; power >= 0, uniform > 0",
                repr(self),
                "Change the option.",
            )

    def choose(self, candidates: Array, residual: Array, n: int, rng: np.random.Generator) -> Array:
        """``n`` of the candidates (m, d), drawn without repetition by their residuals (equations, m).

        With several equations the weights |r|^k / mean|r|^k of each are averaged.
        """
        # A residual that overflows somewhere must neither spoil the choice nor dominate it.
        finite = np.isfinite(residual)
        largest = np.abs(residual).max(axis=1, keepdims=True, where=finite, initial=0.0)
        size = np.where(finite, np.abs(residual), largest) ** self.power
        mean = size.mean(axis=1, keepdims=True)
        # A residual of exact zero everywhere leaves a uniform choice.
        relative = np.divide(size, mean, out=np.zeros_like(size), where=mean > 0)
        density = relative.mean(axis=0) + self.uniform
        chosen = rng.choice(len(candidates), n, replace=False, p=density / density.sum())
        return candidates[chosen]
