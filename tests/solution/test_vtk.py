"""VTK files read back by pyvista: the same times, ranges, names and units."""

import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
import pyvista
import sympy as sp
from symbolic_fields import make_solution, poisson

import pdesolve as pde
from pdesolve.solution import (
    NotFiniteOutputWarning,
    OutputArrayError,
    OutputPathError,
    UnsupportedOutputError,
    vtk,
)


def unit(mesh, name):
    array = mesh.GetPointData().GetArray(name)
    return array.GetInformation().Get(array.UNITS_LABEL())


def test_one_dimension_and_time_gives_line_series_image_and_collocation_points(heat, tmp_path):
    files = heat.write_vtk(tmp_path / "out", shape=(21, 5))
    assert [f.name for f in files] == [
        "heat_1_D.pvd",
        *(f"heat_1_D_{i:04d}.vtu" for i in range(5)),
        "heat_1_D_xt.vti",
        "heat_1_D_collocation.vtp",
    ]
    assert all(f.is_file() for f in files)
    reader = pyvista.get_reader(files[0])
    assert reader.time_values == list(np.linspace(0, 2, 5))
    x = np.linspace(0, np.pi, 21)
    for time in reader.time_values:
        reader.set_active_time_value(time)
        (mesh,) = reader.read()
        np.testing.assert_allclose(mesh.points[:, 0], x, atol=1e-15)
        assert not mesh.points[:, 1:].any()
        assert mesh.n_cells == 20
        np.testing.assert_allclose(mesh["u"], 1.01 * np.sin(x) * np.exp(-time / 10), atol=1e-15)
        np.testing.assert_allclose(mesh["u_reference"], np.sin(x) * np.exp(-time / 10), atol=1e-15)
        np.testing.assert_allclose(mesh["u_error"], 0.01 * np.sin(x) * np.exp(-time / 10), atol=1e-15)
        assert np.abs(mesh["residual_heat_equation"]).max() < 1e-14
        assert set(mesh.point_data) == {"u", "u_reference", "u_error", "residual_heat_equation"}
        assert unit(mesh, "u") == "K"
        assert mesh.field_data["TimeValue"][0] == time
    image = pyvista.read(files[-2])
    assert image.dimensions == (21, 5, 1)
    assert image.bounds == pytest.approx((0, np.pi, 0, 2, 0, 0))
    np.testing.assert_allclose(
        image["u"], 1.01 * np.sin(image.points[:, 0]) * np.exp(-image.points[:, 1] / 10), atol=1e-14
    )
    cloud = pyvista.read(files[-1])
    np.testing.assert_array_equal(cloud.points[:, :2], heat.collocation_points)
    np.testing.assert_array_equal(cloud["t"], heat.collocation_points[:, 1])
    assert cloud.n_verts == 50


def test_run_provenance_is_in_the_field_data(heat, tmp_path):
    files = heat.write_vtk(tmp_path)
    data = pyvista.read(files[1]).field_data
    assert list(data["problem"]) == ["heat 1-D"]
    assert "Derivative(u(x, t), t)" in data["equations"][0]
    assert data["equations"][0].endswith("= 0")
    assert list(data["backend"]) == ["symbolic"]
    assert data["seed"][0] == 3
    assert list(data["options"]) == ["width = 4"]
    assert (data["seconds_setup"][0], data["seconds_solve"][0]) == (1.0, 2.5)
    run = {"budget": 2.5, "steps": 10, "answer_step": 7, "threads": 2}
    again = make_solution(heat.problem, [0], provenance={**heat.provenance, **run})
    found = pyvista.read(again.write_vtk(tmp_path / "again", shape=3)[1]).field_data
    assert {key: found[key][0] for key in run} == run
    assert list(data["status"]) == ["BUDGET_EXHAUSTED"]
    assert data["relative_l2"][0] == heat.error().relative_l2
    assert list(data["versions"]) == ["pdesolve 0.1.0"]
    x, t = heat.problem.coordinates
    u, k, m = pde.unknown("u", x, t), pde.parameter("k"), pde.parameter("m", unknown=True, start=1.0)
    problem = heat.problem.replace(
        equations=[u.diff(t) - k * m * u.diff(x, 2)],
        parameters={k: 0.1},
        conditions=[*heat.problem.conditions, pde.Observations(u, [[1.0, 1.0]], [0.7])],
    )
    inverse = make_solution(problem, [0], parameters={"m": 1.5}, error_estimate=0.25)
    data = pyvista.read(inverse.write_vtk(tmp_path / "inverse", shape=3)[1]).field_data
    assert list(data["parameters"]) == ["k = 0.10000000000000001", "m = 1.5 (identified)"]
    assert data["error_estimate"][0] == 0.25


