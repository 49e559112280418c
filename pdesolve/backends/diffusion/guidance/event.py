"""Events: samples for which a quantity of the user's exceeds a threshold, and how likely that is."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor

from .guidance import Guidance, Guide, Setting
from .kriging import Kriging, KrigingGuide


@dataclass(frozen=True)
class Event(Guidance):
    """Given the observations, and that C(fields) > 0.

        p(C > 0 | x) ≈ Φ(C(D_y)/s),   s² = ∇Cᵀ V ∇C,   D_y' = D_y + σ² ∇_x log Φ(C(D_y(x))/s)

    with V the covariance of the Gaussian law given x and the observations: C is linearised at the denoised
    fields. Under `Particles` the mean weight estimates the event's probability, however rare it is.

    Args:
        quantity: C, from fields ``(batch, channels, *grid)`` in units of the problem (unknowns, then
            inputs, in the prior's order) to numbers (batch,), in torch.
        inner: the guidance by observations.

    Source: Finzi et al., ICML 2023 (arXiv 2306.07526), section 4.2.
    """

    quantity: Callable[[Tensor], Tensor]
    inner: Kriging = field(default_factory=Kriging)

    name: ClassVar[str] = "event"
    by_sensors_alone: ClassVar[bool] = False

    def begin(self, setting: Setting) -> Guide:
        return _Event(setting, self)


class _Event(Guide):
    def __init__(self, setting: Setting, options: Event) -> None:
        super().__init__(setting)
        self.options, self.inner = options, KrigingGuide(setting, options.inner.floor)

    def posterior(self, x: Tensor, sigma: float) -> Tensor:
        return self.twisted(x, sigma)[0]

    def twisted(self, x: Tensor, sigma: float) -> tuple[Tensor, Tensor, Tensor]:
        """The observations alone are what an event's probability is conditional on."""
        with torch.enable_grad():
            leaf = x.detach().requires_grad_()
            given = self.inner.posterior(leaf, sigma)
            held = given.detach().requires_grad_()
            quantity = self.options.quantity(self.setting.physical(held))
            (slope,) = torch.autograd.grad(quantity.sum(), held)
            value = self.options.quantity(self.setting.physical(given))
            reward = torch.special.log_ndtr(value / self._deviation(slope.flatten(1), sigma))
            (gradient,) = torch.autograd.grad(reward.sum(), leaf)
        given = given.detach()
        return given + sigma**2 * gradient, given, reward.detach()

    def _deviation(self, slope: Tensor, sigma: float) -> Tensor:
        """s (batch,)."""
        spread = self.setting.law.covariance_times(slope, sigma)
        variance = (slope * spread.T).sum(dim=1)
        if len(self.setting.observed):
            seen = self.setting.observed.rows @ spread
            variance = variance - (seen * torch.cholesky_solve(seen, self.inner.factor(sigma))).sum(dim=0)
        floor = math.sqrt(torch.finfo(slope.dtype).eps)
        return variance.clamp(min=floor * float(variance.abs().max()) + floor**2).sqrt()


__all__ = ["Event"]
