"""What all steps in time have in common, learned or not: fields in, fields one interval later out."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from ....residual.fourier import etdrk4
from ....residual.fourier.evolution import Evolution
from ....residual.fourier.semilinear import Semilinear


@runtime_checkable
class Step(Protocol):
    """A map from fields (batch, components, *grid) at ``t`` to those at ``t + interval``."""

    @property
    def interval(self) -> float: ...

    def __call__(self, values: Tensor, t: float = 0.0) -> Tensor: ...


@dataclass(frozen=True, eq=False)
class ClassicalStep:
    """ETDRK4 on a grid, without anything learned: the baseline, and the forecast of filters.

    Args:
        evolution: the equations.
        interval: time from one state to the next; ``substeps`` steps of ETDRK4.
        points: of the grid that the equations are solved on, on each axis; fields keep their own grid.
        dealias: keep K < n/3 modes, so that products of two factors are exact.

    Differentiable, on any device. A step that is too long for ETDRK4 gives values that are not finite.
    """

    evolution: Evolution
    interval: float
    points: int
    substeps: int = 1
    dealias: bool = True
    dtype: torch.dtype = torch.float64
    device: str | torch.device = "cpu"

    @cached_property
    def system(self) -> Semilinear:
        return Semilinear(self.evolution, self.points, self.dealias, self.dtype, self.device)

    @cached_property
    def _coefficients(self) -> etdrk4.Coefficients:
        return self.system.coefficients(self.interval / self.substeps)

    def __call__(self, values: Tensor, t: float = 0.0) -> Tensor:
        state = self.advance(self.system.state(values.to(self.dtype)), t)
        return self.system.fields(state, values.shape[-1])

    def advance(self, state: Tensor, t: float = 0.0) -> Tensor:
        """The same for spectra (batch, components, *modes)."""
        return self.system.advance(self._coefficients, state, t, self.substeps)


def rollout(step: Step, values: Tensor, count: int, t: float = 0.0) -> Tensor:
    """The states (batch, count + 1, components, *grid) at t, t + interval, …, the first one included."""
    states = [values]
    for i in range(count):
        states.append(step(states[-1], t + i * step.interval))
    return torch.stack(states, dim=1)


def conserves_mean(system: Semilinear) -> bool:
    """Whether the equations keep every component's mean: nothing reaches the mode k = 0."""
    found = system.discretization
    zero: Any = (..., *[0] * system.dimension)
    entries = [found.linear, *found.forcing.entries.values()]
    return all(bool(np.all(np.asarray(entry)[zero] == 0)) for entry in entries)


def is_homogeneous(evolution: Evolution) -> bool:
    """Whether no coordinate appears in them: translations of solutions are solutions."""
    space = evolution.problem.coordinates[:-1]
    return not any(term.has(*space) for term in evolution.terms)


__all__ = ["ClassicalStep", "Step", "conserves_mean", "is_homogeneous", "rollout"]
