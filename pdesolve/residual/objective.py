"""The loss of a residual on one set of points, as optimisers see it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ..ranks import ALONE, Ranks
from .residual import Batch, Residual


class ResidualObjective:
    """Σ w r² over the blocks of a batch; a `pdesolve.optimize.LeastSquares`.

    Args:
        blocks: those that this process evaluates.
        ranks: the processes that evaluate the others.
    """

    def __init__(self, residual: Residual, blocks: Sequence[Batch], ranks: Ranks = ALONE) -> None:
        self.residual, self.blocks, self.ranks = residual, list(blocks), ranks

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        """The tensors that θ consists of."""
        return self.residual.shapes

    def __call__(self, theta: Tensor) -> tuple[Tensor, Tensor]:
        """Loss and gradient (p,), of all processes."""
        loss, gradient = self.residual.loss_and_gradient(theta, self.blocks)
        if self.ranks.count == 1:
            return loss, gradient
        total = self.ranks.sum(torch.cat([loss[None], gradient]))
        return total[0], total[1:]

    def rows(self, theta: Tensor) -> Tensor:
        """The weighted residuals of these blocks, (m,)."""
        with torch.no_grad():
            return torch.cat([self.residual.rows(theta, block) for block in self.blocks])

    def linearise(self, theta: Tensor) -> tuple[Tensor, Tensor]:
        """Weighted residuals (m,) and their Jacobian (m, p)."""
        with torch.no_grad():
            return self.residual.linearise(theta, self.blocks)


def mean_squares(residual: Residual, theta: Tensor, batch: Batch) -> list[float]:
    """Mean square of each term's residual, in the order of ``residual.terms``; weights do not matter."""
    values = residual.values(theta, batch)
    found = {
        i: float(row.square().mean())
        for group, rows in zip(residual.groups, values, strict=True)
        for i, row in zip(group, rows, strict=True)
    }
    return [found[i] for i in range(len(residual.terms))]


class NoObjective:
    """Zero everywhere: gives optimiser states their form where no objective is known yet."""

    shapes: list[tuple[int, ...]]
    ranks = ALONE

    def __init__(self, shapes: list[tuple[int, ...]]) -> None:
        self.shapes = shapes

    def __call__(self, theta: Tensor) -> tuple[Tensor, Tensor]:
        return theta.new_zeros(()), torch.zeros_like(theta)

    def rows(self, theta: Tensor) -> Tensor:
        return theta.new_zeros(1)

    def linearise(self, theta: Tensor) -> tuple[Tensor, Tensor]:
        return theta.new_zeros(1), theta.new_zeros(1, len(theta))
