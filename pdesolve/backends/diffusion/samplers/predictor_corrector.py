"""Langevin steps between the steps of any sampler."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor

from ...options import is_number, require, require_count
from .heun import Heun
from .sampler import Denoise, Sampler, Trajectory


@dataclass(frozen=True)
class PredictorCorrector(Sampler):
    """After every step of a sampler, some Langevin steps at the level σ that it reached:

        x ← x + δ σ² score + σ √(2 δ) z = x + δ (D - x) + σ √(2 δ) z.

    They draw x towards the law at σ, whatever errors led there. The law that they keep differs from the true
    one by O(δ): a mode of data with variance c is wrong by the factor 1/(1 - δ σ²/(2 c + 2 σ²)). A method
    of several steps rests on a smooth path: it forgets it here and begins anew, at order 1. So the sampler
    should be a method of one step.

    Song et al., ICLR 2021 (arXiv:2011.13456), algorithms 1 and 2; there δ comes from a signal-to-noise ratio.

    Attributes:
        sampler: makes the steps, and has the noise levels.
        delta: δ, between 0 and 1.
        corrections: Langevin steps after each step but the last; each takes one evaluation.
    """

    name: ClassVar[str] = "predictor-corrector"

    steps: int = field(init=False, repr=False)
    sigma_max: float = field(init=False, repr=False)
    sigma_min: float = field(init=False, repr=False)
    rho: float = field(init=False, repr=False)
    sampler: Sampler = field(default_factory=Heun)
    delta: float = 0.05
    corrections: int = 1

    def __post_init__(self) -> None:
        plain = isinstance(self.sampler, Sampler) and not isinstance(self.sampler, PredictorCorrector)
        require(self, "sampler", plain, "a sampler other than PredictorCorrector")
        require(self, "delta", is_number(self.delta) and 0 < self.delta < 1, "a number between 0 and 1")
        require_count(self, "corrections", least=0)
        for option in ("steps", "sigma_max", "sigma_min", "rho"):
            object.__setattr__(self, option, getattr(self.sampler, option))

    @property
    def evaluations_per_step(self) -> int:
        return self.sampler.evaluations_per_step + self.corrections

    def noise_levels(self) -> list[float]:
        return self.sampler.noise_levels()

    def begin(
        self,
        shape: Sequence[int],
        generator: torch.Generator,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
        levels: Sequence[float] | None = None,
    ) -> Trajectory:
        return self.sampler.begin(shape, generator, dtype, device, levels)

    def _move(self, run: Trajectory, denoise: Denoise, levels: Sequence[float]) -> Tensor:
        estimate = self.sampler._move(run, denoise, levels)
        sigma = levels[run.index + 1]
        for _ in range(self.corrections):
            estimate = denoise(run.x, sigma)
            run.x = run.x + self.delta * (estimate - run.x)
            run.x = run.x + sigma * math.sqrt(2.0 * self.delta) * run.noise()
        if self.corrections:
            run.past = []
        return estimate
