"""Levenberg-Marquardt with geodesic acceleration: damped Gauss-Newton steps for least squares.

For a loss ‖r(θ)‖² with rows r (m,) and Jacobian J (m, p) the velocity solves

    min_v ‖r + J v‖² + μ ‖D v‖²,

and the acceleration a, which follows the curved valley of the loss to second order,

    min_a ‖r_vv + J a‖² + μ ‖D a‖²,    r_vv = ∂²r(θ + s v)/∂s²,    θ ← θ + v + a/2.

The true loss decides on the damping μ: on one Jacobian several dampings are tried, and the lowest loss is
taken. Marquardt, J. Soc. Indust. Appl. Math. 11 (1963) 431; Transtrum & Sethna, arXiv 1201.5885, eqs. (9) to
(11) and section 3; several trials on one factorisation as in Webb, Jerad & Cartis, arXiv 2607.02194.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar, Literal

import torch
from torch import Tensor

from ..ranks import Ranks
from .damped import SYSTEMS, Damped, System
from .optimizer import LeastSquares, Optimizer, StepReport

Form = Literal["auto", "normal", "qr", "dual"]

_PROBE = 0.1  # of the step, at which r_vv is read off: Transtrum & Sethna, section 3
_LOST = 1e-12  # relative damping below which normal equations have no digits left


@dataclass
class GaussNewtonState:
    """Iterate, damping and counts.

    Attributes:
        theta: (p,).
        damping: μ of the last accepted step, relative to the mean of the squared column norms of J.
        target: half of the loss from which patience counts; waited: steps since the loss was there.
        system: the form of the linear system that was used last.
    """

    theta: Tensor
    loss: float
    damping: float
    target: float = math.inf
    waited: int = 0
    generator: torch.Generator = field(default_factory=torch.Generator)
    system: str = ""
    evaluations: int = 1
    linearisations: int = 0


@dataclass(frozen=True)
class GaussNewton(Optimizer):
    """Damped Gauss-Newton for up to about 3,000 parameters, or any number with ``sketch``.

    A step costs one Jacobian, m p² flops for JᵀJ (twice that for QR), and for each damping tried p³/3 flops
    and two evaluations of the rows. It keeps nothing but θ and μ, so that points may change at any step.

    Attributes:
        system: "normal" solves the normal equations by Cholesky; they square the condition of J, so that
            directions with singular values below 1e-8 of the largest are lost. "qr" keeps them, at about
            three times the cost. "dual" solves for m numbers instead of p. "auto" takes "dual" where
            m < p, and changes from "normal" to "qr" where the damping falls to where digits are lost.
        damping: first μ; 1e-2 suits networks as they are initialised.
        least_damping: lower bound of μ.
        factor: by which μ falls or rises between trials.
        trials: dampings tried at most in a step.
        acceleration: follow the second order along the step; it costs one evaluation of the rows a trial and
            repays it many times in the curved valleys of networks.
        marquardt: D = the column norms of J instead of the identity: the step does not change with the scale
            of parameters. Slower at first, lower in the end, on the problems tried.
        patience: steps within which the loss must halve, else it is over (`StepReport.is_over`); None: never.
            Losses of networks fall in stairs, on which patience ends too early; where rows are linear in the
            parameters, or nearly so, few steps reach the minimum, and 3 is enough.
        least_gain: it is over, too, where the linearised rows promise, without damping, to lower the loss by
            less than this share; None: never. 0.1 suits rows that are (nearly) linear in the parameters.
        sketch: number of random combinations of parameters that a step is sought in, drawn anew for each
            step; None seeks it among all parameters. From 3,000 parameters on, try 1,000.
    """

    system: Form = "auto"
    damping: float = 1e-2
    least_damping: float = 1e-16
    factor: float = 4.0
    trials: int = 10
    acceleration: bool = True
    marquardt: bool = False
    patience: int | None = None
    least_gain: float | None = None
    sketch: int | None = None

    name: ClassVar[str] = "gauss-newton"
    needs_rows: ClassVar[bool] = True

    def start(self, objective: LeastSquares, theta: Tensor) -> GaussNewtonState:
        """The given damping at the given parameters."""
        generator = torch.Generator(device=theta.device).manual_seed(theta.numel())
        return GaussNewtonState(
            theta.clone(), self._loss(objective, theta), self.damping, generator=generator
        )

    def restart(self, state: GaussNewtonState, objective: LeastSquares) -> None:
        """Only the loss is evaluated anew."""
        before, state.loss = state.loss, self._loss(objective, state.theta)
        if 0 < before < math.inf:  # new points do not renew patience
            state.target *= state.loss / before
        state.evaluations += 1

    def step(self, state: GaussNewtonState, objective: LeastSquares) -> StepReport:
        """One Jacobian; the lowest true loss among the dampings tried.

        Trials begin a factor below the last damping and go down while that pays, else up until the loss
        falls.
        """
        rows, jacobian = objective.linearise(state.theta)
        state.linearisations += 1
        lift: Callable[[Tensor], Tensor] = lambda step: step  # noqa: E731
        if self.sketch is not None and self.sketch < jacobian.shape[1]:
            jacobian, lift = _sketch(jacobian, self.sketch, state.generator)
        system = self._system(state, jacobian, objective.ranks)
        state.system = system.name
        best: tuple[float, float, Tensor] | None = None
        damping, falling, is_over = max(state.damping / self.factor, self.least_damping), True, False
        for _ in range(self.trials):
            damped = system.damped(damping)
            if damping <= self.least_damping:
                is_over = self._gains_little(damped, rows, jacobian, objective.ranks)
            move = self._move(damped, rows, jacobian, lift, state, objective)
            loss = math.inf if move is None else self._loss(objective, state.theta + move)
            state.evaluations += 1
            if move is not None and loss < (state.loss if best is None else best[0]):
                best = (loss, damping, move)
                if not falling or damping <= self.least_damping:
                    break
                damping = max(damping / self.factor, self.least_damping)
            elif best is not None or is_over:
                break
            else:
                falling = False
                damping *= self.factor
        if best is None and not is_over and self.least_gain is not None:
            undamped = system.damped(self.least_damping)
            is_over = self._gains_little(undamped, rows, jacobian, objective.ranks)
        reason = "linearised, the rows promise little more" if is_over else ""
        if best is None:
            state.damping = min(damping, 1e6)
            reason = reason or f"no damping up to {damping:.0e} lowered the loss"
            return StepReport(False, reason=reason, is_over=is_over)
        state.loss, state.damping, move = best
        state.theta = state.theta + move
        if state.loss <= state.target:
            state.target, state.waited = state.loss / 2, 0
        else:
            state.waited += 1
        if not is_over and self.patience is not None and state.waited >= self.patience:
            is_over, reason = True, f"the loss did not halve in {self.patience} steps"
        return StepReport(True, float(move.norm()), reason, is_over=is_over)

    def _system(self, state: GaussNewtonState, jacobian: Tensor, ranks: Ranks) -> System:
        kind = self.system
        if kind == "auto":
            p = jacobian.shape[1]
            m = int(ranks.sum(torch.tensor(len(jacobian), device=jacobian.device)))
            lost = _LOST if jacobian.dtype == torch.float64 else 1e-5
            kind = "dual" if m < p else "qr" if state.damping < lost else "normal"
        return SYSTEMS[kind](jacobian, self.marquardt, ranks)

    def _move(
        self,
        damped: Damped | None,
        rows: Tensor,
        jacobian: Tensor,
        lift: Callable[[Tensor], Tensor],
        state: GaussNewtonState,
        objective: LeastSquares,
    ) -> Tensor | None:
        """v + a/2, or v where a is so large that the second order means little, or None."""
        if damped is None:
            return None
        velocity = damped.solve(rows)
        move = lift(velocity)
        if self.acceleration:
            probed = objective.rows(state.theta + _PROBE * move)
            state.evaluations += 1
            curvature = 2 / _PROBE * ((probed - rows) / _PROBE - jacobian @ velocity)
            half = 0.5 * damped.solve(curvature)
            if float(half.norm()) <= 0.75 * float(velocity.norm()):  # not so where it is not finite
                move = lift(velocity + half)
        return move if bool(torch.isfinite(move).all()) else None

    def _gains_little(self, damped: Damped | None, rows: Tensor, jacobian: Tensor, ranks: Ranks) -> bool:
        """Whether the loss would fall by less than ``least_gain`` of itself if the rows were linear."""
        if self.least_gain is None or damped is None:
            return False
        left = rows + jacobian @ damped.solve(rows)
        before, after = ranks.sum(torch.stack([rows.square().sum(), left.square().sum()])).tolist()
        return bool(after >= (1 - self.least_gain) * before)

    @staticmethod
    def _loss(objective: LeastSquares, theta: Tensor) -> float:
        value = float(objective.ranks.sum(objective.rows(theta).square().sum()))
        return value if math.isfinite(value) else math.inf


def _sketch(
    jacobian: Tensor, size: int, generator: torch.Generator
) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
    """J S and the map y -> S y, with S (p, size) a CountSketch: each parameter belongs to one combination.

    Charikar, Chen & Farach-Colton (2004): one random sign and one random column a row of S.
    """
    p = jacobian.shape[1]
    like = {"generator": generator, "device": jacobian.device}
    column = torch.randint(size, (p,), **like)  # type: ignore[call-overload]
    sign = (2 * torch.randint(2, (p,), **like) - 1).to(jacobian)  # type: ignore[call-overload]
    sketched = jacobian.new_zeros(len(jacobian), size).index_add_(1, column, jacobian * sign)
    return sketched, lambda y: sign * y[column]
