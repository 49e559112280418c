"""Where jobs run: processes of this machine, or the workers of a dask scheduler. Both are `Executor`s."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any, TypeVar

from pdesolve.declare import PDESolveError

T = TypeVar("T")

CONNECT_SECONDS = 20


class SchedulerError(PDESolveError):
    """The dask scheduler cannot be used."""


class Processes(Executor):
    """Jobs on this machine, ``workers`` at a time; each is given a flag ``stop`` that `shutdown` sets.

    What is submitted starts a process of its own and waits for it: threads are enough here. One at a time is
    the default because two that share a machine measure each other.
    """

    def __init__(self, workers: int = 1) -> None:
        if workers < 1:
            raise PDESolveError(
                "Processes(workers=)", "a whole number of at least 1", repr(workers), "Give 1 or more."
            )
        self._threads = ThreadPoolExecutor(workers)
        self._stop = threading.Event()

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        return self._threads.submit(fn, *args, stop=self._stop, **kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """As of every executor; with ``cancel_futures``, running jobs are ended, too."""
        if cancel_futures:
            self._stop.set()
        self._threads.shutdown(wait, cancel_futures=cancel_futures)


class Cluster(Executor):
    """The workers of a dask client; `shutdown` closes the client, and leaves scheduler and workers alone.

    With ``cancel_futures``, jobs that wait are dropped; those that run end by themselves.
    """

    def __init__(self, client: Any) -> None:
        self._client = client
        # Jobs are pure, but a worker that was lost with one is no reason for another attempt unasked.
        self._executor = client.get_executor(retries=0)

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        future: Future[T] = self._executor.submit(fn, *args, **kwargs)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self._executor.shutdown(wait=wait and not cancel_futures)
        self._client.close()


def connect(address: str) -> Cluster:
    """The workers of a dask scheduler, such as ``tcp://10.0.0.1:8786``, as an executor.

    They need pdesolve of the same version. Let each have one thread (``dask worker --nthreads 1``): as many
    jobs run at a time as there are threads, and jobs of one machine measure each other.

    Raises:
        SchedulerError: dask is not installed, or no scheduler answers.
    """
    try:
        import distributed
    except ImportError as error:
        raise SchedulerError(
            "bench --scheduler", "dask.distributed", str(error), "pip install 'pdesolve[cluster]'"
        ) from error
    try:
        client: Any = distributed.Client  # untyped
        return Cluster(client(address, timeout=CONNECT_SECONDS, set_as_default=False))
    except (OSError, ValueError) as error:
        raise SchedulerError(
            f"bench --scheduler {address}",
            "the address of a running scheduler",
            f"{type(error).__name__}: {error}",
            "Start one with `dask scheduler`, and workers with `dask worker ADDRESS --nthreads 1`.",
        ) from error
