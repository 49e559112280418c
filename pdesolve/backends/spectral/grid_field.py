"""The answer of the collocation methods as a function of points."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ...declare import Initial, Problem
from ...declare.domain import Array
from ...residual.program import Derivative
from ...solution.field import Field
from .axes import apply, from_array, to_array
from .collocation import Layout, initial_data
from .steps import Steps

CHUNK = 1 << 22
"""Most numbers in one table of nodal values times points (32 MB)."""


class GridField(Field):
    """Interpolation of nodal values on a tensor grid, and in time the polynomial of each step.

    Derivatives are those of the interpolant. At the initial time the values are the declared data themselves,
    kinks included. Times after the last step (a run that was stopped early) give NaN.
    """

    def __init__(self, problem: Problem, layout: Layout, steps: Steps | None, values: Array | None) -> None:
        """``values`` (size,) for a steady problem, else ``steps``; both None before the first step."""
        self.problem, self.layout = problem, layout
        self.steps, self.steady = steps, values
        self._space = len(problem.domain.space)

    @property
    def end(self) -> float | None:
        if self.problem.domain.time is None:
            return None
        return float(self.steps.edges[-1] if self.steps is not None else self.problem.domain.bounds[-1, 0])

    def derivatives(self, points: Array, wanted: Sequence[Derivative]) -> list[Array]:
        points = np.asarray(points, dtype=np.float64)
        columns = [np.unique(column, return_inverse=True) for column in points.T]
        if np.prod([len(values) for values, _ in columns], dtype=float) <= 2 * len(points):
            table = self.on_grid([values for values, _ in columns], wanted)
            places: tuple[Any, ...] = tuple(inverse for _, inverse in columns)
            result = table[:, *places]
        else:
            result = self._scattered(points, wanted)
        self._put_initial(points, wanted, result)
        return list(result)

    def on_grid(self, axes: Sequence[Array], wanted: Sequence[Derivative]) -> Array:
        """The derivatives on a tensor grid, (wanted, *lengths of the axes); no initial data are put in."""
        space, times = axes[: self._space], axes[self._space :]
        nodal = {
            order: self.layout.split(self._at(times, order)) for order in {self._order(i) for _, i in wanted}
        }
        result = []
        for k, index in wanted:
            grid = self.layout.axes[k]
            matrices = [a.matrix(x, o) for a, x, o in zip(grid, space, index, strict=False)]
            value = apply(matrices, nodal[self._order(index)][k])
            result.append(np.moveaxis(value, 0, -1) if times else value[0])
        return np.stack(result)

    def _order(self, index: tuple[int, ...]) -> int:
        """Of the derivative in time."""
        return sum(index[self._space :])

    def nodal(self, times: Array | None) -> Array:
        """Nodal values at ``times``, None for a steady problem; (n, size)."""
        return self._at([] if times is None else [times], 0)

    def _at(self, times: Sequence[Array], order: int) -> Array:
        """Nodal values (n, size)."""
        if self.steady is not None:
            return self.steady[None]
        if self.steps is None:
            return np.full((len(times[0]), self.layout.size), np.nan)
        return self.steps.at(times[0], order)

    def _scattered(self, points: Array, wanted: Sequence[Derivative]) -> Array:
        """(wanted, n): points that share a step share its nodal values."""
        result = np.full((len(wanted), len(points)), np.nan)
        if self.steady is not None:
            place = np.zeros(len(points), dtype=np.int64)
        elif self.steps is not None:
            place = self.steps.place(points[:, -1])
        else:
            return result
        rows = max(1, CHUNK // max(self.layout.size, 1))
        for step in np.unique(place[place >= 0]):
            members = np.flatnonzero(place == step)
            for first in range(0, len(members), rows):
                chosen = members[first : first + rows]
                result[:, chosen] = self._in_step(int(step), points[chosen], wanted)
        return result

    def _in_step(self, step: int, points: Array, wanted: Sequence[Derivative]) -> Array:
        values = self.steady[None] if self.steady is not None else self.steps.values[step]  # type: ignore[union-attr]
        parts = self.layout.split(values)
        result = []
        for k, index in wanted:
            pairs = zip(self.layout.axes[k], points.T, index, strict=False)
            tables = [axis.matrix(x, o) for axis, x, o in pairs]
            value = np.broadcast_to(parts[k][..., None], (*parts[k].shape, len(points)))
            for table in tables[::-1]:
                value = np.einsum("...kn,nk->...n", value, table)
            if self.steady is not None:
                result.append(value[0])
            else:
                weights = self.steps.weights(step, points[:, -1], self._order(index))  # type: ignore[union-attr]
                result.append(np.einsum("pn,np->n", value, weights))
        return np.stack(result)

    def _put_initial(self, points: Array, wanted: Sequence[Derivative], result: Array) -> None:
        if self.problem.domain.time is None:
            return
        start, end = self.problem.domain.bounds[-1]
        first = np.flatnonzero(np.abs(points[:, -1] - start) <= 1e-12 * (end - start))
        if not len(first):
            return
        for condition in self.problem.of_type(Initial):
            k = self.problem.unknowns.index(condition.unknown)
            index = (*(0,) * self._space, condition.order)
            for w, derivative in enumerate(wanted):
                if derivative == (k, index):
                    data = initial_data(self.problem, condition, points[first, : self._space])
                    result[w, first] = data

    def arrays(self) -> dict[str, Array]:
        arrays = {
            f"axis {a} of {name}": to_array(axis)
            for name, axes in zip(self.problem.unknown_names, self.layout.axes, strict=True)
            for a, axis in enumerate(axes)
        }
        if self.steady is not None:
            arrays["values"] = self.steady
        elif self.steps is not None:
            arrays |= {"edges": self.steps.edges, "nodes": self.steps.nodes, "values": self.steps.values}
        return arrays

    @classmethod
    def from_arrays(cls, problem: Problem, arrays: Mapping[str, Array]) -> GridField:
        space = range(len(problem.domain.space))
        names = problem.unknown_names
        layout = Layout(tuple(tuple(from_array(arrays[f"axis {a} of {n}"]) for a in space) for n in names))
        if "edges" in arrays:
            steps = Steps(arrays["edges"], arrays["nodes"], arrays["values"])
            return cls(problem, layout, steps, None)
        return cls(problem, layout, None, arrays.get("values"))


def difference(coarse: GridField, fine: GridField, times: Array | None = None) -> float:
    """Relative L2 distance over the box at ``times``, the largest of the unknowns.

    An unknown that vanishes is measured by the size of the others.
    """
    fine_layout = fine.layout
    old, new = coarse.nodal(times), fine.nodal(times)
    weights = np.ones(1) if times is None or len(times) == 1 else np.gradient(times)
    gap = fine_layout.norms(coarse.layout.moved(old, fine_layout) - new)
    square, norm = weights @ gap**2, weights @ fine_layout.norms(new) ** 2
    scale = np.where(norm > 1e-28 * norm.max(), norm, norm.max())
    return float(np.sqrt(np.max(square / np.where(scale > 0, scale, 1.0))))
