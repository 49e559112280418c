"""DEIS: an Adams-Bashforth method in σ."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from ...options import require, require_count
from .sampler import Denoise, Sampler, Trajectory


@dataclass(frozen=True)
class DEIS(Sampler):
    """Extrapolates the noise e = (x - D)/σ by a polynomial in σ through its last p values:

        x' = x + Σ_j C_j e_j,   C_j = ∫ from σ to σ' of ∏_{k≠j} (τ - σ_k)/(σ_j - σ_k) dτ.

    In the notation of noise levels this is tAB-DEIS, the exponential integrator in which the linear part has
    been removed by x = x_t/α_t. One evaluation a step; the order rises over the first steps, which
    err little where the run begins at σ far above the data. `DPMSolver` extrapolates D, which varies less
    than e where noise is small, and is mostly better there.

    Zhang & Chen, ICLR 2023 (arXiv:2204.13902).

    Attributes:
        order: p, 1 to 3.
    """

    name: ClassVar[str] = "deis"

    order: int = 2

    def __post_init__(self) -> None:
        require_count(self, "order")
        require(self, "order", self.order <= 3, "at most 3")
        super().__post_init__()

    def _move(self, run: Trajectory, denoise: Denoise, levels: Sequence[float]) -> Tensor:
        now, sigma, lower = run.index, levels[run.index], levels[run.index + 1]
        estimate = denoise(run.x, sigma)
        noises = [*run.past, (run.x - estimate) / sigma]
        nodes = levels[now + 1 - len(noises) : now + 1]
        for noise, weight in zip(noises, _weights(nodes, sigma, lower), strict=True):
            run.x = run.x + weight * noise
        run.past = noises[len(noises) - self.order + 1 :] if len(noises) >= self.order else noises
        return estimate


def _weights(nodes: Sequence[float], start: float, end: float) -> list[float]:
    """C_j: the integrals of the Lagrange polynomials of the nodes, by the two-point Gauss rule.

    The rule is exact for cubics, hence here.
    """
    middle, half = (start + end) / 2.0, (end - start) / 2.0
    weights = []
    for j, node in enumerate(nodes):
        others = [other for k, other in enumerate(nodes) if k != j]
        scale = math.prod(node - other for other in others)
        places = (middle - half / math.sqrt(3.0), middle + half / math.sqrt(3.0))
        weights.append(half * sum(math.prod(at - other for other in others) for at in places) / scale)
    return weights
