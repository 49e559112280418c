"""Derived numbers, the page and its files; nothing is solved here, but one file is drawn by a browser."""

from __future__ import annotations

import base64
import csv
import functools
import json
import math
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest

from pdesolve.benchmarks.suite import Job, Store, merge, suite, write_report
from pdesolve.benchmarks.suite.curves import error_at, points, time_to, total_seconds
from pdesolve.benchmarks.suite.papers import comparisons
from pdesolve.benchmarks.suite.published import PAPERS
from pdesolve.benchmarks.suite.summary import summarize
from pdesolve.benchmarks.suite.tables import NOT_REACHED, UNKNOWABLE, cells, header

CURVE = ((1, 0.5), (2, 0.05), (4, 0.002))
PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(40)).decode()


def result(backend="pinn", seed=0, curve=CURVE, *, machine="one", error=None, **more):
    """A result as `run_job` gives it, with set-up 0.5 s and the rest training."""
    options = more.pop("options", {})
    job = Job("burgers", backend, options=options, seed=seed, budget=4, series=more.pop("series", ""))
    seconds, errors = [list(column) for column in zip(*curve, strict=True)] if curve else [[], []]
    end = seconds[-1] if curve else 0.0
    return {
        "address": job.address,
        "job": json.loads(job.canonical()),
        "outcome": "done",
        "reason": "",
        "machine": {"name": machine, "processor": "P", "cores": 2, "threads": 1, "date": "2026"},
        "relative_l2": (errors[-1] if curve else None) if error is None else error,
        "error_estimate": None,
        "reference": {"description": "closed form", "error": 1e-15, "residual": 1e-16},
        "seconds": {"setup": 0.5, "data": 0.0, "training": end - 0.5, "evaluation": 0.1, "a_solve": None},
        "curve": {"seconds": seconds, "step": [1] * len(seconds), "relative_l2": errors},
        "peak_memory_bytes": 3 * 10**8,
        "versions": {"torch": "2"},
        "picture": PNG,
        **more,
    }  # fmt: skip


def reference(error=1e-15, residual=None):
    return {"description": "r", "error": error, "residual": residual}


# -- one curve


def test_time_to_an_error_and_error_at_a_time():
    row = result()
    assert total_seconds(row) == 4
    assert [time_to(row, e) for e in (0.1, 0.01, 1e-5)] == [2, 4, math.inf]
    assert [error_at(row, s) for s in (0.5, 1, 3, 100)] == [math.inf, 0.5, 0.05, 0.002]


def test_the_answer_ends_the_curve_also_where_it_is_an_earlier_state():
    row = result(error=0.05)  # the best by merit was kept, not the last state
    assert points(row)[-1] == (4, 0.05)
    assert time_to(row, 0.01) == math.inf


def test_what_was_not_measured_is_left_out():
    row = result()
    row["curve"]["relative_l2"][1] = None
    assert time_to(row, 0.1) == 4
    row["curve"] = None
    assert points(row) == [(4, 0.002)]
    assert points({"outcome": "failed"}) == [] and time_to({"outcome": "failed"}, 0.1) == math.inf


def test_no_error_is_believed_below_the_references_own():
    row = result(reference=reference(error=0.01))
    assert points(row)[-1] == (4, 0.01)
    assert time_to(row, 0.01) == 4
    assert time_to(row, 0.001) is None  # nobody can tell


# -- over seeds and variants


def test_medians_and_ranges_over_seeds():
    rows = [result(seed=s, curve=((1, 0.5), (2 + s, 0.05 / 10**s))) for s in range(3)]
    (case,) = summarize(rows)
    (series,) = case.series
    found = series.time_to(0.1)
    assert (found.median, found.least, found.greatest) == (3, 2, 4)
    assert series.error.median == pytest.approx(0.005)
    assert series.best["job"]["seed"] == 1
    # Two of three do not reach it: that is what the median says, and the range shows the third.
    text = cells(case, series)[header().index("s to 1e-03")]
    assert text == f"{NOT_REACHED} (4 to {NOT_REACHED})"


def test_the_classical_line_is_the_coarsest_setting_that_reaches_an_error():
    rows = [
        result("spectral", curve=((seconds, error),), options={"rtol": error}, series="spectral")
        for seconds, error in [(1, 1e-2), (3, 1e-4), (9, 1e-8)]
    ]
    (case,) = summarize(rows)
    (series,) = case.series
    assert [series.time_to(e).median for e in (0.1, 1e-3, 1e-6)] == [1, 3, 9]
    assert series.error_at(5).median == 1e-4
    assert series.traces() == [(0, [(1, 1e-2), (3, 1e-4), (9, 1e-8)])]


