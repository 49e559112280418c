"""Rows of the least-squares problem: one equation or condition at the points of a tensor grid.

An unknown is u = Σ c_{r_1 … r_d} Π_j φ_{r_j}(x_j). A derivative at the points of a tensor grid is one small
matrix for each axis; the rows of a residual r(…, ∂^α u, …) and of its Jacobian

    Σ_α diag(∂r/∂(∂^α u)) (D_1 ⊗ … ⊗ D_d)

follow from what `Program` makes of derivatives, for any equation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from typing import Any, NamedTuple

import numpy as np
import sympy as sp

from ...declare.domain import Array
from ...residual.program import LoweredTerm, lower
from .features import AxisFeatures, Line


@dataclass(frozen=True)
class Layout:
    """The features of all axes, and how many unknowns have coefficients of them."""

    axes: tuple[AxisFeatures, ...]
    unknowns: int

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(axis.count for axis in self.axes)

    @cached_property
    def each(self) -> int:
        """Coefficients of one unknown."""
        return int(np.prod(self.shape))

    @property
    def size(self) -> int:
        return self.unknowns * self.each

    def split(self, coefficients: Array) -> Array:
        """A vector (size,) as (unknowns, *shape)."""
        return coefficients.reshape(self.unknowns, *self.shape)

    def moved(self, coefficients: Array, other: Layout) -> Array:
        """The same function in a layout with more features."""
        return moved(self.split(coefficients), self.axes, other.axes).reshape(-1)


def moved(table: Array, olds: Sequence[AxisFeatures], news: Sequence[AxisFeatures]) -> Array:
    """Coefficients (unknowns, r_1, …, r_d) on other features, as far as these hold the same functions."""
    for axis, (old, new) in enumerate(zip(olds, news, strict=True)):
        table = np.moveaxis(np.moveaxis(table, axis + 1, -1) @ new.selection(old), -1, axis + 1)
    return table


def needed(layout: Layout, coefficients: Array, tolerance: float) -> list[AxisFeatures]:
    """Of each axis the lines, and their degrees, with coefficients above a share of the largest."""
    sizes = np.abs(layout.split(coefficients))
    floor = tolerance * sizes.max()
    result = []
    for j, axis in enumerate(layout.axes):
        others = tuple(i for i in range(sizes.ndim) if i != j + 1)
        highest = {line.frequency: -1 for line in axis.lines}
        for (frequency, _, degree), size in zip(axis.names, sizes.max(axis=others), strict=True):
            if size > floor:
                highest[frequency] = max(highest[frequency], degree)
        lines = tuple(Line(frequency, degree) for frequency, degree in highest.items() if degree >= 0)
        result.append(axis.with_lines(*(lines or axis.lines[:1])))
    return result


def grid(columns: Sequence[Array]) -> Array:
    """All combinations of one value of each column, the last fastest: (n, columns)."""
    return np.stack([m.ravel() for m in np.meshgrid(*columns, indexing="ij")], axis=1)


def contract(matrices: Sequence[Array], coefficients: Array) -> Array:
    """(D_1 ⊗ … ⊗ D_d) applied to coefficients (r_1, …, r_d): (n_1, …, n_d)."""
    result: Array = coefficients
    for axis, matrix in enumerate(matrices):
        result = np.moveaxis(np.tensordot(matrix, result, axes=(1, axis)), 0, axis)
    return result


def rowwise(matrices: Sequence[Array], coefficients: Array) -> Array:
    """Row n of each matrix (n, r_j) applied to coefficients (r_1, …, r_d): (n,)."""
    result = np.tensordot(matrices[0], coefficients, axes=1)
    for matrix in matrices[1:]:
        result = np.einsum("nr,nr...->n...", matrix, result)
    return np.asarray(result)


def rowwise_product(first: Array, second: Array) -> Array:
    """Row by row the Kronecker product: (n, r), (n, s) to (n, r s)."""
    return np.asarray(np.einsum("nr,ns->nrs", first, second).reshape(len(first), -1))


def _kronecker(first: Array, second: Array) -> Array:
    """As `np.kron`, which makes a copy more."""
    (n, r), (m, s) = first.shape, second.shape
    product = np.multiply(first[:, None, :, None], second[:, None], order="C")
    return np.asarray(product.reshape(n * m, r * s))


class Functions(NamedTuple):
    """A term with its residual and its slopes by derivatives and by unknown parameters, made once."""

    term: LoweredTerm
    residual: Callable[..., Any]
    slopes: Callable[..., Any]
    by_parameters: Callable[..., Any]

    @classmethod
    def of(cls, term: LoweredTerm, parameters: Sequence[sp.Symbol] = ()) -> Functions:
        slopes = [sp.diff(term.expression, parameter) for parameter in parameters]
        by_parameters = lower(term.arguments, slopes, "numpy")
        return cls(term, term.function("numpy"), term.linearisation("numpy"), by_parameters)


class Column:
    """The features of one axis at points, each derivative made once for all terms that use it."""

    def __init__(self, features: AxisFeatures, points: Array) -> None:
        self.points, self._features = points, features
        self._matrices: dict[int, Array] = {}

    def matrix(self, order: int) -> Array:
        """`AxisFeatures.matrix` at the points."""
        if order not in self._matrices:
            self._matrices[order] = self._features.matrix(self.points, order)
        return self._matrices[order]


class Rows:
    """One term at the tensor grid of ``columns``, or at ``scattered`` points (n, d).

    Attributes:
        weight: factor of each row.
    """

    def __init__(
        self,
        functions: Functions,
        layout: Layout,
        columns: Sequence[Column] = (),
        scattered: Array | None = None,
        weight: float = 1.0,
    ) -> None:
        self.functions, self.layout, self.weight = functions, layout, weight
        term = functions.term
        if scattered is None:
            self.points = grid([column.points for column in columns])
            self._apply: Callable[[Sequence[Array], Array], Array] = contract
            self._product: Callable[[Array, Array], Array] = _kronecker
        else:
            self.points = scattered
            columns = [Column(axis, x) for axis, x in zip(layout.axes, scattered.T, strict=True)]
            self._apply, self._product = rowwise, rowwise_product
        self._inputs = [function(self.points) for function in term.term.inputs.values()]
        self._matrices = [
            [column.matrix(order) for column, order in zip(columns, index, strict=True)]
            for _, index in term.derivatives
        ]

    def __len__(self) -> int:
        return len(self.points)

    def arguments(self, coefficients: Array, parameters: Sequence[float] = ()) -> list[Any]:
        """Of the lowered functions: each (rows,), and the unknown parameters."""
        parts = self.layout.split(coefficients)
        found = [
            self._apply(matrices, parts[k]).ravel()
            for (k, _), matrices in zip(self.functions.term.derivatives, self._matrices, strict=True)
        ]
        return [*found, *self.points.T, *parameters, *self._inputs]

    def residual(self, arguments: Sequence[Any]) -> Array:
        """(rows,)."""
        values = np.asarray(self.functions.residual(*arguments), dtype=np.float64)
        return self.weight * np.broadcast_to(values, (len(self),))

    def by_parameters(self, arguments: Sequence[Any]) -> Array:
        """∂(residual) / ∂(unknown parameters), (rows, parameters)."""
        slopes = self.functions.by_parameters(*arguments)
        columns = [np.broadcast_to(np.asarray(slope, dtype=np.float64), (len(self),)) for slope in slopes]
        return self.weight * np.stack(columns, axis=1) if columns else np.zeros((len(self), 0))

    def jacobian(self, arguments: Sequence[Any]) -> Array:
        """(rows, size)."""
        result = np.zeros((len(self), self.layout.size))
        slopes = self.functions.slopes(*arguments)
        for (k, _), matrices, slope in zip(
            self.functions.term.derivatives, self._matrices, slopes, strict=True
        ):
            column = np.broadcast_to(np.asarray(slope, dtype=np.float64), (len(self),))
            if column.any():
                part = result[:, k * self.layout.each : (k + 1) * self.layout.each]
                part += (self.weight * column)[:, None] * reduce(self._product, matrices)
        return result
