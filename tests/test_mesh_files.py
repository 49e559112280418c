"""Mesh files: every format, broken ones, closed surfaces, and the meshes that come with the library."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import meshio
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_packaging import PROJECT, ROOT

import pdesolve as pde
from pdesolve import meshes
from pdesolve.declare.errors import (
    DegenerateCellError,
    MeshConnectivityError,
    MeshDimensionError,
    MeshFileError,
    MeshingError,
    MeshTopologyError,
    NonFiniteMeshError,
    PDESolveError,
)
from pdesolve.declare.regions.mesh import EDGES, Mesh
from pdesolve.declare.regions.region import Array
from pdesolve.declare.regions.simplices import measures
from pdesolve.declare.regions.surface import SurfaceRegion
from pdesolve.declare.regions.surface_checks import checked_surface
from pdesolve.declare.serialization import problem_from_json, problem_to_json

DATA = Path(__file__).parent / "data"
RECTANGLES = [f"rectangle-{kind}.msh" for kind in ("22-ascii", "22-binary", "41-ascii", "41-binary")]
x, y, z = pde.coordinates("x y z")


def load(path: Path) -> pde.Domain:
    return pde.MeshDomain(path, (x, y, z) if path.name.startswith("ball") else (x, y))


# -- formats ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("file", [*RECTANGLES, "rectangle.vtu"])
def test_every_format_gives_the_rectangle(file: str) -> None:
    """[0, 2] × [0, 1]: ``inlet`` on the left, ``walls`` at bottom and top, the right side without a name."""
    domain = load(DATA / file)
    inlet, walls = ("inlet", "walls") if file.endswith(".msh") else ("1", "2")  # .vtu keeps numbers alone
    assert domain.parts == (inlet, walls, "boundary")
    assert len(domain.region.mesh().cells) == 74
    assert domain.measure() == pytest.approx(2)
    assert [domain.measure(part) for part in domain.parts] == pytest.approx([1, 4, 1])
    np.testing.assert_allclose(domain.normal(inlet), [-1, 0], atol=1e-12)
    np.testing.assert_allclose(domain.normal("boundary"), [1, 0], atol=1e-12)
    assert domain.normal(walls) is None
    np.testing.assert_allclose(
        domain.normals(np.array([[1, 0.1], [1, 0.9]]), walls), [[0, -1], [0, 1]], atol=1e-12
    )
    np.testing.assert_array_equal(domain.bounds, [[0, 2], [0, 1]])


def test_middle_nodes_of_quadratic_tetrahedra_are_in_order() -> None:
    """Each lies near the middle of its edge, off by no more than an arc's height, 0.134 of an edge of 1."""
    mesh = load(DATA / "ball-quadratic.msh").region.mesh()
    assert mesh.is_quadratic
    for column, edge in enumerate(EDGES[3], start=4):
        ends = mesh.points[mesh.cells[:, edge]]
        length = np.linalg.norm(ends[:, 1] - ends[:, 0], axis=1)
        off = np.linalg.norm(mesh.points[mesh.cells[:, column]] - ends.mean(axis=1), axis=1)
        assert np.max(off / length) < 0.14
    parts = mesh.refined().boundaries["sphere"]
    np.testing.assert_allclose(np.linalg.norm(mesh.refined().points[parts], axis=2), 1, atol=1e-6)


def write(path: Path, points: object, **cells: object) -> Path:
    meshio.write_points_cells(path, np.array(points, dtype=float), {k: np.array(v) for k, v in cells.items()})
    return path


SQUARE = [[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]]
TETRAHEDRON = [[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]]


def test_quadrilaterals_become_triangles(tmp_path: Path) -> None:
    domain = load(write(tmp_path / "q.vtu", SQUARE, quad=[[0, 1, 2, 3]]))
    assert len(domain.region.mesh().cells) == 2
    assert domain.measure() == pytest.approx(1)
    assert domain.measure("boundary") == pytest.approx(4)


