"""Quadratic meshes of plane shapes: the middle nodes of edges on circular parts lie on the circle."""

from __future__ import annotations

import numpy as np

from .curves import Arc
from .mesh import EDGES, Mesh
from .region import Region

NEAR = 0.02
"""How far off a circle, relative to its radius, a node may lie to be put on it: more than fine chords are."""


def curved(mesh: Mesh, region: Region) -> Mesh:
    """A straight mesh as a quadratic one whose boundary follows the circular arcs of ``region``.

    The distance between mesh and circle falls from O(h²) to O(h⁴). The mesh itself where no part has an arc.
    """
    arcs = {
        part: [curve for curve in region.boundary_curves(part) or () if isinstance(curve, Arc)]
        for part in mesh.boundaries
    }
    if mesh.is_quadratic or mesh.dimension != 2 or not any(arcs.values()):
        return mesh
    ends = np.sort(np.concatenate([mesh.cells[:, list(edge)] for edge in EDGES[2]]), axis=1)
    edges, numbers = np.unique(ends, axis=0, return_inverse=True)
    points = np.concatenate([mesh.points, mesh.points[edges].mean(axis=1)])
    middle = {(int(i), int(j)): len(mesh.points) + n for n, (i, j) in enumerate(edges)}
    for part, curves in arcs.items():
        facets = np.sort(mesh.boundaries[part], axis=1)
        for arc in curves:
            center = np.array(arc.center)
            for i, j in facets:
                nodes = [int(i), int(j), middle[int(i), int(j)]]
                out = points[nodes] - center
                radii = np.linalg.norm(out, axis=1)
                if np.all(np.abs(radii[:2] / arc.radius - 1) < NEAR):
                    points[nodes] = center + out * (arc.radius / radii)[:, None]
    cells = np.column_stack([mesh.cells, len(mesh.points) + numbers.reshape(3, -1).T])
    return Mesh(points, cells, mesh.boundaries)
