"""Rectified flows: steps along straight paths."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from ...options import require, require_count
from .flow_sampler import FlowSampler
from .sampler import Denoise, Trajectory
from .velocity import flow_time


@dataclass(frozen=True)
class FlowMatching(FlowSampler):
    """Euler's or Heun's method for dx_t/dt = v(x_t; t) = (x_t - D)/t, x_t = (1 - t) x₀ + t ε:

        y = x_t + (t' - t) v(x_t; t),   x_t' = x_t + (t' - t) (v(x_t; t) + v(y; t'))/2   (order 2).

    The state is kept as x = x_t/(1 - t), at noise level σ = t/(1 - t), so that a velocity network serves
    through `denoiser_from_velocity`, and so does any denoiser. Euler's step is that of `DDIM`, at other
    levels. Order 2 takes 2 N - 1 evaluations. The steps crowd at σ of order one: for data of wide spectra,
    which settle mode by mode down to small σ, the levels of `Heun` are better.

    Lipman et al., ICLR 2023 (arXiv:2210.02747), section 4.1; Liu, Gong & Liu, arXiv:2209.03003.

    Attributes:
        order: 1 (Euler) or 2 (Heun).
    """

    name: ClassVar[str] = "flow-matching"

    order: int = 2

    def __post_init__(self) -> None:
        require_count(self, "order")
        require(self, "order", self.order <= 2, "at most 2")
        super().__post_init__()

    @property
    def evaluations_per_step(self) -> int:
        return self.order

    def _move(self, run: Trajectory, denoise: Denoise, levels: Sequence[float]) -> Tensor:
        sigma, lower = levels[run.index], levels[run.index + 1]
        t, earlier = flow_time(sigma), flow_time(lower)
        estimate = denoise(run.x, sigma)
        state = run.x / (1.0 + sigma)
        velocity = (state - estimate) / t
        moved = state + (earlier - t) * velocity
        if self.order == 2:
            estimate = denoise(moved * (1.0 + lower), lower)
            moved = state + (earlier - t) / 2.0 * (velocity + (moved - estimate) / earlier)
        run.x = moved * (1.0 + lower)
        return estimate
