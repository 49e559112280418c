"""DAS: a flow learns the residual as a density, and gives the points."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from torch import Tensor

from ....declare.domain import Array
from ...options import require, require_count
from .flow_sampler import FlowSampler
from .sampler import PointSet, Region


@dataclass(frozen=True)
class DAS(FlowSampler):
    """Deep adaptive sampling: a normalising flow p is fitted to r² by its cross-entropy,

        min over α of  -∫ r²(x) ln p_α(x) dx,

    estimated with candidates of the present density q = (1 - c) p + c and weights r²/q. Then points are drawn
    by the new q: mode "R" replaces all, mode "G" adds ``add`` of them, up to ``most``. The loss stays the
    plain mean of r² over the points, without importance weights. With several equations r² is the mean over
    them of r²/mean r².

    As published, p is fitted to the weights as they are. Where a peak fills 1e-5 of the volume a few
    candidates carry all the weight, and p would close on them; ``effective`` raises the weights to the
    largest power up to 1 that leaves an effective sample of this share. From refresh to refresh p then closes
    in on the peak, and the power reaches 1 by itself. ``DAS(uniform=0, effective=0)`` is as published.

    A refresh costs ``pool`` residuals of the loss and ``steps`` steps of the flow (15 ms each in 2, 35 ms in
    10 dimensions for ``batch=500`` on one core). In 2-D that is more than the solve unless the residual lives
    in a narrow place: `RAD` is cheaper there; the flow pays in 5 to 10 dimensions. Points change at refreshes
    alone: good for every optimiser with ``every`` of 100 to 1000 (the authors: stages of 3000 epochs of
    Adam).

    Tang, Wan & Yang, J. Comput. Phys. 476 (2023) 111868 (arXiv:2112.14038).

    Attributes:
        every: optimiser steps between refreshes.
        pool: candidates, as a multiple of the number of points.
        uniform: c, the share of points that cover the region regardless of the residual.
        steps: of Adam on the flow at each refresh.
        batch: points of such a step.
        rate: its learning rate.
        couplings, width, bins: of the flow, see `Flow`.
        mode: "R" or "G".
        add: points that a refresh adds in mode "G".
        most: no points are added beyond this number in mode "G".
        effective: least effective share of the weighted candidates, 0 to 1.

    Raises:
        BackendOptionError: an option is out of range.
    """

    name: ClassVar[str] = "das"

    mode: Literal["R", "G"] = "R"
    add: int = 500
    most: int = 20_000

    def __post_init__(self) -> None:
        super().__post_init__()
        require_count(self, "add", "most")
        require(self, "mode", self.mode in ("R", "G"), '"R" (replace) or "G" (add)')

    def _train(
        self, memory: dict[str, Any], unit: Tensor, importance: Array, rng: np.random.Generator
    ) -> None:
        self._fit(memory, unit, importance, rng)

    def _use(self, current: PointSet, region: Region, rng: np.random.Generator) -> None:
        if self.mode == "R":
            current.points = self.draw(current.memory, region, len(current.points), rng)
            return
        n = min(self.add, self.most - len(current.points))
        if n > 0:
            new = self.draw(current.memory, region, n, rng)
            current.points = np.concatenate([current.points, new])
