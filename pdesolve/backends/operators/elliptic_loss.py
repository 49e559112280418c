"""Training on a steady linear equation: a network's solution against a better one that starts on it.

    loss = mean_i ‖u_i - ū_i‖₂ / ‖ū_i⁰‖₂,   ū: a few conjugate gradients from u, held fixed; ū⁰: from zero

on the finite volumes of `residual.stencil`, preconditioned by their operator with mean coefficients, which
sine transforms invert. u - ū is the residual in the units of u, and where coefficients are constant the
error against the discrete solution. The residual itself weighs an error of wavenumber k by k²: a network
would follow the roughest errors and not see the smooth ones, which are those that count.

Chosen in one trial with two iterations, two phases of contrast 4 on 32 x 32 nodes, on members of another seed
than those of the benchmark: the error was least so, larger with the energy norm of the residual and larger
still with its preconditioned norm and full gradient; a fifth above that with labels.

Li et al., arXiv 2111.03794, section 3, for operators that are trained on residuals.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ...declare.errors import PDESolveError
from ...declare.family import Family
from ...residual.stencil import EllipticForm, Stencil
from .encoding import STEADY, Encoding

ITERATIONS = 4
"""Of conjugate gradients: they leave a fortieth of the error at a contrast of 4."""


class EllipticLoss:
    """The loss above for batches of solutions (n, 1, 1, *grid).

    Args:
        grid: as many nodes on each axis, of which the stencil is made.

    Raises:
        ValueError: the family has no such form; the text says why.
    """

    def __init__(
        self, family: Family, encoding: Encoding, grid: tuple[int, ...], dtype: torch.dtype, device: str
    ) -> None:
        if encoding.kind != STEADY or family.numbers:
            raise ValueError(
                "the elliptic residual is for steady families whose members differ in fields alone"
            )
        if not encoding.vanishes:
            raise ValueError("the elliptic residual is for solutions that vanish on the whole boundary")
        if len(set(grid)) > 1:
            raise ValueError("the elliptic residual is for grids with as many nodes on each axis")
        try:
            self.stencil = Stencil(EllipticForm(family.undetermined), grid[0], dtype, device)
        except PDESolveError as error:
            raise ValueError(str(error)) from error
        self._inside = (slice(1, -1),) * len(grid)
        self._check_definite(family)

    def _check_definite(self, family: Family) -> None:
        values = family.values(0, self.stencil.axes)
        some = {name: torch.from_numpy(values[name])[None] for name in family.fields}
        try:
            self.stencil.correction(torch.zeros_like(next(iter(some.values()))), some, 1)
        except ArithmeticError as error:
            raise ValueError(str(error)) from error

    def scale(self, fields: dict[str, Tensor]) -> float:
        """The root mean square of ū⁰, for the size of an output whose solutions are not known."""
        zero = torch.zeros_like(next(iter(fields.values())))
        return float(self.stencil.correction(zero, fields, ITERATIONS).square().mean().sqrt())

    def __call__(self, solutions: Tensor, fields: dict[str, Tensor]) -> Tensor:
        """The loss of each member, (n,), with inputs (n, *grid) as declared."""
        u = solutions[:, 0, 0]
        better = u.detach()[:, *self._inside] + self.stencil.correction(u, fields, ITERATIONS)
        size = self.stencil.correction(torch.zeros_like(u), fields, ITERATIONS).flatten(1).norm(dim=1)
        wrong = (u[:, *self._inside] - better).flatten(1).norm(dim=1)
        relative: Tensor = wrong / size.clamp(min=torch.finfo(u.dtype).tiny)
        return relative


__all__ = ["EllipticLoss"]
