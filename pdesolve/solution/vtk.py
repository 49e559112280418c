"""VTK files that every ParaView opens: a ``.pvd`` index with one file a time.

| problem          | files                                                                    |
|------------------|--------------------------------------------------------------------------|
| 1-D, steady      | a line ``.vtu``                                                          |
| 1-D and time     | a line ``.vtu`` a time, and one x–t image ``…_xt.vti``                   |
| 2-D, 3-D         | a ``.vti``                                                               |
| 2-D, 3-D, time   | a ``.vti`` a time                                                        |
| shapes, meshes   | a ``.vtu`` of triangles or tetrahedra (a time); ``…_boundary.vtp``       |
| closed surfaces  | a ``.vtu`` of tetrahedra inside (a time)                                 |

All come with ``….pvd`` (open this one) and, where there are such, ``…_collocation.vtp``. Point arrays:
each unknown, vectors with three components, ``residual_<equation>``, ``<u>_reference``, ``<u>_error``.
Units are in the arrays' UNITS_LABEL, provenance in the field data. Formats: VTK XML, file-formats page of
the VTK documentation.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import quoteattr

import numpy as np

from ..declare.domain import Array, Grid
from ..declare.regions.mesh import Mesh
from .errors import OutputArrayError, UnsupportedOutputError
from .labels import clean
from .norms import default_grid
from .output import atomic_folder, check_writable, explained
from .visualisation import Names, PointArray, at_time, field_data, point_arrays, region_mesh

if TYPE_CHECKING:
    from .solution import Solution


def write_vtk(
    solution: Solution,
    directory: str | Path,
    times: Sequence[float] | None = None,
    shape: int | Sequence[int] | None = None,
) -> list[Path]:
    """Write a solution for ParaView; files appear together at the end or not at all.

    Args:
        solution: what to write.
        directory: a folder, made where it does not exist; other files in it stay, earlier output of the
            same problem is replaced.
        times: increasing times of the series; by default those of the grid. The series of a run that
            stopped early ends where the run did.
        shape: points an axis, one number for each coordinate, or one for all; by default those of
            `default_grid`. On a shape or mesh see `region_mesh`.

    Returns:
        The files, the ``.pvd`` first.

    Raises:
        UnsupportedOutputError: more than three space coordinates, or times outside the domain.
        OutputArrayError: names collide or are empty, or an unknown is not finite.
        OutputPathError: the folder cannot be written.
    """
    target = check_writable(directory, directory=True)
    problem = solution.problem
    if len(problem.domain.space) > 3:
        raise UnsupportedOutputError(
            f"write_vtk of {problem.name}",
            "at most three space coordinates",
            f"{len(problem.domain.space)}",
            "Evaluate solution(points) on a slice of your choice.",
        )
    names, stem = Names.of(problem, solution.reference is not None), clean(problem.name)
    if not stem:
        raise OutputArrayError("write_vtk", "a problem name with letters", repr(problem.name), "Rename it.")
    grid = default_grid(problem) if shape is None else problem.domain.grid(shape)
    chosen = _times(solution, grid, times)
    if times is None and shape is None:
        solution.measure()  # so that relative_l2 stands in the files
    with atomic_folder(target) as folder, explained(directory):
        mesh = grid if problem.domain.is_box else region_mesh(solution, shape)
        written = _write_series(solution, mesh, chosen, names, folder, stem)
        if problem.domain.time is not None and len(problem.domain.space) == 1:
            arrays = point_arrays(solution, grid.points, names)
            written.append(_save(_image(grid), arrays, field_data(solution), folder / f"{stem}_xt.vti"))
        if isinstance(mesh, Mesh) and mesh.boundaries:
            written.append(_write_boundary(solution, mesh, folder / f"{stem}_boundary.vtp"))
        if solution.collocation_points is not None and len(solution.collocation_points):
            written.append(_write_collocation(solution, folder / f"{stem}_collocation.vtp"))
    _forget_earlier(target, stem, written)
    return [target / name for name in written]


def _times(solution: Solution, grid: Grid, times: Sequence[float] | None) -> Array | None:
    """The times of the series; None for a steady problem (or one in time alone, which is drawn as a line)."""
    domain = solution.problem.domain
    series = domain.time is not None and bool(domain.space)
    if times is None:
        return _reached(solution, grid.axes[-1]) if series else None
    try:
        found = np.asarray(times, dtype=np.float64)
    except (TypeError, ValueError):
        found = np.empty(0)
    if not series or found.ndim != 1 or not len(found):
        raise UnsupportedOutputError(
            f"write_vtk of {solution.problem.name}",
            "a list of times, for a problem in space and time",
            repr(times)[:80],
            "Write times=[0, 0.5]; leave it out for a steady problem.",
        )
    assert domain.time is not None
    start, end = domain.time.bounds
    if not (np.all(found >= start) and np.all(found <= end) and np.all(np.diff(found) > 0)):
        raise UnsupportedOutputError(
            f"write_vtk of {solution.problem.name}",
            f"increasing times from {start:g} to {end:g}",
            repr(times)[:80],
            "Sort them and leave out what lies outside the domain.",
        )
    return _reached(solution, found)


def _reached(solution: Solution, times: Array) -> Array:
    """The times up to where a run stopped that did not come to the end."""
    if solution.reached is None:
        return times
    kept = times[times <= solution.reached]
    if not len(kept):
        raise UnsupportedOutputError(
            f"write_vtk of {solution.problem.name}",
            f"a time up to {solution.reached:g}, where the run stopped",
            f"times from {times[0]:g}",
            "Solve again with a larger budget, or give earlier times.",
        )
    return kept


def _write_series(
    solution: Solution, mesh: Grid | Mesh, times: Array | None, names: Names, folder: Path, stem: str
) -> list[str]:
    """One file a time, and the index; returns file names, the index first."""
    data = field_data(solution)
    if isinstance(mesh, Grid) and times is not None:
        mesh = Grid(mesh.axes[:-1])
    suffix = "vti" if isinstance(mesh, Grid) and len(mesh.axes) > 1 else "vtu"
    files: list[tuple[float, str]] = []
    for i, time in enumerate([None] if times is None else times.tolist()):
        name = f"{stem}.{suffix}" if time is None else f"{stem}_{i:04d}.{suffix}"
        stamped = data if time is None else {**data, "TimeValue": [time]}
        arrays = point_arrays(solution, at_time(mesh.points, time), names)
        _save(_dataset(mesh), arrays, stamped, folder / name)
        files.append((time or 0.0, name))
    index = folder / f"{stem}.pvd"
    index.write_text(_pvd(files), encoding="utf-8")
    return [index.name, *(name for _, name in files)]


def _pvd(files: Sequence[tuple[float, str]]) -> str:
    """ParaView's collection file: relative names, times to the last bit."""
    lines = [f'    <DataSet timestep="{time!r}" part="0" file={quoteattr(name)}/>' for time, name in files]
    return "\n".join(
        [
            '<?xml version="1.0"?>',
            '<VTKFile type="Collection" version="0.1" byte_order="LittleEndian">',
            "  <Collection>",
            *lines,
            "  </Collection>",
            "</VTKFile>",
            "",
        ]
    )


