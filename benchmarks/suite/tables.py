"""The columns of a report, as text for people and as CSV for programs."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Sequence
from pathlib import Path

from .curves import ERRORS, TIMES, points
from .store import Row
from .summary import Case, Range, Series

NOT_REACHED = "not reached"
UNKNOWABLE = "below the reference's error"


def seconds_text(value: float) -> str:
    """``0.024``, ``1.8``, ``97``: two digits; "not reached" for inf."""
    if math.isinf(value):
        return NOT_REACHED
    return f"{value:.0f}" if value >= 10 else f"{value:.2g}"


def error_text(value: float) -> str:
    """``3.1e-05``; "–" for inf, no answer yet."""
    return "–" if math.isinf(value) else f"{value:.1e}"


def range_text(found: Range | None, text: Callable[[float], str], absent: str) -> str:
    """Median with least and greatest, where they differ."""
    if found is None:
        return absent
    middle, least, greatest = text(found.median), text(found.least), text(found.greatest)
    return middle if least == greatest else f"{middle} ({least} to {greatest})"


def header() -> list[str]:
    """Names of the columns of `cells`."""
    return [
        "method",
        "options",
        "outcome",
        "seeds",
        "least error",
        "of each unknown",
        *(f"s to {error:.0e}" for error in ERRORS),
        *(f"error at {seconds:g} s" for seconds in TIMES),
        "set-up s",
        "data s",
        "training s",
        "evaluation s",
        "peak memory GB",
        "repaid after solves",
        "machine",
    ]


def cells(case: Case, series: Series) -> list[str]:
    """One row of a case's table."""
    best = series.best
    parts = ["–"] * 4
    if best is not None:
        parts = [seconds_text(best["seconds"][part]) for part in ("setup", "data", "training", "evaluation")]
    unmeasured = "" if not series.measured else UNKNOWABLE
    even = case.break_even(series)
    return [
        series.label,
        series.options,
        series.outcomes,
        str(len(series.seeds)),
        range_text(series.error, error_text, "–"),
        _of_each(best),
        *(range_text(series.time_to(error), seconds_text, unmeasured or "–") for error in ERRORS),
        *(range_text(series.error_at(seconds), error_text, "–") for seconds in TIMES),
        *parts,
        f"{series.peak_memory / 1e9:.2f}" if series.peak_memory else "–",
        "" if even is None else "never" if math.isinf(even) else f"{even:.0f}",
        series.machine,
    ]


def _of_each(row: Row | None) -> str:
    """``u 3.8e-03, a 7.8e-02``, of the best result; empty where there is one unknown."""
    errors = (row or {}).get("per_unknown") or {}
    if len(errors) < 2:
        return ""
    return ", ".join(f"{k} {'–' if e is None else error_text(e)}" for k, e in errors.items())


def write_summary(cases: Sequence[Case], file: Path) -> Path:
    """One line for each series."""
    with file.open("w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(["problem", "reference", "reference error", "flags", *header()])
        for case in cases:
            about = [case.name, case.reference, f"{case.reference_error:.1e}", " ".join(case.flags)]
            writer.writerows([*about, *cells(case, series)] for series in case.series)
    return file


def write_curves(cases: Sequence[Case], file: Path) -> Path:
    """One line for each measured point of each result."""
    with file.open("w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(
            ["problem", "method", "machine", "seed", "options", "budget", "seconds", "relative_l2"]
        )
        for case in cases:
            for series in case.series:
                for row in series.rows:
                    job = row["job"]
                    about = [
                        case.name,
                        series.label,
                        series.machine,
                        job["seed"],
                        job["options"],
                        job["budget"],
                    ]
                    writer.writerows([*about, f"{s:.6g}", f"{e:.6g}"] for s, e in points(row))
    return file
