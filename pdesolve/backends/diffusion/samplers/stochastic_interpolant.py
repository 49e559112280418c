"""Stochastic interpolants: flows with any amount of noise."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from ...options import require_number
from .flow_sampler import FlowSampler
from .sampler import Denoise, Trajectory


@dataclass(frozen=True)
class StochasticInterpolant(FlowSampler):
    """The reverse stochastic equation with a noise level that is free to choose,

        dx_t = (v - ε_t score) dt + √(2 ε_t) dw,   t from 1 to 0,   ε_t = ν t/(1 - t),

    which has the law of the flow at every t, whatever ν. In x = x_t/(1 - t) and σ = t/(1 - t) it reads
    dx = (1 + ν)(x - D) dσ/σ + √(2 ν σ) dw, and is solved exactly for a D that is constant over the step:

        x' = q^(1+ν) x + (1 - q^(1+ν)) D + σ' √(1 - q^(2ν)) z,   q = σ'/σ.

    ν = 0 is the flow, ν = 1 the reverse of diffusion (`DPMSolver` of order 1, stochastic); more noise
    corrects errors of D better and needs more steps. First order in the step.

    Albergo, Boffi & Vanden-Eijnden, arXiv:2303.08797, section 2. The integrator is not theirs.

    Attributes:
        noise: ν.
    """

    name: ClassVar[str] = "stochastic-interpolant"

    noise: float = 1.0

    def __post_init__(self) -> None:
        require_number(self, "noise", least=0.0)
        super().__post_init__()

    def _move(self, run: Trajectory, denoise: Denoise, levels: Sequence[float]) -> Tensor:
        sigma, lower = levels[run.index], levels[run.index + 1]
        h = math.log(sigma / lower)
        estimate = denoise(run.x, sigma)
        run.x = run.x - math.expm1(-(1.0 + self.noise) * h) * (estimate - run.x)
        if self.noise:
            run.x = run.x + lower * math.sqrt(-math.expm1(-2.0 * self.noise * h)) * run.noise()
        return estimate
