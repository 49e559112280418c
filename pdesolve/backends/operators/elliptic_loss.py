"""Training on a steady linear equation: the residual, measured in the units of the solution.

    loss = mean_i ‖K̄_i⁻¹ R_i(u_i)‖₂ / ‖K̄_i⁻¹ R_i(0)‖₂

R is the residual of the finite volumes of `residual.stencil`, K̄ their operator with the mean of the member's
coefficients. R itself weighs an error of wavenumber k by k²: a network would follow the roughest errors and
not see the smooth ones, which are those that count. K̄⁻¹, a sine transform and back, takes this weight away:
where coefficients are constant, the loss is the relative error against the discrete solution.

Li et al., arXiv 2111.03794, section 3, with the residual behind an operator preconditioner (Hiptmair, Comput.
Math. Appl. 52 (2006) 699-706).
"""

from __future__ import annotations

import torch
from torch import Tensor

from ...declare.errors import PDESolveError
from ...declare.family import Family
from ...residual.stencil import EllipticForm, Stencil
from .encoding import STEADY, Encoding


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
        self._check_definite(family)

    def _check_definite(self, family: Family) -> None:
        values = family.values(0, self.stencil.axes)
        some = {name: torch.from_numpy(values[name])[None] for name in family.fields}
        try:
            self.stencil.correction(self.stencil.lift.double().cpu()[None], some)
        except ArithmeticError as error:
            raise ValueError(str(error)) from error

    def scale(self, fields: dict[str, Tensor]) -> float:
        """The root mean square of -K̄⁻¹ R(0), for the size of an output whose solutions are not known."""
        zero = torch.zeros_like(next(iter(fields.values())))
        with torch.no_grad():
            return float(self.stencil.correction(zero, fields).square().mean().sqrt())

    def __call__(self, solutions: Tensor, fields: dict[str, Tensor]) -> Tensor:
        """The loss of each member, (n,), with inputs (n, *grid) as declared."""
        u = solutions[:, 0, 0]
        with torch.no_grad():
            size = self.stencil.correction(torch.zeros_like(u), fields).flatten(1).norm(dim=1)
        wrong = self.stencil.correction(u, fields).flatten(1).norm(dim=1)
        relative: Tensor = wrong / size.clamp(min=torch.finfo(u.dtype).tiny)
        return relative


__all__ = ["EllipticLoss"]
