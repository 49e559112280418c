"""`pdesolve bench`: a matrix of jobs, what they came to, and the report."""

from __future__ import annotations

import math
import os
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..declare import PDESolveError
from ..progress import ProgressBar
from . import INTERRUPTED
from .output import Output

if TYPE_CHECKING:
    from ..benchmarks.suite import Job, Limits, Store

LOST = 1
EXECUTORS = ("processes",)
WITH_PAPERS = ("papers", "full")


class BenchOptionError(PDESolveError):
    """Options of `bench` that make no sense, or exclude each other."""


@dataclass(frozen=True)
class BenchRequest:
    """What was asked for on the command line; `pdesolve bench --help` describes it."""

    out: Path
    suite: str | None = None
    problems: str | None = None
    backends: str = "pinn"
    seeds: int = 1
    budgets: tuple[float, ...] = (60.0,)
    executor: str = "processes"
    workers: int = 1
    scheduler: str | None = None
    seconds: float | None = None
    memory: int | None = None
    machine: str | None = None
    merge: tuple[Path, Path] | None = None
    retry: bool = False
    dry_run: bool = False
    progress: bool | None = None


def bench_request(request: BenchRequest, output: Output) -> int:
    """Run what is not there yet, write the report, say where it is; returns the exit status.

    Raises:
        PDESolveError: bad input.
    """
    from ..benchmarks.suite import Store, merge, remaining

    if request.merge is not None:
        return report(merge(request.merge, request.out), request, output, 0, 0)
    _check(request)
    jobs = find_jobs(request)
    if request.dry_run:
        return list_jobs(jobs, output)
    store = Store(request.out)
    left = remaining(jobs, store, request.retry)
    if len(left) < len(jobs):
        output.note(f"{len(jobs) - len(left)} of {len(jobs)} jobs have a result in {store.file}.")
        other = other_commits(store)
        if other:
            output.note(
                f"Results in {store.file} come from commit {', '.join(other)}; this checkout is another. "
                "What has a result is not run again: give another --out for this one's."
            )
    if left:
        output.note(f"{len(left)} jobs to run. Killed half-way? {how_to_go_on(request)}")
    try:
        lost = run(jobs, store, request, output)
    except KeyboardInterrupt:
        kept = len(jobs) - len(remaining(jobs, store))
        output.note(f"Stopped with {kept} of {len(jobs)} results in {store.file}. {how_to_go_on(request)}")
        return INTERRUPTED
    return report(store, request, output, lost, len(jobs))


def other_commits(store: Store) -> list[str]:
    """Commits of stored results that are not the one that is checked out; none where that is unknown."""
    from ..benchmarks.machine import commit

    here = commit()
    return [] if here is None else sorted(store.commits() - {here})


def _check(request: BenchRequest) -> None:
    def refuse(option: str, expected: str, got: Any, remedy: str) -> None:
        raise BenchOptionError(f"bench {option}", expected, str(got), remedy)

    if request.executor not in EXECUTORS:
        refuse("--executor", "processes", request.executor, "For other machines give --scheduler tcp://...")
    if request.suite is not None and request.problems is not None:
        refuse("--suite", "either a suite or --problems", "both", "Drop one of them.")
    if not all(0 < budget < math.inf for budget in request.budgets):
        refuse("--budget", "positive seconds", request.budgets, "Give for instance --budget 30.")
    for option, value in (("--time-limit", request.seconds), ("--memory-limit", request.memory)):
        if value is not None and not 0 < value < math.inf:
            refuse(option, "a positive number", value, "Leave it out for the default.")


def find_jobs(request: BenchRequest) -> list[Job]:
    """The jobs of a suite, or of the matrix that was asked for; the suite ``quick`` where neither was."""
    from ..benchmarks.suite import suite
    from ..benchmarks.suite.matrix import matrix, parse_calls

    if request.problems is None:
        jobs: list[Job] = suite(request.suite or "quick")
    else:
        cases, methods = parse_calls(request.problems), parse_calls(request.backends)
        jobs = matrix(cases, methods, request.seeds, request.budgets)
    return jobs


def run(jobs: list[Job], store: Store, request: BenchRequest, output: Output) -> int:
    """The sweep with its bar; the number of jobs that were lost."""
    from ..benchmarks.suite import Ended, sweep

    with ProgressBar("bench", request.progress) as bar:
        bar.say(f"of {len(jobs)} jobs the first is running")

        def ended(event: Ended) -> None:
            bar.count(event.done, event.total, f"jobs, last {event.job.case} by {event.job.label}")

        with _executor(request) as executor:
            limits = _limits(request)
            lost: int = sweep(jobs, store, executor, limits, request.machine, ended, request.retry)
        return lost


def _executor(request: BenchRequest) -> Executor:
    from ..benchmarks.suite import Processes, connect

    if request.scheduler is not None:
        executor: Executor = connect(request.scheduler)
    else:
        executor = Processes(request.workers)
    return executor


def _limits(request: BenchRequest) -> Limits:
    """Jobs that run side by side share the cores."""
    from ..benchmarks.suite import Limits

    threads = max(1, (os.cpu_count() or 1) // request.workers) if request.workers > 1 else None
    return Limits(request.seconds, request.memory, threads)


def how_to_go_on(request: BenchRequest) -> str:
    return f"Give the same command again to go on from there (--out {request.out})."


def list_jobs(jobs: list[Job], output: Output) -> int:
    """What would run, and how long at most."""
    for job in jobs:
        output.console.print(
            f"{job.address}  {job.case}  {job.backend}  seed {job.seed}  budget {job.budget}  {job.label}",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )
    seconds = sum(job.budget or 0.0 for job in jobs)
    output.note(f"{len(jobs)} jobs, {seconds / 60:.1f} minutes of budget, and about 6 s for each to start.")
    output.result({"jobs": [job.canonical() for job in jobs], "seconds": seconds})
    return 0


def report(store: Store, request: BenchRequest, output: Output, lost: int, total: int) -> int:
    """Write the report; say what the jobs came to."""
    from collections import Counter

    from ..benchmarks.suite import write_report

    rows = store.rows()
    outcomes = Counter(row["outcome"] for row in rows)
    files: list[Path] = write_report(store, papers=request.suite in WITH_PAPERS)
    words = ", ".join(f"{count} {outcome}" for outcome, count in outcomes.most_common())
    output.console.print(f"{len(rows)} results: {words}", markup=False, highlight=False, soft_wrap=True)
    output.console.print(f"Report: {files[0]}", markup=False, highlight=False, soft_wrap=True)
    if lost:
        output.note(f"{lost} of {total} jobs were lost with their workers. {how_to_go_on(request)}")
    output.result(
        {"out": request.out, "results": store.file, "outcomes": outcomes, "lost": lost, "files": files}
    )
    return LOST if lost else 0
