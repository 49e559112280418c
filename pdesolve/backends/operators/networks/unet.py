"""A U-Net, as a baseline that knows one resolution."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from .coordinates import feature_count, grid_features
from .film import check_parameters
from .initial import normal, zeros
from .transforms import Kind


class Convolution(nn.Module):
    """A convolution with 3 points an axis, periodic or with end values repeated."""

    def __init__(
        self, kinds: Sequence[Kind], n_in: int, n_out: int, generator: torch.Generator, dtype: torch.dtype
    ) -> None:
        super().__init__()
        self.kinds = tuple(kinds)
        shape = (3,) * len(self.kinds)
        fan_in = n_in * 3 ** len(self.kinds)
        self.weight = normal(
            n_out, n_in, *shape, fan_in=fan_in, generator=generator, dtype=dtype, gain=2**0.5
        )
        self.bias = zeros(n_out, dtype=dtype)

    def forward(self, values: Tensor) -> Tensor:
        for kind, mode in (("periodic", "circular"), ("open", "replicate")):
            ends = [int(k == kind) for k in reversed(self.kinds) for _ in range(2)]
            if any(ends):
                values = functional.pad(values, ends, mode=mode)
        convolve = functional.conv1d if len(self.kinds) == 1 else functional.conv2d
        return convolve(values, self.weight, self.bias)


class UNet(nn.Module):
    """A U-Net on one or two axes: two convolutions with GELU on each level, means down, copies up.

    Channels double with each level; there is no normalisation. Convolutions are circular along periodic axes
    and repeat the end values along open ones. Grids whose sizes are not multiples of 2^levels are continued
    in the same way and cropped at the end. Its receptive field is a number of points: unlike an operator, it
    belongs to the resolution of its training.

    Ronneberger, Fischer & Brox, MICCAI 2015, arXiv 1505.04597.

    Args:
        kinds: "periodic" or "open", of each axis.
        width: channels of the finest level.
        levels: how often the grid is halved.
        parameters: numbers of a sample, seen as constant channels.
        coordinates: whether the network sees `features` of the coordinates.
    """

    def __init__(
        self,
        kinds: Sequence[Kind],
        channels_in: int,
        channels_out: int,
        generator: torch.Generator,
        *,
        width: int = 16,
        levels: int = 3,
        parameters: int = 0,
        coordinates: bool = True,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        if len(kinds) > 2:
            raise ValueError(f"UNet() has one or two axes; got {len(kinds)}.")
        self.kinds, self.levels = tuple(kinds), levels
        self.parameter_count, self.coordinates = parameters, coordinates

        def block(n_in: int, n_out: int) -> nn.Sequential:
            first = Convolution(self.kinds, n_in, n_out, generator, dtype)
            second = Convolution(self.kinds, n_out, n_out, generator, dtype)
            return nn.Sequential(first, nn.GELU(), second, nn.GELU())

        sizes = [width << level for level in range(levels + 1)]
        inputs = channels_in + parameters + (feature_count(self.kinds) if coordinates else 0)
        self.down = nn.ModuleList(
            block(n_in, n_out) for n_in, n_out in zip([inputs, *sizes], sizes, strict=False)
        )
        self.up = nn.ModuleList(block(3 * size, size) for size in sizes[-2::-1])
        self.last = normal(channels_out, width, fan_in=width, generator=generator, dtype=dtype)
        self.bias = zeros(channels_out, 1, dtype=dtype)

    def forward(self, fields: Tensor, parameters: Tensor | None = None) -> Tensor:
        """(batch, channels_in, *grid) and (batch, p) to (batch, channels_out, *grid)."""
        check_parameters("UNet()", self.parameter_count, parameters)
        grid = fields.shape[2:]
        values = self._continued(self._inputs(fields, parameters))
        passed: list[Tensor] = []
        for level, block in enumerate(self.down):
            if level:
                pool = functional.avg_pool1d if len(grid) == 1 else functional.avg_pool2d
                values = pool(values, 2)
            values = block(values)
            passed.append(values)
        passed.pop()
        for block in self.up:
            fine = functional.interpolate(values, scale_factor=2.0, mode="nearest")
            values = block(torch.cat([fine, passed.pop()], dim=1))
        for axis, n in enumerate(grid, start=2):
            values = values.narrow(axis, 0, n)
        weight = self.last.expand(len(fields), -1, -1)
        return torch.baddbmm(self.bias[None], weight, values.flatten(2)).view(len(fields), -1, *grid)

    def _inputs(self, fields: Tensor, parameters: Tensor | None) -> Tensor:
        """All input channels on the grid."""
        grid, channels = fields.shape[2:], [fields]
        if self.coordinates:
            x = grid_features(self.kinds, tuple(grid), fields.dtype, fields.device).view(-1, *grid)
            channels.append(x.expand(len(fields), *x.shape))
        if parameters is not None:
            channels.append(parameters[(...,) + (None,) * len(grid)].expand(-1, -1, *grid))
        return torch.cat(channels, dim=1)

    def _continued(self, values: Tensor) -> Tensor:
        """Values on a grid of multiples of 2^levels."""
        for axis, kind in enumerate(self.kinds, start=2):
            n = values.shape[axis]
            missing = -n % 2**self.levels
            if missing:
                index = torch.arange(n + missing, device=values.device)
                values = values.index_select(
                    axis, index % n if kind == "periodic" else index.clamp(max=n - 1)
                )
        return values
