"""A problem on a tensor grid: residuals of all rows and their exact Jacobian.

The unknowns live at the grid's nodes. A row is one equation or condition at one point; the derivatives
there are matrices times nodal values, and what `Program` makes of derivatives gives the rest: with residual
r(…, ∂^α u, …) the Jacobian is Σ_α diag(∂r/∂(∂^α u)) D_α, D_α a Kronecker product of one matrix for each axis.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np

from ...declare import Dirichlet, Initial, Problem, Value
from ...declare.domain import Array
from ...residual.program import LoweredTerm, lower
from .axes import GridAxis, OpenAxis, PeriodicAxis, apply
from .structure import Structure


@dataclass(frozen=True)
class Layout:
    """Where each unknown lies in the vector of all nodal values.

    Attributes:
        axes: of each unknown, one for each space coordinate.
    """

    axes: tuple[tuple[GridAxis, ...], ...]

    @classmethod
    def of(cls, structure: Structure, axes: Sequence[GridAxis]) -> Layout:
        """``reduced`` unknowns have fewer points on the open axes."""
        return cls(
            tuple(
                tuple(a.with_points(a.n - less) if isinstance(a, OpenAxis) else a for a in axes)
                for less in structure.reduced
            )
        )

    @cached_property
    def shapes(self) -> list[tuple[int, ...]]:
        return [tuple(axis.n for axis in axes) for axes in self.axes]

    @cached_property
    def slices(self) -> list[slice]:
        ends = np.cumsum([0, *(int(np.prod(shape)) for shape in self.shapes)])
        return [slice(int(a), int(b)) for a, b in pairwise(ends)]

    @property
    def size(self) -> int:
        return int(self.slices[-1].stop)

    def split(self, values: Array) -> list[Array]:
        """The unknowns as arrays (..., *shape) from vectors (..., size)."""
        pairs = zip(self.slices, self.shapes, strict=True)
        return [values[..., part].reshape((*values.shape[:-1], *shape)) for part, shape in pairs]

    def points(self, k: int) -> Array:
        """The nodes of an unknown, (n, space axes)."""
        return tensor([axis.nodes for axis in self.axes[k]])

    def moved(self, values: Array, other: Layout) -> Array:
        """Vectors (..., size) of this layout, interpolated to the nodes of another."""
        parts = []
        for part, old, new in zip(self.split(values), self.axes, other.axes, strict=True):
            matrices = [a.matrix(b.nodes, 0) for a, b in zip(old, new, strict=True)]
            parts.append(apply(matrices, part).reshape(*values.shape[:-1], -1))
        return np.concatenate(parts, axis=-1)

    def norms(self, values: Array) -> Array:
        """Root mean square over the box of each unknown; vectors (..., size), result (..., unknowns)."""
        squares = [
            values[..., part] ** 2 @ share for part, share in zip(self.slices, self._shares, strict=True)
        ]
        return np.sqrt(np.stack(squares, axis=-1))

    @cached_property
    def _shares(self) -> list[Array]:
        """The share of the box that each node stands for."""
        return [_product([a.spacing / a.spacing.sum() for a in axes]) for axes in self.axes]

    def tails(self, values: Array) -> Array:
        """`GridAxis.tail` of a vector (size,) along each space axis, the largest of the unknowns."""
        tails = []
        for a in range(len(self.axes[0])):
            found = []
            for part, axes in zip(self.split(values), self.axes, strict=True):
                found.append(axes[a].tail(np.moveaxis(part[None], a + 1, -1))[0])
            tails.append(max(found))
        return np.array(tails)


def tensor(columns: Sequence[Array]) -> Array:
    """All combinations of one value of each column, the last fastest: (n, columns)."""
    if not columns:
        return np.zeros((1, 0))
    return np.stack([m.ravel() for m in np.meshgrid(*columns, indexing="ij")], axis=1)


def _flat(values: Array, axes: int) -> Array:
    return values.reshape(*values.shape[: values.ndim - axes], -1)


def _product(factors: Sequence[Array]) -> Array:
    """The Kronecker product of vectors or matrices."""
    result: Array = np.ones(1)
    for factor in factors:
        result = np.asarray(np.kron(result, factor))
    return result


class Block:
    """The rows of one term, at a tensor product of points."""

    def __init__(self, term: LoweredTerm, layout: Layout, columns: Sequence[Array]) -> None:
        self.term, self.layout = term, layout
        self.points = tensor(columns)
        self.rows = len(self.points)
        space = len(columns)
        self.residual, self.slopes = term.function("numpy"), term.linearisation("numpy")
        self.matrices = [
            [axis.matrix(x, o) for axis, x, o in zip(layout.axes[k], columns, index, strict=False)]
            for k, index in term.derivatives
        ]
        self.in_time = [sum(index[space:]) for _, index in term.derivatives]

    def arguments(self, values: Sequence[list[Array]], times: Array | None) -> list[Any]:
        """Of the lowered functions, each (stages, rows) or less; ``values`` by order in time and unknown."""
        found = [
            _flat(apply(matrices, values[order][k]), len(matrices))
            for (k, _), order, matrices in zip(
                self.term.derivatives, self.in_time, self.matrices, strict=True
            )
        ]
        inputs = self.term.term.inputs.values()
        if times is None:
            return [*found, *self.points.T, *(f(self.points) for f in inputs)]
        data = []
        for function in inputs:
            at = [function(np.column_stack([self.points, np.full(self.rows, t)])) for t in times]
            data.append(np.stack(at))
        return [*found, *self.points.T, times[:, None], *data]

    def add_jacobian(
        self, arguments: list[Any], rows: slice, into: Sequence[Array], principal: bool = False
    ) -> None:
        """Add ∂(rows)/∂(nodal values of each order in time) to the rows of the matrices ``into``.

        With ``principal`` only by the derivatives of highest order in space, of an equation.
        """
        slopes = self.slopes(*arguments)
        orders = [
            sum(index) - time for (_, index), time in zip(self.term.derivatives, self.in_time, strict=True)
        ]
        least = max(orders) if principal else 0
        if principal and not self.term.term.is_equation:
            return
        parts = zip(self.term.derivatives, self.in_time, self.matrices, slopes, strict=True)
        for ((k, _), order, matrices, slope), in_space in zip(parts, orders, strict=True):
            if in_space < least:
                continue
            column = np.broadcast_to(np.asarray(slope, dtype=np.float64).reshape(-1), (self.rows,))
            if column.any():
                into[order][rows, self.layout.slices[k]] += column[:, None] * np.atleast_2d(
                    _product(matrices)
                )


class Collocation:
    """A problem on the tensor product of ``axes``.

    Attributes:
        layout: of the nodal values.
        rows: how many; at least ``layout.size``.
    """

    def __init__(self, structure: Structure, axes: Sequence[GridAxis]) -> None:
        self.structure, self.axes = structure, tuple(axes)
        self.problem = structure.program.problem
        self.layout = Layout.of(structure, axes)
        self.blocks: list[Block] = []
        samples = [[a.samples(lost) for a, lost in zip(axes, row, strict=True)] for row in structure.lost]
        for k, e in enumerate(structure.equations):
            self.blocks.append(Block(structure.program.equations[e], self.layout, samples[k]))
        for term in structure.program.conditions:
            condition = term.term.condition
            if condition is None or isinstance(condition, Initial):
                continue
            k = self.problem.unknowns.index(condition.unknown)
            own = self.layout.axes[k]
            if isinstance(condition, Value):
                fixed = term.term.fixed
                columns = [np.array([fixed[a]]) if a in fixed else own[a].nodes for a in range(len(axes))]
            else:
                face = self.problem.domain.face(term.term.region)
                assert face.axis is not None  # the domain is a box
                end = axes[face.axis].upper if face.side > 0 else axes[face.axis].lower
                columns = [
                    samples[k][b] if b < face.axis else np.array([end]) if b == face.axis else own[b].nodes
                    for b in range(len(axes))
                ]
            self.blocks.append(Block(term, self.layout, columns))
        ends = np.cumsum([0, *(block.rows for block in self.blocks)])
        self.places = [slice(int(a), int(b)) for a, b in pairwise(ends)]
        self.rows = int(ends[-1])
        self.is_linear = all(block.term.is_linear for block in self.blocks)
        self.time_order = max((o for block in self.blocks for o in block.in_time), default=0)

    def residual(self, values: Sequence[Array], times: Array | None = None) -> Array:
        """All rows, (stages, rows); ``values`` are the vectors (stages, size) of u, u_t, u_tt."""
        split = [self.layout.split(v) for v in values]
        result = np.empty((len(values[0]), self.rows))
        for block, place in zip(self.blocks, self.places, strict=True):
            result[:, place] = block.residual(*block.arguments(split, times))
        return result

    def jacobian(
        self, values: Sequence[Array], time: float | None = None, principal: bool = False
    ) -> list[Array]:
        """∂(rows)/∂u, ∂(rows)/∂u_t, …, each (rows, size), at the vectors (size,) of u, u_t, …

        ``principal`` leaves the highest derivatives in space of the equations only.
        """
        split = [self.layout.split(v[None]) for v in values]
        times = None if time is None else np.array([time])
        result = [np.zeros((self.rows, self.layout.size)) for _ in values]
        for block, place in zip(self.blocks, self.places, strict=True):
            block.add_jacobian(block.arguments(split, times), place, result, principal)
        return result

    def given(self, k: int) -> Array:
        """The steady Dirichlet data of an unknown at its points on the faces, (n,)."""
        found = [np.zeros(0)]
        for block in self.blocks:
            condition = block.term.term.condition
            if isinstance(condition, Dirichlet) and condition.unknown == self.problem.unknowns[k]:
                nothing = [[np.zeros((1, *shape)) for shape in self.layout.shapes]]
                values = np.asarray(block.residual(*block.arguments(nothing, None)))
                found.append(-np.broadcast_to(values.ravel(), (block.rows,)))
        return np.concatenate(found)

    def initial(self, order: int = 0) -> Array:
        """The declared data of the initial ``order``-th time derivative at the nodes; zero where none are."""
        result = np.zeros(self.layout.size)
        for condition in self.problem.of_type(Initial):
            if condition.order == order:
                k = self.problem.unknowns.index(condition.unknown)
                result[self.layout.slices[k]] = initial_data(self.problem, condition, self.layout.points(k))
        return result


def initial_data(problem: Problem, condition: Initial, space: Array) -> Array:
    """Declared initial values at ``space`` (n, space axes), (n,)."""
    start = float(problem.domain.bounds[-1, 0])
    points = np.column_stack([space, np.full(len(space), start)])
    if callable(condition.value) and not hasattr(condition.value, "free_symbols"):
        return np.asarray(condition.value(points), dtype=np.float64)
    values = lower(problem.coordinates, problem.substitute(condition.value), "numpy")(*points.T)
    return np.broadcast_to(np.asarray(values, dtype=np.float64), (len(points),))


def grid_axes(structure: Structure, n: int) -> list[GridAxis]:
    """``n`` points on each axis of the problem's box, without a map."""
    bounds = structure.program.problem.domain.bounds
    return [
        PeriodicAxis(lower, upper, n | 1) if periodic else OpenAxis(lower, upper, n)
        for (lower, upper), periodic in zip(
            bounds[: len(structure.periodic)].tolist(), structure.periodic, strict=True
        )
    ]
