"""References made ready for evaluation: `ResolvedReference` and how to obtain one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import sympy as sp

from ..declare.domain import Array, Grid
from ..declare.errors import PDESolveError, ReferenceDataError
from ..declare.problem import Problem
from ..declare.reference import Reference
from ..residual.program import Derivative, lower
from .errors import ReferenceUnresolvedError

Values = Callable[[Array], Array]
Derivatives = Callable[[Array, Sequence[Derivative]], list[Array]]


@dataclass(frozen=True)
class ResolvedReference:
    """A reference that can be evaluated.

    Attributes:
        values: (n, d) points to (n, k) values, unknowns in the problem's order.
        derivatives: as `Field.derivatives`, or None where only values are known.
        error: the reference's own relative error; NaN where nobody has measured it.
        description: one line for reports.
    """

    values: Values
    derivatives: Derivatives | None
    error: float
    description: str


def resolve_reference(reference: Reference, problem: Problem) -> ResolvedReference:
    """A closed form or a function, made ready; a backend's name is the driver's to resolve.

    Closed forms are lowered to NumPy and differentiated symbolically. A function gives values alone.

    Raises:
        ReferenceUnresolvedError: the reference is to be computed by a backend.
        ReferenceDataError: the closed form holds undeclared symbols or functions without a NumPy form.
    """
    error = reference.error() if callable(reference.error) else reference.error
    error = float("nan") if error is None else float(error)
    if reference.expressions is not None:
        form = ClosedForm(problem, reference.expressions)
        return ResolvedReference(form.values, form.derivatives, error, reference.description or "closed form")
    if reference.function is not None:
        function = reference.function
        first_line = (reference.description.strip() or "a function").splitlines()[0]
        return ResolvedReference(lambda points: _columns(function, points, problem), None, error, first_line)
    raise ReferenceUnresolvedError(
        f"reference of {problem.name}",
        "a closed form, a function or a Solution",
        f"the name of a backend, {reference.backend!r}",
        "Let pdesolve.solve() compute it, or solve with that backend and give its Solution.",
    )


class ClosedForm:
    """Expressions in the coordinates, one for each unknown, with all their derivatives."""

    def __init__(self, problem: Problem, expressions: Sequence[sp.Expr]) -> None:
        self.who = f"reference of {problem.name}"
        self.coordinates = problem.coordinates
        self.expressions = tuple(sp.sympify(problem.substitute(e)) for e in expressions)
        self._lowered: dict[Derivative, Callable[..., Array]] = {}
        undeclared = {s for e in self.expressions for s in e.free_symbols} - set(self.coordinates)
        if undeclared or len(self.expressions) != len(problem.unknowns):
            raise ReferenceDataError(
                self.who,
                f"{len(problem.unknowns)} expressions in {', '.join(map(str, self.coordinates))}",
                f"{len(self.expressions)} expressions"
                + (f" that hold {', '.join(sorted(map(str, undeclared)))}" if undeclared else ""),
                "Give a number for every parameter.",
            )

    def values(self, points: Array) -> Array:
        order = (0,) * len(self.coordinates)
        return np.stack(self.derivatives(points, [(k, order) for k in range(len(self.expressions))]), axis=1)

    def derivatives(self, points: Array, wanted: Sequence[Derivative]) -> list[Array]:
        return [self._evaluate(derivative, points) for derivative in wanted]

    def _evaluate(self, derivative: Derivative, points: Array) -> Array:
        try:
            if derivative not in self._lowered:
                k, orders = derivative
                counts = [(c, n) for c, n in zip(self.coordinates, orders, strict=True) if n]
                expression = self.expressions[k].diff(*counts) if counts else self.expressions[k]
                self._lowered[derivative] = lower(self.coordinates, expression.doit(), "numpy")
            # Limits such as 0/0 give NaN, which the caller reports by name.
            with np.errstate(all="ignore"):
                values = np.asarray(self._lowered[derivative](*points.T), dtype=np.float64)
        except (NameError, TypeError, AttributeError) as error:
            raise ReferenceDataError(
                self.who,
                "functions that have a NumPy form",
                str(error),
                "Give the reference as a Python function of points.",
            ) from error
        return np.broadcast_to(values, (len(points),))


class Tabulated:
    """Values known at the nodes of one grid and nowhere else: a reference read back from a file."""

    def __init__(self, grid: Grid, values: Array) -> None:
        self.grid = grid
        self.table = values  # (*grid.shape, k)

    def values(self, points: Array) -> Array:
        indices = []
        for axis, column in zip(self.grid.axes, points.T, strict=True):
            nearest = np.abs(axis[:, None] - column[None, :]).argmin(axis=0) if len(points) else []
            indices.append(np.asarray(nearest, dtype=np.intp))
        nodes = np.stack([a[i] for a, i in zip(self.grid.axes, indices, strict=True)], axis=1)
        if not np.allclose(nodes, points, rtol=1e-12, atol=1e-12):
            raise ReferenceUnresolvedError(
                "a reference read from a file",
                "nodes of the grid it is stored on",
                "other points",
                "Evaluate on the default grid, or give the reference anew: error(reference=...).",
            )
        return np.asarray(self.table[tuple(indices)])


def _columns(function: Values, points: Array, problem: Problem) -> Array:
    """What a user's function returned, as (n, k) float64."""
    k = len(problem.unknowns)
    try:
        values = np.asarray(function(points.copy()), dtype=np.float64)
    except PDESolveError:
        raise
    except Exception as error:  # the user's code may raise anything
        raise ReferenceDataError(
            f"reference of {problem.name}",
            f"a function of points of shape (n, {len(problem.coordinates)}) that returns numbers",
            f"{type(error).__name__}: {error}",
            "Correct the function: its columns are " + ", ".join(map(str, problem.coordinates)) + ".",
        ) from error
    if k == 1 and values.shape == (len(points),):
        values = values[:, None]
    if values.shape != (len(points), k):
        raise ReferenceDataError(
            f"reference of {problem.name}",
            f"an array of shape ({len(points)}, {k}) for {len(points)} points",
            f"shape {values.shape}",
            f"Return one column for each of {', '.join(problem.unknown_names)}.",
        )
    return values
