"""The command line: `pdesolve bench`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from invocation import last_line, refused, run

TINY = ("bench", "--problems", "poisson", "--backends", "teng", "--budget", "5", "--json")


def test_bench_writes_a_report_and_goes_on_from_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole command, with jobs that run in this process."""
    from pdesolve.benchmarks.suite.job import Job
    from pdesolve.benchmarks.suite.work import run_job

    ran = []

    def run_here(text: str, limits: Any, stop: Any = None) -> str:
        job = Job.parse(text)
        ran.append(job)
        row = run_job(job) | {"address": job.address, "job": json.loads(text), "peak_memory_bytes": 1}
        return json.dumps(row)

    monkeypatch.setattr("pdesolve.benchmarks.suite.sweeping.run_isolated", run_here)
    monkeypatch.setattr("pdesolve.benchmarks.suite.work._picture", lambda solution: None)
    out = tmp_path / "report"
    result = run(*TINY, "--out", out, "--machine", "mine")
    assert result.exit_code == 0, result.stderr
    said = last_line(result.stdout)
    assert said["outcomes"] == {"done": 5, "unsupported": 1} and said["lost"] == 0
    assert all(Path(file).is_file() for file in said["files"])
    assert "unsupported: it has no time" in (out / "index.html").read_text()
    assert len(ran) == 6
    again = run(*TINY, "--out", out)
    assert again.exit_code == 0 and len(ran) == 6
    assert "6 of 6 jobs have a result" in again.stderr and "another" not in again.stderr
    monkeypatch.setattr("pdesolve.benchmarks.machine.commit", lambda: "0000000-of-the-tests")
    elsewhere = run(*TINY, "--out", out)
    assert "this checkout is another" in elsewhere.stderr
    # A report of two machines: the other one has the same results under another name.
    (tmp_path / "other").mkdir()
    text = (out / "results.jsonl").read_text().replace('"mine"', '"theirs"')
    (tmp_path / "other" / "results.jsonl").write_text(text)
    merged = run("bench", "--merge", out, tmp_path / "other", "--out", tmp_path / "both", "--json")
    assert merged.exit_code == 0, merged.stderr
    assert last_line(merged.stdout)["outcomes"] == {"done": 10, "unsupported": 2}


def test_bench_lists_what_it_would_run(tmp_path: Path) -> None:
    result = run(*TINY, "--dry-run", "--out", tmp_path / "out")
    assert result.exit_code == 0, result.stderr
    assert len(last_line(result.stdout)["jobs"]) == 6
    assert not (tmp_path / "out").exists()


def test_bench_interrupted_says_how_to_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: Any) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("pdesolve.benchmarks.suite.sweeping.sweep", interrupted)
    result = run(*TINY, "--out", tmp_path)
    assert result.exit_code == 130
    assert "0 of 6 results" in result.stderr and "same command again" in result.stderr


def test_bench_refuses_bad_input(tmp_path: Path) -> None:
    refused(run("bench", "--suite", "quickly"), "quick", "papers")
    refused(run("bench", "--suite", "quick", "--problems", "heat"), "either")
    refused(run("bench", "--problems", "bergers"), "burgers")
    refused(run("bench", "--problems", "heat", "--backends", "pinn(width=0)"), "width")
    refused(run("bench", "--problems", "heat(nu=)"), "name(key=value")
    refused(run("bench", "--problems", "heat", "--budget", "-1"), "positive")
    refused(run("bench", "--problems", "heat", "--memory-limit", "-1"), "memory-limit")
    refused(run("bench", "--problems", "heat", "--executor", "threads"), "processes")
    refused(run("bench", "--merge", tmp_path, tmp_path, "--out", tmp_path / "out"), "results.jsonl")
    (tmp_path / "file").write_text("")
    refused(run("bench", "--problems", "heat", "--out", tmp_path / "file"), "file")
