"""DPM-Solver++: exponential multistep methods in the data prediction."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from ...options import require, require_count
from .sampler import Denoise, Sampler, Trajectory


@dataclass(frozen=True)
class DPMSolver(Sampler):
    """DPM-Solver++(2M) and its relatives. With λ = -ln σ, step h = ln σ/σ' and q = σ'/σ = e⁻ʰ,

        x' = q x + ∫₀ʰ e^(u-h) D(λ + u) du,

    where D is extrapolated from earlier values: D(λ + u) ≈ D + u D₁ + u² D₂/2. Order 2 takes
    D₁ = (D - D_prev)/h_prev and (1 - q) h/2 for ∫ e^(u-h) u du; order 3 integrates a parabola exactly. The
    stochastic form solves the reverse stochastic equation dx = 2 (x - D) dσ/σ + √(2 σ) dw instead:

        x' = q² x + ∫₀ʰ 2 e^(2u-2h) D(λ + u) du + σ' √(1 - q²) z.

    One evaluation a step. The order rises over the first steps: order 3 is reached where the run begins at σ
    far above the data, so that those steps err little. Good values: order 2 with 15 to 50 steps, also for
    guided sampling; order 3 where D is smooth and unguided. The stochastic form corrects earlier errors; for
    Gaussian data its law is of second order in h, and of first order with ``order=1``, which is ancestral
    sampling.

    Lu et al., arXiv:2211.01095, algorithm 2, and the stochastic forms there; in σ as Karras et al., NeurIPS
    2022 (arXiv:2206.00364).

    Attributes:
        order: 1, 2 or 3; at most 2 in the stochastic form.
        stochastic: add noise at every step.
    """

    name: ClassVar[str] = "dpm-solver"

    order: int = 2
    stochastic: bool = False

    def __post_init__(self) -> None:
        require_count(self, "order")
        require(self, "stochastic", isinstance(self.stochastic, bool), "True or False")
        most = 2 if self.stochastic else 3
        require(
            self, "order", self.order <= most, f"at most {most}" + " in the stochastic form" * (most == 2)
        )
        super().__post_init__()

    def _move(self, run: Trajectory, denoise: Denoise, levels: Sequence[float]) -> Tensor:
        now, sigma, lower = run.index, levels[run.index], levels[run.index + 1]
        estimate = denoise(run.x, sigma)
        known = [estimate, *reversed(run.past)]  # newest first
        gaps = [math.log(levels[now - k - 1] / levels[now - k]) for k in range(len(run.past))]
        # The stochastic form decays at twice the rate: powers of q² in place of q.
        rate = 2.0 if self.stochastic else 1.0
        h = math.log(sigma / lower)
        weight = -math.expm1(-rate * h)  # ∫ rate e^(rate (u - h)) du
        run.x = run.x + weight * (estimate - run.x)
        if len(known) == 2:
            run.x = run.x + weight * h / 2.0 * (known[0] - known[1]) / gaps[0]
        elif len(known) == 3:
            near, far = (known[0] - known[1]) / gaps[0], (known[1] - known[2]) / gaps[1]
            second = 2.0 * (near - far) / (gaps[0] + gaps[1])
            linear = h - weight  # ∫ e^(u-h) u du; and of u²/2 below
            run.x = run.x + linear * (near + second * gaps[0] / 2.0) + (h**2 / 2.0 - linear) * second
        if self.stochastic:
            run.x = run.x + lower * math.sqrt(weight) * run.noise()
        run.past = known[: self.order - 1][::-1]
        return estimate
