"""Solutions as HDF5 files: everything to go on with, and plain arrays for any other reader.

The layout, in a file of schema `SCHEMA`, version `VERSION`:

    user block            name, version, length and SHA-256; a file that was damaged or edited is not loaded
    /                     attributes: schema, schema_version, problem, digest, backend, status, message, ...
    /problem              the declaration as JSON text; absent where it holds Python functions
    /provenance, /parameters, /intervals, /diagnosis, /cost, /errors, /reference_info, /citations
                          JSON text
    /field/<number>       the arrays of the backend's field; the attribute "key" is the name
    /history/<column>     the error curve
    /collocation_points   (m, d)
    /grid/axes/<coordinate>, /grid/values/<unknown>, /grid/reference/<unknown>
                          values on the default grid, with HDF5 dimension scales and the attribute "units";
                          NaN where a node lies outside the domain
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..declare.domain import Array, Grid
from ..declare.errors import PDESolveError, ReferenceDataError, SerializationError
from ..declare.problem import Problem
from .errors import ProblemMismatchError, ReferenceUnresolvedError, ResultFileError
from .field import Field
from .finding import Finding
from .hdf5_checks import REMEDY, USER_BLOCK, numbers, open_checked, seal, text
from .history import Cost, History
from .labels import unit_of
from .norms import ErrorNorms, default_grid, on_grid
from .output import atomic_file, check_writable, explained
from .references import ResolvedReference, Tabulated, resolve_reference
from .status import Status

if TYPE_CHECKING:
    from .solution import Solution

SCHEMA = "pdesolve-solution"
VERSION = 1

Restore = Callable[[str, Mapping[str, Any], Problem, Mapping[str, Array]], Field]


def write(solution: Solution, path: str | Path) -> Path:
    """Write a solution to ``path`` by a temporary file and a rename: an existing file survives a failure.

    Raises:
        OutputPathError: the file cannot be written there.
    """
    import h5py

    target = check_writable(path)
    grid = default_grid(solution.problem)
    values = on_grid(solution.problem, grid, solution.values)
    reference = solution.reference
    exact = None if reference is None else on_grid(solution.problem, grid, reference.values)
    solution.measure()  # on the same grid, so that a reader of the file sees it
    with atomic_file(target) as temporary, explained(path):
        with h5py.File(temporary, "w", userblock_size=USER_BLOCK, track_order=True) as file:
            _fill(file, solution, grid, values, exact)
        seal(temporary, SCHEMA, VERSION)
    return target


def read(path: str | Path, restore: Restore, problem: Problem | None = None) -> Solution:
    """Read what `write` wrote.

    Args:
        path: the file.
        restore: (backend name, options, problem, arrays) to a field; the driver gives it.
        problem: the declaration, needed where it holds Python functions; must have the stored digest.

    Raises:
        ResultFileError: no such file, not written by this library, damaged, or with links out of it.
        ProblemMismatchError: ``problem`` is another one, or is needed and missing.
    """
    with open_checked(path, SCHEMA, VERSION) as file:
        content = _content(file)
    declared = _problem(str(path), content, problem)
    provenance = content["provenance"]
    try:
        field = restore(content["backend"], provenance.get("options", {}), declared, content["field"])
    except (KeyError, ValueError, TypeError, IndexError, AttributeError, RuntimeError) as error:
        raise ResultFileError(
            str(path), f"arrays of a {content['backend']} field", f"{type(error).__name__}: {error}", REMEDY
        ) from error
    from .solution import Solution

    return Solution(
        problem=declared,
        field=field,
        status=content["status"],
        message=content["message"],
        history=content["history"],
        cost=content["cost"],
        provenance=provenance,
        parameters=content["parameters"],
        intervals=content["intervals"],
        diagnosis=content["diagnosis"],
        collocation_points=content["collocation_points"],
        error_estimate=content["error_estimate"],
        reference=_reference(content, declared),
        citations=content["citations"],
        measured=content["errors"],
    )


# -- writing -----------------------------------------------------------------------------------------


def _fill(file: Any, solution: Solution, grid: Grid, values: Array, exact: Array | None) -> None:
    problem, reference = solution.problem, solution.reference
    file.attrs["schema"] = SCHEMA
    file.attrs["schema_version"] = VERSION
    file.attrs["problem"] = problem.name
    file.attrs["digest"] = problem.digest
    file.attrs["backend"] = str(solution.provenance.get("backend", ""))
    file.attrs["status"] = solution.status.name
    file.attrs["message"] = solution.message
    if solution.error_estimate is not None:
        file.attrs["error_estimate"] = float(solution.error_estimate)
    declaration = _declaration(problem)
    if declaration is not None:
        _put_json(file, "problem", declaration)
    _put_json(file, "provenance", solution.provenance)
    _put_json(file, "parameters", solution.parameters)
    _put_json(file, "intervals", solution.intervals)
    _put_json(file, "diagnosis", [finding.to_json() for finding in solution.diagnosis])
    _put_json(file, "cost", solution.cost.to_json())
    _put_json(file, "citations", list(solution.citations))
    if solution.measured is not None:
        _put_json(file, "errors", solution.measured.to_json())
    if reference is not None:
        own = reference.error if np.isfinite(reference.error) else None
        _put_json(file, "reference_info", {"description": reference.description, "error": own})
    for i, (key, array) in enumerate(solution.field.arrays().items()):
        # numbered: a backend's names may hold "/", which HDF5 reads as a path
        dataset = file.create_dataset(f"field/{i:06d}", data=np.asarray(array))
        dataset.attrs["key"] = key
    for name, column in solution.history.arrays().items():
        file.create_dataset(f"history/{name}", data=column)
    if solution.collocation_points is not None:
        file["collocation_points"] = np.asarray(solution.collocation_points, dtype=np.float64)
    _put_grid(file, problem, grid, {"values": values, "reference": exact})


def _declaration(problem: Problem) -> dict[str, Any] | None:
    from ..declare.serialization import problem_to_json

    try:
        return problem_to_json(problem)
    except SerializationError:
        return None  # it holds Python functions: the reader must bring the problem


def _put_json(file: Any, name: str, value: Any) -> None:
    import h5py

    file.create_dataset(name, data=json.dumps(value), dtype=h5py.string_dtype())


def _put_grid(file: Any, problem: Problem, grid: Grid, tables: Mapping[str, Array | None]) -> None:
    group = file.create_group("grid", track_order=True)
    scales = []
    for coordinate, axis in zip(problem.coordinates, grid.axes, strict=True):
        scale = group.create_dataset(f"axes/{coordinate.name}", data=axis)
        scale.make_scale(coordinate.name)
        scale.attrs["units"] = unit_of(problem, coordinate)
        scales.append(scale)
    for label, table in tables.items():
        for k, unknown in enumerate(problem.unknowns if table is not None else ()):
            assert table is not None
            dataset = group.create_dataset(f"{label}/{problem.unknown_names[k]}", data=table[..., k])
            dataset.attrs["units"] = unit_of(problem, unknown)
            for dimension, scale in zip(dataset.dims, scales, strict=True):
                dimension.label = scale.name.rpartition("/")[2]
                dimension.attach_scale(scale)


# -- reading -----------------------------------------------------------------------------------------


def _content(file: Any) -> dict[str, Any]:
    """Everything in the file as plain Python values, so that the file can be closed."""
    cost, errors, info = (
        _json(file, "cost", dict),
        _json(file, "errors", dict),
        _json(file, "reference_info", dict),
    )
    estimate = file.attrs.get("error_estimate")
    provenance = _json(file, "provenance", dict) or {}
    if not isinstance(provenance.get("options", {}), dict):
        raise TypeError("options are no dictionary")
    return {
        "digest": str(file.attrs["digest"]),
        "name": str(file.attrs["problem"]),
        "backend": str(file.attrs["backend"]),
        "status": Status[str(file.attrs["status"])],
        "message": str(file.attrs["message"]),
        "error_estimate": None if estimate is None else float(estimate),
        "problem": _json(file, "problem", dict),
        "provenance": provenance,
        "parameters": {str(k): float(v) for k, v in (_json(file, "parameters", dict) or {}).items()},
        "intervals": {
            str(k): (float(low), float(high))
            for k, (low, high) in (_json(file, "intervals", dict) or {}).items()
        },
        "diagnosis": [Finding(**found) for found in _json(file, "diagnosis", list) or ()],
        "cost": Cost.from_json(cost or {}),
        "citations": tuple(str(entry) for entry in _json(file, "citations", list) or ()),
        "errors": None if errors is None else ErrorNorms.from_json(errors),
        "reference_info": info,
        "field": {
            str(d.attrs["key"]): numbers(d) for d in (file["field"].values() if "field" in file else ())
        },
        "history": History.from_json({name: numbers(d).tolist() for name, d in file["history"].items()}),
        "collocation_points": numbers(file["collocation_points"]) if "collocation_points" in file else None,
        "axes": {name: numbers(d) for name, d in file["grid/axes"].items()},
        "table": {name: numbers(d) for name, d in file["grid"].get("reference", {}).items()},
    }


def _json(file: Any, name: str, kind: type) -> Any:
    if name not in file:
        return None
    value = json.loads(text(file[name]))
    if not isinstance(value, kind):
        raise TypeError(f"/{name} holds {type(value).__name__}, not {kind.__name__}")
    return value


def _problem(who: str, content: Mapping[str, Any], given: Problem | None) -> Problem:
    stored = content["problem"]
    if given is None and stored is None:
        raise ProblemMismatchError(
            who,
            f"the problem {content['name']!r}, which holds Python functions that no file can store",
            "none",
            "Give load(path, problem=...).",
        )
    if given is None:
        from ..declare.serialization import problem_from_json

        try:
            given = problem_from_json(stored)
        except PDESolveError as error:
            raise ResultFileError(
                who, "a readable declaration", str(error), "Give load(path, problem=...)."
            ) from error
    if given.digest != content["digest"]:
        raise ProblemMismatchError(
            who,
            f"the problem {content['name']!r} with digest {content['digest']}",
            f"{given.name!r} with digest {given.digest}",
            "Declare it exactly as it was when it was solved.",
        )
    return given


def _reference(content: Mapping[str, Any], problem: Problem) -> ResolvedReference | None:
    """The problem's own reference where it can be evaluated; else the stored values at the grid's nodes."""
    info, table = content["reference_info"], content["table"]
    if info is None:
        return None
    description, error = (
        str(info.get("description", "")),
        float("nan" if info.get("error") is None else info["error"]),
    )
    if problem.reference is not None:
        try:
            # error=None: it was measured when the reference was made, and measuring it again may be costly
            known = resolve_reference(replace(problem.reference, error=None), problem)
            return ResolvedReference(known.values, known.derivatives, error, description)
        except (ReferenceUnresolvedError, ReferenceDataError):
            pass
    axes = [content["axes"].get(c.name) for c in problem.coordinates]
    columns = [table.get(name) for name in problem.unknown_names]
    if any(a is None for a in axes) or any(c is None for c in columns):
        return None
    return ResolvedReference(
        Tabulated(Grid(tuple(axes)), np.stack(columns, axis=-1)).values, None, error, description
    )
