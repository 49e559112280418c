"""Damped linear least squares on the tangent plane of a network, for many right-hand sides."""

from __future__ import annotations

import numpy as np
import torch
from scipy import linalg
from torch import Tensor


class TangentPlane:
    """min_η |J η + r|² + (ε |J|)² |η|² by one QR factorisation.

    The singular values of a network's Jacobian fall over more than ten decades; ε says below which share of
    its norm they are damped. Normal equations would lose all below 1e-8.
    """

    def __init__(self, jacobian: Tensor, cut_off: float) -> None:
        rows = jacobian.numpy()
        m, p = rows.shape
        damping = cut_off * np.linalg.norm(rows)
        stacked = np.zeros((m + p, p), order="F")
        stacked[:m] = rows
        stacked[m + np.arange(p), np.arange(p)] = damping
        self._q, self._r = linalg.qr(stacked, mode="economic", overwrite_a=True, check_finite=False)
        self._rows = m

    def solve(self, rows: Tensor) -> Tensor:
        """η (p,) for r (m,)."""
        right = self._q[: self._rows].T @ rows.numpy()
        return -torch.as_tensor(linalg.solve_triangular(self._r, right, check_finite=False))
