"""The modified multilayer perceptron: two encoders of the input gate every hidden layer."""

from __future__ import annotations

import torch
from torch import nn

from ..jets import Jet, JetModule, push
from .features import Features
from .linear import dense, linear


def gate(hidden: Jet, first: Jet, second: Jet) -> Jet:
    """h U + (1 - h) V = V + h (U - V)."""
    return second.add(hidden.multiply(first.add(second.scale(-1.0))))


class ModifiedMLP(JetModule):
    """A perceptron whose hidden layers are mixtures of two encoders of the features φ:

        U = σ(W_u φ + b_u),  V = σ(W_v φ + b_v),  h_0 = φ,
        f_k = σ(W_k h_(k-1) + b_k),  h_k = f_k U + (1 - f_k) V,  u = W h_depth + b.

    Wang, Teng & Perdikaris, SIAM J. Sci. Comput. 43 (2021) A3055, in the form of Wang, Sankaran &
    Perdikaris, arXiv 2308.08468, where the first hidden layer is gated, too.
    """

    def __init__(
        self,
        features: Features,
        encoders: tuple[nn.Module, nn.Module],
        hidden: list[nn.Module],
        last: nn.Module,
    ) -> None:
        super().__init__()
        self.features = features
        self.first, self.second = encoders
        self.hidden = nn.ModuleList(hidden)
        self.last = last

    def jet(self, jet: Jet) -> Jet:
        jet = push(self.features, jet)
        first, second = push(self.first, jet), push(self.second, jet)
        for layer in self.hidden:
            jet = gate(push(layer, jet), first, second)
        return push(self.last, jet)


def modified_mlp(
    features: Features,
    outputs: int,
    generator: torch.Generator,
    width: int = 16,
    depth: int = 4,
    activation: str = "tanh",
    factorised: bool = False,
) -> ModifiedMLP:
    """A `ModifiedMLP` of ``depth`` gated layers, Glorot-normal weights and zero biases, float64.

    A gradient costs 1.7 times that of the plain perceptron of equal size, a Jacobian 1.5 times (Burgers,
    2,000 points, one core). Its authors find it better on sharp or chaotic fields with first-order
    optimisers, at width 128 to 256 and with Fourier features.
    """

    def layer(n_in: int) -> nn.Sequential:
        return dense(n_in, width, generator, activation, factorised)

    encoders = layer(features.width), layer(features.width)
    hidden: list[nn.Module] = [layer(features.width if i == 0 else width) for i in range(depth)]
    return ModifiedMLP(features, encoders, hidden, linear(width, outputs, generator, factorised))
