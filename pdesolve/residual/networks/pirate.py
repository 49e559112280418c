"""PirateNet: residual blocks that start as the identity, so that depth is learned."""

from __future__ import annotations

import torch
from torch import nn

from ..jets import Jet, JetModule, push
from .features import Features
from .linear import dense, linear
from .modified_mlp import gate


class PirateBlock(JetModule):
    """A gated bottleneck with an adaptive skip connection; see `PirateNet`."""

    def __init__(self, layers: tuple[nn.Module, nn.Module, nn.Module]) -> None:
        super().__init__()
        self.into, self.middle, self.out = layers
        self.alpha = nn.Parameter(torch.zeros(1, dtype=torch.float64))

    def mix(self, jet: Jet, first: Jet, second: Jet) -> Jet:
        """The block's output from its input and the two encoders."""
        inner = gate(push(self.into, jet), first, second)
        inner = gate(push(self.middle, inner), first, second)
        change = push(self.out, inner).add(jet.scale(-1.0))
        return jet.add(change.scale(jet.parameter(self.alpha)))


class PirateNet(JetModule):
    """Gated residual blocks on features φ, linear in φ at the start:

        U = σ(W_u φ + b_u),  V = σ(W_v φ + b_v),  x_0 = φ, and in each block
        f = σ(W_1 x + b_1),    z_1 = f U + (1 - f) V,
        g = σ(W_2 z_1 + b_2),  z_2 = g U + (1 - g) V,
        h = σ(W_3 z_2 + b_3),  x ← α h + (1 - α) x,  with α = 0 at the start;  u = W x + b.

    Wang, Li, Chen & Perdikaris, J. Mach. Learn. Res. 25 (2024) 402; arXiv 2402.00326.
    """

    def __init__(
        self,
        features: Features,
        encoders: tuple[nn.Module, nn.Module],
        blocks: list[PirateBlock],
        last: nn.Module,
    ) -> None:
        super().__init__()
        self.features = features
        self.first, self.second = encoders
        self.blocks = nn.ModuleList(blocks)
        self.last = last

    def jet(self, jet: Jet) -> Jet:
        jet = push(self.features, jet)
        first, second = push(self.first, jet), push(self.second, jet)
        for block in self.blocks:
            assert isinstance(block, PirateBlock)
            jet = block.mix(jet, first, second)
        return push(self.last, jet)


def pirate(
    features: Features,
    outputs: int,
    generator: torch.Generator,
    width: int = 32,
    depth: int = 2,
    activation: str = "tanh",
    factorised: bool = False,
) -> PirateNet:
    """A `PirateNet` of ``depth`` blocks of three layers each, ``width`` units inside, float64.

    Blocks carry as many channels as there are features: give it random Fourier features (``fourier=`` of
    `make_network`), 16 to 64 for small networks. The authors take 256 features, width 256 and 3 blocks, with
    ``factorised`` weights and Adam.
    """
    n = features.width

    def layer(n_in: int, n_out: int = width) -> nn.Sequential:
        return dense(n_in, n_out, generator, activation, factorised)

    encoders = layer(n), layer(n)
    made = [PirateBlock((layer(n), layer(width), layer(width, n))) for _ in range(depth)]
    return PirateNet(features, encoders, made, linear(n, outputs, generator, factorised))
