"""What a step in time is measured by: the equations of a stage at nodes, and what the ansatz leaves of the
conditions.

A stage at time t looks for u with

    u - c f(x, t, u, u_x, …) = g    at the nodes,    boundary conditions at t,

c = 0 for a fit to given values. All of that is one `Residual` of a network of space; its points carry t.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import sympy as sp
import torch
from torch import Tensor

from ...declare import Initial, Problem
from ...declare.domain import INSIDE, Array
from ...declare.problem import Term
from ...residual.model import Model
from ...residual.objective import ResidualObjective
from ...residual.program import Program
from ...residual.residual import Batch, Residual
from .nodes import Nodes

BOUNDARY_WEIGHT = 100.0
"""Weight of the mean square of a boundary condition beside that of the values inside."""


class Rows:
    """Stages and fits of one network at one set of nodes.

    Args:
        problem: of first order in time.
        rates: f of each unknown.
        model: its network does not look at time.
        nodes: points of space.
        scales: of each unknown, by which its rows are divided.
    """

    def __init__(
        self, problem: Problem, rates: Sequence[sp.Expr], model: Model, nodes: Nodes, scales: Sequence[float]
    ) -> None:
        self.problem, self.nodes, self.count = problem, nodes, len(problem.unknowns)
        conditions = [
            term
            for term in problem.terms
            if not (term.is_equation or isinstance(term.condition, Initial) or model.ansatz.is_exact(term))
        ]
        c = sp.Dummy("c", real=True)
        values, stages = [], []
        for u, rate in zip(problem.unknowns, rates, strict=True):
            name, g = u.func.__name__, sp.Dummy("g", real=True)
            values.append(Term(f"value of {name}", u - g, INSIDE, {g: _nothing}))
            stages.append(Term(f"stage of {name}", u - c * rate - g, INSIDE, {c: _nothing, g: _nothing}))
        self.fit = Residual(Program(problem, [*values, *conditions]), model)
        self.stage = Residual(Program(problem, [*stages, *conditions]), model)
        self._boundary = [self._points_on(term) for term in conditions]
        self._scales = torch.tensor(scales, dtype=torch.float64)
        by_name = dict(zip((u.func.__name__ for u in problem.unknowns), scales, strict=True))
        self._condition_scales = [
            by_name[t.condition.unknown.func.__name__] for t in conditions if t.condition is not None
        ]

    @property
    def size(self) -> int:
        """Number of parameters."""
        return self.fit.start().numel()

    # -- values --------------------------------------------------------------------------------------

    def state(self, theta: Tensor, time: float) -> Tensor:
        """The unknowns at the nodes, (unknowns, n)."""
        return self.fit.values(theta, self._batch(self.fit, time))[0]

    def state_on_plane(self, theta: Tensor, move: Tensor, time: float) -> Tensor:
        """The same a ``move`` along the tangent plane at θ."""
        return self.fit.tangent_values(theta, move, self._batch(self.fit, time))[0]

    def rate(self, theta: Tensor, time: float) -> Tensor:
        """f of the unknowns at the nodes, (unknowns, n)."""
        batch = self._batch(self.stage, time, 1.0)
        return self.state(theta, time) - self.stage.values(theta, batch)[0]

    def rate_on_plane(self, theta: Tensor, move: Tensor, time: float) -> Tensor:
        """The same a ``move`` along the tangent plane at θ."""
        batch = self._batch(self.stage, time, 1.0)
        own = self.stage.tangent_values(theta, move, batch)[0]
        return self.state_on_plane(theta, move, time) - own

    def size_of(self, values: Tensor) -> float:
        """Weighted root mean square of values (unknowns, n), each in its scale."""
        weights = torch.as_tensor(self.nodes.weights)
        return float(((values / self._scales[:, None]) ** 2 @ weights).mean().sqrt())

    # -- rows ----------------------------------------------------------------------------------------

    def stage_rows(self, theta: Tensor, move: Tensor, time: float, c: float, target: Tensor) -> Tensor:
        """Weighted rows of a stage on the tangent plane, (m,), in the order of `jacobian`."""
        residual = self.stage if c else self.fit
        pieces = []
        for block in residual.blocks(self._batch(residual, time, c, target)):
            found = residual.tangent_values(theta, move, block)
            pieces += [(g.weights.sqrt() * r).reshape(-1) for r, g in zip(found, block, strict=True)]
        return torch.cat(pieces)

    def jacobian(self, theta: Tensor, time: float, c: float) -> Tensor:
        """∂(rows of a stage)/∂θ, (m, p)."""
        residual = self.stage if c else self.fit
        with torch.no_grad():
            return residual.linearise(theta, residual.blocks(self._batch(residual, time, c)))[1]

    def objective(self, time: float, target: Tensor) -> ResidualObjective:
        """The fit to values (unknowns, n) at the nodes, with the conditions at ``time``."""
        return ResidualObjective(self.fit, self.fit.blocks(self._batch(self.fit, time, 0.0, target)))

    # -- batches -------------------------------------------------------------------------------------

    def _batch(self, residual: Residual, time: float, c: float = 0.0, target: Tensor | None = None) -> Batch:
        """The first group are the terms inside, the others conditions."""
        points = [
            self._boundary[group[0] - self.count] if g else self.nodes.points
            for g, group in enumerate(residual.groups)
        ]
        inside = [self.nodes.weights / (self.count * s**2) for s in self._scales.tolist()]
        outside = [BOUNDARY_WEIGHT / s**2 for s in self._condition_scales]
        batch = residual.batch([_at(p, time) for p in points], [*inside, *outside])
        if target is None:
            target = torch.zeros(self.count, len(self.nodes.points), dtype=torch.float64)
        if residual is self.stage:
            target = torch.stack([torch.full_like(target, c), target], dim=1).reshape(2 * self.count, -1)
        return (batch[0]._replace(inputs=target), *batch[1:])

    def _points_on(self, term: Term) -> Array:
        """Points of a condition's part, without time: about as dense as the nodes are."""
        d = len(self.problem.domain.space)
        n = max(1, round(2 * len(self.nodes.points) ** ((d - 1) / d))) if d > 1 else 1
        return self.problem.domain.cover(n, term.region)[:, :-1]


def _nothing(points: Array) -> Array:
    """Inputs that `Rows` puts in itself."""
    return np.zeros(len(points))


def _at(points: Array, time: float) -> Array:
    return np.column_stack([points, np.full(len(points), time)])
