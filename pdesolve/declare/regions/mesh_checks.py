"""What a mesh must satisfy before anything is computed on it.

Either orientation of a cell is accepted: nothing depends on it. What is refused as inverted is a cell that
lies on the same side of a facet as its neighbour, or a curved cell that folds over itself.
"""

from __future__ import annotations

import numpy as np

from ..errors import (
    DegenerateCellError,
    DuplicateMeshError,
    MeshConnectivityError,
    MeshDimensionError,
    MeshTopologyError,
    NameClashError,
    NonFiniteMeshError,
)
from .mesh import EDGES, Indices, Mesh
from .region import INITIAL, INSIDE, Array, Mask
from .search import SimplexSearch
from .simplices import measures

REST = "boundary"
"""Name of the part that consists of all boundary facets without a name."""

SAME = 1e-10  # nodes nearer than this times the size of the mesh are one
FLAT = 1e-12  # a cell whose measure is below this times (longest edge)^k is degenerate


def checked(mesh: Mesh, who: str) -> Mesh:
    """The mesh without unused nodes, and with a boundary that is named completely.

    Named facets inside the region are left out; boundary facets without a name become `REST`.

    Raises:
        MeshDimensionError: no cells, or cells that are no simplices of the points' dimension.
        MeshConnectivityError: a cell or facet names a node that does not exist.
        NonFiniteMeshError: NaN or infinite coordinates.
        DegenerateCellError: cells without volume, inverted or folded.
        DuplicateMeshError: the same node or cell twice.
        MeshTopologyError: hanging nodes, cells that overlap, separate pieces, a facet of two parts.
        NameClashError: a part is called ``inside`` or ``initial``.
    """
    _check_shape(mesh, who)
    _check_indices(mesh, who)
    mesh = _used(mesh)
    _check_points(mesh, who)
    _check_cells(mesh, who)
    inner = _check_neighbours(mesh, who)
    _check_hanging_nodes(mesh, who)
    _check_pieces(mesh, inner, who)
    return Mesh(mesh.points, mesh.cells, _parts(mesh, who))


def _check_shape(mesh: Mesh, who: str) -> None:
    k = mesh.points.shape[1]
    allowed = (k + 1, k + 1 + len(EDGES.get(k, ())))
    if mesh.cells.ndim != 2 or mesh.cells.shape[1] not in allowed or not len(mesh.cells):
        raise MeshDimensionError(
            who,
            f"cells with {allowed[0]} or {allowed[1]} nodes for {k} coordinates",
            f"cells of shape {mesh.cells.shape}",
            "Mesh a region of as many dimensions as there are coordinates.",
        )


def _check_indices(mesh: Mesh, who: str) -> None:
    for what, numbers in (("cells", mesh.cells), *mesh.boundaries.items()):
        if numbers.size and not 0 <= numbers.min() <= numbers.max() < len(mesh.points):
            raise MeshConnectivityError(
                who,
                f"node numbers from 0 to {len(mesh.points) - 1}",
                f"{numbers.min()} to {numbers.max()} in {what}",
                "Write the mesh again with the program that made it.",
            )


def _used(mesh: Mesh) -> Mesh:
    """Without the nodes of no cell, such as centres of circles; parts lose facets that are on none."""
    used = np.unique(mesh.cells)
    number = np.full(len(mesh.points), -1)
    number[used] = np.arange(len(used))
    parts = {name: number[facets] for name, facets in mesh.boundaries.items()}
    parts = {name: facets[(facets >= 0).all(axis=1)] for name, facets in parts.items()}
    return Mesh(mesh.points[used], number[mesh.cells], parts)


