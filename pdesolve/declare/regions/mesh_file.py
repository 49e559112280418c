"""Mesh files of any format that meshio reads, with our own checks: meshio itself checks next to nothing."""

from __future__ import annotations

import contextlib
import io
import re
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import MeshDimensionError, MeshFileError
from .mesh import Indices, Mesh
from .mesh_checks import checked
from .region import Array

CELLS = {2: {"triangle": 1, "triangle6": 2, "quad": 1}, 3: {"tetra": 1, "tetra10": 2}}
"""Cells that are read in each dimension, and their order."""

FACETS = {2: ("line", "line3"), 3: ("triangle", "triangle6")}
ABOVE = ("tetra", "hexahedron", "wedge", "pyramid")  # cells with a volume
TAGS = ("gmsh:physical", "medit:ref", "cell_tags")  # where formats keep the numbers of groups
NOT_TAGS = ("gmsh:geometrical", "gmsh:bounding_entities")
GMSH_VERSIONS = ("2", "2.2", "4.1")  # gmsh writes "4" for 4.0, which meshio takes for 4.1
TETRA10 = [0, 1, 2, 3, 4, 5, 6, 7, 9, 8]  # meshio's order of middle nodes is VTK's; ours is gmsh's
FLAT = 1e-12  # of the extent: how far points of a plane mesh may be off their plane


def read_mesh(path: str | Path, dimension: int) -> Mesh:
    """The mesh of a file, checked.

    Groups of facets become the parts of the boundary: physical groups (gmsh) and named sets of cells by
    their name, other integer tags of facets by their number, as ``"3"``; tag 0 is no group. Groups of
    cells inside and of facets inside are ignored. Quadrilaterals are cut into triangles.

    Args:
        path: any format that meshio reads, told by the extension; gmsh 2.2 and 4.1, ASCII or binary.
        dimension: 2 for triangles (a third coordinate must be constant), 3 for tetrahedra.

    Raises:
        MeshFileError: the file is missing, unreadable, incomplete, or of gmsh's format 4.0.
        MeshDimensionError: it holds no cells of this dimension, cells of another, or mixed orders.
        DeclarationError: what `mesh_checks.checked` refuses.
    """
    path = Path(path)
    who = f"MeshDomain({path.name!r})"
    content = read_content(path, who)
    cells = _cells(content, dimension, who)
    points = _points(content.points, cells, dimension, who)
    return checked(Mesh(points, cells, _groups(content, dimension)), who)


