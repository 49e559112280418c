"""What a solution shows on a grid, as plain arrays with names and units; no file format in here."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy as sp

from ..declare.domain import Array
from ..declare.errors import MeshingError
from ..declare.problem import Problem
from ..declare.regions.box import BoxRegion
from ..declare.regions.mesh import Mesh
from ..declare.regions.region import Region
from .errors import NotFiniteOutputWarning, OutputArrayError
from .labels import clean_all, unit_of

if TYPE_CHECKING:
    from .solution import Solution

NOT_FINITE = "not_finite"


@dataclass(frozen=True)
class PointArray:
    """One array on the points of a grid or mesh: (n,), or (n, 3) for a vector padded with zeros."""

    name: str
    values: np.ndarray[Any, Any]
    unit: str = ""
    components: tuple[str, ...] = ()


@dataclass(frozen=True)
class Names:
    """Clean array names, found once for all files of a solution."""

    unknowns: tuple[str, ...]
    references: tuple[str, ...]
    errors: tuple[str, ...]
    deviations: tuple[str, ...]
    residuals: dict[str, str]
    vectors: dict[str, str]

    @classmethod
    def of(cls, problem: Problem, with_reference: bool) -> Names:
        """The names for the arrays of a problem's solution; touches no solution, to be asked before any work.

        Raises:
            OutputArrayError: two names become the same, one becomes empty, or a vector has not one to three
                different members.
        """
        for vector, members in problem.vectors.items():
            if not 1 <= len(set(members)) == len(members) <= 3:
                raise OutputArrayError(
                    f"vector {vector!r} of {problem.name}",
                    "one to three different unknowns",
                    f"({', '.join(map(str, members))})",
                    "Change Problem(vectors=...).",
                )
        unknowns = problem.unknown_names
        compared = unknowns if with_reference else ()
        references = [f"{u}_reference" for u in compared]
        errors = [f"{u}_error" for u in compared]
        deviations = [f"{u}_deviation" for u in unknowns]
        residuals = {name: f"residual_{name}" for name in problem.equations}
        scalars = [*unknowns, *references, *errors, *deviations, *residuals.values()]
        everything = [*scalars, *problem.vectors, NOT_FINITE]
        if len(set(everything)) < len(everything):
            twice = sorted({name for name in everything if everything.count(name) > 1})
            raise OutputArrayError(
                f"arrays of {problem.name}", "different names", ", ".join(twice), "Rename them."
            )
        # "residual_" hides an equation name that has no letter at all
        clean_all(problem.equations, f"equations of {problem.name}")
        names = clean_all(everything, f"arrays of {problem.name}")
        return cls(
            tuple(names[u] for u in unknowns),
            tuple(names[r] for r in references),
            tuple(names[e] for e in errors),
            tuple(names[d] for d in deviations),
            {equation: names[label] for equation, label in residuals.items()},
            {vector: names[vector] for vector in problem.vectors},
        )


def point_arrays(solution: Solution, points: Array, names: Names) -> list[PointArray]:
    """Unknowns, vectors, residuals, and reference and error where there is one, at points of the domain.

    Values of unknowns must be finite up to the time that the run has reached. Where they are not after it,
    or a residual or a reference is not (at a singular corner, say), the array ``not_finite`` is 1 and a
    `NotFiniteOutputWarning` says how often.

    Raises:
        OutputArrayError: an unknown is NaN or infinite.
    """
    problem = solution.problem
    values = solution.values(points)
    known = slice(None) if solution.reached is None else points[:, -1] <= solution.reached
    _refuse_not_finite(solution, points[known], values[known])
    units = [unit_of(problem, u) for u in problem.unknowns]
    scalars = [PointArray(name, values[:, k], units[k]) for k, name in enumerate(names.unknowns)]
    vectors = []
    for vector, members in problem.vectors.items():
        indices = [problem.unknowns.index(u) for u in members]
        padded = np.zeros((len(points), 3))  # ParaView draws glyphs for three components only
        padded[:, : len(indices)] = values[:, indices]
        components = tuple(names.unknowns[i] for i in indices)
        vectors.append(PointArray(names.vectors[vector], padded, units[indices[0]], components))
    derived = [PointArray(names.residuals[n], r) for n, r in solution.residuals(points).items()]
    deviation = solution.uncertainty(points)
    if deviation is not None:
        derived += [PointArray(name, deviation[:, k], units[k]) for k, name in enumerate(names.deviations)]
    if solution.reference is not None:
        exact = np.asarray(solution.reference.values(points))
        for k, (reference, error) in enumerate(zip(names.references, names.errors, strict=True)):
            derived.append(PointArray(reference, exact[:, k], units[k]))
            derived.append(PointArray(error, values[:, k] - exact[:, k], units[k]))
    return [*scalars, *vectors, *derived, *_marks(scalars + derived, len(points))]


def region_mesh(solution: Solution, shape: int | Sequence[int] | None = None) -> Mesh:
    """The mesh to show a solution on: the field's own, else one of the region.

    ``shape`` is the number of points an axis, the largest of which sets the length of edges along the
    longest side; by default the region chooses it. What a surface encloses is filled with the tetrahedra
    of a box grid whose corners lie inside.
    """
    own = solution.field.mesh()
    if own is not None:
        return own
    domain = solution.problem.domain
    size = None
    if shape is not None:
        counts = [shape] if isinstance(shape, int) else list(shape)[: len(domain.space)]
        size = max(axis.length for axis in domain.space) / (max(counts) - 1)
    try:
        return domain.region.mesh(size)
    except MeshingError:
        return _inner_boxes(domain.region, size)


def _inner_boxes(region: Region, size: float | None) -> Mesh:
    """The cells inside of a grid over the bounding box."""
    grid = BoxRegion(region.axes).mesh(size)
    cells = grid.cells[region.contains(grid.points)[grid.cells].all(axis=1)]
    corners = grid.points[cells]
    turned = np.linalg.det(corners[:, 1:] - corners[:, :1]) < 0  # VTK counts their volume as negative
    cells[turned, -2:] = cells[turned, :-3:-1]
    used, renumbered = np.unique(cells, return_inverse=True)
    return Mesh(grid.points[used], renumbered.reshape(cells.shape))


def at_time(nodes: Array, time: float | None) -> Array:
    """Points (n, d) of a problem's coordinates from nodes in space (n, k) and a time, where it has one."""
    return nodes if time is None else np.column_stack([nodes, np.full(len(nodes), time)])