def test_failures_stay_in_the_table():
    lost = {"curve": (), "seconds": None, "picture": None, "reference": None}
    rows = [result(seed=0), result(seed=1, outcome="timed out", reason="the time limit was reached", **lost)]
    rows.append(result("gp", outcome="unsupported", reason="it has no waves", **lost))
    (case,) = summarize(rows)
    by_name = {series.label: series for series in case.series}
    assert (
        "1 x timed out: the time limit" in by_name["pinn"].outcomes and "1 x done" in by_name["pinn"].outcomes
    )
    assert by_name["pinn"].time_to(0.1).greatest == math.inf
    assert by_name["gp"].outcomes == "unsupported: it has no waves"
    assert all(len(cells(case, series)) == len(header()) for series in case.series)
    assert cells(case, by_name["pinn"])[header().index("s to 1e-01")].endswith(f"to {NOT_REACHED})")
    assert UNKNOWABLE not in cells(case, by_name["gp"])


def test_break_even_counts_data_and_training_against_an_equally_exact_classical_run():
    seconds = {"setup": 0.01, "data": 30, "training": 60, "evaluation": 0, "a_solve": 0.1}
    learned = result("fno", curve=(), error=0.01, seconds=seconds)
    quick = result("spectral", curve=((0.6, 0.2),), options={"rtol": 1})  # faster, but not as exact
    exact = result("spectral", curve=((1.0, 1e-3),), options={"rtol": 2})
    (case,) = summarize([learned, quick, exact])
    by_backend = {series.backend: series for series in case.series}
    assert case.break_even(by_backend["fno"]) == pytest.approx(90 / 0.9)
    assert case.break_even(by_backend["spectral"]) is None
    (case,) = summarize([learned, result("spectral", curve=((0.6, 1e-3),)) | {"seconds": seconds | {
        "setup": 0.05, "data": 0, "training": 0, "a_solve": None}}])  # fmt: skip
    assert case.break_even(case.series[-1]) == math.inf


def test_an_answer_without_an_error_says_why():
    row = result("spectral", curve=(), status="STAGNATED", message="Newton's method fails", warnings=["W: x"])
    (case,) = summarize([row])
    assert case.series[0].outcomes == "no error: STAGNATED, Newton's method fails; W: x"


def test_options_stand_beside_the_name():
    """Options are fitted to a case: the name of a method alone does not say what has run."""
    adam = {"kind": "Adam", "learning_rate": 0.001}
    (case,) = summarize([result(options={"width": 8, "optimizer": adam}, series="pinn")])
    at = header().index("options")
    assert cells(case, case.series[0])[at] == "optimizer=Adam(learning_rate=0.001), width=8"
    rows = [result("spectral", options={"n": 4, "rtol": r}, series="spectral") for r in (1e-2, 1e-4)]
    (case,) = summarize(rows)
    assert cells(case, case.series[0])[at] == "n=4, rtol=0.01|0.0001"


def test_where_the_budget_ended_deepxde_its_last_iteration_is_told():
    cut = result("deepxde", message="recipe of its example; Adam, iteration 1200")
    (case,) = summarize([cut])
    assert case.series[0].outcomes.endswith(
        "cut short by the budget: recipe of its example; Adam, iteration 1200"
    )
    whole = result("deepxde", curve=((1, 0.5), (2, 0.1)), message="the recipe is done: L-BFGS, iteration 9")
    (case,) = summarize([whole])
    assert case.series[0].outcomes == "done"


# -- references that are wrong


def test_a_reference_with_a_residual_is_flagged():
    fine, wrong = (result("spectral", reference=reference(residual=r)) for r in (1e-14, 3e-2))
    assert summarize([fine])[0].flags == ()
    assert "does not solve" in summarize([wrong])[0].flags[0]


def test_a_reference_that_the_classical_line_contradicts_is_flagged():
    def case(error):
        return summarize(
            [result("spectral", curve=((1, error),), error_estimate=1e-8, reference=reference())]
        )[0]

    assert case(5e-8).flags == ()
    assert "differ" in case(1e-3).flags[0]


def test_a_case_without_a_classical_line_says_so():
    assert "no classical line" in summarize([result()])[0].flags[0]


