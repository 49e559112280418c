"""The declared equations on a prior's own grid: residuals of images, and solutions in place of samples."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor

from ...declare import Problem
from ...declare.distributions import TwoPhase
from ...residual.fourier.ensemble import Level
from ...residual.fourier.evolution import Evolution
from ...residual.fourier.steps import StepResidual
from ...residual.interpolation import interpolation
from ...residual.stencil import EllipticForm, Stencil
from .encoding import JointEncoding

FINER = 4
"""Nodes of the solver over those of the prior, an axis, where coefficients are smooth."""
STEPS = 4
"""Of the integrator between two columns of an image in space and time."""


class Equations(ABC):
    """What one kind of problem says of images (batch, channels, *grid) in the prior's units."""

    @abstractmethod
    def residual(self, z: Tensor) -> Tensor:
        """What is left of the equations, (batch, k), in units of the problem."""

    @abstractmethod
    def solved(self, z: Tensor) -> Tensor:
        """The images with all that the equations determine computed from the rest."""


class Elliptic(Equations):
    """A linear elliptic equation: finite volumes on the prior's nodes.

    `solved` computes the unknown from the coefficients. Smooth coefficients are interpolated to finer nodes
    first; of those that jump, the nodes hold all that is known, kept between their two values.
    """

    def __init__(self, problem: Problem, encoding: JointEncoding) -> None:
        self.encoding = encoding
        form = EllipticForm(problem)
        points = encoding.grid[0]
        self.stencil = Stencil(form, points)
        laws = {name: problem.priors.get(name) for name in encoding.names[1:]}
        two = {name: law for name, law in laws.items() if isinstance(law, TwoPhase)}
        self.between = {name: sorted((law.below, law.above)) for name, law in two.items()}
        smooth = all(d > 1 for d in encoding.degrees)
        self.every = FINER if smooth else 1
        self.fine = Stencil(form, (points - 1) * self.every + 1)
        coarse, nodes = encoding.axes[0], self.fine.axes[0]
        self.table = torch.from_numpy(interpolation([coarse], [None], nodes[:, None]))

    def residual(self, z: Tensor) -> Tensor:
        values = self.encoding.physical(z)
        return self.stencil.residual(values[:, 0], self._inputs(values)).flatten(1)

    def solved(self, z: Tensor) -> Tensor:
        values = self.encoding.physical(z)
        inputs = self._inputs(values)
        for name, (low, high) in self.between.items():  # beyond, the equation may not be elliptic
            inputs[name] = inputs[name].clamp(low, high)
        if self.every > 1:
            table = self.table.to(z)
            inputs = {name: table @ field @ table.T for name, field in inputs.items()}
        u = self.fine.solve(inputs)[:, :: self.every, :: self.every]
        return self.encoding.normalised(torch.cat([u[:, None], values[:, 1:]], dim=1))

    def _inputs(self, values: Tensor) -> dict[str, Tensor]:
        names = self.encoding.names[1:]
        return {name: values[:, k] for k, name in enumerate(names, 1)}


class Stepped(Equations):
    """An evolution: the integrator from each column of an image in space and time to the next.

    Args:
        steps: of the integrator between two columns.
        dtype: it computes in.
    """

    def __init__(
        self,
        problem: Problem,
        encoding: JointEncoding,
        steps: int = STEPS,
        dtype: torch.dtype = torch.float64,
    ) -> None:
        self.encoding = encoding
        evolution = Evolution(problem)
        if evolution.algebraic or not evolution.is_autonomous:
            raise ValueError("the evolution is not autonomous")
        times = encoding.axes[-1]
        self.points = encoding.grid[0]
        level = Level(round(1.5 * self.points), steps)
        self.steps = StepResidual(evolution, float(times[1] - times[0]), level, dtype)

    def residual(self, z: Tensor) -> Tensor:
        """Φ(u_j) - u_{j+1} of all columns."""
        values = self.encoding.physical(z)
        columns = values.movedim(-1, 1)  # (batch, times, channels, space)
        state = self.steps.system.state(columns[:, :-1].flatten(0, 1))
        moved = self.steps.system.fields(self.steps.propagate(state), self.points)
        return (moved.view_as(columns[:, 1:]) - columns[:, 1:]).flatten(1)

    def solved(self, z: Tensor) -> Tensor:
        values = self.encoding.physical(z)
        state, columns = self.steps.system.state(values[..., 0]), [values[..., 0]]
        for _ in range(values.shape[-1] - 1):
            state = self.steps.propagate(state)
            columns.append(self.steps.system.fields(state, self.points))
        return self.encoding.normalised(torch.stack(columns, dim=-1))


def equations(problem: Problem, encoding: JointEncoding) -> Equations | None:
    """The form that fits; None where there is none."""
    kind = Elliptic if problem.domain.time is None else Stepped
    try:
        return kind(problem, encoding)
    except ValueError:
        return None


__all__ = ["Elliptic", "Equations", "Stepped", "equations"]
