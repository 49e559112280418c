"""Weights of the terms of a loss, balanced while gradient methods train.

For the mean squares L_i of terms whose residuals have Jacobians J_i (n_i, p),

    gradient-norm:  λ_i = mean_j ‖∇L_j‖ / (‖∇L_i‖ + 1e-5 mean_j ‖∇L_j‖)
    ntk:            λ_i = mean_j K_j / K_i,   K_i = ‖J_i‖² / n_i, the mean of the tangent kernel's diagonal

every 1000 steps, as moving averages: weights ← 0.9 weights + 0.1 λ. Wang, Sankaran, Wang & Perdikaris, arXiv
2308.08468, sections 4 and 5; the factor 1e-5 is from its released code.

For Gauss-Newton methods they do little: such a step is the same for any weights where all rows can vanish at
once. Rows then count by their quadrature weights, as they do without any balance.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from ...declare.domain import Array
from ...residual.residual import Residual

Balance = Literal["gradient-norm", "ntk"]

EVERY = 1000  # steps between updates
_MEMORY = 0.9  # of the moving average
_FLOOR = 1e-5
_ROWS = 128  # points of a group whose kernel is measured: J has as many rows for each term
_AT_ONCE = 64  # rows of J in one backward pass


def balanced(
    kind: Balance, residual: Residual, theta: Tensor, points: Sequence[Array], weights: Sequence[float]
) -> list[float]:
    """The next ``weights`` of the terms' mean squares, on the given points of each group."""
    sizes = gradient_norms if kind == "gradient-norm" else kernel_means
    found = np.asarray(sizes(residual, theta, points))
    if not np.all(np.isfinite(found)):
        return list(weights)  # the loop finds out where the residual is not finite
    mean = float(found.mean())
    wanted = mean / (found + _FLOOR * mean) if mean else np.ones_like(found)
    return [float(_MEMORY * old + (1 - _MEMORY) * new) for old, new in zip(weights, wanted, strict=True)]


def gradient_norms(residual: Residual, theta: Tensor, points: Sequence[Array]) -> list[float]:
    """‖∇L_i‖ of each term."""
    norms = []
    for i in range(len(residual.terms)):
        alone = [float(i == j) for j in range(len(residual.terms))]
        blocks = residual.blocks(residual.batch(points, alone))
        norms.append(float(residual.loss_and_gradient(theta, blocks)[1].norm()))
    return norms


def kernel_means(residual: Residual, theta: Tensor, points: Sequence[Array]) -> list[float]:
    """K_i of each term, at about 128 points of its group."""
    batch = residual.batch([each[:: max(1, len(each) // _ROWS)] for each in points])
    # Not `linearise`, which would be compiled anew for this number of points.
    jacobian = torch.func.jacrev(lambda th: residual.rows(th, batch), chunk_size=_AT_ONCE)(theta)
    squares = jacobian.square().sum(dim=1)
    means, first = [0.0] * len(residual.terms), 0
    for group, part in zip(residual.groups, batch, strict=True):
        for i in group:  # rows hold the weight 1/n of a mean
            means[i] = float(squares[first : first + len(part.points)].sum())
            first += len(part.points)
    return means
