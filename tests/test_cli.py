"""The command line: exit status, messages, files, the JSON object that other programs read."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from invocation import last_line, refused, run

import pdesolve
from pdesolve.cli import main
from pdesolve.cli.output import plain
from pdesolve.cli.settings import SettingError, parse_settings, split_settings
from pdesolve.cli.sources import find_source

SPECTRAL = ["solve", "convection", "--backend", "spectral", "--set", "beta=5", "--no-progress"]
HEAT = """
import pdesolve as pde
from sympy import cos, exp, pi

x, t = pde.coordinates("x t")
u = pde.unknown("u", x, t)
D = pde.parameter("D")
problem = pde.Problem(
    name="my heat",
    equations=[u.diff(t) - D * u.diff(x, 2)],
    domain=pde.Interval(x, 0, 2 * pi) * pde.Time(t, 0, 0.5),
    conditions=[pde.Initial(u, cos(x)), pde.Periodic(u)],
    parameters={D: 0.1},
    reference=exp(-D * t) * cos(x),
)
"""


@pytest.fixture
def few_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of all kinds, but two times in ParaView's and an empty picture: what they show is not asked."""
    from matplotlib.figure import Figure

    write_vtk = pdesolve.Solution.write_vtk
    monkeypatch.setattr(pdesolve.Solution, "write_vtk", lambda self, folder: write_vtk(self, folder, (0, 1)))
    monkeypatch.setattr(pdesolve.Solution, "plot", lambda self: Figure())


# -- what solves -----------------------------------------------------------------------------------


def test_solve_writes_files_that_hold_the_answer(tmp_path: Path) -> None:
    out = tmp_path / "new" / "out"
    result = run(*SPECTRAL, "--json", "--out", out)
    assert result.exit_code == 0, result.output
    summary = last_line(result.stdout)
    keys = (
        "problem backend status relative_l2 max_error reference reference_error seconds_setup seconds_solve "
        "seed device dtype versions files"
    )
    assert set(keys.split()) <= set(summary)
    assert summary["problem"] == "convection"
    assert summary["backend"] == "spectral"
    assert summary["seed"] == 0
    assert summary["relative_l2"] < 1e-6
    assert all(Path(file).is_file() for file in summary["files"])
    assert {Path(f).name for f in summary["files"]} >= {"convection.h5", "convection.png"}
    assert any(f.endswith(".pvd") for f in summary["files"])
    # Nothing but the results: no staging folder is left.
    assert sorted(p.name for p in out.iterdir()) == ["convection-vtk", "convection.h5", "convection.png"]

    # Against the equation itself: the initial profile sin(x) moves at the speed beta = 5.
    points = np.array([[1.0, 0.0], [2.0, 0.3], [6.0, 0.9]])
    loaded = pdesolve.load(out / "convection.h5")
    np.testing.assert_allclose(loaded(points)[:, 0], np.sin(points[:, 0] - 5 * points[:, 1]), atol=1e-6)


