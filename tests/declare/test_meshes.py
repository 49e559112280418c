"""Meshes and regions made of them, against closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from pdesolve.declare.regions.mesh import EDGES, Mesh, box_mesh
from pdesolve.declare.regions.region import Array
from pdesolve.declare.regions.simplices import measures


def unit_box(k: int, n: int = 3) -> Mesh:
    """A box with unequal sides and cells, so that no symmetry hides a mistake."""
    return box_mesh([np.linspace(0, 1, n + 1) ** (1 + i / 4) * (1 + i) for i in range(k)])


def quadratic(mesh: Mesh, bend: float = 0.0) -> Mesh:
    """The quadratic mesh with the same vertices; ``bend`` moves all nodes by a smooth map of the plane."""
    numbers = {tuple(edge): len(mesh.points) + i for i, edge in enumerate(mesh.edges.tolist())}
    middles = [
        [numbers[tuple(sorted(pair))] for pair in mesh.cells[:, list(edge)].tolist()]
        for edge in EDGES[mesh.dimension]
    ]
    points = np.concatenate([mesh.points, mesh.points[mesh.edges].mean(axis=1)])
    points = points + bend * np.roll(points, 1, axis=1) ** 2
    return Mesh(points, np.column_stack([mesh.cells, *map(np.array, middles)]), mesh.boundaries)


def smallest_angle(mesh: Mesh) -> float:
    """Smallest angle of the triangles, in degrees."""
    angles = []
    for i in range(3):
        a, b = (mesh.vertices[:, (i + j) % 3] - mesh.vertices[:, i] for j in (1, 2))
        cosine = np.sum(a * b, axis=1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
        angles.append(np.degrees(np.arccos(cosine)))
    return float(np.min(angles))


def facet_vertices(mesh: Mesh, part: str) -> Array:
    return mesh.points[mesh.boundaries[part]]


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("k", [1, 2, 3])
def test_refinement_keeps_measures_and_parts(k: int, order: int) -> None:
    mesh = unit_box(k) if order == 1 else quadratic(unit_box(k))
    fine = mesh.refined()
    assert len(fine.cells) == 2**k * len(mesh.cells)
    np.testing.assert_array_equal(fine.points[: len(mesh.points)], mesh.points)
    children = measures(fine.vertices).reshape(len(mesh.cells), 2**k)
    np.testing.assert_allclose(children, measures(mesh.vertices)[:, None] / 2**k * np.ones(2**k), rtol=1e-12)
    assert list(fine.boundaries) == list(mesh.boundaries)
    for part, facets in fine.boundaries.items():
        assert len(facets) == 2 ** (k - 1) * len(mesh.boundaries[part])
        before, after = facet_vertices(mesh, part), facet_vertices(fine, part)
        assert measures(after).sum() == pytest.approx(measures(before).sum(), rel=1e-12)


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("k", [1, 2, 3])
def test_refinement_is_conforming(k: int, order: int) -> None:
    """No node twice, and the boundary is the union of the parts: a hanging node would open inner facets."""
    fine = (unit_box(k) if order == 1 else quadratic(unit_box(k))).refined().refined()
    assert len(np.unique(fine.points.round(9), axis=0)) == len(fine.points)
    assert len(np.unique(fine.cells)) == len(fine.points)
    named = np.concatenate(list(fine.boundaries.values()))
    assert {frozenset(f) for f in named.tolist()} == {frozenset(f) for f in fine.facets.tolist()}


def test_refinement_leaves_plane_angles_as_they_are() -> None:
    mesh = unit_box(2)
    assert smallest_angle(mesh.refined().refined()) == pytest.approx(smallest_angle(mesh), rel=1e-9)


def test_refined_tetrahedra_keep_few_shapes() -> None:
    """Bey's order: at most three shapes from one tetrahedron however often it is refined."""
    mesh = Mesh(np.array([[0, 0, 0], [1, 0, 0], [0.2, 1.1, 0], [0.3, 0.2, 0.9]]), np.array([[0, 1, 2, 3]]))
    for _ in range(4):
        mesh = mesh.refined()
    v = mesh.vertices / np.cbrt(measures(mesh.vertices))[:, None, None]
    edges = np.stack([np.linalg.norm(v[:, i] - v[:, j], axis=1) for i, j in EDGES[3]], axis=1)
    assert len(np.unique(np.sort(edges, axis=1).round(6), axis=0)) <= 3


@pytest.mark.parametrize("k", [2, 3])
def test_refinement_follows_curved_edges(k: int) -> None:
    """Nodes of the refined quadratic mesh lie where the polynomial map of degree 2 has them."""
    flat = quadratic(unit_box(k)).refined()
    bent = quadratic(unit_box(k), bend=0.1).refined()  # degree 2: quadratic cells hold the map exactly
    np.testing.assert_allclose(
        bent.points, flat.points + 0.1 * np.roll(flat.points, 1, axis=1) ** 2, atol=1e-13
    )
    np.testing.assert_array_equal(bent.cells, flat.cells)


def test_middle_nodes_of_refined_cells_follow_the_order_of_edges() -> None:
    for k in (1, 2, 3):
        fine = quadratic(unit_box(k)).refined()
        for column, (i, j) in enumerate(EDGES[k], start=k + 1):
            ends = fine.points[fine.cells[:, [i, j]]].mean(axis=1)
            np.testing.assert_allclose(fine.points[fine.cells[:, column]], ends, atol=1e-13)
