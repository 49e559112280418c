"""Unknown parameters from noisy observations: how data count against the equations, and intervals.

With independent Gaussian noise of standard deviations σ, parameters q and network θ minimise

    χ² + W L,   χ² = Σ_observations (misfit / σ)²,
    L = Σ_equations mean r² + condition_weight Σ_conditions mean c²,

χ² twice the negative logarithm of the likelihood, W the precision to which the equations hold. Where W is too
small the network follows the noise, as far as that saves more misfit than it costs residual; where it is too
large for the network, the q of least residual wins whatever the data say. Between them lies the W of greatest
evidence (MacKay, Neural Computation 4 (1992) 415, section 4),

    W L = γ,   σ² = misfit² / (1 - γ/n) where σ is not stated,   γ = tr J_d (JᵀJ)⁻¹ J_dᵀ,

with J the Jacobian of all rows of the sum and J_d that of the data: γ is how many numbers are fitted to the
data, from the number of parameters, where the equations are a constraint, to n. A network that follows noise
alone has W L < γ on average, with the scatter of a χ² variable. While training lowers L, W is therefore
raised towards (γ + 2 √(2γ)) / L, and never lowered: the misfit of the equations ends far below the noise.

The covariance of q is its block of (JᵀJ)⁻¹ (Bard, Nonlinear Parameter Estimation (1974), section 7-5). It
counts the noise and the residual that is left, not what a run that was stopped early has yet to find.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from ...declare.conditions import Observations
from ...declare.domain import Array
from ...declare.errors import UndeterminedParameterError
from ...declare.problem import Problem
from ...residual.objective import mean_squares
from ...residual.residual import Batch, Residual
from ..base import Context

if TYPE_CHECKING:
    from .pinn import PINN
    from .state import PINNState

LEVEL = 0.95  # probability of the intervals
_INVERTIBLE = 1e-13  # of the largest column of J: for directions that neither equations nor data see
_RISE = 3.0  # of W at once, at most: training must follow
_TINY = float(np.finfo(np.float64).tiny)


def observed(residual: Residual) -> dict[int, Observations]:
    """Position of each active term that is a set of observations."""
    found = enumerate(term.term.condition for term in residual.terms)
    return {i: condition for i, condition in found if isinstance(condition, Observations)}


@dataclass(frozen=True)
class Evidence:
    """What the rows of χ² + W L say at one θ.

    Attributes:
        covariance: (q, q), of the parameters as θ holds them (logarithms of positive ones).
        freedom: γ.
        precision: W; level: L.
        noise: standard deviation of each set of observations, stated or estimated.
        ratio: χ² / (n - γ n/N) of each set whose noise was stated; near 1 where it was stated rightly.
    """

    covariance: Tensor
    freedom: float
    precision: float
    level: float
    noise: dict[int, float]
    ratio: dict[int, float]


def evidence(
    residual: Residual, theta: Tensor, points: Sequence[Array], weights: Sequence[float], held_out: Batch
) -> Evidence | None:
    """`Evidence` at θ by one Jacobian (m, p) and its QR factors, 2 m p² flops.

    Args:
        points: of each group of terms.
        weights: of each term's mean square as in the loss; the proportion of those of observations to the
            others is n / (W σ²).
        held_out: even points for L: where points follow the residual their mean is no measure of it.

    None where nothing was observed.
    """
    sets = observed(residual)
    if not sets:
        return None
    squares = mean_squares(residual, theta, held_out)  # observations are the same in every batch
    level = max(sum(w * squares[i] for i, w in enumerate(weights) if i not in sets), _TINY)
    counts = {i: len(c.values) for i, c in sets.items()}
    first = next(iter(sets))
    at_hand = {i: c.noise or math.sqrt(max(squares[i], _TINY)) for i, c in sets.items()}
    precision = counts[first] / (weights[first] * at_hand[first] ** 2)  # W
    scaled = [counts[i] / at_hand[i] ** 2 if i in sets else w * precision for i, w in enumerate(weights)]
    covariance, freedom = _posterior(residual, theta, residual.batch(points, scaled))
    left = max(1 - freedom / sum(counts.values()), 1e-3)
    noise = {i: c.noise or at_hand[i] / math.sqrt(left) for i, c in sets.items()}
    ratio = {i: squares[i] / (c.noise**2 * left) for i, c in sets.items() if c.noise}
    if not any(c.noise for c in sets.values()):
        covariance = covariance / left  # as χ² and W L shrink alike
    return Evidence(covariance, freedom, precision, level, noise, ratio)


def observation_weights(found: Evidence, residual: Residual) -> dict[int, float]:
    """New weights n / (W σ²) of the observations' mean squares, with W raised towards (γ + 2 √(2γ)) / L."""
    most = found.freedom + 2 * math.sqrt(2 * found.freedom)
    rise = min(max(most / (found.precision * found.level), 1.0), _RISE)
    return {
        i: len(c.values) / (rise * found.precision * max(found.noise[i] ** 2, _TINY))
        for i, c in observed(residual).items()
    }


