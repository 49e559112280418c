"""The Fourier neural operator."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from .coordinates import feature_count, grid_features
from .film import FiLM, check_parameters
from .initial import normal, zeros
from .spectral import SpectralLayer
from .transforms import Kind

_PIECE = 1 << 19
"""Hidden values of the projection that are computed at a time, so that they stay in cache."""


class FNO(nn.Module):
    """A Fourier neural operator on one to three axes:

        v = P [a, x],   v ← σ(W v + b + κ * v) in every layer, in the last without σ,   u = Q₂ σ(Q₁ v)

    with biases in P and Q. σ is GELU, there is no normalisation; x are `features` of the coordinates, sin and
    cos 2πx on periodic axes and x in [0, 1] on open ones. Convolutions are those of `SpectralLayer`.

    It may be evaluated on any grid; one that does not hold all wavenumbers (see `transforms`) uses those that
    it holds. The function is the same on all grids only up to aliasing by σ: outputs on a fine grid can be
    worse than those on the grid of the training after `resample`. There is no other grid for the output: what
    `resample` adds after the last layer is the same.

    Li et al., ICLR 2021, arXiv 2010.08895; J. Mach. Learn. Res. 24 (2023) 89.

    Args:
        kinds: "periodic" or "open", of each axis.
        modes: wavenumbers 0..modes-1 that convolutions act on, one number or one of each axis. They are 2πk
            on periodic axes and πk on open ones, so that an open axis wants twice as many. A third to two
            thirds of what the grid holds.
        projection: hidden units of Q.
        parameters: numbers p of a sample that condition every layer by `FiLM`.
        taper: fraction of the wavenumbers that fades to zero, 0 for a sharp cut.
        coordinates: whether the network sees x. Without, it commutes with translations along periodic axes.
    """

    def __init__(
        self,
        kinds: Sequence[Kind],
        channels_in: int,
        channels_out: int,
        generator: torch.Generator,
        *,
        modes: int | Sequence[int] = 16,
        width: int = 32,
        layers: int = 4,
        projection: int = 128,
        parameters: int = 0,
        taper: float = 0.0,
        coordinates: bool = True,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        self.kinds, self.channels_in, self.parameter_count = tuple(kinds), channels_in, parameters
        self.modes = (modes,) * len(self.kinds) if isinstance(modes, int) else tuple(modes)
        self.coordinates = coordinates
        inputs = channels_in + (feature_count(self.kinds) if coordinates else 0)
        self.lift = normal(width, inputs, fan_in=inputs, generator=generator, dtype=dtype)
        self.lift_bias = zeros(width, 1, dtype=dtype)
        self.layers = nn.ModuleList(
            SpectralLayer(self.kinds, self.modes, width, generator, taper, dtype) for _ in range(layers)
        )
        self.hidden = normal(projection, width, fan_in=width, generator=generator, dtype=dtype)
        self.hidden_bias = zeros(projection, 1, dtype=dtype)
        self.last = normal(channels_out, projection, fan_in=projection, generator=generator, dtype=dtype)
        self.last_bias = zeros(channels_out, 1, dtype=dtype)
        self.film = FiLM(parameters, width, layers, generator, dtype) if parameters else None

    def forward(self, fields: Tensor, parameters: Tensor | None = None) -> Tensor:
        """(batch, channels_in, *grid) and (batch, p) to (batch, channels_out, *grid)."""
        check_parameters("FNO()", self.parameter_count, parameters)
        batch, _, *grid = fields.shape
        values = self._lift(fields.flatten(2), tuple(grid)).view(batch, -1, *grid)
        modulation = self.film(parameters) if self.film is not None else [(None, None)] * len(self.layers)
        for index, (layer, (scale, shift)) in enumerate(zip(self.layers, modulation, strict=True)):
            values = layer(values if index == 0 else functional.gelu(values), scale, shift)
        return self._project(values.flatten(2)).view(batch, -1, *grid)

    def _lift(self, fields: Tensor, grid: tuple[int, ...]) -> Tensor:
        """(batch, channels_in, points) to (batch, width, points)."""
        weight: Tensor = self.lift
        offset = self.lift_bias[None]
        if self.coordinates:  # the same for all samples: no copies of them are made
            weight, of_coordinates = weight[:, : self.channels_in], weight[:, self.channels_in :]
            x = grid_features(self.kinds, grid, fields.dtype, fields.device)
            offset = torch.addmm(self.lift_bias, of_coordinates, x)[None]
        return torch.baddbmm(offset, weight.expand(len(fields), -1, -1), fields)

    def _project(self, values: Tensor) -> Tensor:
        """(batch, width, points) to (batch, channels_out, points)."""
        samples = max(1, _PIECE // (self.hidden.shape[0] * values.shape[2]))
        pieces = []
        for piece in torch.split(values, samples):
            n = len(piece)
            hidden = torch.baddbmm(self.hidden_bias[None], self.hidden.expand(n, -1, -1), piece)
            pieces.append(
                torch.baddbmm(self.last_bias[None], self.last.expand(n, -1, -1), functional.gelu(hidden))
            )
        return torch.cat(pieces)
