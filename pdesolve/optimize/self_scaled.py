"""Dense self-scaled quasi-Newton methods: SSBroyden1, SSBroyden2, SSBFGS and BFGS.

With the step s = -α H g, the gradient change y, and

    ρ = 1/(yᵀs),  h = ρ yᵀH y,  b = -α ρ sᵀg (= sᵀB s / yᵀs),  a = h b - 1,

the inverse Hessian is updated by the self-scaled Broyden family

    H ← [H - H y yᵀH/(yᵀH y) + φ (yᵀH y) v vᵀ]/τ + ρ s sᵀ,
    v = ρ s - H y/(yᵀH y),  φ = (1 - θ)/(1 + a θ),

with θ and τ by Al-Baali's rules. Urbán, Stefanou & Pons, J. Comput. Phys. 523 (2025) 113656, section 3;
Al-Baali, Spedicato & Maggioni, Optim. Methods Softw. 29 (2014) 937. Meant for float64 and up to about
5,000 parameters: memory is p² numbers, each step costs one product with H and one rank-two update.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import ClassVar, Literal

import torch
from torch import Tensor

from .line_search import Wolfe, strong_wolfe
from .optimizer import Objective, Optimizer, StepReport

Variant = Literal["ssbroyden2", "ssbroyden1", "ssbfgs", "bfgs"]

WOLFE = Wolfe(c2=0.9, max_evaluations=25)
"""A loose curvature condition: quasi-Newton steps need no exact line search."""


@dataclass
class SelfScaledState:
    """Iterate, loss, gradient and inverse Hessian.

    Attributes:
        theta, gradient: (p,); inverse_hessian: (p, p).
        direction: the next search direction -H g, made with the update that it shares a product with.
        step_length: the last accepted α, from which the next search starts.
        updates: updates of H since it was last reset.
        resets: how often H was given up.
    """

    theta: Tensor
    loss: float
    gradient: Tensor
    inverse_hessian: Tensor
    direction: Tensor
    step_length: float = 1.0
    updates: int = 0
    resets: int = 0
    evaluations: int = field(default=1)


@dataclass(frozen=True)
class SelfScaled(Optimizer):
    """A dense quasi-Newton method; ``variant`` chooses θ and τ.

    ``ssbroyden2`` is the best on most PINN problems; ``ssbfgs`` is θ = 0 with the same scaling,
    ``bfgs`` has neither.
    """

    variant: Variant = "ssbroyden2"

    name: ClassVar[str] = "self-scaled"
    collects_curvature: ClassVar[bool] = True

    def start(self, objective: Objective, theta: Tensor) -> SelfScaledState:
        """H = I at the given parameters."""
        loss, gradient = objective(theta)
        identity = torch.eye(theta.numel(), dtype=theta.dtype, device=theta.device)
        return SelfScaledState(theta.clone(), float(loss), gradient.clone(), identity, -gradient)

    def restart(self, state: SelfScaledState, objective: Objective) -> None:
        """Go on with a changed objective (new points, new weights), in place; H is kept.

        H is symmetrised; it is reset only where it lost positive definiteness.
        """
        h = state.inverse_hessian
        h.add_(h.T.clone()).mul_(0.5)
        _, failed = torch.linalg.cholesky_ex(h)
        loss, gradient = objective(state.theta)
        state.loss, state.gradient = float(loss), gradient
        state.evaluations += 1
        if int(failed) or not bool(torch.isfinite(h).all()):
            self._reset(state)
        else:
            state.direction = -(h @ gradient)

    def step(self, state: SelfScaledState, objective: Objective) -> StepReport:
        """One line search and update, in place.

        The search takes the lowest loss it saw where the Wolfe conditions cannot be met. Where no trial
        along -H g lowers the loss, H is reset and the gradient tried; only if that fails too, the report
        says that nothing moved.
        """
        for _ in range(2):
            # Self-scaling makes H large, so that α = 1 mostly overshoots: the last α, slightly enlarged, is
            # the better first trial.
            first = min(1.0, 1.2 * state.step_length) if state.updates else self._first_step(state)
            found = strong_wolfe(
                objective, state.theta, state.direction, state.loss, state.gradient, WOLFE, first
            )
            state.evaluations += found.evaluations
            if found.trial is not None:
                state.step_length = found.trial.alpha
                self._accept(state, found.trial.alpha, found.trial.loss, found.trial.gradient)
                return StepReport(True, found.trial.alpha)
            if state.updates == 0:
                break
            self._reset(state)
        norm = float(state.gradient.norm())
        return StepReport(False, reason=f"no step along the gradient (norm {norm:.1e}) lowers the loss")

    def _first_step(self, state: SelfScaledState) -> float:
        """Without curvature, a step that changes the parameters by at most 0.1 in norm."""
        return float(min(1.0, 0.1 / max(float(state.gradient.norm()), 1e-300)))

    def _reset(self, state: SelfScaledState) -> None:
        state.inverse_hessian.zero_().fill_diagonal_(1.0)
        state.direction = -state.gradient
        state.step_length = 1.0
        state.updates = 0
        state.resets += 1

    def _accept(self, state: SelfScaledState, alpha: float, loss: float, gradient: Tensor) -> None:
        """Move, update H, and make the next direction from the one product H g that both need."""
        h = state.inverse_hessian
        s = alpha * state.direction
        y = gradient - state.gradient
        hg = h @ gradient
        hy = hg + state.direction  # H y = H g_new - H g_old, and direction = -H g_old
        sy, yhy = float(torch.dot(s, y)), float(torch.dot(y, hy))
        sbs = -alpha * float(torch.dot(s, state.gradient))
        state.theta = state.theta + s
        # Without positive curvature the update would lose definiteness: move, but keep H.
        if sy > 1e-14 * float(s.norm()) * float(y.norm()) and yhy > 0 and sbs > 0:
            theta, tau = self._scaling(sy, yhy, sbs, h.shape[0], first=state.updates == 0)
            if math.isfinite(tau) and tau > 0:
                rho, a = 1 / sy, yhy / sy * sbs / sy - 1
                phi = (1 - theta) / (1 + a * theta)
                # v vᵀ written out in s and H y: one rank-two product instead of three rank-one updates.
                basis = torch.stack([s, hy], dim=1)  # (p, 2)
                cross = -phi * rho / tau
                middle = torch.tensor(
                    [[rho + phi * yhy * rho * rho / tau, cross], [cross, (phi - 1) / yhy / tau]],
                    dtype=h.dtype,
                    device=h.device,
                )
                scaled = basis @ middle
                h.addmm_(scaled, basis.T, beta=1 / tau)
                hg = hg / tau + scaled @ (basis.T @ gradient)
                state.updates += 1
        state.loss, state.gradient, state.direction = loss, gradient, -hg

    def _scaling(self, sy: float, yhy: float, sbs: float, p: int, first: bool) -> tuple[float, float]:
        """θ of the Broyden family and the scaling τ."""
        h, b = yhy / sy, sbs / sy
        a = h * b - 1
        if self.variant == "bfgs":
            return 0.0, (h if first else 1.0)
        if self.variant == "ssbfgs":
            return 0.0, (h if first else min(1.0, 1 / b))
        if abs(a) < 1e-12:  # s and H y are parallel: all members of the family agree
            return 0.0, (h if first else min(1.0, 1 / b))
        c = math.sqrt(abs(a) / (1 + a))
        rho_m = min(1.0, h * (1 - c))
        theta_m = (rho_m - 1) / a
        if self.variant == "ssbroyden2":
            theta = max(theta_m, min(1 / rho_m if rho_m > 0 else math.inf, (1 - b) / b))
        elif b > 1:
            theta = max(theta_m, 1 / (1 - b))
        elif b < 1:
            theta = min(max(1.0, b * (1 + c)), 1 / (1 - b))
        else:
            theta = theta_m
        sigma = 1 + theta * a
        if sigma <= 0:
            return 0.0, min(1.0, 1 / b)
        if first:
            return theta, h / sigma
        sigma_1 = abs(sigma) ** (1 / (1 - p)) if p > 1 else 1.0
        rho_k = min(1.0, 1 / b)
        tau = min(rho_k * sigma_1, sigma) if theta <= 0 else rho_k * min(sigma_1, 1 / theta)
        return theta, tau
