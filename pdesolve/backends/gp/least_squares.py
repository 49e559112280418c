"""Least squares by QR, with a ridge at the level of round-off."""

from __future__ import annotations

import math

import numpy as np
from scipy import linalg

from ...declare.domain import Array

QUIET = 1e-6
"""Weight of observations beside equations, whose rows are of size one."""

_RIDGE = 1e-15  # η, relative to the columns of the Jacobian


def least_squares(jacobian: Array, rows: Array, present: Array, ridge: Array | None = None) -> Array:
    """The step d that minimises |J d + r|² + η² |D (c + d)|², D the norms of the columns of J.

    ``ridge`` gives η D of each column in place of that of round-off, where it is larger.

    By QR of J over η D: JᵀJ would square the condition, and lose half of the digits.
    """
    scale, stacked = with_ridge(jacobian, ridge)
    right = np.concatenate([-rows, -np.diag(stacked[len(rows) :]) * scale * present])
    turned, r = linalg.qr_multiply(stacked, right, mode="right", overwrite_a=True)
    found = linalg.solve_triangular(r, turned, check_finite=False)
    return np.asarray(found / scale)


def response(jacobian: Array, moved: Array) -> Array:
    """∂c/∂q (p, q) of the c that minimises |r|², where r moves by ``moved`` = ∂r/∂q (m, q) at fixed c."""
    if not moved.shape[1]:
        return np.zeros((jacobian.shape[1], 0))
    scale, stacked = with_ridge(jacobian)
    right = np.zeros((len(stacked), moved.shape[1]))
    right[: len(moved)] = -moved
    turned, r = linalg.qr_multiply(stacked, right.T, mode="right", overwrite_a=True)
    return np.asarray(linalg.solve_triangular(r, turned.T, check_finite=False) / scale[:, None])


def with_ridge(jacobian: Array, ridge: Array | None = None) -> tuple[Array, Array]:
    """The norms of the columns (p,), and J D⁻¹ over η (m + p, p)."""
    scale = np.linalg.norm(jacobian, axis=0)
    scale[scale == 0] = 1.0
    m, p = jacobian.shape
    stacked = np.zeros((m + p, p), order="F")
    stacked[:m] = jacobian / scale
    least = _RIDGE * math.sqrt(m)
    stacked[m + np.arange(p), np.arange(p)] = least if ridge is None else np.maximum(least, ridge / scale)
    return scale, stacked
