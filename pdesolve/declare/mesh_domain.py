"""Domains from files: meshes that fill a region, and closed surfaces."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import sympy as sp

from .domain import Domain
from .errors import ExpressionTypeError, MeshDimensionError, MeshFileError
from .regions.mesh import Mesh
from .regions.mesh_checks import checked
from .regions.mesh_file import read_mesh
from .regions.simplicial import MeshRegion
from .regions.surface import SurfaceRegion
from .regions.surface_checks import read_surface, split_at_edges


def MeshDomain(source: str | Path | Mesh, coordinates: Sequence[sp.Symbol]) -> Domain:
    """What a mesh fills: triangles in the plane, or tetrahedra in space.

        x, y = coordinates("x y")
        domain = MeshDomain("cylinder.msh", (x, y))
        domain.parts                                   # ("inlet", "outlet", "walls", "cylinder")

    The file's groups of facets (gmsh's physical groups, named sets, integer tags as ``"3"``) name the
    parts of the boundary; facets in no group are the part ``"boundary"``. Nodes of no cell are dropped.

    Args:
        source: a file in any format that meshio reads (``.msh`` 2.2 or 4.1, ``.vtu``, ...), or a `Mesh`.
        coordinates: two or three space coordinates, in the order of the columns of points.

    Raises:
        MeshFileError: the file is missing, unreadable, incomplete, or of gmsh's format 4.0.
        MeshDimensionError: the cells' dimension is not the number of coordinates.
        NonFiniteMeshError, MeshConnectivityError, DegenerateCellError, DuplicateMeshError,
        MeshTopologyError, NameClashError: the mesh is refused; see `regions.mesh_checks.checked`.
    """
    variables = _symbols("MeshDomain", coordinates, (2, 3))
    if isinstance(source, Mesh):
        if source.points.ndim != 2 or source.points.shape[1] != len(variables):
            raise MeshDimensionError(
                "MeshDomain",
                f"points of {len(variables)} coordinates",
                f"points of shape {source.points.shape}",
                "Give one coordinate for each column of the points.",
            )
        mesh = Mesh(
            np.asarray(source.points, dtype=float),
            np.asarray(source.cells, dtype=np.int64),
            {name: np.asarray(f, dtype=np.int64) for name, f in source.boundaries.items()},
        )
        return Domain(MeshRegion(variables, checked(mesh, "MeshDomain")))
    return Domain(MeshRegion(variables, read_mesh(_path("MeshDomain", source), len(variables))))


def SurfaceDomain(
    source: str | Path, coordinates: Sequence[sp.Symbol], feature_angle: float | None = None
) -> Domain:
    """What a closed surface of triangles encloses, such as that of an STL file.

        x, y, z = coordinates("x y z")
        domain = SurfaceDomain("part.stl", (x, y, z), feature_angle=30)

    Points, distances and normals can be had of it, so that PINNs solve on it; there are no cells inside,
    so that finite elements cannot. Vertices nearer than 1e-7 of the size are one, and the surface is turned
    outward. That it does not cut itself is not checked.

    Args:
        source: a file in any format with triangles that meshio reads (``.stl``, ``.ply``, ``.obj``, ...).
        coordinates: three space coordinates.
        feature_angle: in degrees; the boundary is then cut into ``surface-1``, ``surface-2``, ... (the
            largest first) along edges where it turns by more; 30 is a good first value for machine parts.
            By default it is one part, ``surface``.

    Raises:
        MeshFileError: the file is missing, unreadable or incomplete.
        MeshDimensionError: it holds no triangles, or not three coordinates are given.
        NonFiniteMeshError, MeshConnectivityError, DegenerateCellError, MeshTopologyError: it is open or
            otherwise refused; see `regions.surface_checks.checked_surface`.
        ExpressionTypeError: ``feature_angle`` is no number between 0 and 180.
    """
    variables = _symbols("SurfaceDomain", coordinates, (3,))
    points, triangles = read_surface(_path("SurfaceDomain", source))
    if feature_angle is None:
        parts: tuple[str, ...] = ("surface",)
        labels = np.zeros(len(triangles), dtype=np.int64)
    else:
        is_number = isinstance(feature_angle, int | float) and not isinstance(feature_angle, bool)
        if not is_number or not 0 < feature_angle < 180:
            raise ExpressionTypeError(
                "SurfaceDomain",
                "a feature_angle between 0 and 180 degrees",
                repr(feature_angle)[:40],
                "Give one such as 30.",
            )
        parts, labels = split_at_edges(points, triangles, feature_angle)
    return Domain(SurfaceRegion(variables, points, triangles, parts, labels))


def _path(who: str, source: Any) -> Path:
    if not isinstance(source, str | Path):
        raise MeshFileError(who, "a path to a file", repr(source)[:80], 'Write "part.msh".')
    return Path(source)


def _symbols(who: str, coordinates: Sequence[sp.Symbol], counts: tuple[int, ...]) -> tuple[sp.Symbol, ...]:
    remedy = 'Write x, y = coordinates("x y") and give (x, y).'
    if not isinstance(coordinates, tuple | list) or not all(isinstance(c, sp.Symbol) for c in coordinates):
        raise ExpressionTypeError(who, "a tuple of coordinates", repr(coordinates)[:80], remedy)
    if len(coordinates) not in counts:
        expected = " or ".join(map(str, counts))
        raise MeshDimensionError(who, f"{expected} coordinates", str(len(coordinates)), remedy)
    return tuple(coordinates)
