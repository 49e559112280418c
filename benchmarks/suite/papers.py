"""Published numbers beside ours: published, reproduced faithful, fast mode, classical.

Ours come from the records in ``benchmarks/results``, or from this sweep where it holds the case. A published
number stands here only where a source for it is known; where that is another paper, this is said.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .curves import points
from .published import NOT_RUN, PAPERS, Paper, Record
from .summary import Case, Series
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

    series = case.series if case else ()
    own = [each for each in series if each.backend in paper.backends]
    return Comparison(
        paper,
        _measured(each for each in own if each.label.endswith(", faithful")) or text(paper.faithful),
        _measured(each for each in own if each.label.endswith(", fast")) or text(paper.fast),
        _measured(each for each in series if each.kind == "classical") or text(paper.classical),
    )


def _measured(series: Iterable[Series]) -> str | None:
    """The error in this sweep, and its time: least over variants, median over seeds; None of nothing."""
    ends = [points(each.best)[-1] for each in series if each.best is not None]
    if not ends:
        return None
    seconds, error = min(ends, key=lambda end: end[1])  # of several machines or classical backends
    return f"{error:.1e} in {seconds_text(seconds)} s (this run)"
