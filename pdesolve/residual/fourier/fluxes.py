"""Products written as divergences: u u_x = (u²/2)_x needs one transform each way instead of three.

The coefficients of the first derivatives along an axis, Σ_c f_c(w) ∂_x w_c, are a derivative ∂_x F(w) where
f is the gradient of F. Monomial by monomial: λ M is part of F where every f_c holds λ ∂M/∂w_c. What a
constraint such as u_x + v_y = 0 leaves out is added back: u u_x + v u_y = (u²)_x + (u v)_y.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import sympy as sp

Powers = tuple[int, ...]
Gradient = dict[tuple[int, Powers], dict[int, sp.Expr]]
"""(axis, powers of M) -> {component c: the coefficient of (M / w_c) ∂w_c}."""


@dataclass(frozen=True)
class FirstOrder:
    """The symbols of fields and of their first derivatives along each axis.

    Attributes:
        values: symbol of each component.
        derivatives: first derivative -> (component, axis).
        others: higher derivatives and the coordinates, which no flux may hold.
    """

    values: tuple[sp.Symbol, ...]
    derivatives: dict[sp.Symbol, tuple[int, int]]
    others: frozenset[sp.Symbol]


@dataclass
class Flux:
    """``local + Σ_axis ∂_axis along[axis]``."""

    local: sp.Expr
    along: dict[int, sp.Expr] = field(default_factory=dict)


def conservative(expression: sp.Expr, symbols: FirstOrder, constraints: Sequence[sp.Expr] = ()) -> Flux:
    """The expression with as much of it as possible under a derivative.

    Args:
        constraints: expressions that vanish, Σ c ∂w with constant c; multiples may be added.
    """
    gradient, local = _gradient(sp.expand(expression), symbols)
    zeros = [g for c in constraints for g, rest in [_gradient(c, symbols)] if rest == 0]
    while (better := _with_constraint(gradient, zeros)) is not None:
        gradient = better
    flux = Flux(local)
    for (axis, powers), slopes in gradient.items():
        factor = _potential(powers, slopes)
        if factor is None:
            flux.local += _unmatched(axis, powers, slopes, symbols)
        else:
            term = factor * sp.prod(w**p for w, p in zip(symbols.values, powers, strict=True))
            flux.along[axis] = flux.along.get(axis, sp.Integer(0)) + term
    return flux


def _gradient(expression: sp.Expr, symbols: FirstOrder) -> tuple[Gradient, sp.Expr]:
    """The monomials with one first derivative in a polynomial of values; and all else."""
    gradient: Gradient = {}
    local = sp.Integer(0)
    for term in sp.Add.make_args(expression):
        slopes = [s for s in term.free_symbols if s in symbols.derivatives]
        coefficient, powers = term, None
        if len(slopes) == 1 and not term.free_symbols & symbols.others:
            component, axis = symbols.derivatives[slopes[0]]
            coefficient = sp.cancel(term / slopes[0]) if term.has(sp.Pow) else term / slopes[0]
            powers = coefficient.as_powers_dict()
            counts = [powers.get(w, 0) for w in symbols.values]
            rest = coefficient / sp.prod(w**p for w, p in zip(symbols.values, counts, strict=True))
            if rest.is_number and all(isinstance(p, int) or (p.is_Integer and p >= 0) for p in counts):
                counts[component] += 1
                key = axis, tuple(int(p) for p in counts)
                found = gradient.setdefault(key, {})
                found[component] = found.get(component, sp.Integer(0)) + rest
                continue
        local += term
    return gradient, local


def _potential(powers: Powers, slopes: dict[int, sp.Expr]) -> sp.Expr | None:
    """λ where the slopes are the gradient of λ M, else None."""
    members = [c for c, p in enumerate(powers) if p]
    if any(c not in slopes for c in members):
        return None
    first, *others = [slopes[c] / powers[c] for c in members]
    scale = abs(float(first))
    return first if all(abs(float(f - first)) <= 1e-14 * scale for f in others) else None


def _with_constraint(gradient: Gradient, zeros: Sequence[Gradient]) -> Gradient | None:
    """The gradient plus a multiple of a constraint that leaves fewer monomials unmatched, or None."""
    unmatched = _count(gradient)
    for (axis, powers), slopes in gradient.items():
        if _potential(powers, slopes) is not None:
            continue
        for missing in (c for c, p in enumerate(powers) if p and c not in slopes):
            c, slope = next(iter(slopes.items()))
            wanted = slope / powers[c] * powers[missing]
            factor = tuple(p - (k == missing) for k, p in enumerate(powers))
            for zero in zeros:
                single = tuple(int(k == missing) for k in range(len(powers)))
                present = zero.get((axis, single), {}).get(missing)
                if present is None:
                    continue
                candidate = {key: dict(value) for key, value in gradient.items()}
                for (other, unit), coefficients in zero.items():
                    key = other, tuple(p + q for p, q in zip(unit, factor, strict=True))
                    for k, coefficient in coefficients.items():
                        found = candidate.setdefault(key, {})
                        found[k] = found.get(k, sp.Integer(0)) + wanted / present * coefficient
                if _count(candidate) < unmatched:
                    return candidate
    return None


def _count(gradient: Gradient) -> int:
    return sum(_potential(powers, slopes) is None for (_, powers), slopes in gradient.items())


def _unmatched(axis: int, powers: Powers, slopes: dict[int, sp.Expr], symbols: FirstOrder) -> sp.Expr:
    """The monomials as they were."""
    result = sp.Integer(0)
    derivative = {place: s for s, place in symbols.derivatives.items()}
    for c, coefficient in slopes.items():
        rest = [p - (k == c) for k, p in enumerate(powers)]
        monomial = sp.prod(w**p for w, p in zip(symbols.values, rest, strict=True))
        result += coefficient * monomial * derivative[c, axis]
    return result


__all__ = ["FirstOrder", "Flux", "conservative"]
