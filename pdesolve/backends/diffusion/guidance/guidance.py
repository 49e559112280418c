"""The interface of guidance: how observations bend the denoiser of a prior into that of the posterior."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from ..law import GaussianLaw
from ..observing import Observed
from ..samplers import Denoise, Sampler, Trajectory

Residual = Callable[[Tensor], Tensor]
"""From images (batch, channels, *grid) in the prior's units to residuals (batch, k) of unit size."""


@dataclass
class Setting:
    """What a guidance works with.

    Attributes:
        denoise: D of the prior, differentiable in x.
        law: the Gaussian law with the prior's mean and covariance.
        observed: what is known.
        physical: from images in the prior's units to those of the problem.
        residual: of the equations on the prior's grid; None where there is no such form.
        solved: puts what the equations determine in the place of the denoiser's own, at noise levels where
            coefficients are known well enough; None leaves estimates as they are.
    """

    denoise: Denoise
    law: GaussianLaw
    observed: Observed
    physical: Callable[[Tensor], Tensor]
    residual: Residual | None = None
    solved: Callable[[Tensor, float], Tensor] | None = None

    def misfit(self, clean: Tensor) -> Tensor:
        """y - A x₀ (batch, m) of images."""
        return self.observed.values - clean.flatten(1) @ self.observed.rows.T


class Guide(ABC):
    """A guidance made ready for one problem."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting

    @abstractmethod
    def posterior(self, x: Tensor, sigma: float) -> Tensor:
        """E[x₀ | x, y], of the shape of x (batch, channels, *grid)."""

    def twisted(self, x: Tensor, sigma: float) -> tuple[Tensor, Tensor, Tensor]:
        """The posterior's D_y, the prior's D, and an estimate of log p(y | x) (batch,)."""
        raise NotImplementedError(f"{type(self).__name__} has no estimate of log p(y | x)")

    def step(self, sampler: Sampler, run: Trajectory) -> Tensor:
        """One step of a sampler; returns the estimate of x₀."""
        return sampler.step(run, self.estimate)

    def said(self) -> str:
        """What the rule found beside samples, for the message to the user."""
        return ""

    def estimate(self, x: Tensor, sigma: float) -> Tensor:
        """The posterior's denoised value, on the solutions of the equations where that was asked for."""
        clean, solved = self.posterior(x, sigma), self.setting.solved
        return clean if solved is None else solved(clean, sigma)


@dataclass(frozen=True)
class Guidance(ABC):
    """A rule, as options.

    Attributes:
        by_sensors_alone: whether samples are of the posterior given the observations and nothing more, so
            that `RandomisedLikelihood` may go on from them.
    """

    name: ClassVar[str]
    by_sensors_alone: ClassVar[bool] = True

    @abstractmethod
    def begin(self, setting: Setting) -> Guide:
        """The rule for one problem."""


def vector_jacobian(denoise: Denoise, x: Tensor, sigma: float) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
    """D(x; σ), and v ↦ vᵀ ∂D/∂x, which may be called again and again."""
    with torch.enable_grad():
        leaf = x.detach().requires_grad_()
        clean = denoise(leaf, sigma)

    def pulled(v: Tensor) -> Tensor:
        (gradient,) = torch.autograd.grad(clean, leaf, v, retain_graph=True)
        return gradient

    return clean.detach(), pulled


__all__ = ["Guidance", "Guide", "Residual", "Setting", "vector_jacobian"]
