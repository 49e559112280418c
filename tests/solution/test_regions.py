"""Errors, files and pictures on regions that are not boxes, against closed forms."""

import math
from pathlib import Path

import numpy as np
import pytest
import pyvista
import sympy as sp
from symbolic_fields import SymbolicField, make_solution

import pdesolve as pde
from pdesolve.declare.errors import OutsideDomainWarning
from pdesolve.declare.regions.mesh import EDGES, Mesh
from pdesolve.solution import PointsShapeError, default_grid
from pdesolve.solution.hdf5 import read

x, y, z, t = pde.coordinates("x y z t")
u = pde.unknown("u", x, y)
MESHES = Path(__file__).parents[2] / "meshes"
CHANNEL = pde.Box((x, 0, 2.2), (y, 0, 0.41)) - pde.Disk((x, y), (0.2, 0.2), 0.05, name="cylinder")
DISK = pde.Disk((x, y), (1, 0), 2)
EXACT = sp.sin(x) * sp.cosh(y)  # harmonic


def laplace(domain, exact=EXACT, factor=1.01, **changes):
    reference = changes.pop("reference", exact)
    problem = pde.Problem(
        "laplace", [u.diff(x, 2) + u.diff(y, 2)], domain, [pde.Dirichlet(u, exact)], reference=reference
    )
    return make_solution(problem, [factor * exact], **changes)


def heat(domain):
    v = pde.unknown("v", x, y, t)
    exact = sp.exp(-2 * t) * sp.sin(x) * sp.cos(y)
    problem = pde.Problem(
        "heat",
        [v.diff(t) - v.diff(x, 2) - v.diff(y, 2)],
        domain * pde.Time(t, 0, 1),
        [pde.Dirichlet(v, exact), pde.Initial(v, exact.subs(t, 0))],
        reference=exact,
    )
    return make_solution(problem, [exact + x / 100])


def part(path="part.msh"):
    """A vector field in a bracket in space."""
    fields = pde.unknown("f g h", x, y, z)
    exact = (x * y, z**2 - x**2, y + z)
    made = pde.MeshDomain if path.endswith("msh") else pde.SurfaceDomain
    problem = pde.Problem(
        "part",
        [sum(f.diff(c, 2) for c in (x, y, z)) for f in fields],
        made(str(MESHES / path), (x, y, z)),
        [pde.Dirichlet(f, e) for f, e in zip(fields, exact, strict=True)],
        reference=dict(zip(fields, exact, strict=True)),
        vectors={"flux": fields[:2]},
    )
    return make_solution(problem, list(exact))


# -- errors ------------------------------------------------------------------------------------------


def test_errors_are_measured_at_the_grid_points_inside():
    solution = laplace(DISK)
    norms = solution.error()
    assert norms.relative_l2 == pytest.approx(0.01, rel=1e-12)
    assert norms.relative_h1 == pytest.approx(0.01, rel=1e-12)
    assert norms.shape == (129, 129)
    assert norms.points == pytest.approx(128**2 * math.pi / 4, rel=0.01)
    a, b = default_grid(solution.problem).points.T
    inside = (a - 1) ** 2 + b**2 <= 4
    assert abs(norms.points - inside.sum()) <= 4  # the polygon leaves out what lies between chord and arc
    assert norms.max == pytest.approx(0.01 * np.abs(np.sin(a) * np.cosh(b))[inside].max(), rel=1e-3)


def test_a_reference_is_only_asked_where_the_problem_lives():
    def reference(points):
        assert np.hypot(points[:, 0] - 1, points[:, 1]).max() <= 2 + 1e-9
        return np.sin(points[:, 0]) * np.cosh(points[:, 1])

    assert laplace(DISK, reference=reference).error().relative_l2 == pytest.approx(0.01, rel=1e-9)
    holed = laplace(pde.Disk((x, y), (0, 0), 1) - pde.Disk((x, y), (0, 0), 0.5), sp.log(x**2 + y**2))
    assert holed.error().relative_l2 == pytest.approx(0.01, rel=1e-12)  # infinite in the hole
    assert holed.error(reference=laplace(DISK | CHANNEL), grid=40).points < 1600


def test_grids_are_nan_outside_with_one_warning():
    solution = laplace(DISK)
    with pytest.warns(OutsideDomainWarning, match="lie outside") as caught:
        table = solution.on(41)
    assert len(caught) == 1
    a, b = np.moveaxis(solution.problem.domain.grid(41).points.reshape(41, 41, 2), 2, 0)
    inside = np.hypot(a - 1, b) < 1.99
    np.testing.assert_allclose(table[..., 0][inside], 1.01 * (np.sin(a) * np.cosh(b))[inside], rtol=1e-12)
    assert np.isnan(table[np.hypot(a - 1, b) > 2]).all()


