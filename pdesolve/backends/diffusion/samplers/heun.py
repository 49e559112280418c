"""Heun's method, deterministic or with churn."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from ...options import require, require_number
from .sampler import Denoise, Sampler, Trajectory


@dataclass(frozen=True)
class Heun(Sampler):
    """Heun's step of second order from σ to σ', with e(x; σ) = (x - D)/σ:

        x₁ = x + (σ' - σ) e(x; σ),   x' = x + (σ' - σ) (e(x; σ) + e(x₁; σ'))/2.

    With churn, noise is first added up to σ^ = σ (1 + γ), γ = min(churn/N, √2 - 1), and the step starts at
    x^ = x + S √(σ^² - σ²) z. That corrects earlier errors at the price of the order, and needs many steps.
    Takes 2 N - 1 evaluations. Good values: deterministic for 100 evaluations and more; below some 50 the
    methods of several steps are better. The paper's ImageNet setting is churn 40 with S = 1.003 in 256 steps.

    Karras et al., NeurIPS 2022 (arXiv:2206.00364), algorithms 1 and 2.

    Attributes:
        churn: noise added over the run; 0 is deterministic.
        churn_min: σ below which none is added.
        churn_max: σ above which none is added.
        churn_noise: S; 1 keeps the law, slightly more makes up for a denoiser that smoothes too much.
    """

    name: ClassVar[str] = "heun"

    churn: float = 0.0
    churn_min: float = 0.05
    churn_max: float = 50.0
    churn_noise: float = 1.0

    def __post_init__(self) -> None:
        require_number(self, "churn", "churn_min", least=0.0)
        require_number(self, "churn_max", "churn_noise", above=0.0)
        require(self, "churn_min", self.churn_min <= self.churn_max, f"at most churn_max={self.churn_max!r}")
        super().__post_init__()

    @property
    def evaluations_per_step(self) -> int:
        return 2

    def _move(self, run: Trajectory, denoise: Denoise, levels: Sequence[float]) -> Tensor:
        sigma, lower = levels[run.index], levels[run.index + 1]
        if self.churn and self.churn_min <= sigma <= self.churn_max:
            raised = sigma * (1.0 + min(self.churn / (len(levels) - 1), math.sqrt(2.0) - 1.0))
            run.x = run.x + self.churn_noise * math.sqrt(raised**2 - sigma**2) * run.noise()
            sigma = raised
        slope = (run.x - denoise(run.x, sigma)) / sigma
        guess = run.x + (lower - sigma) * slope
        estimate = denoise(guess, lower)
        run.x = run.x + (lower - sigma) / 2.0 * (slope + (guess - estimate) / lower)
        return estimate
