"""Convolutions by products with wavenumbers."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from .initial import normal, zeros
from .transforms import Kind, analyse, synthesise

_LOCAL, _START = 3**-0.5, 0.1
"""Gains of W and of the convolution at the start. After short trainings on Burgers' and an advection
equation (128 points, 500 samples, width 32), test errors were nearly twice as large with 1 for both, and a
tenth larger with 1 for W alone; 0.03 for the convolution did as well."""


def plane_waves(products: Tensor, dimension: int) -> Tensor:
    """Coefficients of products of cosines and sines of single axes, as those of plane waves.

    cos α cos β = [cos(α+β) + cos(α-β)]/2 and so on: on top of waves along single axes there is one pair of a
    cosine and a sine for every (k_1, ±k_2), k_1, k_2 > 0, and likewise with more axes.

    Args:
        products: (m_1, …, m_d, …), rows of `transforms` along the first d = ``dimension`` axes.

    Returns:
        (m_1 ⋯ m_d, …): the constant, then a, b of every plane wave a cos θ + b sin θ.
    """
    waves = products
    for _ in range(dimension - 1):
        inner, outer = waves.shape[0] - 1, waves.shape[1] - 1  # a and b of J waves, of K waves
        first, rest = torch.split(waves, [1, inner])
        edge, centre = torch.split(rest, [1, outer], dim=1)
        both = centre.view(inner // 2, 2, outer // 2, 2, *waves.shape[2:])
        cosine, sine = both.unbind(1)
        (cc, cs), (sc, ss) = cosine.unbind(2), sine.unbind(2)
        mixed = torch.stack([cc - ss, sc + cs, cc + ss, sc - cs], dim=2) * 0.5
        waves = torch.cat([first[0], edge[:, 0], mixed.flatten(0, 2)])
    return waves


def axis_products(waves: Tensor, sizes: Sequence[int]) -> Tensor:
    """The inverse of `plane_waves`, to (m_1, …, m_d, …) with ``sizes`` m_i."""
    for axis in range(len(sizes) - 1, 0, -1):
        inner, outer = math.prod(sizes[:axis]) - 1, sizes[axis] - 1
        first, edge, mixed = torch.split(waves, [1 + outer, inner, inner * outer])
        plus_a, plus_b, minus_a, minus_b = mixed.view(inner // 2, outer // 2, 4, *waves.shape[1:]).unbind(2)
        cosine = torch.stack([plus_a + minus_a, plus_b - minus_b], dim=2)  # cc, cs
        sine = torch.stack([plus_b + minus_b, minus_a - plus_a], dim=2)  # sc, ss
        centre = torch.stack([cosine, sine], dim=1).flatten(2, 3).flatten(0, 1)
        waves = torch.cat([first[None], torch.cat([edge[:, None], centre], dim=1)])
    return waves


class SpectralLayer(nn.Module):
    """v ← W v + b + κ * v, where the convolution acts on K wavenumbers of each axis.

    A plane wave with coefficients (a, b) of its cosine and sine becomes (R a - S b, R b + S a), with channel
    matrices R, S of its own: the product of a - ib with the complex R - iS. Only one of k and -k is stored,
    and the mean has the real matrix that is all it can feel, so that no parameter is without effect on a
    periodic grid. Along open axes this is the convolution of the even extension of v with a kernel that need
    not be even.

    Li et al., ICLR 2021, arXiv 2010.08895, eq. (4)-(5).

    Args:
        modes: number K of wavenumbers 0..K-1 of each axis, of both signs relative to the other axes.
        taper: fraction of them that fades to zero, against the growth of high waves in repeated steps.
    """

    def __init__(
        self,
        kinds: Sequence[Kind],
        modes: Sequence[int],
        width: int,
        generator: torch.Generator,
        taper: float = 0.0,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        self.kinds, self.modes, self.taper = tuple(kinds), tuple(modes), taper
        self.sizes = tuple(2 * count - 1 for count in modes)
        self.skip = normal(width, width, fan_in=width, generator=generator, dtype=dtype, gain=_LOCAL)
        self.bias = zeros(width, dtype=dtype)
        self.mean = normal(  # (in, out)
            width, width, fan_in=width, generator=generator, dtype=dtype, gain=_START
        )
        waves = math.prod(self.sizes) // 2
        self.waves = normal(  # (waves, in, 2·out): R and S side by side
            waves, width, 2 * width, fan_in=2 * width, generator=generator, dtype=dtype, gain=_START
        )

    def forward(self, values: Tensor, scale: Tensor | None = None, shift: Tensor | None = None) -> Tensor:
        """(batch, channels, *grid) to the same; times ``scale`` plus ``shift``, both (batch, channels).

        Under autocast W v alone has the lower precision: waves want more than three digits.
        """
        batch, grid = values.shape[0], values.shape[2:]
        with torch.autocast(values.device.type, enabled=False):
            own = values.to(self.skip.dtype)
            coefficients = plane_waves(analyse(own, self.kinds, self.modes), len(grid))
            coefficients = self.multiply(coefficients)
        # Bias, scale and shift act on weights and on few coefficients, not on values: no pass over the grid.
        skip = self.skip.expand(batch, -1, -1)
        if scale is not None and shift is not None:
            skip = skip * scale[:, :, None]
            mean, rest = torch.split(coefficients * scale, [1, coefficients.shape[0] - 1])
            coefficients = torch.cat([mean + shift, rest])
        local = torch.bmm(skip, values.flatten(2)).view_as(values).to(coefficients.dtype)
        with torch.autocast(values.device.type, enabled=False):
            products = axis_products(coefficients, self.sizes)
            return synthesise(products, self.kinds, grid, self.taper, plus=local)

    def multiply(self, coefficients: Tensor) -> Tensor:
        """All plane waves times their matrices, (m_1 ⋯ m_d, batch, channels) to the same; plus the bias."""
        count, (batch, width) = self.waves.shape[0], coefficients.shape[1:]
        mean, pairs = torch.split(coefficients, [1, 2 * count])
        mean = torch.addmm(self.bias, mean[0], self.mean)[None]
        if count == 0:
            return mean
        # One real product per wave for a and b, with R and S.
        both = torch.bmm(pairs.view(count, 2 * batch, width), self.waves)
        by_r, by_s = both.view(count, 2, batch, 2, width).unbind(3)
        (ra, rb), (sa, sb) = by_r.unbind(1), by_s.unbind(1)
        return torch.cat([mean, torch.stack([ra - sb, rb + sa], dim=1).flatten(0, 1)])
