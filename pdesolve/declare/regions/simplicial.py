"""`MeshRegion`: what the cells of a mesh fill."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import sympy as sp

from ..errors import MeshingError, SerializationError
from . import simplices
from .arrays import array_from_json, array_to_json
from .curves import Curve, Segment
from .mesh import EDGES, Indices, Mesh
from .region import INSIDE, Array, Axis, Face, Mask, Region, checked_size
from .search import SimplexSearch

FLAT = 1e-9  # normals of a flat part differ by no more than this
MAX_CELLS = 10_000_000


@dataclass(frozen=True, eq=False)
class MeshRegion(Region):
    """Triangles in the plane or tetrahedra in space, checked by `mesh_checks.checked`.

    Points, normals, distances, measures and quadrature take the cells of a quadratic (curved) mesh as
    straight between their vertices, an error of second order in the size of its boundary cells; finite
    elements use the curved cells.

    Attributes:
        variables: the coordinates, in the order of the columns of the mesh's points.
        triangulation: the mesh; its boundary parts together are its boundary.
    """

    variables: tuple[sp.Symbol, ...]
    triangulation: Mesh

    @cached_property
    def axes(self) -> tuple[Axis, ...]:
        corners = self.triangulation.vertices.reshape(-1, len(self.variables))
        ends = zip(self.variables, corners.min(axis=0), corners.max(axis=0), strict=True)
        return tuple(Axis(symbol, sp.Float(float(low)), sp.Float(float(high))) for symbol, low, high in ends)

    @cached_property
    def faces(self) -> tuple[Face, ...]:
        return tuple(Face(name) for name in self.triangulation.boundaries)

    def measure(self, part: str = INSIDE) -> float:
        return float(simplices.measures(self._simplices(part)).sum())

    def normal(self, part: str) -> Array | None:
        normals = self._normals[part]
        is_flat = bool(np.ptp(normals, axis=0).max() <= FLAT)
        return np.asarray(normals[0]) if is_flat else None

    def normals(self, points: Array, part: str) -> Array:
        """Outward unit normals (n, k) of the facets of a part that are nearest to ``points``."""
        constant = self.normal(part)
        if constant is not None:
            return np.tile(constant, (len(points), 1))
        nearest, _ = SimplexSearch(self._simplices(part)).nearest(points)
        return np.asarray(self._normals[part][nearest])

    def contains(self, points: Array, tolerance: float = 1e-12) -> Mask:
        slack = tolerance * float(np.ptp(self.triangulation.vertices, axis=(0, 1)).max())
        _, is_inside = self._cell_search.locate(points, slack)
        return is_inside

    def distance(self, points: Array) -> Array:
        _, distance = self._boundary_search.nearest(points)
        return np.asarray(np.where(self.contains(points, 0.0), distance, -distance))

    def place(self, unit: Array, part: str = INSIDE) -> Array:
        return simplices.place(self._simplices(part), unit)

    def quadrature(self, n: int, part: str = INSIDE) -> tuple[Array, Array]:
        return simplices.quadrature(self._simplices(part), n)

    def mesh(self, size: float | None = None) -> Mesh:
        """The mesh as it is, or, where ``size`` is given, refined uniformly until no edge is longer.

        Raises:
            MeshingError: the size is not a positive number, or would need more than 10 million cells.
        """
        mesh = self.triangulation
        if size is None:
            return mesh
        size = checked_size(size)
        halvings = max(0, math.ceil(math.log2(mesh.longest_edge / size)))
        cells = len(mesh.cells) * 2 ** (mesh.dimension * halvings)
        if cells > MAX_CELLS:
            raise MeshingError(
                "MeshDomain",
                f"cells of a size that takes at most {MAX_CELLS}",
                f"{size:g}",
                "Give a larger size.",
            )
        while mesh.longest_edge > size:
            mesh = mesh.refined()
        return mesh

    def boundary_curves(self, part: str) -> tuple[Curve, ...] | None:
        """A flat part of a plane mesh that is in one piece as its segment; None for any other."""
        normal = self.normal(part)
        if normal is None or len(self.variables) != 2:
            return None
        ends = self._simplices(part)
        along = ends @ np.array([-normal[1], normal[0]])  # the region lies to the left of this direction
        first, last = along.argmin(), along.argmax()
        length = float(np.ptp(along))
        across = float(np.ptp(ends @ normal))
        if across > FLAT * length or not np.isclose(length, self.measure(part), rtol=1e-9):
            return None
        start, end = ends.reshape(-1, 2)[[first, last]].tolist()
        return (Segment((start[0], start[1]), (end[0], end[1])),)

    def to_json(self) -> dict[str, Any]:
        from ..trees import expression_to_json as write

        mesh = self.triangulation
        return {
            "kind": "mesh",
            "coordinates": [write(symbol) for symbol in self.variables],
            "points": array_to_json(mesh.points, "<f8"),
            "cells": array_to_json(mesh.cells, "<i4"),
            "parts": [[name, array_to_json(facets, "<i4")] for name, facets in mesh.boundaries.items()],
        }

    # -- what is computed once ---------------------------------------------------------------------

    def _simplices(self, part: str) -> Array:
        mesh = self.triangulation
        return mesh.vertices if part == INSIDE else np.asarray(mesh.points[mesh.boundaries[part]])

    @cached_property
    def _normals(self) -> Mapping[str, Array]:
        """For each part the outward unit normals (q, k) of its facets."""
        mesh = self.triangulation
        return {
            part: outward_normals(mesh.points[facets], mesh.points[mesh.opposite(facets)])
            for part, facets in mesh.boundaries.items()
        }

    @cached_property
    def _cell_search(self) -> SimplexSearch:
        return SimplexSearch(self.triangulation.vertices)

    @cached_property
    def _boundary_search(self) -> SimplexSearch:
        mesh = self.triangulation
        return SimplexSearch(mesh.points[np.concatenate(list(mesh.boundaries.values()))])


def outward_normals(facets: Array, opposite: Array) -> Array:
    """Unit normals (q, k) of facets (q, k, k) that point away from the opposite vertices (q, k)."""
    ones = np.ones((len(facets), facets.shape[2], 1))
    # g with (v - opposite)·g = 1 for all vertices v of the facet: the facet's plane is a level of it
    gradient = np.linalg.solve(facets - opposite[:, None], ones)[..., 0]
    return np.asarray(gradient / np.linalg.norm(gradient, axis=1, keepdims=True))


def read_mesh_region(content: Any) -> MeshRegion:
    """The region that `MeshRegion.to_json` wrote, checked anew.

    Raises:
        SerializationError: the content is malformed.
        DeclarationError: the mesh is refused by `checked`.
    """
    from ..trees import listed, symbol, text
    from .mesh_checks import checked

    variables = tuple(symbol(item) for item in listed(content["coordinates"]))
    k = len(variables)
    if k not in EDGES:
        raise SerializationError(
            "problem_from_json(), mesh", "1 to 3 coordinates", str(k), "Give what problem_to_json wrote."
        )
    points = array_from_json(content["points"], "<f8", k)
    cells: Indices = array_from_json(content["cells"], "<i4").astype(np.int64)
    parts = {
        text(name): array_from_json(facets, "<i4", k).astype(np.int64)
        for name, facets in map(listed, listed(content["parts"]))
    }
    return MeshRegion(variables, checked(Mesh(points, cells, parts), "problem_from_json(), mesh"))