def test_a_plane_mesh_may_lie_at_any_height(tmp_path: Path) -> None:
    raised = np.array(SQUARE) + np.array([0, 0, 3])
    assert load(
        write(tmp_path / "s.vtu", raised, triangle=[[0, 1, 2], [0, 2, 3]])
    ).measure() == pytest.approx(1)


def test_named_sets_become_parts(tmp_path: Path) -> None:
    mesh = meshio.Mesh(
        np.array(SQUARE),
        [("triangle", [[0, 1, 2], [0, 2, 3]]), ("line", [[0, 1], [1, 2]])],
        cell_sets={
            "floor": [np.array([], dtype=int), np.array([0])],
            "all": [np.array([0, 1]), np.array([], dtype=int)],
        },
    )
    path = tmp_path / "sets.inp"
    mesh.write(path)
    assert load(path).parts == ("floor", "boundary")
    assert load(path).measure("floor") == pytest.approx(1)


# -- files that are refused ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("points", "cells", "coordinates", "error", "message"),
    [
        (SQUARE, {"triangle": [[0, 1, 9]]}, (x, y), MeshConnectivityError, "0 to 9"),
        (
            [*SQUARE[:3], [np.nan, 0, 0]],
            {"triangle": [[0, 1, 2], [0, 2, 3]]},
            (x, y),
            NonFiniteMeshError,
            "nan",
        ),
        (SQUARE, {"line": [[0, 1]]}, (x, y), MeshDimensionError, "got line"),
        (SQUARE, {"triangle": [[0, 1, 2]]}, (x, y, z), MeshDimensionError, "SurfaceDomain"),
        (TETRAHEDRON, {"tetra": [[0, 1, 2, 3]]}, (x, y), MeshDimensionError, "three coordinates"),
        (TETRAHEDRON, {"triangle": [[1, 2, 3]]}, (x, y), MeshDimensionError, "third coordinate from 0 to 1"),
        (
            [*SQUARE, [0.5, 0, 0], [1, 0.5, 0], [0.5, 0.5, 0]],
            {"triangle6": [[0, 1, 2, 4, 5, 6]], "triangle": [[0, 2, 3]]},
            (x, y),
            MeshDimensionError,
            "one order",
        ),
    ],
)
def test_what_meshio_accepts_and_we_refuse(
    tmp_path: Path,
    points: object,
    cells: dict[str, object],
    coordinates: tuple[object, ...],
    error: type[PDESolveError],
    message: str,
) -> None:
    path = write(tmp_path / "bad.vtk", points, **cells)
    with pytest.raises(error, match=message):
        pde.MeshDomain(path, coordinates)  # type: ignore[arg-type]


def test_files_that_are_not_there_or_not_meshes(tmp_path: Path) -> None:
    with pytest.raises(MeshFileError, match="an existing file"):
        load(tmp_path / "missing.msh")
    with pytest.raises(MeshFileError, match="an existing file"):
        load(tmp_path)
    for name in ("empty.msh", "empty.vtu", "empty.stl", "unknown.xyz"):
        (tmp_path / name).write_bytes(b"")
        with pytest.raises(PDESolveError):
            load(tmp_path / name)
    with pytest.raises(MeshFileError, match=r"version 4\. Save it as version 4.1"):
        load(DATA / "rectangle-40-ascii.msh")


def test_an_unknown_part_is_answered_with_those_of_the_mesh() -> None:
    u = pde.unknown("u", x, y)
    with pytest.raises(PDESolveError, match="inlet, walls, boundary"):
        pde.Problem(
            "p", [u.diff(x, 2) + u.diff(y, 2)], load(DATA / RECTANGLES[0]), [pde.Dirichlet(u, 0, on="lid")]
        )


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("broken")


