"""A job in a process of its own, with a limit of time and of memory.

Memory is watched from outside: the resident memory of the process and all its children, ten times a
second. RLIMIT_AS would count address space, of which torch reserves many times what it uses, and a job
would die of a refused allocation anywhere. Where there is no ``/proc``, memory is not limited.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from .job import Job
from .outcome import FAILED, OUT_OF_MEMORY, TIMED_OUT
from .store import Row
from .worker import SOLVING

POLL_SECONDS = 0.1
START_UP_SECONDS = 180.0
"""Allowed beside the budget: imports, the reference, evaluations, the picture."""


@dataclass(frozen=True)
class Limits:
    """What a job may use.

    Attributes:
        seconds: of wall time, with imports, reference and evaluations; None allows three times the job's
            budget and three minutes more, and half an hour where it has no budget.
        memory: resident bytes of the process and its children; None for no limit.
        threads: for the numerical libraries; None leaves it to them.
    """

    seconds: float | None = None
    memory: int | None = None
    threads: int | None = None

    def seconds_for(self, job: Job) -> float:
        if self.seconds is not None:
            return self.seconds
        return 1800.0 if job.budget is None else 3 * job.budget + START_UP_SECONDS


def run_isolated(text: str, limits: Limits, stop: threading.Event | None = None) -> str:
    """Run a job (canonical JSON) in a spawned process; its result as JSON.

    Every end of the process is a result, except one: None as its outcome where ``stop`` was set.
    """
    job = Job.parse(text)
    begin = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="pdesolve-job-") as folder:
        answer, log = Path(folder) / "answer.json", Path(folder) / "log.txt"
        process = _spawn(text, answer, log, limits)
        deadline = begin + limits.seconds_for(job)
        end, peak, peak_solving = _watch(process, deadline, limits.memory, stop, answer.with_suffix(SOLVING))
        if not end and answer.exists():
            row: Row = json.loads(answer.read_text())
        else:
            outcome, reason = end or (FAILED, _last_words(process.returncode, log))
            row = {"outcome": outcome, "reason": reason}
    if "machine" not in row:  # it died before it said
        from .place import this_machine  # imports torch, which other jobs leave to their process

        row["machine"] = this_machine()
    row |= {"address": job.address, "job": json.loads(text)}
    row["peak_memory_bytes"] = max(peak_solving, row.get("peak_memory_bytes") or 0) or peak
    row["seconds_wall"] = round(time.monotonic() - begin, 3)
    return json.dumps(row)


def _spawn(text: str, answer: Path, log: Path, limits: Limits) -> subprocess.Popen[str]:
    environment = {**os.environ, "MPLBACKEND": "Agg"}
    if limits.threads is not None:
        environment |= {"OMP_NUM_THREADS": str(limits.threads), "MKL_NUM_THREADS": str(limits.threads)}
    command = [sys.executable, "-m", "pdesolve.benchmarks.suite.worker", str(answer)]
    with log.open("w") as words:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=words,
            stderr=subprocess.STDOUT,
            env=environment,
            text=True,
            start_new_session=True,  # Ctrl-C is ours to handle; the whole group can be ended
        )
    assert process.stdin is not None
    with contextlib.suppress(OSError):  # it died already; the log says of what
        process.stdin.write(text + "\n")
        process.stdin.flush()  # left open: its end tells the worker that we are gone
    return process


def _watch(
    process: subprocess.Popen[str],
    deadline: float,
    memory: int | None,
    stop: threading.Event | None,
    solving: Path,
) -> tuple[tuple[str | None, str] | None, int, int]:
    """Wait for the end, or bring it about; why we did, and the largest memory, at all and while solving."""
    peak = peak_solving = 0
    why: tuple[str | None, str] | None = None
    while process.poll() is None:
        used = resident_bytes(process.pid)
        peak = max(peak, used)
        if solving.exists():
            peak_solving = max(peak_solving, used)
        if stop is not None and stop.is_set():
            why = None, "stopped"
        elif time.monotonic() > deadline:
            why = TIMED_OUT, "the time limit was reached"
        elif memory is not None and used > memory:
            why = OUT_OF_MEMORY, f"{used / 1e9:.2f} GB in use, {memory / 1e9:.2f} GB allowed"
        if why is not None:
            _end(process)
            break
        try:
            process.wait(POLL_SECONDS)
        except subprocess.TimeoutExpired:
            continue
    if process.stdin is not None:
        with contextlib.suppress(OSError):  # what was not sent to a process that is gone
            process.stdin.close()
    return why, peak, peak_solving


def _end(process: subprocess.Popen[str]) -> None:
    """End the process and its children."""
    if hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # it leads a group of its own
    else:
        process.kill()
    process.wait()


def resident_bytes(pid: int) -> int:
    """Resident memory of a process and all its descendants; 0 where there is no ``/proc``."""
    tree = _children()
    found, total = [pid], 0
    while found:
        each = found.pop()
        found += tree.get(each, [])
        try:
            pages = int(Path(f"/proc/{each}/statm").read_text().split()[1])
        except (OSError, ValueError, IndexError):
            continue  # it has ended
        total += pages * os.sysconf("SC_PAGE_SIZE")
    return total


def _children() -> dict[int, list[int]]:
    tree: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            # The name, in parentheses, may hold anything; the parent comes second after it.
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError, IndexError):
            continue
        tree.setdefault(parent, []).append(int(folder.name))
    return tree


def _last_words(code: int, log: Path) -> str:
    how = f"signal {-code}" if code < 0 else f"exit status {code}"
    lines = log.read_text(errors="replace").strip().splitlines()
    return f"the process ended with {how}" + (f": {lines[-1][:200]}" if lines else "")
