"""Jobs and their addresses, the store, the matrix: nothing is run here."""

from __future__ import annotations

import base64
import dataclasses
import json

import pytest

import pdesolve
from pdesolve.benchmarks.suite import Job, JobError, MergeError, Store, merge, remaining, suite
from pdesolve.benchmarks.suite.matrix import CLASSICAL, MatrixError, matrix, parse_calls
from pdesolve.benchmarks.suite.suites import SUITES, UnknownSuiteError
from pdesolve.declare import PDESolveError

JOB = Job("burgers", "pinn", {"nu": 0.02}, {"width": 8, "sampler": "r3"}, seed=1, budget=2.5)


def row(job=JOB, machine="a", **more):
    return {"address": job.address, "job": json.loads(job.canonical()), "outcome": "done", "reason": "",
            "machine": {"name": machine}, **more}  # fmt: skip


# -- addresses


def test_a_job_survives_its_text():
    assert Job.parse(JOB.canonical()) == JOB
    assert Job.parse(JOB.canonical()).address == JOB.address


def test_equal_jobs_have_one_address_whatever_the_order_and_the_label():
    same = Job("burgers", "pinn", {"nu": 0.02}, {"sampler": "r3", "width": 8}, 1, 2.5, series="mine")
    assert same.address == JOB.address


@pytest.mark.parametrize(
    "change",
    [
        {"problem": "heat"}, {"backend": "gp"}, {"parameters": {}}, {"options": {"width": 9}}, {"seed": 2},
        {"budget": None}, {"steps": 3}, {"device": "cuda"}, {"dtype": "float32"}, {"data": {"members": 3}},
    ],
)  # fmt: skip
def test_whatever_decides_the_result_changes_the_address(change):
    assert dataclasses.replace(JOB, **change).address != JOB.address


def test_another_version_is_another_address(monkeypatch):
    before = JOB.address
    monkeypatch.setattr(pdesolve, "__version__", "99.0")
    assert JOB.address != before


def test_a_member_with_sensors_is_a_recovery():
    parameters = {"member": 3, "sensors": {"u": 40, "a": 10}, "nodes": 32}
    problem = Job.parse(Job("poisson-random", "diffusion", parameters).canonical()).declare()
    assert set(problem.unknown_names) == {"u", "a"}
    assert problem.reference.function is not None
    with pytest.raises(PDESolveError, match="sensors"):
        Job("poisson-random", "diffusion", {"nodes": 32}).declare()


def test_the_quick_suite_recovers_from_observations():
    jobs = [job for job in suite("quick") if "sensors" in job.parameters]
    assert {(job.problem, job.backend) for job in jobs} == {
        ("poisson-random", "gp-oracle"),
        ("poisson-random", "diffusion"),
        ("darcy-random", "diffusion"),
    }
    assert all(not job.method().supports(job.declare()) for job in jobs)


def test_what_is_no_plain_value_is_refused():
    for wrong in ({"f": len}, {"x": float("nan")}):
        with pytest.raises(JobError, match="options"):
            Job("burgers", "pinn", options=wrong).canonical()
    for text in ("{", "[1]", '{"problem": "x"}', '{"problem": "x", "backend": "y", "colour": 1}'):
        with pytest.raises(JobError):
            Job.parse(text)


# -- the store


def test_results_are_found_again_and_torn_lines_left_out(tmp_path):
    store = Store(tmp_path / "new" / "folder")
    assert store.rows() == []
    other = dataclasses.replace(JOB, seed=7)
    store.add(row())
    whole = store.file.read_bytes()
    store.add(row(other))
    store.file.write_bytes(store.file.read_bytes()[:-20])  # a kill in the middle of a line
    assert store.addresses() == {JOB.address}
    assert remaining([JOB, other, other], store) == [other]
    store.add(row(other))  # goes on behind the torn line
    assert store.addresses() == {JOB.address, other.address}
    assert store.file.read_bytes().startswith(whole)
    assert remaining([JOB, other], store) == []
    store.add(row(other) | {"outcome": "timed out"})  # the last result of a job counts
    assert remaining([JOB, other], store) == [] and remaining([JOB, other], store, retry=True) == [other]


def test_bytes_that_are_no_text_are_left_out(tmp_path):
    store = Store(tmp_path)
    store.file.write_bytes(b'\xff\xfe\n{"address": 1}\n3\n')
    store.add(row())
    assert store.addresses() == {JOB.address}


def test_pictures_are_files(tmp_path):
    store = Store(tmp_path)
    store.add(row(picture=base64.b64encode(b"image").decode()))
    (kept,) = store.rows()
    assert "picture" not in kept
    assert store.picture(kept).read_bytes() == b"image"