QUIET = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.mark.timeout(120)
@pytest.mark.parametrize("file", [*RECTANGLES, "rectangle.vtu", "ball-quadratic.msh"])
@QUIET
@given(fraction=st.floats(0, 1, exclude_max=True))
def test_a_file_that_was_cut_off_is_refused(scratch: Path, file: str, fraction: float) -> None:
    """At any place; what is cut after the last cell may also be read, and is then whole."""
    content = (DATA / file).read_bytes()
    path = scratch / file
    path.write_bytes(content[: int(fraction * len(content))])
    try:
        domain = load(path)
    except PDESolveError:
        return
    assert domain.measure() == pytest.approx(load(DATA / file).measure(), rel=1e-12)


def test_a_cut_in_the_last_cell_is_told(scratch: Path) -> None:
    """meshio takes half a number for a number, and an unfinished section for a whole one."""
    content = (DATA / "rectangle-22-ascii.msh").read_bytes()
    end = content.index(b"$EndElements")
    path = scratch / "cut.msh"
    for last in range(end - 20, end + 12):
        path.write_bytes(content[:last])
        with pytest.raises(MeshFileError, match="cut off"):
            load(path)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("file", ["rectangle-22-ascii.msh", "rectangle-41-ascii.msh", "rectangle.vtu"])
@QUIET
@given(start=st.floats(0, 1), length=st.integers(1, 200))
def test_from_a_file_with_a_gap_only_our_errors_escape(
    scratch: Path, file: str, start: float, length: int
) -> None:
    content = (DATA / file).read_bytes()
    first = int(start * len(content))
    path = scratch / file
    path.write_bytes(content[:first] + content[first + length :])
    try:
        load(path)
    except PDESolveError as error:
        assert error.remedy


