"""Damped linear least squares, min ‖b + J d‖² + μ ‖D d‖² for several μ and b with one J, in three forms.

μ is relative: the penalty is μ times the mean of JᵀJ's diagonal, or with ``marquardt`` times that diagonal.

Processes that share the rows tell each other sums of p or p² numbers, whatever m is; the dual form, which is
for few rows, brings these together.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from itertools import pairwise
from typing import ClassVar, Protocol

import torch
from torch import Tensor

from ..ranks import ALONE, Ranks


class Damped(Protocol):
    """The system at one μ."""

    def solve(self, b: Tensor) -> Tensor:
        """The minimiser d (p,) for b (m,)."""
        ...


class System(ABC):
    """J (m, p), made ready for any μ; ``ranks`` are the processes that share its rows."""

    name: ClassVar[str]

    def __init__(self, jacobian: Tensor, marquardt: bool = False, ranks: Ranks = ALONE) -> None:
        self.jacobian, self.ranks = jacobian, ranks
        squares = ranks.sum(jacobian.square().sum(dim=0))  # the diagonal of JᵀJ
        mean = squares.mean()
        # A column of zeros (a unit that no point reaches) must not leave its parameter undamped.
        self.weights = squares.clamp_min(1e-8 * float(mean)) if marquardt else mean.expand(len(squares))
        self.prepare()

    def prepare(self) -> None:  # noqa: B027  (nothing to do for some)
        """What all μ share."""

    @abstractmethod
    def damped(self, mu: float) -> Damped | None:
        """The system at μ; None where it is singular in this precision."""


class _Cholesky:
    """(JᵀJ + μ D²) d = -Jᵀ b by a Cholesky factor."""

    def __init__(self, jacobian: Tensor, factor: Tensor, ranks: Ranks) -> None:
        self.jacobian, self.factor, self.ranks = jacobian, factor, ranks

    def solve(self, b: Tensor) -> Tensor:
        gradient = self.ranks.sum(self.jacobian.T @ b)
        return -torch.cholesky_solve(gradient[:, None], self.factor)[:, 0]


def lower_gram(jacobian: Tensor, parts: int = 4) -> Tensor:
    """The lower triangle of JᵀJ, by blocks of columns: (parts + 1)/(2 parts) of the work of the whole.

    torch has no product that knows its result to be symmetric. What lies above the diagonal blocks is zero.
    """
    p = jacobian.shape[1]
    gram = jacobian.new_zeros(p, p)
    ends = [p * k // parts for k in range(parts + 1)]
    for begin, end in pairwise(ends):
        gram[begin:, begin:end] = jacobian[:, begin:].T @ jacobian[:, begin:end]
    return gram


class NormalSystem(System):
    """Normal equations: about m p² flops once, p³/3 for each μ."""

    name: ClassVar[str] = "normal"

    def prepare(self) -> None:
        self.gram = self.ranks.sum(lower_gram(self.jacobian))

    def damped(self, mu: float) -> Damped | None:
        matrix = self.gram.clone()
        matrix.diagonal().add_(mu * self.weights)
        factor, failed = torch.linalg.cholesky_ex(matrix)
        return None if int(failed) else _Cholesky(self.jacobian, factor, self.ranks)


class _SemiNormal:
    """RᵀR d = -Jᵀ b with R from QR, and one step of refinement, which makes it as good as QR itself.

    Björck, Linear Algebra Appl. 88/89 (1987) 31: corrected semi-normal equations. R comes from J and not from
    JᵀJ, so that its small singular values are right.
    """

    def __init__(self, jacobian: Tensor, penalty: Tensor, factor: Tensor, ranks: Ranks) -> None:
        self.jacobian, self.penalty, self.factor, self.ranks = jacobian, penalty, factor, ranks

    def solve(self, b: Tensor) -> Tensor:
        first = self._solve(self.ranks.sum(self.jacobian.T @ b))
        left = self.ranks.sum(self.jacobian.T @ (b + self.jacobian @ first)) + self.penalty * first
        return first + self._solve(left)

    def _solve(self, gradient: Tensor) -> Tensor:
        half = torch.linalg.solve_triangular(self.factor.T, gradient[:, None], upper=False)
        whole: Tensor = torch.linalg.solve_triangular(self.factor, half, upper=True)
        return -whole[:, 0]


class QRSystem(System):
    """Orthogonal factors: 2 m p² flops once, 10/3 p³ for each μ.

    Of several processes each factorises its own rows, and all factorise the factors (TSQR).
    """

    name: ClassVar[str] = "qr"

    def prepare(self) -> None:
        self.factor = torch.linalg.qr(self.jacobian, mode="r")[1]
        if self.ranks.count > 1:
            self.factor = torch.linalg.qr(self.ranks.join(self.factor), mode="r")[1]

    def damped(self, mu: float) -> Damped | None:
        penalty = mu * self.weights
        stacked = torch.cat([self.factor, torch.diag(penalty.sqrt())])
        factor = torch.linalg.qr(stacked, mode="r")[1]
        if not bool((factor.diagonal().abs() > 0).all()):
            return None
        return _SemiNormal(self.jacobian, penalty, factor, self.ranks)


class _Dual:
    """d = -D⁻² Jᵀ (J D⁻² Jᵀ + μ I)⁻¹ b."""

    def __init__(self, scaled: Tensor, factor: Tensor, ranks: Ranks) -> None:
        self.scaled, self.factor, self.ranks = scaled, factor, ranks

    def solve(self, b: Tensor) -> Tensor:
        return -(self.scaled.T @ torch.cholesky_solve(self.ranks.join(b)[:, None], self.factor))[:, 0]


class DualSystem(System):
    """For fewer rows than parameters: p m² flops once, m³/3 for each μ."""

    name: ClassVar[str] = "dual"

    def prepare(self) -> None:
        whole = self.ranks.join(self.jacobian)
        self.scaled = whole / self.weights
        self.gram = self.scaled @ whole.T

    def damped(self, mu: float) -> Damped | None:
        matrix = self.gram.clone()
        matrix.diagonal().add_(mu)
        factor, failed = torch.linalg.cholesky_ex(matrix)
        return None if int(failed) else _Dual(self.scaled, factor, self.ranks)


SYSTEMS: dict[str, type[System]] = {kind.name: kind for kind in (NormalSystem, QRSystem, DualSystem)}