def test_times_are_kept_to_the_last_bit(heat, tmp_path):
    times = [0.1, 1 / 3, 2.0]
    index = heat.write_vtk(tmp_path, times=times, shape=(5, 3))[0]
    found = [float(item.attrib["timestep"]) for item in ElementTree.parse(index).iter("DataSet")]
    assert found == times
    names = [item.attrib["file"] for item in ElementTree.parse(index).iter("DataSet")]
    assert not any("/" in name for name in names)
    assert all((tmp_path / name).is_file() for name in names)


@pytest.mark.parametrize("times", ["abc", 0.5, [[0.1]], [], [0.1, None]])
def test_what_is_no_list_of_times_is_refused(heat, tmp_path, times):
    with pytest.raises(UnsupportedOutputError, match=r"a list of times|increasing"):
        heat.write_vtk(tmp_path, times=times)
    assert list(tmp_path.iterdir()) == []


def test_vectors_have_three_components_with_names(flow, tmp_path):
    files = flow.write_vtk(tmp_path, shape=(7, 9, 2))
    assert [f.name for f in files] == ["taylor_green.pvd", "taylor_green_0000.vti", "taylor_green_0001.vti"]
    image = pyvista.read(files[2])
    assert image.dimensions == (7, 9, 1)
    a, b = image.points[:, :2].T
    expected = np.exp(-2) * np.stack([-np.cos(a) * np.sin(b), np.sin(a) * np.cos(b), 0 * a], axis=1)
    np.testing.assert_allclose(image["velocity"], expected, atol=1e-15)
    np.testing.assert_allclose(image["v"], expected[:, 1], atol=1e-15)
    vector = image.GetPointData().GetArray("velocity")
    assert [vector.GetComponentName(i) for i in (0, 1)] == ["u", "v"]
    assert unit(image, "velocity") == "m/s"
    assert unit(image, "p_error") == "Pa"
    assert {"residual_x_momentum", "residual_continuity", "p_reference"} <= set(image.point_data)


@pytest.mark.parametrize(("dimensions", "suffix"), [(1, "vtu"), (2, "vti"), (3, "vti")])
def test_steady_problems_are_one_file(tmp_path, dimensions, suffix):
    solution = poisson(dimensions, collocation_points=np.full((4, dimensions), 0.5))
    files = solution.write_vtk(tmp_path, shape=9)
    assert [f.name for f in files] == ["poisson.pvd", f"poisson.{suffix}", "poisson_collocation.vtp"]
    mesh = pyvista.read(files[1])
    assert mesh.n_points == 9**dimensions
    expected = 0.98 * np.prod(np.sin(np.pi * mesh.points[:, :dimensions]), axis=1)
    np.testing.assert_allclose(mesh["u"], expected, atol=1e-15)
    assert "TimeValue" not in mesh.field_data
    np.testing.assert_array_equal(pyvista.read(files[2]).points[:, :dimensions], 0.5)


