"""The loss of a network that is linear in its parameters: what it consists of is evaluated once.

The derivatives of the unknowns at fixed points are D_k(θ) = D_k(0) + B_k θ, with matrices B_k that no θ
changes.
Residuals r(x, D) and their Jacobian

    ∂r_i/∂θ = Σ_k ∂r_i/∂D_k (B_k)_i

then cost products with B, and no pass through the network.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ..ranks import ALONE, Ranks
from .objective import ResidualObjective
from .residual import Batch, Residual

_MOST = 2**27
"""Numbers in all B at most: 1 GiB in double precision."""


class AffineObjective(ResidualObjective):
    """Σ w r² of a network that is linear in its parameters, for problems without unknown parameters.

    Args:
        blocks: those that this process evaluates.
        ranks: the processes that evaluate the others.
    """

    def __init__(self, residual: Residual, blocks: Sequence[Batch], ranks: Ranks = ALONE) -> None:
        super().__init__(residual, blocks, ranks)
        nothing = torch.zeros_like(residual.start())
        with torch.no_grad():
            self._parts = [
                [residual.derivative_rows(g, nothing, group.points) for g, group in enumerate(block)]
                for block in self.blocks
            ]

    @staticmethod
    def fits(residual: Residual, blocks: Sequence[Batch]) -> bool:
        """Whether nothing but the network is trained, and all B are small enough to be kept."""
        each = [len(group.points) * residual.derivative_count(g) for g, group in enumerate(blocks[0])]
        numbers = len(blocks) * sum(each) * residual.start().numel()
        return not residual.program.parameters and residual.is_taped and numbers <= _MOST

    def __call__(self, theta: Tensor) -> tuple[Tensor, Tensor]:
        rows, jacobian = self.linearise(theta)
        total = self.ranks.sum(torch.cat([rows.square().sum()[None], 2 * jacobian.T @ rows]))
        return total[0], total[1:]

    def rows(self, theta: Tensor) -> Tensor:
        found = []
        for block, parts in zip(self.blocks, self._parts, strict=True):
            for g, (group, (base, each)) in enumerate(zip(block, parts, strict=True)):
                values = self.residual.pointwise(g, _at(theta, base, each), group)
                found.append((group.weights.sqrt() * values).reshape(-1))
        return torch.cat(found)

    def linearise(self, theta: Tensor) -> tuple[Tensor, Tensor]:
        rows, jacobians = [], []
        for block, parts in zip(self.blocks, self._parts, strict=True):
            for g, (group, (base, each)) in enumerate(zip(block, parts, strict=True)):
                roots, along = group.weights.sqrt(), _at(theta, base, each)
                pulled = torch.func.vjp(
                    lambda own, g=g, group=group: self.residual.pointwise(g, own, group), along
                )
                values, pull_back = pulled[0], pulled[1]
                rows.append((roots * values).reshape(-1))
                for j in range(len(values)):
                    cotangent = torch.zeros_like(values)
                    cotangent[j] = roots[j]
                    slopes = pull_back(cotangent)[0]  # ∂r_i/∂D_k, (k, n)
                    jacobians.append(torch.bmm(slopes.T[:, None, :], each)[:, 0])
        return torch.cat(rows), torch.cat(jacobians)


def _at(theta: Tensor, base: Tensor, each: Tensor) -> Tensor:
    """D(θ), (k, n), of D(0) (k, n) and B (n, k, p)."""
    return base + (each @ theta).T
