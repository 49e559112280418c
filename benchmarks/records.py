"""Benchmarks as named cases, whose records are kept in one JSON file, case by case."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pdesolve.benchmarks.machine import machine

Record = dict[str, Any]


def earlier(file: Path | None) -> dict[str, Record]:
    """Records that a file holds already; none where there is no file."""
    if file is None or not file.exists():
        return {}
    records: dict[str, Record] = json.loads(file.read_text())["records"]
    return records


def run_cases(
    description: str | None,
    cases: Mapping[str, Callable[[], Record]],
    hidden: tuple[str, ...] = (),
    plot: Callable[[Mapping[str, Record], Path], None] | None = None,
) -> None:
    """A command line that runs cases, prints a line for each and writes their records.

    Args:
        description: shown by ``--help``.
        cases: functions by name; what they return is the record, with the machine's facts added. A case
            that is run again replaces its record, others keep theirs.
        hidden: parts of a record that are not printed.
        plot: draws all records, those of earlier runs included, into a PNG file beside that of the records.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=cases, default=list(cases), metavar="CASE")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    records = earlier(arguments.out)
    for name in arguments.only:
        records[name] = {**cases[name](), "machine": machine()}
        shown = {key: value for key, value in records[name].items() if key not in (*hidden, "machine")}
        print(f"{name}: {json.dumps(shown)}", flush=True)
        if arguments.out is not None:  # after each case: a run that is cut keeps what it has
            ordered = {case: records[case] for case in cases if case in records}
            arguments.out.write_text(json.dumps({"records": ordered}, indent=1) + "\n")
    if plot is not None and arguments.out is not None:
        plot({case: records[case] for case in cases if case in records}, arguments.out.with_suffix(".png"))