def test_reading_prints_nothing(tmp_path: Path) -> None:
    """Not in a fresh process either: neither meshio's complaints nor warnings."""
    broken = tmp_path / "broken.msh"
    broken.write_bytes((DATA / RECTANGLES[0]).read_bytes().replace(b"$Elements", b"$Elephants"))
    code = (
        "import sys, pdesolve as pde\n"
        "x, y = pde.coordinates('x y')\n"
        "for file in sys.argv[1:]:\n"
        "    try: pde.MeshDomain(file, (x, y))\n"
        "    except pde.PDESolveError: pass\n"
    )
    files = [
        DATA / "rectangle.vtu",
        DATA / "rectangle-40-ascii.msh",
        broken,
        DATA / "missing.vtu",
        *map(DATA.joinpath, RECTANGLES),
    ]
    done = subprocess.run(
        [sys.executable, "-c", code, *files], capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


# -- closed surfaces -------------------------------------------------------------------------------

CUBE = np.array([[i, j, k] for i in (0.0, 1) for j in (0, 1) for k in (0, 1)])
SIDES = np.array(
    [
        [0, 1, 3],
        [0, 3, 2],
        [4, 6, 7],
        [4, 7, 5],
        [0, 4, 5],
        [0, 5, 1],
        [2, 3, 7],
        [2, 7, 6],
        [0, 2, 6],
        [0, 6, 4],
        [1, 5, 7],
        [1, 7, 3],
    ]
)


def surface(path: Path, points: Array, triangles: Array, angle: float | None = None) -> pde.Domain:
    return pde.SurfaceDomain(write(path, points, triangle=triangles), (x, y, z), angle)


@pytest.fixture(params=["stl", "ply", "obj"])
def cube(request: pytest.FixtureRequest, tmp_path: Path) -> pde.Domain:
    return surface(tmp_path / f"cube.{request.param}", CUBE * [1, 2, 3], SIDES, 30)


def test_cube_in_closed_form(cube: pde.Domain) -> None:
    box = pde.Box((x, 0, 1), (y, 0, 2), (z, 0, 3))
    assert cube.measure() == pytest.approx(6)
    assert cube.parts == tuple(f"surface-{i}" for i in range(1, 7))
    assert [cube.measure(part) for part in cube.parts] == pytest.approx([6, 6, 3, 3, 2, 2])
    points = np.random.default_rng(0).uniform([-1, -1, -1], [2, 3, 4], (2000, 3))
    np.testing.assert_allclose(cube.distance(points), box.distance(points), atol=1e-12)
    np.testing.assert_array_equal(cube.contains(points), box.contains(points))
    corners = CUBE * [1, 2, 3]  # nearest is a vertex, then a place on an edge: signs by pseudonormals
    away = corners + 0.1 * np.sign(corners - [0.5, 1, 1.5])
    np.testing.assert_allclose(cube.distance(away), -0.1 * np.sqrt(3), atol=1e-12)
    np.testing.assert_allclose(cube.distance(corners), 0, atol=1e-12)
    for part in cube.parts:
        normal = cube.normal(part)
        assert normal is not None
        on_part = cube.sample(32, np.random.default_rng(1), part)
        np.testing.assert_array_equal(cube.contains(on_part + 1e-6 * normal), False)
        np.testing.assert_array_equal(cube.contains(on_part - 1e-6 * normal), True)
    inside = cube.sample(512, np.random.default_rng(2))
    np.testing.assert_allclose(inside.mean(axis=0), [0.5, 1, 1.5], atol=0.05)


def winding_number(points: Array, triangles: Array) -> Array:
    """Solid angle of the surface over 4π: 1 inside, 0 outside (A. van Oosterom, J. Strackee, 1983)."""
    a, b, c = (triangles[None, :, i] - points[:, None] for i in range(3))
    la, lb, lc = (np.linalg.norm(v, axis=2) for v in (a, b, c))
    top = np.sum(a * np.cross(b, c), axis=2)
    bottom = (
        la * lb * lc + np.sum(a * b, axis=2) * lc + np.sum(b * c, axis=2) * la + np.sum(c * a, axis=2) * lb
    )
    return np.asarray(2 * np.arctan2(top, bottom).sum(axis=1) / (4 * np.pi))


@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning")  # meshio itself, on ASCII files
@pytest.mark.parametrize("path", [DATA / "ball.stl", meshes.path("part.stl")], ids=["ball", "part"])
def test_inside_is_where_the_winding_number_is_one(path: Path) -> None:
    domain = pde.SurfaceDomain(path, (x, y, z))
    lower, upper = domain.bounds.T
    points = np.random.default_rng(0).uniform(lower - 0.1, upper + 0.1, (1500, 3))
    facets = meshio.read(path)
    inside = winding_number(points, facets.points[facets.cells_dict["triangle"]]) > 0.5
    np.testing.assert_array_equal(domain.contains(points), inside)
    np.testing.assert_array_equal(domain.distance(points) > 0, inside)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_signs_near_sharp_vertices_and_edges(seed: int) -> None:
    """Needles and blades, around which the normal of the nearest triangle alone gives wrong signs."""
    rng = np.random.default_rng(seed)
    corners = rng.normal(size=(4, 3)) * 10 ** rng.uniform(-1, 0, 3)
    sides = np.array([[0, 2, 1], [0, 1, 3], [1, 2, 3], [0, 3, 2]])
    region = SurfaceRegion(
        (x, y, z), *checked_surface(corners, sides, "test"), ("surface",), np.zeros(4, dtype=np.int64)
    )
    at = corners[rng.integers(0, 4, 400)]
    points = at + rng.normal(size=(400, 3)) * 0.3 * np.ptp(corners, axis=0)
    inside = np.abs(winding_number(points, corners[sides])) > 0.5
    np.testing.assert_array_equal(region.distance(points) > 0, inside)


def test_ball_against_the_sphere() -> None:
    """A polyhedron inscribed in the unit sphere, with edges h: second order in h."""
    domain = pde.SurfaceDomain(DATA / "ball.stl", (x, y, z))
    assert 0.8 < domain.measure() / (4 / 3 * np.pi) < 1
    assert 0.9 < domain.measure("surface") / (4 * np.pi) < 1
    assert domain.normal("surface") is None
    on_surface = domain.sample(200, np.random.default_rng(0), "surface")
    assert np.sum(on_surface * domain.normals(on_surface, "surface"), axis=1).min() > 0.8
    points = np.random.default_rng(1).normal(size=(500, 3))
    np.testing.assert_allclose(domain.distance(points), 1 - np.linalg.norm(points, axis=1), atol=0.2)


def test_surface_and_mesh_of_one_part_agree() -> None:
    """Fluxes through the surface against integrals of the divergence over the tetrahedra."""
    solid = pde.MeshDomain(meshes.path("part.msh"), (x, y, z))
    shell = pde.SurfaceDomain(meshes.path("part.stl"), (x, y, z), 30)
    assert shell.measure() == pytest.approx(solid.measure(), rel=1e-6)
    assert len(shell.parts) == 9  # eight planes and the hole
    assert sorted(map(shell.measure, shell.parts))[0] == pytest.approx(0.15 * 0.6, rel=1e-6)
    nodes, weights = solid.region.quadrature(3)
    for domain in (solid, shell):
        flux = 0.0
        for part in domain.parts:
            at, w = domain.region.quadrature(3, part)
            flux += w @ np.sum(np.roll(at, 1, axis=1) * at * domain.normals(at, part), axis=1)
        assert flux == pytest.approx(weights @ nodes.sum(axis=1), rel=1e-6)
    at, w = shell.region.quadrature(2)
    assert w.sum() == pytest.approx(solid.measure(), rel=1e-6)
    assert w @ at == pytest.approx(weights @ nodes, rel=0.05)
    assert shell.contains(at).all()


def test_inward_surfaces_are_turned(tmp_path: Path) -> None:
    inward = surface(tmp_path / "in.ply", CUBE, SIDES[:, ::-1])
    assert inward.measure() == pytest.approx(1)
    assert inward.contains(np.full((1, 3), 0.5)).all()
    np.testing.assert_allclose(
        inward.normals(np.array([[0.5, 0.4, 2.0]]), "surface"), [[0, 0, 1]], atol=1e-12
    )


@pytest.mark.parametrize(
    ("points", "triangles", "error", "message"),
    [
        (CUBE, SIDES[:-1], MeshTopologyError, "3 open edges"),
        (CUBE, np.concatenate([SIDES[:-1], SIDES[-1:, ::-1]]), MeshTopologyError, "against each other"),
        (
            np.concatenate([CUBE, CUBE + 5]),
            np.concatenate([SIDES, SIDES + 8]),
            MeshTopologyError,
            "one closed surface; got 2",
        ),
        (np.where(CUBE == 1, [1.0, 1, np.nan], CUBE), SIDES, NonFiniteMeshError, "finite"),
        (CUBE[:2], [[0, 1, 5]], MeshConnectivityError, "0 to 5"),
        (CUBE * [1, 1, 0], SIDES, PDESolveError, "SurfaceDomain"),
        (
            [[0, 0, 0], [1, 0, 0], [2, 0, 0], [0, 1, 0]],
            [[0, 1, 2], [0, 1, 3]],
            DegenerateCellError,
            "1 without",
        ),
    ],
)
def test_surfaces_that_are_refused(
    tmp_path: Path, points: Array, triangles: Array, error: type[PDESolveError], message: str
) -> None:
    with pytest.raises(error, match=message):
        surface(tmp_path / "bad.vtk", points, triangles)


def test_a_surface_has_no_mesh_and_a_mesh_is_no_surface() -> None:
    with pytest.raises(MeshingError, match="MeshDomain"):
        pde.SurfaceDomain(DATA / "ball.stl", (x, y, z)).region.mesh()
    with pytest.raises(MeshDimensionError, match="MeshDomain"):
        pde.SurfaceDomain(DATA / "ball-quadratic.msh", (x, y, z))
    with pytest.raises(MeshDimensionError, match="3 coordinates"):
        pde.SurfaceDomain(DATA / "ball.stl", (x, y))


@pytest.mark.timeout(120)
@QUIET
@given(fraction=st.floats(0, 1, exclude_max=True))
def test_from_a_surface_that_was_cut_off_only_our_errors_escape(scratch: Path, fraction: float) -> None:
    for source in (DATA / "ball.stl", meshes.path("part.stl")):  # ASCII, binary
        content = source.read_bytes()
        path = scratch / source.name
        path.write_bytes(content[: int(fraction * len(content))])
        try:
            domain = pde.SurfaceDomain(path, (x, y, z))
        except PDESolveError:
            continue
        assert domain.measure() == pytest.approx(pde.SurfaceDomain(source, (x, y, z)).measure())


def test_problem_on_a_surface_survives_json() -> None:
    u = pde.unknown("u", x, y, z)
    domain = pde.SurfaceDomain(DATA / "ball.stl", (x, y, z), 10)
    problem = pde.Problem(
        "p", [u.diff(x, 2) + u.diff(y, 2) + u.diff(z, 2) + 1], domain, [pde.Dirichlet(u, 0)]
    )
    same = problem_from_json(problem_to_json(problem))
    assert same.digest == problem.digest
    assert same.domain.parts == domain.parts
    assert same.domain.measure(domain.parts[0]) == domain.measure(domain.parts[0])


# -- the meshes that come with the library -------------------------------------------------------------


def smallest_angles(mesh: Mesh) -> Iterator[float]:
    """In degrees, of triangles and of the faces of tetrahedra."""
    v = mesh.vertices
    corners = range(mesh.dimension + 1)
    for i in corners:
        for j in corners:
            for k in range(j):
                if i not in (j, k):
                    a, b = v[:, j] - v[:, i], v[:, k] - v[:, i]
                    cosine = np.sum(a * b, axis=1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
                    yield float(np.degrees(np.arccos(cosine)).min())


SHIPPED = {
    "backward-step": (2, 30.0, {"inlet": 0.5, "outlet": 1.0, "walls": 60.5}),
    "cylinder": (
        2,
        2.2 * 0.41 - np.pi * 0.05**2,
        {"inlet": 0.41, "outlet": 0.41, "walls": 4.4, "cylinder": 0.1 * np.pi},
    ),
    "l-shape": (2, 3.0, {"boundary": 8.0}),
    "part": (
        3,
        0.6 * (1 * 0.15 + 0.15 * 0.65) - np.pi * 0.15**2 * 0.15,
        {
            "base": 0.6 - np.pi * 0.15**2,
            "hole": 0.3 * np.pi * 0.15,
            "outside": 2 * (0.15 + 0.15 * 0.65) + 0.6 * (0.8 + 0.15 + 0.65 + 0.85 + 0.15) - np.pi * 0.15**2,
        },
    ),
}


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_meshes_in_closed_form(name: str) -> None:
    dimension, measure, parts = SHIPPED[name]
    domain = pde.MeshDomain(meshes.path(name), (x, y, z)[:dimension])
    assert domain.parts == tuple(parts)
    rough = 0.02 if name == "part" else 1e-3  # straight facets on circles
    assert domain.measure() == pytest.approx(measure, rel=rough / 10)
    assert {part: domain.measure(part) for part in parts} == pytest.approx(parts, rel=rough)
    assert min(smallest_angles(domain.region.mesh())) > (30 if dimension == 2 else 15)


def test_cylinder_is_round() -> None:
    """Vertices and middle nodes at the cylinder lie on the circle, and stay there when refined."""
    mesh = pde.MeshDomain(meshes.path("cylinder"), (x, y)).region.mesh()
    assert mesh.is_quadratic
    assert 2500 <= len(mesh.cells) <= 5500
    radius = np.linalg.norm(mesh.points - 0.2, axis=1)
    on_circle = np.abs(radius - 0.05) < 1e-9
    assert on_circle.sum() == 2 * len(mesh.boundaries["cylinder"])
    assert radius.min() > 0.05 - 1e-9
    fine = mesh.refined()
    on_part = fine.points[fine.boundaries["cylinder"]].reshape(-1, 2)
    np.testing.assert_allclose(np.linalg.norm(on_part - 0.2, axis=1), 0.05, rtol=1e-9)
    finer = fine.refined()
    polygon = measures(finer.points[finer.boundaries["cylinder"]]).sum()
    coarse = measures(mesh.points[mesh.boundaries["cylinder"]]).sum()
    assert abs(polygon - 0.1 * np.pi) < abs(coarse - 0.1 * np.pi) / 14  # a straight side would not improve


def test_all_meshes_are_packaged() -> None:
    globs = PROJECT["tool"]["setuptools"]["package-data"]["pdesolve.meshes"]
    files = {path.name for path in (ROOT / "meshes").iterdir() if path.suffix in (".msh", ".stl")}
    assert set(meshes.names()) == files == {*(f"{name}.msh" for name in SHIPPED), "part.stl"}
    assert all(any(fnmatch(file, glob) for glob in globs) for file in files)
    assert sum(meshes.path(name).stat().st_size for name in files) < 1.6e6
    assert meshes.path("part") == meshes.path("part.msh")


@pytest.mark.parametrize("name", ["", "sphere", "../tests/data/ball.stl", "part.vtu", "make_meshes.py"])
def test_unknown_meshes(name: str) -> None:
    with pytest.raises(MeshFileError, match=r"cylinder\.msh"):
        meshes.path(name)


def test_documented_counts_are_those_of_the_files() -> None:
    rows = [line for line in (ROOT / "docs" / "meshes.md").read_text().splitlines() if line.startswith("| `")]
    assert len(rows) == len(SHIPPED)
    for row in rows:
        name, nodes, cells, angle = (cell.strip(" `°") for cell in row.strip("|").split("|")[:4])
        mesh = pde.MeshDomain(meshes.path(name), (x, y, z)[: SHIPPED[name][0]]).region.mesh()
        assert (int(nodes), int(cells)) == (len(mesh.points), len(mesh.cells))
        assert float(angle) == pytest.approx(min(smallest_angles(mesh)), abs=0.06)


@pytest.mark.slow
def test_the_script_makes_the_files(tmp_path: Path) -> None:
    gmsh = pytest.importorskip("gmsh", exc_type=ImportError)
    assert gmsh
    shutil.copytree(ROOT / "meshes", tmp_path / "made", ignore=shutil.ignore_patterns("*.msh", "*.stl"))
    subprocess.run([sys.executable, tmp_path / "made" / "make_meshes.py"], check=True, timeout=600)
    assert {p.name for p in (tmp_path / "made").iterdir()} >= set(meshes.names())


@pytest.mark.parametrize("angle", [0, -30, 180, float("nan"), "30", True])
def test_feature_angles_are_angles(angle: object) -> None:
    with pytest.raises(PDESolveError, match="feature_angle between 0 and 180"):
        pde.SurfaceDomain(meshes.path("part.stl"), (x, y, z), feature_angle=angle)  # type: ignore[arg-type]


@pytest.mark.parametrize(("file", "bound"), [(DATA / "ball.stl", 1e-3), (meshes.path("part.stl"), 1e-2)])
@pytest.mark.parametrize("n", [2, 4])
def test_quadrature_inside_a_surface_is_as_exact_as_it_says(file: Path, bound: float, n: int) -> None:
    """Against the divergence theorem on the triangles, where quadrature is exact to round-off."""
    domain = pde.SurfaceDomain(file, (x, y, z))
    points, weights = domain.region.quadrature(n)
    at, areas = domain.region.quadrature(10, "surface")
    normals = domain.normals(at, "surface")
    for function, antiderivative, axis in (
        (lambda q: np.exp(q[:, 0]), lambda q: np.exp(q[:, 0]), 0),
        (lambda q: q[:, 0] ** 2, lambda q: q[:, 0] ** 3 / 3, 0),
        (lambda q: 1 + np.cos(3 * q[:, 1]), lambda q: q[:, 1] + np.sin(3 * q[:, 1]) / 3, 1),
    ):
        exact = areas @ (antiderivative(at) * normals[:, axis])
        assert weights @ function(points) == pytest.approx(exact, rel=bound)
