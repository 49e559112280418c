"""What samplers of flows share: noise levels that are even in the time of the flow."""

from __future__ import annotations

from dataclasses import dataclass

from ...options import require_number
from .sampler import Sampler


@dataclass(frozen=True)
class FlowSampler(Sampler):
    """Levels σ = S t/(1 - t), with t evenly spaced between those of ``sigma_max`` and ``sigma_min``, then 0.

    A shift S > 1 spends more steps on high noise, as large grids want it (Esser et al., ICML 2024,
    arXiv:2403.03206). ``rho`` has no effect.

    Attributes:
        shift: S.
    """

    shift: float = 1.0

    def __post_init__(self) -> None:
        require_number(self, "shift", above=0.0)
        super().__post_init__()

    def noise_levels(self) -> list[float]:
        high, low = self.sigma_max / self.shift, self.sigma_min / self.shift
        last = self.steps - 1
        inner = []
        for i in range(1, last):
            # t and 1 - t, each a mean of its ends: 1 - t would lose all digits where σ is large.
            before, after = (last - i) / (1.0 + high), i / (1.0 + low)
            inner.append(self.shift * (before * high + after * low) / (before + after))
        ends = [self.sigma_max, *inner, self.sigma_min] if last else [self.sigma_max]
        return [*ends, 0.0]
