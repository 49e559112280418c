"""Work-precision diagrams as PNG."""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import ceil, floor, log10
from pathlib import Path
from textwrap import wrap
from typing import Any

from .summary import Case, Series

COLOURS = ("#1f6fb4", "#d1495b", "#2e8b57", "#8e5bb0", "#c77d0a", "#0f8b8d", "#7a5c3e", "#c2569b", "#56606b")
"""Of the series of a case, in order; the page uses the same."""

COLUMNS = 3
"""Diagrams side by side in the overview."""

DASHES = {"classical": "solid", "method": "solid", "peer": "dashed"}


TITLE = 48
"""Characters in a line of a title."""


def file_name(case: str) -> str:
    """A case's name as part of a file name."""
    return re.sub(r"[^\w.-]+", "-", case).strip("-")


def colour(case: Case, series: Series) -> str:
    return COLOURS[case.series.index(series) % len(COLOURS)]


def draw(case: Case, file: Path) -> Path:
    """Error against seconds, both logarithmic, one line for each seed; written to ``file``."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.4), layout="constrained")
    axes = figure.add_subplot()
    _fill(axes, case)
    axes.set_xlabel("seconds (set-up, data and training)")
    axes.set_ylabel("relative L2 error")
    figure.savefig(file, dpi=130)
    return file


def draw_overview(cases: Sequence[Case], file: Path) -> Path:
    """All cases side by side in one picture."""
    from matplotlib.figure import Figure

    rows = max(1, -(-len(cases) // COLUMNS))
    figure = Figure(figsize=(4.2 * COLUMNS, 3.2 * rows), layout="constrained")
    for number, case in enumerate(cases, 1):
        _fill(figure.add_subplot(rows, COLUMNS, number), case)
    figure.supxlabel("seconds (set-up, data and training)")
    figure.supylabel("relative L2 error")
    figure.savefig(file, dpi=110)
    return file


def _fill(axes: Any, case: Case) -> None:
    """One diagram."""
    several = len({series.machine for series in case.series}) > 1
    for series in case.series:
        name = f"{series.label}, {series.machine}" if several else series.label
        for number, (_, line) in enumerate(series.traces()):
            axes.plot(
                [seconds for seconds, _ in line],
                [error for _, error in line],
                color=colour(case, series),
                linestyle=DASHES[series.kind],
                marker="s" if series.kind == "classical" else "o",
                markersize=4 if len(line) < 8 else 2,
                linewidth=1.4,
                alpha=0.85,
                label=None if number else name,
            )
    if case.floor is not None:
        axes.axhline(case.floor, color="0.6", linestyle=":", label="the reference's own error")
    seconds = [at for series in case.series for _, line in series.traces() for at, _ in line]
    if seconds:
        from matplotlib.ticker import NullFormatter

        axes.set_xscale("log")
        axes.set_yscale("log")
        low, high = axes.get_ylim()
        # Whole decades, so that at least two of them carry labels.
        axes.set_ylim(10.0 ** floor(log10(low)), 10.0 ** ceil(log10(high)))
        axes.set_xlim(10.0 ** floor(log10(min(seconds))), 10.0 ** ceil(log10(max(seconds)) + 1e-9))
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_minor_formatter(NullFormatter())  # labels between decades run into each other
        axes.legend(fontsize=8)
    axes.set_title("\n".join(wrap(case.name, TITLE)), fontsize=10)
    axes.grid(True, which="major", color="0.9")
