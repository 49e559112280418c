"""All steps of a trajectory at once: what they leave, and Newton's method for it.

    F_j(u) = Φ(u_{j-1}) - u_j,   j = 1 … m,   u₀ given,   Φ a few steps of ETDRK4 between stored times

F is the residual of the integrator itself: it vanishes on its own trajectories, whatever the distance of the
stored times, where differences in time would leave their truncation error. All F_j are evaluated side by
side. Newton's correction solves a block bidiagonal system by forward substitution,

    δ_j = Φ'(u_{j-1}) δ_{j-1} + F_j,   δ₀ = 0,

with matrices Φ' that are taken once and serve finer levels too, where modes that they do not know follow
the linear part alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from .ensemble import Level
from .evolution import Evolution
from .semilinear import Semilinear


class StepResidual:
    """F on one level, for trajectories (batch, times, components, *modes) or values of them.

    Args:
        evolution: the equations, autonomous.
        spacing: of the stored times.
        level: points, and steps between stored times.
    """

    def __init__(
        self,
        evolution: Evolution,
        spacing: float,
        level: Level,
        dtype: torch.dtype = torch.float64,
        device: str | torch.device = "cpu",
    ) -> None:
        self.system = Semilinear(evolution, level.points, dtype=dtype, device=device)
        self.level = level
        self._coefficients = self.system.coefficients(spacing / level.steps)

    def propagate(self, state: Tensor) -> Tensor:
        """Φ of states (batch, components, *modes)."""
        return self.system.advance(self._coefficients, state, 0.0, self.level.steps)

    def between(self, trajectory: Tensor) -> Tensor:
        """The trajectory with the states after every step, (m · steps + 1, components, *modes)."""
        state, rows = trajectory[:-1], [trajectory[:-1]]
        for _ in range(self.level.steps - 1):
            state = self.system.advance(self._coefficients, state, 0.0)
            rows.append(state)
        dense = torch.stack(rows, dim=1).flatten(0, 1)
        return torch.cat([dense, trajectory[-1:]])

    def values(self, trajectory: Tensor) -> Tensor:
        """F (m, components, *modes) of one trajectory (m + 1, components, *modes)."""
        return self.propagate(trajectory[:-1]) - trajectory[1:]

    def jacobian(self, trajectory: Tensor) -> Tensor:
        """Φ'(u_{j-1}), j = 1 … m, as real matrices (m, s, s) on `packed` states."""
        states = trajectory[:-1]
        size = packed(states[:1]).shape[1]
        directions = unpacked(torch.eye(size, dtype=self.system.dtype), states.shape[1:])
        columns = []
        for state in states:  # one interval at a time: all directions together are a large batch

            def along(direction: Tensor, state: Tensor = state) -> Any:
                found: Any = torch.func.jvp(self.propagate, (state[None],), (direction[None],))
                return found[1][0]

            columns.append(packed(torch.func.vmap(along)(directions)).T)
        return torch.stack(columns)

    def correction(self, trajectory: Tensor, jacobian: Tensor) -> Tensor:
        """Newton's δ, shape as ``trajectory``; the jacobian may be that of a coarser level."""
        residual = self.values(trajectory)
        decay = self._decay
        lead = trajectory.shape[1:-1]
        known = (*lead, jacobian.shape[-1] // (2 * lead.numel()))
        deltas = [torch.zeros_like(trajectory[0])]
        for matrix, left in zip(jacobian, residual, strict=True):
            before = deltas[-1]
            delta = decay * before + left
            inner = before[..., : known[-1]]
            moved = packed(inner[None]) @ matrix.T
            delta[..., : known[-1]] = unpacked(moved, known)[0] + left[..., : known[-1]]
            deltas.append(delta)
        return torch.stack(deltas)

    @property
    def _decay(self) -> Tensor:
        """exp(L Δt) between two stored times, for a diagonal L."""
        full: Any = self._coefficients.full
        result: Tensor = full**self.level.steps
        return result


def packed(states: Tensor) -> Tensor:
    """Complex states (n, *shape) as real vectors (n, 2 numel)."""
    vectors: Tensor = torch.view_as_real(states.contiguous()).flatten(1)
    return vectors


def unpacked(vectors: Tensor, shape: Sequence[int]) -> Tensor:
    """The inverse of `packed`."""
    states: Tensor = torch.view_as_complex(vectors.reshape(len(vectors), *shape, 2).contiguous())
    return states


__all__ = ["StepResidual"]
