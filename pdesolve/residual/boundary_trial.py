"""Trial functions that meet Dirichlet data on straight and circular parts of a shape: u = Σ w_i g_i + F N.

A line that bounds the region has the distance f = n·(x - a), a circle around it f = R² - |x - c|², a hole
f = (|x - c|² - R²) / (|x - c|² + R²), all positive inside. F is the product of those that carry data, scaled
to about one. Pieces whose data one expression describes are one set, so that most problems need a single
g; between sets that do not touch g is interpolated with weights by inverse distance, w_i = Π_{j≠i} F_j / Σ_k
Π_{j≠k} F_j (transfinite interpolation: Sukumar & Srivastava, Comput. Methods Appl. Mech. Engrg. 389 (2022)
114333).

Only where F and the lift stay smooth are conditions met in this way; the others stay rows:

- a piece whose line or circle goes on through the region (both sides of a re-entrant corner). Distances can
  be trimmed there, but no smooth function vanishes on such a corner alone: second derivatives grow like
  1/r, and a network reached an error of 1.5e-2 on the L-shape where rows on its two inner sides gave 6e-5.
- a piece that touches another with other data: weights have a kink in the corner (9e-4 against 4e-7).
- ellipses, curves of meshes, surfaces in space, and data that are functions;
- data whose expression has a singularity inside, such as log(x² + y²) on a circle around the origin.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import sympy as sp

from ..declare import Domain, Problem
from ..declare.domain import Array
from ..declare.regions.curves import Curve, Segment
from .program import lower

MAX_PIECES = 12
"""Most lines and circles in one distance: each costs time at every point and step."""

MAX_CURVES = 64
"""Parts of more curves stay rows without a closer look."""

MAX_SETS = 4
"""Most different data in one lift: the derivatives of the weights of five sets are unwieldy."""

_MISMATCH = 1e-9  # relative to the size of the data
_ON_CURVE = 1e-9  # relative to the size of the domain
_POINTS = 64  # on each curve


@dataclass(frozen=True)
class Part:
    """The data of one condition's term on a part of the boundary."""

    term: str
    curves: tuple[Curve, ...]
    value: sp.Expr


@dataclass(frozen=True)
class _Piece:
    """One curve with data."""

    term: str
    curve: Curve
    value: sp.Expr


@dataclass(frozen=True)
class BoundaryTrial:
    """Lift and factor, and the terms that they meet."""

    lift: sp.Expr
    factor: sp.Expr
    terms: frozenset[str]


def boundary_trial(problem: Problem, parts: Sequence[Part]) -> BoundaryTrial:
    """Lift and factor that meet the data of those ``parts`` that allow it."""
    parts = [part for part in parts if len(part.curves) <= MAX_CURVES]
    if not parts:
        return BoundaryTrial(sp.Integer(0), sp.Integer(1), frozenset())
    shape = _Shape(problem)
    pieces = [_Piece(part.term, curve, part.value) for part in parts for curve in part.curves]
    sets = _apart(_sets([piece for piece in pieces if shape.is_behind(piece.curve)], problem), shape)
    sets = [(value, _closed(members, shape)) for value, members in sets]
    sets = [(value, members) for value, members in sets if members][:MAX_SETS]
    kept = [piece for _, members in sets for piece in members]
    carriers = dict.fromkeys(shape.distance(piece.curve) for piece in kept)
    if not kept or len(carriers) > MAX_PIECES:
        return BoundaryTrial(sp.Integer(0), sp.Integer(1), frozenset())
    terms = {part.term for part in parts} - {piece.term for piece in pieces if piece not in kept}
    return BoundaryTrial(_lift(sets, shape), shape.product(kept), frozenset(terms))


def points_on(part: Part, problem: Problem) -> Array:
    """Points (n, d) of the curves themselves, ends excluded, at a few times."""
    return _at_times(np.concatenate([_along(curve) for curve in part.curves]), problem)


class _Shape:
    """The boundary as points, and the distances from its lines and circles."""

    def __init__(self, problem: Problem) -> None:
        domain = Domain(problem.domain.region)
        self.coordinates = domain.coordinates
        self.tolerance = _ON_CURVE * max(axis.length for axis in domain.axes)
        known = {face.name: domain.region.boundary_curves(face.name) for face in domain.faces}
        self.boundary = np.concatenate(
            [
                # The first three points of a cover may be corners.
                domain.cover(8 * _POINTS, name)[3:]
                if curves is None
                else np.concatenate([*map(_along, curves)])
                for name, curves in known.items()
            ]
        )
        self.inside = domain.cover(1024)

    def distance(self, curve: Curve) -> sp.Expr:
        """f of the line or circle; pieces of one line have one and the same."""
        x, y = self.coordinates
        if isinstance(curve, Segment):
            (x0, y0), (x1, y1) = curve.start, curve.end
            length = np.hypot(x1 - x0, y1 - y0)
            normal = (y0 - y1) / length, (x1 - x0) / length  # to the left: inwards
            return _number(normal[0]) * x + _number(normal[1]) * y - _number(normal[0] * x0 + normal[1] * y0)
        (a, b), r = curve.center, _number(curve.radius)
        away = (x - _number(a)) ** 2 + (y - _number(b)) ** 2
        return r**2 - away if curve.is_outer else (away - r**2) / (away + r**2)

    def values(self, expression: sp.Expr, points: Array) -> Array:
        found = lower(self.coordinates, expression, "numpy")(*points.T)
        return np.broadcast_to(np.asarray(found, dtype=np.float64), (len(points),))

    def is_behind(self, curve: Curve) -> bool:
        """Whether the line or circle leaves the whole region on its inner side."""
        return bool(self.values(self.distance(curve), self.boundary).min() >= -self.tolerance)

    def product(self, pieces: Sequence[_Piece]) -> sp.Expr:
        """F of several pieces, at most about one in the region."""
        product = sp.Mul(*dict.fromkeys(self.distance(piece.curve) for piece in pieces))
        return product / _number(self.values(product, self.inside).max())

    def touch(self, a: Curve, b: Curve) -> bool:
        """Whether two curves have an end in common."""
        away = np.linalg.norm(_ends(a)[:, None] - _ends(b)[None], axis=2)
        return bool((away <= 1e3 * self.tolerance).any())


