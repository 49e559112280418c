"""Meshes and regions made of them, against closed forms."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

import pdesolve as pde
from pdesolve.declare.errors import (
    DegenerateCellError,
    DuplicateMeshError,
    MeshConnectivityError,
    MeshDimensionError,
    MeshFileError,
    MeshTopologyError,
    NameClashError,
    NonFiniteMeshError,
    PDESolveError,
    SerializationError,
)
from pdesolve.declare.regions.curves import Segment
from pdesolve.declare.regions.mesh import EDGES, Mesh, box_mesh
from pdesolve.declare.regions.region import Array
from pdesolve.declare.regions.search import SimplexSearch, distance
from pdesolve.declare.regions.simplices import measures
from pdesolve.declare.serialization import problem_from_json, problem_to_json


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


# -- regions made of meshes ------------------------------------------------------------------------------

x, y, z = pde.coordinates("x y z")


def domain_of(mesh: Mesh) -> pde.Domain:
    return pde.MeshDomain(mesh, (x, y, z)[: mesh.dimension])


def box_like(k: int) -> pde.Domain:
    return pde.Box(*[(c, 0, 1 + i) for i, c in enumerate((x, y, z)[:k])])


def l_shape(n: int = 4) -> Mesh:
    """Cells of a square without its lower right quarter; only the two re-entrant sides have a name."""
    grid = box_mesh([np.linspace(-1, 1, 2 * n + 1) ** 3] * 2)  # nodes crowd at the corner
    kept = Mesh(grid.points, grid.cells[~np.all(grid.vertices.mean(axis=1) * [1, -1] > 0, axis=1)])
    middle = kept.points[kept.facets].mean(axis=1)
    corner = kept.facets[np.all(np.abs(middle) < 1 - 1e-9, axis=1)]
    return Mesh(kept.points, kept.cells, {"corner": corner})


def random_points(bounds: Array, n: int = 3000, seed: int = 0) -> Array:
    """Points of a box one and a half times as large."""
    lower, upper = bounds.T
    return np.asarray(
        np.random.default_rng(seed).uniform(
            lower - (upper - lower) / 4, upper + (upper - lower) / 4, (n, len(bounds))
        )
    )


@pytest.mark.parametrize("k", [2, 3])
def test_a_mesh_of_a_box_is_the_box(k: int) -> None:
    domain, box = domain_of(unit_box(k, 5)), box_like(k)
    points = random_points(box.bounds)
    assert domain.parts == box.parts
    np.testing.assert_array_equal(domain.bounds, box.bounds)
    np.testing.assert_array_equal(domain.contains(points), box.contains(points))
    np.testing.assert_allclose(domain.distance(points), box.distance(points), atol=1e-12)
    assert domain.measure() == pytest.approx(box.measure(), rel=1e-12)
    for part in box.parts:
        assert domain.measure(part) == pytest.approx(box.measure(part), rel=1e-12)
        normal = domain.normal(part)
        assert normal is not None
        np.testing.assert_allclose(normal, box.region.normal(part), atol=1e-14)
        np.testing.assert_allclose(domain.normals(points, part)[7], normal)


def test_cells_may_have_either_orientation() -> None:
    mesh = unit_box(2)
    flipped = Mesh(mesh.points, mesh.cells[:, ::-1], mesh.boundaries)
    for part in mesh.boundaries:
        np.testing.assert_allclose(domain_of(flipped).normal(part), domain_of(mesh).normal(part))


def test_l_shape_in_closed_form() -> None:
    domain = domain_of(l_shape())
    points = random_points(domain.bounds)
    inside = np.all(np.abs(points) <= 1, axis=1) & ~((points[:, 0] > 0) & (points[:, 1] < 0))
    np.testing.assert_array_equal(domain.contains(points), inside)
    assert domain.parts == ("corner", "boundary")  # facets without a name
    assert domain.measure("corner") == pytest.approx(2)
    assert domain.measure("boundary") == pytest.approx(6)
    assert domain.normal("corner") is None
    near = np.array([[0.3, 0.1], [-0.1, -0.3]])
    np.testing.assert_allclose(domain.normals(near, "corner"), [[0, -1], [1, 0]], atol=1e-12)
    np.testing.assert_allclose(domain.distance(near), [0.1, 0.1])
    # outside, in the missing quarter: the nearest place is the corner for no point but the corner itself
    np.testing.assert_allclose(domain.distance(np.array([[0.2, -0.1], [0.0, 0.0]])), [-0.1, 0.0], atol=1e-12)


def test_points_that_are_not_finite_are_outside() -> None:
    points = np.array([[np.nan, 0.5], [np.inf, 0.5], [0.5, 0.5]])
    np.testing.assert_array_equal(domain_of(unit_box(2)).contains(points), [False, False, True])


@pytest.mark.parametrize("method", ["sobol", "uniform"])
@pytest.mark.parametrize("mesh", [l_shape(), unit_box(3, 4)], ids=["l-shape", "box"])
def test_samples_are_uniform_whatever_the_cells_sizes(mesh: Mesh, method: str) -> None:
    """Moments of the sample against those of the region by Gauss quadrature (exact here)."""
    domain = domain_of(mesh)
    n = 4096
    points = domain.sample(n, np.random.default_rng(1), method=method)
    assert domain.contains(points).all()
    nodes, weights = domain.region.quadrature(3)
    for f in (lambda p: p[:, 0], lambda p: p[:, 1] ** 2, lambda p: p[:, 0] * p[:, 1]):
        values, mean = f(points), weights @ f(nodes) / weights.sum()
        spread = np.sqrt(weights @ (f(nodes) - mean) ** 2 / weights.sum())
        assert abs(values.mean() - mean) < (4 if method == "uniform" else 1) * spread / np.sqrt(n)
    for part in domain.parts:
        on_part = domain.sample(64, np.random.default_rng(2), part, method)
        np.testing.assert_allclose(domain.distance(on_part), 0, atol=1e-12)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), k=st.sampled_from([2, 3]))
def test_divergence_theorem(seed: int, k: int) -> None:
    """∫ div F = ∮ F·n for quadratic F, on a mesh with moved nodes."""
    rng = np.random.default_rng(seed)
    mesh = unit_box(k, 3)
    moved = mesh.points + rng.uniform(-0.03, 0.03, mesh.points.shape)
    region = domain_of(Mesh(moved, mesh.cells, mesh.boundaries)).region
    a = rng.normal(size=(k, k, k))  # F_i = Σ a_ijl x_j x_l
    nodes, weights = region.quadrature(3)
    divergence = np.einsum("iil,nl->n", a, nodes) + np.einsum("iji,nj->n", a, nodes)
    outflow = 0.0
    for face in region.faces:
        at, w = region.quadrature(3, face.name)
        outflow += w @ np.einsum("ijl,nj,nl,ni->n", a, at, at, region.normals(at, face.name))
    assert outflow == pytest.approx(weights @ divergence, rel=1e-10, abs=1e-10)


def test_location_agrees_with_brute_force_on_a_graded_mesh() -> None:
    mesh = box_mesh([np.linspace(0, 1, 12) ** 3, np.linspace(0, 1, 9) ** 2])
    points = np.random.default_rng(0).uniform(-0.1, 1.1, (500, 2))
    cells, found = SimplexSearch(mesh.vertices).locate(points, 0.0)
    np.testing.assert_array_equal(found, np.all((points > 0) & (points < 1), axis=1))
    for point, vertices in zip(points[found], mesh.vertices[cells[found]], strict=True):
        weights = np.linalg.solve(np.vstack([vertices.T, np.ones(3)]), [*point, 1])
        assert weights.min() >= -1e-12


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), q=st.integers(0, 2))
def test_distance_to_a_simplex_is_the_least_to_its_points(seed: int, q: int) -> None:
    rng = np.random.default_rng(seed)
    vertices, point = rng.normal(size=(1, q + 1, 3)), rng.normal(size=(1, 3))
    result = minimize(  # over barycentric coordinates, as a constrained least-squares problem
        lambda w: float(np.sum((w @ vertices[0] - point[0]) ** 2)),
        np.full(q + 1, 1 / (q + 1)),
        bounds=[(0, 1)] * (q + 1),
        constraints=[{"type": "eq", "fun": lambda w: w.sum() - 1}],
        options={"ftol": 1e-14, "maxiter": 500},
    )
    assert distance(point, vertices)[0] == pytest.approx(np.sqrt(result.fun), abs=1e-5)


def test_search_among_simplices_of_very_different_sizes_is_exact() -> None:
    rng = np.random.default_rng(3)
    vertices = rng.normal(size=(200, 3, 3)) * 10 ** rng.uniform(-3, 0, (200, 1, 1)) + rng.normal(
        size=(200, 1, 3)
    )
    points = rng.normal(size=(100, 3)) * 2
    all_distances = distance(np.repeat(points, 200, axis=0), np.tile(vertices, (100, 1, 1))).reshape(100, 200)
    nearest, least = SimplexSearch(vertices).nearest(points)
    np.testing.assert_array_equal(least, all_distances.min(axis=1))
    np.testing.assert_array_equal(nearest, all_distances.argmin(axis=1))


def test_mesh_is_refined_to_a_size() -> None:
    region = domain_of(l_shape()).region
    assert region.mesh() is region.mesh(10.0)
    fine = region.mesh(0.2)
    assert 0.1 < fine.longest_edge <= 0.2
    assert measures(fine.vertices).sum() == pytest.approx(3)
    with pytest.raises(PDESolveError, match="Give a larger size"):
        region.mesh(1e-6)
    for size in (-1, 0, np.nan, "0.1"):
        with pytest.raises(PDESolveError, match="positive"):
            region.mesh(size)


@pytest.mark.parametrize("source", [3, None, ["part.msh"]])
def test_sources_are_paths(source: object) -> None:
    with pytest.raises(MeshFileError, match="a path"):
        pde.MeshDomain(source, (x, y))  # type: ignore[arg-type]
    with pytest.raises(MeshFileError, match="a path"):
        pde.SurfaceDomain(source, (x, y, z))  # type: ignore[arg-type]


def test_straight_sides_are_segments_with_the_region_on_their_left() -> None:
    region = domain_of(unit_box(2)).region
    assert region.boundary_curves("top") == (Segment((1.0, 2.0), (0.0, 2.0)),)
    assert region.boundary_curves("left") == (Segment((0.0, 2.0), (0.0, 0.0)),)
    assert domain_of(l_shape()).region.boundary_curves("corner") is None
    assert domain_of(unit_box(3)).region.boundary_curves("left") is None


def test_problem_on_a_mesh_survives_json() -> None:
    u = pde.unknown("u", x, y)
    problem = pde.Problem(
        name="membrane",
        equations=[u.diff(x, 2) + u.diff(y, 2) + 1],
        domain=domain_of(quadratic(l_shape())),
        conditions=[pde.Dirichlet(u, 0)],
    )
    same = problem_from_json(json.loads(json.dumps(problem_to_json(problem))))
    assert same.digest == problem.digest
    np.testing.assert_array_equal(same.domain.region.mesh().points, problem.domain.region.mesh().points)
    moved = problem.replace(domain=domain_of(quadratic(l_shape(), bend=1e-9)))
    assert moved.digest != problem.digest


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("points", "data"), "AAAA"),
        (("points", "data"), "é"),
        (("points", "dtype"), "<f4"),
        (("points", "shape"), [10**9, 2]),
        (("points", "shape"), [-1, 2]),
        (("cells", "shape"), "3"),
        (("cells",), None),
        (("parts",), [["corner"]]),
        (("coordinates",), []),
    ],
)
def test_broken_json_of_a_mesh_is_refused(path: tuple[str, ...], value: object) -> None:
    u = pde.unknown("u", x, y)
    equation = u.diff(x, 2) + u.diff(y, 2)
    problem = pde.Problem("p", [equation], domain_of(l_shape()), [pde.Dirichlet(u, 0)])
    content = json.loads(json.dumps(problem_to_json(problem)))
    inner = content["domain"]["region"]
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    with pytest.raises(SerializationError):
        problem_from_json(content)


# -- refusals --------------------------------------------------------------------------------------------


def changed(points: object = None, cells: object = None, parts: object = None) -> Mesh:
    """A mesh of the unit square, with nodes, cells or parts put in its place."""
    mesh = box_mesh([np.linspace(0, 1, 3)] * 2)
    return Mesh(
        mesh.points if points is None else np.array(points, dtype=float),
        mesh.cells if cells is None else np.array(cells),
        mesh.boundaries if parts is None else parts,  # type: ignore[arg-type]
    )


GOOD = changed()
NAN = np.where(np.arange(9)[:, None] == 4, np.nan, GOOD.points)
FLAT = np.where(np.arange(9)[:, None] == 4, [[0.25, 0.0]], GOOD.points)
INVERTED = np.where(np.arange(9)[:, None] == 4, [[1.2, 0.6]], GOOD.points)
TWICE = np.concatenate([GOOD.points, GOOD.points[4:5]])
SPLIT = np.where(GOOD.cells == 4, 9, GOOD.cells)[:1]
HANGING = [[0, 1, 2], [0, 4, 3], [4, 1, 3]]  # vertex 4 in the middle of the edge of the first cell
HANGING_POINTS = [[0, 0], [2, 0], [1, 1], [1, -1], [1, 0]]
FAN_POINTS = [[0, 0], [1, 0], [0, 1], [0, -1], [0.5, 2]]
FOLDED = quadratic(box_mesh([np.linspace(0, 1, 2)] * 2))


@pytest.mark.parametrize(
    ("mesh", "error", "message"),
    [
        (changed(cells=np.zeros((0, 3), dtype=int)), MeshDimensionError, "cells of shape"),
        (changed(cells=[[0, 1, 2, 3]]), MeshDimensionError, "3 or 6 nodes for 2 coordinates"),
        (changed(points=np.zeros((9, 3))), MeshDimensionError, "points of shape"),
        (changed(cells=[[0, 1, 9]]), MeshConnectivityError, "0 to 9 in cells"),
        (changed(cells=[[0, 1, -1]]), MeshConnectivityError, "-1 to 1 in cells"),
        (changed(parts={"in": np.array([[0, 50]])}), MeshConnectivityError, "0 to 50 in in"),
        (changed(points=NAN), NonFiniteMeshError, "at node 4"),
        (changed(points=np.where(np.isnan(NAN), np.inf, NAN)), NonFiniteMeshError, "inf"),
        (changed(points=FLAT), DegenerateCellError, "without, first cell"),
        (changed(points=INVERTED), DegenerateCellError, "both cells on one side"),
        (
            changed(cells=np.concatenate([GOOD.cells, GOOD.cells[:1, ::-1]])),
            DuplicateMeshError,
            "more than once",
        ),
        (changed(points=TWICE, cells=np.concatenate([GOOD.cells[1:], SPLIT])), DuplicateMeshError, "1 pairs"),
        (changed(cells=GOOD.cells[[0, 3]]), MeshTopologyError, "2 pieces"),
        (changed(HANGING_POINTS, HANGING, {}), MeshTopologyError, r"at \[1.0, 0.0\]"),
        (
            changed(FAN_POINTS, [[0, 1, 2], [0, 1, 3], [0, 1, 4]], {}),
            MeshTopologyError,
            "at most two cells",
        ),
        (changed(parts={"a": GOOD.facets, "b": GOOD.facets[:1]}), MeshTopologyError, "both 'a' and 'b'"),
        (changed(parts={"initial": GOOD.facets}), NameClashError, "initial"),
        (
            Mesh(FOLDED.points + 0.8 * (np.arange(9)[:, None] == FOLDED.cells[0, 3]), FOLDED.cells),
            DegenerateCellError,
            "folded",
        ),
    ],
)
def test_bad_meshes_are_refused(mesh: Mesh, error: type[PDESolveError], message: str) -> None:
    with pytest.raises(error, match=message) as caught:
        pde.MeshDomain(mesh, (x, y))
    assert caught.value.remedy


def test_unused_nodes_and_inner_facets_are_left_out() -> None:
    points = np.concatenate([[[7.0, 7.0]], GOOD.points])
    inner = np.array([[4, 0]])  # the diagonal of a box: a facet of two cells
    parts = {"crack": inner + 1, "left": GOOD.boundaries["left"] + 1}
    domain = pde.MeshDomain(Mesh(points, GOOD.cells + 1, parts), (x, y))
    assert domain.parts == ("left", "boundary")
    assert domain.measure("boundary") == pytest.approx(3)
    assert len(domain.region.mesh().points) == 9


@pytest.mark.parametrize("coordinates", ["xy", (x,), (x, y, z, pde.coordinates("w")), (x, "y"), x])
def test_coordinates_are_two_or_three_symbols(coordinates: object) -> None:
    with pytest.raises(PDESolveError, match="coordinates"):
        pde.MeshDomain(GOOD, coordinates)  # type: ignore[arg-type]
