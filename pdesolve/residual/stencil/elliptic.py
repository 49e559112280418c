"""`Stencil`: residual and solution of a linear elliptic equation on uniform nodes, many members at once."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from .form import EllipticForm

ITERATIONS = 200
"""Of conjugate gradients, at most. A contrast of 4 takes about 20 for nine digits."""


class Stencil:
    """Finite volumes with two neighbours along each axis.

        R(u)_j = Σ_i [p_{j+½}(u_{j+1} - u_j) - p_{j-½}(u_j - u_{j-1})]/h_i² + r_j u_j + g_j

    at the interior nodes, p at a face the mean of the two nodes. Second order where p is smooth; first
    order where it jumps, with no weight on the place of the jump between two nodes. `solve` inverts it by
    conjugate gradients, preconditioned by the same stencil with constant coefficients, which sine transforms
    diagonalise: one iteration where the coefficients are constant, at every size.

    Args:
        form: of the equation.
        points: nodes on each axis, both ends included.
    """

    def __init__(
        self,
        form: EllipticForm,
        points: int,
        dtype: torch.dtype = torch.float64,
        device: str | torch.device = "cpu",
    ) -> None:
        if points < 4:
            raise ValueError(f"Stencil(points=) must be at least 4; got {points}.")
        self.form, self.points = form, points
        self.axes = form.axes(points)
        self.dimension = len(self.axes)
        self.spacing = [float(a[1] - a[0]) for a in self.axes]
        self.lift = torch.as_tensor(form.lift(self.axes), dtype=dtype, device=device)
        self._own = tuple(range(1, self.dimension + 1))

    # -- the residual --------------------------------------------------------------------------------

    def residual(self, u: Tensor, fields: Mapping[str, Tensor]) -> Tensor:
        """R at the interior nodes, (n, *interior), of u (n, *grid) with inputs (n, *grid)."""
        flux, reaction, source = self.form.coefficients(fields, self.axes)
        return self._operator(flux, reaction, u) + self._interior(source)

    def _operator(self, flux: list[Tensor], reaction: Tensor, u: Tensor) -> Tensor:
        result = self._interior(reaction) * self._interior(u)
        for axis, (p, h) in enumerate(zip(flux, self.spacing, strict=True), 1):
            n = u.shape[axis]
            at_faces = (p.narrow(axis, 1, n - 1) + p.narrow(axis, 0, n - 1)) / 2
            through = at_faces * u.diff(dim=axis)
            result = result + self._interior(through.diff(dim=axis), but=axis) / h**2
        return result

    def _interior(self, values: Tensor, but: int | None = None) -> Tensor:
        for axis in self._own:
            if axis != but:
                values = values.narrow(axis, 1, values.shape[axis] - 2)
        return values

    # -- its inverse ---------------------------------------------------------------------------------

    def correction(self, u: Tensor, fields: Mapping[str, Tensor], iterations: int) -> Tensor:
        """What so many iterations of conjugate gradients add to u (n, *grid), at the interior nodes.

        It is u* - u where the coefficients are constant, and elsewhere up to 2 ((√c - 1)/(√c + 1))^iterations
        of that in the energy norm, c their contrast: a residual in the units of u. No gradient passes.

        Raises:
            ArithmeticError: the operator is not definite.
        """
        with torch.no_grad():
            flux, reaction, source = self.form.coefficients(fields, self.axes)
            left = self._operator(flux, reaction, u) + self._interior(source)
            return _System(self, flux, reaction).iterated(left, 0.0, iterations)[0]

    def solve(self, fields: Mapping[str, Tensor], rtol: float = 1e-10) -> Tensor:
        """u (n, *grid) with R(u) = 0; differentiable once in the inputs, by the adjoint of the operator.

        Args:
            rtol: of the residual, relative to that of the boundary values alone.

        Raises:
            ArithmeticError: conjugate gradients do not converge: the operator is not definite.
        """
        flux, reaction, source = self.form.coefficients(fields, self.axes)
        system = _System(self, [p.detach() for p in flux], reaction.detach())
        some = next(iter(fields.values()))
        lift = self.lift.to(some).expand(len(some), *self.lift.shape)
        with torch.no_grad():
            left = self._operator(flux, reaction, lift) + self._interior(source)
            u = lift + self._padded(system.inverse(left, rtol))
        if not any(f.requires_grad for f in fields.values()):
            return u
        # A Newton step from the solution changes nothing but carries the derivative.
        again = self._operator(flux, reaction, u) + self._interior(source)
        return u + self._padded(_Inverse.apply(again, system, rtol))  # type: ignore[no-untyped-call]

    def _padded(self, interior: Tensor) -> Tensor:
        padded: Tensor = torch.nn.functional.pad(interior, (1, 1) * self.dimension)
        return padded

    @cached_property
    def sines(self) -> Tensor:
        """The sine transform of the interior nodes, its own inverse."""
        m = self.points - 2
        k = torch.arange(1, m + 1, dtype=torch.float64)
        return torch.sin(math.pi / (m + 1) * k[:, None] * k) * math.sqrt(2 / (m + 1))

    def transformed(self, values: Tensor) -> Tensor:
        """Sine transforms along all axes of (n, *interior)."""
        matrix = self.sines.to(values)
        for axis in self._own:
            values = (values.transpose(axis, -1) @ matrix).transpose(axis, -1)
        return values

    def laplacians(self, scale: list[Tensor]) -> Tensor:
        """Eigenvalues Σ_i scale_i λ_i of the negative second differences, (n, *interior)."""
        m = self.points - 2
        k = torch.arange(1, m + 1, dtype=torch.float64)
        total: Any = 0.0
        for i, (s, h) in enumerate(zip(scale, self.spacing, strict=True)):
            own = (2 / h * torch.sin(math.pi * k / (2 * (m + 1)))) ** 2
            shape = [1] * (self.dimension + 1)
            shape[i + 1] = m
            total = total + s.view(-1, *[1] * self.dimension) * own.to(s).view(shape)
        return total  # type: ignore[no-any-return]


class _System:
    """K = ∓(the operator), positive definite, of members with known coefficients."""

    def __init__(self, stencil: Stencil, flux: list[Tensor], reaction: Tensor) -> None:
        self.stencil, self.flux, self.reaction = stencil, flux, reaction
        self.sign = -1.0 if float(flux[0].mean()) > 0 else 1.0
        means = [p.flatten(1).mean(dim=1).abs() for p in flux]
        constant = stencil.laplacians(means)
        shift = (self.sign * reaction).flatten(1).mean(dim=1).view(-1, *[1] * stencil.dimension)
        self.eigenvalues = constant + shift
        if float(self.eigenvalues.min()) <= 0:
            raise ArithmeticError("The operator is not definite: its reaction is beyond the first resonance.")

    def apply(self, u: Tensor) -> Tensor:
        padded = self.stencil._padded(u)
        return self.sign * self.stencil._operator(self.flux, self.reaction, padded)

    def precondition(self, r: Tensor) -> Tensor:
        return self.stencil.transformed(self.stencil.transformed(r) / self.eigenvalues)

    def inverse(self, left: Tensor, rtol: float) -> Tensor:
        """What is to be added to u to cancel the residual ``left``.

        Raises:
            ArithmeticError: ``rtol`` is not met.
        """
        x, left_over = self.iterated(left, rtol, ITERATIONS)
        if not left_over <= rtol:
            raise ArithmeticError(
                f"Conjugate gradients left a residual of {left_over:.1e} after "
                f"{ITERATIONS} iterations; {rtol:.1e} was asked for."
            )
        return x

    def iterated(self, left: Tensor, rtol: float, iterations: int) -> tuple[Tensor, float]:
        """Conjugate gradients side by side, and the largest residual that they leave, as a share."""
        r = -self.sign * left
        scale = _norm(r)
        scale = torch.where(scale == 0, torch.ones_like(scale), scale)
        x, z = torch.zeros_like(r), self.precondition(r)
        p, rz = z, _dot(r, z)
        left_over = math.inf
        for _ in range(iterations):
            kp = self.apply(p)
            curvature = _dot(p, kp)
            # A member that has converged to zero stays as it is.
            step = torch.where(curvature > 0, rz / curvature, torch.zeros_like(rz))
            x, r = x + step * p, r - step * kp
            left_over = float((_norm(r) / scale).max())
            if left_over <= rtol:
                break
            z = self.precondition(r)
            before, rz = rz, _dot(r, z)
            p = z + torch.where(before > 0, rz / before, torch.zeros_like(rz)) * p
        return x, left_over


class _Inverse(torch.autograd.Function):
    """The inverse of a symmetric operator, whose adjoint is itself."""

    @staticmethod
    def forward(ctx: Any, left: Tensor, system: _System, rtol: float) -> Tensor:
        ctx.system, ctx.rtol = system, rtol
        return system.inverse(left, rtol)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:  # type: ignore[override]
        return ctx.system.inverse(gradient, ctx.rtol), None, None


def _dot(a: Tensor, b: Tensor) -> Tensor:
    """Sums over each member, (n, 1, …)."""
    return (a * b).flatten(1).sum(dim=1).view(-1, *[1] * (a.ndim - 1))


def _norm(a: Tensor) -> Tensor:
    return _dot(a, a).sqrt()


Draw = Callable[[tuple[Any, ...]], Mapping[str, Tensor]]
"""Inputs of many members, (n, *grid) each, at the nodes of given axes."""

__all__ = ["Draw", "Stencil"]
