"""Collocation points of a residual, group by group: drawn, weighed, and changed by a sampler."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from torch import Tensor

from ...declare.domain import Array
from ...residual.residual import Residual
from .regions import TermRegion
from .samplers import PointSet, Sampler


def even_points(residual: Residual, n: int, rng: np.random.Generator) -> list[PointSet]:
    """``n`` even points in the region of each group."""
    return [PointSet(region.draw(n, rng, "even")) for region in _regions(residual)]


def first_points(
    residual: Residual, sampler: Sampler, inside: int, boundary: int, rng: np.random.Generator
) -> list[PointSet]:
    """Points of each group before any refresh: of equations by the sampler, of conditions even ones."""
    return [
        sampler.start(region, inside, rng)
        if region.term.is_equation
        else PointSet(region.draw(boundary, rng, "even"))
        for region in _regions(residual)
    ]


def refresh_points(
    residual: Residual, theta: Tensor, sampler: Sampler, sets: Sequence[PointSet], rng: np.random.Generator
) -> None:
    """Let the sampler change points and multipliers of the equations, in place, by the residual at θ."""
    for g, (region, points) in enumerate(zip(_regions(residual), sets, strict=True)):
        if region.term.is_equation:

            def values(at: Array, g: int = g) -> Array:
                return residual.group_values(theta, g, at)

            sampler.refresh(points, region, values, rng)


def point_weights(
    residual: Residual, sets: Sequence[PointSet], weights: Sequence[float]
) -> list[float | Array]:
    """Weight of each active term, or (n,) of its points where the sampler gives multipliers."""
    result: list[float | Array] = [*weights]
    for group, points in zip(residual.groups, sets, strict=True):
        if points.weights is not None:  # of equations alone
            for i in group:
                result[i] = weights[i] * (points.weights / len(points.points))
    return result


def _regions(residual: Residual) -> Iterator[TermRegion]:
    """The region of each group: its terms share one."""
    domain = residual.program.problem.domain
    for group in residual.groups:
        yield TermRegion(residual.terms[group[0]].term, domain)
