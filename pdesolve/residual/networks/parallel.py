"""Networks side by side: the channels of each in turn, with no weight in common."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ..jets import Jet, JetModule, push, unruled


class Parallel(JetModule):
    """(N_1(x), …, N_k(x)): θ holds all of them, one after the other.

    Args:
        bodies: each maps (n, d) points to its own channels, and has jet rules.
    """

    def __init__(self, bodies: Sequence[nn.Module]) -> None:
        super().__init__()
        self.bodies = nn.ModuleList(bodies)

    def jet(self, jet: Jet) -> Jet:
        return Jet.concatenate([push(body, jet) for body in self.bodies])


class _Unruled(nn.Module):
    """The same of modules that torch.func differentiates."""

    def __init__(self, bodies: Sequence[nn.Module]) -> None:
        super().__init__()
        self.bodies = nn.ModuleList(bodies)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([body(x) for body in self.bodies], dim=1)


def parallel(bodies: Sequence[nn.Module]) -> nn.Module:
    """One network of several, by jets where all have rules."""
    return _Unruled(bodies) if any(unruled(body) for body in bodies) else Parallel(bodies)
