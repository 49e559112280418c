"""An exponential integrator that is exact for Gaussian fields."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor

from ...base import BackendOptionError
from ...options import require, require_count
from .sampler import Denoise, Sampler, Trajectory

Filter = Callable[[Tensor, Callable[[Tensor], Tensor]], Tensor]
"""Maps (x, f) to f(C) x, C the covariance of the prior: in the modes of C, a product with f(variances)."""


@dataclass(frozen=True)
class GaussianExponential(Sampler):
    """`DPMSolver`'s method in a noise level of each mode's own, Λ = √(c + σ²), c the variance of the mode.

    A Gaussian prior N(μ, C) has D = (c x + σ² μ)/(c + σ²) in every mode of C. For any D, that relation
    defines the mean μ(x; σ) = D + (c/σ²)(D - x) by which a Gaussian of covariance C would explain it, and
    the equation dx/dσ = (x - D)/σ becomes dx/dΛ = (x - μ)/Λ. With Q = Λ'/Λ and H = -ln Q:

        x' = Q x + (1 - Q) μ~,   μ~ = μ + H/(2 H_prev) (μ - μ_prev)   (order 2; the first step has μ~ = μ).

    For a Gaussian prior μ is constant, whatever its value, and one step is exact; for other priors only the
    deviation from the Gaussian of like covariance is discretised. c = 0 gives `DPMSolver`, to which modes
    much finer than the data return. One evaluation and three applications of functions of C a step.

    This is DPM-Solver-v3's linear part √((c + σ'²)/(c + σ²)) with its closed form for Gaussian data, one
    coefficient a mode instead of statistics of the network. Not in the paper: the modes, and μ as the
    remainder, which stays finite for c → 0 and c → ∞.

    Zheng et al., NeurIPS 2023 (arXiv:2310.13268); Lu et al., arXiv:2211.01095.

    Attributes:
        order: 1 or 2.
        filter: (x, f) ↦ f(C) x; the method that knows the prior sets it, see `with_filter`.

    Raises:
        BackendOptionError: an option is out of range, or a run begins without a covariance.
    """

    name: ClassVar[str] = "gaussian-exponential"

    order: int = 2
    filter: Filter | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        require_count(self, "order")
        require(self, "order", self.order <= 2, "at most 2")
        require(self, "filter", self.filter is None or callable(self.filter), "a function (x, f) -> f(C) x")
        super().__post_init__()

    def with_filter(self, filter: Filter) -> GaussianExponential:
        """A copy that knows the covariance of the prior."""
        return dataclasses.replace(self, filter=filter)

    def begin(
        self,
        shape: Sequence[int],
        generator: torch.Generator,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
        levels: Sequence[float] | None = None,
    ) -> Trajectory:
        self._covariance()
        return super().begin(shape, generator, dtype, device, levels)

    def _covariance(self) -> Filter:
        if self.filter is None:
            raise BackendOptionError(
                "GaussianExponential(filter=)",
                "the covariance of the prior",
                "None",
                "Choose a prior with a known covariance, or another sampler.",
            )
        return self.filter

    def _move(self, run: Trajectory, denoise: Denoise, levels: Sequence[float]) -> Tensor:
        now, apply = run.index, self._covariance()
        sigma, lower = levels[now], levels[now + 1]
        estimate = denoise(run.x, sigma)
        mean = estimate + apply(estimate - run.x, lambda c: c / sigma**2)
        target = mean
        if run.past:
            higher, change = levels[now - 1], mean - run.past[-1]
            target = mean + apply(change, lambda c: _gap(c, sigma, lower) / (2.0 * _gap(c, higher, sigma)))
        run.past = [mean] if self.order == 2 else []
        # 1 - Q is tiny where c is large, and μ then is inaccurate: so the product, not the sum with Q x.
        run.x = run.x + apply(target - run.x, lambda c: -torch.expm1(-_gap(c, sigma, lower)))
        return estimate


def _gap(c: Tensor, high: float, low: float) -> Tensor:
    """H = ln √((c + σ²)/(c + σ'²)), accurate where c is much larger than both."""
    return torch.log1p((high - low) * (high + low) / (c + low**2)) / 2.0
