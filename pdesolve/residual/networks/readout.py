"""Linear read-outs: fixed random features, of which the last layer alone is trained."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from ..activations import ACTIVATIONS
from .features import Features
from .linear import zero_linear


def readout(
    features: Features,
    outputs: int,
    generator: torch.Generator,
    width: int = 400,
    spread: float | Sequence[float] = 4.0,
    activation: str = "gaussian",
) -> nn.Sequential:
    """u = C σ(W z + b) + c on input features z, where W and b are drawn once and C, c are trained; float64.

    The network is linear in its parameters: a linear PDE is one least-squares problem, a non-linear one a
    few steps of Gauss–Newton. Rows of W are uniform in [-R, R]; b = -W z₀ with z₀ uniform in [-1, 1], so
    that every ridge passes through the domain. C and c start at zero.

    Args:
        width: number of random features.
        spread: R. Several values share the features evenly among as many scales.
        activation: gaussian, sin or tanh.

    Good values: with sin, R a little above the largest wave number in coordinates scaled to [-1, 1]; it is
    the best for waves and fails where R is below. gaussian with R = 3 to 5 suits what is smooth, 8 what has
    a peak; it forgives a wrong R most. tanh wants R = 1 to 3. Too small an R makes columns dependent, too
    large an R costs features. Relative L2 errors of Helmholtz's equation on a square, one least-squares
    solve of three to four rows a feature, one seed:

    | u on [-1, 1]²                       | width | sin            | gaussian      | tanh          |
    |-------------------------------------|-------|----------------|---------------|---------------|
    | sin πx sin πy                       | 400   | 2e-15 (R = 5)  | 2e-13 (R = 3) | 1e-11 (R = 2) |
    | sin 2πx sin 3πy                     | 400   | 2e-11 (R = 12) | 1e-8 (R = 3)  | 3e-7 (R = 2)  |
    | sin 6πx sin 6πy                     | 1000  | 2e-9 (R = 25)  | 1e-5 (R = 5)  | 1e-4 (R = 3)  |
    | a peak exp(-50 r²), zero at the ends | 1000  | 1e-3 (R = 25)  | 3e-4 (R = 8)  | 4e-4 (R = 3)  |

    Sources: Huang, Zhu & Siew, Neurocomputing 70 (2006) 489; Dwivedi & Srinivasan, Neurocomputing 391 (2020)
    96; Dong & Li, Comput. Methods Appl. Mech. Eng. 387 (2021) 114129.
    """
    scales = torch.tensor([spread] if isinstance(spread, float | int) else list(spread), dtype=torch.float64)
    n = features.width

    def uniform() -> torch.Tensor:
        return 2 * torch.rand(width, n, generator=generator, dtype=torch.float64) - 1

    weight = uniform() * scales[torch.arange(width) % len(scales)][:, None]
    offset = -(weight * uniform()).sum(dim=1)
    hidden = Features(weight, offset, weight.new_zeros(0, n))
    return nn.Sequential(features, hidden, ACTIVATIONS[activation].module(), zero_linear(width, outputs))
