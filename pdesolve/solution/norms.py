"""Error norms on a grid: relative L2, largest error, relative H1.

    relative L2 = ‖u − u_ref‖₂ / ‖u_ref‖₂
    relative H1 = (‖u − u_ref‖₂² + ‖∇(u − u_ref)‖₂²)^½ / (‖u_ref‖₂² + ‖∇u_ref‖₂²)^½

with ‖·‖₂ the Euclidean norm over all grid points in the domain and all unknowns, ∇ the gradient in space.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..declare.domain import Array, Grid, Mask
from ..declare.errors import ReferenceDataError
from ..declare.problem import Problem
from ..residual.program import Derivative
from .errors import PointsShapeError
from .references import ResolvedReference

Evaluate = Callable[[Array, list[Derivative]], list[Array]]

DEFAULT_SHAPES: dict[tuple[int, bool], tuple[int, ...]] = {
    (0, True): (1001,),
    (1, False): (1001,),
    (1, True): (256, 101),
    (2, False): (129, 129),
    (2, True): (65, 65, 21),
    (3, False): (33, 33, 33),
    (3, True): (17, 17, 17, 9),
}
"""Points an axis, by the number of space coordinates and whether there is time."""

MANY_COORDINATES_POINTS = 50_000


@dataclass(frozen=True)
class ErrorNorms:
    """Errors against a reference over one grid.

    Attributes:
        relative_l2: all unknowns together; inf where the reference vanishes and the solution does not.
        max: largest absolute difference of any unknown.
        relative_h1: NaN where the reference has no derivatives.
        per_unknown: relative L2 of each unknown by name.
        shape: points an axis of the grid, which covers the bounding box of a domain that is no box.
        points: how many of them lie in the domain, and were compared.
    """

    relative_l2: float
    max: float
    relative_h1: float = float("nan")
    per_unknown: dict[str, float] = field(default_factory=dict)
    shape: tuple[int, ...] = ()
    points: int = 0

    def to_json(self) -> dict[str, Any]:
        """A dictionary for JSON, null for what is not finite."""
        return {
            "relative_l2": _finite(self.relative_l2),
            "max": _finite(self.max),
            "relative_h1": _finite(self.relative_h1),
            "per_unknown": {name: _finite(value) for name, value in self.per_unknown.items()},
            "shape": list(self.shape),
            "points": self.points,
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> ErrorNorms:
        """The inverse of `to_json`, null becoming NaN."""
        return cls(
            _number(data["relative_l2"]),
            _number(data["max"]),
            _number(data["relative_h1"]),
            {str(name): _number(value) for name, value in data["per_unknown"].items()},
            tuple(int(n) for n in data["shape"]),
            int(data.get("points", 0)),
        )


def default_grid(problem: Problem) -> Grid:
    """The tensor grid on which errors are stated unless another is given; see `inner_points`.

    1-D: 1001 points; x–t: 256 × 101; 2-D: 129²; 2-D and time: 65² × 21; 3-D: 33³; 3-D and time: 17³ × 9;
    end points included. From five coordinates on, cell centres of about 50,000 cells: most nodes of a
    coarse grid with end points would lie on the boundary, where the conditions already fix the solution.

    Where the domain is no box the grid covers its bounding box, and errors are stated over those of its
    points that lie in the domain, boundary included: evenly spread, and the same whatever the backend.
    """
    domain = problem.domain
    shape = DEFAULT_SHAPES.get((len(domain.space), domain.time is not None))
    if shape is not None:
        return domain.grid(shape)
    n = max(2, math.floor(MANY_COORDINATES_POINTS ** (1 / len(domain.axes)) + 1e-9))
    centres = (np.arange(n) + 0.5) / n
    return Grid(tuple(lower + centres * (upper - lower) for lower, upper in domain.bounds))


def inner_points(problem: Problem, grid: Grid) -> tuple[Array, Mask]:
    """The points (m, d) of a grid that lie in the domain, and which of ``grid.points`` they are, (n,).

    Raises:
        PointsShapeError: there are none.
    """
    points, domain = grid.points, problem.domain
    if domain.is_box:
        return points, np.ones(len(points), dtype=bool)
    inside = domain.contains(points)
    if not inside.any():
        raise PointsShapeError(
            f"grid on {problem.name}",
            "points in the domain",
            f"{len(points)} points, all outside",
            "Refine the grid.",
        )
    return points[inside], inside


def on_grid(problem: Problem, grid: Grid, values: Callable[[Array], Array]) -> Array:
    """A function (m, d) -> (m, k) as a table ``(*grid.shape, k)``, NaN outside the domain."""
    points, inside = inner_points(problem, grid)
    found = np.asarray(values(points), dtype=np.float64)
    table = np.full((len(inside), found.shape[1]), np.nan)
    table[inside] = found
    return table.reshape(*grid.shape, found.shape[1])


def error_norms(problem: Problem, evaluate: Evaluate, reference: ResolvedReference, grid: Grid) -> ErrorNorms:
    """Norms of the difference between a field and a reference over a grid.

    Args:
        problem: gives the unknowns and which coordinates are space.
        evaluate: points (n, d) and derivatives wanted to a list of (n,) arrays, as `Field.derivatives`.
        reference: what to compare with.
        grid: where.

    Raises:
        ReferenceDataError: the reference is not finite somewhere on the grid.
    """
    points, _ = inner_points(problem, grid)
    k, d = len(problem.unknowns), len(problem.coordinates)
    exact = np.asarray(reference.values(points))  # (n, k)
    _refuse_not_finite(exact, points, problem)
    values: list[Derivative] = [(i, (0,) * d) for i in range(k)]
    slopes: list[Derivative] = [
        (i, tuple(int(axis == j) for axis in range(d)))
        for i in range(k)
        for j in range(len(problem.domain.space))
    ]
    with_slopes = reference.derivatives is not None and bool(slopes)
    found = np.stack(evaluate(points, values + slopes if with_slopes else values), axis=1)
    difference = found[:, :k] - exact
    h1 = float("nan")
    if reference.derivatives is not None and slopes:
        exact_slopes = np.stack(reference.derivatives(points, slopes), axis=1)
        h1 = _ratio(
            np.hypot(np.linalg.norm(difference), np.linalg.norm(found[:, k:] - exact_slopes)),
            np.hypot(np.linalg.norm(exact), np.linalg.norm(exact_slopes)),
        )
    return ErrorNorms(
        relative_l2=relative(difference, exact),
        max=float(np.abs(difference).max()),
        relative_h1=h1,
        per_unknown={
            name: relative(difference[:, i], exact[:, i]) for i, name in enumerate(problem.unknown_names)
        },
        shape=grid.shape,
        points=len(points),
    )


def _refuse_not_finite(exact: Array, points: Array, problem: Problem) -> None:
    bad = np.asarray(~np.isfinite(exact).all(axis=1))
    if bad.any():
        raise ReferenceDataError(
            f"reference of {problem.name}",
            "finite values on the whole grid",
            f"NaN or inf at {bad.sum()} of {len(bad)} points, first at {points[bad][0].tolist()}",
            "Extend the reference by its limits, or measure on a grid where it is defined.",
        )


def relative(difference: Array, exact: Array) -> float:
    """‖difference‖₂ / ‖exact‖₂; 0 where both vanish, inf where only ``exact`` does."""
    with np.errstate(over="ignore", invalid="ignore"):  # a field on its way to infinity
        return _ratio(np.linalg.norm(difference), np.linalg.norm(exact))


def _ratio(error: Any, size: Any) -> float:
    if size == 0:
        return 0.0 if error == 0 else math.inf
    return float(error / size)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _number(value: float | None) -> float:
    return float("nan") if value is None else float(value)