def field_data(solution: Solution) -> dict[str, Any]:
    """Provenance for files: text as strings, numbers as floats."""
    problem, provenance = solution.problem, solution.provenance
    data: dict[str, Any] = {
        "problem": [problem.name],
        "equations": [f"{name}: {sp.sstr(e)} = 0" for name, e in problem.equations.items()],
        "parameters": [f"{k} = {float(v):.17g}" for k, v in problem.parameters.items()]
        + [f"{k} = {v:.17g} (identified)" for k, v in solution.parameters.items()],
        "backend": [str(provenance.get("backend", ""))],
        "status": [solution.status.name],
        "versions": [f"{k} {v}" for k, v in dict(provenance.get("versions", {})).items()],
        "coordinates": [c.name for c in problem.coordinates],
    }
    for key in ("created", "digest", "device", "dtype"):
        if provenance.get(key):
            data[key] = [str(provenance[key])]
    if provenance.get("options"):
        data["options"] = [f"{name} = {value!r}" for name, value in dict(provenance["options"]).items()]
    for key in ("seed", "steps", "answer_step", "threads"):
        if provenance.get(key) is not None:
            data[key] = [int(provenance[key])]
    if provenance.get("budget") is not None:
        data["budget"] = [float(provenance["budget"])]
    data["seconds_setup"] = [solution.cost.seconds_setup]
    data["seconds_solve"] = [solution.cost.seconds_solve]
    if solution.reference is not None:
        data["reference"] = [solution.reference.description]
        data["reference_error"] = [float(solution.reference.error)]
    if solution.measured is not None:
        data["relative_l2"] = [solution.measured.relative_l2]
    if solution.error_estimate is not None:
        data["error_estimate"] = [float(solution.error_estimate)]
    return {key: value for key, value in data.items() if value}


def _refuse_not_finite(solution: Solution, points: Array, values: Array) -> None:
    for k, name in enumerate(solution.problem.unknown_names):
        bad = ~np.isfinite(values[:, k])
        if bad.any():
            raise OutputArrayError(
                f"output of {name}",
                "finite values",
                f"NaN or inf at {bad.sum()} of {len(bad)} points, first at {points[bad][0].tolist()}",
                "Solve again with a smaller step or in float64; a diverged field is not written.",
            )


def _marks(arrays: list[PointArray], n: int) -> list[PointArray]:
    mark = np.zeros(n, dtype=np.uint8)
    for array in arrays:
        mark |= ~np.isfinite(array.values)
    if not mark.any():
        return []
    where = ", ".join(a.name for a in arrays if not np.isfinite(a.values).all())
    warnings.warn(
        f"{where}: not finite at {mark.sum()} of {n} points, marked by the array {NOT_FINITE!r}.",
        NotFiniteOutputWarning,
        stacklevel=2,
    )
    return [PointArray(NOT_FINITE, mark)]
