"""Linear read-outs of trigonometric waves: whole wave numbers on periodic axes, random ones on others."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from ..activations import ACTIVATIONS
from .error import NetworkError
from .features import Features
from .linear import zero_linear

_TAPER = 0.8  # set on solitons of KdV, seed 10: 1 starved high wave numbers, 0 wasted what low ones need


def waves(
    features: Features,
    outputs: int,
    generator: torch.Generator,
    width: int = 400,
    spread: float | Sequence[float] = 4.0,
    *,
    periodic: Sequence[int] = (),
    parities: Mapping[int, int] | None = None,
    harmonics: int = 1,
) -> nn.Sequential:
    """u = Σ_j (a_j cos w_j·z + b_j sin w_j·z) + c on coordinates z scaled to [-1, 1]; a, b, c are trained.

    Along periodic axes w/π runs through the whole numbers up to ``harmonics``, so that the network is
    periodic with all its derivatives; along other axes w is uniform in [-R, R]. High wave numbers get fewer
    of the others, in proportion to 1 - 0.8 |k| / (harmonics + 1). The network is linear in its parameters, as
    `readout` is, whose features are ridges of random directions. All coefficients start at zero.

    Args:
        features: the scaled coordinates, one each.
        width: number of cosines and sines together; a few less where some would vanish.
        spread: R; several values are for one axis each, in order, of those that are not periodic.
        periodic: the periodic axes.
        parities: axes along which `Mirrored` makes the waves even (1) or odd (-1) afterwards: those are left
            out that would vanish by it, or coincide.
        harmonics: the largest length of a vector of wave numbers along periodic axes.

    Raises:
        NetworkError: fewer waves than wave numbers, or values of ``spread`` than axes.

    Good values: harmonics a little above the highest that the solution holds at the precision wanted: they
    fall off like exp(-k d π) with d the distance, in scaled coordinates, of the nearest complex singularity.
    R = 1.5 to 2 along time, on slabs in which the solution changes by about itself; two or three points for
    each wave, six where many slabs follow each other: with fewer, what one slab leaves can grow in the next.

    | problem                                   | slabs | harmonics | width | R   |
    |-------------------------------------------|-------|-----------|-------|-----|
    | convection, β = 50                        | 5     | 2         | 120   | 8   |
    | Korteweg-de Vries, δ = 0.022, to t = 1    | 30    | 96        | 1000  | 1.5 |
    | Kuramoto-Sivashinsky, regular, to t = 1   | 40    | 32        | 600   | 2   |
    | Kuramoto-Sivashinsky, chaotic, to t = 0.5 | 185   | 96        | 1000  | 2   |

    ``pdesolve.benchmarks.pinn`` runs these.

    Sources: Rahimi & Recht, NeurIPS 2007 (random waves); Huybrechs, SIAM J. Numer. Anal. 47 (2010) 4326
    (waves on an interval on which the function is not periodic).
    """
    d, mirrored = features.width, dict(parities or {})
    others = [axis for axis in range(d) if axis not in periodic]
    if not isinstance(spread, float | int) and len(spread) != len(others):
        expected = f"one number, or {len(others)}: one for each axis that is not periodic"
        raise NetworkError("make_network('waves', spread=)", expected, repr(spread), "Change the option.")
    size = torch.tensor(spread, dtype=torch.float64).expand(len(others))
    free = [axis for axis in range(d) if axis not in mirrored]
    whole = _wave_numbers(harmonics, [mirrored.get(axis, 0) for axis in periodic], bool(others))
    count = max(width // 2, 1) if free else width  # of vectors, each with a cosine and a sine where it can
    if count < len(whole):
        needed = f"at least {len(whole) * 2 if free else len(whole)}, for {len(whole)} wave numbers"
        raise NetworkError("make_network('waves', width=)", needed, str(width), "Or take fewer harmonics.")
    low = torch.tensor([0.0 if axis in mirrored else -1.0 for axis in others], dtype=torch.float64) * size
    groups = []
    for number, share in zip(whole, _shares(whole, harmonics, count, bool(others)), strict=True):
        group = number.new_zeros(share, d)
        group[:, list(periodic)] = math.pi * number
        group[:, others] = low + (size - low) * _stratified(share, len(others), generator)
        groups.append(group)
    numbers = torch.cat(groups)
    # Of exp(i w·z), mirrored along all axes on which w is not zero, one part vanishes: sin a for even, sin a
    # sin b for two odd axes.
    sine = sum(parity == -1 for parity in mirrored.values()) % 2 == 1
    both = numbers[:, free].abs().amax(dim=1) > 0 if free else torch.zeros(len(numbers), dtype=torch.bool)
    cosines, sines = (numbers, numbers[both]) if not sine else (numbers[both], numbers)
    hidden = Features(
        torch.cat([cosines, sines]),
        torch.cat([cosines.new_full((len(cosines),), math.pi / 2), sines.new_zeros(len(sines))]),
        numbers.new_zeros(0, d),
    )
    last = zero_linear(len(cosines) + len(sines), outputs)
    return nn.Sequential(features, hidden, ACTIVATIONS["sin"].module(), last)


def _wave_numbers(highest: int, parities: Sequence[int], has_others: bool) -> Tensor:
    """Whole wave numbers up to ``highest`` in length, (count, axes): the smallest first, one of k and -k.

    ``parities``: of each axis, 0 where there is none. k and -k are the same on even axes, 0 vanishes on odd
    ones, and without other axes it is the constant, which has a parameter of its own.
    """
    ranges = {0: range(-highest, highest + 1), 1: range(highest + 1), -1: range(1, highest + 1)}
    free = [i for i, parity in enumerate(parities) if parity == 0]
    kept = [
        k
        for k in itertools.product(*(ranges[parity] for parity in parities))
        if math.hypot(*k) <= highest
        and tuple(k[i] for i in free) >= (0,) * len(free)
        and (has_others or any(k))
    ]
    kept.sort(key=lambda k: (math.hypot(*k), k))
    return torch.tensor(kept, dtype=torch.float64).reshape(len(kept), len(parities))


def _shares(whole: Tensor, highest: int, pairs: int, has_others: bool) -> list[int]:
    """How many of the pairs go to each wave number: fewer to higher ones, whose amplitudes are small."""
    if not has_others:  # a wave number says all
        return [1] * len(whole)
    ideal = 1 - _TAPER * whole.square().sum(dim=1).sqrt() / (highest + 1)
    bounds = (ideal.cumsum(dim=0) / ideal.sum() * pairs).round().int().tolist()
    return [end - begin for begin, end in itertools.pairwise([0, *bounds])]


def _stratified(n: int, d: int, generator: torch.Generator) -> Tensor:
    """n points of [0, 1]^d, (n, d): one in each n-th of each axis, at random (a Latin hypercube)."""
    order = torch.rand(n, d, generator=generator, dtype=torch.float64).argsort(dim=0)
    return (order + torch.rand(n, d, generator=generator, dtype=torch.float64)) / max(n, 1)
