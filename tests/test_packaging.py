"""What is installed: the outer folders as pdesolve.*, the command, the type marker; what is pinned."""

from __future__ import annotations

import ast
import importlib
import re
import tomllib
from importlib import metadata, resources
from pathlib import Path

import pytest

import pdesolve

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def pins() -> dict[str, str]:
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    return dict(line.split("==") for line in lines)


@pytest.mark.parametrize("folder", ["problems", "meshes", "benchmarks"])
def test_outer_folder_is_part_of_the_package(folder: str) -> None:
    module = importlib.import_module(f"pdesolve.{folder}")
    assert module.__file__ is not None
    assert module.__doc__
    # The same module is the one in the folder beside the package, or a copy of it in a wheel.
    assert Path(module.__file__).read_text() == (ROOT / folder / "__init__.py").read_text()


def test_every_package_folder_is_declared() -> None:
    """setuptools is given an explicit list; a folder that is not in it would be missing from the wheel."""
    declared = set(PROJECT["tool"]["setuptools"]["packages"])
    inside = {".".join(p.parent.relative_to(ROOT).parts) for p in (ROOT / "pdesolve").rglob("*.py")}
    outer = {
        f"pdesolve.{'.'.join(p.parent.relative_to(ROOT).parts)}"
        for folder in ("problems", "meshes", "benchmarks")
        for p in (ROOT / folder).rglob("__init__.py")
    }
    assert declared == inside | outer


def test_metadata() -> None:
    (command,) = (e for e in metadata.entry_points(group="console_scripts") if e.name == "pdesolve")
    assert command.value == "pdesolve.cli:main"
    assert callable(command.load())
    assert metadata.version("pdesolve") == pdesolve.__version__ == PROJECT["project"]["version"]
    assert resources.files("pdesolve").joinpath("py.typed").is_file()


def test_every_file_that_is_read_is_in_the_wheel() -> None:
    """Assets of the report lie beside its code; what package-data does not name would be missing."""
    patterns = PROJECT["tool"]["setuptools"]["package-data"]["pdesolve.benchmarks.suite"]
    folder = ROOT / "benchmarks" / "suite"
    assets = {p.name for p in folder.iterdir() if p.is_file() and p.suffix != ".py"}
    assert assets == {p.name for pattern in patterns for p in folder.glob(pattern)} == {"page.css", "page.js"}


def test_direct_dependencies_are_pinned_and_torch_comes_first() -> None:
    project = PROJECT["project"]
    requirements = [
        *project["dependencies"],
        *(r for extra in project["optional-dependencies"].values() for r in extra),
    ]
    names = {re.split(r"[^\w-]", requirement, maxsplit=1)[0] for requirement in requirements}
    assert names <= set(pins())
    assert next(iter(pins())) == "torch"


def test_files_name_no_registry() -> None:
    """Where packages come from is the machine's business."""
    for name in ("Makefile", "constraints.txt", "pyproject.toml", ".ci/run"):
        text = (ROOT / name).read_text()
        assert not re.search(r"index-url|find-links|https?://(?!www\.apache)", text), name


def test_catalogue_imports_relatively_from_declare_alone() -> None:
    """The import contract reads absolute imports; a relative one would leave the folder unseen."""
    for path in (ROOT / "problems").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.level == 2:
                assert (node.module or "").split(".")[0] == "declare", f"{path.name}:{node.lineno}"


def table(path: Path) -> dict[str, list[str]]:
    """First cell, back-quoted, to the names that are back-quoted in the other cells of each row."""
    rows = re.findall(r"^\| `([\w-]+)` \|(.*)$", path.read_text(), re.MULTILINE)
    return {name: re.findall(r"`(\w+)`", rest) for name, rest in rows}


def test_documented_catalogue_is_the_catalogue() -> None:
    from pdesolve.problems import CATALOGUE, FAMILIES, catalogue_names, parameters_of

    names = catalogue_names()
    assert table(ROOT / "docs" / "catalogue.md") == {name: list(parameters_of(name)) for name in names}
    statements = re.findall(
        r"autofunction:: pdesolve\.problems\.([\w.]+)", (ROOT / "docs" / "catalogue.md").read_text()
    )
    entries = [*(CATALOGUE[name] for name in names), *FAMILIES.values()]
    assert statements == [entry.replace(":", ".") for entry in entries]
    assert tuple(name for name in table(ROOT / "README.md") if name in names) == names
