"""What a step in time is measured by: the equations of a stage at nodes, and what the ansatz leaves of the
conditions.

A stage at time t looks for u with

    u - c f(x, t, u, u_x, …) = target    at the nodes,    boundary conditions at t,

c = 0 for a fit to given values. Where an unknown is algebraic, its constraint g = 0 stands in place of that
line in a stage. All of it is one `Residual` of a network of space; its points carry t.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import sympy as sp
import torch
from torch import Tensor

from ...declare import Initial, Problem
from ...declare.domain import INSIDE, Array
from ...declare.problem import Term
from ...residual.ansatz import Ansatz
from ...residual.model import Model
from ...residual.objective import ResidualObjective
from ...residual.program import Program
from ...residual.residual import Batch, Residual
from .nodes import Nodes

BOUNDARY_WEIGHT = 100.0
"""Weight of the mean square of a boundary condition beside that of the values inside."""
START_SCALE = 10.0
"""Lines that algebraic unknowns follow from at the start are divided by it: the data first."""


@dataclass(frozen=True)
class Parts:
    """A field at the nodes: u and f (g of algebraic unknowns), each (unknowns, n), and the weighted rows of
    boundary conditions."""

    values: Tensor
    rates: Tensor
    outside: Tensor


@dataclass(frozen=True)
class Lines:
    """What stands in a line of a stage and of a fit, for each unknown.

    Attributes:
        forms: f, or the constraint g of an algebraic unknown.
        algebraic: which unknowns have no time derivative.
        fitted: what a fit compares with its target: the unknown itself, but at the start of time.
        scales: root mean squares of the unknowns.
        stage_scales, fit_scales: what the lines of stages and fits are divided by.
    """

    forms: Sequence[sp.Expr]
    algebraic: Sequence[bool]
    fitted: Sequence[sp.Expr]
    scales: Sequence[float]
    stage_scales: Sequence[float]
    fit_scales: Sequence[float]


class Rows:
    """Stages and fits of one network at one set of nodes.

    Args:
        problem: of first order in time.
        lines: one for each unknown.
        model: its network does not look at time.
        nodes: points of space.
        at_start: terms on the boundary that hold at the start of time; None for other times.
    """

    def __init__(
        self,
        problem: Problem,
        lines: Lines,
        model: Model,
        nodes: Nodes,
        at_start: Sequence[Term] | None = None,
    ) -> None:
        self.problem, self.nodes, self.count = problem, nodes, len(problem.unknowns)
        self.is_start = at_start is not None
        conditions = [*open_conditions(problem, model.ansatz), *(at_start or [])]
        c = sp.Dummy("c", real=True)
        values, slopes, stages, fits = [], [], [], []
        for u, form, is_algebraic, fitted in zip(
            problem.unknowns, lines.forms, lines.algebraic, lines.fitted, strict=True
        ):
            name, target = u.func.__name__, sp.Dummy("target", real=True)
            values.append(Term(f"value of {name}", u, INSIDE))
            slopes.append(Term(f"rate of {name}", form, INSIDE))
            inputs = {} if is_algebraic else {c: _nothing, target: _nothing}
            stage = form if is_algebraic else u - c * form - target
            stages.append(Term(f"stage of {name}", stage, INSIDE, inputs))
            fits.append(Term(f"fit of {name}", fitted - target, INSIDE, {target: _nothing}))
        self.fit = Residual(Program(problem, [*fits, *conditions]), model)
        self._stage = Residual(Program(problem, [*stages, *conditions]), model)
        self._parts = Residual(Program(problem, [*values, *slopes, *conditions]), model)
        self._boundary = [self._points_on(term) for term in conditions]
        self._scales, self._stage_scales, self._fit_scales = (
            torch.tensor(scales, dtype=torch.float64)
            for scales in (lines.scales, lines.stage_scales, lines.fit_scales)
        )
        self._differential = torch.tensor([not a for a in lines.algebraic], dtype=torch.float64)[:, None]
        by_name = dict(zip((u.func.__name__ for u in problem.unknowns), lines.scales, strict=True))
        self._condition_scales = [
            by_name[t.condition.unknown.func.__name__] * (START_SCALE if t in (at_start or []) else 1.0)
            for t in conditions
            if t.condition is not None
        ]

    @property
    def size(self) -> int:
        """Number of parameters."""
        return self.fit.start().numel()

    # -- values --------------------------------------------------------------------------------------

    def state(self, theta: Tensor, time: float) -> Tensor:
        """The unknowns at the nodes, (unknowns, n)."""
        return self.fit.values(theta, self._batch(self.fit, time))[0]

    def rate(self, theta: Tensor, time: float) -> Tensor:
        """f of the unknowns at the nodes, zero of algebraic ones, (unknowns, n)."""
        return self._differential * self._parts.values(theta, self._batch(self._parts, time))[0][self.count :]

    def slopes(self, parts: Parts) -> Tensor:
        """f of a field, zero of algebraic unknowns, (unknowns, n)."""
        return self._differential * parts.rates

    def joined(self, differential: Tensor, algebraic: Tensor) -> Tensor:
        """One where unknowns have an f, the other where they are algebraic; (unknowns, n)."""
        return torch.where(self._differential > 0, differential, algebraic)

    def on_plane(self, theta: Tensor, move: Tensor, time: float) -> Parts:
        """The field a ``move`` along the tangent plane at θ."""
        batch = self._batch(self._parts, time)
        inside, *outside = self._parts.tangent_values(theta, move, batch)
        rows = [(g.weights.sqrt() * r).reshape(-1) for r, g in zip(outside, batch[1:], strict=True)]
        return Parts(inside[: self.count], inside[self.count :], torch.cat(rows) if rows else theta[:0])

    def size_of(self, values: Tensor) -> float:
        """Weighted root mean square of values (unknowns, n), each in its scale."""
        weights = torch.as_tensor(self.nodes.weights)
        return float(((values / self._scales[:, None]) ** 2 @ weights).mean().sqrt())

    # -- rows ----------------------------------------------------------------------------------------

    def stage_rows(self, parts: Parts, c: float, target: Tensor) -> Tensor:
        """Weighted rows of a stage, (m,), in the order of `jacobian`."""
        roots = torch.as_tensor(np.sqrt(self.nodes.weights / self.count)) / self._stage_scales[:, None]
        lines = self.joined(parts.values - c * parts.rates - target, parts.rates)
        return torch.cat([(roots * lines).reshape(-1), parts.outside])

    def jacobian(self, theta: Tensor, time: float, c: float) -> Tensor:
        """∂(rows of a stage)/∂θ, (m, p)."""
        residual = self._stage if c else self.fit
        with torch.no_grad():
            return residual.linearise(theta, self._batch(residual, time, c))[1]

    def objective(self, time: float, target: Tensor, c: float = 0.0) -> ResidualObjective:
        """The fit to values (unknowns, n) at the nodes, or a stage of the network itself; with the conditions
        at ``time``."""
        residual = self._stage if c else self.fit
        return ResidualObjective(residual, residual.blocks(self._batch(residual, time, c, target)))

    # -- batches -------------------------------------------------------------------------------------

    def _batch(self, residual: Residual, time: float, c: float = 0.0, target: Tensor | None = None) -> Batch:
        """The first group are the terms inside, the others conditions."""
        terms = residual.groups[0]
        points = [
            self._boundary[group[0] - len(terms)] if g else self.nodes.points
            for g, group in enumerate(residual.groups)
        ]
        scales = self._fit_scales if residual is self.fit else self._stage_scales
        inside = [self.nodes.weights / (self.count * s**2) for s in scales.tolist()]
        inside *= len(terms) // self.count
        outside = [BOUNDARY_WEIGHT / s**2 for s in self._condition_scales]
        batch = residual.batch([_at(p, time) for p in points], [*inside, *outside])
        if residual is self._parts:
            return batch
        n = len(self.nodes.points)
        inputs = torch.zeros(self.count, n, dtype=torch.float64) if target is None else target
        if residual is self._stage:  # c and the target, line by line
            targets = inputs[self._differential[:, 0] > 0]
            inputs = torch.stack([torch.full_like(targets, c), targets], dim=1).reshape(-1, n)
        return (batch[0]._replace(inputs=inputs), *batch[1:])

    def _points_on(self, term: Term) -> Array:
        """Points of a condition's part, without time: about as dense as the nodes are."""
        d = len(self.problem.domain.space)
        n = max(1, round(2 * len(self.nodes.points) ** ((d - 1) / d))) if d > 1 else 1
        if len(term.fixed) == d:
            n = 1
        points = self.problem.domain.cover(n, term.region)[:, :-1]
        for axis, value in term.fixed.items():
            points[:, axis] = value
        return points


def open_conditions(problem: Problem, ansatz: Ansatz) -> list[Term]:
    """Terms of boundary conditions that the ansatz does not meet exactly."""
    return [
        term
        for term in problem.terms
        if not (term.is_equation or isinstance(term.condition, Initial) or ansatz.is_exact(term))
    ]


def _nothing(points: Array) -> Array:
    """Inputs that `Rows` puts in itself."""
    return np.zeros(len(points))


def _at(points: Array, time: float) -> Array:
    return np.column_stack([points, np.full(len(points), time)])