def _dataset(mesh: Grid | Mesh) -> Any:
    """What VTK calls the mesh."""
    if isinstance(mesh, Mesh):
        return _simplices(mesh)
    return _line(mesh) if len(mesh.axes) == 1 else _image(mesh)


def _image(grid: Grid) -> Any:
    """A uniform image of 2 or 3 axes."""
    import pyvista

    padded = [*grid.axes, *[np.zeros(1)] * (3 - len(grid.axes))]
    return pyvista.ImageData(
        dimensions=[len(axis) for axis in padded],
        origin=[float(axis[0]) for axis in padded],
        spacing=[float((axis[-1] - axis[0]) / (len(axis) - 1)) if len(axis) > 1 else 1.0 for axis in padded],
    )


def _line(grid: Grid) -> Any:
    """Points along the first axis, joined by line cells."""
    import pyvista

    axis = grid.axes[0]
    n = len(axis)
    cells = np.stack([np.full(n - 1, 2), np.arange(n - 1), np.arange(1, n)], axis=1)
    return pyvista.UnstructuredGrid(
        cells.ravel(), np.full(n - 1, pyvista.CellType.LINE), _in_space(axis[:, None])
    )


def _in_space(points: Array) -> Array:
    """Points (n, k) with zeros up to three coordinates."""
    padded = np.zeros((len(points), 3))
    padded[:, : points.shape[1]] = points
    return padded


