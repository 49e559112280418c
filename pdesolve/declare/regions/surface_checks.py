"""Closed surfaces of triangles: reading them, and what they must satisfy."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..errors import (
    DegenerateCellError,
    MeshConnectivityError,
    MeshDimensionError,
    MeshTopologyError,
    NonFiniteMeshError,
)
from .mesh import Indices
from .mesh_file import read_content
from .region import Array
from .simplices import measures
from .surface import CORNERS, normals_of

SAME = 1e-7  # of the size of the surface: vertices nearer than this are one; STL holds single precision
FLAT = 1e-12  # a triangle whose area is below this times (longest edge)² is degenerate


def read_surface(path: str | Path) -> tuple[Array, Indices]:
    """Vertices (n, 3) and triangles (m, 3) of a file, checked and turned outward.

    Raises:
        MeshFileError: the file is missing, unreadable or incomplete.
        MeshDimensionError: it holds no triangles, or cells with a volume.
        DeclarationError: what `checked_surface` refuses.
    """
    path = Path(path)
    who = f"SurfaceDomain({path.name!r})"
    content = read_content(path, who)
    kinds = sorted({block.type for block in content.cells})
    found = []
    for block in content.cells:
        data = np.asarray(block.data).astype(np.int64)
        if block.type == "triangle":
            found.append(data)
        elif block.type == "quad":
            found += [data[:, [0, 1, 2]], data[:, [0, 2, 3]]]
    points = np.asarray(content.points, dtype=float)
    if not found or not set(kinds) <= {"triangle", "quad", "line", "vertex"} or points.shape[1] != 3:
        raise MeshDimensionError(
            who,
            "triangles in space",
            ", ".join(kinds) or "no cells",
            "Give a closed surface, such as an STL file; load a mesh with cells inside with MeshDomain.",
        )
    return checked_surface(points, np.concatenate(found), who)


def checked_surface(points: Array, triangles: Indices, who: str) -> tuple[Array, Indices]:
    """The surface with each vertex once, without triangles shrunk to a line, and turned outward.

    Raises:
        MeshConnectivityError: a triangle names a vertex that does not exist.
        NonFiniteMeshError: NaN or infinite coordinates.
        DegenerateCellError: triangles without area; nothing is enclosed.
        MeshTopologyError: it is open, more than two triangles meet at an edge, triangles are turned
            against each other, or it has several pieces.
    """
    if not len(triangles) or not 0 <= triangles.min() <= triangles.max() < len(points):
        raise MeshConnectivityError(
            who,
            f"triangles of vertices from 0 to {len(points) - 1}",
            f"{len(triangles)} triangles"
            if not len(triangles)
            else f"{triangles.min()} to {triangles.max()}",
            "Write the surface again with the program that made it.",
        )
    if not np.isfinite(points[triangles]).all():
        raise NonFiniteMeshError(
            who, "finite coordinates", "NaN or infinity", "Write the surface again, or repair it."
        )
    points, triangles = _merged(points, triangles)
    _check_areas(points, triangles, who)
    _check_edges(triangles, who)
    corner = points.min(axis=0)
    v = points[triangles] - corner
    volume = float(np.einsum("mk,mk->", v[:, 0], np.cross(v[:, 1], v[:, 2]))) / 6
    if abs(volume) <= SAME * float(np.ptp(points, axis=0).max()) ** 3:
        raise DegenerateCellError(
            who, "a surface that encloses a volume", f"a volume of {volume:.3g}", "Give a closed solid."
        )
    return points, (triangles if volume > 0 else np.ascontiguousarray(triangles[:, ::-1]))


def _merged(points: Array, triangles: Indices) -> tuple[Array, Indices]:
    """Vertices at one place made one; triangles that shrink to a line by that are left out."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components
    from scipy.spatial import cKDTree

    used, renumbered = np.unique(triangles, return_inverse=True)
    points, triangles = points[used], renumbered.reshape(triangles.shape)
    size = float(np.ptp(points, axis=0).max())
    pairs = cKDTree(points).query_pairs(SAME * size, output_type="ndarray")
    n = len(points)
    links = coo_matrix((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(n, n))
    _, group = connected_components(links, directed=False)
    _, first = np.unique(group, return_index=True)
    triangles = np.argsort(np.argsort(first))[group[triangles]]  # numbered in the order of the file
    is_whole = np.all(triangles != np.roll(triangles, 1, axis=1), axis=1)
    return points[np.sort(first)], triangles[is_whole]


def _check_areas(points: Array, triangles: Indices, who: str) -> None:
    v = points[triangles]
    longest = np.max([np.linalg.norm(v[:, i] - v[:, i - 1], axis=1) for i in range(3)], axis=0, initial=0.0)
    is_flat = measures(v) <= FLAT * longest**2
    if is_flat.any() or not len(triangles):
        raise DegenerateCellError(
            who,
            "triangles with an area",
            f"{is_flat.sum()} without, of {len(triangles)}",
            "Repair the surface: triangles whose three vertices lie on a line leave gaps.",
        )


def _check_edges(triangles: Indices, who: str) -> None:
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    directed = np.concatenate([triangles[:, list(pair)] for pair in CORNERS])
    _, same, count = np.unique(np.sort(directed, axis=1), axis=0, return_inverse=True, return_counts=True)
    if (count != 2).any():
        raise MeshTopologyError(
            who,
            "a closed surface: two triangles at each edge",
            f"{(count == 1).sum()} open edges and {(count > 2).sum()} with more than two triangles",
            "Close the holes, or mesh the solid with gmsh and load it with MeshDomain.",
        )
    if len(np.unique(directed, axis=0)) < len(directed):
        raise MeshTopologyError(
            who,
            "triangles that all turn the same way round",
            "neighbours that turn against each other",
            "Orient the faces coherently (MeshLab, or pyvista: compute_normals(consistent_normals=True)).",
        )
    m = len(triangles)
    sides = (np.argsort(same, kind="stable") % m).reshape(-1, 2)
    links = coo_matrix((np.ones(len(sides)), (sides[:, 0], sides[:, 1])), shape=(m, m))
    pieces, _ = connected_components(links, directed=False)
    if pieces > 1:
        raise MeshTopologyError(
            who,
            "one closed surface",
            f"{pieces}",
            "Keep one piece; mesh a solid with cavities with gmsh, and load it with MeshDomain.",
        )


def split_at_edges(points: Array, triangles: Indices, angle: float) -> tuple[tuple[str, ...], Indices]:
    """Parts ``surface-1``, ``surface-2``, ... (the largest first) between edges where the surface turns by
    more than ``angle`` degrees; names, and the part of each triangle."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    m = len(triangles)
    edges = np.sort(np.concatenate([triangles[:, list(pair)] for pair in CORNERS]), axis=1)
    _, same = np.unique(edges, axis=0, return_inverse=True)
    sides = (np.argsort(same, kind="stable") % m).reshape(-1, 2)
    normals = normals_of(points[triangles])
    cosine = np.einsum("ek,ek->e", normals[sides[:, 0]], normals[sides[:, 1]])
    smooth = sides[cosine >= np.cos(np.radians(angle))]
    links = coo_matrix((np.ones(len(smooth)), (smooth[:, 0], smooth[:, 1])), shape=(m, m))
    count, label = connected_components(links, directed=False)
    areas = np.bincount(label, weights=measures(points[triangles]))
    rank = np.empty(count, dtype=np.int64)
    rank[np.argsort(-areas.round(12), kind="stable")] = np.arange(count)
    return tuple(f"surface-{i + 1}" for i in range(count)), rank[label]
