"""The process conditioned on measurements, and the length of its kernel by their evidence.

The posterior mean is Σ α_i φ_i^x' k(x, x') with Θ α = y: conjugate gradients on the exact Θ, preconditioned
by the sparse factor of its inverse (`sparse_cholesky`). Measurements are scaled to unit variance, so that one
nugget serves values and derivatives, and columns of Θ are of one size.

Source: Chen, Owhadi & Schäfer, Math. Comp. 94 (2025), arXiv 2304.01294.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from scipy import linalg
from scipy.sparse.linalg import LinearOperator, cg

from ...declare.domain import Array
from .corners import Singular
from .measurements import Block, Indices, Measurements, merged, variances
from .radial import RadialKernel
from .sparse_cholesky import InverseFactor, ordering

NUGGET = 1e-13
"""Added to the unit variance of each measurement: the level of round-off in Θ."""

LENGTHS = (0.075, 0.15, 0.3, 0.6, 1.2)
"""Lengths of the kernel to choose from, relative to the size of the domain."""

_TOLERANCE = 1e-9  # residual of conjugate gradients, relative to y
_ITERATIONS = 300  # where they take as many, ρ is not enough:
_ATTEMPTS, _WIDER = 2, 1.5  # it is raised by that factor, once
_CONDITION = 1e9  # (ℓ/h)^(2ν - 2) beyond which conjugate gradients meet round-off
_STORED = 12_000  # measurements up to which Θ is kept: 1.2 GB


class Conditioned(NamedTuple):
    """Attributes:
    expansion: the posterior mean as blocks of plain derivatives, whose weights hold α.
    coefficients: c of the functions with a flat prior.
    iterations: of conjugate gradients for α.
    residual: ‖y - Θα - Fc‖ / ‖y‖ that they end with.
    rho: ρ that was enough.
    """

    expansion: list[Block]
    coefficients: Array
    iterations: int
    residual: float
    rho: float


def condition(
    kernel: RadialKernel,
    blocks: Sequence[Block],
    values: Sequence[Array],
    groups: Indices,
    rho: float,
    functions: Sequence[Singular] = (),
) -> Conditioned:
    """The posterior mean under φ_i(u) = y_i.

    Args:
        blocks: of plain derivatives; values: y, one array for each block.
        groups: see `ordering`.
        rho: of the pattern of the sparse factor; it is raised where conjugate gradients take too long.
        functions: have a flat prior, as the limit of Θ + τ² F Fᵀ: (Fᵀ Θ⁻¹ F) c = Fᵀ Θ⁻¹ y, Θ α = y - F c.
    """
    measurements, scales = normalised(kernel, blocks)
    y = _joined(values, scales)
    flat = _measured(functions, blocks, scales)
    ordered = ordering(np.concatenate([block.points for block in blocks]), groups)
    n = len(y)
    matrix = measurements.matrix(np.arange(n)) if n <= _STORED else None

    def product(vector: Array) -> Array:
        whole = measurements.product(vector) if matrix is None else matrix @ vector
        return np.asarray(whole + NUGGET * vector)

    for attempt in range(_ATTEMPTS):
        rho *= 1.0 if attempt == 0 else _WIDER
        factor = InverseFactor(measurements.matrix, ordered, rho, NUGGET)
        alpha, iterations = _solved(product, y, factor)
        if iterations < _ITERATIONS:
            break
    coefficients: Array = np.zeros(len(functions))
    if len(functions):
        solved = np.stack([_solved(product, column, factor)[0] for column in flat.T], axis=1)
        coefficients = np.asarray(np.linalg.lstsq(flat.T @ solved, flat.T @ alpha, rcond=None)[0])
        alpha = alpha - solved @ coefficients
    residual = _size(y - product(alpha) - flat @ coefficients) / (_size(y) or 1.0)
    parts = np.split(alpha, measurements.starts[1:-1])
    expansion = [b.scaled(s * a) for b, s, a in zip(blocks, scales, parts, strict=True)]
    return Conditioned(expansion, coefficients, iterations, residual, rho)


def _solved(product: Callable[[Array], Array], right: Array, factor: InverseFactor) -> tuple[Array, int]:
    """Θ⁻¹ times a vector, and the iterations; fewer than `_ITERATIONS` where they ended well."""
    n, count = len(right), 0

    def step(_: Array) -> None:
        nonlocal count
        count += 1

    found, _ = cg(
        LinearOperator((n, n), product, dtype=np.float64),
        right,
        rtol=_TOLERANCE,
        maxiter=_ITERATIONS,
        M=LinearOperator((n, n), factor, dtype=np.float64),
        callback=step,
    )
    return found, count


def _size(vector: Array) -> float:
    return float(np.linalg.norm(vector))


def _joined(values: Sequence[Array], scales: Sequence[Array]) -> Array:
    return np.concatenate([v * s for v, s in zip(values, scales, strict=True)])


def _measured(functions: Sequence[Singular], blocks: Sequence[Block], scales: Sequence[Array]) -> Array:
    """F (n, functions): functions measured as the unknowns are."""
    columns = [_joined([each.measured(block) for block in blocks], scales) for each in functions]
    return np.stack(columns, axis=1) if columns else np.zeros((sum(map(len, blocks)), 0))


def normalised(kernel: RadialKernel, blocks: Sequence[Block]) -> tuple[Measurements, list[Array]]:
    """The measurements at unit variance, and the factors (n,) of each block.

    A measurement of nothing, where an equation degenerates, stays what it is.
    """
    scales, scaled = [], []
    for block in blocks:
        few = Block(block.points, *merged(block.operators, block.weights))
        spread = variances(kernel, few)
        factors = 1 / np.sqrt(np.where(spread > 0, spread, 1.0))
        scales.append(factors)
        scaled.append(few.scaled(factors))
    return Measurements(kernel, tuple(scaled)), scales


def evidence(
    kernel: RadialKernel,
    blocks: Sequence[Block],
    values: Sequence[Array],
    functions: Sequence[Singular] = (),
) -> float:
    """log p(y) under the process whose variance makes it largest, up to a constant; dense.

        -n/2 log(yᵀ Θ⁻¹ y / n) - ½ log|Θ|,   y less what functions with a flat prior explain of it

    Source: Rasmussen & Williams (2006), equation (5.8).
    """
    measurements, scales = normalised(kernel, blocks)
    n = len(measurements)
    matrix = measurements.matrix(np.arange(n))
    matrix[np.diag_indices(n)] += NUGGET
    try:
        lower = linalg.cholesky(matrix, lower=True, overwrite_a=True)
    except linalg.LinAlgError:
        return -math.inf
    right = np.column_stack([_joined(values, scales), _measured(functions, blocks, scales)])
    white = linalg.solve_triangular(lower, right, lower=True)
    basis = np.linalg.qr(white[:, 1:])[0]
    rest = white[:, 0] - basis @ (basis.T @ white[:, 0])
    determinant = float(np.log(np.diag(lower)).sum()) - float(np.log(np.concatenate(scales)).sum())
    return -0.5 * n * math.log(float(rest @ rest) / n or 1e-300) - determinant


def longest(smoothness: float, spacing: float) -> float:
    """The length of a kernel that is safe on points so far apart.

    Θ has values on the boundary and second derivatives inside, so that its condition grows like a power of
    ℓ/h; the exponent is from trials, in which conjugate gradients take a few dozen iterations up to here.
    """
    return float(spacing * _CONDITION ** (1 / (2 * smoothness - 2)))


def best_length(
    smoothness: float,
    size: float,
    blocks: Sequence[Block],
    values: Sequence[Array],
    functions: Sequence[Singular] = (),
) -> float:
    """Of `LENGTHS` times ``size`` the one of largest evidence (`longest` is not looked at)."""
    lengths = [share * size for share in LENGTHS]
    found = [evidence(RadialKernel(smoothness, each), blocks, values, functions) for each in lengths]
    return lengths[int(np.argmax(found))]