_CELLS = {2: "LINE", 3: "TRIANGLE", 4: "TETRA"}
_QUADRATIC_CELLS = {3: "QUADRATIC_EDGE", 6: "QUADRATIC_TRIANGLE", 10: "QUADRATIC_TETRA"}
_VTK_TETRA = [0, 1, 2, 3, 4, 5, 6, 7, 9, 8]  # the middles of edges 1-3 and 2-3 change places


def _simplices(mesh: Mesh) -> Any:
    """The cells of a mesh, curved ones as VTK's quadratic cells."""
    import pyvista

    cells = mesh.cells
    m, nodes = cells.shape
    name = (_QUADRATIC_CELLS if mesh.is_quadratic else _CELLS)[nodes]
    if name == "QUADRATIC_TETRA":
        cells = cells[:, _VTK_TETRA]
    connectivity = np.column_stack([np.full(m, nodes), cells]).ravel()
    types = np.full(m, pyvista.CellType[name])
    return pyvista.UnstructuredGrid(connectivity, types, _in_space(mesh.points))


def _write_boundary(solution: Solution, mesh: Mesh, path: Path) -> str:
    """The facets; cell array ``part`` numbers their parts, whose names are the field data ``parts``."""
    import pyvista

    parts = list(mesh.boundaries.items())
    facets = np.concatenate([facets for _, facets in parts])
    used, renumbered = np.unique(facets, return_inverse=True)
    corners = facets.shape[1]
    connectivity = np.column_stack([np.full(len(facets), corners), renumbered.reshape(facets.shape)]).ravel()
    kind = "lines" if corners == 2 else "faces"
    boundary = pyvista.PolyData(_in_space(mesh.points[used]), **{kind: connectivity})
    boundary.cell_data["part"] = np.repeat(np.arange(len(parts)), [len(facets) for _, facets in parts])
    return _save(boundary, [], {**field_data(solution), "parts": [name for name, _ in parts]}, path)


def _write_collocation(solution: Solution, path: Path) -> str:
    """Vertices at (x, [y, [z]]), or at (x, t, 0) in one space dimension; time as an array."""
    import pyvista

    points = np.asarray(solution.collocation_points, dtype=np.float64)
    domain = solution.problem.domain
    shown = len(domain.axes) if len(domain.space) <= 1 else len(domain.space)
    mesh = pyvista.PolyData(_in_space(points[:, :shown]))
    arrays = []
    if domain.time is not None:
        arrays.append(PointArray(clean(domain.time.coordinate.name) or "time", points[:, -1]))
    return _save(mesh, arrays, field_data(solution), path)


def _save(mesh: Any, arrays: Sequence[PointArray], data: dict[str, Any], path: Path) -> str:
    for array in arrays:
        mesh.point_data.set_array(_x_fastest(mesh, array.values), array.name)
        vtk_array = mesh.GetPointData().GetArray(array.name)
        if array.unit:
            vtk_array.GetInformation().Set(vtk_array.UNITS_LABEL(), array.unit)
        for i, component in enumerate(array.components):
            vtk_array.SetComponentName(i, component)
    if arrays:
        mesh.set_active_scalars(arrays[0].name)
    for key, value in data.items():
        if isinstance(value[0], str):
            mesh.GetFieldData().AddArray(_strings(key, value))
        else:
            mesh.field_data[key] = value
    mesh.save(path)
    return path.name


def _strings(name: str, texts: Sequence[str]) -> Any:
    """Text as VTK keeps it, in UTF-8; PyVista's own conversion takes ASCII alone."""
    from vtkmodules.vtkCommonCore import vtkStringArray

    array = vtkStringArray()
    array.SetName(name)
    for text in texts:
        array.InsertNextValue(text)
    return array


def _x_fastest(mesh: Any, values: Array) -> Array:
    """From the grid's order (last axis fastest) to VTK's (first axis fastest)."""
    dimensions = getattr(mesh, "dimensions", None)
    if dimensions is None:
        return np.ascontiguousarray(values)
    components = values.shape[1:]
    cube = values.reshape(*dimensions, *components)
    return np.ascontiguousarray(cube.transpose(2, 1, 0, *range(3, cube.ndim))).reshape(-1, *components)


def _forget_earlier(target: Path, stem: str, written: Sequence[str]) -> None:
    """Remove a longer series of an earlier run: ParaView would join its last files to the new ones."""
    for file in target.iterdir():
        if re.fullmatch(rf"{re.escape(stem)}_\d{{4,}}\.vt[iu]", file.name) and file.name not in written:
            file.unlink()
