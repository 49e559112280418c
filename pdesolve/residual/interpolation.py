"""Values at points from values at the nodes of a tensor grid, as a matrix."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..declare.domain import Array


def interpolation(
    axes: Sequence[Array], periods: Sequence[float | None], points: Array, degree: int = 3
) -> Array:
    """The matrix (n, nodes) of tensor-product splines through the nodes, at ``points`` (n, d).

    Rows at nodes are rows of the identity, to rounding. Nodes are numbered as by ``ravel``.

    Args:
        axes: nodes on each axis; without the repeated end where the axis is periodic.
        periods: length of each periodic axis; None where it is not.
        degree: of the splines; 1 for fields that jump.
    """
    tables = [
        _table(np.asarray(x), period, points[:, i], degree)
        for i, (x, period) in enumerate(zip(axes, periods, strict=True))
    ]
    matrix = tables[0]
    for table in tables[1:]:
        matrix = (matrix[:, :, None] * table[:, None, :]).reshape(
            len(points), matrix.shape[1] * table.shape[1]
        )
    return matrix


def _table(x: Array, period: float | None, at: Array, degree: int) -> Array:
    """(n, nodes) of one axis."""
    from scipy.interpolate import make_interp_spline

    unit = np.eye(len(x))
    if period is None:
        return np.asarray(make_interp_spline(x, unit, k=min(degree, len(x) - 1))(at))
    closed = np.concatenate([unit, unit[:1]])
    ends = np.append(x, x[0] + period)
    wrapped = x[0] + np.mod(at - x[0], period)
    return np.asarray(make_interp_spline(ends, closed, k=degree, bc_type="periodic")(wrapped))


__all__ = ["interpolation"]
