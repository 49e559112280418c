"""The rule of the DiffusionPDE paper: after each Heun step, down the gradients of misfit and residual."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from ..samplers import Sampler, Trajectory
from .guidance import Guidance, Guide, Setting


@dataclass(frozen=True)
class DPS(Guidance):
    """Diffusion posterior sampling: the score of the misfit at D, through the network.

        D_y = D - σ² ζ/(2m) ∂/∂x ‖y - A D‖²

    Source: Chung et al., ICLR 2023 (arXiv 2209.14687), equation (16).

    Args:
        weight: ζ, relative to the inverse variance ¼ of a field.
    """

    weight: float = 100.0

    name: ClassVar[str] = "dps"
    by_sensors_alone: ClassVar[bool] = False  # its samples are the paper's, as they are

    def begin(self, setting: Setting) -> Guide:
        return _DPS(setting, self.weight)


class _DPS(Guide):
    def __init__(self, setting: Setting, weight: float) -> None:
        super().__init__(setting)
        self.weight = weight

    def posterior(self, x: Tensor, sigma: float) -> Tensor:
        with torch.enable_grad():
            leaf = x.detach().requires_grad_()
            clean = self.setting.denoise(leaf, sigma)
            misfit = self.setting.misfit(clean).square().sum() / (2 * max(1, len(self.setting.observed)))
            (gradient,) = torch.autograd.grad(misfit, leaf)
        return clean.detach() - sigma**2 * self.weight * gradient


@dataclass(frozen=True)
class PublishedRule(Guidance):
    """Algorithm 1 of DiffusionPDE, as its authors released it.

        x' = Heun(x_i),   x_{i+1} = x' - ζ_c ∂/∂x_i Σ_c ‖y - A D̂‖_c - ζ_p ∂/∂x_i ‖R(D̂)‖/n

    with D̂ the denoised value of Heun's second evaluation, norms that are not squared, and gradients through
    both evaluations. For the first 0.8 N steps the observations act alone; then a tenth of their weight, and
    the residual. Its figures are for N = 2000 steps of `Heun` and one sample.

    The weights depend on units, mask and N (the released values changed four times); ours are relative to
    fields of deviation ½. What is published of residuals is mended: they are those of the declared equation
    on the data's own stencil, in its units.

    Args:
        observation: ζ_c of all channels.
        residual: ζ_p.
        switch: share of the steps after which the residual acts.

    Source: Huang, Yang, Wang & Park, NeurIPS 2024 (arXiv 2406.17763), algorithm 1 and its released code.
    """

    observation: float = 1.0
    residual: float = 1.0
    switch: float = 0.8

    name: ClassVar[str] = "published"

    def begin(self, setting: Setting) -> Guide:
        return _Published(setting, self)


class _Published(Guide):
    def __init__(self, setting: Setting, options: PublishedRule) -> None:
        super().__init__(setting)
        self.options = options
        self._channels = [setting.observed.channel == c for c in torch.unique(setting.observed.channel)]

    def posterior(self, x: Tensor, sigma: float) -> Tensor:
        return self.setting.denoise(x, sigma)

    def step(self, sampler: Sampler, run: Trajectory) -> Tensor:
        levels = sampler.noise_levels()
        start, end = levels[run.index], levels[run.index + 1]
        with torch.enable_grad():
            x = run.x.detach().requires_grad_()
            clean = self.setting.denoise(x, start)
            slope = (x - clean) / start
            moved = x + (end - start) * slope
            run.evaluations += 1
            if end > 0:
                clean = self.setting.denoise(moved, end)
                run.evaluations += 1
                moved = x + (end - start) * (slope + (moved - clean) / end) / 2
            late = run.index > self.options.switch * sampler.steps
            objective = (0.1 if late else 1.0) * self.options.observation * self._misfits(clean)
            if late and self.setting.residual is not None and self.options.residual:
                left = self.setting.residual(clean)
                objective = objective + self.options.residual * (left.norm(dim=1) / left.shape[1]).sum()
            gradient = torch.zeros_like(x)
            if objective.requires_grad:
                (gradient,) = torch.autograd.grad(objective, x)
        run.x = moved.detach() - gradient
        run.index += 1
        return run.x if end == 0 else clean.detach()

    def _misfits(self, clean: Tensor) -> Tensor:
        """Norms of each channel's misfit, summed over channels and samples."""
        misfit = self.setting.misfit(clean)
        norms = [misfit[:, own].norm(dim=1).sum() for own in self._channels]
        return torch.stack(norms).sum() if norms else misfit.new_zeros(())


__all__ = ["DPS", "PublishedRule"]
