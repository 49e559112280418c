"""The doctor: what went wrong in a run, from its residuals; each finding names a culprit and a remedy."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ...residual.objective import mean_squares
from ...residual.program import LoweredTerm, derivative_name
from ...residual.residual import Batch, Residual
from ...solution.finding import Finding
from .inverse import Evidence, observed

OVERFITTED = 5.0  # held-out over training mean square: Dai et al.'s rule for TINN
_FLAT = 0.9  # of the least mean square so far, which a last third that moves falls below
_DONE = 1e-12  # fall of the mean square after which a plateau is no failure
_DOMINATES = 1e3  # ratio of root mean squares
_TINY = float(np.finfo(np.float64).tiny)
_NEGLIGIBLE = 1e-10  # root mean square below which nothing dominates


@dataclass(frozen=True, eq=False)
class Ruined:
    """A term whose residual is not finite at a point (d,)."""

    term: LoweredTerm
    point: Tensor
    where: str


def first_ruined(residual: Residual, theta: Tensor, batch: Batch) -> Ruined | None:
    """The first term and point whose residual is not finite; None where all are finite."""
    values = residual.values(theta, batch)
    for group, rows, part in zip(residual.groups, values, batch, strict=True):
        bad = (~torch.isfinite(rows)).nonzero()  # (count, 2): row of the group, point
        if len(bad):
            row, index = bad[0].tolist()
            point = part.points[index]
            at = zip(residual.program.problem.coordinates, point.tolist(), strict=True)
            where = ", ".join(f"{c.name} = {value:.6g}" for c, value in at)
            return Ruined(residual.terms[group[row]], point, where)
    return None


def not_finite(residual: Residual, theta: Tensor, batch: Batch) -> list[Finding]:
    """The first term and point whose residual is not finite, and the derivative that is to blame."""
    first = first_ruined(residual, theta, batch)
    if first is None:
        return []
    term = first.term
    found = residual.derivatives(theta, first.point[None], term.derivatives)
    ordered = sorted(zip(term.derivatives, found, strict=True), key=lambda pair: sum(pair[0][1]))
    blown = [d for d, value in ordered if not bool(torch.isfinite(value).all())]
    if blown:
        name, order = derivative_name(residual.program.problem, blown[0]), sum(blown[0][1])
        culprit = f"{name} (a derivative of order {order}) is not finite"
    else:
        culprit = "its derivatives are finite, what the equation makes of them is not"
    remedy = "Check the expression for roots, logarithms or quotients of what may vanish there"
    if residual.dtype != torch.float64:
        remedy += "; use dtype='float64'"
    digits = str(residual.dtype).removeprefix("torch.")
    what = f"not finite at {first.where} in {digits}: {culprit}"
    return [Finding(term.name, what, f"{remedy}; a smaller learning rate may avoid such values.")]


def plateau(validation: Sequence[float], every: int) -> list[Finding]:
    """No progress over the last third; ``validation``: held-out mean squares, one each ``every`` steps."""
    if len(validation) < 6:
        return []
    third = len(validation) // 3
    before, after = min(validation[:-third]), min(validation[-third:])
    if after < _FLAT * before or after < _DONE * validation[0]:
        return []
    return [
        Finding(
            "the held-out residual",
            f"no progress over the last {third * every} steps, from {math.sqrt(before):.2e} on",
            "Give a larger network (width=, depth=), more points=, or slabs= where time is long; "
            "in float32 use dtype='float64'; with gradient methods try optimizer='gauss-newton'.",
        )
    ]


def overfitting(training: Sequence[float], validation: Sequence[float], redraws: int) -> list[Finding]:
    """Residuals that fall at the collocation points and not between them."""
    if not training:
        return []
    ratio = math.sqrt(validation[-1] / max(training[-1], _TINY))
    if ratio <= math.sqrt(OVERFITTED) and redraws <= len(training) / 3:
        return []
    drawn = f"; points were redrawn {redraws} times because of it" if redraws else ""
    return [
        Finding(
            "the collocation points",
            f"the residual is {ratio:.3g} times larger between them than at them{drawn}",
            "Give more points=, a sampler that redraws them (sampler='rad'), or a smaller network.",
        )
    ]


def growth(losses: Sequence[float], ends: Sequence[float]) -> list[Finding]:
    """A slab of time whose residual is far above what it was before; ``losses``: mean squares, one a slab."""
    if len(losses) < 2 or not np.isfinite(losses).all():
        return []
    ratios = [math.sqrt(losses[k] / max(float(np.median(losses[:k])), _TINY)) for k in range(1, len(losses))]
    worst = 1 + int(np.argmax(ratios))
    ratio = ratios[worst - 1]
    if ratio <= _DOMINATES or math.sqrt(losses[worst]) < _NEGLIGIBLE:
        return []
    return [
        Finding(
            f"slab {worst + 1}, from {ends[worst]:.6g} to {ends[worst + 1]:.6g}",
            f"its residual, {math.sqrt(losses[worst]):.1e}, is {ratio:.0e} times that of earlier slabs",
            "Give shorter slabs from there on (slabs= takes the times at which they meet), a larger network, "
            "or more points=, where it grew from slab to slab.",
        )
    ]


def dominance(residual: Residual, theta: Tensor, held_out: Batch, weights: Sequence[float]) -> list[Finding]:
    """An equation whose residual is 1e3 times that of all others, or a condition that is so against them."""
    sets = observed(residual)
    squares = mean_squares(residual, theta, held_out)
    sizes = {
        i: math.sqrt(w * s) for i, (w, s) in enumerate(zip(weights, squares, strict=True)) if i not in sets
    }
    equations = {i: size for i, size in sizes.items() if residual.terms[i].term.is_equation}
    found = []
    for i, size in sizes.items():
        others = [other for j, other in equations.items() if j != i]
        if not others or size < _NEGLIGIBLE or size <= _DOMINATES * max(others):
            continue
        found.append(
            Finding(
                residual.terms[i].name,
                f"its weighted residual, {size:.1e}, is {size / max([*others, _TINY]):.0e} times "
                "that of every equation besides",
                "Scale that equation so that its terms are of order one, change condition_weight=, "
                "or balance the terms (balance='gradient-norm').",
            )
        )
    return found


def noise(residual: Residual, found: Evidence) -> list[Finding]:
    """Noise that was stated and is not found, and fits that follow it."""
    findings = []
    for i, ratio in found.ratio.items():
        count = len(observed(residual)[i].values)
        if abs(ratio - 1) > max(0.5, 5 * math.sqrt(2 / count)):
            findings.append(
                Finding(
                    residual.terms[i].name,
                    f"the misfit is {math.sqrt(ratio):.2g} times the noise that was stated",
                    "Check noise= and the equations: intervals of parameters rest on both.",
                )
            )
    total = sum(len(c.values) for c in observed(residual).values())
    fitted, parameters = found.freedom, len(residual.program.parameters)
    if fitted > 2 * parameters + 0.1 * total:
        what = f"{fitted:.0f} numbers are fitted to {total} data, {parameters} of them parameters"
        remedy = "The network follows the noise: give a larger budget, or a larger network."
        findings.append(Finding("the observations", what, remedy))
    return findings
