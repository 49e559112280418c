"""The benchmark suite behind `pdesolve bench`: jobs, their isolation, their results, and the report.

    from pdesolve.benchmarks.suite import Limits, Processes, Store, suite, sweep, write_report

    store = Store("report")
    with Processes(workers=1) as executor:
        sweep(suite("quick"), store, executor, Limits())
    write_report(store)

`docs/benchmarks.md` describes what is measured and how. Names are imported when they are used: a worker that
hands jobs to other processes loads none of the solvers.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .executors import Cluster, Processes, connect
    from .isolation import Limits, run_isolated
    from .job import Job, JobError
    from .merging import MergeError, merge
    from .report import write_report
    from .store import Store
    from .suites import SUITES, suite
    from .sweeping import Ended, remaining, sweep
    from .work import run_job

_HOMES = {
    "executors": ("Cluster", "Processes", "connect"),
    "isolation": ("Limits", "run_isolated"),
    "job": ("Job", "JobError"),
    "merging": ("MergeError", "merge"),
    "report": ("write_report",),
    "store": ("Store",),
    "suites": ("SUITES", "suite"),
    "sweeping": ("Ended", "remaining", "sweep"),
    "work": ("run_job",),
}


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            return getattr(importlib.import_module(f"{__name__}.{home}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "SUITES",
    "Cluster",
    "Ended",
    "Job",
    "JobError",
    "Limits",
    "MergeError",
    "Processes",
    "Store",
    "connect",
    "merge",
    "remaining",
    "run_isolated",
    "run_job",
    "suite",
    "sweep",
    "write_report",
]
