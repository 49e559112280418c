"""Training on the equations: a network's trajectory against steps of the integrator from itself.

    loss = mean_i ( Σ_{j ∈ J} Σ_{h=1}^{H} |u_{j+h} - Φ^h(u_j)|² / |u₀|² )^{1/2},   Φ a few steps of ETDRK4

for random starts J. The right-hand side Φ^h(u_j) is held fixed: errors then flow forward in time, from the
initial values that the network's output holds exactly, and each step of training makes a piece of the
trajectory consistent with the piece before. With the gradient of both sides it is the least-squares residual
of the published method, which trained more slowly in trials on Burgers' equation.

Li et al., arXiv 2111.03794, section 3, with a residual that has no truncation error in time.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ...declare.family import Family
from ...residual.fourier.ensemble import Level
from ...residual.fourier.evolution import Evolution
from ...residual.fourier.steps import StepResidual
from .encoding import EVOLUTION, Encoding

POINTS = 9 / 8
"""Points of the integrator's grid over those of the network's, of whose modes three quarters are kept."""


RUNAWAY = 10.0
"""Pieces that grow by more say nothing: the integrator is unstable on the rough fields of early training."""


class StepLoss:
    """The loss above for batches of trajectories (n, times, unknowns, *grid).

    Args:
        horizon: H, stored times that a piece spans; starts: pieces of each trajectory.
        steps: of the integrator between two stored times.

    Raises:
        ValueError: the family has no such integrator.
    """

    def __init__(
        self,
        family: Family,
        encoding: Encoding,
        grid: tuple[int, ...],
        horizon: int,
        starts: int,
        steps: int,
        dtype: torch.dtype,
        device: str,
    ) -> None:
        evolution = Evolution(family.typical) if encoding.kind == EVOLUTION else None
        if evolution is None or family.numbers or evolution.algebraic or not evolution.is_autonomous:
            raise ValueError(
                "physics= needs an autonomous periodic evolution whose members differ in fields alone"
            )
        spacing = encoding.times[1] - encoding.times[0]
        self.horizon, self.starts, self.grid = min(horizon, len(encoding.times) - 1), starts, grid
        level = Level(round(POINTS * grid[0]), steps)
        self.residual = StepResidual(evolution, spacing, level, dtype, device)

    def __call__(self, trajectories: Tensor, generator: torch.Generator) -> Tensor:
        """The loss of each member, (n,), at random starts."""
        n, times = trajectories.shape[:2]
        starts = torch.randperm(times - self.horizon, generator=generator)[: self.starts]
        with torch.no_grad():
            begin = trajectories[:, starts].flatten(0, 1)
            state = self.residual.system.state(begin)
            targets = []
            for _ in range(self.horizon):
                state = self.residual.propagate(state)
                targets.append(self.residual.system.fields(state, self.grid[0]))
            target = torch.stack(targets, dim=1)
            target = target.view(n, len(starts), *target.shape[1:])
        places = starts[:, None] + torch.arange(1, self.horizon + 1)
        first = begin.flatten(1).norm(dim=1).view(n, len(starts), 1)
        sane = target.flatten(3).norm(dim=3) < RUNAWAY * first
        sane = sane.view(*target.shape[:3], *[1] * (target.ndim - 3))
        wrong = torch.where(sane, trajectories[:, places] - target, torch.zeros_like(target)).flatten(1)
        size = trajectories[:, 0].flatten(1).norm(dim=1) * places.numel() ** 0.5
        loss: Tensor = wrong.norm(dim=1) / size.detach()
        return loss


__all__ = ["StepLoss"]