def _sets(pieces: Sequence[_Piece], problem: Problem) -> list[tuple[sp.Expr, list[_Piece]]]:
    """Few expressions, each with the pieces whose data it describes: the most pieces first."""
    places = {piece.curve: _at_times(_along(piece.curve), problem) for piece in pieces}
    fitting = {
        value: [p for p in pieces if value == p.value or _equal(value, p.value, problem, places[p.curve])]
        for value in dict.fromkeys(piece.value for piece in pieces)
    }
    left, sets = list(pieces), []
    while left:
        value = max(fitting, key=lambda v: sum(piece in left for piece in fitting[v]))
        sets.append((value, [piece for piece in fitting[value] if piece in left]))
        left = [piece for piece in left if piece not in fitting[value]]
    return sets


def _apart(sets: Sequence[tuple[sp.Expr, list[_Piece]]], shape: _Shape) -> list[tuple[sp.Expr, list[_Piece]]]:
    """The sets without pieces that touch one of an earlier set."""
    kept: list[tuple[sp.Expr, list[_Piece]]] = []
    for value, members in sets:
        others = [other.curve for _, earlier in kept for other in earlier]
        free = [piece for piece in members if not any(shape.touch(piece.curve, other) for other in others)]
        kept.append((value, free))
    return kept


def _closed(members: list[_Piece], shape: _Shape) -> list[_Piece]:
    """Without pieces whose line or circle holds other parts of the boundary, where F must not vanish."""
    kept = []
    for piece in members:
        f = shape.distance(piece.curve)
        own = np.concatenate([_along(p.curve) for p in members if shape.distance(p.curve) == f])
        on_it = np.abs(shape.values(f, shape.boundary)) <= shape.tolerance
        if on_it.sum() == len(own):
            kept.append(piece)
    return kept


def _lift(sets: Sequence[tuple[sp.Expr, list[_Piece]]], shape: _Shape) -> sp.Expr:
    """Σ w_i g_i."""
    if len(sets) == 1:
        return sets[0][0]
    distances = [shape.product(members) for _, members in sets]
    products = [sp.Mul(*distances[:i], *distances[i + 1 :]) for i in range(len(sets))]
    return sp.Add(*(g * p for (g, _), p in zip(sets, products, strict=True))) / sp.Add(*products)


def _number(value: float) -> sp.Expr:
    """A number without the last digits, in which equal lines differ."""
    rounded = float(f"{float(value):.13g}") if abs(value) > 1e-15 else 0.0
    return sp.Integer(rounded) if rounded.is_integer() else sp.Float(rounded)


def _along(curve: Curve) -> Array:
    """Points (n, 2) of a curve, ends excluded."""
    shares = (np.arange(_POINTS) + 0.5) / _POINTS
    return _at(curve, shares)


def _ends(curve: Curve) -> Array:
    """Ends (2, 2) of a curve, none of a circle."""
    if not isinstance(curve, Segment) and curve.is_circle:
        return np.empty((0, 2))
    return _at(curve, np.array([0.0, 1.0]))


def _at(curve: Curve, shares: Array) -> Array:
    """Points at shares of the length of a curve."""
    if isinstance(curve, Segment):
        start, end = np.array(curve.start), np.array(curve.end)
        return np.asarray(start + shares[:, None] * (end - start))
    angles = curve.first + shares * (curve.last - curve.first)
    circle = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return np.asarray(curve.center + curve.radius * circle)


def _at_times(points: Array, problem: Problem) -> Array:
    time = problem.domain.time
    if time is None:
        return points
    times = np.linspace(*time.bounds, 5)
    return np.column_stack([np.tile(points, (len(times), 1)), np.repeat(times, len(points))])


def _equal(a: sp.Expr, b: sp.Expr, problem: Problem, points: Array) -> bool:
    with np.errstate(all="ignore"):
        found, expected = (
            np.broadcast_to(lower(problem.coordinates, e, "numpy")(*points.T), (len(points),)) for e in (a, b)
        )
    scale = max(np.abs(found).max(), np.abs(expected).max())
    return bool(np.abs(found - expected).max() <= _MISMATCH * scale)
