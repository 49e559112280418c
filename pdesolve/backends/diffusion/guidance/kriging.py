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
    def __init__(self, setting: Setting, floor: float) -> None:
        super().__init__(setting)
        self._noise = noise_variances(setting, floor)
        self._gains: dict[float, Tensor] = {}
        self._factors: dict[float, Tensor] = {}

    def posterior(self, x: Tensor, sigma: float) -> Tensor:
        clean = self.setting.denoise(x, sigma)
        return clean + (self.setting.misfit(clean) @ self.gain(sigma).T).view_as(clean)

    def twisted(self, x: Tensor, sigma: float) -> tuple[Tensor, Tensor, Tensor]:
        clean = self.setting.denoise(x, sigma)
        misfit = self.setting.misfit(clean)
        factor = self.factor(sigma)
        whitened = torch.linalg.solve_triangular(factor, misfit.T, upper=False)
        size = factor.diagonal().log().sum() + len(factor) * math.log(2 * math.pi) / 2
        reward = -whitened.square().sum(dim=0) / 2 - size
        return clean + (misfit @ self.gain(sigma).T).view_as(clean), clean, reward

    def gain(self, sigma: float) -> Tensor:
        """V_σ Aᵀ (A V_σ Aᵀ + Σ)⁻¹, (n, m)."""
        if sigma not in self._gains:
            _forget(self._gains)
            covariance = self.setting.law.covariance_times(self.setting.observed.rows, sigma)
            self._gains[sigma] = torch.cholesky_solve(covariance.T, self.factor(sigma)).T
        return self._gains[sigma]

    def factor(self, sigma: float) -> Tensor:
        """Cholesky's of A V_σ Aᵀ + Σ."""
        if sigma not in self._factors:
            _forget(self._factors)
            rows = self.setting.observed.rows
            covariance = rows @ self.setting.law.covariance_times(rows, sigma)
            self._factors[sigma] = cholesky(covariance + torch.diag(self._noise))
        return self._factors[sigma]


def _forget(kept: dict[float, Tensor]) -> None:
    """All but the latest: a run meets each noise level once or twice, and each takes (n, m) numbers."""
    for sigma in list(kept)[:-1]:
        del kept[sigma]


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