def test_a_grid_with_no_point_inside_is_refused():
    diamond = pde.Polygon((x, y), [(-1, 0), (0, -1), (1, 0), (0, 1)])
    with pytest.raises(PointsShapeError, match="4 points, all outside"):
        laplace(diamond).error(grid=2)


# -- VTK ---------------------------------------------------------------------------------------------


def test_a_shape_is_written_as_triangles_with_its_boundary(tmp_path):
    files = laplace(CHANNEL).write_vtk(tmp_path)
    assert [f.name for f in files] == ["laplace.pvd", "laplace.vtu", "laplace_boundary.vtp"]
    mesh = pyvista.read(files[1])
    assert set(mesh.celltypes.tolist()) == {pyvista.CellType.TRIANGLE}
    area = mesh.compute_cell_sizes(length=False, volume=False)["Area"].sum()
    assert area == pytest.approx(2.2 * 0.41 - math.pi * 0.05**2, rel=2e-3)
    a, b, c = mesh.points.T
    assert not c.any()
    exact = np.sin(a) * np.cosh(b)
    np.testing.assert_allclose(mesh["u"], 1.01 * exact, atol=1e-12)
    np.testing.assert_allclose(mesh["u_error"], 0.01 * exact, atol=1e-12)
    assert np.abs(mesh["residual_equation"]).max() < 1e-12
    assert list(mesh.field_data["status"]) == ["BUDGET_EXHAUSTED"]
    boundary = pyvista.read(files[2])
    names = list(boundary.field_data["parts"])
    assert set(names) == {"left", "right", "bottom", "top", "cylinder"}
    lengths = boundary.compute_cell_sizes(area=False, volume=False)["Length"]
    expected = {"left": 0.41, "right": 0.41, "bottom": 2.2, "top": 2.2, "cylinder": 0.1 * math.pi}
    for number, name in enumerate(names):
        assert lengths[boundary["part"] == number].sum() == pytest.approx(expected[name], rel=1e-2)
    reader = pyvista.get_reader(files[0])
    assert reader.time_values == [0.0]


def test_the_number_of_points_sets_the_size_of_triangles(tmp_path):
    solution = laplace(DISK)
    coarse, fine = (pyvista.read(solution.write_vtk(tmp_path / str(n), shape=n)[1]).n_cells for n in (9, 33))
    assert 8 < fine / coarse < 32


def test_a_series_in_time_shares_its_mesh(tmp_path):
    files = heat(DISK).write_vtk(tmp_path, times=[0, 0.5, 1], shape=(9, 9, 3))
    assert [f.suffix for f in files] == [".pvd", ".vtu", ".vtu", ".vtu", ".vtp"]
    reader = pyvista.get_reader(files[0])
    assert reader.time_values == [0.0, 0.5, 1.0]
    for time in reader.time_values:
        reader.set_active_time_value(time)
        (mesh,) = reader.read()
        a, b, _ = mesh.points.T
        expected = np.exp(-2 * time) * np.sin(a) * np.cos(b)
        np.testing.assert_allclose(mesh["v_reference"], expected, atol=1e-12)
        np.testing.assert_allclose(mesh["v_error"], a / 100, atol=1e-12)
        assert mesh.field_data["TimeValue"][0] == time


def test_a_mesh_in_space_is_written_as_tetrahedra_with_vectors(tmp_path):
    solution = part()
    files = solution.write_vtk(tmp_path)
    mesh = pyvista.read(files[1])
    assert set(mesh.celltypes.tolist()) == {pyvista.CellType.TETRA}
    assert mesh.volume == pytest.approx(solution.problem.domain.measure(), rel=1e-9)
    a, b, c = mesh.points.T
    np.testing.assert_allclose(mesh["flux"], np.stack([a * b, c**2 - a**2, 0 * a], axis=1), atol=1e-12)
    np.testing.assert_allclose(mesh["h"], b + c, atol=1e-12)
    boundary = pyvista.read(files[2])
    areas = boundary.compute_cell_sizes(length=False, volume=False)["Area"]
    for number, name in enumerate(boundary.field_data["parts"]):
        measure = solution.problem.domain.measure(str(name))
        assert areas[boundary["part"] == number].sum() == pytest.approx(measure, rel=1e-6)


def test_what_a_surface_encloses_is_written_as_boxes_inside(tmp_path):
    solution = part("part.stl")
    files = solution.write_vtk(tmp_path, shape=25)
    assert [f.name for f in files] == ["part.pvd", "part.vtu"]
    mesh = pyvista.read(files[1])
    assert 0.7 < mesh.volume / part().problem.domain.measure() < 1 + 1e-6
    np.testing.assert_allclose(mesh["h"], mesh.points[:, 1] + mesh.points[:, 2], atol=1e-12)


