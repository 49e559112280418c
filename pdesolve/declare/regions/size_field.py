"""`SizeField`: how long the edges of a mesh should be at each point of a shape."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .mesh import Indices
from .region import Array
from .shape import Shape

CELLS = 32
"""Edges of the default size along the longest side of the bounding box."""
GROWTH = 0.3
"""By how much edges may grow per unit of distance from where they must be short."""
PER_TURN = 32
"""Edges along a full turn of a curve."""
ENOUGH = 0.95
"""Places that lower the field by less than 5 % are left out."""
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
    where, value = _pruned(np.concatenate(places), np.concatenate(values), reference)
    ratio = size / reference
    return SizeField(size, where, value * ratio, GROWTH * ratio)


def _pruned(places: Array, values: Array, size: float) -> tuple[Array, Array]:
    """Only places that lower the field noticeably beyond what those with smaller values do."""
    from scipy.spatial import cKDTree

    order = np.argsort(values, kind="stable")
    places, values = places[order], values[order]
    tree = cKDTree(places)
    kept = np.ones(len(values), dtype=bool)
    for i in range(len(values)):
        if kept[i]:
            near = np.array(tree.query_ball_point(places[i], (size / ENOUGH - values[i]) / GROWTH))
            near = near[near > i]
            reach = values[i] + GROWTH * np.linalg.norm(places[near] - places[i], axis=1)
            kept[near] &= values[near] < ENOUGH * reach
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
    """Half the distance from points of the boundary to runs opposite, as seen through the inside."""
    run_of = np.empty(len(shape.sides), dtype=np.int64)
    for number, run in enumerate(shape.runs):
        run_of[run] = number
    lower, upper = shape.edges.min(axis=1), shape.edges.max(axis=1)
    reach = ACROSS_GAP * size  # wider gaps do not matter
    places, gaps = [], []
    for number, (run, touching) in enumerate(zip(shape.runs, shape.touching_runs, strict=True)):
        below, above = lower[run].min(axis=0) - reach, upper[run].max(axis=0) + reach
        near = np.flatnonzero(np.all((lower <= above) & (upper >= below), axis=1))
        own = run_of[near] == number
        opposite = ~own & ~np.isin(run_of[near], touching)
        where, inward = _samples(shape, run, size)
        for block in _blocks(len(where), len(near)):
            to = _to_edges(where[block], shape.edges[near])
            away = np.linalg.norm(to, axis=2)
            ahead = np.einsum("pek,pk->pe", to, inward[block])
            gap = np.where(opposite & (ahead > 0.1 * away), away, np.inf)
            # On one curve: the diameter of the ball that touches the place and the curve opposite.
            same = own & (ahead > 1e-9 * shape.size)
            gap[same] = away[same] ** 2 / ahead[same]
            places.append(where[block])
            gaps.append(gap.min(axis=1, initial=np.inf))
    return np.concatenate(places), np.concatenate(gaps) / ACROSS_GAP


def _to_edges(points: Array, edges: Array) -> Array:
    """Vectors (n, m, 2) from each point to the nearest point of each edge."""
    start, along = edges[:, 0], edges[:, 1] - edges[:, 0]
    offset = points[:, None] - start
    s = np.einsum("pek,ek->pe", offset, along) / np.einsum("ek,ek->e", along, along)
    return np.asarray(np.clip(s, 0.0, 1.0)[:, :, None] * along - offset)


def _samples(shape: Shape, run: Indices, size: float) -> tuple[Array, Array]:
    """Points on the edges of a run, at their ends and about ``size`` apart, with the inward normals."""
    edges = shape.edges[run]
    counts = np.maximum(1, np.ceil(np.linalg.norm(edges[:, 1] - edges[:, 0], axis=1) / size)).astype(int)
    edge = np.repeat(np.arange(len(run)), counts + 1)
    s = np.concatenate([np.linspace(0.0, 1.0, n + 1) for n in counts])[:, None]
    return (1 - s) * edges[edge, 0] + s * edges[edge, 1], -shape.edge_normals[run][edge]


def _blocks(rows: int, columns: int) -> list[slice]:
    """Slices of rows that keep a table of ``rows`` by ``columns`` in the processor's cache."""
    step = max(1, 50_000 // max(columns, 1))
    return [slice(i, i + step) for i in range(0, rows, step)]
