"""A job's reference: ``python -m pdesolve.benchmarks.suite.referring FILE``, the job on its input.

A process of its own, so that neither its time nor its memory is that of the method which is measured. Nothing
is written where the backend does not succeed. It ends when its input ends.
"""

from __future__ import annotations

import sys
import threading
from pathlib import Path

from pdesolve.driver import solve

from .job import Job
from .worker import end_with_parent


def main(file: Path) -> None:
    """Read a job, solve its problem by the backend of its reference, save the solution."""
    problem = Job.parse(sys.stdin.readline()).declare()
    threading.Thread(target=end_with_parent, daemon=True).start()
    declared = problem.reference
    assert declared is not None
    assert declared.backend is not None
    computed = solve(problem, declared.backend, progress=False, throw=False, **declared.options)
    if computed.success:
        partial = file.with_suffix(".partial.h5")
        computed.save(partial)
        partial.replace(file)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
