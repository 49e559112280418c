"""Domains from files: meshes that fill a region, and closed surfaces."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import sympy as sp

from .domain import Domain
from .errors import ExpressionTypeError, MeshDimensionError
from .regions.mesh import Mesh
from .regions.mesh_checks import checked
from .regions.mesh_file import read_mesh
from .regions.simplicial import MeshRegion


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
    return Domain(MeshRegion(variables, read_mesh(source, len(variables))))


def _symbols(who: str, coordinates: Sequence[sp.Symbol], counts: tuple[int, ...]) -> tuple[sp.Symbol, ...]:
    remedy = 'Write x, y = coordinates("x y") and give (x, y).'
    if not isinstance(coordinates, tuple | list) or not all(isinstance(c, sp.Symbol) for c in coordinates):
        raise ExpressionTypeError(who, "a tuple of coordinates", repr(coordinates)[:80], remedy)
    if len(coordinates) not in counts:
        expected = " or ".join(map(str, counts))
        raise MeshDimensionError(who, f"{expected} coordinates", str(len(coordinates)), remedy)
    return tuple(coordinates)
