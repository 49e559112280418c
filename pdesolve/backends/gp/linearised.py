"""Equations and conditions at points, linearised at an iterate: measurements and the values they should have.

At u^n a residual r(…, ∂^α u, …) is r + Σ_α ∂r/∂(∂^α u) ∂^α(u - u^n) = 0: the measurement

    φ_i(u) = Σ_α a_iα ∂^α u(x_i),   a = ∂r/∂(∂^α u),      φ_i(u) = Σ_α a_iα ∂^α u^n(x_i) - r_i.

Source: Chen, Owhadi & Schäfer, Math. Comp. 94 (2025), arXiv 2304.01294.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...declare import Problem
from ...declare.domain import INSIDE, Array
from ...residual.program import LoweredTerm, Program
from .kernel_field import KernelField, derivative_operator
from .measurements import Block, Indices
from .places import Places, places, spacing_for
from .rows import Functions


class TermRows:
    """One term at its points."""

    def __init__(self, functions: Functions, points: Array) -> None:
        self.term, self.points, self._functions = functions.term, points, functions
        self._inputs = [function(points) for function in self.term.term.inputs.values()]
        self.operators = tuple(derivative_operator(d) for d in self.term.derivatives)

    @property
    def order(self) -> int:
        """The highest order of a derivative: point values are ordered before derivatives."""
        return max(sum(index) for _, index in self.term.derivatives)

    def at_rest(self) -> Array:
        """The derivatives (n, q) of u = 0."""
        return np.zeros((len(self.points), len(self.operators)))

    def derivatives(self, field: KernelField) -> Array:
        """(n, q)."""
        return np.stack(field.derivatives(self.points, self.term.derivatives), axis=1)

    def residual(self, derivatives: Array) -> Array:
        """r (n,)."""
        values = self._functions.residual(*derivatives.T, *self.points.T, *self._inputs)
        return np.array(np.broadcast_to(np.asarray(values, dtype=np.float64), (len(self.points),)))

    def linearised(self, derivatives: Array) -> tuple[Block, Array]:
        """The measurements at an iterate, of plain derivatives, and their values (n,)."""
        slopes = self._functions.slopes(*derivatives.T, *self.points.T, *self._inputs)
        columns = [np.broadcast_to(np.asarray(s, dtype=np.float64), (len(self.points),)) for s in slopes]
        weights = np.stack(columns, axis=1)
        values = np.sum(weights * derivatives, axis=1) - self.residual(derivatives)
        return Block(self.points, self.operators, weights), values


@dataclass(frozen=True, eq=False)
class Collocation:
    """All terms of a problem at points.

    Attributes:
        terms: those of low order first.
        spacing: of the points.
    """

    terms: tuple[TermRows, ...]
    spacing: float

    @classmethod
    def of(cls, program: Program, rows: int) -> Collocation:
        """With about ``rows`` measurements.

        Equations hold on the boundary, too: that lowers the error, which is largest there, by ten times.
        """
        domain = program.problem.domain
        on = {face.name: 0 for face in domain.faces}
        for term in program.conditions:
            if term.term.region in on:
                on[term.term.region] += 1
        on = {part: count + len(program.equations) for part, count in on.items()}
        spacing = spacing_for(domain, rows, len(program.equations), on)
        found = places(domain, spacing)
        terms = [TermRows(Functions.of(t), _points(program.problem, t, found)) for t in program.terms]
        return cls(tuple(sorted(terms, key=lambda t: t.order)), spacing)

    @property
    def is_linear(self) -> bool:
        return all(rows.term.is_linear for rows in self.terms)

    @property
    def equations(self) -> list[int]:
        """Numbers of the terms that are equations."""
        return [i for i, rows in enumerate(self.terms) if rows.term.term.is_equation]

    @property
    def groups(self) -> Indices:
        """The order of derivatives of each measurement, without gaps."""
        orders = np.concatenate([np.full(len(rows.points), rows.order) for rows in self.terms])
        return np.unique(orders, return_inverse=True)[1].reshape(-1).astype(np.int64)

    def at_rest(self) -> list[Array]:
        """Of each term the derivatives of u = 0."""
        return [rows.at_rest() for rows in self.terms]

    def derivatives(self, field: KernelField) -> list[Array]:
        """Of each term the derivatives of a field."""
        return [rows.derivatives(field) for rows in self.terms]

    def linearised(self, derivatives: Sequence[Array]) -> tuple[list[Block], list[Array]]:
        """Of each term the measurements and their values."""
        pairs = [rows.linearised(d) for rows, d in zip(self.terms, derivatives, strict=True)]
        return [block for block, _ in pairs], [values for _, values in pairs]

    def residuals(self, derivatives: Sequence[Array]) -> list[Array]:
        """Of each term r (n,)."""
        return [rows.residual(d) for rows, d in zip(self.terms, derivatives, strict=True)]


def _points(problem: Problem, term: LoweredTerm, found: Places) -> Array:
    if term.term.is_equation:
        return found.everywhere
    if term.term.region == INSIDE:  # a value at a point
        return np.array([[term.term.fixed[axis] for axis in range(len(problem.coordinates))]])
    return found.parts[term.term.region]
