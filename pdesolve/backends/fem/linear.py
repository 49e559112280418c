"""Sparse linear systems: direct by default, conjugate gradients with algebraic multigrid where that is
cheaper.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import scipy.sparse as sps
import scipy.sparse.linalg as spla

from ...declare.domain import Array

MULTIGRID_FROM = 5_000
"""Unknowns in three dimensions from which a direct factorisation fills in too much."""

Solver = Callable[[Array], Array]


def factorise(matrix: sps.csr_matrix, dimension: int) -> Solver:
    """A function that solves matrix @ x = b.

    Symmetric positive definite systems in three dimensions from `MULTIGRID_FROM` unknowns on are solved by
    conjugate gradients, preconditioned by smoothed aggregation, to a relative residual of 1e-12; all others
    by sparse LU.

    Raises:
        RuntimeError: the matrix is singular.
    """
    csc = matrix.tocsc()
    if dimension == 3 and csc.shape[0] >= MULTIGRID_FROM and _is_definite(csc):
        return _multigrid(csc.tocsr())
    # Saddle points have zeros on the diagonal: their rows must be free to move.
    solve: Solver = spla.splu(csc, permc_spec="COLAMD").solve
    return solve


def _is_definite(matrix: sps.csc_matrix) -> bool:
    """Symmetric with a positive diagonal: true for the matrices of diffusion with a reaction that damps."""
    gap = abs(matrix - matrix.T)
    return bool(gap.nnz == 0 or gap.max() <= 1e-10 * abs(matrix).max()) and bool(
        (matrix.diagonal() > 0).all()
    )


def _multigrid(matrix: sps.csr_matrix) -> Solver:
    import pyamg

    hierarchy = pyamg.smoothed_aggregation_solver(matrix)
    preconditioner = hierarchy.aspreconditioner()

    def solve(b: Array) -> Array:
        x, failed = spla.cg(matrix, b, rtol=1e-12, maxiter=500, M=preconditioner)
        if failed:
            raise RuntimeError("conjugate gradients did not converge: the system is not positive definite")
        return np.asarray(x)

    return solve
