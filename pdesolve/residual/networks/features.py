"""Input features: scaled coordinates, periodic embeddings, random Fourier features, reflections."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ...declare import Domain
from ..activations import cosine, sine
from ..jets import Jet, JetModule, push


class Features(JetModule):
    """Input features [A z + b, cos(B z), sin(B z)]: scaled coordinates and harmonics.

    z are the coordinates, or other features. Periodic embeddings and random Fourier features are both of this
    form, see `box_features` and `fourier_features`.
    """

    scale: Tensor  # A: (scaled coordinates, d)
    offset: Tensor  # b: (scaled coordinates,)
    waves: Tensor  # B: (harmonics, d)

    def __init__(self, scale: Tensor, offset: Tensor, waves: Tensor, inner: Features | None = None) -> None:
        super().__init__()
        self.inner = inner
        self.register_buffer("scale", scale)
        self.register_buffer("offset", offset)
        self.register_buffer("waves", waves)

    @property
    def width(self) -> int:
        """Number of features."""
        return self.scale.shape[0] + 2 * self.waves.shape[0]

    def jet(self, jet: Jet) -> Jet:
        if self.inner is not None:
            jet = self.inner.jet(jet)
        pieces = []
        if self.scale.shape[0]:
            pieces.append(jet.linear(self.scale, self.offset))
        if self.waves.shape[0]:
            phase = jet.linear(self.waves, None)
            pieces += [phase.apply(cosine), phase.apply(sine)]
        return Jet.concatenate(pieces)


class Mirrored(JetModule):
    """f(z) + σ f(z'), with z' the reflection of one coordinate: even (σ = 1) or odd (σ = -1) features.

    Args:
        body: maps points to features.
        bounds: (d, 2), of all coordinates.
        axis: the coordinate that is reflected at the middle of its bounds.
    """

    sign: Tensor  # diagonal (d, d)
    offset: Tensor  # (d,)

    def __init__(self, body: nn.Module, bounds: Tensor, axis: int, parity: int) -> None:
        super().__init__()
        self.body, self.parity = body, parity
        sign, offset = torch.ones(len(bounds), dtype=torch.float64), bounds.new_zeros(len(bounds))
        sign[axis], offset[axis] = -1.0, bounds[axis].sum()
        self.register_buffer("sign", torch.diag(sign))
        self.register_buffer("offset", offset)

    def jet(self, jet: Jet) -> Jet:
        image = push(self.body, jet.linear(self.sign, self.offset))
        return push(self.body, jet).add(image.scale(float(self.parity)))


def axis_features(domain: Domain, axis: int, periodic: Sequence[int] = (), harmonics: int = 1) -> Features:
    """Features of one coordinate, from (n, 1): scaled to [-1, 1], or its harmonics where it is periodic."""
    lower, upper = map(float, domain.bounds[axis])
    empty, none = torch.zeros(0, 1, dtype=torch.float64), torch.zeros(0, dtype=torch.float64)
    if axis in periodic:
        k = torch.arange(1, harmonics + 1, dtype=torch.float64)
        return Features(empty, none, 2 * math.pi * k[:, None] / (upper - lower))
    scale = torch.tensor([[2 / (upper - lower)]], dtype=torch.float64)
    offset = torch.tensor([-(upper + lower) / (upper - lower)], dtype=torch.float64)
    return Features(scale, offset, empty)


def box_features(domain: Domain, periodic: Sequence[int] = (), harmonics: int = 1) -> Features:
    """Coordinates scaled to [-1, 1]; along periodic axes harmonics cos, sin(2πkx/P), k = 1..harmonics.

    A network of these features is periodic with all its derivatives, exactly. One harmonic suffices for
    small networks, which build the higher ones themselves; more can worsen them.
    """
    each = [axis_features(domain, i, periodic, harmonics) for i in range(len(domain.axes))]
    return Features(
        torch.block_diag(*(f.scale for f in each)),  # type: ignore[no-untyped-call]
        torch.cat([f.offset for f in each]),
        torch.block_diag(*(f.waves for f in each)),  # type: ignore[no-untyped-call]
    )


def even_features(features: Features, domain: Domain, axes: Sequence[int]) -> Features:
    """`box_features` that are even along periodic ``axes``: there cos(w (x - m)), m the middle, alone.

    Every function of them is even, at the cost of one evaluation where `Mirrored` has two.
    """
    plain, waves = features.scale.shape[0], features.waves
    rows = list(torch.eye(features.width, dtype=torch.float64)[:plain])
    for j, wave in enumerate(waves):
        cosine, sine = torch.eye(features.width, dtype=torch.float64)[[plain + j, plain + len(waves) + j]]
        axis = int(wave.abs().argmax())
        if axis in axes:
            phase = float(wave[axis]) * float(domain.bounds[axis].mean())
            rows.append(math.cos(phase) * cosine + math.sin(phase) * sine)
        else:
            rows += [cosine, sine]
    chosen = torch.stack(rows)
    return Features(chosen, chosen.new_zeros(len(chosen)), chosen.new_zeros(0, features.width), features)


def space_features(domain: Domain, periodic: Sequence[int] = (), harmonics: int = 1) -> Features:
    """`box_features` of points (n, d) that do not look at time, the last of the coordinates."""
    every = box_features(domain, periodic, harmonics)
    return Features(every.scale[:-1], every.offset[:-1], every.waves)


def fourier_of(features: Features, count: int, sigma: float, generator: torch.Generator) -> Features:
    """Random Fourier features cos(B z), sin(B z) of other features z, rows of B ~ N(0, σ²).

    After a periodic embedding they stay periodic. Wang, Sankaran & Perdikaris, arXiv 2308.08468.
    """
    waves = sigma * torch.randn(count, features.width, generator=generator, dtype=torch.float64)
    return Features(waves.new_zeros(0, features.width), waves.new_zeros(0), waves, features)


def fourier_features(domain: Domain, count: int, sigma: float, generator: torch.Generator) -> Features:
    """Random Fourier features cos(B x), sin(B x), rows of B ~ N(0, σ²) on coordinates scaled to [-1, 1].

    Tancik et al. 2020, eq. (5). σ near 1 for smooth solutions, up to 10 for oscillating ones.
    """
    d = len(domain.axes)
    lower, upper = torch.tensor(domain.bounds).T
    waves = sigma * torch.randn(count, d, generator=generator, dtype=torch.float64) * 2 / (upper - lower)
    return Features(torch.zeros(0, d, dtype=torch.float64), torch.zeros(0, dtype=torch.float64), waves)
