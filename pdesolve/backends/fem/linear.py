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

DIAGONAL = 1e-6
"""Least entry of the diagonal, relative to the largest of all, with which pivots may stay on the diagonal."""

Solver = Callable[[Array], Array]


def factorise(matrix: sps.csr_matrix, dimension: int) -> Solver:
    """A function that solves matrix @ x = b.

    Symmetric definite systems in three dimensions from `MULTIGRID_FROM` unknowns on are solved by conjugate
    gradients, preconditioned by smoothed aggregation, to a relative residual of 1e-12; all others, and those
    that turn out not to be definite, by sparse LU.

    Raises:
        RuntimeError: the matrix is singular.
    """
    csc = matrix.tocsc()
    if csc.shape[0] == 0:
        return lambda b: b
    sign = -1.0 if csc[0, 0] < 0 else 1.0  # of an equation declared as Δu + f = 0
    if dimension == 3 and csc.shape[0] >= MULTIGRID_FROM and _may_be_definite(sign * csc):
        return _multigrid((sign * csc).tocsr(), sign)
    return _direct(csc, dimension)


def _direct(csc: sps.csc_matrix, dimension: int) -> Solver:
    diagonal = abs(csc.diagonal())
    if dimension < 3 and diagonal.min() > DIAGONAL * abs(csc).max():
        # Half the time and two thirds of the fill of the columns' ordering, for diffusion in the plane.
        symmetric = {"SymmetricMode": True}
        ordered = spla.splu(csc, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.01, options=symmetric)
    else:  # saddle points have zeros on the diagonal: their rows must be free to move
        ordered = spla.splu(csc, permc_spec="COLAMD")
    solve: Solver = ordered.solve
    return solve


def _may_be_definite(matrix: sps.csc_matrix) -> bool:
    """Symmetric with a positive diagonal: true for the matrices of diffusion with a reaction that damps."""
    gap = abs(matrix - matrix.T)
    return bool(gap.nnz == 0 or gap.max() <= 1e-10 * abs(matrix).max()) and bool(
        (matrix.diagonal() > 0).all()
    )


def _multigrid(matrix: sps.csr_matrix, sign: float) -> Solver:
    """Solves sign · matrix @ x = b."""
    import pyamg

    hierarchy = pyamg.smoothed_aggregation_solver(matrix)
    preconditioner = hierarchy.aspreconditioner()

    def solve(b: Array) -> Array:
        x, failed = spla.cg(matrix, sign * b, rtol=1e-12, maxiter=500, M=preconditioner)
        return np.asarray(_direct((sign * matrix).tocsc(), 3)(b) if failed else x)

    return solve
