"""Result files: equal after reading, whole after a failure, hostile ones refused."""

import json
import pickle

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from symbolic_fields import SymbolicField, heat, make_solution, poisson, restore

import pdesolve as pde
from pdesolve.solution import (
    OutputPathError,
    ProblemMismatchError,
    ReferenceUnresolvedError,
    ResultFileError,
    default_grid,
)
from pdesolve.solution.hdf5 import SCHEMA, VERSION, read
from pdesolve.solution.hdf5_checks import seal


def test_round_trip(heat, tmp_path):
    path = heat.save(tmp_path / "sub" / "u.h5")
    again = read(path, restore)
    points = heat.problem.domain.sample(40, np.random.default_rng(0))
    np.testing.assert_array_equal(again(points), heat(points))
    assert again.problem.digest == heat.problem.digest
    assert again.status is heat.status
    assert again.cost == heat.cost
    assert again.provenance == heat.provenance
    assert again.citations == heat.citations
    np.testing.assert_array_equal(again.collocation_points, heat.collocation_points)
    for name, column in heat.history.arrays().items():
        np.testing.assert_array_equal(again.history.arrays()[name], column)
    assert again.measured == heat.error()
    assert again.error(grid=(11, 7)).relative_l2 == pytest.approx(0.01)
    assert again.error(grid=(11, 7)).relative_h1 == pytest.approx(0.01)
    assert again.summary() == heat.summary()


def test_any_hdf5_reader_finds_plain_arrays_with_axes_and_units(heat, tmp_path):
    with h5py.File(heat.save(tmp_path / "u.h5")) as file:
        table = file["grid/values/u"]
        assert table.shape == (256, 101)
        assert table.attrs["units"] == "K"
        assert [d.label for d in table.dims] == ["x", "t"]
        np.testing.assert_array_equal(table.dims[0][0], np.linspace(0, np.pi, 256))
        assert file["grid/axes/x"].attrs["units"] == "m"
        i, j = 100, 50
        x, t = file["grid/axes/x"][i], file["grid/axes/t"][j]
        assert table[i, j] == pytest.approx(1.01 * np.sin(x) * np.exp(-t / 10))
        assert file["grid/reference/u"][i, j] == pytest.approx(np.sin(x) * np.exp(-t / 10))


def test_parameters_estimates_and_absent_parts(tmp_path):
    bare = poisson(1, error_estimate=0.02, message="tätig", collocation_points=None, parameters={"k": 0.5})
    again = read(bare.save(tmp_path / "u.h5"), restore)
    assert again.error_estimate == 0.02
    assert again.message == "tätig"
    assert again.collocation_points is None
    assert again.parameters == {"k": 0.5}


def test_a_reference_that_is_a_function_comes_back_at_the_nodes_of_its_grid(heat, tmp_path):
    def exact(points):
        return np.exp(-points[:, 1] / 10) * np.sin(points[:, 0])

    problem = heat.problem.replace(reference=pde.Reference(function=exact, error=2e-9, description="by hand"))
    expression = heat.problem.reference.expressions[0]
    path = make_solution(problem, [1.01 * expression]).save(tmp_path / "u.h5")

    def rebuild(backend, options, problem, arrays):
        return SymbolicField(problem, [1.01 * expression])

    again = read(path, rebuild)
    assert again.reference.error == 2e-9
    assert again.reference.description == "by hand"
    grid = default_grid(again.problem)
    np.testing.assert_array_equal(again.reference.values(grid.points)[:, 0], exact(grid.points))
    assert again.error(grid=grid).relative_l2 == pytest.approx(0.01)
    with pytest.raises(ReferenceUnresolvedError, match="nodes of the grid"):
        again.error(grid=(10, 10))
    assert read(path, rebuild, problem).error(grid=(10, 10)).relative_l2 == pytest.approx(0.01)


def test_a_problem_with_functions_must_be_brought_along(heat, tmp_path):
    (u,) = heat.problem.unknowns
    conditions = [pde.Initial(u, lambda points: np.sin(points[:, 0])), pde.Dirichlet(u, 0)]
    problem = heat.problem.replace(conditions=conditions)
    path = make_solution(problem, [1.01 * problem.reference.expressions[0]]).save(tmp_path / "u.h5")
    with pytest.raises(ProblemMismatchError, match=r"load\(path, problem="):
        read(path, restore)
    assert read(path, restore, problem).problem is problem
    with pytest.raises(ProblemMismatchError, match="digest"):
        read(path, restore, problem.replace(name="another"))