class OnMesh(SymbolicField):
    """A field that lives on a mesh of its own."""

    def __init__(self, problem, expressions, own):
        super().__init__(problem, expressions)
        self.own = own

    def mesh(self):
        return self.own


CURVED = {
    "QUADRATIC_TRIANGLE": (2, [(0, 1), (1, 2), (2, 0)]),
    "QUADRATIC_TETRA": (3, [(0, 1), (1, 2), (2, 0), (0, 3), (1, 3), (2, 3)]),
}
"""Where VTK expects the middle of which edge: figure 3 of the VTK file-formats page."""


@pytest.mark.parametrize("kind", CURVED)
def test_the_mesh_of_a_field_is_preferred_and_curved_cells_stay_curved(kind, tmp_path):
    dimension, edges = CURVED[kind]
    solution = laplace(DISK) if dimension == 2 else part()
    corners = np.vstack([np.zeros(dimension), np.eye(dimension)]) / 10
    middles = np.array([(corners[a] + corners[b]) / 2 for a, b in EDGES[dimension]])
    nodes = np.vstack([corners, middles])
    own = Mesh(nodes, np.arange(len(nodes))[None], {"all": np.arange(dimension)[None]})
    solution.field = OnMesh(solution.problem, solution.field.expressions, own)
    mesh = pyvista.read(solution.write_vtk(tmp_path)[1])
    assert mesh.celltypes.tolist() == [pyvista.CellType[kind]]
    points = mesh.points[mesh.cells_dict[pyvista.CellType[kind]][0]]
    for i, (a, b) in enumerate(edges):
        np.testing.assert_allclose(points[dimension + 1 + i], (points[a] + points[b]) / 2, atol=1e-15)


# -- HDF5 --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("domain", [DISK, CHANNEL, pde.MeshDomain(str(MESHES / "l-shape.msh"), (x, y))])
def test_a_file_brings_back_the_region_and_the_error(domain, tmp_path):
    solution = laplace(domain)

    def restore(backend, options, problem, arrays):
        return SymbolicField(problem, [1.01 * EXACT])

    again = read(solution.save(tmp_path / "u.h5"), restore)
    assert again.problem.digest == solution.problem.digest
    assert again.problem.domain.parts == domain.parts
    assert again.problem.domain.measure() == domain.measure()
    assert again.measured == solution.measured
    assert again.measured.points == solution.error().points
    points = domain.sample(50, np.random.default_rng(0))
    np.testing.assert_array_equal(again(points), solution(points))


def test_tables_in_files_are_nan_outside_and_serve_as_reference(tmp_path):
    import h5py

    solution = laplace(DISK, reference=lambda points: np.sin(points[:, 0]) * np.cosh(points[:, 1]))
    path = solution.save(tmp_path / "u.h5")
    with h5py.File(path) as file:
        table = file["grid/values/u"][:]
        assert np.isnan(table[0, 0])
        assert np.isfinite(table).sum() == np.isfinite(file["grid/reference/u"][:]).sum()
        assert np.isfinite(table).sum() == solution.error().points
    again = read(path, lambda backend, options, problem, arrays: SymbolicField(problem, [1.01 * EXACT]))
    assert again.error(grid=default_grid(again.problem)).relative_l2 == pytest.approx(0.01, rel=1e-9)


# -- pictures ----------------------------------------------------------------------------------------


def test_a_shape_is_drawn_on_its_mesh_with_its_boundary(tmp_path):
    figure = laplace(CHANNEL).plot()
    figure.savefig(tmp_path / "u.png")
    panels = [axes for axes in figure.axes if axes.collections]
    assert len(panels) == 2
    triangles, boundary = panels[0].collections[:2]
    nodes = triangles._triangulation
    a, b = nodes.x, nodes.y
    np.testing.assert_allclose(triangles.get_array(), 1.01 * np.sin(a) * np.cosh(b), atol=1e-12)
    drawn = np.array([path.vertices for path in boundary.get_paths()])
    total = np.linalg.norm(drawn[:, 1] - drawn[:, 0], axis=1).sum()
    assert total == pytest.approx(2 * (2.2 + 0.41) + 0.1 * math.pi, rel=1e-2)
    assert panels[0].get_aspect() == 1


def test_the_last_time_is_drawn():
    figure = heat(DISK).plot()
    assert figure.axes[0].get_title("right") == "t = 1"


def test_a_region_in_space_shows_its_largest_slice(tmp_path):
    """The bracket's profile is in the plane of x and z; the other two slices cut one of its plates."""
    figure = part().plot()
    figure.savefig(tmp_path / "u.png")
    assert figure.axes[0].get_title("right") == "y = 0.3"
    assert (figure.axes[0].get_xlabel(), figure.axes[0].get_ylabel()) == ("x", "z")
    image = figure.axes[0].collections[0].get_array()
    assert 0.2 < np.isfinite(np.ma.filled(image, np.nan)).mean() < 0.8