def _check_points(mesh: Mesh, who: str) -> None:
    from scipy.spatial import cKDTree

    is_finite = np.isfinite(mesh.points).all(axis=1)
    if not is_finite.all():
        first = int(np.argmin(is_finite))
        raise NonFiniteMeshError(
            who,
            "finite coordinates",
            f"{mesh.points[first].tolist()} at node {first}",
            "Write the mesh again with the program that made it.",
        )
    size = float(np.ptp(mesh.points, axis=0).max())
    pairs = cKDTree(mesh.points).query_pairs(SAME * size, output_type="ndarray")
    if len(pairs):
        raise DuplicateMeshError(
            who,
            "each node once",
            f"{len(pairs)} pairs at the same place, first at {mesh.points[pairs[0, 0]].tolist()}",
            "Merge the nodes where pieces of the mesh meet (gmsh: Coherence Mesh).",
        )


def _check_cells(mesh: Mesh, who: str) -> None:
    k = mesh.dimension
    corners = mesh.vertices
    longest = np.max([np.linalg.norm(corners[:, i] - corners[:, j], axis=1) for i, j in EDGES[k]], axis=0)
    is_flat = measures(corners) <= FLAT * longest**k
    if is_flat.any():
        first = int(np.argmax(is_flat))
        raise DegenerateCellError(
            who,
            "cells with a volume",
            f"{is_flat.sum()} without, first cell {first} at {corners[first].tolist()}",
            "Remove the cells, or mesh the region again.",
        )
    is_folded = _is_folded(mesh)
    if is_folded.any():
        first = int(np.argmax(is_folded))
        raise DegenerateCellError(
            who,
            "curved cells that do not fold over",
            f"{is_folded.sum()} folded, first cell {first} near {corners[first].mean(axis=0).tolist()}",
            "Mesh curved boundaries more finely, or optimise the mesh (gmsh: Mesh.HighOrderOptimize).",
        )
    _, first_of, count = np.unique(
        np.sort(mesh.cells[:, : k + 1], axis=1), axis=0, return_index=True, return_counts=True
    )
    if (count > 1).any():
        raise DuplicateMeshError(
            who,
            "each cell once",
            f"{(count > 1).sum()} more than once, first cell {first_of[count > 1][0]}",
            "Save each cell once: one physical group for the inside.",
        )


def _is_folded(mesh: Mesh) -> Mask:
    """Whether the Jacobian of a quadratic cell changes its sign between its nodes (m,)."""
    if not mesh.is_quadratic:
        return np.zeros(len(mesh.cells), dtype=bool)
    determinants = np.linalg.det(_jacobians(mesh))
    return np.asarray(determinants.min(axis=1) * determinants.max(axis=1) <= 0)


def _jacobians(mesh: Mesh) -> Array:
    """dx/dλ of quadratic cells at their nodes and centroid, (m, places, k, k)."""
    k = mesh.dimension
    unit = np.eye(k + 1)
    places = np.array([*unit, *((unit[i] + unit[j]) / 2 for i, j in EDGES[k]), np.full(k + 1, 1 / (k + 1))])
    # Gradients of λ_i (2 λ_i - 1) and 4 λ_i λ_j in barycentric coordinates, then along edges from vertex 0.
    corner = [np.outer(4 * places[:, i] - 1, unit[i]) for i in range(k + 1)]
    edge = [4 * (np.outer(places[:, i], unit[j]) + np.outer(places[:, j], unit[i])) for i, j in EDGES[k]]
    gradients = np.stack([*corner, *edge])  # (nodes, places, k + 1)
    along = gradients[..., 1:] - gradients[..., :1]
    return np.asarray(np.einsum("npd,mnk->mpkd", along, mesh.points[mesh.cells]))