def test_machines_are_kept_apart_by_merging(tmp_path):
    first, second = Store(tmp_path / "a"), Store(tmp_path / "b")
    first.add(row(machine="one", picture=base64.b64encode(b"1").decode()))
    second.add(row(machine="two", picture=base64.b64encode(b"2").decode()))
    second.add(row(dataclasses.replace(JOB, seed=5), machine="two"))
    merged = merge([first.folder, second.folder], tmp_path / "c")
    assert sorted(r["machine"]["name"] for r in merged.rows()) == ["one", "two", "two"]
    pictures = {r["machine"]["name"]: merged.picture(r) for r in merged.rows() if r["address"] == JOB.address}
    assert pictures["one"].read_bytes() == b"1" and pictures["two"].read_bytes() == b"2"
    merge([first.folder, second.folder], tmp_path / "c")  # again: nothing is doubled
    assert len(merged.rows()) == 3
    for wrong in ([tmp_path / "nothing", second.folder], [first.folder, tmp_path / "c"]):
        with pytest.raises(MergeError):
            merge(wrong, tmp_path / "c")


# -- the matrix


def test_calls_are_read_without_running_anything():
    assert parse_calls("burgers(nu=0.02), gp-hm(kernel='gauss', n=(3, 4)),kdv") == [
        ("burgers", {"nu": 0.02}),
        ("gp-hm", {"kernel": "gauss", "n": (3, 4)}),
        ("kdv", {}),
    ]
    for wrong in ("pinn(8)", "pinn(a=__import__('os'))", "pinn(a=1", "pinn(**{})", "pinn(a=1)x"):
        with pytest.raises(MatrixError):
            parse_calls(wrong)


def test_the_matrix_runs_once_what_seeds_and_budgets_do_not_change():
    jobs = matrix([("burgers", {})], [("pinn", {}), ("gp", {})], seeds=3, budgets=(10, 30))
    assert len({job.address for job in jobs}) == len(jobs)
    of = {name: [j for j in jobs if j.backend == name] for name in ("pinn", "gp", "spectral")}
    assert {(j.seed, j.budget) for j in of["pinn"]} == {(s, b) for s in range(3) for b in (10, 30)}
    assert [(j.seed, j.budget) for j in of["gp"]] == [(0, 30)]
    # Nobody asked for a classical backend: the line is there all the same, one series of several tolerances.
    assert tuple(j.options["rtol"] for j in of["spectral"]) == CLASSICAL["spectral"]
    assert {j.label for j in of["spectral"]} == {"spectral"}


def test_what_is_trained_first_runs_with_all_seeds_and_budgets():
    """Untrained it supports nothing, which is no reason to leave its training out."""
    recovery = ("poisson-random", {"sensors": {"u": 9}})
    problems = [("burgers-random", {"member": 3}), ("burgers", {}), recovery]
    jobs = [j for j in matrix(problems, [("fno", {"width": 8})], 2, (10, 30)) if j.backend == "fno"]
    learned = {(j.seed, j.budget) for j in jobs if j.problem == "burgers-random"}
    assert learned == {(s, b) for s in range(2) for b in (10, 30)}
    assert [(j.seed, j.budget) for j in jobs if j.problem == "burgers"] == [
        (0, 30)
    ]  # no family to learn from


def test_where_the_best_classical_backend_cannot_the_next_one_is_the_line():
    jobs = matrix([("poisson-l-shape", {})], [("pinn", {})])
    assert {j.backend for j in jobs} == {"pinn", "fem"}


def test_what_does_not_exist_is_refused_before_any_work():
    for problem, backend in [
        ("bergers", ("pinn", {})), ("burgers", ("nothing", {})), ("burgers", ("pinn", {"colour": 1})),
    ]:  # fmt: skip
        with pytest.raises(PDESolveError):
            matrix([(problem, {})], [backend])
    with pytest.raises(PDESolveError):
        matrix([("burgers", {"mass": 1})], [("pinn", {})])


# -- suites


@pytest.mark.parametrize("name", ["quick", "papers", pytest.param("full", marks=pytest.mark.slow)])
def test_jobs_of_suites_can_be_made(name):
    """Each problem and backend exists, and takes its parameters and options."""
    assert name in SUITES
    jobs = suite(name)
    assert len({job.address for job in jobs}) == len(jobs)
    declared = {job.case: job for job in jobs}
    for job in declared.values():
        job.declare()
    for job in jobs:
        assert Job.parse(job.canonical()).method() == job.method()
    classical = {job.case for job in jobs if job.backend in CLASSICAL}
    solvable = {case for case, job in declared.items() if "sensors" not in job.parameters}
    assert classical == solvable, "a problem without its classical line"


def test_unknown_suite():
    with pytest.raises(UnknownSuiteError, match="quick"):
        suite("quickly")
