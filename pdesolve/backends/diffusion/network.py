"""A small U-Net with residual blocks that knows the noise level."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

FREQUENCIES = 16
GROUP = 8
"""Channels that are normalised together."""


class Convolution(nn.Conv2d):
    """3 x 3, circular along periodic axes; beyond other ends lie zeros, which tell where the boundary is."""

    def __init__(self, n_in: int, n_out: int, periodic: Sequence[bool]) -> None:
        super().__init__(n_in, n_out, 3)
        self.around = [int(p) for p in reversed(periodic) for _ in range(2)]
        self.zeros = [1 - a for a in self.around]

    def forward(self, x: Tensor) -> Tensor:
        if any(self.around):
            x = functional.pad(x, self.around, mode="circular")
        return super().forward(functional.pad(x, self.zeros))


class Block(nn.Module):
    """Two convolutions around a shift and scale by the noise level, and a way past them."""

    def __init__(self, n_in: int, n_out: int, n_level: int, periodic: Sequence[bool]) -> None:
        super().__init__()
        self.first = nn.Sequential(
            nn.GroupNorm(n_in // GROUP, n_in), nn.SiLU(), Convolution(n_in, n_out, periodic)
        )
        self.norm = nn.GroupNorm(n_out // GROUP, n_out)
        self.level = nn.Linear(n_level, 2 * n_out)
        self.second = Convolution(n_out, n_out, periodic)
        self.past = nn.Conv2d(n_in, n_out, 1) if n_in != n_out else nn.Identity()
        nn.init.zeros_(self.second.weight)
        nn.init.zeros_(self.second.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor, level: Tensor) -> Tensor:
        scale, shift = self.level(level)[:, :, None, None].chunk(2, dim=1)
        y = self.norm(self.first(x)) * (1 + scale) + shift
        y = self.second(functional.silu(y))
        result: Tensor = (self.past(x) + y) / math.sqrt(2)
        return result


class DenoisingUNet(nn.Module):
    """(batch, channels, n₁, n₂) and c = ln(σ)/4 (batch,) to (batch, channels_out, n₁, n₂).

    The image is unshuffled first: squares of ``patch`` x ``patch`` nodes become channels, without loss, so
    that the convolutions work on a coarser grid. Then ``len(multipliers)`` levels, each half as fine as the
    one before, with ``blocks`` blocks on the way down and one more on the way up.

    Song et al., ICLR 2021 (arXiv 2011.13456), appendix C, in small; no attention, no dropout.
    """

    frequencies: Tensor

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        periodic: Sequence[bool],
        *,
        width: int = 48,
        multipliers: Sequence[int] = (1, 2, 2),
        blocks: int = 1,
        patch: int = 2,
    ) -> None:
        super().__init__()
        self.patch = patch
        level = 2 * width
        self.register_buffer("frequencies", 2.0 ** torch.linspace(-1, 4, FREQUENCIES))
        self.level = nn.Sequential(
            nn.Linear(2 * FREQUENCIES, level), nn.SiLU(), nn.Linear(level, level), nn.SiLU()
        )
        # Blocks in the order of their use, and what happens to the grid before each.
        sizes = [width * m for m in multipliers for _ in range(blocks)]
        self.halved = [bool(i) and i % blocks == 0 for i in range(len(sizes))]
        self.first = Convolution(channels_in * patch**2, width, periodic)
        self.down = nn.ModuleList(
            Block(n, size, level, periodic) for n, size in zip([width, *sizes], sizes, strict=False)
        )
        self.middle = Block(sizes[-1], sizes[-1], level, periodic)
        back = sizes[::-1]
        self.up = nn.ModuleList(
            Block(n + size, size, level, periodic) for n, size in zip([back[0], *back], back, strict=False)
        )
        self.norm = nn.GroupNorm(sizes[0] // GROUP, sizes[0])
        self.last = Convolution(sizes[0], channels_out * patch**2, periodic)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)  # type: ignore[arg-type]

    def forward(self, image: Tensor, noise: Tensor) -> Tensor:
        angle = noise[:, None] * self.frequencies
        level = self.level(torch.cat([angle.sin(), angle.cos()], dim=1))
        x = self.first(functional.pixel_unshuffle(image, self.patch))
        passed: list[Tensor] = []
        for block, halved in zip(self.down, self.halved, strict=True):
            x = block(functional.avg_pool2d(x, 2) if halved else x, level)
            passed.append(x)
        x = self.middle(x, level)
        for block, doubled in zip(self.up, reversed(self.halved), strict=True):
            x = block(torch.cat([x, passed.pop()], dim=1), level)
            x = functional.interpolate(x, scale_factor=2.0, mode="nearest") if doubled else x
        result: Tensor = functional.pixel_shuffle(self.last(functional.silu(self.norm(x))), self.patch)
        return result


__all__ = ["DenoisingUNet"]
