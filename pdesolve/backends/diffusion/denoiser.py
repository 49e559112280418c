"""`Denoiser`: the Gaussian law's filter, and a network for what the law does not know."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from .encoding import DEVIATION
from .law import GaussianLaw
from .network import DenoisingUNet

LAW = ("mean", "vectors", "variances", "rest")
"""Buffers of the Gaussian law."""


class Denoiser(nn.Module):
    """D(x; σ) = W(x; σ) + c(σ) F(x/(σ² + ¼)^½, 2W, ln(σ)/4).

    W is the Wiener filter of a Gaussian law, c the deviation that it leaves, so that the network F has a
    target of unit variance at every noise level and learns only what is not Gaussian. With the isotropic law
    of variance ¼ this is the preconditioning of Karras et al. (NeurIPS 2022, arXiv 2206.00364), table 1.

    Args:
        shape: (channels, n₁, n₂) of the images.
        law: of the flattened images.
    """

    mean: Tensor
    vectors: Tensor
    variances: Tensor
    rest: Tensor

    def __init__(
        self,
        shape: Sequence[int],
        periodic: Sequence[bool],
        law: GaussianLaw,
        *,
        width: int = 48,
        blocks: int = 1,
        patch: int = 2,
    ) -> None:
        super().__init__()
        self.shape = tuple(shape)
        for name in LAW:
            self.register_buffer(name, getattr(law, name))
        self.grain = patch * 4  # the coarsest of three levels, in nodes
        channels = self.shape[0]
        self.network = DenoisingUNet(
            2 * channels, channels, periodic, width=width, blocks=blocks, patch=patch
        )
        self.periodic = tuple(periodic)

    @property
    def law(self) -> GaussianLaw:
        return GaussianLaw(self.mean, self.vectors, self.variances, self.rest)

    def forward(self, x: Tensor, sigma: Tensor) -> Tensor:
        """D of x (batch, channels, *grid) at noise levels (batch,)."""
        law = self.law.to(x)
        filtered = law.denoised(x.flatten(1), sigma).view_as(x)
        each = (-1, 1, 1, 1)
        outer = law.uncertainty(sigma).view(each)
        inner = (sigma**2 + DEVIATION**2).rsqrt().view(each)
        seen = torch.cat([x * inner, filtered / DEVIATION], dim=1).to(torch.float32)
        learned = self._padded(seen, (sigma.log() / 4).to(torch.float32))
        return filtered + outer * learned.to(x)

    def _padded(self, image: Tensor, noise: Tensor) -> Tensor:
        """The network on a grid of whole patches: the last nodes repeated, periodic axes continued."""
        grid = image.shape[2:]
        missing = [-n % self.grain for n in grid]
        for axis, (n, more, periodic) in enumerate(zip(grid, missing, self.periodic, strict=True), 2):
            if more:
                index = torch.arange(n + more, device=image.device)
                image = image.index_select(axis, index % n if periodic else index.clamp(max=n - 1))
        result: Tensor = self.network(image, noise)
        return result[..., : grid[0], : grid[1]]

    def at(self, x: Tensor, sigma: float) -> Tensor:
        """D at one noise level for all, as samplers ask for it."""
        found: Tensor = self(x, torch.full((len(x),), sigma, dtype=x.dtype, device=x.device))
        return found


def loss(denoiser: Denoiser, clean: Tensor, sigma: Tensor, noise: Tensor) -> Tensor:
    """Mean square of (D(x₀ + σ ε; σ) - x₀)/c(σ): one for the law's own filter on Gaussian data."""
    found = denoiser(clean + sigma.view(-1, 1, 1, 1) * noise, sigma)
    scale = denoiser.law.to(clean).uncertainty(sigma).view(-1, 1, 1, 1)
    return functional.mse_loss(found / scale, clean / scale)


__all__ = ["LAW", "Denoiser", "loss"]
