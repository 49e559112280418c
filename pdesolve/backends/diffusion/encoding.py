"""What a prior sees of a member: inputs and solution as channels of one image, of order one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from ...data.dataset import Dataset
from ...declare import Initial
from ...declare.distributions import Distribution, TwoPhase
from ...declare.domain import Array
from ...declare.family import Family
from ...declare.symmetries import symmetries

DEVIATION = 0.5
"""Standard deviation of each channel, which the noise levels of Karras et al. are made for."""


@dataclass(frozen=True)
class JointEncoding:
    """The channels, their grid and their statistics, as plain values that a card holds.

        z = ½ (v - mean) / scale      for each channel v: unknowns first, then inputs that are coefficients

    A steady problem is an image in space. An evolution in one space dimension is an image in space and time,
    its initial field the first column.

    Attributes:
        names: of the channels.
        unknowns: how many of them are unknowns of the declaration; the others are its inputs.
        bounds: of the image's axes.
        periodic: whether an axis is; its nodes then leave out the repeated end.
        grid: nodes on each axis.
        degrees: of the splines that stand for each channel between nodes; 1 where it jumps.
        mean, scale: of each channel.
        square, mirror, translation: symmetries of the family, for training.
    """

    schema: ClassVar[str] = "pdesolve.prior"

    names: tuple[str, ...]
    unknowns: int
    bounds: tuple[tuple[float, float], ...]
    periodic: tuple[bool, ...]
    grid: tuple[int, ...]
    degrees: tuple[int, ...]
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    square: bool = False
    mirror: int | None = None
    translation: bool = False

    def plain(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_plain(cls, content: Mapping[str, Any]) -> JointEncoding:
        def tuples(value: Any) -> Any:
            return tuple(tuples(item) for item in value) if isinstance(value, list | tuple) else value

        return cls(**{key: tuples(value) for key, value in content.items()})

    @property
    def shape(self) -> tuple[int, ...]:
        """(channels, *grid)."""
        return (len(self.names), *self.grid)

    @property
    def axes(self) -> tuple[Array, ...]:
        """Nodes on each axis."""
        return tuple(
            np.linspace(lower, upper, n, endpoint=not periodic)
            for (lower, upper), n, periodic in zip(self.bounds, self.grid, self.periodic, strict=True)
        )

    @property
    def periods(self) -> tuple[float | None, ...]:
        return tuple(
            upper - lower if p else None for (lower, upper), p in zip(self.bounds, self.periodic, strict=True)
        )

    def normalised(self, values: Tensor) -> Tensor:
        """z of values (n, channels, *grid)."""
        mean, scale = self._statistics(values)
        return DEVIATION * (values - mean) / scale

    def physical(self, z: Tensor) -> Tensor:
        """The inverse of `normalised`."""
        mean, scale = self._statistics(z)
        return z / DEVIATION * scale + mean

    def _statistics(self, like: Tensor) -> tuple[Tensor, Tensor]:
        shape = (-1, *[1] * len(self.grid))
        mean, scale = (torch.tensor(s, dtype=torch.float64).view(shape) for s in (self.mean, self.scale))
        return mean.to(like), scale.to(like)


def fitted(family: Family, data: Dataset) -> JointEncoding:
    """Channels and statistics of the members of a data set.

    Raises:
        ValueError: the family is of no kind that fits in one image; the text says why.
    """
    problem = family.typical
    if family.numbers:
        raise ValueError("some of its inputs are numbers, and a prior is one of fields")
    if not problem.domain.is_box:
        raise ValueError("the domain is no box, and a prior works on uniform grids")
    if problem.domain.time is not None and coefficients(family):
        raise ValueError("an evolution with random coefficients is no one image in space and time")
    values = images(family, data)
    evolution = problem.domain.time is not None
    own = len(data.names)
    names = (*data.names, *coefficients(family))
    periodic = [all(i in problem.periodic_axes(u) for u in problem.unknowns) for i in range(values.ndim - 2)]
    found = symmetries(problem)
    over = (0, *range(2, values.ndim))
    odd = found.mirror == -1
    return JointEncoding(
        names,
        own,
        tuple((float(a), float(b)) for a, b in problem.domain.bounds),
        tuple(periodic),
        tuple(values.shape[2:]),
        (3,) * own + tuple(1 if jumps(family.inputs[key]) else 3 for key in names[own:]),
        tuple(0.0 if odd else float(m) for m in values.mean(axis=over)),
        tuple(float(s) for s in values.std(axis=over)),
        square=found.square,
        mirror=found.mirror if evolution else None,
        translation=found.translation and evolution,
    )


def images(family: Family, data: Dataset) -> Array:
    """The members of a data set as (n, channels, *grid).

    Raises:
        ValueError: an image in other than two dimensions, of space, or of space and time.
    """
    if data.times is None and len(data.coordinates) != 2:
        raise ValueError("a steady problem in other than two space dimensions is no image")
    if data.times is None:
        return np.stack(
            [
                *data.values[:, 0].swapaxes(0, 1),
                *(data.fields[key] for key in coefficients(family)),
            ],
            axis=1,
        ).astype(np.float64)
    if len(data.coordinates) != 1:
        raise ValueError("an evolution in more than one space dimension is no image in space and time")
    return np.moveaxis(data.values, 1, -1).astype(np.float64)


def coefficients(family: Family) -> tuple[str, ...]:
    """Inputs that are channels of their own; initial fields are columns of the unknowns."""
    problem = family.typical
    initial = {c.value for c in problem.of_type(Initial)}
    return tuple(key for key in family.fields if problem.inputs[key] not in initial)


def jumps(distribution: Distribution) -> bool:
    """Whether draws of it are discontinuous."""
    return isinstance(distribution, TwoPhase)


__all__ = [
    "DEVIATION",
    "JointEncoding",
    "coefficients",
    "fitted",
    "images",
]
