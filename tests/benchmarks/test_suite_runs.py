"""Jobs in processes of their own: their ends, limits, what a kill costs, and a real scheduler."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import Executor, Future
from pathlib import Path

import pytest

from pdesolve.benchmarks.suite import (
    Job,
    Limits,
    Processes,
    Store,
    connect,
    run_isolated,
    run_job,
    sweep,
    work,
)
from pdesolve.benchmarks.suite.executors import SchedulerError
from pdesolve.declare import PDESolveError

QUICK = Job("convection", "spectral", {"beta": 1}, {"rtol": 1e-4})
UNSUPPORTED = Job("poisson", "teng")  # it has no time
RUINED = {"optimizer": "adam", "learning_rate": 1e300, "width": 6, "depth": 1, "points": 50, "compile": False}
LONG = Job("burgers", "pinn", options={"compile": False, "width": 6, "depth": 1}, budget=500)


def test_a_result_has_all_that_the_report_needs():
    row = run_job(QUICK)
    json.dumps(row, allow_nan=False)
    assert (row["outcome"], row["status"]) == ("done", "CONVERGED")
    assert row["relative_l2"] < 1e-8
    assert row["reference"]["error"] > 0 and row["reference"]["residual"] < 1e-12
    assert set(row["seconds"]) == {"setup", "data", "training", "evaluation", "a_solve"}
    lengths = {len(column) for column in row["curve"].values()}
    assert len(lengths) == 1 and lengths.pop() >= 1
    assert row["curve"]["relative_l2"][-1] == pytest.approx(row["relative_l2"])
    assert row["versions"]["torch"] and row["machine"]["processor"] and row["picture"]


@pytest.mark.parametrize(
    ("job", "outcome", "words"),
    [
        (UNSUPPORTED, "unsupported", "time"),
        (Job("burgers", "fno"), "unsupported", "family"),
        (Job("poisson-random", "fno", {"sensors": {"u": 9}}), "unsupported", "recovery"),
        (Job("burgers", "pinn", options={"width": 0}), "failed", "width"),
        (Job("bergers", "pinn"), "failed", "burgers"),
        (Job("convection", "pinn", options=RUINED, steps=20), "failed", "not finite"),
    ],
)
def test_a_jobs_own_failure_is_a_result(job, outcome, words):
    row = run_job(job)
    assert row["outcome"] == outcome
    assert words in row["reason"]


def test_a_backend_that_is_the_reference_is_measured_all_the_same():
    solved = []
    with pytest.MonkeyPatch.context() as patch:
        here = work.solve
        patch.setattr(work, "solve", lambda problem, *a, **k: solved.append(k) or here(problem, *a, **k))
        row = run_job(Job("kdv", "spectral", options={"rtol": 1e-2}))
    assert len(solved) == 1  # the reference, by the same backend, has warmed nothing in this process
    assert solved[0]["reference"].success
    assert 1e-8 < row["relative_l2"] < 1e-2
    assert 0 < row["reference"]["error"] < 1e-7


def test_memory_of_a_job_is_that_of_its_method(monkeypatch, tmp_path):
    """Neither the reference before nor the picture after it counts."""
    program = tmp_path / "worker.py"
    program.write_text(
        "import json, pathlib, sys, time\n"
        "answer = pathlib.Path(sys.argv[-1]); solving = answer.with_suffix('.solving')\n"
        "before = bytearray(400_000_000); time.sleep(0.5); del before\n"
        "solving.touch(); time.sleep(0.5); solving.unlink()\n"
        "after = bytearray(400_000_000); time.sleep(0.5)\n"
        "answer.write_text(json.dumps({'outcome': 'done', 'machine': {}}))\n"
    )
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{program}" "$@"\n')
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    row = json.loads(run_isolated(QUICK.canonical(), Limits()))
    assert 0 < row["peak_memory_bytes"] < 200_000_000


# -- limits


def test_time_limit():
    begin = time.monotonic()
    row = json.loads(run_isolated(LONG.canonical(), Limits(seconds=1)))
    assert row["outcome"] == "timed out"
    assert row["address"] == LONG.address and row["machine"]["name"]
    assert time.monotonic() - begin < 20


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is watched by /proc")
def test_memory_limit():
    row = json.loads(run_isolated(LONG.canonical(), Limits(memory=20_000_000)))
    assert row["outcome"] == "out of memory"
    assert "GB in use" in row["reason"] and row["peak_memory_bytes"] > 20_000_000


def test_a_process_that_dies_is_a_result(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/bin/false")
    row = json.loads(run_isolated(QUICK.canonical(), Limits()))
    assert row["outcome"] == "failed" and "exit status 1" in row["reason"]


def test_stopping_ends_the_process_and_gives_no_result():
    stop = threading.Event()
    stop.set()
    assert json.loads(run_isolated(LONG.canonical(), Limits(), stop))["outcome"] is None


def test_a_job_runs_in_another_process_with_its_threads(tmp_path):
    store = Store(tmp_path)
    with Processes(2) as executor:
        assert sweep([QUICK], store, executor, Limits(threads=1), machine="mine") == 0
    (done,) = store.rows()
    assert (done["outcome"], done["address"]) == ("done", QUICK.address)
    assert done["machine"]["name"] == "mine"
    assert done["machine"]["threads"] == 1
    assert store.picture(done).read_bytes().startswith(b"\x89PNG")
    assert done["peak_memory_bytes"] > 50_000_000 and done["seconds_wall"] > done["seconds"]["setup"]


# -- kills and resuming


class Inline(Executor):
    """Runs nothing: gives a ready answer for each job, and notes which were asked for."""

    def __init__(self, broken: bool = False) -> None:
        self.asked: list[Job] = []
        self.broken = broken

    def submit(self, fn, /, text, *args, **kwargs):
        job, future = Job.parse(text), Future()
        self.asked.append(job)
        if self.broken:
            future.set_exception(RuntimeError("the worker is lost"))
        else:
            future.set_result(
                json.dumps({"address": job.address, "job": json.loads(text), "outcome": "done"})
            )
        return future


def test_finished_jobs_do_not_run_again(tmp_path):
    store, first, second = Store(tmp_path), Inline(), Inline()
    assert sweep([QUICK], store, first, Limits()) == 0
    told = []
    sweep([QUICK, LONG, LONG], store, second, Limits(), ended=told.append)
    assert [job.address for job in second.asked] == [LONG.address]
    assert [(event.done, event.total) for event in told] == [(2, 2)]


def test_a_lost_worker_is_no_result_of_the_job(tmp_path):
    store = Store(tmp_path)
    assert sweep([QUICK], store, Inline(broken=True), Limits()) == 1
    assert store.rows() == []


def test_an_interruption_is_passed_on_and_keeps_results(tmp_path):
    store = Store(tmp_path)

    def interrupt(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sweep([QUICK, LONG], store, Inline(), Limits(), ended=interrupt)
    assert len(store.rows()) == 1


def alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False


@pytest.mark.skipif(not Path("/proc").exists(), reason="looks for processes in /proc")
def test_a_kill_half_way_loses_no_finished_job_and_leaves_no_process(tmp_path):
    from pdesolve.benchmarks.suite.isolation import _children

    arguments = ["--problems", "poisson", "--backends", "teng, pinn(compile=False), spectral(rtol=1e-4)"]
    command = [sys.executable, "-m", "pdesolve.cli", "bench", *arguments, "--seeds", "1", "--budget", "400"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen([*command, "--out", str(tmp_path)], env=environment, **quiet)
    store, deadline = Store(tmp_path), time.monotonic() + 90
    try:
        while not store.rows() or not (children := _children().get(process.pid)):
            assert time.monotonic() < deadline and process.poll() is None
            time.sleep(0.1)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert len(store.rows()) == 1
    while any(map(alive, children)):
        assert time.monotonic() < deadline, "a worker outlives its parent"
        time.sleep(0.1)
    done = subprocess.run(
        [*command, "--out", str(tmp_path), "--time-limit", "0.2", "--json"],
        capture_output=True, text=True, timeout=90, check=False, env=environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "1 of 3 jobs have a result" in done.stderr
    # The finished one was kept, not run again: by this limit it would have timed out.
    assert json.loads(done.stdout.splitlines()[-1])["outcomes"] == {"timed out": 2, "unsupported": 1}


# -- other machines


def test_jobs_run_on_a_dask_scheduler_with_two_worker_processes(tmp_path):
    pytest.importorskip("distributed")
    processes, port = [], str(_free_port())
    address = f"tcp://127.0.0.1:{port}"
    start = [sys.executable, "-W", "ignore", "-m", "distributed.cli.dask_scheduler"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "DASK_DISTRIBUTED__WORKER__DAEMON": "False"}

    def run(*words: str) -> None:
        processes.append(
            subprocess.Popen(words, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        )

    try:
        run(*start, "--host", "127.0.0.1", "--port", port, "--no-dashboard")
        worker = [*start[:-1], "distributed.cli.dask_worker", address, "--nthreads", "1", "--no-nanny"]
        for number in (1, 2):
            run(*worker, "--no-dashboard", "--local-directory", str(tmp_path / f"worker{number}"))
        store = Store(tmp_path / "out")
        with connect(address) as executor:
            assert sweep([UNSUPPORTED, Job("burgers", "fno")], store, executor, Limits(threads=1)) == 0
    finally:
        for process in processes:
            process.kill()
            process.wait()
    assert [row["outcome"] for row in store.rows()] == ["unsupported"] * 2


def test_a_scheduler_that_does_not_answer_is_told(monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr("pdesolve.benchmarks.suite.executors.CONNECT_SECONDS", 0.5)
    with pytest.raises(SchedulerError, match="running scheduler"):
        connect(f"tcp://127.0.0.1:{_free_port()}")


def test_no_workers_are_refused():
    with pytest.raises(PDESolveError, match="workers"):
        Processes(0)


def _free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
