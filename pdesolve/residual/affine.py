"""The loss of a network that is linear in its parameters: what it consists of is evaluated once.

The derivatives of the unknowns at fixed points are D_k(θ) = D_k(0) + B_k θ, with matrices B_k that no θ
changes.
Residuals r(x, D) and their Jacobian

    ∂r_i/∂θ = Σ_k ∂r_i/∂D_k (B_k)_i

then cost products with B, and no pass through the network. In systems B is kept with its zeros, the columns
of other unknowns.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from ..ranks import ALONE, Ranks
from .objective import ResidualObjective
from .residual import Batch, GroupBatch, Residual

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

    @torch.no_grad()
    def __call__(self, theta: Tensor) -> tuple[Tensor, Tensor]:
        total = torch.zeros(1 + len(theta), dtype=theta.dtype, device=theta.device)
        for weights, each, values, pull_back in self._pointwise(theta):
            slopes = pull_back(2 * weights * values)[0]
            total[0] += (weights * values.square()).sum()
            total[1:] += torch.einsum("kn,nkp->p", slopes, each)
        total = self.ranks.sum(total)
        return total[0], total[1:]

    @torch.no_grad()
    def rows(self, theta: Tensor) -> Tensor:
        return torch.cat([(w.sqrt() * values).reshape(-1) for w, _, values, _ in self._pointwise(theta)])

    @torch.no_grad()
    def linearise(self, theta: Tensor) -> tuple[Tensor, Tensor]:
        rows, jacobians = [], []
        for weights, each, values, pull_back in self._pointwise(theta):
            roots = weights.sqrt()
            rows.append((roots * values).reshape(-1))
            for j in range(len(values)):
                cotangent = torch.zeros_like(values)
                cotangent[j] = roots[j]
                slopes = pull_back(cotangent)[0]  # ∂r_i/∂D_k, (k, n)
                jacobians.append(torch.bmm(slopes.T[:, None, :], each)[:, 0])
        return torch.cat(rows), torch.cat(jacobians)

    def _pointwise(self, theta: Tensor) -> Iterator[tuple[Tensor, Tensor, Tensor, Any]]:
        """Of each group in each block: weights, B, residuals (m, n) and their pull-back to D (k, n)."""
        for block, parts in zip(self.blocks, self._parts, strict=True):
            for g, (group, (base, each)) in enumerate(zip(block, parts, strict=True)):
                pointwise = functools.partial(_of_derivatives, self.residual, g, group)
                pulled: Any = torch.func.vjp(pointwise, base + (each @ theta).T)
                yield group.weights, each, *pulled


def _of_derivatives(residual: Residual, g: int, group: GroupBatch, derivatives: Tensor) -> Tensor:
    return residual.pointwise(g, derivatives, group)
