"""The benchmark suite behind `pdesolve bench`: jobs, their isolation, their results, and the report.

    from pdesolve.benchmarks.suite import Limits, Processes, Store, suite, sweep, write_report

    store = Store("report")
    with Processes(workers=1) as executor:
        sweep(suite("quick"), store, executor, Limits())
    write_report(store, "report")

`docs/benchmarks.md` describes what is measured and how.
"""

from .executors import Processes, connect
from .isolation import Limits, run_isolated
from .job import Job, JobError
from .merge import MergeError, merge
from .report import write_report
from .store import Store
from .suites import SUITES, suite
from .sweep import Ended, remaining, sweep
from .work import run_job

__all__ = [
    "SUITES",
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
