"""Randomised maximum likelihood: samples of an evolution as trajectories of the integrator itself.

A trajectory is determined by its initial field. Each sample becomes a minimiser over initial fields u₀ of

    J(u₀) = ‖(y + η - A S(u₀)) / s‖² + ‖C^(-1/2) (u₀ - w)‖²,    η ~ N(0, s²),   w ~ N(μ, C),

with the solution S(u₀) of the equations, the Gaussian prior of u₀, and a perturbation (w, η) of its own. For
linear S the minimisers are exact samples of the posterior; else they are close to them where the posterior is
narrow. J has many minima for equations that steepen: the search starts from the samples of the diffusion,
which know roughly where fronts are. In whitened coordinates ξ, u₀ = μ + L ξ, Levenberg and Marquardt's
steps lower J itself, with Jacobians of a rougher integrator, all samples and all directions side by side.

Kitanidis, Water Resour. Res. 31 (1995) 2411; Oliver, He & Reynolds, Proc. ECMOR V (1996), section 3.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ...declare import Problem
from ...declare.distributions import GaussianField
from ..options import is_number, require, require_count, require_positive
from .encoding import DEVIATION, JointEncoding
from .equations import Equations, Stepped
from .law import GaussianLaw
from .observing import Observed

_FIRST_DAMPING = 0.1
_EASIER, _HARDER = 0.2, 4.0
_NOTHING = 1e-12
"""Share of the largest variance that is round-off."""
_ROUGH_STEPS = 2
"""Of the integrator between two columns, in single precision, for Jacobians; J itself is of the exact one."""
_SETTLED = 1e-2
"""Relative fall of J in a step from which a sample is at its minimum."""


@dataclass(frozen=True)
class RandomisedLikelihood:
    """Options of the refinement.

    Args:
        iterations: steps of Levenberg and Marquardt's method at most.
        floor: least standard deviation of a sensor, relative to that of its field. It stands for what the
            integrator and the grid leave out; small ones make J steep, and its minima many.
        left_out: share of the variance of u₀ in directions that stay as the prior's mean has them.

    Good values: the defaults; a larger ``floor`` where the equations are only a model of what was measured.

    Raises:
        BackendOptionError: a value makes no sense.
    """

    iterations: int = 8
    floor: float = 1e-2
    left_out: float = 1e-4

    def __post_init__(self) -> None:
        require_count(self, "iterations")
        require_positive(self, "floor")
        holds = is_number(self.left_out) and 0 <= self.left_out < 1
        require(self, "left_out", holds, "a number in [0, 1)")


@dataclass
class Search:
    """All samples on their way to their minima.

    Attributes:
        place: ξ (batch, directions); anchor: that of w.
        target: y + η (batch, m); found: A S(u₀).
        cost: J (batch,); damping: (batch,).
        settled: (batch,), whether J has stopped to fall.
        steps: done so far.
    """

    place: Tensor
    anchor: Tensor
    target: Tensor
    found: Tensor
    cost: Tensor
    damping: Tensor
    settled: Tensor
    steps: int = 0


class Likelihood:
    """J for one problem, in the prior's units.

    Args:
        problem: an evolution, see `reasons_against`.
        law: of images; that of their first column is the prior of u₀.
    """

    def __init__(
        self,
        options: RandomisedLikelihood,
        problem: Problem,
        law: GaussianLaw,
        encoding: JointEncoding,
        observed: Observed,
    ) -> None:
        self.options, self.encoding, self.observed = options, encoding, observed
        self.system = Stepped(problem, encoding)
        self.rough = Stepped(problem, encoding, _ROUGH_STEPS, torch.float32)
        first = torch.arange(law.vectors.shape[0]).view(encoding.shape)[..., 0].flatten()
        self.mean = law.mean[first]
        own = law.vectors[first]
        covariance = (own * (law.variances - law.rest)) @ own.T + law.rest * torch.eye(len(first)).to(own)
        values, vectors = (part.flip(-1) for part in torch.linalg.eigh(covariance))
        share = values.clamp(min=0).cumsum(0) / values.clamp(min=0).sum()
        positive = int((values > _NOTHING * values[0]).sum())
        r = min(int((share < 1 - options.left_out).sum()) + 1, positive)
        self.basis, self.deviations = vectors[:, :r], values[:r].sqrt()
        self.noise = observed.noise.clamp(min=options.floor * DEVIATION)

    def begin(self, images: Tensor, generator: torch.Generator) -> Search:
        """From samples (batch, channels, *grid) of the diffusion."""
        place = ((images[..., 0].flatten(1) - self.mean) @ self.basis) / self.deviations
        anchor = torch.randn(place.shape, generator=generator, dtype=place.dtype).to(place)
        draw = torch.randn(len(place), len(self.noise), generator=generator, dtype=place.dtype).to(place)
        target, found = self.observed.values + draw * self.noise, self.seen(place)
        cost = self.cost(place, found, anchor, target)
        damping = torch.full_like(cost, _FIRST_DAMPING)
        return Search(place, anchor, target, found, cost, damping, torch.zeros_like(cost, dtype=torch.bool))

    def images(self, place: Tensor, system: Stepped | None = None) -> Tensor:
        """Trajectories (batch, channels, *grid) from ξ."""
        system = system or self.system
        start = (self.mean + (place * self.deviations) @ self.basis.T).to(system.steps.system.dtype)
        shape = (*self.encoding.shape[:-1], 1)
        return system.solved(start.view(-1, *shape).expand(-1, *self.encoding.shape))

    def seen(self, place: Tensor, system: Stepped | None = None) -> Tensor:
        """A S(u₀), (batch, m)."""
        return self.images(place, system).flatten(1).to(place) @ self.observed.rows.T

    def cost(self, place: Tensor, found: Tensor, anchor: Tensor, target: Tensor) -> Tensor:
        """J (batch,); infinite where the integrator fails."""
        misfit = ((target - found) / self.noise).square().sum(dim=1)
        return (misfit + (place - anchor).square().sum(dim=1)).nan_to_num(math.inf, math.inf)

    def jacobian(self, place: Tensor) -> Tensor:
        """∂ A S(u₀) / ∂ξ, (batch, m, directions), of the rough integrator."""

        def along(direction: Tensor) -> Any:
            found: Any = torch.func.jvp(
                lambda at: self.seen(at, self.rough), (place,), (direction.expand_as(place),)
            )
            return found[1]

        columns: Tensor = torch.func.vmap(along)(torch.eye(place.shape[1]).to(place))
        return columns.permute(1, 2, 0)

    def step(self, search: Search) -> None:
        """One step of every sample that is not settled; where it would raise J, more damping instead."""
        (own,) = (~search.settled).nonzero(as_tuple=True)
        at, found, cost, damping = (
            part[own] for part in (search.place, search.found, search.cost, search.damping)
        )
        rows = self.jacobian(at) / self.noise[:, None]
        left = (search.target[own] - found) / self.noise
        gram = rows.transpose(1, 2) @ rows
        diagonal = gram.diagonal(dim1=1, dim2=2) + 1
        gram = gram + torch.diag_embed(1 + damping[:, None] * diagonal)
        down = (left[:, None] @ rows)[:, 0] + search.anchor[own] - at
        place = at + torch.linalg.solve(gram, down)
        moved = self.seen(place)
        lower = self.cost(place, moved, search.anchor[own], search.target[own])
        better = lower < cost
        search.settled[own] = better & (cost - lower < _SETTLED * cost)
        search.place[own] = torch.where(better[:, None], place, at)
        search.found[own] = torch.where(better[:, None], moved, found)
        search.cost[own] = torch.where(better, lower, cost)
        search.damping[own] = damping * torch.where(better, _EASIER, _HARDER)
        search.steps += 1

    def is_over(self, search: Search | None) -> bool:
        """Whether every sample is at its minimum, or the steps are used up."""
        if search is None:
            return False
        return search.steps >= self.options.iterations or bool(search.settled.all())


def reasons_against(problem: Problem, system: Equations | None) -> list[str]:
    """Why trajectories of a problem cannot be searched for; empty where they can."""
    if not isinstance(system, Stepped):
        return ["it is no autonomous evolution, whose trajectories its initial field determines"]
    others = [name for name, law in problem.priors.items() if not isinstance(law, GaussianField)]
    if others or not problem.priors:
        return ["its initial field is not drawn from a Gaussian law"]
    return []


__all__ = ["Likelihood", "RandomisedLikelihood", "Search", "reasons_against"]
