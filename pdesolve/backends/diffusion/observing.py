"""What was observed of a member, as rows of a matrix on the prior's image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ...declare import Observations, Problem
from ...declare.domain import Array
from ...residual.interpolation import interpolation
from .encoding import DEVIATION, JointEncoding


@dataclass
class Observed:
    """y = A z + ε,  ε ~ N(0, diag(noise²)), in the prior's units.

    Attributes:
        rows: A (m, n).
        values: y (m,).
        noise: standard deviations (m,).
        channel: of each row.
    """

    rows: Tensor
    values: Tensor
    noise: Tensor
    channel: Tensor

    def __len__(self) -> int:
        return len(self.values)


def observed(problem: Problem, encoding: JointEncoding) -> Observed:
    """The observations of a problem."""
    size, channels = int(np.prod(encoding.grid)), len(encoding.names)
    found = [_rows(np.zeros((0, len(encoding.grid))), 0, encoding, np.zeros(0), 0.0)]
    for c in problem.of_type(Observations):
        k = encoding.names.index(c.unknown.func.__name__)
        found.append(_rows(c.points, k, encoding, c.values, c.noise))
    rows, values, noise, channel = (torch.from_numpy(np.concatenate(p)) for p in zip(*found, strict=True))
    return Observed(rows.view(-1, channels * size), values, noise, channel)


def _rows(
    points: Array, k: int, encoding: JointEncoding, values: Array, noise: float
) -> tuple[Array, Array, Array, Array]:
    """Rows (m, channels, nodes), values, noise and channel of observations of channel k."""
    rows = np.zeros((len(points), len(encoding.names), int(np.prod(encoding.grid))))
    if len(points):
        rows[:, k] = interpolation(encoding.axes, encoding.periods, points, encoding.degrees[k])
    unit = DEVIATION / encoding.scale[k]
    return (
        rows,
        unit * (values - encoding.mean[k]),
        np.full(len(points), unit * noise),
        np.full(len(points), k),
    )


__all__ = ["Observed", "observed"]
