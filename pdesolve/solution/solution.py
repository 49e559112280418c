"""`Solution`: the one form in which every backend's answer comes back."""

from __future__ import annotations

import dataclasses
import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy as sp

from ..declare.domain import Array, Grid
from ..declare.errors import OutsideDomainWarning, ReferenceDataError
from ..declare.problem import Problem
from ..declare.reference import as_reference
from ..residual.program import Derivative, Program, lower
from .errors import (
    PointsShapeError,
    ReferenceUnresolvedError,
    UnknownExpressionError,
    UnsupportedOutputError,
)
from .field import Field
from .finding import Finding
from .history import Cost, History
from .norms import ErrorNorms, default_grid, error_norms
from .references import ResolvedReference, resolve_reference
from .report import as_html, as_text
from .status import Status

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CHUNK = 32_768
"""Points evaluated at once: bounds the memory of high derivatives of wide networks."""


@dataclass(repr=False, eq=False)
class Solution:
    """The answer to a `Problem`: a function of points, with its error, cost and stop reason.

    >>> solution = pde.solve(problem, "pinn")                               # doctest: +SKIP
    >>> solution(points)            # (n, d) coordinates, time last -> (n, k) values, one column an unknown
    >>> solution.error().relative_l2, solution.status, solution.cost        # doctest: +SKIP

    Attributes:
        problem: what was solved.
        field: the backend's representation, with derivatives.
        status: how the solve ended; ``status.value`` says what to do.
        message: details of the end.
        history: loss and error over the run.
        cost: seconds and memory.
        provenance: backend, options, seed, device, dtype, versions, threads, time of creation, digest.
        parameters: estimate of each unknown parameter by name.
        intervals: (low, high) of each unknown parameter, which cover the truth with a probability of 95 %;
            empty where the backend gives none.
        diagnosis: what the backend found suspicious about its run, each with a remedy.
        collocation_points: (m, d) points of the last residual minimisation, where there are such.
        error_estimate: the backend's own estimate of the relative error, where it has one.
        reference: what `error` compares with by default.
        citations: BibTeX entries of the methods used.
        measured: the error on the default grid, kept once it was measured and stored in files.
    """

    problem: Problem
    field: Field
    status: Status
    message: str = ""
    history: History = dataclasses.field(default_factory=History)
    cost: Cost = dataclasses.field(default_factory=Cost)
    provenance: dict[str, Any] = dataclasses.field(default_factory=dict)
    parameters: dict[str, float] = dataclasses.field(default_factory=dict)
    intervals: dict[str, tuple[float, float]] = dataclasses.field(default_factory=dict)
    diagnosis: list[Finding] = dataclasses.field(default_factory=list)
    collocation_points: Array | None = None
    error_estimate: float | None = None
    reference: ResolvedReference | None = None
    citations: tuple[str, ...] = ()
    measured: ErrorNorms | None = None

    # -- evaluation --------------------------------------------------------------------------------

    def __call__(self, points: Any) -> Array:
        """Values of the unknowns, shape (n, k), at ``points`` (n, d), coordinates in the problem's order.

        Outside the domain the values are NaN, with one `OutsideDomainWarning` a call.

        Raises:
            PointsShapeError: ``points`` is no numeric array of shape (n, d).
        """
        return np.stack(self._inside(points, self._orders_zero), axis=1)

    def values(self, points: Array) -> Array:
        """As a call, without the question whether ``points`` (n, d) lie in the domain.

        For points that do by their making, such as the nodes of its mesh, up to round-off.
        """
        return np.stack(self._derivatives(points, self._orders_zero), axis=1)

    def uncertainty(self, points: Any) -> Array | None:
        """Standard deviations of the unknowns, (n, k), at ``points`` (n, d), by the posterior of the backend.

        For values u ± 1.645 times it is a band of 90 %. None where the backend does not quantify it: of the
        Gaussian-process backend, it is there where the problem holds `Observations` with noise; of those
        that draw samples, it is their deviation.
        """
        return self.field.deviation(self._points(points), len(self.problem.unknowns))

    def samples(self, points: Any) -> Array | None:
        """Equally likely answers at ``points`` (n, d), shape (samples, n, k); None where none are drawn."""
        return self.field.samples(self._points(points), len(self.problem.unknowns))

    def on(self, grid: Grid | int | Sequence[int] | None = None) -> Array:
        """Values on a tensor grid, shape ``(*grid.shape, k)``.

        ``grid`` is a `Grid`, the number of points an axis, or None for the default grid. Values are NaN
        at points outside the domain, with one `OutsideDomainWarning`.
        """
        grid = self._grid(grid)
        return self(grid.points).reshape(*grid.shape, len(self.problem.unknowns))

    def derivative(self, points: Any, expression: Any) -> Array:
        """Values (n,) of an expression such as ``u.diff(x, 2)`` or ``v.diff(x) - u.diff(y)``.

        It may hold unknowns, their derivatives, coordinates and parameters of the problem.

        Raises:
            UnknownExpressionError: it holds anything else.
        """
        expression = self.problem.substitute(_expression(expression).doit())
        found = self.problem.derivatives(expression)
        symbols = {node: sp.Dummy(real=True) for node in found}
        lowered = expression.xreplace(symbols)
        coordinates = self.problem.coordinates
        parameters = self.problem.unknown_parameters
        names = {*symbols.values(), *coordinates, *parameters}
        strange = lowered.atoms(sp.core.function.AppliedUndef, sp.Derivative) | (lowered.free_symbols - names)
        if strange:
            raise UnknownExpressionError(
                "Solution.derivative",
                f"unknowns among {', '.join(map(str, self.problem.unknowns))} and declared symbols",
                ", ".join(sorted(map(str, strange))),
                "Use the symbols that the problem was declared with.",
            )
        function = lower([*symbols.values(), *coordinates, *parameters], lowered, "numpy")
        points = self._points(points)
        arrays = self._inside(points, list(found.values()))
        values = function(*arrays, *points.T, *self._parameter_values())
        return np.array(np.broadcast_to(np.asarray(values, dtype=np.float64), (len(points),)))

    def residual(self, points: Any) -> dict[str, Array]:
        """Residual (n,) of each equation by name, at ``points`` (n, d); zero for the exact solution."""
        points = self._points(points)
        return self._residuals_from(points, self._inside(points, self._residual_derivatives))

    def residuals(self, points: Array) -> dict[str, Array]:
        """As `residual`, without the question whether ``points`` lie in the domain; see `values`."""
        return self._residuals_from(points, self._derivatives(points, self._residual_derivatives))

    def error(self, reference: Any = None, grid: Grid | int | Sequence[int] | None = None) -> ErrorNorms:
        """Error norms against a reference over a grid.

        Args:
            reference: a closed form, a dictionary of them, a function, a `Reference`, another `Solution`;
                None compares with the solution's own reference.
            grid: a `Grid`, the number of points an axis, or None for the problem's default grid; those of
                its points count that lie in the domain.

        Raises:
            ReferenceUnresolvedError: there is no reference, or it must be computed by a backend.
            ReferenceDataError: the reference is not finite on the grid, or has a wrong shape.
            PointsShapeError: no point of the grid lies in the domain.
        """
        if reference is None and grid is None:
            if self.measured is None:
                self.measured = self._norms(self._own_reference(), default_grid(self.problem))
            return self.measured
        chosen = self._own_reference() if reference is None else self._resolve(reference)
        return self._norms(chosen, self._grid(grid))

    def measure(self) -> ErrorNorms | None:
        """`error`, or None where there is no reference or it is not finite on the whole default grid."""
        if self.reference is None:
            return self.measured
        try:
            return self.error()
        except ReferenceDataError:
            return None

    def reaction(self, unknown: Any, on: str, time: float | None = None) -> float:
        """What flows out through a boundary part, by the residual of the unknown's equation.

        Of a heat equation the heat that leaves; of the momentum equation of u in a flow the force of the
        fluid on the part along x, divided by the density: drag and lift without derivatives at the boundary.
        The finite element backend has it, see `FEMField.reaction`.

        Args:
            unknown: whose equation.
            on: a part of the boundary, on which the unknown has a Dirichlet condition.
            time: of a transient problem, by default the last one.

        Raises:
            UnknownExpressionError: ``unknown`` is none of the problem's.
            UnsupportedOutputError: the solution's method has no reactions.
        """
        if unknown not in self.problem.unknowns:
            names = ", ".join(map(str, self.problem.unknowns))
            raise UnknownExpressionError(
                "Solution.reaction", f"one of {names}", str(unknown), "Name an unknown of the problem."
            )
        self.problem.domain.face(on)  # raises UnknownPartError
        found = self.field.reaction(self.problem.unknowns.index(unknown), on, time)
        if found is None:
            raise UnsupportedOutputError(
                "Solution.reaction",
                "a solution by finite elements",
                f"one by {self.provenance.get('backend', 'another method')}",
                'Solve with "fem", or integrate solution.derivative over the part.',
            )
        return found

    @property
    def success(self) -> bool:
        """True where the answer is usable as asked; see `Status.success`."""
        return self.status.success and self.reached is None

    @property
    def reached(self) -> float | None:
        """The time at which a run in time stopped early; values beyond are NaN. None: it covers all times."""
        time, end = self.problem.domain.time, self.field.end
        if time is None or end is None:
            return None
        first, last = time.bounds
        return None if end >= last - 1e-12 * (last - first) else end

    # -- output ------------------------------------------------------------------------------------

    def save(self, path: str | Path) -> Path:
        """Write everything to an HDF5 file, atomically; `pdesolve.load` reads it back.

        Raises:
            OutputPathError: the file cannot be written there; what was there stays.
        """
        from .hdf5 import write

        return write(self, path)

    def write_vtk(
        self,
        directory: str | Path,
        times: Sequence[float] | None = None,
        shape: int | Sequence[int] | None = None,
    ) -> list[Path]:
        """Write files that ParaView opens; see `pdesolve.solution.vtk.write_vtk`."""
        from .vtk import write_vtk

        return write_vtk(self, directory, times=times, shape=shape)

    def plot(self, figure: Figure | None = None) -> Figure:
        """A picture of the solution, and of its error where there is a reference."""
        from .plot import plot

        return plot(self, figure)

    def summary(self, files: Sequence[str | Path] = ()) -> dict[str, Any]:
        """The JSON object that ``pdesolve solve --json`` prints; null for what is not known or not finite.

        Keys: problem, backend, status, message, reached, relative_l2, max_error, relative_l2_per_unknown,
        reference, reference_error, error_estimate (the backend's own), seconds_setup, seconds_solve, seed,
        device, dtype, versions, files, parameters, intervals, diagnosis.
        """
        norms = self.measure()
        return {
            "problem": self.problem.name,
            "backend": self.provenance.get("backend"),
            "status": self.status.name,
            "message": self.message,
            "reached": self.reached,
            "relative_l2": _finite(norms.relative_l2 if norms else None),
            "max_error": _finite(norms.max if norms else None),
            "relative_l2_per_unknown": (
                {name: _finite(value) for name, value in norms.per_unknown.items()} if norms else None
            ),
            "reference": self.reference.description if self.reference else None,
            "reference_error": _finite(self.reference.error if self.reference else None),
            "error_estimate": _finite(self.error_estimate),
            "seconds_setup": self.cost.seconds_setup,
            "seconds_solve": self.cost.seconds_solve,
            "seed": self.provenance.get("seed"),
            "device": self.provenance.get("device"),
            "dtype": self.provenance.get("dtype"),
            "versions": dict(self.provenance.get("versions", {})),
            "files": [str(file) for file in files],
            "parameters": {name: _finite(value) for name, value in self.parameters.items()},
            "diagnosis": [finding.to_json() for finding in self.diagnosis],
            "intervals": {name: [_finite(end) for end in ends] for name, ends in self.intervals.items()},
        }

    def __repr__(self) -> str:
        return as_text(self)

    def _repr_html_(self) -> str:
        return as_html(self)

    # -- internals ---------------------------------------------------------------------------------

    @cached_property
    def _program(self) -> Program:
        return Program(self.problem)

    @property
    def _orders_zero(self) -> list[Derivative]:
        """The unknowns themselves, as derivatives."""
        order = (0,) * len(self.problem.coordinates)
        return [(k, order) for k in range(len(self.problem.unknowns))]

    @cached_property
    def _residual_derivatives(self) -> list[Derivative]:
        return sorted({d for term in self._program.equations for d in term.derivatives})

    def _residuals_from(self, points: Array, derivatives: list[Array]) -> dict[str, Array]:
        found = dict(zip(self._residual_derivatives, derivatives, strict=True))
        program, parameters = self._program, self._parameter_values()
        return {
            term.name: np.array(
                program.evaluate(term, [found[d] for d in term.derivatives], points, parameters)
            )
            for term in program.equations
        }

    def _parameter_values(self) -> list[float]:
        return [self.parameters[p.name] for p in self.problem.unknown_parameters]

    def _grid(self, grid: Grid | int | Sequence[int] | None) -> Grid:
        if grid is None:
            return default_grid(self.problem)
        return grid if isinstance(grid, Grid) else self.problem.domain.grid(grid)

    def _points(self, points: Any) -> Array:
        coordinates = self.problem.coordinates
        try:
            array = np.asarray(points, dtype=np.float64)
        except (TypeError, ValueError):
            array = np.empty(0)
        if array.ndim != 2 or array.shape[1] != len(coordinates):
            shape = getattr(points, "shape", None)
            raise PointsShapeError(
                f"Solution of {self.problem.name}",
                f"numbers of shape (n, {len(coordinates)}), columns {', '.join(map(str, coordinates))}",
                f"shape {tuple(shape)}" if shape is not None else f"{type(points).__name__} {points!r:.60}",
                "Stack the coordinates: numpy.stack([...], axis=1).",
            )
        return array

    def _inside(self, points: Any, wanted: Sequence[Derivative]) -> list[Array]:
        """Derivatives (n,) with NaN outside the domain, and one warning where there are such points."""
        points = self._points(points)
        inside = self.problem.domain.contains(points)
        if inside.all():
            return self._derivatives(points, wanted)
        warnings.warn(
            f"Solution of {self.problem.name}: {np.count_nonzero(~inside)} of {len(points)} points lie "
            "outside the domain; their values are NaN.",
            OutsideDomainWarning,
            stacklevel=3,
        )
        arrays = [np.full(len(points), np.nan) for _ in wanted]
        if inside.any():
            for array, values in zip(arrays, self._derivatives(points[inside], wanted), strict=True):
                array[inside] = values
        return arrays

    def _derivatives(self, points: Array, wanted: Sequence[Derivative]) -> list[Array]:
        """`Field.derivatives` in chunks of points."""
        if not wanted or not len(points):
            return [np.empty(len(points)) for _ in wanted]
        chunks = [
            self.field.derivatives(points[start : start + CHUNK], wanted)
            for start in range(0, len(points), CHUNK)
        ]
        return [np.concatenate(parts) for parts in zip(*chunks, strict=True)]

    def _norms(self, reference: ResolvedReference, grid: Grid) -> ErrorNorms:
        return error_norms(self.problem, self._derivatives, reference, grid)

    def _own_reference(self) -> ResolvedReference:
        if self.reference is None:
            raise ReferenceUnresolvedError(
                f"Solution of {self.problem.name}",
                "a reference to compare with",
                "none",
                "Declare Problem(reference=...) or give error(reference=...).",
            )
        return self.reference

    def _resolve(self, reference: Any) -> ResolvedReference:
        if isinstance(reference, ResolvedReference):
            return reference
        if isinstance(reference, Solution):
            return reference.as_reference(self.problem)
        given = as_reference(reference, self.problem.unknowns)
        assert given is not None  # the caller has excluded None
        return resolve_reference(given, self.problem)

    def as_reference(self, problem: Problem) -> ResolvedReference:
        """This solution as a reference for another solution of ``problem``.

        Raises:
            ReferenceUnresolvedError: the two problems have other unknowns or coordinates.
        """
        mine = (*self.problem.unknown_names, *(c.name for c in self.problem.coordinates))
        theirs = (*problem.unknown_names, *(c.name for c in problem.coordinates))
        if mine != theirs:
            raise ReferenceUnresolvedError(
                f"reference of {problem.name}",
                f"a solution in {', '.join(theirs)}",
                f"one in {', '.join(mine)}",
                "Give a solution of the same unknowns and coordinates.",
            )
        error = self.error_estimate
        backend = self.provenance.get("backend", "another solution")
        return ResolvedReference(
            self, self._inside, float("nan") if error is None else error, f"solution by {backend}"
        )


def _expression(given: Any) -> sp.Expr:
    expression = sp.Float(given) if isinstance(given, int | float) else given
    if not isinstance(expression, sp.Expr):
        raise UnknownExpressionError(
            "Solution.derivative",
            "a SymPy expression",
            repr(given),
            "Strings are never evaluated: write u.diff(x).",
        )
    return expression


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
