"""Kriging: the observations act through the covariance of the prior, without a gradient of the network."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from ..encoding import DEVIATION
from .guidance import Guidance, Guide, Setting


@dataclass(frozen=True)
class Kriging(Guidance):
    """The posterior of a Gaussian law around the network's estimate.

        D_y = D + V_σ Aᵀ (A V_σ Aᵀ + Σ)⁻¹ (y - A D),   V_σ = σ² C (C + σ²)⁻¹

    with the covariance C of the prior: one factorisation for each noise level serves all samples, and
    nothing is differentiated. For a Gaussian prior it is exact. For others C stands for the true covariance
    of x₀ given x, σ² ∂D/∂x (`Moments`).

    Args:
        floor: least standard deviation of observations, relative to that of their field. What the prior's
            grid cannot represent acts as noise of this size.

    Source: equations (8) and (11) of Rozet et al., NeurIPS 2024 (arXiv 2405.13712), with the covariance of
    a Gaussian law.
    """

    floor: float = 1e-4

    name: ClassVar[str] = "kriging"

    def begin(self, setting: Setting) -> Guide:
        return KrigingGuide(setting, self.floor)


class KrigingGuide(Guide):
    """Works in the modes of the law, so that the covariance of the whole image is never formed."""

    def __init__(self, setting: Setting, floor: float) -> None:
        super().__init__(setting)
        rows = setting.observed.rows
        self._noise = noise_variances(setting, floor)
        self._modes, self._gram = rows @ setting.law.vectors, rows @ rows.T
        self._factors: dict[float, Tensor] = {}

    def posterior(self, x: Tensor, sigma: float) -> Tensor:
        clean = self.setting.denoise(x, sigma)
        weights = torch.cholesky_solve(self.setting.misfit(clean).T, self.factor(sigma)).T
        return clean + self.spread(weights, sigma).view_as(clean)

    def twisted(self, x: Tensor, sigma: float) -> tuple[Tensor, Tensor, Tensor]:
        clean = self.setting.denoise(x, sigma)
        misfit, factor = self.setting.misfit(clean), self.factor(sigma)
        whitened = torch.linalg.solve_triangular(factor, misfit.T, upper=False)
        size = factor.diagonal().log().sum() + len(factor) * math.log(2 * math.pi) / 2
        weights = torch.linalg.solve_triangular(factor.T, whitened, upper=True).T
        reward = -whitened.square().sum(dim=0) / 2 - size
        return clean + self.spread(weights, sigma).view_as(clean), clean, reward

    def spread(self, weights: Tensor, sigma: float) -> Tensor:
        """V_σ Aᵀ w (batch, n) of weights (batch, m)."""
        law = self.setting.law
        along, across = law.conditional(sigma)
        inside = (weights @ self._modes) * (along - across)
        return inside @ law.vectors.T + across * (weights @ self.setting.observed.rows)

    def factor(self, sigma: float) -> Tensor:
        """Cholesky's of A V_σ Aᵀ + Σ; the last one is kept."""
        if sigma not in self._factors:
            self._factors.clear()
            along, across = self.setting.law.conditional(sigma)
            covariance = (self._modes * (along - across)) @ self._modes.T + across * self._gram
            self._factors[sigma] = cholesky(covariance + torch.diag(self._noise))
        return self._factors[sigma]


def noise_variances(setting: Setting, floor: float) -> Tensor:
    """Σ: of each observation, at least that of the floor."""
    return setting.observed.noise.clamp(min=floor * DEVIATION) ** 2


def cholesky(matrix: Tensor) -> Tensor:
    """A factor of a symmetric matrix that is positive up to rounding."""
    scale = matrix.diagonal().mean()
    share = 1e-14
    while share < 1:
        factor: Tensor
        factor, failed = torch.linalg.cholesky_ex(matrix + share * scale * torch.eye(len(matrix)).to(matrix))
        if not int(failed):
            return factor
        share *= 10
    raise ArithmeticError("A covariance of observations is not finite, or far from positive.")


__all__ = ["Kriging", "KrigingGuide", "cholesky", "noise_variances"]
