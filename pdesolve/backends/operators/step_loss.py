"""Training on the equations: a network's trajectory against pieces of the integrator's that start on it.

    loss = mean_i ‖u - ū‖₂ / (√m ‖u₀‖₂),   ū_{j+h} = Φ^h(u_j),  h = 1 … H,  j = 0, o, o + H, o + 2H, …

over the m stored times, Φ a few steps of ETDRK4. The pieces ū are held fixed, and taken anew from time to
time with another offset o: errors then flow forward in time, from the initial values that the network's
output holds exactly, and each renewal carries what is known at the start of a piece to its end. Between
renewals a step costs what one with labels does. With H as long as the trajectory, ū is the integrator's own
solution.

With H = 1 and the gradient of both sides it is the least-squares residual of the published method (Li et al.,
arXiv 2111.03794, section 3), without its truncation error in time; held fixed they are the targets of fitted
value iteration. The horizon was chosen on members of another seed than those of the benchmark.
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
    """The loss above for batches of trajectories (n, times, unknowns, *grid), the initial values first.

    Args:
        horizon: H, stored times that a piece spans.
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
        self.horizon, self.grid = min(horizon, len(encoding.times) - 1), grid
        level = Level(round(POINTS * grid[0]), steps)
        self.residual = StepResidual(evolution, spacing, level, dtype, device)

    def pieces(self, trajectories: Tensor, offset: int) -> Tensor:
        """ū at all times after the first, (n, times - 1, unknowns, *grid); where it runs away, u itself.

        Args:
            offset: o, from 1 to the horizon: where the second piece starts.
        """
        n, last = len(trajectories), trajectories.shape[1] - 1
        starts = [0, *range(offset, last, self.horizon)]
        with torch.no_grad():
            begin = trajectories[:, starts].flatten(0, 1)
            state = self.residual.system.state(begin)
            marched = []
            for _ in range(self.horizon):
                state = self.residual.propagate(state)
                marched.append(self.residual.system.fields(state, self.grid[0]))
            runs = torch.stack(marched, dim=1).view(n, len(starts), self.horizon, *trajectories.shape[2:])
            limit = RUNAWAY * begin.flatten(1).norm(dim=1).view(n, len(starts), 1)
            sane = runs.flatten(3).norm(dim=3) < limit  # False for NaN
            found = trajectories[:, 1:].clone()
            for k, (start, end) in enumerate(zip(starts, [*starts[1:], last], strict=True)):
                keep = sane[:, k, : end - start].view(n, end - start, *[1] * (found.ndim - 2))
                found[:, start:end] = torch.where(keep, runs[:, k, : end - start], found[:, start:end])
        return found

    def against(self, trajectories: Tensor, pieces: Tensor) -> Tensor:
        """The loss of each member, (n,), with pieces that were taken before."""
        size = trajectories[:, 0].flatten(1).norm(dim=1) * pieces.shape[1] ** 0.5
        loss: Tensor = (trajectories[:, 1:] - pieces).flatten(1).norm(dim=1) / size.detach()
        return loss

    def __call__(self, trajectories: Tensor) -> Tensor:
        """The loss of each member, (n,), with pieces of the trajectories themselves."""
        return self.against(trajectories, self.pieces(trajectories, self.horizon))


__all__ = ["StepLoss"]