def test_an_existing_file_survives_a_failed_write(heat, tmp_path, monkeypatch):
    path = heat.save(tmp_path / "u.h5")
    before = path.read_bytes()

    def broken():
        raise RuntimeError("the field is gone")

    monkeypatch.setattr(heat.field, "arrays", broken)
    with pytest.raises(RuntimeError, match="gone"):
        heat.save(path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["u.h5"]
    full = OSError(28, "No space left on device")
    monkeypatch.setattr(h5py, "File", lambda *_, **__: (_ for _ in ()).throw(full))
    with pytest.raises(OutputPathError, match="No space left"):
        poisson(1).save(path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["u.h5"]


def test_an_unwritable_path_is_refused_before_any_evaluation(heat, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(heat, "field", None)
    with pytest.raises(OutputPathError):
        heat.save(tmp_path / "file" / "u.h5")
    with pytest.raises(OutputPathError):
        heat.save(tmp_path)


# -- hostile files -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return heat().save(tmp_path_factory.mktemp("whole") / "u.h5").read_bytes()


@pytest.fixture
def damaged(whole, tmp_path):
    """A good file, opened for changes and sealed again."""
    path = tmp_path / "u.h5"
    path.write_bytes(whole)

    def change(edit):
        with h5py.File(path, "r+") as file:
            edit(file)
        seal(path, SCHEMA, VERSION)
        return path

    return change


def test_missing_foreign_and_truncated_files(whole, tmp_path):
    path = tmp_path / "u.h5"
    contents = [None, b"", b"no HDF5", pickle.dumps({"a": 1}), whole[: len(whole) // 2], whole[:-100]]
    for content in contents:
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(ResultFileError, match=r"Solution\.save"):
            read(path, restore)
    with pytest.raises(ResultFileError):
        read(tmp_path, restore)
    with h5py.File(path, "w") as file:
        file["x"] = 1
    with pytest.raises(ResultFileError, match="another kind of file"):
        read(path, restore)


def _set(name, value):
    return lambda file: file.attrs.__setitem__(name, value)


def _json(name, value):
    def edit(file):
        del file[name]
        file[name] = value

    return edit


def _delete(name):
    return lambda file: file.__delitem__(name)


def _external_link(file):
    file["field/link"] = h5py.ExternalLink("elsewhere.h5", "/x")


def _soft_link(file):
    file["field/link"] = h5py.SoftLink("/grid")


def _cycle(file):
    file["field/again"] = file["field"]


def _external_storage(file):
    file.create_dataset("field/x", (4,), "f8", external=[("/etc/hostname", 0, 32)])


def _virtual(file):
    layout = h5py.VirtualLayout((4,), "f8")
    layout[:] = h5py.VirtualSource("elsewhere.h5", "x", (4,))
    file.create_virtual_dataset("field/x", layout)


def _bomb(file):
    file.create_dataset("field/x", (1 << 20, 1 << 20), "f8", chunks=(1024, 1024))


def _strings(file):
    file["field/x"] = ["a", "b"]
    file["field/x"].attrs["key"] = "x"


EDITS = {
    "unknown status": _set("status", "FINE"),
    "odd estimate": _set("error_estimate", "small"),
    "no history": _delete("history"),
    "no axes": _delete("grid/axes"),
    "no problem name": lambda file: file.attrs.__delitem__("problem"),
    "broken JSON": _json("provenance", "{"),
    "wrong JSON type": _json("provenance", "[]"),
    "options no dictionary": _json("provenance", '{"options": 3}'),
    "JSON as numbers": _json("cost", 3.0),
    "unknown cost": _json("cost", '{"euros": 3}'),
    "cost no number": _json("cost", '{"seconds_setup": "long"}'),
    "deep JSON": _json("parameters", "[" * 100_000),
    "no declaration": _json("problem", '{"schema": "pdesolve.problem", "version": 1}'),
    "code in the declaration": _json("problem", json.dumps({"equations": "__import__('os').system('true')"})),
    "field array missing": _delete("field/000000"),
    "field array empty": _json("field/000000", np.zeros(0)),
    "field of strings": _strings,
    "external link": _external_link,
    "soft link": _soft_link,
    "cycle of groups": _cycle,
    "external storage": _external_storage,
    "virtual data set": _virtual,
    "terabytes": _bomb,
}


WHY = {
    "external link": "links out of the file; got ExternalLink",
    "soft link": "links out of the file; got SoftLink",
    "cycle of groups": "levels of groups",
    "external storage": "data inside the file",
    "virtual data set": "data inside the file",
    "terabytes": "sizes that fit the file",
    "deep JSON": "RecursionError",
}
"""What stops the file: not an accident further on."""


@pytest.mark.parametrize("what", EDITS)
def test_hostile_files_are_refused(damaged, what):
    path = damaged(EDITS[what])
    with pytest.raises(ResultFileError, match=WHY.get(what)):
        read(path, restore)


def test_a_changed_declaration_is_noticed(damaged):
    def edit(file):
        declaration = json.loads(file["problem"][()])
        declaration["name"] = "heat 1-E"
        del file["problem"]
        file["problem"] = json.dumps(declaration)

    with pytest.raises(ProblemMismatchError, match="digest"):
        read(damaged(edit), restore)


def test_an_edit_or_another_version_is_noticed_before_hdf5_sees_the_file(whole, tmp_path, monkeypatch):
    path = tmp_path / "u.h5"
    path.write_bytes(whole)
    with h5py.File(path, "r+") as file:
        file["field/000000"][0] = 5.0
    path.write_bytes(path.read_bytes()[: len(whole)])
    monkeypatch.setattr(h5py, "File", None)
    with pytest.raises(ResultFileError, match="damaged or was changed"):
        read(path, restore)
    path.write_bytes(whole.replace(b"pdesolve-solution 1 ", b"pdesolve-solution 7 ", 1))
    with pytest.raises(ResultFileError, match="schema version 1; got 7"):
        read(path, restore)
    path.write_bytes(whole[:-1])
    with pytest.raises(ResultFileError, match="truncated"):
        read(path, restore)


@settings(
    max_examples=100,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.floats(0, 1, exclude_max=True), st.integers(1, 255))
def test_any_changed_byte_is_a_named_error(whole, tmp_path, where, change):
    content = bytearray(whole)
    content[int(where * len(content))] ^= change
    path = tmp_path / "u.h5"
    path.write_bytes(content)
    with pytest.raises(ResultFileError):
        read(path, restore)