def test_the_backends_own_estimate_stands_in_the_summary(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(HEAT)
    summary = last_line(run("solve", file, "--backend", "spectral", "--json").stdout)
    assert 0 < summary["error_estimate"] <= 1e-8
    assert "error estimate" in summary["message"]
    assert summary["reached"] is None
    assert summary["relative_l2_per_unknown"] == {"u": summary["relative_l2"]}


@pytest.mark.usefixtures("few_frames")
def test_human_report_and_stdout(tmp_path: Path) -> None:
    result = run(*SPECTRAL, "--out", tmp_path)
    assert result.exit_code == 0
    for word in ("relative L2", "convection", "spectral", "seed 0", "convection.h5", ".pvd"):
        assert word in result.stdout.replace("\n", "")


@pytest.mark.usefixtures("few_frames")
def test_earlier_results_stay_without_overwrite(tmp_path: Path) -> None:
    (tmp_path / "convection.h5").write_text("precious")
    (tmp_path / "other.txt").write_text("mine")
    refused(run(*SPECTRAL, "--out", tmp_path), "convection.h5", "--overwrite")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["convection.h5", "other.txt"]
    assert (tmp_path / "convection.h5").read_text() == "precious"

    old = tmp_path / "convection-vtk"
    old.mkdir()
    (old / "stale.vtu").write_text("of an earlier run")
    assert run(*SPECTRAL, "--out", tmp_path, "--overwrite").exit_code == 0
    assert not (old / "stale.vtu").exists()
    assert list(old.glob("*.pvd"))
    assert (tmp_path / "other.txt").read_text() == "mine"
    assert pdesolve.load(tmp_path / "convection.h5").problem.name == "convection"


def test_users_file_with_parameter(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(HEAT)
    result = run(
        "solve", file, "--backend", "spectral", "--set", "D=0.7", "--json", "--out", tmp_path / "out"
    )
    assert result.exit_code == 0, result.output
    assert last_line(result.stdout)["relative_l2"] < 1e-8
    assert (tmp_path / "out" / "my-heat.h5").is_file()
    # exp(-D t) cos(x) with the value that was set, not the one in the file.
    value = pdesolve.load(tmp_path / "out" / "my-heat.h5")(np.array([[1.0, 0.5]]))[0, 0]
    assert value == pytest.approx(np.exp(-0.35) * np.cos(1.0), abs=1e-8)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["mine.py", "out"]


def test_example_of_the_documentation(tmp_path: Path) -> None:
    """Two unknowns and a Robin condition, in a file outside the repository, by the PINN."""
    example = Path(__file__).parents[1] / "docs" / "examples" / "my_problem.py"
    file = tmp_path / "my_problem.py"
    file.write_text(example.read_text())
    options = ["points=200", "points_boundary=50", "width=10", "depth=2", "adam_steps=30", "compile=False"]
    settings = [word for option in options for word in ("--set", option)]
    result = run("solve", file, "--steps", "100", "--json", *settings)
    assert result.exit_code == 0, result.output
    assert last_line(result.stdout)["relative_l2"] < 1e-2

    # The closed form that this is measured by solves every equation and condition of the file.
    problem = find_source(str(file)).make({})
    exact = dict(zip(problem.unknowns, problem.reference.expressions, strict=True))
    ends = {"initial": {"t": 0}, "left": {"x": 0}, "right": {"x": 1}}
    for term in problem.terms:
        residual = problem.substitute(term.expression.subs(exact).doit())
        for where in ({"x": 0.3, "t": 0.4}, {"x": 0.9, "t": 0.7}):
            point = {**where, **ends.get(term.region, {})}
            value = residual.subs({c: point[c.name] for c in problem.coordinates})
            assert abs(float(value)) < 1e-14, term.name


def test_users_function_takes_parameters(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    body = (
        HEAT.replace("problem = ", "    return ")
        .replace("D: 0.1", "D: speed")
        .replace("\n    ", "\n        ")
    )
    head, declaration = body.split("        return", 1)
    file.write_text(f"{head}\ndef problem(speed=0.1):\n    return{declaration}")
    result = run("solve", file, "--backend", "spectral", "--set", "speed=0.7", "--json")
    assert result.exit_code == 0, result.output
    assert last_line(result.stdout)["relative_l2"] < 1e-8


@pytest.mark.filterwarnings("default::pdesolve.cli.sources.ReferenceDroppedWarning")
def test_stale_reference_is_dropped(tmp_path: Path) -> None:
    """A closed form with the old value in it must not be scored against."""
    file = tmp_path / "mine.py"
    file.write_text(HEAT.replace("exp(-D * t)", "exp(-0.1 * t)"))
    kept = last_line(run("solve", file, "--backend", "spectral", "--json").stdout)
    assert kept["relative_l2"] < 1e-8
    dropped = run("solve", file, "--backend", "spectral", "--json", "--set", "D=0.7")
    assert last_line(dropped.stdout)["relative_l2"] is None
    assert (
        "reference of 'my heat' is not used" in dropped.stderr and "value in the file of D" in dropped.stderr
    )


@pytest.mark.filterwarnings("ignore:overflow")
@pytest.mark.usefixtures("few_frames")
def test_not_converged_is_1_and_still_writes(tmp_path: Path) -> None:
    """A learning rate that overflows at once: the last good state is there, with what to do about it."""
    options = [
        "optimizer=adam",
        "learning_rate=1e300",
        "width=6",
        "depth=1",
        "points=50",
        "compile=False",
        "beta=1",
    ]
    settings = [word for option in options for word in ("--set", option)]
    result = run("solve", "convection", "--steps", "20", "--json", "--out", tmp_path, *settings)
    assert result.exit_code == 1, result.output
    assert last_line(result.stdout)["status"] == "NOT_FINITE"
    assert "gradient of the loss" in result.stderr
    assert "last good state" in result.stderr
    kept = pdesolve.load(tmp_path / "convection.h5")
    assert np.isfinite(kept(np.array([[1.0, 0.5]]))).all()


@pytest.mark.filterwarnings("default::pdesolve.solution.NotFiniteOutputWarning")
@pytest.mark.parametrize("stop", [["--steps", "1"], ["--budget", "0.001"]])
def test_a_march_that_stopped_early_writes_how_far_it_came(tmp_path: Path, stop: list[str]) -> None:
    result = run("solve", "kdv", "--backend", "spectral", *stop, "--json", "--out", tmp_path)
    assert result.exit_code == 1, result.output
    assert last_line(result.stdout)["relative_l2"] is None
    assert "reached" in result.stderr and "of 1" in result.stderr
    assert sorted(p.name for p in tmp_path.iterdir()) == ["kdv-vtk", "kdv.h5", "kdv.png"]
    kept = pdesolve.load(tmp_path / "kdv.h5")
    assert kept.reached is not None and not kept.success
    start, late = kept(np.array([[0.5, 0.0], [0.5, 0.9]]))[:, 0]
    assert start == pytest.approx(np.cos(np.pi / 2), abs=1e-12) and np.isnan(late)


MANY = """
import numpy as np
import pdesolve as pde
from sympy import cos, exp, pi

names = pde.coordinates("x y z w")
t = pde.coordinates("t")
c = names[:{count}]
u = pde.unknown("u", *c, t)

def reference(points):
    \"\"\"Slow – and without a value at the start.\"\"\"
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.exp(-points[:, -1]) * np.cos(points[:, 0]) + 0 / (points[:, -1] * {bad} + 1 - {bad})

problem = pde.Problem(
    name="många",
    equations={{"heat!": u.diff(t) - sum(u.diff(a, 2) for a in c)}},
    domain=pde.Box(*((a, 0, 2 * pi) for a in c)) * pde.Time(t, 0, 1),
    conditions=[pde.Initial(u, cos(c[0])), {sides}],
    reference=reference,
)
"""


@pytest.mark.filterwarnings("default::pdesolve.solution.NotFiniteOutputWarning")
def test_a_reference_with_holes_costs_no_files(tmp_path: Path) -> None:
    file, out = tmp_path / "mine.py", tmp_path / "out"
    file.write_text(MANY.format(count=1, bad=1, sides="pde.Periodic(u)"))
    result = run("solve", file, "--backend", "spectral", "--json", "--out", out)
    assert result.exit_code == 0, result.stderr
    assert last_line(result.stdout)["relative_l2"] is None
    assert sorted(p.name for p in out.iterdir()) == ["många-vtk", "många.h5", "många.png"]
    assert pdesolve.load(out / "många.h5", find_source(str(file)).make({})).success


def test_what_paraview_cannot_show_costs_no_files(tmp_path: Path) -> None:
    file, out = tmp_path / "mine.py", tmp_path / "out"
    file.write_text(MANY.format(count=4, bad=0, sides="pde.Dirichlet(u, cos(c[0]) * exp(-t))"))
    options = ["points=50", "points_boundary=20", "width=4", "depth=1", "compile=False", "adam_steps=2"]
    settings = [word for option in options for word in ("--set", option)]
    result = run("solve", file, "--steps", "4", "--out", out, *settings)
    assert result.exit_code in (0, 1), result.stderr
    assert "No VTK files: " in result.stderr and "at most three space" in result.stderr
    assert sorted(p.name for p in out.iterdir()) == ["många.h5", "många.png"]


@pytest.mark.usefixtures("few_frames")
def test_a_failing_picture_costs_no_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdesolve.Solution, "plot", lambda self: self.nothing)
    result = run(*SPECTRAL, "--out", tmp_path)
    assert result.exit_code == 0
    assert "No picture: AttributeError" in result.stderr
    assert sorted(p.name for p in tmp_path.iterdir()) == ["convection-vtk", "convection.h5"]


# -- what is refused -------------------------------------------------------------------------------


def test_wrong_names(tmp_path: Path) -> None:
    refused(run("solve", "bergers", "--out", tmp_path / "out"), "bergers", "burgers")
    refused(run("solve", "burgers", "--backend", "fft", "--out", tmp_path / "out"), "fft", "spectral")
    refused(run(*SPECTRAL, "--set", "gamma=1"), "gamma", "beta", "dealias")
    refused(run(*SPECTRAL, "--set", "beta"), "key=value")
    refused(run(*SPECTRAL, "--set", "beta=1"), "twice")
    refused(run("solve", "burgers", "--set", "nu=thin"), "nu=", "'thin'")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("x = 1\n", ["`problem", "no such name"]),
        ("problem = 3\n", ["a int"]),
        ("problem = (\n", ["line 1"]),
        ("import math\n\nmath.nothing\n", ["AttributeError", "line 3"]),
        ("raise SystemExit(0)\n", ["SystemExit"]),
        ("def problem():\n    return 7\n", ["to return a Problem"]),
        (HEAT.replace("D: 0.1", ""), ["D", "mine.py, line"]),
        (HEAT.replace("reference=", "references="), ["TypeError", "references"]),
        ("\x00", ["mine.py"]),
    ],
)
def test_wrong_file(tmp_path: Path, content: str, words: list[str]) -> None:
    file = tmp_path / "mine.py"
    file.write_text(content)
    refused(run("solve", file, "--out", tmp_path / "out"), *words)
    assert [p.name for p in tmp_path.iterdir()] == ["mine.py"]


