"""The Gaussian law with the mean and covariance of a prior: its best linear denoiser."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

SMALLEST = 1e-14
"""Variances below this share of the largest are taken as zero."""


@dataclass
class GaussianLaw:
    """x₀ ~ N(μ, C),   C = U diag(λ) Uᵀ + ρ (I - U Uᵀ).

    For x = x₀ + σ ε the posterior is Gaussian, with

        mean W(x; σ) = μ + C (C + σ²)⁻¹ (x - μ)        (the Wiener filter)
        covariance V_σ = σ² C (C + σ²)⁻¹

    Attributes:
        mean: μ (n,).
        vectors: U (n, r), orthonormal columns.
        variances: λ (r,).
        rest: ρ, the variance along every other direction.
    """

    mean: Tensor
    vectors: Tensor
    variances: Tensor
    rest: Tensor

    @classmethod
    def isotropic(cls, size: int, variance: float, like: Tensor) -> GaussianLaw:
        """All directions alike: the preconditioning of Karras et al."""
        return cls(
            like.new_zeros(size),
            like.new_zeros(size, 0),
            like.new_zeros(0),
            torch.as_tensor(variance).to(like),
        )

    @classmethod
    def of_factor(cls, mean: Tensor, factor: Tensor) -> GaussianLaw:
        """C = F Fᵀ of a factor (n, modes)."""
        vectors, singular, _ = torch.linalg.svd(factor, full_matrices=False)
        kept = singular**2 > SMALLEST * singular[0] ** 2
        return cls(mean, vectors[:, kept], singular[kept] ** 2, mean.new_zeros(()))

    @classmethod
    def of_samples(cls, samples: Tensor, rank: int, generator: torch.Generator) -> GaussianLaw:
        """The leading principal components of (N, n), and the mean variance of all others.

        Randomised subspace iteration (Halko, Martinsson & Tropp, SIAM Review 2011): four passes.
        """
        mean = samples.mean(dim=0)
        centred = samples - mean
        n = samples.shape[1]
        rank = min(rank, n, len(samples) - 1)
        basis = torch.randn(n, min(n, rank + 16), generator=generator, dtype=samples.dtype)
        for _ in range(4):
            basis, _ = torch.linalg.qr(centred.T @ (centred @ basis))
        _, singular, right = torch.linalg.svd(centred @ basis, full_matrices=False)
        vectors = basis @ right.T[:, :rank]
        variances = singular[:rank] ** 2 / (len(samples) - 1)
        total = centred.square().sum() / (len(samples) - 1)
        rest = (total - variances.sum()).clamp(min=0) / max(1, n - rank)
        return cls(mean, vectors, variances, rest)

    def to(self, like: Tensor) -> GaussianLaw:
        """In the type and on the device of a tensor."""
        return GaussianLaw(*(t.to(like) for t in (self.mean, self.vectors, self.variances, self.rest)))

    # -- at a noise level ----------------------------------------------------------------------------

    def denoised(self, x: Tensor, sigma: Tensor) -> Tensor:
        """W(x; σ) of x (batch, n) at noise levels (batch,) or ()."""
        square = sigma.view(-1, 1) ** 2
        along = self.variances / (self.variances + square)
        across = self.rest / (self.rest + square)
        centred = x - self.mean
        inside = (centred @ self.vectors) * (along - across)
        return self.mean + across * centred + inside @ self.vectors.T

    def uncertainty(self, sigma: Tensor) -> Tensor:
        """Root mean square deviation of x₀ around W, (batch,)."""
        square = sigma.view(-1, 1) ** 2
        along = (self.variances * square / (self.variances + square)).sum(dim=1)
        n, r = self.vectors.shape
        across = (n - r) * (self.rest * square / (self.rest + square)).squeeze(1)
        return ((along + across) / n).sqrt()

    def covariance_times(self, rows: Tensor, sigma: float) -> Tensor:
        """V_σ Aᵀ (n, m) of rows A (m, n)."""
        along, across = self.conditional(sigma)
        inside = (rows @ self.vectors) * (along - across)
        return self.vectors @ inside.T + across * rows.T

    def conditional(self, sigma: float) -> tuple[Tensor, Tensor]:
        """Eigenvalues of V_σ: along the vectors (r,), and along every other direction ()."""
        square = sigma**2
        along = self.variances * square / (self.variances + square)
        return along, self.rest * square / (self.rest + square)

    def function(self, x: Tensor, f: Callable[[Tensor], Tensor]) -> Tensor:
        """f(C) x of x (batch, n), for a function of the variances."""
        across = f(self.rest)
        return across * x + ((x @ self.vectors) * (f(self.variances) - across)) @ self.vectors.T


__all__ = ["GaussianLaw"]
