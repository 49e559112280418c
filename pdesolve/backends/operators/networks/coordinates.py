"""Coordinates of uniform grids and their features."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from .transforms import Kind, points, table


@lru_cache(maxsize=64)
def grid_points(
    kinds: tuple[Kind, ...], grid: tuple[int, ...], dtype: torch.dtype, device: torch.device
) -> Tensor:
    """Coordinates scaled to [0, 1], (n_1 ⋯ n_d, d), in the order of flattened fields."""
    axes = [points(kind, n) for kind, n in zip(kinds, grid, strict=True)]
    mesh = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    return table(mesh.reshape(-1, len(kinds)), dtype, device)


def feature_count(kinds: Sequence[Kind], harmonics: int = 1) -> int:
    """Number of features that `features` makes."""
    return sum(2 * harmonics if kind == "periodic" else 1 for kind in kinds)


def features(x: Tensor, kinds: Sequence[Kind], harmonics: int = 1) -> Tensor:
    """Features of points in [0, 1]^d, from (points, d) to (points, features).

    On a periodic axis cos 2πhx and sin 2πhx, h = 1..harmonics, with the same value at both ends; on an open
    one x itself.
    """
    pieces = []
    for axis, kind in enumerate(kinds):
        z = x[:, axis : axis + 1]
        if kind == "periodic":
            phase = z * (2 * math.pi * torch.arange(1, harmonics + 1, dtype=x.dtype, device=x.device))
            pieces += [phase.cos(), phase.sin()]
        else:
            pieces.append(z)
    return torch.cat(pieces, dim=1)


@lru_cache(maxsize=64)
def grid_features(
    kinds: tuple[Kind, ...], grid: tuple[int, ...], dtype: torch.dtype, device: torch.device
) -> Tensor:
    """`features` of the points of a grid as channels of a field, (features, n_1 ⋯ n_d)."""
    x = grid_points(kinds, grid, torch.float64, torch.device("cpu"))
    return table(features(x, kinds).T.contiguous().numpy(), dtype, device)
