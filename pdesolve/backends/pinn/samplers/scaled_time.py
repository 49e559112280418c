"""Time as samplers that respect causality see it."""

from __future__ import annotations

from ....declare.domain import Array
from ...base import BackendOptionError
from .sampler import Region


def require_time(who: str, region: Region) -> None:
    """Refuse a region without an interval of time.

    Raises:
        BackendOptionError: the problem is steady.
    """
    if region.time_axis is None:
        raise BackendOptionError(
            who, "a problem in time", "a steady one", "Use a sampler such as RAD() or R3()."
        )


def scaled_time(region: Region, points: Array) -> Array:
    """(n,): 0 at the start of the interval of time, 1 at its end."""
    axis = region.time_axis
    assert axis is not None
    start, end = region.bounds[axis]
    scaled: Array = (points[:, axis] - start) / (end - start)
    return scaled
