"""Dense factorisations of square and overdetermined systems."""

from __future__ import annotations

from typing import Any

import numpy as np

Matrix = np.ndarray[Any, Any]


class SingularSystemError(ArithmeticError):
    """The rows do not determine the unknowns."""


class Factor:
    """A matrix (rows >= columns) ready to solve with: LU where it is square, else QR (least squares).

    Rows are divided by their largest entry first: those of a differential equation exceed those of boundary
    values by the square of the number of points, which would mislead the choice of pivots.
    """

    def __init__(self, matrix: Matrix) -> None:
        from scipy import linalg

        if not np.isfinite(matrix).all():
            raise SingularSystemError("the Jacobian is not finite")
        largest = np.abs(matrix).max(axis=1)
        self.scale = 1 / np.where(largest > 0, largest, 1.0)
        scaled = matrix * self.scale[:, None]
        self._lu: Any = None
        if matrix.shape[0] == matrix.shape[1]:
            getrf: Any = linalg.get_lapack_funcs("getrf", (scaled,))
            lu, pivots, _ = getrf(scaled, overwrite_a=True)
            self._lu, diagonal = (lu, pivots), np.diag(lu)
        else:
            (self._reflectors, self._tau), r = linalg.qr(
                scaled, mode="raw", overwrite_a=True, check_finite=False
            )
            self._r = r[: matrix.shape[1]]
            diagonal = np.diag(self._r)
        size = np.abs(diagonal)
        if not size.min() > 1e-15 * np.finfo(float).eps * size.max():
            raise SingularSystemError("the Jacobian is singular")

    def solve(self, right: Matrix) -> Matrix:
        """The solution for ``right`` (rows,)."""
        from scipy import linalg

        scaled = right * self.scale
        if self._lu is not None:
            return np.asarray(linalg.lu_solve(self._lu, scaled, check_finite=False))
        is_real = np.isrealobj(self._reflectors)
        name, transposed = ("ormqr", "T") if is_real else ("unmqr", "C")
        multiply: Any = linalg.get_lapack_funcs(name, (self._reflectors,))
        column = scaled.astype(self._reflectors.dtype)[:, None]
        turned, _, _ = multiply("L", transposed, self._reflectors, self._tau, column, 64)
        size = len(self._r)
        return np.asarray(linalg.solve_triangular(self._r, turned[:size, 0], check_finite=False))
