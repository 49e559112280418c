"""Files appear whole or not at all."""

import os

import pytest

from pdesolve.solution import OutputPathError, check_writable
from pdesolve.solution.output import atomic_file, atomic_folder


def everything(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    target = tmp_path / "u.h5"
    target.write_text("old")
    with pytest.raises(ZeroDivisionError), atomic_file(target) as temporary:
        temporary.write_text("half")
        raise ZeroDivisionError
    assert target.read_text() == "old"
    assert everything(tmp_path) == ["u.h5"]
    with atomic_file(target) as temporary:
        temporary.write_text("new")
        assert target.read_text() == "old"
    assert target.read_text() == "new"
    assert everything(tmp_path) == ["u.h5"]


def test_a_failed_folder_leaves_what_was_there(tmp_path):
    target = tmp_path / "new"
    with pytest.raises(ZeroDivisionError), atomic_folder(target) as folder:
        (folder / "a.vtu").write_text("half")
        raise ZeroDivisionError
    assert everything(tmp_path) == []
    target.mkdir()
    (target / "notes.txt").write_text("mine")
    with pytest.raises(ZeroDivisionError), atomic_folder(target) as folder:
        (folder / "a.vtu").write_text("half")
        raise ZeroDivisionError
    assert everything(target) == ["notes.txt"]
    with atomic_folder(target) as folder:
        (folder / "a.vtu").write_text("whole")
    assert everything(target) == ["a.vtu", "notes.txt"]


def test_the_index_is_moved_last(tmp_path, monkeypatch):
    moved = []
    replace = type(tmp_path).replace
    monkeypatch.setattr(
        type(tmp_path), "replace", lambda self, to: (moved.append(to.name), replace(self, to))[1]
    )
    with atomic_folder(tmp_path) as folder:
        for name in ("a.pvd", "b.vtu", "c.vtu"):
            (folder / name).write_text(name)
    assert moved[-1] == "a.pvd"
    assert sorted(moved) == ["a.pvd", "b.vtu", "c.vtu"]


@pytest.mark.parametrize("directory", [False, True])
def test_unwritable_places_are_refused_without_touching_anything(tmp_path, directory):
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    wrong = tmp_path / ("file" if directory else "folder")
    for path in (wrong, tmp_path / "file" / "below" / "u", str(tmp_path / "a\0b")):
        with pytest.raises(OutputPathError, match="Choose another path"):
            check_writable(path, directory=directory)
    before = everything(tmp_path)
    fine = tmp_path / "not" / "yet" / "there"
    assert check_writable(fine, directory=directory) == fine
    assert everything(tmp_path) == before


@pytest.mark.parametrize("path", [None, 3, b"u.h5"])
def test_what_is_no_path_is_refused(heat, path):
    with pytest.raises(OutputPathError, match="not a path"):
        heat.save(path)
    with pytest.raises(OutputPathError, match="not a path"):
        heat.write_vtk(path)


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write everywhere")
def test_a_folder_without_permission_is_refused(tmp_path):
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(OutputPathError, match="no permission"):
            check_writable(tmp_path / "u.h5")
    finally:
        tmp_path.chmod(0o700)
