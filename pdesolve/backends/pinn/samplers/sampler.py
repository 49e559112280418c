"""The interface of samplers: which collocation points an optimiser sees, and how they count."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

import numpy as np

from ....declare.domain import Array, Mask

ResidualAt = Callable[[Array], Array]
"""Maps points (n, d) to signed residuals (equations, n) at the current parameters."""


class Region(Protocol):
    """Where the points of one group of equations may lie."""

    @property
    def bounds(self) -> Array:
        """(d, 2): lower and upper end of each coordinate."""
        ...

    @property
    def time_axis(self) -> int | None:
        """The coordinate that is time, if there is one."""
        ...

    def draw(self, n: int, rng: np.random.Generator, method: str = "uniform") -> Array:
        """(n, d) points; "uniform" ones are independent, "even" ones fill the region evenly."""
        ...

    def contains(self, points: Array) -> Mask:
        """(n,) booleans."""
        ...


@dataclass
class PointSet:
    """Points of one group of equations as the loss uses them.

    Attributes:
        points: (n, d).
        weights: (n,) multipliers of r², of any positive mean; None: all one.
        memory: what a sampler carries from one refresh to the next: numbers, arrays, tensors, generators.
            It is written to checkpoints.
    """

    points: Array
    weights: Array | None = None
    memory: dict[str, Any] = field(default_factory=dict)


class Sampler(ABC):
    """Chooses the points of a group of equations. Concrete samplers are frozen dataclasses of options.

    A refresh happens every ``every`` optimiser steps; 0 means never. Methods that collect curvature over
    many steps (quasi-Newton) see a fixed objective between refreshes, and the trainer raises the period
    for them to at least 100.

    Attributes:
        name: as users choose it.
        is_cheap: whether a refresh costs no more than an evaluation of the residual at some candidates.
        every: optimiser steps between refreshes.
    """

    name: ClassVar[str]
    is_cheap: ClassVar[bool] = True
    every: int

    def start(self, region: Region, n: int, rng: np.random.Generator) -> PointSet:
        """The first points, before anything is known of the residual."""
        return PointSet(region.draw(n, rng, "even"))

    @abstractmethod
    def refresh(
        self, current: PointSet, region: Region, residual: ResidualAt, rng: np.random.Generator
    ) -> None:
        """Change points, weights and memory in place, by the residual where the sampler looks at it."""
