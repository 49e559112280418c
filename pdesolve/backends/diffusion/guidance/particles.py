"""Sequential Monte Carlo on top of a guidance: weights for what its approximation gets wrong."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor

from ...base import BackendOptionError
from ..samplers import Sampler, Trajectory
from .guidance import Guidance, Guide, Setting
from .kriging import Kriging


@dataclass(frozen=True)
class Particles(Guidance):
    """Twisted sequential Monte Carlo: the samples are particles, moved by a guidance and resampled.

        x' ~ N(m_y, s² I),   m_y = D_y + q² (x - D_y),   s² = σ'² (1 - q²),   q = σ'/σ

        log w += r(x'; σ') - r(x; σ) + log N(x'; m, s²) - log N(x'; m_y, s²)

    with r the guidance's approximation of log p(y | x) and m the mean without observations. As the number of
    particles grows, the weighted particles follow the posterior of the prior's own reverse process, whatever
    the guidance; with few of them, and observations without noise, one particle takes all. Resampled,
    systematically, where the effective number falls below ``threshold`` of them.

    The mean weights estimate the evidence: ``log_evidence`` of the guide is an estimate of log p(y), and for
    an `Event` of the logarithm of its probability.

    Only the noise levels of the sampler are used.

    Args:
        inner: the guidance that moves particles; one that knows r (`Kriging`, `Event`).
        threshold: of the effective number of particles, as a share of all.

    Source: Wu, Trippe, Naesseth, Blei & Cunningham, NeurIPS 2023 (arXiv 2306.17775), algorithm 1.
    """

    inner: Guidance = field(default_factory=Kriging)
    threshold: float = 0.5

    name: ClassVar[str] = "particles"
    by_sensors_alone: ClassVar[bool] = False

    def begin(self, setting: Setting) -> Guide:
        guide = self.inner.begin(setting)
        if type(guide).twisted is Guide.twisted:
            raise BackendOptionError(
                "Particles(inner=)",
                "a guidance with an estimate of log p(y | x), such as Kriging() or Event(...)",
                f"{type(self.inner).__name__}",
                "Change the option.",
            )
        return _Particles(setting, guide, self.threshold)


class _Particles(Guide):
    """Keeps, in the trajectory's past, log-weights and log-evidence: a checkpoint holds them."""

    def __init__(self, setting: Setting, inner: Guide, threshold: float) -> None:
        super().__init__(setting)
        self.inner, self.threshold = inner, threshold
        self.log_evidence = math.nan

    def posterior(self, x: Tensor, sigma: float) -> Tensor:
        return self.inner.posterior(x, sigma)

    def said(self) -> str:
        if math.isnan(self.log_evidence):
            return ""
        probability = math.exp(min(self.log_evidence, 0.0))
        return f"; log evidence {self.log_evidence:.4g}, for an event the probability {probability:.2e}"

    def step(self, sampler: Sampler, run: Trajectory) -> Tensor:
        levels = sampler.noise_levels()
        start, end = levels[run.index], levels[run.index + 1]
        if not run.past:
            # At pure noise p(y | x) is the evidence itself, up to what x still tells.
            first = self.inner.twisted(run.x, start)
            run.past = [first[2], first[2].new_zeros(()), *first]
            run.evaluations += 1
        weights, evidence, guided, clean, reward = run.past
        if end == 0:
            self.log_evidence = float(evidence + _log_mean(weights))
            run.x, run.past = guided[self._chosen(weights, run.generator)], []
        else:
            share = (end / start) ** 2
            variance = end**2 * (1 - share)
            led, free = (d + share * (run.x - d) for d in (guided, clean))
            moved = led + math.sqrt(variance) * run.noise()
            following = self.inner.twisted(moved, end)
            run.evaluations += 1
            kernel = ((moved - led) ** 2 - (moved - free) ** 2).flatten(1).sum(dim=1) / (2 * variance)
            weights = weights + following[2] - reward + kernel
            if _effective(weights) < self.threshold * len(weights):
                evidence, chosen = evidence + _log_mean(weights), self._chosen(weights, run.generator)
                moved, following = moved[chosen], _of(following, chosen)
                weights = torch.zeros_like(weights)
            run.x, run.past = moved, [weights, evidence, *following]
        run.index += 1
        return run.x if end == 0 else guided

    @staticmethod
    def _chosen(weights: Tensor, generator: torch.Generator) -> Tensor:
        """Systematic resampling: indices of the particles that stay."""
        count = len(weights)
        edges = torch.softmax(weights, 0).cumsum(0)
        places = (torch.arange(count) + torch.rand((), generator=generator)) / count
        return torch.searchsorted(edges, places.to(edges)).clamp(max=count - 1)


def _of(parts: tuple[Tensor, Tensor, Tensor], chosen: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    first, second, third = parts
    return first[chosen], second[chosen], third[chosen]


def _log_mean(weights: Tensor) -> Tensor:
    """Logarithm of the mean of exp(w)."""
    return torch.logsumexp(weights, 0) - math.log(len(weights))


def _effective(weights: Tensor) -> float:
    """1/Σ w² of the normalised weights."""
    return float(1 / torch.softmax(weights, 0).square().sum())


__all__ = ["Particles"]
