"""What joins two parts of a cut box: residuals at the cut, read off the symbols."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import sympy as sp

from ...declare import Problem
from ...residual import Derivative

if TYPE_CHECKING:
    from .subdomains import Part

CONDITIONS = ("solution", "flux", "gradient", "residual", "residual-gradient")
"""Names of interface conditions; see `interface_residuals`."""


def interface_residuals(a: Part, b: Part, names: Sequence[str]) -> Iterator[tuple[str, sp.Expr]]:
    """Differences of both sides of a cut that vanish, with a name for each.

    For every unknown u and every equation E = 0 across a cut at x:

        solution            [∂ᵏu/∂xᵏ], k = 0 … max(m - 2, 0), m the order of the equations in x
        flux                [F], E = ∂F/∂x + …; see `flux`
        gradient            [∂u/∂x]
        residual            [E]
        residual-gradient   [∂E/∂x]
    """
    problem, x = a.declared, a.declared.coordinates[a.axis]
    for name in names:
        if name == "solution":
            for k, u in enumerate(problem.unknowns):
                for order in range(max(problem.order(u, x) - 1, 1)):
                    label = f"{u.func.__name__}{'_' * bool(order)}{x.name * order}"
                    yield f"{name} {label}", _side(a, k, order) - _side(b, k, order)
        elif name == "gradient":
            for k, u in enumerate(problem.unknowns):
                yield f"{name} {u.func.__name__}", _side(a, k, 1) - _side(b, k, 1)
        else:
            for of, equation in problem.equations.items():
                if name == "flux":
                    sides = [part.restrict(flux(problem, equation, a.axis)) for part in (a, b)]
                else:
                    sides = [part.restrict(equation) for part in (a, b)]
                if name == "residual-gradient":
                    sides = [part.along(side) for part, side in zip((a, b), sides, strict=True)]
                if sides[0] != sides[1]:
                    yield f"{name} {of}", sides[0] - sides[1]


def _side(part: Part, k: int, order: int) -> sp.Expr:
    result = part.copies[k]
    for _ in range(order):
        result = part.along(result)
    return result


def flux(problem: Problem, equation: sp.Expr, axis: int) -> sp.Expr:
    """F along an axis, of an equation E = ∂F/∂x + S.

    Every derivative ∂ᵐu/∂xᵐ with m >= 2 and coefficient c gives c ∂ᵐ⁻¹u/∂xᵐ⁻¹; what is then left of first
    derivatives, Σ b_k(u) ∂u_k/∂x with b polynomial in the unknowns, gives the convective flux
    ∫₀¹ Σ u_k b_k(λu) dλ. For -(k u_x)_x + (u²/2)_x that is -k u_x + u²/2, whether it was declared so or
    multiplied out. Other first derivatives are left to S: their flux is continuous where the unknowns are.
    """
    equation, x = problem.substitute(equation), problem.coordinates[axis]
    unit = tuple(int(i == axis) for i in range(len(problem.coordinates)))
    diffusive = sp.Integer(0)
    for coefficient, (k, index) in _coefficients(problem, equation):
        if index[axis] == sum(index) >= 2:
            diffusive += coefficient * problem.unknowns[k].diff(x, index[axis] - 1)
    rest = sp.expand((equation - diffusive.diff(x)).doit())
    scale = sp.Dummy("scale", real=True)
    convective = sp.Integer(0)
    for coefficient, (k, index) in _coefficients(problem, rest):
        if index != unit or not coefficient.is_polynomial(*problem.unknowns):
            continue
        if problem.derivatives(coefficient).keys() - set(problem.unknowns):
            continue
        along = coefficient.xreplace({u: scale * u for u in problem.unknowns})
        convective += problem.unknowns[k] * sp.integrate(sp.expand(along), (scale, 0, 1))
    return diffusive + convective


def _coefficients(problem: Problem, expression: sp.Expr) -> list[tuple[sp.Expr, Derivative]]:
    """∂(expression)/∂(derivative), and which one it is, for each derivative in it."""
    found = problem.derivatives(expression)
    symbols = {node: sp.Dummy() for node in found}
    back = {symbol: node for node, symbol in symbols.items()}
    lowered = expression.xreplace(symbols)
    return [(sp.diff(lowered, symbols[node]).xreplace(back), which) for node, which in found.items()]
