"""Separable networks: sums of products of functions of one coordinate."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ..jets import Jet, JetModule, push
from .features import Features
from .mlp import mlp


class Separable(JetModule):
    """u_c(x) = Σ_r Π_i f_icr(x_i), one body f_i for each coordinate. It acts on coordinates themselves.

    A body sees derivatives along its own coordinate alone, so that cost does not grow with mixed ones.

    Cho et al., NeurIPS 2023, arXiv 2306.15969.

    Args:
        bodies: body i maps (n, 1) to (n, outputs · rank), channel c · rank + r.
    """

    total: Tensor  # (outputs, outputs * rank): sums over the rank

    def __init__(self, bodies: Sequence[nn.Module], outputs: int, rank: int) -> None:
        super().__init__()
        self.bodies = nn.ModuleList(bodies)
        total = torch.kron(torch.eye(outputs, dtype=torch.float64), torch.ones(1, rank, dtype=torch.float64))
        self.register_buffer("total", total)

    def jet(self, jet: Jet) -> Jet:
        product = None
        for axis, body in enumerate(self.bodies):
            factor = push(body, jet.coordinate(axis))
            product = factor if product is None else product.multiply(factor)
        assert product is not None
        return product.linear(self.total, None)


def separable(
    features: Sequence[Features],
    outputs: int,
    generator: torch.Generator,
    width: int = 16,
    depth: int = 2,
    rank: int = 8,
    activation: str = "tanh",
    factorised: bool = False,
) -> Separable:
    """A `Separable` network of perceptrons with ``depth`` hidden layers, one for each coordinate, float64.

    ``features`` are those of one coordinate each, see `axis_features`. A small rank suits fields that nearly
    separate, and dimensions from about five on, where other networks need many more units.
    """
    bodies = [mlp(f, outputs * rank, generator, width, depth, activation, factorised) for f in features]
    return Separable(bodies, outputs, rank)
