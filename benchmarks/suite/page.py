"""The report as one HTML page that needs neither a network nor any other file."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from .figures import colour
from .papers import Comparison
from .store import Row, Store, commits
from .summary import Case, Series
from .tables import cells, header

RULES = """
<ul>
<li>Every curve is error against time: relative L2 error on a fixed grid, against seconds of set-up, data and
training. Evaluations of the error are not counted. Each job ran in a process of its own.</li>
<li>The classical line uses the best classical backend for the equation, at several tolerances; the coarsest
that reaches an error counts.</li>
<li>Numbers are medians over seeds, with the least and the greatest in brackets. Runs that failed, were not
supported or did not reach an error stay in the table.</li>
<li>Errors are measured against a reference whose own error is printed; none is believed below it.</li>
</ul>
"""


def page(cases: Sequence[Case], comparisons: Sequence[Comparison], store: Store) -> str:
    """The whole page."""
    links = "".join(f'<a href="#case-{i}">{html.escape(case.name)}</a>' for i, case in enumerate(cases))
    sections = "".join(_section(i, case, store) for i, case in enumerate(cases))
    data = json.dumps({"cases": [_data(case) for case in cases]}, allow_nan=False).replace("</", "<\\/")
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>pdesolve benchmark</title><style>{_asset('page.css')}</style></head>\n<body>"
        f"<header><h1>Error against time</h1>{_machines(store)}{RULES}<nav>{links}</nav></header>"
        f"<main>{sections}{_papers(comparisons)}</main>\n"
        f'<script type="application/json" id="data">{data}</script>\n<script>{_asset("page.js")}</script>'
        "</body></html>\n"
    )


def _asset(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text()


def _machines(store: Store) -> str:
    """What everything ran on, one paragraph a machine."""
    found: dict[str, dict[str, Any]] = {}
    for row in store.rows():
        facts = row.get("machine", {})
        about = found.setdefault(
            str(facts.get("name", "")), {"facts": facts, "versions": {}, "dates": [], "rows": []}
        )
        about["versions"] |= row.get("versions") or {}
        about["dates"].append(facts.get("date", ""))
        about["rows"].append(row)
    return "".join(_machine(name, **about) for name, about in found.items())


def _machine(
    name: str, facts: dict[str, Any], versions: dict[str, str], dates: list[str], rows: list[Row]
) -> str:
    known = ", ".join(f"{package} {version}" for package, version in sorted(versions.items()))
    known_commits = sorted(commits(rows))
    hardware = f"{facts.get('processor')}, {facts.get('cores')} cores"
    parts = (
        name if name == hardware else f"{name}: {hardware}",
        f"{facts.get('threads')} threads a job",
        known or "versions unknown",
        f"{'commit' if len(known_commits) == 1 else 'commits'} {', '.join(known_commits) or 'unknown'}",
        f"{min(dates)[:16]} to {max(dates)[:16]} UTC",
    )
    return f'<p class="soft machine">{html.escape("; ".join(parts))}</p>'


def _section(number: int, case: Case, store: Store) -> str:
    flags = "".join(f'<p class="flag">{html.escape(flag)}</p>' for flag in case.flags)
    error = "unknown" if case.reference_error != case.reference_error else f"{case.reference_error:.1e}"
    about = f"Reference: {html.escape(case.reference)}; its own relative error: {error}."
    return (
        f'<section id="case-{number}"><h2>{html.escape(case.name)}</h2><p class="soft">{about}</p>{flags}'
        f'<div class="diagram" id="diagram-{number}"></div>{_table(case)}'
        f'<div class="pictures">{"".join(_picture(series, store) for series in case.series)}</div></section>'
    )


def _table(case: Case) -> str:
    head = "".join(f"<th>{html.escape(name)}</th>" for name in header())
    words = tuple(header().index(name) for name in ("options", "outcome", "machine"))
    body = ""
    for series in case.series:
        texts = cells(case, series)
        marked = "".join(
            f"<td{' class=words' if i in words else ''}>{html.escape(text)}</td>"
            for i, text in enumerate(texts)
        )
        body += f'<tr class="{series.kind}">{marked}</tr>'
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _picture(series: Series, store: Store) -> str:
    """The solution of the best run, drawn when it was solved."""
    row = series.best
    if row is None or not store.picture(row).exists():
        return ""
    image = base64.b64encode(store.picture(row).read_bytes()).decode()
    name = html.escape(series.label)
    return (
        f'<figure><img alt="solution by {name}" src="data:image/png;base64,{image}">'
        f"<figcaption>{name}, seed {row['job']['seed']}</figcaption></figure>"
    )


def _data(case: Case) -> dict[str, Any]:
    """What the diagrams are drawn from."""
    several = len({series.machine for series in case.series}) > 1
    return {
        "name": case.name,
        "floor": case.floor,
        "series": [
            {
                "name": f"{series.label}, {series.machine}" if several else series.label,
                "kind": series.kind,
                "colour": colour(case, series),
                "outcome": series.outcomes,
                "traces": [
                    {"seed": seed, "points": [[float(f"{s:.4g}"), float(f"{e:.4g}")] for s, e in line]}
                    for seed, line in series.traces()
                ],
            }
            for series in case.series
        ],
    }


def _papers(comparisons: Sequence[Comparison]) -> str:
    """Published numbers beside ours."""
    if not comparisons:
        return ""
    columns = ("method", "problem", "published", "reproduced faithful", "fast mode", "classical", "source")
    head = "".join(f"<th>{name}</th>" for name in columns)
    body = "".join(
        "<tr>" + "".join(f'<td class="words">{html.escape(text)}</td>' for text in row.cells()) + "</tr>"
        for row in comparisons
    )
    return (
        '<section id="papers"><h2>Published, reproduced, fast, classical</h2><p class="soft">Relative L2 '
        "errors and seconds. Where this sweep holds no such run, numbers of ours are those of the records in "
        "benchmarks/results, on the machines that those name.</p>"
        f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
        "</section>"
    )


def write_page(cases: Sequence[Case], comparisons: Sequence[Comparison], store: Store, file: Path) -> Path:
    file.write_text(page(cases, comparisons, store), encoding="utf-8")
    return file
