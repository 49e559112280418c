"""A function of features as a field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce

import numpy as np

from ...declare import Problem
from ...declare.domain import Array
from ...residual.program import Derivative
from ...solution.field import Field
from ..slabs import SlabField, during
from .features import AxisFeatures, Line
from .rows import Layout, contract, rowwise, rowwise_product
from .stretch import Stretch

_CHUNK = 1 << 21  # numbers in one table of features


class FeatureField(Field):
    """u_k = Σ c_{k, r_1 … r_d} Π_j φ_{r_j}(x_j).

    ``factor`` (size, size): F with F Fᵀ the covariance of the coefficients, where there is one.
    """

    def __init__(self, layout: Layout, coefficients: Array, factor: Array | None = None) -> None:
        self.layout, self._parts = layout, layout.split(coefficients.copy())
        self._factor = factor

    def derivatives(self, points: Array, wanted: Sequence[Derivative]) -> list[Array]:
        """On the points of a tensor grid axis by axis, else point by point."""
        columns = [np.unique(column, return_inverse=True) for column in points.T]
        if np.prod([len(values) for values, _ in columns], dtype=float) <= 2 * len(points):
            result = []
            for k, index in wanted:
                matrices = [
                    axis.matrix(values, order)
                    for axis, (values, _), order in zip(self.layout.axes, columns, index, strict=True)
                ]
                table = contract(matrices, self._parts[k])
                result.append(table[tuple(inverse for _, inverse in columns)])
            return result
        return [self._scattered(points, k, index) for k, index in wanted]

    def _scattered(self, points: Array, k: int, index: tuple[int, ...]) -> Array:
        result = np.empty(len(points))
        each = max(1, _CHUNK // max(1, self._parts[k].size // self.layout.axes[0].count))
        for first in range(0, len(points), each):
            part = slice(first, first + each)
            matrices = [
                axis.matrix(points[part, j], order)
                for j, (axis, order) in enumerate(zip(self.layout.axes, index, strict=True))
            ]
            result[part] = rowwise(matrices, self._parts[k])
        return result

    def deviation(self, points: Array, count: int) -> Array | None:
        """√(φᵀ F Fᵀ φ) of each unknown."""
        if self._factor is None:
            return None
        result = np.empty((len(points), count))
        each = max(1, _CHUNK // self.layout.each)
        for first in range(0, len(points), each):
            part = slice(first, first + each)
            matrices = [axis.matrix(points[part, j]) for j, axis in enumerate(self.layout.axes)]
            features = reduce(rowwise_product, matrices)
            for k in range(count):
                own = self._factor[k * self.layout.each : (k + 1) * self.layout.each]
                result[part, k] = np.linalg.norm(features @ own, axis=1)
        return result

    def arrays(self) -> dict[str, Array]:
        """Coefficients, and of each axis the frequencies and degrees of its lines, (lines, 2)."""
        lines = {f"lines_{j}": as_array(axis) for j, axis in enumerate(self.layout.axes)}
        factor = {} if self._factor is None else {"factor": self._factor}
        return {"coefficients": self._parts.reshape(-1), **lines, **factor}


class SlabFeatureField(SlabField):
    """Fields of features on slabs of time, joined."""

    def arrays(self) -> dict[str, Array]:
        """Ends of the slabs, and the arrays of each slab, numbered."""
        numbered = {
            f"{name}_of_{k}": values
            for k, field in enumerate(self._fields)
            for name, values in field.arrays().items()
        }
        return {"ends": np.array(self._edges), **numbered}


def as_array(axis: AxisFeatures) -> Array:
    """Frequencies and degrees, (lines, 2), after the centre and minus the width of a stretch, if any."""
    stretch = [] if axis.stretch is None else [[axis.stretch.centre, -axis.stretch.width]]
    return np.array([*stretch, *([line.frequency, line.degree] for line in axis.lines)], dtype=np.float64)


def layout_of(problem: Problem, lines: Sequence[Array], symmetries: Mapping[int, int]) -> Layout:
    """The layout with lines as `as_array` gave them, and the problem's parities."""
    axes = []
    for j, ((lower, upper), each) in enumerate(zip(problem.domain.bounds.tolist(), lines, strict=True)):
        pairs, stretch = each.tolist(), None
        if pairs[0][1] < 0:
            (centre, width), *pairs = pairs
            stretch = Stretch(centre, -width)
        found = tuple(Line(w, int(k)) for w, k in pairs)
        axes.append(AxisFeatures(lower, upper, found, symmetries.get(j, 0), stretch))
    return Layout(tuple(axes), len(problem.unknowns))


def field_of(problem: Problem, arrays: Mapping[str, Array], symmetries: Mapping[int, int]) -> Field:
    """The field whose ``arrays`` are given."""
    if "ends" not in arrays:
        lines = [arrays[f"lines_{j}"] for j in range(len(problem.coordinates))]
        return FeatureField(
            layout_of(problem, lines, symmetries), arrays["coefficients"], arrays.get("factor")
        )
    ends = arrays["ends"].tolist()
    fields: list[Field] = []
    while f"coefficients_of_{len(fields)}" in arrays:
        k = len(fields)
        suffix = f"_of_{k}"
        own = {name.removesuffix(suffix): v for name, v in arrays.items() if name.endswith(suffix)}
        fields.append(field_of(during(problem, ends[k], ends[k + 1]), own, symmetries))
    return SlabFeatureField(fields, ends)
