"""AAS: a flow seeks, as the adversary of the network, the density under which the residual is largest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from ....declare.domain import Array
from ...options import require_count, require_number
from .flow_sampler import FlowSampler, descend, new_generator
from .sampler import PointSet, Region

_SPAN = 5e-3  # of the central differences of p, in parts of the box


@dataclass(frozen=True)
class AAS(FlowSampler):
    """Adversarial adaptive sampling: the network minimises, a normalising flow p maximises

        ∫ r²(x) p_α(x) dx - β ∫ |∇p_α(x)|² dx,

    the penalty standing for a bound of the Lipschitz constant of p. Without it p would shrink to the point of
    largest r²; with it the game presses the residual flat, not only small. For a fixed r² the optimum solves
    -2β Δp = r² - mean r² with ∂p/∂n = 0 and ∫ p = 1, where p > 0.

    At a refresh, with candidates of the present density q = (1 - c) p + c, the flow takes ``ascents`` steps
    uphill on

        mean of (r²/q) p_α over the candidates - β mean of |∇p_α|²/p over points of p,

    r² divided by its mean over the region and the coordinates scaled to [0, 1], so that β is a pure number.
    All points are then redrawn by the new q; the loss stays the plain mean of r² over them, without
    importance weights. With several equations r² is the mean over them of r²/mean r².

    Differences from the paper. |∇p|² is that of central differences over a hundredth of the box in random
    directions: ∇p of a spline flow jumps, and steps would move the jumps to where no point sees them. The
    step on the density finds no peak that fills less than 1e-3 of the volume: the first ``warm`` refreshes
    fit p as `DAS` does. A share c of uniform points keeps the region covered, and where a few candidates
    carry all the weight, the weights are tempered. ``AAS(warm=0, uniform=0, effective=0)`` does without these
    three.

    Good values: the optimum for a point-like residual is a cone of radius R = 2 √(β d) in parts of the box,
    so that β = R²/(4 d) suits features of radius R: 1e-3 for R = 0.09 in two dimensions. In ten dimensions
    the steps are noisy, and p widens slowly from refresh to refresh whatever β is; `DAS` stays at the peak.
    A refresh costs ``pool`` residuals of the loss and ``ascents`` steps of the flow. Suits Adam and
    Gauss-Newton methods; quasi-Newton methods only with ``every`` of at least 100, and the game is then far
    from simultaneous.

    Tang, Zhai, Wan & Yang, ICLR 2024 (arXiv:2305.18702).

    Attributes:
        every: optimiser steps between refreshes.
        pool: candidates, as a multiple of the number of points.
        uniform: c, the share of points that cover the region regardless of the residual.
        effective: least effective share of the weighted candidates, 0 to 1.
        steps: of Adam on the flow at each of the first ``warm`` refreshes.
        rate: its learning rate there.
        batch: points of a step.
        couplings, width, bins: of the flow, see `Flow`.
        warm: refreshes that fit p to r² before the game begins.
        ascents: steps of Adam on the flow at every later refresh.
        ascent_rate: its learning rate there.
        penalty: β.

    Raises:
        BackendOptionError: an option is out of range.
    """

    name: ClassVar[str] = "aas"

    every: int = 100
    warm: int = 3
    ascents: int = 20
    ascent_rate: float = 1e-3
    penalty: float = 1e-3

    def __post_init__(self) -> None:
        super().__post_init__()
        require_count(self, "warm", least=0)
        require_count(self, "ascents")
        require_number(self, "ascent_rate", "penalty", above=0.0)

    def start(self, region: Region, n: int, rng: np.random.Generator) -> PointSet:
        current = super().start(region, n, rng)
        current.memory["refreshes"] = 0
        return current

    def _train(
        self, memory: dict[str, Any], unit: Tensor, importance: Array, rng: np.random.Generator
    ) -> None:
        memory["refreshes"] += 1
        if memory["refreshes"] <= self.warm:
            self._fit(memory, unit, importance, rng)
        else:
            self._ascend(memory, unit, importance, rng)

    def _ascend(
        self, memory: dict[str, Any], unit: Tensor, importance: Array, rng: np.random.Generator
    ) -> None:
        flow, generator = self.flow(unit.shape[1]), new_generator(rng)
        chosen = self._batches(importance, self.ascents, rng)

        def loss(theta: Tensor, step: int) -> Tensor:
            gain = torch.exp(flow.log_prob(theta, unit[chosen[step]])).mean()
            # The penalty is looked for where p is now: between candidates, p could rise unseen.
            with torch.no_grad():
                x = flow.sample(theta, self.batch, generator)
                log_draw = flow.log_prob(theta, x)
            direction = torch.randn(x.shape, generator=generator, dtype=x.dtype)
            direction = _SPAN * direction / direction.norm(dim=1, keepdim=True)
            ends = flow.log_prob(theta, torch.cat([x - direction, x + direction]).clamp(0.0, 1.0)).exp()
            slope = (ends[self.batch :] - ends[: self.batch]) / (2 * _SPAN)
            cost = (flow.d * slope**2 * torch.exp(-log_draw)).mean()
            # p grows by orders of magnitude; so divided, the gradient keeps the scale that Adam needs.
            return (self.penalty * cost - gain) / gain.detach()

        if memory["refreshes"] == self.warm + 1:  # another objective: Adam starts anew
            zero = torch.zeros_like(memory["theta"])
            memory.update(mean=zero, square=zero.clone(), steps=0)
        descend(memory, loss, self.ascents, self.ascent_rate)

    def _use(self, current: PointSet, region: Region, rng: np.random.Generator) -> None:
        current.points = self.draw(current.memory, region, len(current.points), rng)
