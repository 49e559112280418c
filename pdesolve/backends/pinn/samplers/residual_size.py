"""The size of a residual of several equations at a point, whatever it holds."""

from __future__ import annotations

import numpy as np

from ....declare.domain import Array


def magnitude(residual: Array) -> Array:
    """|r|, (equations, n). A value that is not finite counts as the largest finite one of its equation.

    A residual that overflows somewhere must neither spoil a choice of points nor dominate it.
    """
    size = np.abs(residual)
    finite = np.isfinite(size)
    largest = size.max(axis=1, keepdims=True, where=finite, initial=0.0)
    return np.where(finite, size, largest)


def relative_size(residual: Array, power: float = 1.0) -> Array:
    """The mean over the equations of |r|^k / mean|r|^k, (n,): of mean 1, or 0 where all residuals vanish."""
    size = magnitude(residual)
    largest = size.max(axis=1, keepdims=True, initial=0.0)
    # Divided by the largest first, so that no power overflows.
    size = np.divide(size, largest, out=np.zeros_like(size), where=largest > 0) ** power
    size[np.broadcast_to(largest == 0, size.shape)] = 0.0  # 0^0 = 1
    mean = size.mean(axis=1, keepdims=True)
    relative: Array = np.divide(size, mean, out=np.zeros_like(size), where=mean > 0).mean(axis=0)
    return relative
