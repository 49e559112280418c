"""`sweep`: run the jobs that have no result yet, and keep each result when it is there."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from concurrent.futures import Executor, as_completed
from dataclasses import dataclass

from .isolation import Limits, run_isolated
from .job import Job
from .store import Row, Store


@dataclass(frozen=True)
class Ended:
    """A job has ended.

    Attributes:
        job: which.
        row: its result; None where it has none and will run again (its worker was lost).
        done, total: jobs of this sweep with a result, and all.
    """

    job: Job
    row: Row | None
    done: int
    total: int


def unique(jobs: Iterable[Job]) -> list[Job]:
    """Jobs in order, each address once."""
    return list({job.address: job for job in jobs}.values())


def remaining(jobs: Iterable[Job], store: Store, retry: bool = False) -> list[Job]:
    """The jobs without a result; with ``retry``, those that failed or met a limit, too."""
    finished = store.addresses(usable=retry)
    return [job for job in unique(jobs) if job.address not in finished]


def sweep(
    jobs: Iterable[Job],
    store: Store,
    executor: Executor,
    limits: Limits,
    machine: str | None = None,
    ended: Callable[[Ended], None] = lambda _: None,
    retry: bool = False,
) -> int:
    """Run what remains; the number of jobs that still have no result (lost workers).

    Args:
        jobs: the matrix; those with a result in ``store`` are left out.
        store: where results go.
        executor: `Processes`, or any `concurrent.futures.Executor` whose functions run where pdesolve is
            installed.
        limits: of each job.
        machine: what the report calls the machine; by default processor and number of cores.
        ended: called after each job.
        retry: run jobs again that failed, timed out or ran out of memory; the new result replaces the old.

    An interruption (Ctrl-C) ends running jobs and is passed on; results that are there are kept.
    """
    jobs = unique(jobs)
    waiting = remaining(jobs, store, retry)
    done, total = len(jobs) - len(waiting), len(jobs)
    futures = {executor.submit(run_isolated, job.canonical(), limits): job for job in waiting}
    try:
        for future in as_completed(futures):
            row = None if future.exception() else json.loads(future.result())
            if row is not None and row["outcome"] is None:
                row = None
            if row is not None:
                if machine is not None:
                    row["machine"] = {**row.get("machine", {}), "name": machine}
                store.add(row)
                done += 1
            ended(Ended(futures[future], row, done, total))
    except BaseException:
        executor.shutdown(wait=True, cancel_futures=True)
        raise
    return total - done