def parameter_intervals(residual: Residual, theta: Tensor, found: Evidence) -> dict[str, tuple[float, float]]:
    """95 % interval of each parameter: q ± z s as θ holds it, mapped to the parameter itself.

    z is the quantile of the normal distribution where every noise was stated, else of Student's with n - γ
    degrees of freedom. A parameter that nothing determines has an interval without bounds.
    """
    from scipy import stats

    sets = observed(residual)
    left = sum(len(c.values) for c in sets.values()) - found.freedom
    stated = all(c.noise for c in sets.values())
    z = float(stats.norm.ppf(0.5 + LEVEL / 2) if stated else stats.t.ppf(0.5 + LEVEL / 2, max(left, 1.0)))
    half = z * found.covariance.diagonal().clamp_min(0.0).sqrt()
    ends = []
    for sign in (-1, 1):
        moved = theta.clone()
        moved[_columns(residual)] += (sign * half).to(theta)
        ends.append(residual.parameters(moved))
    return {name: (ends[0][name], ends[1][name]) for name in ends[0]}


def ensemble(
    problem: Problem, backend: PINN, seeds: Sequence[int], *, steps: int
) -> dict[str, tuple[float, float]]:
    """95 % intervals by a parametric bootstrap, which assumes nothing linear but repeats the solve.

    The problem is solved for ``steps`` steps with the first seed. Then, for each seed, the observations are
    replaced by the values found plus new noise (of the stated standard deviation, else the estimated one)
    and the problem is solved anew. Returned are q ± t s, with s the standard deviation of these estimates of
    q, or of log q for positive parameters, and t Student's quantile. Ten seeds fix s to about 25 %.

    Efron & Tibshirani, An Introduction to the Bootstrap (1993), sections 6.5 and 12.

    Raises:
        UndeterminedParameterError: no parameter is unknown, or there are fewer than three seeds.
    """
    from scipy import stats

    if not problem.unknown_parameters or len(seeds) < 3:
        raise UndeterminedParameterError(
            "ensemble()",
            "a problem with unknown parameters, and at least three seeds",
            f"{len(problem.unknown_parameters)} parameters and {len(seeds)} seeds",
            "Declare parameter(..., unknown=True) and Observations, and give seeds=range(10).",
        )
    fitted = _trained(problem, backend, seeds[0], steps)
    found, field = backend.evidence(fitted), backend.field(fitted)
    assert found is not None  # unknown parameters demand observations
    noise = iter(found.noise.values())  # in the order of declaration
    fits = [
        (c, field.values(c.points, len(problem.unknowns))[:, problem.unknowns.index(c.unknown)], next(noise))
        for c in problem.of_type(Observations)
    ]
    estimates = []
    for seed in seeds:
        rng = np.random.default_rng(seed)
        drawn = {id(c): values + sigma * rng.standard_normal(len(values)) for c, values, sigma in fits}
        conditions = [
            replace(c, values=drawn[id(c)]) if isinstance(c, Observations) else c for c in problem.conditions
        ]
        again = _trained(problem.replace(conditions=conditions), backend, seed, steps)
        estimates.append(backend.parameters(again))
    centre, quantile = backend.parameters(fitted), float(stats.t.ppf(0.5 + LEVEL / 2, len(seeds) - 1))
    intervals = {}
    for parameter in problem.unknown_parameters:
        to, back = (math.log, math.exp) if parameter.must_be_positive else (float, float)
        half = quantile * float(np.std([to(e[parameter.name]) for e in estimates], ddof=1))
        middle = to(centre[parameter.name])
        intervals[parameter.name] = (back(middle - half), back(middle + half))
    return intervals


def _trained(problem: Problem, backend: PINN, seed: int, steps: int) -> PINNState:
    """The state after ``steps`` steps, or where the method ends by itself."""
    state = backend.start(problem, Context(seed=seed, steps=steps))
    for _ in range(steps):
        progress = backend.advance(state)
        if progress.status is not None or not math.isfinite(progress.loss):
            break
    return state


def _columns(residual: Residual) -> Tensor:
    """Positions of the unknown parameters in θ, (q,)."""
    positions = torch.arange(residual.start().numel(), device=residual.device)
    return residual.unflatten(positions)["model.raw_parameters"]


def _posterior(residual: Residual, theta: Tensor, batch: Batch) -> tuple[Tensor, float]:
    """The block (q, q) of (JᵀJ)⁻¹ that belongs to the parameters, and γ.

    With their columns last, J = Q R, the block is (R_qᵀ R_q)⁻¹ with R_q the last corner of R. By QR, since
    JᵀJ would lose the digits in which the data differ.
    """
    blocks = residual.blocks(batch)
    with torch.no_grad():
        jacobian = residual.linearise(theta, blocks)[1].double()
    sets = observed(residual)
    is_data = torch.cat(
        [
            torch.full((len(group) * len(part.points),), group[0] in sets, device=jacobian.device)
            for block in blocks
            for group, part in zip(residual.groups, block, strict=True)
        ]
    )
    p, last = jacobian.shape[1], _columns(residual)
    is_last = torch.zeros(p, dtype=torch.bool, device=jacobian.device).index_fill(0, last, True)
    jacobian = torch.cat([jacobian[:, ~is_last], jacobian[:, last]], dim=1)
    ridge = _INVERTIBLE * jacobian.norm(dim=0).max() * torch.eye(p).to(jacobian)
    factor = torch.linalg.qr(torch.cat([jacobian, ridge]), mode="r")[1]
    leverage = torch.linalg.solve_triangular(factor.T, jacobian[is_data].T, upper=False)
    q = len(last)
    inverse = torch.linalg.solve_triangular(factor[p - q :, p - q :], torch.eye(q).to(jacobian), upper=True)
    return inverse @ inverse.T, float(leverage.square().sum())
