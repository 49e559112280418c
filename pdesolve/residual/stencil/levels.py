"""Solutions of many members to a tolerance: the same stencil on finer nodes until two levels agree."""

from __future__ import annotations

import torch
from torch import Tensor

from .elliptic import Draw, Stencil
from .form import EllipticForm

FINEST = 1025
"""Nodes on an axis, at most."""
SECOND_ORDER = 3.0
"""Ratio of successive differences from which on errors are taken as c h²: 4 where the solution is smooth."""


def converged(
    form: EllipticForm, draw: Draw, points: int, rtol: float, size: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Solutions (n, *grid) at ``points`` nodes on each axis, and their estimated relative errors (n,).

    The nodes are halved and halved again. The differences d of successive levels tell the order: where they
    fall by four, Richardson's extrapolation u + d/3 is returned, and the change of it is the estimate; where
    they fall slower, as behind a jump of a coefficient, the last level with its difference.

    Args:
        size: what errors are relative to, (n,) or (); None for the norm of each solution on the coarse nodes.

    Raises:
        ArithmeticError: the tolerance is not met on the finest level.
    """
    solutions: list[Tensor] = []
    fine = points
    while True:
        stencil = Stencil(form, fine)
        every = (fine - 1) // (points - 1)
        u = stencil.solve(draw(stencil.axes), rtol=rtol / 100)
        solutions.append(u[(slice(None), *[slice(None, None, every)] * stencil.dimension)])
        if len(solutions) >= 3:
            values, errors = _best(solutions[-3:], size)
            if float(errors.max()) <= rtol:
                return values, errors
        if 2 * fine - 1 > FINEST:
            raise ArithmeticError(
                f"Two levels differ by {float(errors.max()) if len(solutions) >= 3 else float('nan'):.1e} on "
                f"{fine} nodes an axis; {rtol:.1e} was asked for."
            )
        fine = 2 * fine - 1


def _best(levels: list[Tensor], given: Tensor | None) -> tuple[Tensor, Tensor]:
    """Values of three levels, and the estimated error of each member."""
    coarse, middle, fine = levels
    first, second = middle - coarse, fine - middle
    size = _norms(fine) if given is None else given
    size = torch.where(size == 0, torch.ones_like(size), size)  # no source, and no solution
    plain = _norms(second) / size
    extrapolated = fine + second / 3
    change = _norms(extrapolated - (middle + first / 3)) / size
    smooth = _norms(first) > SECOND_ORDER * _norms(second)
    chosen = smooth & (change < plain)
    return (
        torch.where(chosen.view(-1, *[1] * (fine.ndim - 1)), extrapolated, fine),
        torch.where(chosen, change, plain),
    )


def _norms(values: Tensor) -> Tensor:
    norms: Tensor = values.flatten(1).norm(dim=1)
    return norms


__all__ = ["converged"]
