"""Nudging: forecasts are drawn towards observations by a constant gain."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..backends.operators.stepping.steps import Step
from .cycle import typical
from .errors import FilterOptionError
from .observation import Observations


@dataclass(frozen=True)
class Nudging:
    """u_a = u_f + g B Cᵀ (C B Cᵀ + ε)⁻¹ (y - C u_f): innovations, spread over space, times a constant.

    B is Gaussian in distance, so that with g = 1 and small ε the analysis meets the observations.

    Args:
        strength: g in (0, 1], about 0.5 where observations are good.
        length: over which errors are correlated, about an eighth of a wavelength of the field.
        jitter: ε relative to the diagonal of B.
    """

    strength: float = 0.5
    length: float = 2.0
    jitter: float = 1e-2

    def __post_init__(self) -> None:
        if not 0 < self.strength <= 1 or self.length <= 0 or self.jitter <= 0:
            raise FilterOptionError(
                "Nudging()",
                "strength in (0, 1], positive length and jitter",
                f"{self.strength}, {self.length}, {self.jitter}",
                "Change them.",
            )

    def start(self, climatology: Tensor, batch: int, generator: torch.Generator) -> Tensor:
        return typical(climatology, batch, generator)

    def forecast(self, state: Tensor, step: Step, t: float) -> Tensor:
        return step(state, t)

    def analyse(self, state: Tensor, observations: Observations, values: Tensor) -> Tensor:
        gain = self.gain(observations).to(state)
        change = (values.to(state) - observations(state)) @ gain.T  # (batch, points)
        result = state.clone()
        result[:, observations.component] += change.view_as(result[:, observations.component])
        return result

    def gain(self, observations: Observations) -> Tensor:
        """The matrix (points, observations)."""
        spread = torch.exp(-0.5 * (observations.distances() / self.length) ** 2)  # B Cᵀ
        inner = observations.matrix @ spread
        inner = (inner + inner.T) / 2 + self.jitter * torch.eye(len(inner), dtype=inner.dtype)
        whole: Tensor = torch.linalg.solve(inner, spread.T).T
        return self.strength * whole

    def estimate(self, state: Tensor) -> Tensor:
        return state


__all__ = ["Nudging"]
