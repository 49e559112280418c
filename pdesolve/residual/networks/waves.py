"""Linear read-outs of trigonometric waves: whole wave numbers on periodic axes, random ones on others."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from .features import Features
from .linear import zero_linear

_TAPER = 0.8  # 0.5 to 0.8 were best on solitons; 1 starves high wave numbers, 0 wastes what low ones need


def waves(
    features: Features,
    outputs: int,
    generator: torch.Generator,
    periodic: Sequence[int] = (),
    harmonics: int = 1,
    width: int = 400,
    spread: float | Sequence[float] = 4.0,
) -> nn.Sequential:
    """u = Σ_j (a_j cos w_j·z + b_j sin w_j·z) + c on coordinates z scaled to [-1, 1]; a, b, c are trained.

    Along periodic axes w/π runs through the whole numbers up to ``harmonics``, so that the network is
    periodic with all its derivatives; along other axes w is uniform in [-R, R]. High wave numbers get fewer
    of the others, in proportion to 1 - 0.8 |k| / (harmonics + 1). The network is linear in its parameters, as
    `readout` is, whose features are ridges of random directions. All coefficients start at zero.

    Args:
        features: the scaled coordinates, one each.
        periodic: the periodic axes.
        harmonics: the largest length of a vector of wave numbers along periodic axes.
        width: number of cosines and sines together.
        spread: R; several values are for one axis each, in order, of those that are not periodic.

    Good values: harmonics a little above the highest that the solution holds at the precision wanted: they
    fall off like exp(-k d π) with d the distance, in scaled coordinates, of the nearest complex singularity.
    R = 1.5 to 2 along time, on slabs in which the solution changes by about itself; two or three points for
    each wave. Relative L2 errors on periodic problems, one seed, seconds on two cores:

    | problem                                   | slabs | harmonics | width | R   | error  | seconds |
    |-------------------------------------------|-------|-----------|-------|-----|--------|---------|
    | convection, β = 50                        | 5     | 2         | 120   | 8   | 1e-9   | 3       |
    | Korteweg-de Vries, δ = 0.022, to t = 1    | 30    | 96        | 1000  | 1.5 | 2e-5   | 200     |
    | Kuramoto-Sivashinsky, regular, to t = 1   | 40    | 32        | 600   | 2   | 7e-6   | 150     |

    Sources: Rahimi & Recht, NeurIPS 2007 (random waves); Huybrechs, SIAM J. Numer. Anal. 47 (2010) 4326
    (waves on an interval on which the function is not periodic).
    """
    d = features.width
    others = [axis for axis in range(d) if axis not in periodic]
    size = torch.tensor(spread, dtype=torch.float64).expand(len(others))
    whole = _wave_numbers(harmonics, len(periodic))
    groups = []
    for number, count in zip(whole, _shares(whole, harmonics, max(width // 2, 1), bool(others)), strict=True):
        group = number.new_zeros(count, d)
        group[:, list(periodic)] = math.pi * number
        group[:, others] = size * _stratified(count, len(others), generator)
        groups.append(group)
    numbers = torch.cat(groups)
    hidden = Features(numbers.new_zeros(0, d), numbers.new_zeros(0), numbers, features)
    return nn.Sequential(hidden, zero_linear(2 * len(numbers), outputs))


def _wave_numbers(highest: int, axes: int) -> Tensor:
    """Whole wave numbers up to ``highest`` in length, (count, axes): the smallest first, one of k and -k."""
    each = range(-highest, highest + 1)
    half = [k for k in itertools.product(each, repeat=axes) if k >= (0,) * axes]
    half.sort(key=lambda k: (math.hypot(*k), k))
    return torch.tensor([k for k in half if math.hypot(*k) <= highest], dtype=torch.float64)


def _shares(whole: Tensor, highest: int, pairs: int, has_others: bool) -> list[int]:
    """How many of the pairs go to each wave number: fewer to higher ones, whose amplitudes are small."""
    if not has_others:  # a wave number says all, and the constant has a parameter of its own
        return [int(0 < i <= pairs) for i in range(len(whole))]
    ideal = 1 - _TAPER * whole.square().sum(dim=1).sqrt() / (highest + 1)
    bounds = (ideal.cumsum(dim=0) / ideal.sum() * pairs).round().int().tolist()
    return [end - begin for begin, end in itertools.pairwise([0, *bounds])]


def _stratified(n: int, d: int, generator: torch.Generator) -> Tensor:
    """n points of [-1, 1]^d, (n, d): one in each n-th of each axis, at random (a Latin hypercube)."""
    order = torch.rand(n, d, generator=generator, dtype=torch.float64).argsort(dim=0)
    return 2 * (order + torch.rand(n, d, generator=generator, dtype=torch.float64)) / max(n, 1) - 1
