"""`write_report`: results as one page, pictures and tables."""

from __future__ import annotations

from pathlib import Path

from pdesolve.solution.output import explained

from .figures import draw, draw_overview, file_name
from .page import write_page
from .papers import comparisons
from .store import Store
from .summary import summarize
from .tables import write_curves, write_summary

PAGE = "index.html"


def write_report(store: Store, folder: str | Path | None = None, papers: bool = False) -> list[Path]:
    """Write ``index.html``, ``summary.csv``, ``curves.csv`` and ``figures/*.png``; returns their paths.

    Everything comes from the results in ``store``: it can be written again at any time, also while jobs run.

    Args:
        store: results.
        folder: where to; by default beside the results.
        papers: add the tables of published numbers.

    Raises:
        OutputPathError: the folder cannot be written.
    """
    folder = store.folder if folder is None else Path(folder)
    cases = summarize(store.rows())
    with explained(folder):
        figures = folder / "figures"
        figures.mkdir(parents=True, exist_ok=True)
        files = [
            write_page(cases, comparisons(cases) if papers else [], store, folder / PAGE),
            write_summary(cases, folder / "summary.csv"),
            write_curves(cases, folder / "curves.csv"),
        ]
        files.append(draw_overview(cases, figures / "overview.png"))
        files += [draw(case, figures / f"{file_name(case.name)}.png") for case in cases]
    return files