def test_a_recovery_states_each_unknown_and_lacks_no_classical_line():
    row = result("diffusion", per_unknown={"u": 3.8e-3, "a": 7.8e-2})
    row["job"]["parameters"] = {"sensors": {"u": 125}}
    (case,) = summarize([row])
    assert case.flags == ()
    assert cells(case, case.series[0])[header().index("of each unknown")] == "u 3.8e-03, a 7.8e-02"
    (case,) = summarize([result(per_unknown={"u": 1e-3})])
    assert cells(case, case.series[0])[header().index("of each unknown")] == ""


# -- files


LOADING = ("src", "href", "data", "action", "poster", "srcset")


class Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.loaded, self.tags, self.texts, self.open = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.open.append(tag)
        self.loaded += [
            v for k, v in attributes if k in ("src", "href", "data", "action", "poster", "srcset")
        ]

    def handle_endtag(self, tag):
        self.open = self.open[: len(self.open) - 1 - self.open[::-1].index(tag)]

    def handle_data(self, data):
        self.texts.append((self.open[-1] if self.open else "", data))

    def of(self, tag):
        return [text for where, text in self.texts if where == tag]


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path / "one")
    store.add(result())
    store.add(result(seed=1))
    store.add(result("spectral", curve=((0.1, 1e-3),), options={"rtol": 1e-3}, series="spectral"))
    store.add(result("spectral", curve=((0.3, 1e-9),), options={"rtol": 1e-8}, series="spectral"))
    lost = {"curve": (), "seconds": None, "picture": None}
    store.add(result("gp", outcome="failed", reason="</script><b>&", **lost))
    return store


def test_the_page_needs_nothing_but_itself_and_holds_everything(store):
    files = write_report(store, papers=True)
    text = files[0].read_text()
    page = Page(text)
    assert all(link.startswith(("#", "data:")) for link in page.loaded)
    scripts_and_styles = " ".join(page.of("script") + page.of("style"))
    urls = set(re.findall(r"https?://[^\"' )]+", scripts_and_styles))
    assert urls == {"http://www.w3.org/2000/svg"}  # a name, not an address
    assert "@import" not in text and "fetch(" not in text and "XMLHttpRequest" not in text
    (case,) = json.loads(page.of("script")[0])["cases"]
    traces = {series["name"]: [t["points"] for t in series["traces"]] for series in case["series"]}
    assert traces == {
        "spectral": [[[0.1, 1e-3], [0.3, 1e-9]]],
        "gp": [],
        "pinn": [[[1, 0.5], [2, 0.05], [4, 0.002]]] * 2,
    }
    cells = page.of("td")
    assert "failed: </script><b>&" in cells  # escaped: it is text, not markup
    assert NOT_REACHED in cells
    assert page.tags.count("img") == 2
    assert any("torch 2" in words for words in page.of("p"))


def test_csv_and_pictures_hold_the_same(store):
    files = {file.name: file for file in write_report(store)}
    for name in ("burgers.png", "overview.png"):
        assert files[name].read_bytes().startswith(b"\x89PNG")
    with files["summary.csv"].open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["method"] for row in rows] == ["spectral", "gp", "pinn"]
    assert rows[0]["s to 1e-08"] == "0.3" and rows[2]["s to 1e-08"] == NOT_REACHED
    with files["curves.csv"].open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == 2 + 2 * 3
    assert {line["seconds"] for line in lines if line["method"] == "pinn"} == {"1", "2", "4"}


def test_two_machines_in_one_report(store, tmp_path):
    other = Store(tmp_path / "two")
    other.add(result(machine="two"))
    merged = merge([store.folder, other.folder], tmp_path / "both")
    page = Page(write_report(merged)[0].read_text())
    (case,) = json.loads(page.of("script")[0])["cases"]
    assert {s["name"] for s in case["series"]} >= {"pinn, one", "pinn, two", "spectral, one"}
    assert page.of("td").count("two") == 1


def test_the_page_names_every_commit_of_its_results(tmp_path):
    store = Store(tmp_path)
    for seed, commit in enumerate(("bbb", "aaa-dirty", "bbb", None)):
        row = result(seed=seed)
        row["machine"]["commit"] = commit
        store.add(row)
    assert store.commits() == {"aaa-dirty", "bbb"}
    assert "; commits aaa-dirty, bbb;" in write_report(store)[0].read_text()


def test_an_empty_folder_gives_an_empty_report(tmp_path):
    assert "<h1>" in write_report(Store(tmp_path))[0].read_text()


