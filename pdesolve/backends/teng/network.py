"""The network of a state at one time: features of space, hidden layers, one linear layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from ...declare import Problem
from ...residual.networks.features import Mirrored, space_features
from ...residual.networks.linear import linear
from ...residual.networks.mlp import mlp


def state_network(
    problem: Problem,
    outputs: int,
    generator: torch.Generator,
    periodic: Sequence[int],
    parities: Mapping[int, int],
    width: int,
    depth: int,
    activation: str,
    harmonics: int,
) -> nn.Sequential:
    """A multilayer perceptron of space; its last layer is by itself, see `heads_of`."""
    features = space_features(problem.domain, periodic, harmonics)
    body: nn.Module = mlp(features, 1, generator, width, depth, activation)[:-1]
    bounds = torch.as_tensor(problem.domain.bounds, dtype=torch.float64)
    for axis, parity in parities.items():
        body = Mirrored(body, bounds, axis, parity)
    return nn.Sequential(body, linear(width, outputs, generator))


def heads_of(theta: Tensor, width: int, had: int, wanted: int) -> Tensor:
    """θ of `state_network` with its first ``wanted`` outputs alone, from one with ``had``."""
    last = had * (width + 1)
    body, weight, bias = theta[:-last], theta[-last:-had], theta[-had:]
    return torch.cat([body, weight[: wanted * width], bias[:wanted]])
