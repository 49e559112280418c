"""Linear layers of networks: plain, or with their weights factorised."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ..activations import ACTIVATIONS
from ..jets import Jet, JetModule, push


class FactorisedLinear(JetModule):
    """y = diag(exp(s)) V x + b: random weight factorisation, s, V and b trained.

    Each neuron has a learning rate of its own. Wang, Wang, Seidman & Perdikaris, arXiv 2210.01274.
    The start is the given weight W = diag(exp(s)) V with s ~ N(μ, σ²).
    """

    def __init__(
        self, weight: Tensor, generator: torch.Generator, mean: float = 1.0, spread: float = 0.1
    ) -> None:
        super().__init__()
        n_out, n_in = weight.shape
        log_scale = mean + spread * torch.randn(n_out, generator=generator, dtype=weight.dtype)
        self.direction = _empty_linear(n_in, n_out, bias=False)
        with torch.no_grad():
            self.direction.weight.copy_(weight / log_scale.exp()[:, None])
        self.log_scale = nn.Parameter(log_scale)
        self.bias = nn.Parameter(weight.new_zeros(n_out))

    def jet(self, jet: Jet) -> Jet:
        scaled = push(self.direction, jet).scale(jet.parameter(self.log_scale).exp())
        return scaled.shift(jet.parameter(self.bias))


def _empty_linear(n_in: int, n_out: int, bias: bool = True) -> nn.Linear:
    # skip_init: nn.Linear would draw its weights from the global generator
    return nn.utils.skip_init(nn.Linear, n_in, n_out, bias, dtype=torch.float64)  # type: ignore[no-any-return, no-untyped-call]


def linear(n_in: int, n_out: int, generator: torch.Generator, factorised: bool = False) -> nn.Module:
    """A linear layer in float64: Glorot-normal weights, zero biases."""
    layer = _empty_linear(n_in, n_out)
    with torch.no_grad():
        layer.weight.normal_(0.0, math.sqrt(2 / (n_in + n_out)), generator=generator)
        layer.bias.zero_()
    return FactorisedLinear(layer.weight.detach(), generator) if factorised else layer


def zero_linear(n_in: int, n_out: int, bias: bool = True) -> nn.Linear:
    """A linear layer in float64 that starts at zero."""
    layer = _empty_linear(n_in, n_out, bias)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.zero_()
    return layer


def dense(
    n_in: int, n_out: int, generator: torch.Generator, activation: str, factorised: bool
) -> nn.Sequential:
    """σ(W x + b)."""
    return nn.Sequential(linear(n_in, n_out, generator, factorised), ACTIVATIONS[activation].module())
