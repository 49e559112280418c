"""Multilayer perceptrons."""

from __future__ import annotations

import torch
from torch import nn

from .features import Features
from .linear import dense, linear


def mlp(
    features: Features,
    outputs: int,
    generator: torch.Generator,
    width: int = 16,
    depth: int = 4,
    activation: str = "tanh",
    factorised: bool = False,
) -> nn.Sequential:
    """A multilayer perceptron on input features, Glorot-normal weights and zero biases, float64.

    ``depth`` hidden layers of ``width`` units. 3x16 to 4x40 (1,000 to 5,000 parameters) suits
    quasi-Newton methods. ``factorised`` makes every layer a `FactorisedLinear`, which is meant for
    first-order optimisers; Jacobian rows then cost about twice as much.
    """
    layers: list[nn.Module] = [features]
    size = features.width
    for _ in range(depth):
        layers += dense(size, width, generator, activation, factorised)
        size = width
    return nn.Sequential(*layers, linear(size, outputs, generator, factorised))
