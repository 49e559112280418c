"""Points of a region from points of its bounding box."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ....declare.domain import Array
from ...base import BackendOptionError
from .sampler import Region

_MOST_TRIED = 10_000  # proposals for each point that is wanted, before a region counts as unreachable


def accepted(who: str, region: Region, n: int, propose: Callable[[int], Array]) -> Array:
    """The first ``n`` (n, d) of the proposed points, placed in the bounding box, that the region holds.

    ``propose(m)`` gives m points (m, d) of [0, 1]^d. Where the region is its box, it is asked once, for n.

    Raises:
        BackendOptionError: hardly any proposal lies in the region.
    """
    lower, upper = region.bounds.T
    found, count, tried, size = [np.empty((0, len(lower)))], 0, 0, n
    while count < n:
        if tried > _MOST_TRIED * n:
            raise BackendOptionError(
                who,
                "a density that reaches the region",
                f"{count} of {tried} points inside",
                "Use a sampler that draws from the region itself, such as RAD().",
            )
        points = lower + (upper - lower) * propose(size)
        points = points[region.contains(points)]
        found.append(points)
        count, tried = count + len(points), tried + size
        # A tenth more than the share of accepted ones asks for: mostly two rounds are enough.
        size = int(1.1 * (n - count) * tried / max(count, 1)) + 16
        size = min(size, 20 * n + 16)
    return np.concatenate(found)[:n]
