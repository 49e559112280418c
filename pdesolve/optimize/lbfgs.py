"""L-BFGS: quasi-Newton steps from the last few curvature pairs, with a reason for every stop.

With pairs s_k = θ_{k+1} - θ_k, y_k = g_{k+1} - g_k, the direction is -H g by the two-loop recursion of
Nocedal & Wright, Numerical Optimization (2006), Algorithm 7.4, with H_0 = (sᵀy / yᵀy) I, eq. (7.20).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor

from .line_search import Wolfe, strong_wolfe
from .optimizer import Objective, Optimizer, StepReport


@dataclass
class LBFGSState:
    """Iterate, loss, gradient, and pairs (oldest first), each (p,)."""

    theta: Tensor
    loss: float
    gradient: Tensor
    steps: list[Tensor] = field(default_factory=list)
    changes: list[Tensor] = field(default_factory=list)
    evaluations: int = 1
    resets: int = 0


@dataclass(frozen=True)
class LBFGS(Optimizer):
    """Limited-memory BFGS, for networks whose p² numbers are too many for a dense matrix.

    Attributes:
        history: pairs kept; 100 suits PINNs, fewer cost accuracy.
        max_evaluations: of one line search.

    It needs float64: in single precision the line search stops early.
    """

    history: int = 100
    max_evaluations: int = 25

    name: ClassVar[str] = "lbfgs"
    collects_curvature: ClassVar[bool] = True

    def start(self, objective: Objective, theta: Tensor) -> LBFGSState:
        """No pairs yet: the first step goes along the gradient."""
        loss, gradient = objective(theta)
        return LBFGSState(theta.clone(), float(loss), gradient.clone())

    def restart(self, state: LBFGSState, objective: Objective) -> None:
        """Loss and gradient of the changed objective; the pairs are kept."""
        loss, gradient = objective(state.theta)
        state.loss, state.gradient = float(loss), gradient
        state.evaluations += 1

    def step(self, state: LBFGSState, objective: Objective) -> StepReport:
        """One line search; where none lowers the loss, the pairs are given up and the gradient is tried."""
        rule = Wolfe(c2=0.9, max_evaluations=self.max_evaluations)
        if float(state.gradient.norm()) == 0.0:
            return StepReport(False, reason="the gradient is zero")
        for _ in range(2):
            direction = -self._times_inverse_hessian(state)
            first = 1.0 if state.steps else min(1.0, 0.1 / float(state.gradient.norm()))
            found = strong_wolfe(objective, state.theta, direction, state.loss, state.gradient, rule, first)
            state.evaluations += found.evaluations
            if found.trial is not None:
                self._accept(state, found.trial.alpha * direction, found.trial.loss, found.trial.gradient)
                return StepReport(True, found.trial.alpha)
            if not state.steps:
                break
            state.steps.clear()
            state.changes.clear()
            state.resets += 1
        return StepReport(
            False,
            reason=f"no step along the gradient (norm {float(state.gradient.norm()):.1e}) lowers the loss",
        )

    def _accept(self, state: LBFGSState, step: Tensor, loss: float, gradient: Tensor) -> None:
        change = gradient - state.gradient
        # Without positive curvature the pair would spoil the definiteness of H.
        if float(torch.dot(step, change)) > 1e-14 * float(step.norm()) * float(change.norm()):
            state.steps.append(step)
            state.changes.append(change)
            del state.steps[: -self.history], state.changes[: -self.history]
        state.theta = state.theta + step
        state.loss, state.gradient = loss, gradient

    @staticmethod
    def _times_inverse_hessian(state: LBFGSState) -> Tensor:
        """H g by the two-loop recursion."""
        q = state.gradient.clone()
        shares = []
        for s, y in zip(reversed(state.steps), reversed(state.changes), strict=True):
            share = torch.dot(s, q) / torch.dot(s, y)
            shares.append(share)
            q = q - share * y
        if state.steps:
            s, y = state.steps[-1], state.changes[-1]
            q = q * (torch.dot(s, y) / torch.dot(y, y))
        for s, y, share in zip(state.steps, state.changes, reversed(shares), strict=True):
            q = q + (share - torch.dot(y, q) / torch.dot(s, y)) * s
        return q
