"""`Field`: what a backend hands over, a function of points with derivatives."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..declare.domain import Array
from ..residual.program import Derivative

if TYPE_CHECKING:
    from ..declare.regions.mesh import Mesh


class Field(ABC):
    """The unknowns as functions of the coordinates.

    A concrete field supplies `derivatives` and `arrays`; the backend that made it can restore it from
    the arrays (`Backend.restore`).
    """

    @abstractmethod
    def derivatives(self, points: Array, wanted: Sequence[Derivative]) -> list[Array]:
        """The wanted derivatives at ``points`` (n, d), each of shape (n,).

        A derivative is (index of the unknown, order in each coordinate); order zero is the value.
        """

    @property
    def end(self) -> float | None:
        """The last time with values, of a run in time that may have stopped early; None: all are known."""
        return None

    def mesh(self) -> Mesh | None:
        """The mesh that the field lives on, which files and pictures then show; None: any mesh will do."""
        return None

    def reaction(self, k: int, part: str, time: float | None = None) -> float | None:
        """What flows out through a part by the residual of equation k; None: the method has none."""
        return None

    def deviation(self, points: Array, count: int) -> Array | None:
        """Posterior standard deviations of the first ``count`` unknowns, (n, count); None: not quantified."""
        return None

    def samples(self, points: Array, count: int) -> Array | None:
        """Equally likely answers, (samples, n, count); None: the method draws none."""
        return None

    @abstractmethod
    def arrays(self) -> dict[str, Array]:
        """All numbers that define the field, by name, for files."""

    def values(self, points: Array, count: int) -> Array:
        """The first ``count`` unknowns at ``points`` (n, d), shape (n, count)."""
        order = (0,) * points.shape[1]
        return np.stack(self.derivatives(points, [(k, order) for k in range(count)]), axis=1)
