"""Points of space at which a step in time is fitted, with the weights of a quadrature.

On boxes tensor grids: equally spaced along periodic axes, Gauss-Legendre points along others, where there is
a parity those of one half. Spectra of the values there show how many are needed. On shapes and meshes an
even cover.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.fft import next_fast_len
from scipy.special import roots_legendre

from ...declare import Problem
from ...declare.domain import Array

_PER_WAVE = 3.0  # points for each of the highest wave numbers that count; two see it, more see its products
_PER_DEGREE = 2.0  # the same for Legendre polynomials
_GROWTH = 1.15


@dataclass(frozen=True)
class Nodes:
    """Points and weights.

    Attributes:
        points: (n, space axes).
        weights: (n,), of sum one.
        counts: points along each whole axis of a box; () on other regions.
    """

    points: Array
    weights: Array
    counts: tuple[int, ...] = ()


def box_nodes(
    problem: Problem, counts: Sequence[int], periodic: Sequence[int], parities: Mapping[int, int]
) -> Nodes:
    """The tensor grid on a box."""
    lines, weights = [], []
    for axis, (count, (lower, upper)) in enumerate(zip(counts, problem.domain.bounds.tolist(), strict=False)):
        if axis in periodic:
            z, w = (np.arange(count) + 0.5) / count, np.full(count, 1 / count)
        else:
            x, v = roots_legendre(count)
            z, w = (x + 1) / 2, v / 2
        if axis in parities:  # the other half mirrors this one
            z, w = z[: count // 2], 2 * w[: count // 2]
        lines.append(lower + z * (upper - lower))
        weights.append(w)
    points = np.stack([a.ravel() for a in np.meshgrid(*lines, indexing="ij")], axis=1)
    product = np.stack([a.ravel() for a in np.meshgrid(*weights, indexing="ij")]).prod(axis=0)
    return Nodes(points, product, tuple(counts))


def region_nodes(problem: Problem, count: int) -> Nodes:
    """``count`` points of any region, evenly spread, of equal weight."""
    return Nodes(problem.domain.cover(count)[:, :-1], np.full(count, 1 / count))


def wanted_counts(
    values: Array, counts: Sequence[int], periodic: Sequence[int], parities: Mapping[int, int], rtol: float
) -> tuple[int, ...]:
    """Points along each axis that resolve fields (fields, n) on the tensor grid to ``rtol``, even numbers.

    No fewer than there are.
    """
    halves = [count // 2 if axis in parities else count for axis, count in enumerate(counts)]
    whole = values.reshape(-1, *halves)
    for axis, parity in parities.items():
        whole = np.concatenate([whole, parity * np.flip(whole, axis + 1)], axis=axis + 1)
    result = []
    for axis, count in enumerate(counts):
        lines = np.moveaxis(whole, axis + 1, -1)
        if axis in periodic:
            spectrum, per = np.abs(np.fft.rfft(lines, axis=-1)), _PER_WAVE
        else:
            x, w = roots_legendre(count)
            basis = np.polynomial.legendre.legvander(x, count - 1) * w[:, None]
            spectrum, per = np.abs(lines @ basis * np.sqrt(np.arange(count) + 0.5)), _PER_DEGREE
        size = spectrum.reshape(-1, spectrum.shape[-1]).max(axis=0)
        highest = int(np.flatnonzero(size > rtol * size.max())[-1]) if size.any() else 0
        needed = int(np.ceil(per * highest)) + 8
        if needed > count:
            needed = int(next_fast_len(int(np.ceil(_GROWTH * needed)), real=True))
        result.append(max(count, needed + needed % 2))
    return tuple(result)
