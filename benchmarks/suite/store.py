"""`Store`: results as JSON lines, one for each finished job, found again by address."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pdesolve.solution.output import check_writable

from .outcome import DONE, UNSUPPORTED

Row = dict[str, Any]
"""One result: ``address``, ``job``, ``outcome`` and what was measured; see `run_job`."""

FILE = "results.jsonl"
PICTURES = "pictures"


class Store:
    """A folder with ``results.jsonl`` and ``pictures/``.

    A line is written at once and flushed to the disk when its job ends, so that a kill loses running jobs
    alone. What it tore is left out on reading; the job that it belonged to runs again.

    Args:
        folder: made where it is not there.

    Raises:
        OutputPathError: it cannot be written.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        check_writable(self.folder, directory=True)
        self.folder.mkdir(parents=True, exist_ok=True)

    @property
    def file(self) -> Path:
        return self.folder / FILE

    def rows(self) -> list[Row]:
        """All results that can be read; of several with one address and machine, the last."""
        if not self.file.exists():
            return []
        found: dict[tuple[str, str], Row] = {}
        for line in self.file.read_bytes().split(b"\n"):
            row = _row(line)
            if row is not None:
                found[row["address"], row.get("machine", {}).get("name", "")] = row
        return list(found.values())

    def addresses(self, usable: bool = False) -> set[str]:
        """Of all finished jobs; with ``usable``, of those that are done or not supported."""
        return {row["address"] for row in self.rows() if not usable or row["outcome"] in (DONE, UNSUPPORTED)}

    def add(self, row: Row) -> None:
        """Append a result; its picture, if any, becomes a file of its own."""
        row = dict(row)
        picture = row.pop("picture", None)
        if picture:
            self.picture(row).parent.mkdir(exist_ok=True)
            self.picture(row).write_bytes(base64.b64decode(picture))
        line = json.dumps(row, allow_nan=False).encode() + b"\n"
        with self.file.open("ab+") as file:
            if file.tell() and not _ends_a_line(file):
                line = b"\n" + line  # a kill has torn the last one
            file.write(line)
            file.flush()
            os.fsync(file.fileno())

    def picture(self, row: Row) -> Path:
        """Where the picture of a result is kept, one for each machine; it need not be there."""
        machine = str(row.get("machine", {}).get("name", ""))
        known = hashlib.sha256(machine.encode()).hexdigest()[:8]
        return self.folder / PICTURES / f"{row['address']}-{known}.png"

    def commits(self) -> set[str]:
        """Of the code that the results come from; results that do not say are left out."""
        return commits(self.rows())


def commits(rows: Iterable[Row]) -> set[str]:
    """The commits that results name."""
    return {str(commit) for row in rows if (commit := row.get("machine", {}).get("commit"))}


def _ends_a_line(file: Any) -> bool:
    file.seek(-1, os.SEEK_END)
    return bool(file.read(1) == b"\n")


def _row(line: bytes) -> Row | None:
    """A line as a result; None for what is none."""
    try:
        row = json.loads(line)
    except ValueError:  # also what is no UTF-8
        return None
    return row if isinstance(row, dict) and "address" in row and "job" in row else None
