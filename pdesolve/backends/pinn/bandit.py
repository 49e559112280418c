"""Which interface conditions suit which problem: a contextual bandit with Gaussian-process rewards.

A family of problems has parameters β, the context, and each set of interface conditions is an arm. The reward
of a training run, -log10 of an error that is known without the solution (`interface_error`), is modelled as

    R(β, a) = m + f(β, a) + ε,   cov f = σ² exp(-|β - β'|² / 2ℓ²) exp(-h(a, a') / τ),   ε ~ N(0, s²)

with h the number of conditions that two sets do not share. For a new β the arm is the one with the largest
μ + κ sd (UCB), or with the largest value in one draw from the posterior (Thompson). What was learnt of one β
helps the next: the bandit pays for families of related problems, since every reward is one training run.

Source: METALIC, Li, Penwarden, Xu, Tillinghast, Narayan, Kirby & Zhe, ICML 2023, arXiv 2210.12669. Its
sequential variant has a model of its own for each stage of training (`SequentialBandit`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any, Literal

import numpy as np
from scipy.linalg import cho_solve, cholesky
from scipy.optimize import minimize

from ...declare import PDESolveError, Problem
from ...declare.domain import Array
from ...residual.program import Program
from .interface import CONDITIONS
from .subdomains import JoinedField, Subdomains, fold

Arm = tuple[str, ...]

_JITTER = 1e-10
_REFIT_FROM = 5  # rewards from which the kernel's scales are fitted; before, they are 1


class BanditError(PDESolveError):
    """A bandit was given wrong arms, contexts or rewards."""


def arms(always: Arm = ("solution",), of: Sequence[str] = CONDITIONS) -> tuple[Arm, ...]:
    """All sets of conditions that hold ``always``, the smallest first."""
    others = [name for name in of if name not in always]
    return tuple((*always, *more) for k in range(len(others) + 1) for more in combinations(others, k))


@dataclass(frozen=True)
class Scales:
    """ℓ, τ and s / σ of the kernel; contexts are scaled to unit spread, rewards to unit variance."""

    length: float = 1.0
    hamming: float = 1.0
    noise: float = 0.3


@dataclass
class GaussianProcess:
    """Rewards of pairs (context, flags of an arm); refit whenever a reward comes in."""

    contexts: Array
    flags: Array
    rewards: Array
    scales: Scales = field(default_factory=Scales)

    def __post_init__(self) -> None:
        self.mean = float(self.rewards.mean()) if len(self.rewards) else 0.0
        self.sd = float(self.rewards.std()) or 1.0 if len(self.rewards) else 1.0
        self._y = (self.rewards - self.mean) / self.sd
        if len(self.rewards) >= _REFIT_FROM:
            start = np.log([self.scales.length, self.scales.hamming, self.scales.noise])
            bounds = [(-2.3, 2.3), (-1.6, 3.0), (-4.6, 0.7)]
            best = minimize(self._surprise, np.clip(start, *np.transpose(bounds)), bounds=bounds)
            self.scales = Scales(*np.exp(best.x))
        self._factor = self._factorise(self.scales)

    def _kernel(self, scales: Scales, contexts: Array, flags: Array) -> Array:
        """Covariances (n, m) of all rewards so far with (m, …) pairs."""
        distances = ((self.contexts[:, None] - contexts[None]) ** 2).sum(axis=2)
        differences = np.abs(self.flags[:, None] - flags[None]).sum(axis=2)
        return np.asarray(np.exp(-distances / (2 * scales.length**2) - differences / scales.hamming))

    def _factorise(self, scales: Scales) -> Array:
        matrix = self._kernel(scales, self.contexts, self.flags)
        return np.asarray(cholesky(matrix + (scales.noise**2 + _JITTER) * np.eye(len(matrix)), lower=True))

    def _surprise(self, logs: Array) -> float:
        """Minus the logarithm of the likelihood, with σ = 1 after scaling, and a wide prior on the scales."""
        factor = self._factorise(Scales(*np.exp(logs)))
        fit = 0.5 * self._y @ cho_solve((factor, True), self._y)
        return float(fit + np.log(np.diag(factor)).sum() + 0.1 * np.sum(logs**2))

    def posterior(self, context: Array, flags: Array) -> tuple[Array, Array]:
        """Mean (m,) and covariance (m, m) of f at one context and m arms, in units of the reward."""
        here = np.broadcast_to(context, (len(flags), len(context)))
        prior = np.exp(-np.abs(flags[:, None] - flags[None]).sum(axis=2) / self.scales.hamming)
        if not len(self.rewards):
            return np.full(len(flags), self.mean), self.sd**2 * prior
        across = self._kernel(self.scales, here, flags)
        mean = across.T @ cho_solve((self._factor, True), self._y)
        covariance = prior - across.T @ cho_solve((self._factor, True), across)
        return self.mean + self.sd * mean, self.sd**2 * covariance


@dataclass
class InterfaceBandit:
    """Chooses a set of interface conditions for each context and learns from its reward.

    Args:
        arms: sets of conditions, see `arms`.
        spread: (d,) size of each component of a context over the family: contexts are divided by it.
        policy: "ucb" or "thompson".
        exploration: κ of UCB. Good values: 1 to 3.
        seed: of Thompson's draws, and of ties.

    Raises:
        BanditError: no arms, an unknown policy, or a context or reward that is not finite.
    """

    arms: tuple[Arm, ...] = field(default_factory=arms)
    spread: tuple[float, ...] = (1.0,)
    policy: Literal["ucb", "thompson"] = "ucb"
    exploration: float = 2.0
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.arms:
            raise BanditError("InterfaceBandit(arms=)", "one or more sets", "none", "Use arms().")
        if self.policy not in ("ucb", "thompson"):
            raise BanditError(
                "InterfaceBandit(policy=)", "'ucb' or 'thompson'", repr(self.policy), "Name one."
            )
        names = sorted({name for arm in self.arms for name in arm})
        self._flags = np.array([[float(name in arm) for name in names] for arm in self.arms])
        self._rng = np.random.default_rng(self.seed)
        self._contexts: list[Array] = []
        self._chosen: list[int] = []
        self._rewards: list[float] = []
        self._scales = Scales()
        self._model: GaussianProcess | None = None

    def model(self) -> GaussianProcess:
        """The Gaussian process on all rewards so far."""
        if self._model is None:
            shape = (len(self._rewards), len(self.spread))
            contexts = np.reshape(self._contexts, shape)
            flags = self._flags[self._chosen].reshape(len(self._rewards), self._flags.shape[1])
            self._model = GaussianProcess(contexts, flags, np.array(self._rewards), self._scales)
            self._scales = self._model.scales
        return self._model

    def choose(self, context: Sequence[float]) -> Arm:
        """The arm to try for a context (d,)."""
        mean, covariance = self.model().posterior(self._scaled(context), self._flags)
        if self.policy == "thompson":
            roots, vectors = np.linalg.eigh(covariance)
            draw = vectors @ (np.sqrt(np.maximum(roots, 0.0)) * self._rng.standard_normal(len(mean)))
            return self.arms[int(np.argmax(mean + draw))]
        score = mean + self.exploration * np.sqrt(np.maximum(np.diag(covariance), 0.0))
        ties = np.flatnonzero(score >= score.max() - 1e-12)
        return self.arms[int(self._rng.choice(ties))]

    def best(self, context: Sequence[float]) -> Arm:
        """The arm with the largest expected reward: what to use once learning is over."""
        return self.arms[int(np.argmax(self.model().posterior(self._scaled(context), self._flags)[0]))]

    def learn(self, context: Sequence[float], arm: Arm, reward: float) -> None:
        """Take in the reward of one run."""
        if arm not in self.arms or not np.isfinite(reward):
            raise BanditError(
                "InterfaceBandit.learn",
                "one of its arms and a finite reward",
                f"{arm}, {reward}",
                "Check them.",
            )
        self._contexts.append(self._scaled(context))
        self._chosen.append(self.arms.index(arm))
        self._rewards.append(float(reward))
        self._model = None

    def _scaled(self, context: Sequence[float]) -> Array:
        values = np.asarray(context, dtype=np.float64)
        if values.shape != (len(self.spread),) or not np.isfinite(values).all():
            raise BanditError(
                "InterfaceBandit", f"a context of {len(self.spread)} numbers", repr(context)[:80], "Check it."
            )
        return np.asarray(values / np.asarray(self.spread))


@dataclass
class SequentialBandit:
    """One bandit for each stage of a training: warm-up and main stage may want different conditions.

    The reward of a stage is what was reached by its end.
    """

    stages: tuple[InterfaceBandit, ...]

    def choose(self, context: Sequence[float]) -> tuple[Arm, ...]:
        """An arm for each stage."""
        return tuple(stage.choose(context) for stage in self.stages)

    def best(self, context: Sequence[float]) -> tuple[Arm, ...]:
        return tuple(stage.best(context) for stage in self.stages)

    def learn(self, context: Sequence[float], chosen: Sequence[Arm], rewards: Sequence[float]) -> None:
        """Take in one reward for each stage."""
        for stage, arm, reward in zip(self.stages, chosen, rewards, strict=True):
            stage.learn(context, arm, reward)


def choose_interface(
    contexts: Sequence[Sequence[float]], bandit: Any, reward: Callable[[Sequence[float], Any], Any]
) -> list[tuple[Any, Any]]:
    """Play a bandit through a family: for each context choose, train, learn.

    Args:
        contexts: parameters of the problems, in the order in which they are met.
        bandit: an `InterfaceBandit` or a `SequentialBandit`; it is changed.
        reward: (context, arm) to -log10 of an error, by a training run; for a `SequentialBandit` (context,
            arms of all stages) to one reward for each.

    Returns:
        (arm, reward) of each run. ``bandit.best(context)`` then answers for new members of the family.
    """
    played = []
    for context in contexts:
        arm = bandit.choose(context)
        given = reward(context, arm)
        bandit.learn(context, arm, given)
        played.append((arm, given))
    return played


def interface_error(
    problem: Problem, options: Subdomains, joined: JoinedField, n: int = 500, seed: int = 0
) -> float:
    """Root mean square residual of a multi-domain solution at ``n`` points that training never saw.

    Equations on all parts, and at the cuts the solution and the flux, whatever conditions were trained: these
    two are what the equations ask for, so that the number compares sets of conditions.
    """
    judged = fold(problem, Subdomains(options.cuts, options.along, ("solution", "flux")))
    program, rng = Program(judged.problem), np.random.default_rng(seed)
    total = 0.0
    for term in program.terms:
        points = term.term.sample(judged.problem.domain, n, rng)
        derivatives = joined.solved.derivatives(points, term.derivatives)
        total += float(np.mean(program.evaluate(term, derivatives, points) ** 2))
    return float(np.sqrt(total))
