"""Numbers derived from the curve of one result: time to an error, error at a time."""

from __future__ import annotations

import math

from .store import Row

ERRORS = tuple(10.0**-k for k in range(1, 9))
"""Relative L2 errors whose times are stated."""

TIMES = (1.0, 10.0, 60.0)
"""Seconds whose errors are stated."""

Point = tuple[float, float]
"""Seconds, relative L2 error."""


def total_seconds(row: Row) -> float:
    """Set-up, data and training: what the answer took. Evaluations of the error are not in it."""
    seconds = row.get("seconds") or {}
    return float(sum(seconds.get(part) or 0.0 for part in ("setup", "data", "training")))


def reference_error(row: Row) -> float:
    """The reference's own relative error; NaN where nobody knows it."""
    error = (row.get("reference") or {}).get("error")
    return math.nan if error is None else float(error)


def believed(error: float, row: Row) -> float:
    """The error, but none below the reference's own."""
    floor = reference_error(row)
    return error if math.isnan(floor) else max(error, floor)


def points(row: Row) -> list[Point]:
    """The curve of a result in order of time, ending with the answer; empty where nothing was measured."""
    curve = row.get("curve") or {"seconds": [], "relative_l2": []}
    pairs = zip(curve["seconds"], curve["relative_l2"], strict=True)
    found = [(float(s), believed(float(e), row)) for s, e in pairs if s is not None and e is not None]
    end, error = total_seconds(row), row.get("relative_l2")
    if error is not None:
        # The answer may be an earlier state, the best by the method's own measure: it is what one gets.
        found = [point for point in found if point[0] < end] + [(end, believed(error, row))]
    return found


def time_to(row: Row, error: float) -> float | None:
    """Seconds after which the error is no larger; inf where it is not reached.

    None where the reference's own error is larger: nobody can tell.
    """
    if reference_error(row) > error:
        return None
    return next((seconds for seconds, found in points(row) if found <= error), math.inf)


def error_at(row: Row, seconds: float) -> float:
    """The error of the last state measured until then; inf where there was none."""
    known = [error for at, error in points(row) if at <= seconds]
    return known[-1] if known else math.inf
