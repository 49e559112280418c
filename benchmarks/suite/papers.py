"""Published numbers beside ours: published, reproduced faithful, fast mode, classical.

Ours come from the records in ``benchmarks/results``, or from this sweep where it holds the case. A published
number stands here only where a source for it is known; where that is another paper, this is said.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .curves import points
from .published import NOT_RUN, PAPERS, Paper, Record
from .summary import Case
from .tables import seconds_text


@dataclass(frozen=True)
class Comparison:
    """A row of the table, ready to print."""

    paper: Paper
    faithful: str
    fast: str
    classical: str

    def cells(self) -> list[str]:
        paper = self.paper
        published = paper.published or "number not verified, not quoted"
        return [
            paper.method, paper.problem, published, self.faithful, self.fast, self.classical, paper.source
        ]  # fmt: skip


def comparisons(cases: Sequence[Case] = ()) -> list[Comparison]:
    """The table; what this sweep has measured replaces what the records say."""
    known = {case.name: case for case in cases}
    return [_comparison(paper, known.get(paper.case)) for paper in PAPERS]


def _comparison(paper: Paper, case: Case | None) -> Comparison:
    def text(record: Record | None) -> str:
        return NOT_RUN if record is None else record.text

    return Comparison(
        paper,
        _measured(case, "faithful") or text(paper.faithful),
        _measured(case, "fast") or text(paper.fast),
        _measured(case, "classical") or text(paper.classical),
    )


def _measured(case: Case | None, label: str) -> str | None:
    """The least error in this sweep and its time: of the classical series, or of labels that end so."""
    rows = [
        row
        for series in (case.series if case else ())
        if series.kind == label or series.label.endswith(f", {label}")
        for row in series.rows
        if points(row)
    ]
    ends = [points(row)[-1] for row in rows]
    if not ends:
        return None
    seconds, error = min(ends, key=lambda end: end[1])
    return f"{error:.1e} in {seconds_text(seconds)} s (this run)"