def test_no_such_file(tmp_path: Path) -> None:
    refused(run("solve", tmp_path / "nothing.py"), "no such file")
    refused(run("solve", f"{tmp_path}/"), "a folder")


def test_names_that_no_file_can_hold_are_refused_before_work(tmp_path: Path) -> None:
    file, out = tmp_path / "mine.py", tmp_path / "out"
    equations = "equations=[u.diff(t) - D * u.diff(x, 2)]"
    file.write_text(HEAT.replace(equations, equations + ', vectors={"u": (u,)}'))
    refused(run("solve", file, "--backend", "spectral", "--out", out), "u", "different names")
    file.write_text(HEAT.replace(equations, equations + ', vectors={"v": (u, u)}'))
    refused(run("solve", file, "--backend", "spectral", "--out", out), "vector", "different unknowns")
    assert not out.exists()


def test_a_reference_that_raises_is_told_in_one_message(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(HEAT.replace("reference=exp(-D * t) * cos(x)", "reference=lambda points: points[:, 7]"))
    refused(run("solve", file, "--backend", "spectral"), "IndexError", "its columns are x, t")


def test_users_file_leaves_the_interpreter_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    (tmp_path / "constants_of_mine.py").write_text("diffusivity = 0.1\n")
    file.write_text("from constants_of_mine import diffusivity\n" + HEAT.replace("D: 0.1", "D: diffusivity"))
    before = (list(sys.path), sys.dont_write_bytecode)
    assert run("solve", file, "--backend", "spectral").exit_code == 0
    assert (list(sys.path), sys.dont_write_bytecode) == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["constants_of_mine.py", "mine.py"]
    del sys.modules["constants_of_mine"]


def test_unwritable_out(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("mine")
    refused(run(*SPECTRAL, "--out", file), str(file))
    refused(run(*SPECTRAL, "--out", file / "below"), str(file))
    assert file.read_text() == "mine"


@pytest.mark.usefixtures("few_frames")
def test_checkpoint_of_another_run_is_refused_and_kept(tmp_path: Path) -> None:
    file, state = tmp_path / "mine.py", tmp_path / "state.ckpt"
    file.write_text(HEAT)
    command = ("solve", file, "--backend", "spectral", "--checkpoint", state, "--out", tmp_path / "out")
    assert run(*command).exit_code == 0
    before = state.read_bytes()
    refused(run(*command, "--overwrite", "--set", "D=0.7"), "state.ckpt", "my heat")
    assert state.read_bytes() == before
    state.write_bytes(b"damaged")
    refused(run(*command, "--overwrite"), "state.ckpt")
    assert pdesolve.load(tmp_path / "out" / "my-heat.h5").provenance["seed"] == 0


@pytest.mark.usefixtures("few_frames")
def test_failure_while_writing_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(*SPECTRAL, "--out", tmp_path).exit_code == 0
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}

    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pdesolve.Solution, "write_vtk", full)
    refused(run(*SPECTRAL, "--out", tmp_path, "--overwrite"), "No space left on device")
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before


