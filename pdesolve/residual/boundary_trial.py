"""Trial functions that meet Dirichlet conditions on the segments and arcs of a shape: u = Σ w_i g_i + F N.

F is a smooth distance to all parts that carry such conditions, w_i weights by inverse distance between the
parts with different data g_i (transfinite interpolation: Rvachev, Sheiko, Shapiro & Tsukanov, Comput. Aided
Geom. Design 18 (2001) 195; Sukumar & Srivastava 2022, see `distance`). Parts whose data one expression
describes are one set, so that most problems need no weights at all.

What cannot be met so stays a row: parts that are made of other curves, data that are functions, data that
disagree with those of an earlier condition where their parts meet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import sympy as sp
import torch

from ..declare import Domain, Problem
from ..declare.domain import Array
from ..declare.regions.curves import Curve, Segment
from .distance import BoundaryFunction, Distance, Piece, Weight, evaluate, line_or_circle
from .jets import Jet, JetSpace
from .program import lower

MAX_PIECES = 32
"""Most pieces of one distance: a boundary of many pieces is better met by rows."""

_MISMATCH = 1e-9  # relative to the size of the data
_TOUCH = 1e-6  # relative to the size of the domain
_POINTS = 16  # on each piece, at which expressions are compared


@dataclass(frozen=True)
class Part:
    """A part of the boundary with an expression as its data."""

    term: str  # name of the condition's term
    curves: tuple[Curve, ...]
    value: sp.Expr


def boundary_trial(
    problem: Problem, unknown: sp.Expr, parts: Sequence[Part]
) -> tuple[sp.Expr, sp.Expr, dict[sp.Expr, BoundaryFunction], list[Part]]:
    """Lift and factor that meet the data of some parts, the functions of space in them, and these parts."""
    domain = problem.domain
    size = max(axis.length for axis in domain.space)
    kept: list[Part] = []
    for part in parts:
        fits = sum(len(p.curves) for p in (*kept, part)) <= MAX_PIECES
        if fits and all(_agree_where_they_meet(part, other, problem, size) for other in kept):
            kept.append(part)
    if not kept:
        return sp.Integer(0), sp.Integer(1), {}, kept
    boundary = np.concatenate([Domain(domain.region).cover(512, face.name) for face in domain.faces])
    sets = _sets(kept, problem)
    pieces = [tuple(_piece(c, boundary, size) for p in members for c in p.curves) for _, members in sets]
    inside = Domain(domain.region).cover(1024)
    arguments = [axis.coordinate for axis in domain.space]
    name = unknown.func.__name__
    factor = sp.Function(f"distance_{name}")(*arguments)
    functions: dict[sp.Expr, BoundaryFunction] = {factor: _normalised(sum(pieces, start=()), inside)}
    if len(sets) == 1:
        return sets[0][0], factor, functions, kept
    distances = tuple(_normalised(own, inside) for own in pieces)
    lift = sp.Integer(0)
    for i, (value, _) in enumerate(sets):
        weight = sp.Function(f"weight_{name}_{i}")(*arguments)
        functions[weight] = Weight(distances, i)
        lift += weight * value
    return lift, factor, functions, kept


def points_on(part: Part, problem: Problem) -> Array:
    """Points (n, d) of the curves themselves, ends excluded, at a few times."""
    shares = (np.arange(_POINTS) + 0.5) / _POINTS
    return _at_times(np.concatenate([_along(curve, shares) for curve in part.curves]), problem)


def values(expression: sp.Expr, problem: Problem, points: Array) -> Array:
    """An expression in the coordinates at points (n, d)."""
    with np.errstate(all="ignore"):
        found = lower(problem.coordinates, expression, "numpy")(*points.T)
    return np.broadcast_to(np.asarray(found, dtype=np.float64), (len(points),))


def _at_times(points: Array, problem: Problem) -> Array:
    time = problem.domain.time
    if time is None:
        return points
    times = np.linspace(*time.bounds, 5)
    return np.column_stack([np.tile(points, (len(times), 1)), np.repeat(times, len(points))])


def _along(curve: Curve, shares: Array) -> Array:
    """Points (n, 2) at shares of the length of a curve."""
    if isinstance(curve, Segment):
        start, end = np.array(curve.start), np.array(curve.end)
        return np.asarray(start + shares[:, None] * (end - start))
    angles = curve.first + shares * (curve.last - curve.first)
    circle = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return np.asarray(curve.center + curve.radius * circle)


def _ends(part: Part) -> Array:
    """Ends (n, 2) of all curves that have some."""
    open_curves = [c for c in part.curves if isinstance(c, Segment) or not c.is_circle]
    return np.concatenate([np.empty((0, 2)), *(_along(c, np.array([0.0, 1.0])) for c in open_curves)])


def _agree_where_they_meet(part: Part, other: Part, problem: Problem, size: float) -> bool:
    """Whether two parts have equal data at their common ends."""
    first, second = _ends(part), _ends(other)
    away = np.linalg.norm(first[:, None] - second[None], axis=2)
    common = first[(away <= _TOUCH * size).any(axis=1)]
    return not len(common) or _equal(part.value, other.value, problem, _at_times(common, problem))


def _equal(a: sp.Expr, b: sp.Expr, problem: Problem, points: Array) -> bool:
    found, expected = values(a, problem, points), values(b, problem, points)
    scale = max(np.abs(found).max(), np.abs(expected).max())
    return bool(np.abs(found - expected).max() <= _MISMATCH * scale)


def _sets(parts: Sequence[Part], problem: Problem) -> list[tuple[sp.Expr, list[Part]]]:
    """Few expressions, each with the parts whose data it describes: greedily, the most parts first."""
    candidates = list(dict.fromkeys(part.value for part in parts))
    places = {part.term: points_on(part, problem) for part in parts}
    fitting = {
        value: [p for p in parts if value == p.value or _equal(value, p.value, problem, places[p.term])]
        for value in candidates
    }
    left, sets = list(parts), []
    while left:
        value = max(candidates, key=lambda v: sum(part in left for part in fitting[v]))
        members = [part for part in fitting[value] if part in left]
        sets.append((value, members))
        left = [part for part in left if part not in members]
    return sets


def _jet(points: Array) -> Jet:
    """Points (n, 2) as a jet without derivatives."""
    return JetSpace.of([(0, 0)]).coordinates(torch.as_tensor(points, dtype=torch.float64))


def _piece(curve: Curve, boundary: Array, size: float) -> Piece:
    """A piece, trimmed where its line or circle meets the boundary elsewhere, and so may enter the region."""
    f, t, _ = line_or_circle(curve, _jet(boundary))
    elsewhere = (f.value <= _TOUCH * size) & (t.value < -_TOUCH * size)
    return Piece(curve, bool(elsewhere.any()))


def _normalised(pieces: tuple[Piece, ...], inside: Array) -> Distance:
    """The distance with a largest value of about one, so that N is of the solution's size."""
    (found,) = evaluate(Distance(pieces), torch.as_tensor(inside, dtype=torch.float64), [(0, 0)])
    return Distance(pieces, float(found.max()))
