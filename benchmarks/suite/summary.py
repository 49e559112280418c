"""Results put together: cases, their series over seeds and variants, and what is suspicious."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import median
from typing import Any

from .curves import ERRORS, TIMES, Point, error_at, points, reference_error, time_to, total_seconds
from .doubts import doubts
from .job import Job, call_text
from .matrix import CLASSICAL
from .outcome import DONE
from .store import Row

PEERS = ("deepxde",)
NEAR = 1e-2


@dataclass(frozen=True)
class Range:
    """A number over seeds.

    Attributes:
        median, least, greatest: inf stands for "not reached".
    """

    median: float
    least: float
    greatest: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Range | None:
        """None where there are no values."""
        known = list(values)
        return cls(median(known), min(known), max(known)) if known else None


@dataclass(frozen=True)
class Series:
    """The results of one method on one problem and one machine.

    Over variants (tolerances, budgets) the best is taken for each seed, over seeds the median: so the
    classical line is at the coarsest setting that reaches an error.
    """

    case: str
    label: str
    backend: str
    machine: str
    rows: tuple[Row, ...]

    @property
    def kind(self) -> str:
        """``classical``, ``peer`` or ``method``."""
        return "classical" if self.backend in CLASSICAL else "peer" if self.backend in PEERS else "method"

    @cached_property
    def seeds(self) -> dict[int, tuple[Row, ...]]:
        """The results of each seed."""
        seeds = sorted({row["job"]["seed"] for row in self.rows})
        return {seed: tuple(r for r in self.rows if r["job"]["seed"] == seed) for seed in seeds}

    @property
    def outcomes(self) -> str:
        """``done``, or how often what else happened, with the reason."""
        counts = Counter(_outcome(row) for row in self.rows)
        if set(counts) == {DONE}:
            return DONE
        return "; ".join(text if n == len(self.rows) else f"{n} x {text}" for text, n in counts.most_common())

    @property
    def options(self) -> str:
        """What was set apart from the defaults; values of several variants as ``rtol=0.01|1e-06``."""
        found: dict[str, dict[str, None]] = {}
        for row in self.rows:
            for name, value in row["job"]["options"].items():
                found.setdefault(name, {})[_value(value)] = None
        return ", ".join(f"{name}={'|'.join(values)}" for name, values in found.items())

    def _over_seeds(self, number: Callable[[Row], float | None]) -> Range | None:
        values = []
        for rows in self.seeds.values():
            known = [value for row in rows if (value := number(row)) is not None]
            if known:
                values.append(min(known))
        return Range.of(values)

    def time_to(self, error: float) -> Range | None:
        """Seconds to an error; None where the reference is not exact enough to tell, or nothing was run."""
        return self._over_seeds(lambda row: time_to(row, error)) if self.measured else None

    def error_at(self, seconds: float) -> Range | None:
        """The error after that time."""
        return self._over_seeds(lambda row: error_at(row, seconds)) if self.measured else None

    @property
    def error(self) -> Range | None:
        """The least error of each seed."""
        return self._over_seeds(lambda row: points(row)[-1][1] if points(row) else None)

    @property
    def measured(self) -> bool:
        """Whether any result has an error."""
        return any(points(row) for row in self.rows)

    @property
    def best(self) -> Row | None:
        """Of the results with the least error over variants, that with the median error over seeds."""
        least = [
            min(known, key=lambda row: points(row)[-1][1])
            for rows in self.seeds.values()
            if (known := [row for row in rows if points(row)])
        ]
        return sorted(least, key=lambda row: points(row)[-1][1])[(len(least) - 1) // 2] if least else None

    @property
    def peak_memory(self) -> int:
        """The largest over all results, in bytes; 0 where unknown."""
        return max((row.get("peak_memory_bytes") or 0 for row in self.rows), default=0)

    def traces(self) -> list[tuple[int, list[Point]]]:
        """Seed and points of each line of the diagram.

        One variant: its curve. Several: the ends of their runs, joined.
        """
        variants = {_variant(row) for row in self.rows}
        found = []
        for seed, rows in self.seeds.items():
            if len(variants) > 1:
                line = sorted(points(row)[-1] for row in rows if points(row))
            else:
                line = [point for row in rows for point in points(row)]
            if line:
                found.append((seed, [(s, e) for s, e in line if s > 0 and 0 < e < math.inf]))
        return found


@dataclass(frozen=True)
class Case:
    """One problem with all its series, the classical ones first.

    Attributes:
        reference: what errors are measured against.
        reference_error: its own relative error, the largest over results; NaN where unknown.
        flags: reasons to doubt the reference.
    """

    name: str
    series: tuple[Series, ...]
    reference: str
    reference_error: float
    flags: tuple[str, ...]

    @property
    def floor(self) -> float | None:
        """The reference's error where a diagram should show it: where some method comes near it."""
        least = [error for series in self.series for _, line in series.traces() for _, error in line]
        near = bool(least) and self.reference_error > NEAR * min(least)
        return self.reference_error if near else None

    def break_even(self, series: Series) -> float | None:
        """Solves after which a learned operator, data and training counted, has repaid itself.

        Against the fastest classical run that is as exact; inf where it never does, None for other methods
        and where no classical run is as exact.
        """
        row = series.best
        solve = None if row is None else row["seconds"]["a_solve"]
        if row is None or solve is None:
            return None
        classical = [
            total_seconds(other)
            for each in self.series
            if each.kind == "classical" and each.machine == series.machine
            for other in each.rows
            if points(other) and points(other)[-1][1] <= points(row)[-1][1]
        ]
        if not classical:
            return None
        saved = min(classical) - solve
        return (row["seconds"]["data"] + row["seconds"]["training"]) / saved if saved > 0 else math.inf