def _check_neighbours(mesh: Mesh, who: str) -> Indices:
    """Every inner facet has one cell on each side: those two cells (inner facets, 2)."""
    facets, opposite = mesh.cell_facets
    _, same, count = np.unique(np.sort(facets, axis=1), axis=0, return_inverse=True, return_counts=True)
    if count.max() > 2:
        where = mesh.points[facets[np.argmax(count[same] > 2)]].mean(axis=0)
        raise MeshTopologyError(
            who,
            "at most two cells at a facet",
            f"{count.max()} near {where.tolist()}",
            "Remove cells that overlap.",
        )
    order = np.argsort(same, kind="stable")
    inner = order[count[same[order]] == 2].reshape(-1, 2)  # the two sides of each inner facet
    base = mesh.points[facets[inner[:, 0]]]
    sides = mesh.points[opposite[inner]]
    spans = np.linalg.det(np.concatenate([base[:, 1:] - base[:, :1], sides[:, :1] - base[:, :1]], axis=1))
    other = np.linalg.det(np.concatenate([base[:, 1:] - base[:, :1], sides[:, 1:] - base[:, :1]], axis=1))
    is_bad = spans * other >= 0
    if is_bad.any():
        where = base[np.argmax(is_bad)].mean(axis=0)
        raise DegenerateCellError(
            who,
            "cells on both sides of each inner facet",
            f"{is_bad.sum()} facets with both cells on one side, first near {where.tolist()}",
            "Mesh the region again: inverted cells overlap their neighbours.",
        )
    return np.asarray(inner % len(mesh.cells))  # `cell_facets` runs over all cells k + 1 times


def _check_pieces(mesh: Mesh, cells: Indices, who: str) -> None:
    """The cells hang together by facets; ``cells`` are the two at each inner facet."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    m = len(mesh.cells)
    links = coo_matrix((np.ones(len(cells)), (cells[:, 0], cells[:, 1])), shape=(m, m))
    pieces, label = connected_components(links, directed=False)
    if pieces > 1:
        where = mesh.vertices[np.argmax(label != label[0])].mean(axis=0)
        facet = "edges" if mesh.dimension == 2 else "faces"
        raise MeshTopologyError(
            who,
            f"one mesh connected by {facet} of cells",
            f"{pieces} pieces, the second near {where.tolist()}",
            "Merge the nodes where the pieces meet, or declare a problem on each piece.",
        )


def _parts(mesh: Mesh, who: str) -> dict[str, Indices]:
    """The named parts, boundary facets only, and `REST`."""
    boundary = mesh.facets
    keys = np.sort(boundary, axis=1)
    owner = np.full(len(boundary), -1)
    names = list(mesh.boundaries)
    if reserved := {INSIDE, INITIAL} & set(names):
        raise NameClashError(
            who, "other names of boundary parts", ", ".join(sorted(reserved)), "Rename the physical group."
        )
    for number, name in enumerate(names):
        both = np.concatenate([keys, np.sort(mesh.boundaries[name], axis=1).reshape(-1, mesh.dimension)])
        _, same = np.unique(both, axis=0, return_inverse=True)
        is_member = np.isin(same[: len(keys)], same[len(keys) :])
        clash = is_member & (owner >= 0)
        if clash.any():
            raise MeshTopologyError(
                who,
                "each boundary facet in one part",
                f"{clash.sum()} facets in both {names[owner[np.argmax(clash)]]!r} and {name!r}",
                "Put each boundary curve or surface into one physical group.",
            )
        owner[is_member] = number
    parts = {name: boundary[owner == number] for number, name in enumerate(names)}
    if (owner < 0).any():
        parts[REST] = np.concatenate([parts.get(REST, boundary[:0]), boundary[owner < 0]])
    return {name: facets for name, facets in parts.items() if len(facets)}


def _check_hanging_nodes(mesh: Mesh, who: str) -> None:
    """No vertex of the boundary lies on a boundary facet of which it is no vertex."""
    facets = mesh.facets
    vertices = np.unique(facets)
    near = SimplexSearch(mesh.points[facets]).nearest_apart(mesh.points[vertices], vertices, facets)
    size = float(np.ptp(mesh.points, axis=0).max())
    if near.min() <= SAME * size:
        where = mesh.points[vertices[np.argmin(near)]].tolist()
        raise MeshTopologyError(
            who,
            "cells that meet at whole facets",
            f"a vertex on a facet that it does not belong to, at {where}",
            "Make the mesh conforming: cells must share whole edges and faces.",
        )
