"""What samplers share whose density is a normalising flow trained along the solve."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from ....declare.domain import Array
from ...options import is_number, require, require_count, require_number
from .flow import Flow
from .rejection import accepted
from .residual_size import relative_size
from .sampler import PointSet, Region, ResidualAt, Sampler

_MOST_GROWTH = 5.0  # of the norm of a gradient over the usual one; a longer one is cut
_CHUNK = 10_000  # points of the flow at a time: bounds memory at some 100 MB


@dataclass(frozen=True)
class FlowSampler(Sampler):
    """Points by the density q = (1 - c) p + c on the bounding box scaled to [0, 1]^d, less those outside.

    p is a `Flow` with parameters in ``memory``; it starts as the uniform density. A refresh evaluates the
    residual at ``pool`` times as many candidates as there are points, drawn by q, and trains p with Adam.
    """

    is_cheap: ClassVar[bool] = False

    every: int = 500
    pool: int = 5
    uniform: float = 0.1
    effective: float = 0.05
    steps: int = 100
    batch: int = 500
    rate: float = 5e-3
    couplings: int = 6
    width: int = 32
    bins: int = 12

    def __post_init__(self) -> None:
        require_count(self, "every", "pool", "steps", "batch", "couplings", "width", "bins")
        require(self, "bins", 2 <= self.bins <= 1000, "a whole number from 2 to 1000")
        require_number(self, "rate", above=0.0)
        for option in ("uniform", "effective"):
            value = getattr(self, option)
            require(self, option, is_number(value) and 0 <= value <= 1, "a share from 0 to 1")

    def start(self, region: Region, n: int, rng: np.random.Generator) -> PointSet:
        theta = self.flow(len(region.bounds)).initial(new_generator(rng))
        memory = {
            "theta": theta,
            "mean": torch.zeros_like(theta),
            "square": torch.zeros_like(theta),
            "steps": 0,
        }
        return PointSet(region.draw(n, rng, "even"), None, memory)

    def flow(self, d: int) -> Flow:
        """The bijection, without its parameters."""
        return Flow(d, self.couplings, self.width, self.bins)

    def density(self, memory: dict[str, Any], region: Region, points: Array) -> Array:
        """q (n,) at points (n, d) of the bounding box, against the uniform density of the box.

        Where the region is not its box, the points of the sampler have this density up to a factor.
        """
        unit = _unit(region, points)
        flow, theta = self.flow(unit.shape[1]), memory["theta"]
        with torch.no_grad():
            log_p = torch.cat([flow.log_prob(theta, chunk) for chunk in torch.split(unit, _CHUNK)])
        q: Array = (1 - self.uniform) * np.exp(log_p.numpy()) + self.uniform
        return q

    def draw(self, memory: dict[str, Any], region: Region, n: int, rng: np.random.Generator) -> Array:
        """``n`` points (n, d) of the region by the density q."""
        d = len(region.bounds)
        flow, generator = self.flow(d), new_generator(rng)

        def propose(m: int) -> Array:
            unit = rng.random((m, d))
            by_flow = np.flatnonzero(rng.random(m) >= self.uniform)
            with torch.no_grad():
                for part in np.split(by_flow, range(_CHUNK, len(by_flow), _CHUNK)):
                    unit[part] = flow.sample(memory["theta"], len(part), generator).numpy()
            return unit

        return accepted(f"{type(self).__name__}()", region, n, propose)

    def refresh(
        self, current: PointSet, region: Region, residual: ResidualAt, rng: np.random.Generator
    ) -> None:
        memory = current.memory
        candidates = self.draw(memory, region, self.pool * len(current.points), rng)
        importance = relative_size(residual(candidates), 2.0) / self.density(memory, region, candidates)
        if importance.any():
            importance = tempered(importance, self.effective)
            self._train(memory, _unit(region, candidates), importance / importance.mean(), rng)
        self._use(current, region, rng)

    @abstractmethod
    def _train(
        self, memory: dict[str, Any], unit: Tensor, importance: Array, rng: np.random.Generator
    ) -> None:
        """Train p. ``importance`` (m,) is r²/q, tempered, of mean one, at candidates ``unit`` (m, d)."""

    @abstractmethod
    def _use(self, current: PointSet, region: Region, rng: np.random.Generator) -> None:
        """Take points from the new density."""

    def _fit(self, memory: dict[str, Any], unit: Tensor, importance: Array, rng: np.random.Generator) -> None:
        """``steps`` steps downhill on the cross-entropy -∫ r² ln p."""
        flow = self.flow(unit.shape[1])
        chosen = self._batches(importance, self.steps, rng)

        def cross_entropy(theta: Tensor, step: int) -> Tensor:
            return -flow.log_prob(theta, unit[chosen[step]]).mean()

        descend(memory, cross_entropy, self.steps, self.rate)

    def _batches(self, importance: Array, steps: int, rng: np.random.Generator) -> Tensor:
        """Indices (steps, batch) of candidates, drawn by r²/q: few of those drawn by q see a narrow peak."""
        chance = importance / importance.sum()
        return torch.from_numpy(rng.choice(len(chance), (steps, self.batch), p=chance))


def descend(
    memory: dict[str, Any], objective: Callable[[Tensor, int], Tensor], steps: int, rate: float
) -> None:
    """Steps of Adam (0.9, 0.999) from θ in ``memory`` on ``objective(theta, step)``; the moments persist.

    A gradient that is not finite is left out, and a long one cut: one batch that happens to hold a spike must
    not throw p off what it has learnt.
    """
    for step in range(steps):
        theta = memory["theta"].requires_grad_(True)
        (gradient,) = torch.autograd.grad(objective(theta, step), theta)
        memory["theta"] = theta = theta.detach()
        if not bool(torch.isfinite(gradient).all()):
            continue
        if memory["steps"] > 0:
            usual = (memory["square"].sum() / (1 - 0.999 ** memory["steps"])).sqrt()
            gradient = gradient * (_MOST_GROWTH * usual / (gradient.norm() + 1e-300)).clamp_max(1.0)
        memory["steps"] += 1
        memory["mean"] = 0.9 * memory["mean"] + 0.1 * gradient
        memory["square"] = 0.999 * memory["square"] + 0.001 * gradient**2
        mean = memory["mean"] / (1 - 0.9 ** memory["steps"])
        square = memory["square"] / (1 - 0.999 ** memory["steps"])
        memory["theta"] = theta - rate * mean / (square.sqrt() + 1e-8)


def tempered(weights: Array, least: float) -> Array:
    """(w / max w)^β (m,), with the largest β <= 1 whose effective sample (Σ w^β)² / Σ w^2β is ``least`` m.

    Where so few weights are positive that no β > 0 leaves it, all are one.
    """
    with np.errstate(divide="ignore"):
        log = np.log(weights / weights.max())

    def powered(power: float) -> Array:
        result: Array = np.exp(power * log) if power > 0 else np.ones_like(log)
        return result

    def share(power: float) -> float:
        w = powered(power)
        return float(w.sum() ** 2 / (w**2).sum() / len(w))

    if share(1.0) >= least:
        return powered(1.0)
    low, high = 0.0, 1.0
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if share(middle) >= least else (low, middle)
    return powered(low)


def _unit(region: Region, points: Array) -> Tensor:
    lower, upper = region.bounds.T
    return torch.from_numpy((points - lower) / (upper - lower))


def new_generator(rng: np.random.Generator) -> torch.Generator:
    """A torch generator seeded from ``rng``, so that one generator decides all."""
    return torch.Generator().manual_seed(int(rng.integers(2**62)))
