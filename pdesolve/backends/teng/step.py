"""One step in time: stages on the tangent plane, then a fit of the network to where they end.

Every stage is sought as u_θ + J η, the plane that touches the manifold of networks at the present state. That
is linear in η: one factorisation serves all stages and all Newton steps in them, and no stage can leave the
manifold's neighbourhood for want of convergence. The values at the end of the step are the target of a
damped Gauss-Newton fit of the network itself.

What the fit leaves is carried: the next step starts from the values that were aimed at, not from those that
were met, so that it may be made good later on. Chen et al., ICML 2024 (arXiv 2404.10771), fit every stage.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ...optimize import GaussNewton, LeastSquares
from .rows import Rows
from .schemes import Scheme
from .tangent import TangentPlane

_NEWTON = 10  # steps in a stage at most
_EXACT = 1e-11  # a Newton step this small, relative to the state, is the last
_SLOW = 0.3  # and so is one that is not smaller than the one before by this factor
_TRUST = 0.1  # relative misfit up to which the tangent's end is where the fit begins
_FIT_STEPS = 100
_STALLED, _STUCK = 0.6, 0.9  # of the misfit five steps ago: above, a fit that is enough is over, or any
_MOST_FAILURES = 3
_LEAST_DAMPING = 1e-13


@dataclass(frozen=True)
class Target:
    """Where the stages end.

    Attributes:
        values: of the unknowns at the nodes, (unknowns, n).
        move: η of the last stage, (p,).
        time_error: of the embedded result, relative to the state; 0 where the scheme has none.
        plane_error: what the tangent plane leaves of the stages, relative to the state.
    """

    values: Tensor
    move: Tensor
    time_error: float
    plane_error: float


def stages(
    rows: Rows, scheme: Scheme, theta: Tensor, time: float, step: float, carried: Tensor, cut_off: float
) -> Target:
    """The stages of a step on the tangent plane at θ."""
    c = scheme.diagonal * step
    plane = TangentPlane(rows.jacobian(theta, time, c), cut_off)
    start = rows.state(theta, time) + carried
    size = rows.size_of(start) or 1.0
    slopes = [rows.rate(theta, time)]
    move, worst = torch.zeros_like(theta), 0.0
    parts = rows.on_plane(theta, move, time)
    for row, node in zip(scheme.lower[1:], scheme.nodes[1:], strict=True):
        at = time + node * step
        target = start + step * _sum(row, slopes)
        parts, before = rows.on_plane(theta, move, at), math.inf
        for _ in range(_NEWTON):
            move = move + plane.solve(rows.stage_rows(parts, c, target))
            old, parts = parts, rows.on_plane(theta, move, at)
            moved = rows.size_of(parts.values - old.values)
            if moved < _EXACT * size or moved > _SLOW * before:
                break
            before = moved
        worst = max(worst, float(rows.stage_rows(parts, c, target).norm()) / size)
        # f, not (values - target)/c: that would divide by c what the plane cannot hold of the target
        slopes.append(rows.slopes(parts))
    end = rows.joined(start + step * _sum(scheme.weights, slopes), parts.values)
    if not c:  # the last stage of an explicit scheme is not where it ends
        parts = rows.on_plane(theta, torch.zeros_like(theta), time + step)
        move = plane.solve(rows.stage_rows(parts, 0.0, end))
    error = 0.0
    if scheme.embedded is not None:
        gaps = [b - e for b, e in zip(scheme.weights, scheme.embedded, strict=True)]
        error = rows.size_of(step * _sum(gaps, slopes)) / size
    return Target(end, move, error, worst)


def _sum(weights: Sequence[float], slopes: Sequence[Tensor]) -> Tensor:
    total = torch.zeros_like(slopes[0])
    for weight, slope in zip(weights, slopes, strict=True):
        if weight:
            total = total + weight * slope
    return total


@dataclass(frozen=True)
class Fitted:
    """A fit of the network: its parameters, misfit relative to the target, steps, and the last damping."""

    theta: Tensor
    misfit: float
    steps: int
    damping: float


def fit(
    objective: LeastSquares, size: float, starts: list[Tensor], damping: float, aim: float, enough: float
) -> Fitted:
    """Damped Gauss-Newton from the best of several starts, until the misfit is ``aim`` or falls no more.

    Misfits are relative to ``size``. Once they are ``enough``, less patience will do.
    """
    misfits = [float(objective.rows(theta).norm()) / size for theta in starts]
    best = min(
        range(len(starts)), key=lambda i: misfits[i] if misfits[i] < _TRUST or i == 0 else float("inf")
    )
    method = GaussNewton(damping=max(damping, _LEAST_DAMPING))
    state = method.start(objective, starts[best])
    history, failures = [misfits[best]], 0
    for _ in range(_FIT_STEPS):
        if history[-1] <= aim:
            break
        failures = 0 if method.step(state, objective).moved else failures + 1  # next time with more damping
        history.append(state.loss**0.5 / size)
        stalled = _STALLED if history[-1] <= enough else _STUCK
        if failures > _MOST_FAILURES or (len(history) > 5 and history[-1] > stalled * history[-6]):
            break
    return Fitted(state.theta, history[-1], len(history) - 1, state.damping)
