"""Conditioning on numbers: feature-wise linear modulation."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from .initial import linear


class FiLM(nn.Module):
    """v_c ← (1 + γ_c(p)) v_c + β_c(p) in every layer, with γ, β from a perceptron with one hidden layer.

    Both are zero at the start, so that a network begins as one that does not see the parameters.
    Perez et al., AAAI 2018, arXiv 1709.07871.

    Args:
        count: numbers p of a sample; they should have size one.
        width: channels of a layer, and hidden units.
    """

    def __init__(
        self, count: int, width: int, layers: int, generator: torch.Generator, dtype: torch.dtype
    ) -> None:
        super().__init__()
        self.layers = layers
        self.hidden = linear(count, width, generator, dtype)
        self.last = linear(width, 2 * width * layers, generator, dtype, gain=0.0)

    def forward(self, parameters: Tensor) -> list[tuple[Tensor, Tensor]]:
        """From (batch, p): 1 + γ and β of every layer, both (batch, channels)."""
        both = self.last(functional.gelu(self.hidden(parameters))).unflatten(1, (self.layers, 2, -1))
        return [(1 + gamma, beta) for gamma, beta in (layer.unbind(1) for layer in both.unbind(1))]


def check_parameters(who: str, expected: int, parameters: Tensor | None) -> None:
    """Raises unless ``parameters`` are (batch, expected), or None where none are expected."""
    got = 0 if parameters is None else parameters.shape[-1]
    if got != expected:
        raise ValueError(f"{who} was made for {expected} parameters of a sample; got {got}.")
