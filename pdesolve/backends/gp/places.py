"""Points that cover a shape of the plane evenly: a hexagonal lattice inside, equal steps on the boundary."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ...declare import Domain
from ...declare.domain import INSIDE, Array
from ...declare.regions.shape import Shape

_MARGIN = 0.6  # of the spacing: inner points keep that far from the boundary
_LEAST = 3  # points on a part of the boundary
_NEAR = 0.02  # how far off its ellipse, relative to the radius, a point of a chord may lie


@dataclass(frozen=True, eq=False)
class Places:
    """Points of a domain.

    Attributes:
        inner: (n, 2).
        parts: of each part of the boundary the points (m, 2) on it, none in a corner.
    """

    inner: Array
    parts: Mapping[str, Array]

    @property
    def everywhere(self) -> Array:
        """The points inside, then those of all parts: where equations hold."""
        return np.concatenate([self.inner, *self.parts.values()])


def places(domain: Domain, spacing: float) -> Places:
    """Points about ``spacing`` apart."""
    parts = {}
    for face in domain.faces:
        count = max(_LEAST, round(domain.measure(face.name) / spacing))
        unit = (np.arange(count)[:, None] + 0.5) / count
        parts[face.name] = _on_curves(domain, face.name, domain.region.place(unit, face.name))
    (left, right), (bottom, top) = domain.bounds
    rows = np.arange(bottom + 0.5 * spacing, top, spacing * math.sqrt(3) / 2)
    columns = np.arange(left, right + spacing, spacing)
    x = columns - 0.5 * spacing * (np.arange(len(rows)) % 2)[:, None]
    lattice = np.stack([x, np.broadcast_to(rows[:, None], x.shape)], axis=2).reshape(-1, 2)
    inner = lattice[domain.distance(lattice) > _MARGIN * spacing]
    return Places(inner, parts)


def spacing_for(domain: Domain, rows: int, inside: int, on: Mapping[str, int]) -> float:
    """The spacing h at which there are about ``rows`` measurements.

    Args:
        inside: measurements at each inner point; on: at each point of a part, beside those.

    Solves rows = a / h² + b / h.
    """
    a = inside * domain.measure(INSIDE) * 2 / math.sqrt(3)
    lengths = {part: domain.measure(part) for part in on}
    # Inner points keep away from the boundary by as much as half of those on it take up.
    b = sum(
        (on[part] + (1 - 2 * _MARGIN / math.sqrt(3)) * inside) * length for part, length in lengths.items()
    )
    return (b + math.sqrt(b * b + 4 * a * rows)) / (2 * rows)


def _on_curves(domain: Domain, part: str, points: Array) -> Array:
    """Points of chords moved out to the circle or ellipse that these stand for."""
    if not isinstance(domain.region, Shape):
        return points
    points = points.copy()
    for ellipse in {side.ellipse for side in domain.region.sides if side.part == part and side.ellipse}:
        center, radii = np.array(ellipse[:2]), np.array(ellipse[2:])
        level = np.linalg.norm((points - center) / radii, axis=1)
        near = np.abs(level - 1) < _NEAR
        points[near] = center + (points[near] - center) / level[near, None]
    return points