def read_content(path: Path, who: str) -> Any:
    """What meshio makes of a file; nothing that it prints, warns or raises gets through.

    Raises:
        MeshFileError: the file is missing, unreadable or incomplete.
    """
    if not path.is_file():
        raise MeshFileError(who, "an existing file", str(path), "Correct the path.")
    _check_gmsh(path, who)
    said = io.StringIO()  # meshio prints its complaints, and leaves by sys.exit where it knows no better
    try:
        with (
            contextlib.redirect_stdout(said),
            contextlib.redirect_stderr(said),
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("ignore")
            import meshio

            return meshio.read(path)
    except (Exception, SystemExit) as error:
        reason = " ".join(f"{said.getvalue()} {error}".split())[:200]
        raise MeshFileError(
            who,
            "a mesh that meshio reads",
            f"{type(error).__name__}: {reason}",
            "Save it again completely; from gmsh as version 4.1 (-format msh41) with its physical groups "
            "only (Mesh.SaveAll = 0).",
        ) from error


def _check_gmsh(path: Path, who: str) -> None:
    """Refuse what meshio would read wrongly: gmsh's version 4.0, and files that end early."""
    if path.suffix.lower() != ".msh":
        return
    content = path.read_bytes()
    header = re.match(rb"(?:\$Comments.*?\$EndComments\s*)?\$MeshFormat\s+([\d.]+)\s", content, re.DOTALL)
    version = header[1].decode() if header else "none"
    if version not in GMSH_VERSIONS:
        raise MeshFileError(
            who,
            "gmsh's format 2.2 or 4.1",
            f"version {version}",
            "Save it as version 4.1: gmsh old.msh -save -format msh41 -o new.msh.",
        )
    missing = [name for name in ("Nodes", "Elements") if f"$End{name}".encode() not in content]
    if missing:
        raise MeshFileError(
            who,
            "sections Nodes and Elements, complete",
            f"no end of {' and '.join(missing)}",
            "The file was cut off: copy or save it again.",
        )


def _cells(content: Any, dimension: int, who: str) -> Indices:
    """Node numbers (m, nodes of a cell) of the cells that fill the region."""
    kinds = [block.type for block in content.cells]
    wanted = CELLS[dimension]
    found = [block for block in content.cells if block.type in wanted and len(block.data)]
    if not found or any(kind.startswith(ABOVE) and kind not in wanted for kind in kinds):
        solids = [kind for kind in kinds if kind.startswith(ABOVE)]
        if dimension == 2 and solids:
            remedy = "Give three coordinates: MeshDomain(path, (x, y, z))."
        elif dimension == 3 and not solids and any(kind.startswith("triangle") for kind in kinds):
            remedy = (
                "It is a surface: mesh its inside (gmsh -3), use SurfaceDomain(path, (x, y, z)), or, for a "
                "mesh of the plane, give two coordinates."
            )
        else:
            remedy = "Save linear or quadratic simplices: triangles of the plane, or tetrahedra."
        raise MeshDimensionError(
            who,
            f"cells of type {', '.join(wanted)} for {dimension} coordinates",
            ", ".join(sorted(set(kinds))) or "no cells",
            remedy,
        )
    orders = {wanted[block.type] for block in found}
    if len(orders) > 1 or any(kind in ("quad8", "quad9") for kind in kinds if dimension == 2):
        raise MeshDimensionError(
            who,
            "cells of one order, triangles where they are quadratic",
            ", ".join(sorted(set(kinds))),
            "Save the whole mesh with elements of one order (gmsh: Mesh.ElementOrder).",
        )
    columns = []
    for block in found:
        data = np.asarray(block.data).astype(np.int64)
        if block.type == "quad":
            data = np.concatenate([data[:, [0, 1, 2]], data[:, [0, 2, 3]]])
        columns.append(data[:, TETRA10] if block.type == "tetra10" else data)
    return np.concatenate(columns)


def _points(points: Any, cells: Indices, dimension: int, who: str) -> Array:
    """Coordinates (n, dimension); a constant third one is dropped."""
    points = np.asarray(points, dtype=float)
    if points.ndim != 2 or points.shape[1] not in (dimension, 3):
        raise MeshDimensionError(
            who,
            f"points of {dimension} coordinates",
            f"points of shape {points.shape}",
            "Mesh a region of as many dimensions as there are coordinates.",
        )
    if points.shape[1] > dimension:
        numbers = np.unique(cells)
        used = points[numbers[(numbers >= 0) & (numbers < len(points))]]
        if len(used) and np.isfinite(used).all() and np.ptp(used[:, 2]) > FLAT * np.ptp(used):
            raise MeshDimensionError(
                who,
                "a mesh of the plane for two coordinates",
                f"a third coordinate from {used[:, 2].min():.6g} to {used[:, 2].max():.6g}",
                "It is a surface in space: use SurfaceDomain(path, (x, y, z)) if it is closed.",
            )
    return np.asarray(points[:, :dimension])


def _groups(content: Any, dimension: int) -> dict[str, Indices]:
    """Facets (q, dimension) of each group, in the order of the groups' names in the file, then of numbers."""
    names = {
        int(value[0]): name
        for name, value in content.field_data.items()
        if np.size(value) == 2 and int(value[1]) == dimension - 1
    }
    groups: dict[str, list[Indices]] = {name: [] for name in names.values()}
    tags = _tags(content)
    for number, block in enumerate(content.cells):
        if block.type not in FACETS[dimension]:
            continue
        facets = np.asarray(block.data).astype(np.int64)[:, :dimension]
        for name, members in content.cell_sets.items():
            if name not in NOT_TAGS and members[number] is not None and len(members[number]):
                groups.setdefault(name, []).append(facets[np.asarray(members[number]).astype(np.int64)])
        if tags is not None:
            for tag in np.unique(tags[number]):
                if tag:
                    name = names.get(int(tag), str(tag))
                    groups.setdefault(name, []).append(facets[np.asarray(tags[number]) == tag])
    return {name: np.concatenate(facets) for name, facets in groups.items() if facets}


def _tags(content: Any) -> Any:
    """For each block of cells the integers that number groups; None where the file has none."""
    integers = [
        name
        for name, blocks in content.cell_data.items()
        if name not in NOT_TAGS and all(np.asarray(b).dtype.kind in "iu" and np.ndim(b) == 1 for b in blocks)
    ]
    return next((content.cell_data[name] for name in _first(TAGS, integers)), None)


def _first(preferred: Iterable[str], names: list[str]) -> list[str]:
    return [name for name in preferred if name in names] + names
