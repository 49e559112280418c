"""Smooth functions that vanish on curves of a boundary, and weights that interpolate between curves.

A straight line has f = n·(x - a), a circle f = ±(R² - |x - c|²) / (2R), both positive in the region and with
unit slope on the curve. Where the line or circle goes on into the region beyond the piece that is meant, f is
trimmed by a function t that is positive on the piece (Sukumar & Srivastava, Comput. Methods Appl. Mech.
Engrg. 389 (2022) 114333):

    φ² = f² + s²,   s = (√(t² + f⁴/ℓ²) - t) / 2,   ℓ the size of the piece

Several pieces are joined by the product F = Π φ_i; weights between sets of curves are
w_i = Π_{j≠i} F_j / Σ_k Π_{j≠k} F_j. All is carried by jets, so that any derivative is exact and those on the
boundary itself, corners apart, are its limits from inside.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import ClassVar

import torch
from torch import Tensor

from ..declare.problem import MultiIndex
from ..declare.regions.curves import Arc, Curve, Segment
from .activations import Derivatives
from .jets import Jet, JetSpace
from .multiindex import product_rule

_ON_CURVE = 1e-4
"""Relative to the size of a piece: how far behind a trimmed piece its own side reaches. Polygons that stand
for circles leave the circle by less."""


@dataclass(frozen=True)
class Piece:
    """One curve; trimmed where the line or circle that it lies on meets the region elsewhere."""

    curve: Curve
    is_trimmed: bool

    def __call__(self, x: Jet) -> Jet:
        """φ of one channel from the jet of the two coordinates."""
        f, t, size = line_or_circle(self.curve, x)
        if not self.is_trimmed:
            return f
        f = _where(f.value < -_ON_CURVE * size, _scaled(f, -1.0), f)
        f_squared = _product(f, f)
        q = _scaled(f_squared, 1 / size)
        root = _sum(_product(t, t), _product(q, q)).apply(_power(0.5))
        # Two forms of φ: the first is smooth on the piece, the second on the rest of the line.
        ratio = _scaled(_product(f, _product(q, _sum(root, t).apply(_power(-1.0)))), 0.5 / size)  # s / f
        near = _product(f, _shifted(_product(ratio, ratio), 1.0).apply(_power(0.5)))
        s = _scaled(_sum(root, _scaled(t, -1.0)), 0.5)
        far = _sum(f_squared, _product(s, s)).apply(_power(0.5))
        return _where(t.value > 0, near, far)


def line_or_circle(curve: Curve, x: Jet) -> tuple[Jet, Jet, float]:
    """f, t and the size ℓ of a piece."""
    return _line(curve, x) if isinstance(curve, Segment) else _circle(curve, x)


def _line(segment: Segment, x: Jet) -> tuple[Jet, Jet, float]:
    """Distance from the line, trimming function (the disk around the segment), and length."""
    (x0, y0), (x1, y1) = segment.start, segment.end
    length = math.hypot(x1 - x0, y1 - y0)
    normal = (-(y1 - y0) / length, (x1 - x0) / length)  # to the left: inwards
    f = _affine(x, normal, -(normal[0] * x0 + normal[1] * y0))
    away = _squared_distance(x, ((x0 + x1) / 2, (y0 + y1) / 2))
    return f, _shifted(_scaled(away, -1 / length), length / 4), length


def _circle(arc: Arc, x: Jet) -> tuple[Jet, Jet, float]:
    """Distance from the circle to first order, trimming function (the chord's half-plane), and radius."""
    (a, b), radius = arc.center, arc.radius
    sign = 1.0 if arc.is_outer else -1.0
    f = _shifted(_scaled(_squared_distance(x, (a, b)), -sign / (2 * radius)), sign * radius / 2)
    middle, half = (arc.first + arc.last) / 2, (arc.last - arc.first) / 2
    direction = (math.cos(middle), math.sin(middle))
    t = _affine(x, direction, -(direction[0] * a + direction[1] * b) - radius * math.cos(half))
    return f, t, radius


@dataclass(frozen=True)
class Distance:
    """F = Π φ_i / scale: zero on the pieces, positive elsewhere in the region."""

    pieces: tuple[Piece, ...]
    scale: float = 1.0

    at_corners: ClassVar[float] = 0.0

    def __call__(self, x: Jet) -> Jet:
        return _scaled(reduce(_product, (piece(x) for piece in self.pieces)), 1 / self.scale)


@dataclass(frozen=True)
class Weight:
    """w_i: one on the pieces of the i-th set, zero on those of the others; all weights add up to one."""

    sets: tuple[Distance, ...]
    index: int

    def __call__(self, x: Jet) -> Jet:
        distances = [distance(x) for distance in self.sets]
        products = [
            reduce(_product, (d for j, d in enumerate(distances) if j != i)) for i in range(len(distances))
        ]
        return _product(products[self.index], reduce(_sum, products).apply(_power(-1.0)))

    @property
    def at_corners(self) -> float:
        return 1 / len(self.sets)


BoundaryFunction = Distance | Weight


def evaluate(function: BoundaryFunction, points: Tensor, wanted: Sequence[MultiIndex]) -> list[Tensor]:
    """Derivatives (n,) of a function at ``points`` (n, 2).

    At a corner itself the derivatives do not exist. They are set to zero there, which is right for the first
    ones of a solution: in a corner the data on both sides fix its gradient.
    """
    jet = function(JetSpace.of(wanted).coordinates(points))
    found = []
    for index in wanted:
        corner = 0.0 if any(index) else function.at_corners
        found.append(torch.nan_to_num(jet.component(0, index), nan=corner, posinf=corner, neginf=corner))
    return found


# -- arithmetic of jets ----------------------------------------------------------------------------


def _affine(x: Jet, weights: Sequence[float], offset: float) -> Jet:
    value = x.value
    return x.linear(value.new_tensor([list(weights)]), value.new_tensor([offset]))


def _squared_distance(x: Jet, center: tuple[float, float]) -> Jet:
    dx, dy = _affine(x, (1.0, 0.0), -center[0]), _affine(x, (0.0, 1.0), -center[1])
    return _sum(_product(dx, dx), _product(dy, dy))


def _scaled(a: Jet, factor: float) -> Jet:
    return Jet(a.space, {index: factor * part for index, part in a.parts.items()})


def _shifted(a: Jet, constant: float) -> Jet:
    return Jet(a.space, {**a.parts, a.space.zero: a.value + constant})


def _sum(a: Jet, b: Jet) -> Jet:
    parts = dict(a.parts)
    for index, part in b.parts.items():
        parts[index] = parts[index] + part if index in parts else part
    return Jet(a.space, parts)


def _product(a: Jet, b: Jet) -> Jet:
    """Leibniz' rule."""
    parts: dict[tuple[int, ...], Tensor] = {}
    for index in a.space.indices:
        for coefficient, beta, rest in product_rule(index):
            if beta in a.parts and rest in b.parts:
                term = coefficient * a.parts[beta] * b.parts[rest]
                parts[index] = parts[index] + term if index in parts else term
    return Jet(a.space, parts)


def _where(condition: Tensor, a: Jet, b: Jet) -> Jet:
    zero = a.value.new_zeros(())
    return Jet(
        a.space,
        {
            index: torch.where(condition, a.parts.get(index, zero), b.parts.get(index, zero))
            for index in a.space.indices
        },
    )


def _power(exponent: float) -> Derivatives:
    """v ↦ v^p with its derivatives."""

    def derivatives(v: Tensor, order: int) -> list[Tensor]:
        found, factor = [], 1.0
        for k in range(order + 1):
            found.append(factor * v ** (exponent - k))
            factor *= exponent - k
        return found

    return derivatives
