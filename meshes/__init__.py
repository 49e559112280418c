"""Mesh files that come with the library, and the script that made them.

    from pdesolve import MeshDomain, coordinates, meshes
    x, y = coordinates("x y")
    domain = MeshDomain(meshes.path("cylinder"), (x, y))

docs/meshes.md tells what each mesh is.
"""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from pdesolve.declare.errors import MeshFileError

SUFFIXES = (".msh", ".stl")


def names() -> tuple[str, ...]:
    """The files, in alphabetical order: ``backward-step.msh``, ``cylinder.msh``, ..."""
    return tuple(sorted(file.name for file in _folder().iterdir() if file.suffix in SUFFIXES))


def path(name: str) -> Path:
    """Where a mesh lies; ``name`` with its suffix, or without for a ``.msh``.

    Raises:
        MeshFileError: there is no such mesh.
    """
    file = name if name.endswith(SUFFIXES) else f"{name}.msh"
    if file not in names():
        raise MeshFileError("meshes.path", f"one of {', '.join(names())}", repr(name), "Name a shipped mesh.")
    return _folder() / file


def _folder() -> Path:
    return Path(str(resources.files(__name__)))
