"""Where the points of a group of terms may lie, as samplers see it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...declare import Domain
from ...declare.domain import Array, Mask
from ...declare.problem import Term


@dataclass(frozen=True, eq=False)
class TermRegion:
    """The region of one term in a domain."""

    term: Term
    domain: Domain

    @property
    def bounds(self) -> Array:
        """(d, 2): lower and upper end of each coordinate."""
        return self.domain.bounds

    @property
    def time_axis(self) -> int | None:
        """The coordinate that is time, if there is one."""
        return len(self.domain.axes) - 1 if self.domain.time is not None else None

    def draw(self, n: int, rng: np.random.Generator, method: str = "uniform") -> Array:
        """(n, d) points, independent or even."""
        return self.term.sample(self.domain, n, rng, "sobol" if method == "even" else method)

    def contains(self, points: Array) -> Mask:
        """(n,) booleans."""
        return self.domain.contains(points)
