"""Strong-Wolfe line search by bracketing and safeguarded cubic interpolation.

Nocedal & Wright, Numerical Optimization (2006), Algorithms 3.5 and 3.6, with eq. (3.59) for the cubic.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from .optimizer import Objective


@dataclass
class Trial:
    """One evaluation along the ray θ + α d: loss, gradient and the slope gᵀd."""

    alpha: float
    loss: float
    slope: float
    gradient: Tensor

    @property
    def finite(self) -> bool:
        return math.isfinite(self.loss) and math.isfinite(self.slope)


@dataclass(frozen=True)
class Wolfe:
    """Sufficient decrease f(α) <= f(0) + c1 α f'(0) and curvature |f'(α)| <= c2 |f'(0)|."""

    c1: float = 1e-4
    c2: float = 0.9
    max_evaluations: int = 20


@dataclass
class LineSearchResult:
    """The accepted trial; ``strong`` tells whether it meets both Wolfe conditions.

    ``trial`` is None where no step lowers the loss.
    """

    trial: Trial | None
    strong: bool
    evaluations: int


def _cubic_minimum(a: Trial, b: Trial) -> float:
    """Minimum of the cubic through two losses and slopes, kept away from both ends."""
    low, high = min(a.alpha, b.alpha), max(a.alpha, b.alpha)
    margin = 0.1 * (high - low)
    middle = 0.5 * (low + high)
    if not (a.finite and b.finite):
        return middle
    d1 = a.slope + b.slope - 3 * (a.loss - b.loss) / (a.alpha - b.alpha)
    square = d1 * d1 - a.slope * b.slope
    if not square >= 0:
        return middle
    d2 = math.copysign(math.sqrt(square), b.alpha - a.alpha)
    denominator = b.slope - a.slope + 2 * d2
    if denominator == 0:
        return middle
    found = b.alpha - (b.alpha - a.alpha) * (b.slope + d2 - d1) / denominator
    return min(max(found, low + margin), high - margin) if math.isfinite(found) else middle


def strong_wolfe(
    objective: Objective,
    theta: Tensor,
    direction: Tensor,
    loss: float,
    gradient: Tensor,
    rule: Wolfe,
    first_step: float = 1.0,
) -> LineSearchResult:
    """Search along ``direction`` from ``theta``; falls back to the lowest loss that was seen.

    The fall-back matters: near convergence round-off blurs the Wolfe conditions, and a method that insists
    on them stalls although the loss still falls.
    """
    origin = Trial(0.0, loss, float(torch.dot(gradient, direction)), gradient)
    if not origin.slope < 0:
        return LineSearchResult(None, False, 0)
    evaluations = 0
    best: Trial | None = None

    def evaluate(alpha: float) -> Trial:
        nonlocal evaluations, best
        evaluations += 1
        value, g = objective(theta + alpha * direction)
        trial = Trial(alpha, float(value), float(torch.dot(g, direction)), g)
        if trial.finite and trial.loss < origin.loss and (best is None or trial.loss < best.loss):
            best = trial
        return trial

    def decreases(trial: Trial) -> bool:
        return trial.finite and trial.loss <= origin.loss + rule.c1 * trial.alpha * origin.slope

    def is_flat(trial: Trial) -> bool:
        return abs(trial.slope) <= rule.c2 * abs(origin.slope)

    # Bracket: enlarge the step until an interval surely holds an acceptable point.
    previous, alpha = origin, first_step
    low, high = origin, None
    while evaluations < rule.max_evaluations:
        trial = evaluate(alpha)
        if not decreases(trial) or (previous is not origin and trial.loss >= previous.loss):
            low, high = previous, trial
            break
        if is_flat(trial):
            return LineSearchResult(trial, True, evaluations)
        if trial.slope >= 0:
            low, high = trial, previous
            break
        previous, alpha = trial, 2 * alpha
    # Zoom: shrink [low, high], where low has the lower loss and its slope points into the interval.
    while high is not None and evaluations < rule.max_evaluations:
        trial = evaluate(_cubic_minimum(low, high))
        if not decreases(trial) or trial.loss >= low.loss:
            high = trial
        else:
            if is_flat(trial):
                return LineSearchResult(trial, True, evaluations)
            if trial.slope * (high.alpha - low.alpha) >= 0:
                high = low
            low = trial
        if abs(high.alpha - low.alpha) <= 1e-12 * max(abs(low.alpha), abs(high.alpha)):
            break
    return LineSearchResult(best, False, evaluations)
