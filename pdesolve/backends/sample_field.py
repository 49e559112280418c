"""Equally likely answers on a tensor grid: their mean as the field, their spread as its deviation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from ..declare.domain import Array
from ..residual.interpolation import interpolation
from ..residual.program import Derivative
from ..solution.field import Field
from .spline_field import SplineField

TOGETHER = 2048
"""Points that are evaluated at a time."""


class SampleField(Field):
    """The law of all unknowns on a grid, given what was observed.

    Args:
        axes: nodes on each axis of space, then of time.
        periods: length of each periodic axis, whose nodes leave out the repeated end; None where it is not.
        mean, spread: (unknowns, *grid), spread the standard deviation.
        draws: (samples, unknowns, *grid).
        degrees: of the splines through each unknown; 1 for a coefficient that jumps.
    """

    def __init__(
        self,
        axes: Sequence[Array],
        periods: Sequence[float | None],
        mean: Array,
        spread: Array,
        draws: Array,
        degrees: Sequence[int],
    ) -> None:
        self.axes, self.periods = tuple(axes), tuple(periods)
        self.mean, self.spread, self.draws = mean, spread, draws
        self.degrees = tuple(degrees)
        closed = [x if p is None else np.append(x, x[0] + p) for x, p in zip(axes, periods, strict=True)]
        padding = [(0, 0 if p is None else 1) for p in periods]
        self._splines = [
            SplineField(closed, np.pad(values, padding, mode="wrap")[None], degree)
            for values, degree in zip(mean, degrees, strict=True)
        ]

    def derivatives(self, points: Array, wanted: Sequence[Derivative]) -> list[Array]:
        return [self._splines[k].derivatives(points, [(0, index)])[0] for k, index in wanted]

    def deviation(self, points: Array, count: int) -> Array:
        return np.concatenate(
            [self._between(self.spread[None, :count], p, [1] * count)[0] for p in _parts(points)]
        )

    def samples(self, points: Array, count: int) -> Array:
        parts = [self._between(self.draws[:, :count], p, self.degrees[:count]) for p in _parts(points)]
        return np.concatenate(parts, axis=1)

    def _between(self, values: Array, points: Array, degrees: Sequence[int]) -> Array:
        """(draws, n, unknowns) of values (draws, unknowns, *grid)."""
        rows = {d: interpolation(self.axes, self.periods, points, d) for d in set(degrees)}
        flat = values.reshape(*values.shape[:2], -1)
        return np.stack([flat[:, k] @ rows[d].T for k, d in enumerate(degrees)], axis=-1)

    def arrays(self) -> dict[str, Array]:
        periods = np.array([p or 0.0 for p in self.periods])  # zero: not periodic
        named = {"mean": self.mean, "spread": self.spread, "draws": self.draws, "periods": periods}
        return {
            **named,
            "degrees": np.array(self.degrees),
            **{f"axis {i}": a for i, a in enumerate(self.axes)},
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array]) -> SampleField:
        periods = [float(p) or None for p in arrays["periods"]]
        axes = [arrays[f"axis {i}"] for i in range(len(periods))]
        degrees = [int(d) for d in arrays["degrees"]]
        return cls(axes, periods, arrays["mean"], arrays["spread"], arrays["draws"], degrees)


def _parts(points: Array) -> Iterator[Array]:
    """The rows of the interpolation are dense: so many points at a time."""
    for first in range(0, max(len(points), 1), TOGETHER):
        yield points[first : first + TOGETHER]


__all__ = ["SampleField"]
