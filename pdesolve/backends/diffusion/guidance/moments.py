"""Guidance by the moments of x₀ given x, from derivatives of the denoiser."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from ..encoding import DEVIATION
from .guidance import Guidance, Guide, Setting, vector_jacobian
from .kriging import Kriging, KrigingGuide, cholesky, noise_variances


@dataclass(frozen=True)
class Moments(Guidance):
    """Moment-matched posterior sampling: the covariance of x₀ given x is σ² times the denoiser's derivative.

        D_y = D + V Aᵀ (A V Aᵀ + Σ)⁻¹ (y - A D),   V = σ² ∂D/∂x

    solved by conjugate gradients, one product with the transposed derivative in each iteration. They are
    preconditioned by `Kriging`, which is the exact inverse where the prior is Gaussian.

    Args:
        iterations: of conjugate gradients, at most. Too few are worse than none.
        rtol: at which they end, relative to the misfit.
        blend: share of the Gaussian law's covariance in V. The derivative of a network is neither symmetric
            nor positive: with 0 some samples diverge where the data are not Gaussian.
        floor: as of `Kriging`.

    Source: Rozet, Andry, Lanusse & Louppe, NeurIPS 2024 (arXiv 2405.13712), equations (8), (11) and
    algorithm 3; Boys et al. (arXiv 2310.06721). The preconditioner is ours.
    """

    iterations: int = 10
    rtol: float = 1e-3
    blend: float = 0.2
    floor: float = 1e-4

    name: ClassVar[str] = "moments"

    def begin(self, setting: Setting) -> Guide:
        return _Moments(setting, self)


class _Moments(KrigingGuide):
    def __init__(self, setting: Setting, options: Moments) -> None:
        super().__init__(setting, options.floor)
        self.options = options

    def posterior(self, x: Tensor, sigma: float) -> Tensor:
        clean, pulled = vector_jacobian(self.setting.denoise, x, sigma)
        rows = self.setting.observed.rows

        share = self.options.blend

        def spread(w: Tensor) -> Tensor:
            learned = sigma**2 * pulled((w @ rows).view_as(clean)).flatten(1)
            return (1 - share) * learned + share * self.spread(w, sigma)

        def apply(w: Tensor) -> Tensor:
            return spread(w) @ rows.T + w * self._noise

        factor = self.factor(sigma)
        weights = conjugate_gradients(
            apply,
            self.setting.misfit(clean),
            lambda r: torch.cholesky_solve(r.T, factor).T,
            self.options.iterations,
            self.options.rtol,
        )
        return clean + spread(weights).view_as(clean)


@dataclass(frozen=True)
class PiGDM(Guidance):
    """Pseudo-inverse guidance: the covariance of x₀ given x is taken as r² times the identity.

        D_y = D + σ² (∂D/∂x)ᵀ Aᵀ (r² A Aᵀ + Σ)⁻¹ (y - A D),   r² = σ²/(1 + 4σ²)

    Cheap, and wrong by factors for maps that are ill-posed: kept as a baseline.

    Source: Song, Vahdat, Mardani & Kautz, ICLR 2023, equation (7).
    """

    floor: float = 1e-4

    name: ClassVar[str] = "pigdm"

    def begin(self, setting: Setting) -> Guide:
        return _PiGDM(setting, self.floor)


class _PiGDM(Guide):
    def __init__(self, setting: Setting, floor: float) -> None:
        super().__init__(setting)
        rows = setting.observed.rows
        self._gram, self._noise = rows @ rows.T, noise_variances(setting, floor)

    def posterior(self, x: Tensor, sigma: float) -> Tensor:
        clean, pulled = vector_jacobian(self.setting.denoise, x, sigma)
        square = sigma**2 * DEVIATION**2 / (sigma**2 + DEVIATION**2)
        factor = cholesky(square * self._gram + torch.diag(self._noise))
        weights = torch.cholesky_solve(self.setting.misfit(clean).T, factor).T
        back = (weights @ self.setting.observed.rows).view_as(clean)
        return clean + sigma**2 * pulled(back)


@dataclass(frozen=True)
class DDS(Guidance):
    """Decomposed diffusion sampling: a few conjugate gradients towards the data, starting at D.

        D_y = argmin_v ‖y - A v‖²/s² + ‖v - D‖²/σ²

    Nothing is differentiated, and nothing tells pixels between sensors of those at sensors: made for
    measurements that mix all pixels, and poor for point sensors. Kept as a baseline.

    Source: Chung, Lee & Ye, ICLR 2024 (arXiv 2303.05754), equation (13).
    """

    iterations: int = 30
    floor: float = 1e-2

    name: ClassVar[str] = "dds"

    def begin(self, setting: Setting) -> Guide:
        return _DDS(setting, self)


class _DDS(Guide):
    def __init__(self, setting: Setting, options: DDS) -> None:
        super().__init__(setting)
        self.options, self._noise = options, noise_variances(setting, options.floor)

    def posterior(self, x: Tensor, sigma: float) -> Tensor:
        clean = self.setting.denoise(x, sigma)
        rows = self.setting.observed.rows

        def apply(w: Tensor) -> Tensor:
            return sigma**2 * (w @ rows) @ rows.T + w * self._noise

        weights = conjugate_gradients(
            apply, self.setting.misfit(clean), lambda r: r, self.options.iterations, 1e-6
        )
        return clean + sigma**2 * (weights @ rows).view_as(clean)


Linear = Callable[[Tensor], Tensor]


def conjugate_gradients(
    apply: Linear, right: Tensor, precondition: Linear, iterations: int, rtol: float
) -> Tensor:
    """Solutions (batch, m) of symmetric systems side by side; each stops where its curvature fails."""
    x, r = torch.zeros_like(right), right
    size = right.norm(dim=1, keepdim=True)
    z = precondition(r)
    p, rz = z, (r * z).sum(dim=1, keepdim=True)
    going = rz > 0
    for _ in range(iterations):
        ap = apply(p)
        curvature = (p * ap).sum(dim=1, keepdim=True)
        going = going & (curvature > 0)
        step = torch.where(going, rz / curvature, torch.zeros_like(rz))
        x, r = x + step * p, r - step * ap
        going = going & (r.norm(dim=1, keepdim=True) > rtol * size)
        if not bool(going.any()):
            break
        z = precondition(r)
        before, rz = rz, (r * z).sum(dim=1, keepdim=True)
        p = z + torch.where(going, rz / before, torch.zeros_like(rz)) * p
    return x


__all__ = ["DDS", "Kriging", "Moments", "PiGDM", "conjugate_gradients"]
