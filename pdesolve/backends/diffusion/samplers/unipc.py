"""UniPC: a multistep predictor whose corrector costs no evaluation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from torch import Tensor

from ...options import require, require_count
from .sampler import Denoise, Sampler, Trajectory


@dataclass(frozen=True)
class UniPC(Sampler):
    """Predictor and corrector of one form, with q = σ'/σ and values D_m at λ = -ln σ distant by r_m h:

        x' = q x + (1 - q) D + (1 - q) Σ_m ρ_m (D_m - D)/r_m,   Σ_m ρ_m r_m^(k-1) = b_k,

    b_k = k! f_k/(q - 1) with f_k = Σ_{j≥1} (-h)^j/(j + k)!. The predictor takes the p - 1 values before D;
    the corrector also D at the predicted x' (r = 1), which the next step needs anyway. So order p + 1 costs
    one evaluation a step. The order rises over the first steps, which err little where the run begins at σ
    far above the data. For a single unknown ρ = 1/2 suffices.

    Variant B₂, data prediction. Good values: p = 2 for guided sampling with 10 to 50 steps, p = 3 unguided.

    Zhao et al., NeurIPS 2023 (arXiv:2302.04867), theorem 3.1, algorithms 1 and 2.

    Attributes:
        order: p, 1 to 3.
    """

    name: ClassVar[str] = "unipc"

    order: int = 2

    def __post_init__(self) -> None:
        require_count(self, "order")
        require(self, "order", self.order <= 3, "at most 3")
        super().__post_init__()

    def _move(self, run: Trajectory, denoise: Denoise, levels: Sequence[float]) -> Tensor:
        now = run.index
        estimate = denoise(run.x, levels[now])
        known: list[Tensor] = []
        if run.past:  # the corrected x of the level before, and the values of D there and before
            before, *known = run.past
            places = [now - len(known) + k for k in range(len(known))]
            run.x = _update(before, [*known, estimate], [*places, now], now - 1, now, levels)
        # One value more than the predictor needs: the next corrector uses p of them, and the new one.
        values = [*known, estimate][-self.order :]
        places = [now + 1 - len(values) + k for k in range(len(values))]
        run.past = [run.x, *values]
        run.x = _update(run.x, values, places, now, now + 1, levels)
        return estimate


def _update(
    x: Tensor, values: list[Tensor], places: list[int], start: int, end: int, levels: Sequence[float]
) -> Tensor:
    """x at level ``end`` from x at level ``start``, with the values of D at the numbered levels."""
    h = math.log(levels[start] / levels[end])
    base = values[places.index(start)]
    others = [(place, value) for place, value in zip(places, values, strict=True) if place != start]
    ratios = [math.log(levels[start] / levels[place]) / h for place, _ in others]
    weight = -math.expm1(-h)
    result = x + weight * (base - x)
    for (_, value), ratio, rho in zip(others, ratios, _weights(ratios, h), strict=True):
        result = result + weight * rho / ratio * (value - base)
    return result


def _weights(ratios: list[float], h: float) -> list[float]:
    """ρ of the places r."""
    if len(ratios) < 2:
        return [0.5] * len(ratios)
    count = len(ratios)
    system = np.array(ratios) ** np.arange(count)[:, None]
    right = [math.factorial(k) * _tail(-h, k) / math.expm1(-h) for k in range(1, count + 1)]
    weights: list[float] = np.linalg.solve(system, np.array(right)).tolist()
    return weights


def _tail(z: float, k: int) -> float:
    """Σ_{j≥1} z^j/(j + k)!, for z < 0."""
    if z > -1.0:  # the closed form below cancels
        return sum(z**j / math.factorial(j + k) for j in range(1, 18))
    tail = math.expm1(z) / z - 1.0
    for i in range(2, k + 1):
        tail = tail / z - 1.0 / math.factorial(i)
    return tail
