"""Initial weights, drawn from a generator of their own.

Draws are made in float64 and then rounded: networks of both precisions start as the same function.
"""

from __future__ import annotations

import math

import torch
from torch import nn


def normal(
    *shape: int, fan_in: float, generator: torch.Generator, dtype: torch.dtype, gain: float = 1.0
) -> nn.Parameter:
    """Entries from N(0, gain²/fan_in): sums over ``fan_in`` inputs of size one have size ``gain``."""
    draw = torch.randn(*shape, generator=generator, dtype=torch.float64)
    return nn.Parameter((draw * (gain / math.sqrt(fan_in))).to(dtype))


def zeros(*shape: int, dtype: torch.dtype) -> nn.Parameter:
    return nn.Parameter(torch.zeros(*shape, dtype=dtype))


def linear(
    n_in: int, n_out: int, generator: torch.Generator, dtype: torch.dtype, gain: float = 1.0
) -> nn.Linear:
    """A linear layer with normal weights and zero biases."""
    layer = nn.Linear(n_in, n_out, device="meta")  # nothing is drawn from the global generator
    layer.weight = normal(n_out, n_in, fan_in=n_in, generator=generator, dtype=dtype, gain=gain)
    layer.bias = zeros(n_out, dtype=dtype)
    return layer