def test_published_numbers_stand_beside_records_that_exist():
    rows = comparisons()
    assert len(rows) == len(PAPERS)
    for row in rows:
        assert row.paper.source
        assert "not run" not in row.fast or row.paper.case in sweeps()
        kept = row.paper.classical is None or "not run" not in row.classical
        assert kept or row.paper.case in sweeps()
    assert any("in" in row.faithful for row in rows)


@functools.cache
def sweeps():
    """The backends and labels of each case of the suite of papers."""
    found = {}
    for job in suite("papers"):
        found.setdefault(job.case, set()).add((job.backend, job.label))
    return found


def swept(case, backend, label, *errors, seed=0, machine="one"):
    """Results of one series of a sweep, a seed for each error."""
    rows = []
    for number, error in enumerate(errors):
        row = result(backend, seed + number, curve=((3 + number, error),), series=label, machine=machine)
        problem, _, inside = case.partition("(")
        parameters = {"T": 0.5} if inside else {}
        rows.append(row | {"job": row["job"] | {"problem": problem, "parameters": parameters}})
    return rows


def test_every_method_that_the_papers_sweep_runs_stands_in_the_table_once():
    """And nowhere else: another method on the same case is no reproduction."""
    labels = {
        (case, backend, label)
        for case, series in sweeps().items()
        for backend, label in series
        if label.endswith((", faithful", ", fast"))
    }
    for case, backend, label in labels:
        table = comparisons(summarize(swept(case, backend, label, 3.3e-3)))
        mode = label.rpartition(", ")[2]
        found = [row.paper for row in table if "this run" in getattr(row, mode)]
        assert len(found) == 1, (case, label)
        assert found[0].case == case and backend in found[0].backends
        assert not any("this run" in row.fast + row.faithful for row in table if row.paper != found[0])


def test_this_sweeps_number_is_the_median_over_seeds_of_the_least_over_variants():
    rows = swept("kdv", "pinn", "pinn, fast", 1e-2, 1e-6, 1e-4)
    row = next(row for row in comparisons(summarize(rows)) if row.paper.case == "kdv")
    assert row.fast == "1.0e-04 in 5 s (this run)"


ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(shutil.which("make") is None, reason="no make")
def test_the_documents_take_the_report_where_there_is_one(tmp_path):
    out, html = tmp_path / "bench", tmp_path / "html"
    command = ["make", "-C", str(ROOT), "-s", "docs-benchmark", f"REPORT={out}", f"HTML={html}"]
    subprocess.run(command, check=True)
    assert not html.exists()
    (out / "figures").mkdir(parents=True)
    (out / "index.html").write_text("report")
    (out / "figures" / "a.png").write_text("picture")
    subprocess.run(command, check=True)
    assert (html / "benchmark" / "index.html").read_text() == "report"
    assert (html / "benchmark" / "figures" / "a.png").exists()


def test_the_document_names_every_module_of_records():
    text = (ROOT / "docs" / "benchmarks.md").read_text()
    files = (ROOT / "benchmarks").glob("*.py")
    modules = {file.stem for file in files if "__main__" in file.read_text()}
    assert len(modules) > 10
    assert {name for name in modules if f"`{name}`" not in text} == set()


# -- in a browser


BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


VISITOR = """
document.querySelector(".legend button").click();
document.querySelector('g[data-series="pinn"] circle').dispatchEvent(new MouseEvent("mousemove"));
"""


@pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed")
def test_the_page_draws_itself_in_a_browser_without_a_network(store, tmp_path):
    page = write_report(store)[0]
    page.write_text(page.read_text().replace("</body>", f"<script>{VISITOR}</script></body>"))
    command = [
        BROWSER,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        f"--user-data-dir={tmp_path / 'profile'}",
    ]
    command += ["--host-resolver-rules=MAP * ~NOTFOUND", "--disable-background-networking", "--dump-dom"]
    done = subprocess.run([*command, page.as_uri()], capture_output=True, text=True, timeout=120, check=True)
    drawn = done.stdout
    assert 'data-drawn="1"' in drawn
    assert drawn.count("<svg") == 1
    assert drawn.count("<circle") == 2 + 2 * 3
    # The visitor hides the first series and looks at a point of the last.
    assert drawn.count('aria-pressed="true"') == 2
    assert re.search(r'<g data-series="spectral" style="display: none;">', drawn)
    assert "seed 0\n1.00 s, error 5.0e-1" in drawn
    assert "NaN" not in drawn