def summarize(rows: Sequence[Row]) -> list[Case]:
    """The cases of a set of results, sorted by name."""
    cases: dict[str, dict[tuple[str, str], list[Row]]] = {}
    for row in rows:
        job = Job(**row["job"])
        key = job.label, row.get("machine", {}).get("name", "")
        cases.setdefault(job.case, {}).setdefault(key, []).append(row)
    return [_case(name, groups) for name, groups in sorted(cases.items())]


def _case(name: str, groups: dict[tuple[str, str], list[Row]]) -> Case:
    order = ("classical", "method", "peer")
    series = [
        Series(name, label, rows[0]["job"]["backend"], machine, tuple(rows))
        for (label, machine), rows in groups.items()
    ]
    series.sort(key=lambda each: (order.index(each.kind), each.label, each.machine))
    rows = [row for group in groups.values() for row in group]
    described = [row["reference"]["description"] for row in rows if row.get("reference")]
    errors = [error for row in rows if not math.isnan(error := reference_error(row))]
    return Case(
        name,
        tuple(series),
        described[0] if described else "none",
        max(errors, default=math.nan),
        tuple(doubts(rows)),
    )


def _outcome(row: Row) -> str:
    if row["outcome"] != DONE:
        return f"{row['outcome']}: {row.get('reason', '')}"
    if not points(row):
        why = [str(row.get("message") or ""), *(row.get("warnings") or ())]
        return f"no error: {row.get('status')}, {'; '.join(filter(None, why))}"
    budget = row["job"]["budget"]
    if row["job"]["backend"] in PEERS and budget is not None and total_seconds(row) >= budget:
        return f"{DONE}, its recipe cut short by the budget: {row.get('message') or 'no message'}"
    return DONE


def _value(value: Any) -> str:
    """An option as text; of an object written as its ``kind`` and fields, the call that makes it."""
    if isinstance(value, dict) and "kind" in value:
        return call_text(str(value["kind"]), {k: v for k, v in value.items() if k != "kind"})
    return repr(value)


def _variant(row: Row) -> tuple[str, str]:
    return str(row["job"]["options"]), str(row["job"]["budget"])


__all__ = ["ERRORS", "TIMES", "Case", "Range", "Series", "summarize"]
