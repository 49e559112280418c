"""The process of one job: ``python -m pdesolve.benchmarks.suite.worker ANSWER``, the job on its input.

It ends when its input ends: whoever started it is gone then, killed perhaps, and nobody would read the
answer.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path

PARENT_GONE = 3
SOLVING = ".solving"
"""Suffix of a file that is there while the method works."""
KEPT = 10  # warnings of a job


def main(answer: Path) -> None:
    """Read a job, run it, put its result in place at once."""
    text = sys.stdin.readline()
    threading.Thread(target=end_with_parent, daemon=True).start()
    from pdesolve.benchmarks.suite.job import Job
    from pdesolve.benchmarks.suite.work import run_job

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        row = run_job(Job.parse(text), _marked(answer.with_suffix(SOLVING)))
    row["warnings"] = list(dict.fromkeys(f"{w.category.__name__}: {w.message}"[:300] for w in caught))[:KEPT]
    partial = answer.with_suffix(".partial")
    partial.write_text(json.dumps(row, allow_nan=False))
    partial.replace(answer)


@contextlib.contextmanager
def _marked(file: Path) -> Iterator[None]:
    """Memory in use while the file is there is the method's."""
    file.touch()
    try:
        yield
    finally:
        file.unlink()


def end_with_parent() -> None:
    """Wait until the input ends, and end."""
    sys.stdin.read()
    os._exit(PARENT_GONE)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