def test_what_cannot_be_shown_is_refused(heat, tmp_path):
    with pytest.raises(UnsupportedOutputError, match="three space coordinates"):
        poisson(4).write_vtk(tmp_path / "a")
    with pytest.raises(UnsupportedOutputError, match="steady"):
        poisson(2).write_vtk(tmp_path / "a", times=[0.0])
    for times in ([0.5, 0.1], [0.0, 3.0], [], [float("nan")]):
        with pytest.raises(UnsupportedOutputError):
            heat.write_vtk(tmp_path / "a", times=times)
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputPathError):
        heat.write_vtk(tmp_path / "file")
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_colliding_and_empty_names_are_refused(tmp_path):
    x = pde.coordinates("x")
    u, second = pde.unknown("u", x), pde.unknown("u_error", x)
    conditions = [pde.Dirichlet(u, 0), pde.Dirichlet(second, 0)]
    line = pde.Interval(x, 0, 1)
    problem = pde.Problem(
        "line", [u.diff(x, 2), second.diff(x, 2)], line, conditions, reference={u: 0, second: 0}
    )
    with pytest.raises(OutputArrayError, match="u_error"):
        make_solution(problem, [0, 0]).write_vtk(tmp_path)
    same = pde.Problem("line", {"first law": u.diff(x, 2), "first-law": second.diff(x, 2)}, line, conditions)
    with pytest.raises(OutputArrayError, match="both 'first_law'"):
        make_solution(same, [0, 0]).write_vtk(tmp_path)
    empty = pde.Problem("line", {"+": u.diff(x, 2)}, line, conditions[:1])
    with pytest.raises(OutputArrayError, match=re.escape("'+'")):
        make_solution(empty, [0]).write_vtk(tmp_path)
    with pytest.raises(OutputArrayError, match="'--'"):
        poisson(1, name="--").write_vtk(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_unknowns_must_be_finite_and_derived_arrays_are_marked(tmp_path):
    x = pde.coordinates("x")
    solution = poisson(1)
    broken = make_solution(solution.problem, [sp.log(x - sp.Rational(1, 2))])
    with (
        np.errstate(invalid="ignore", divide="ignore"),
        pytest.raises(OutputArrayError, match=r"NaN or inf at 5 of 9"),
    ):
        broken.write_vtk(tmp_path, shape=9)
    assert list(tmp_path.iterdir()) == []
    marked = make_solution(solution.problem.replace(reference=1 / x), [x])
    with pytest.warns(NotFiniteOutputWarning, match="u_reference, u_error: not finite at 1 of 9"):
        files = marked.write_vtk(tmp_path, shape=9)
    np.testing.assert_array_equal(pyvista.read(files[1])["not_finite"], [1, *[0] * 8])


def test_the_series_of_a_run_that_stopped_ends_where_it_did(heat, tmp_path):
    x, t = heat.problem.coordinates
    stopped = make_solution(heat.problem, [sp.sin(x) * sp.Piecewise((1, t <= 1), (sp.nan, True))])
    stopped.field.end = 1.1
    assert stopped.reached == 1.1 and "reached" in repr(stopped)
    with pytest.warns(NotFiniteOutputWarning, match="u, .*not finite at 14 of 35"):
        files = stopped.write_vtk(tmp_path, shape=(7, 5))
    assert pyvista.get_reader(files[0]).time_values == [0.0, 0.5, 1.0]
    image = pyvista.read(files[-1])
    np.testing.assert_array_equal(image["not_finite"], image.points[:, 1] > 1)
    with pytest.raises(UnsupportedOutputError, match="where the run stopped"):
        stopped.write_vtk(tmp_path, times=[1.5, 2])
    stopped.field.end = 1.6  # what was reached must be finite
    with pytest.raises(OutputArrayError, match="NaN or inf at 7 of 7"):
        stopped.write_vtk(tmp_path, shape=(7, 5))


def test_a_failure_leaves_earlier_output_and_a_shorter_series_replaces_a_longer(heat, tmp_path, monkeypatch):
    (tmp_path / "notes.txt").write_text("mine")
    heat.write_vtk(tmp_path, shape=(5, 4))
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    real = vtk._save

    def full(mesh, arrays, data, path):
        if "0002" in path.name:
            raise OSError(28, "No space left on device")
        return real(mesh, arrays, data, path)

    with monkeypatch.context() as patch, pytest.raises(OutputPathError, match="No space left"):
        patch.setattr(vtk, "_save", full)
        heat.write_vtk(tmp_path, shape=(6, 4))
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before
    files = heat.write_vtk(tmp_path, shape=(5, 2))
    assert {p.name for p in tmp_path.iterdir()} == {"notes.txt", *(f.name for f in files)}


def test_text_beyond_ascii_is_kept(tmp_path):
    x = pde.coordinates("x")
    psi = pde.unknown("ψ", x)

    def exact(points):
        """Airy – by the series."""
        return points[:, 0]

    problem = pde.Problem(
        "Wärmeleitung",
        {"Σ": psi.diff(x, 2)},
        pde.Interval(x, 0, 1),
        [pde.Dirichlet(psi, x)],
        reference=exact,
        units={psi: "µm", x: "Å"},
    )
    index, file = make_solution(problem, [x]).write_vtk(tmp_path)
    assert index.name == "Wärmeleitung.pvd"
    (item,) = ElementTree.parse(index).iter("DataSet")
    assert item.attrib["file"] == file.name
    mesh = pyvista.read(file)
    assert set(mesh.point_data) == {"ψ", "ψ_reference", "ψ_error", "residual_Σ"}
    assert unit(mesh, "ψ") == "µm"
    assert list(mesh.field_data["problem"]) == ["Wärmeleitung"]
    assert list(mesh.field_data["reference"]) == ["Airy – by the series."]