def test_bad_numbers() -> None:
    for option, value in [("--budget", "-1"), ("--budget", "nan"), ("--steps", "-3"), ("--tolerance", "-1")]:
        assert run(*SPECTRAL, option, value).exit_code == 2, option
    assert run(*SPECTRAL, "--device", "abacus").exit_code == 2
    assert run(*SPECTRAL, "--dtype", "float16").exit_code == 2
    refused(run(*SPECTRAL, "--dtype", "float32"), "float64", "spectral")


def test_error_as_json() -> None:
    result = run("solve", "bergers", "--json")
    assert result.exit_code == 2
    assert "bergers" in last_line(result.stdout)["error"]


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["solve", "kdv", "--seed", "abc"], "--seed"),
        (["solve", "kdv", "--dtype", "float16"], "float16"),
        (["solve"], "Missing argument"),
        (["sovle"], "sovle"),
    ],
)
def test_usage_errors_as_json(
    arguments: list[str], word: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for given, out_lines in ((arguments, 0), ([*arguments, "--json"], 1)):
        monkeypatch.setattr(sys, "argv", ["pdesolve", *given])
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capsys.readouterr()
        assert ended.value.code == 2
        assert word in captured.err
        assert len(captured.out.splitlines()) == out_lines
    assert word in last_line(captured.out)["error"]


def test_an_unexpected_error_is_told_as_json_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr("pdesolve.cli.listing.list_backends", broken)
    monkeypatch.setattr(sys, "argv", ["pdesolve", "backends", "--json"])
    with pytest.raises(RuntimeError, match="a bug"):
        main()
    found = last_line(capsys.readouterr().out)
    assert found == {"error": "a bug", "error_type": "RuntimeError"}


# -- lists -----------------------------------------------------------------------------------------


LISTED = ("burgers", "convection", "poisson", "kovasznay", "cylinder", "poisson-l-shape")


def test_problems(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pdesolve.problems.catalogue_names", lambda: LISTED)
    result = run("problems", "--json")
    assert result.exit_code == 0, result.output
    rows = {row["name"]: row for row in last_line(result.stdout)["problems"]}
    assert tuple(rows) == LISTED
    assert "beta" in rows["convection"]["parameters"]
    assert rows["convection"]["unsupported_by"].get("spectral") is None
    assert rows["poisson-l-shape"]["unsupported_by"]["spectral"]  # it is no box
    assert "burgers" in run("problems").stdout


@pytest.mark.slow
def test_all_problems() -> None:
    """Every backend answers for every entry of the catalogue."""
    from pdesolve.problems import catalogue_names

    result = run("problems", "--json")
    assert result.exit_code == 0, result.output
    names = [row["name"] for row in last_line(result.stdout)["problems"]]
    assert tuple(names) == catalogue_names()


def test_backends() -> None:
    result = run("backends", "--json")
    assert result.exit_code == 0, result.output
    rows = {row["name"]: row for row in last_line(result.stdout)["backends"]}
    assert set(rows) == {
        "deeponet",
        "deepxde",
        "diffusion",
        "fem",
        "fno",
        "gp",
        "gp-hm",
        "gp-oracle",
        "neuralop",
        "pinn",
        "spectral",
        "teng",
        "unet",
    }
    assert rows["pinn"]["capabilities"]["stochastic"] is True
    assert "spectral" in run("backends").stdout


@pytest.mark.usefixtures("few_frames")
def test_info(tmp_path: Path) -> None:
    written = last_line(run(*SPECTRAL, "--json", "--out", tmp_path).stdout)
    result = run("info", tmp_path / "convection.h5", "--json")
    assert result.exit_code == 0, result.output
    shown = last_line(result.stdout)
    for key in ("problem", "backend", "status", "relative_l2", "seed"):
        assert shown[key] == written[key]
    (tmp_path / "convection.h5").write_bytes(b"no HDF5")
    refused(run("info", tmp_path / "convection.h5"), "convection.h5")


# -- pieces ----------------------------------------------------------------------------------------


def test_settings_are_literals_or_strings() -> None:
    given = ["a=1", "b=1e-3", "c=True", "d=(32, 32)", "e=r3", "f=None", "g=a=b", "sampler-size=4"]
    assert parse_settings(given) == {
        "a": 1, "b": 1e-3, "c": True, "d": (32, 32), "e": "r3", "f": None, "g": "a=b", "sampler_size": 4,
    }  # fmt: skip
    for wrong in ("a", "=1", "1a=2", ""):
        with pytest.raises(SettingError):
            parse_settings([wrong])


def test_settings_go_to_the_problem_first() -> None:
    assert split_settings({"nu": 1, "width": 2}, ["nu", "width"], ["width", "lr"], "pinn") == (
        {"nu": 1, "width": 2},
        {},
    )
    assert split_settings({"lr": 3}, ["nu"], ["lr"], "pinn") == ({}, {"lr": 3})


def test_plain_is_json() -> None:
    value = {"a": np.float64(1.5), "b": float("nan"), "c": (np.int64(2), Path("x/y")), 3: [True, None]}
    assert plain(value) == {"a": 1.5, "b": None, "c": [2, "x/y"], "3": [True, None]}


def test_as_a_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The installed command, in a process of its own: streams, status, nothing left behind."""
    command = [sys.executable, "-m", "pdesolve.cli", *SPECTRAL, "--json", "--out", "out"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False, env=environment
    )
    assert done.returncode == 0, done.stderr
    assert last_line(done.stdout)["relative_l2"] < 1e-6
    assert len(done.stdout.splitlines()) == 1
    assert "Warning" not in done.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["out"]

    # Again, by the function that the command calls.
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["pdesolve", *command[3:]])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    captured = capsys.readouterr()
    assert "Traceback" not in captured.err
    assert "--overwrite" in captured.err


def test_observing_a_member_from_the_command_line() -> None:
    result = run(
        *("solve", "poisson-random", "--set", "member=3", "--backend", "diffusion", "--set", "samples=4"),
        *("--observe", "u=40", "--observe", "a=20", "--steps", "3", "--noise", "0.01", "--json"),
    )
    assert result.exit_code in (0, 1), result.output
    found = last_line(result.stdout)
    assert found["backend"] == "diffusion" and "fem" in found["reference"]


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [("burgers", "u=4", "a family"), ("poisson-random", "u", "NAME=COUNT"), ("poisson-random", "w=4", "w")],
)
def test_sensors_that_make_no_sense_are_refused(name: str, given: str, message: str) -> None:
    result = run("solve", name, "--backend", "diffusion", "--observe", given)
    assert result.exit_code == 2
    assert message in result.output
