"""Networks with jet rules: input features and multilayer perceptrons."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn

from ..declare import Domain
from .activations import ACTIVATIONS, cosine, sine
from .jets import Jet, jet_rule


class Features(nn.Module):
    """Input features [A x + b, cos(B x), sin(B x)]: scaled coordinates and harmonics.

    Periodic embeddings and random Fourier features are both of this form, see `box_features` and
    `fourier_features`.
    """

    scale: Tensor  # A: (scaled coordinates, d)
    offset: Tensor  # b: (scaled coordinates,)
    waves: Tensor  # B: (harmonics, d)

    def __init__(self, scale: Tensor, offset: Tensor, waves: Tensor) -> None:
        super().__init__()
        self.register_buffer("scale", scale)
        self.register_buffer("offset", offset)
        self.register_buffer("waves", waves)

    @property
    def width(self) -> int:
        """Number of features."""
        return self.scale.shape[0] + 2 * self.waves.shape[0]

    def forward(self, x: Tensor) -> Tensor:
        phase = x @ self.waves.T
        scaled = x @ self.scale.T + self.offset
        return torch.cat([scaled, torch.cos(phase), torch.sin(phase)], dim=1)


@jet_rule(Features)
def _features(module: nn.Module, jet: Jet) -> Jet:
    assert isinstance(module, Features)
    pieces = []
    if module.scale.shape[0]:
        pieces.append(jet.linear(module.scale, module.offset))
    if module.waves.shape[0]:
        phase = jet.linear(module.waves, None)
        pieces += [phase.apply(cosine), phase.apply(sine)]
    return Jet.concatenate(pieces)


def box_features(domain: Domain, periodic: Sequence[int] = (), harmonics: int = 1) -> Features:
    """Coordinates scaled to [-1, 1]; along periodic axes harmonics cos, sin(2πkx/P), k = 1..harmonics.

    A network of these features is periodic with all its derivatives, exactly. One harmonic suffices for
    small networks, which build the higher ones themselves; more can worsen them.
    """
    d = len(domain.axes)
    scale, offset, waves = [], [], []
    for i, (lower, upper) in enumerate(domain.bounds):
        row = np.zeros(d)
        if i in periodic:
            for k in range(1, harmonics + 1):
                row[i] = 2 * math.pi * k / (upper - lower)
                waves.append(row.copy())
        else:
            row[i] = 2 / (upper - lower)
            scale.append(row)
            offset.append(-(upper + lower) / (upper - lower))
    return Features(
        torch.tensor(np.array(scale).reshape(-1, d)),
        torch.tensor(np.array(offset)),
        torch.tensor(np.array(waves).reshape(-1, d)),
    )


def fourier_features(domain: Domain, count: int, sigma: float, generator: torch.Generator) -> Features:
    """Random Fourier features cos(B x), sin(B x), rows of B ~ N(0, σ²) on coordinates scaled to [-1, 1].

    Tancik et al. 2020, eq. (5). σ near 1 for smooth solutions, up to 10 for oscillating ones.
    """
    d = len(domain.axes)
    lower, upper = torch.tensor(domain.bounds).T
    waves = sigma * torch.randn(count, d, generator=generator, dtype=torch.float64) * 2 / (upper - lower)
    return Features(torch.zeros(0, d, dtype=torch.float64), torch.zeros(0, dtype=torch.float64), waves)


def mlp(
    features: Features,
    outputs: int,
    generator: torch.Generator,
    width: int = 16,
    depth: int = 4,
    activation: str = "tanh",
) -> nn.Sequential:
    """A multilayer perceptron on input features, Glorot-normal weights and zero biases, float64.

    ``depth`` hidden layers of ``width`` units. 3x16 to 4x40 (1,000 to 5,000 parameters) suits
    quasi-Newton methods.
    """
    sizes = [features.width] + [width] * depth + [outputs]
    layers: list[nn.Module] = [features]
    for i, (n_in, n_out) in enumerate(pairwise(sizes)):
        # skip_init: nn.Linear would draw its weights from the global generator
        layer = nn.utils.skip_init(nn.Linear, n_in, n_out, dtype=torch.float64)  # type: ignore[no-untyped-call]
        with torch.no_grad():
            layer.weight.normal_(0.0, math.sqrt(2 / (n_in + n_out)), generator=generator)
            layer.bias.zero_()
        layers.append(layer)
        if i < depth:
            layers.append(ACTIVATIONS[activation].module())
    return nn.Sequential(*layers)
