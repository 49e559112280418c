"""The interface of samplers: how noise becomes a sample, given a denoiser.

All samplers share one notation (Karras et al., NeurIPS 2022, arXiv:2206.00364): x = x₀ + σ ε, ε ~ N(0, 1),
the denoiser D(x; σ) = E[x₀ | x], and the ordinary differential equation dx/dσ = (x - D)/σ, along which the
law of x at every σ is that of noisy data. The score of that law is (D - x)/σ².
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import ClassVar

import torch
from torch import Tensor

from ...options import require, require_count, require_number

Denoise = Callable[[Tensor, float], Tensor]
"""Maps (x, σ) to D(x; σ) = E[x₀ | x], of the shape of x; guided or not."""


@dataclass
class Trajectory:
    """A run in progress: plain data, which a checkpoint can hold.

    Attributes:
        x: (samples, channels, *grid), at noise level σ number ``index``.
        index: steps done.
        evaluations: of the denoiser.
        generator: of all noise of the run.
        past: what the method remembers from one step to the next, newest last.
    """

    x: Tensor
    index: int
    evaluations: int
    generator: torch.Generator
    past: list[Tensor] = field(default_factory=list)

    def noise(self) -> Tensor:
        """Standard normal numbers of the shape of x."""
        return _normal(self.x.shape, self.generator, self.x.dtype, self.x.device)


@dataclass(frozen=True)
class Sampler(ABC):
    """Takes x from noise to data in ``steps`` steps. Concrete samplers are frozen dataclasses of options.

    The N = ``steps`` noise levels follow Karras et al., equation 5,

        σ_i = (σ_max^(1/ρ) + i/(N-1) (σ_min^(1/ρ) - σ_max^(1/ρ)))^ρ,  i = 0 .. N-1,   σ_N = 0,

    and the last step, to 0, is x = D for every method: Euler's step ends there exactly.

    Attributes:
        name: as users choose it.
        steps: N.
        sigma_max: the first noise level. 80 for fields of deviation 0.5; 10 is enough where observations
            determine the large scales.
        sigma_min: the last but zero.
        rho: ρ >= 1; 1 spaces the levels evenly, large values evenly in ln σ.

    Raises:
        BackendOptionError: an option is out of range.
    """

    name: ClassVar[str]

    steps: int = 20
    sigma_max: float = 80.0
    sigma_min: float = 0.002
    rho: float = 7.0

    def __post_init__(self) -> None:
        require_count(self, "steps")
        require_number(self, "sigma_max", "sigma_min", above=0.0)
        require(self, "sigma_min", self.sigma_min < self.sigma_max, f"less than sigma_max={self.sigma_max!r}")
        require_number(self, "rho", least=1.0)
        distinct = all(high > low for high, low in pairwise(self.noise_levels()))
        require(self, "steps", distinct, "few enough for the noise levels to differ by more than round-off")

    @property
    def evaluations_per_step(self) -> int:
        """Evaluations of the denoiser in every step but the last, to σ = 0, which takes one."""
        return 1

    def noise_levels(self) -> list[float]:
        """``steps`` + 1 decreasing levels, the last of which is 0."""
        ratio = (self.sigma_min / self.sigma_max) ** (1.0 / self.rho)
        last = self.steps - 1
        inner = [self.sigma_max * (1.0 + i / last * (ratio - 1.0)) ** self.rho for i in range(1, last)]
        ends = [self.sigma_max, *inner, self.sigma_min] if last else [self.sigma_max]
        return [*ends, 0.0]

    def begin(
        self,
        shape: Sequence[int],
        generator: torch.Generator,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
        levels: Sequence[float] | None = None,
    ) -> Trajectory:
        """Noise of the first level. It is drawn on the generator's own device: one seed, one start."""
        first = (self.noise_levels() if levels is None else levels)[0]
        return Trajectory(first * _normal(shape, generator, dtype, device), 0, 0, generator)

    def step(self, trajectory: Trajectory, denoise: Denoise, levels: Sequence[float] | None = None) -> Tensor:
        """One step in place; returns the last D that it evaluated, the current estimate of x₀.

        ``levels`` replaces `noise_levels`; they decrease, and may end above 0. No gradient is kept.

        Raises:
            ValueError: the trajectory is at its end.
        """
        levels = self.noise_levels() if levels is None else levels
        if trajectory.index >= len(levels) - 1:
            raise ValueError(f"all {len(levels) - 1} steps of the trajectory are done")

        def counted(x: Tensor, sigma: float) -> Tensor:
            trajectory.evaluations += 1
            return denoise(x, sigma).detach()

        estimate = self._advance(trajectory, counted, levels)
        trajectory.index += 1
        return estimate

    def _advance(self, run: Trajectory, denoise: Denoise, levels: Sequence[float]) -> Tensor:
        """`step` without the book-keeping."""
        if levels[run.index + 1] > 0:
            return self._move(run, denoise, levels)
        run.x, run.past = denoise(run.x, levels[run.index]), []
        return run.x

    @abstractmethod
    def _move(self, run: Trajectory, denoise: Denoise, levels: Sequence[float]) -> Tensor:
        """Change x and past by a step to a positive level; returns the last D."""


def proceed(
    sampler: Sampler, trajectory: Trajectory, denoise: Denoise, levels: Sequence[float] | None = None
) -> Tensor:
    """All steps that remain; returns x."""
    levels = sampler.noise_levels() if levels is None else levels
    while trajectory.index < len(levels) - 1:
        sampler.step(trajectory, denoise, levels)
    return trajectory.x


def sample(
    sampler: Sampler,
    denoise: Denoise,
    shape: Sequence[int],
    generator: torch.Generator,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str = "cpu",
    levels: Sequence[float] | None = None,
) -> Tensor:
    """Samples of the given shape (samples, channels, *grid), from noise to the last level."""
    return proceed(sampler, sampler.begin(shape, generator, dtype, device, levels), denoise, levels)


def _normal(
    shape: Sequence[int], generator: torch.Generator, dtype: torch.dtype, device: torch.device | str
) -> Tensor:
    return torch.randn(tuple(shape), generator=generator, dtype=dtype, device=generator.device).to(device)
