"""`SizeField`: how long the edges of a mesh should be at each point of a shape."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from .mesh import Indices
from .region import Array, Mask
from .shape import Shape

CELLS = 32
"""Edges of the default size along the longest side of the bounding box."""
GROWTH = 0.3
"""By how much edges may grow per unit of distance from where they must be short."""
PER_TURN = 32
"""Edges along a full turn of a curve."""
ACROSS_GAP = 2
"""Edges across the gap between two pieces of the boundary."""


@dataclass(frozen=True, eq=False)
class SizeField:
    """h(x) = min(size, minᵢ sᵢ + g |x - pᵢ|).

    The places pᵢ lie on the boundary; sᵢ is the least of 2π/32 radii of curvature, half the width of the gap
    between opposite pieces of the boundary, and the length of the straight edge on which pᵢ lies; g = 0.3.

    Below the default size, 1/32 of the longest side of the bounding box, the field is the default one in
    proportion: a mesh of half the size has half the edge length everywhere, as studies of convergence need.

    Attributes:
        size: the upper bound.
        places: pᵢ (n, 2), of those alone that matter.
        values: sᵢ (n,).
        growth: g.
    """

    size: float
    places: Array
    values: Array
    growth: float

    def __call__(self, points: Array) -> Array:
        found = np.full(len(points), self.size)
        for block in _blocks(len(points), len(self.places)):
            x, y = (points[block, k, None] - self.places[:, k] for k in (0, 1))
            away = np.sqrt(x * x + y * y)
            found[block] = np.min(self.values + self.growth * away, axis=1, initial=self.size)
        return found


def size_field(shape: Shape, size: float) -> SizeField:
    """The field of a shape with edges of at most ``size``."""
    reference = max(size, shape.size / CELLS)
    places, values = [], []
    for limits in (_lengths, _curvatures, _gaps):
        where, value = limits(shape, reference)
        short = value < reference
        places.append(where[short])
        values.append(value[short])
    where, value = _pruned(np.concatenate(places), np.concatenate(values))
    ratio = size / reference
    return SizeField(size, where, value * ratio, GROWTH * ratio)


def _pruned(places: Array, values: Array) -> tuple[Array, Array]:
    """Only places that lower the field noticeably beyond what those with smaller values do."""
    order = np.argsort(values, kind="stable")
    places, values = places[order], values[order]
    kept = np.ones(len(values), dtype=bool)
    for i in range(len(values)):
        if kept[i]:
            reach = values[i] + GROWTH * np.linalg.norm(places[i + 1 :] - places[i], axis=1)
            kept[i + 1 :] &= values[i + 1 :] < 0.95 * reach
    return places[kept], values[kept]


def _lengths(shape: Shape, size: float) -> tuple[Array, Array]:
    """A straight edge is no shorter than edges of the mesh at its ends."""
    straight = np.array([side.ellipse is None for side in shape.sides])
    edges = shape.edges[straight]
    lengths = np.linalg.norm(edges[:, 1] - edges[:, 0], axis=1)
    return edges.reshape(-1, 2), np.repeat(lengths, 2)


def _curvatures(shape: Shape, size: float) -> tuple[Array, Array]:
    curved = np.array([side.ellipse is not None for side in shape.sides])
    middles = shape.edges[curved].mean(axis=1)
    x0, y0, a, b = np.array([side.ellipse for side in shape.sides if side.ellipse]).reshape(-1, 4).T
    cosine, sine = (middles[:, 0] - x0) / a, (middles[:, 1] - y0) / b
    radius = np.hypot(a * sine, b * cosine) ** 3 / (a * b)
    return middles, radius * 2 * np.pi / PER_TURN


def _gaps(shape: Shape, size: float) -> tuple[Array, Array]:
    """Half the distance from points of the boundary to pieces opposite, as seen through the inside."""
    piece, touching = _pieces(shape)
    places, inward, own = _samples(shape, piece, size)
    start, along = shape.edges[:, 0], shape.edges[:, 1] - shape.edges[:, 0]
    squared = np.einsum("ek,ek->e", along, along)
    gap = np.full(len(places), np.inf)
    for block in _blocks(len(places), len(along)):
        offset = places[block, None] - start  # (p, e, 2)
        s = np.clip(np.einsum("pek,ek->pe", offset, along) / squared, 0.0, 1.0)
        to = s[:, :, None] * along - offset  # from the place to the nearest point of the edge
        away = np.linalg.norm(to, axis=2)
        ahead = np.einsum("pek,pk->pe", to, inward[block])
        opposite = ~touching[own[block][:, None], piece[None, :]]
        facing = ahead > 0.1 * away
        gap[block] = np.where(opposite & facing, away, np.inf).min(axis=1)
        # On one curve: the diameter of the ball that touches the place and the curve opposite.
        same = (own[block][:, None] == piece[None, :]) & (ahead > 1e-9 * shape.size)
        with np.errstate(divide="ignore", invalid="ignore"):
            ball = np.where(same, away**2 / ahead, np.inf)
        gap[block] = np.minimum(gap[block], ball.min(axis=1))
    return places, gap / ACROSS_GAP


def _pieces(shape: Shape) -> tuple[Indices, Mask]:
    """For each edge the number of the straight edge or curve it belongs to, and which of these touch."""
    piece = np.empty(len(shape.sides), dtype=np.int64)
    for number, run in enumerate(shape.runs):
        piece[run] = number
    touching = np.eye(len(shape.runs), dtype=bool)
    start = 0
    for ring in shape.rings:
        around = piece[start : start + len(ring.sides)].tolist()
        for one, following in pairwise([*around, around[0]]):
            touching[one, following] = touching[following, one] = True
        start += len(ring.sides)
    return piece, touching


def _samples(shape: Shape, piece: Indices, size: float) -> tuple[Array, Array, Indices]:
    """Points on every edge, about ``size`` apart, with the inward normal and the number of the piece."""
    lengths = np.linalg.norm(shape.edges[:, 1] - shape.edges[:, 0], axis=1)
    counts = np.maximum(1, np.ceil(lengths / size)).astype(int)
    edge = np.repeat(np.arange(len(counts)), counts + 1)
    s = np.concatenate([np.linspace(0.0, 1.0, n + 1) for n in counts])[:, None]
    places = (1 - s) * shape.edges[edge, 0] + s * shape.edges[edge, 1]
    return places, -shape.edge_normals[edge], piece[edge]


def _blocks(rows: int, columns: int) -> list[slice]:
    """Slices of rows that keep a table of ``rows`` by ``columns`` in the processor's cache."""
    step = max(1, 50_000 // max(columns, 1))
    return [slice(i, i + step) for i in range(0, rows, step)]
