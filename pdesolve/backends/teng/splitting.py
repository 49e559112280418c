"""Operator splitting of incompressible flow: what is carried along, what else acts, and the projection.

The rates of the velocities are split in symbols into

    f_i = - Σ_j a_j ∂_j u_i  +  rest_i(x, t, u, u_x, …)  +  terms that hold algebraic unknowns (- ∂_i p)

A step over h first follows the flow back along straight lines, u* = u(x - h a(x)) + h rest(x), which is
semi-Lagrangian advection of first order. Then one least-squares problem for velocities and pressure,

    u - h (terms that hold algebraic unknowns) = u*,    ∇·u = 0,

takes the place of a Poisson equation for the pressure and a projection after it.

Chen, Wu, Grinspun, Zheng & Chen, ICML 2023 (arXiv 2210.00124), section on fluids.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import sympy as sp
import torch
from torch import Tensor

from ...declare import Problem
from ...declare.domain import INSIDE, Array
from ...declare.problem import Term
from ...residual.program import Program
from ...residual.residual import Residual
from .evolution import Evolution
from .rows import Rows
from .space import Space


@dataclass(frozen=True)
class Split:
    """The parts of f.

    Attributes:
        velocity: a_j, one for each axis of space.
        rest: of each unknown that has an f.
        forms: for each unknown what the projection holds: terms with algebraic unknowns, or a constraint.
    """

    velocity: tuple[sp.Expr, ...]
    rest: tuple[sp.Expr, ...]
    forms: tuple[sp.Expr, ...]


def split(evolution: Evolution) -> Split:
    """The rates of a flow in parts.

    Raises:
        ValueError: they are not those of a flow; the text is a reason for `Backend.supports`.
    """
    problem = evolution.problem
    algebraic = {u for u, a in zip(problem.unknowns, evolution.algebraic, strict=True) if a}
    space = problem.coordinates[:-1]
    velocities, rest, forms = [], [], []
    for u, form in zip(problem.unknowns, evolution.forms, strict=True):
        if u in algebraic:
            forms.append(form)
            continue
        terms = sp.Add.make_args(sp.expand(form))
        held = [e for e in terms if _unknowns(problem, e) & algebraic]
        projected, left = sp.Add(*held), sp.Add(*(e for e in terms if e not in held))
        velocity = [-sp.diff(left, u.diff(x)) for x in space]
        carried = -sp.Add(*(a * u.diff(x) for a, x in zip(velocity, space, strict=True)))
        if any(a.has(sp.Derivative) for a in velocity):
            raise ValueError(f"what carries {u.func.__name__} depends on derivatives")
        velocities.append(tuple(map(sp.expand, velocity)))
        rest.append(sp.expand(left - carried))
        forms.append(projected)
    if len(set(velocities)) > 1:
        raise ValueError("its unknowns are carried along by different velocities")
    return Split(velocities[0], tuple(rest), tuple(forms))


def _unknowns(problem: Problem, expression: sp.Expr) -> set[sp.Expr]:
    return {problem.unknowns[k] for k, _ in problem.derivatives(expression).values()}


class Splitting:
    """The split equations on the networks of a `Space`.

    Args:
        space: its problem is a flow in a box.
        counts: points along each axis.
    """

    def __init__(self, space: Space, counts: tuple[int, ...]) -> None:
        parts = split(space.evolution)
        self._space = space
        named = {"velocity": parts.velocity, "rest": parts.rest}
        zero = sp.Dummy("zero", real=True)  # makes arrays of constants, too
        terms = [
            Term(f"{name} {i}", e + zero, INSIDE, {zero: lambda points: np.zeros(len(points))})
            for name, some in named.items()
            for i, e in enumerate(some)
        ]
        self._explicit = Residual(Program(space.problem, terms), space.model())
        self._axes = len(parts.velocity)
        self.rows: Rows = space.rows(counts, forms=parts.forms)

    def carried(self, theta: Tensor, time: float, step: float) -> Tensor:
        """u* at the nodes, (unknowns, n); algebraic unknowns are carried along, too, and not looked at."""
        points = self.rows.nodes.points
        at = np.column_stack([points, np.full(len(points), time)])
        values = self._explicit.values(theta, self._explicit.batch([at]))[0]
        feet = points - step * values[: self._axes].numpy().T
        found = self._space.residual().derivatives(
            theta, torch.as_tensor(np.column_stack([self._inside(feet), at[:, -1]])), self._unknowns
        )
        carried = torch.stack(list(found))
        carried[self._space.evolution.differential] += step * values[self._axes :]
        return carried

    @cached_property
    def _unknowns(self) -> tuple[tuple[int, tuple[int, ...]], ...]:
        none = (0,) * len(self._space.problem.coordinates)
        return tuple((k, none) for k in range(self._space.outputs))

    def _inside(self, feet: Array) -> Array:
        """Feet beyond a wall are put onto it; periodic axes have none."""
        bounds = self._space.problem.domain.bounds[:-1]
        held = np.clip(feet, bounds[:, 0], bounds[:, 1])
        periodic = list(self._space.periodic)
        held[:, periodic] = feet[:, periodic]
        return held
