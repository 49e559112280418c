"""The loop around every backend: budgets, checkpoints, interruption, NaN, arguments, and no side effects."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import sympy as sp
import torch

import pdesolve as pde
from pdesolve.backends.base import Backend, Capabilities, Context, Progress
from pdesolve.backends.pinn import PINN, RAD
from pdesolve.backends.registry import BackendOptionError, UnknownBackendError
from pdesolve.checkpoint import CheckpointError, CheckpointMismatchError
from pdesolve.driver import RunOptionError, SolveError, UnsupportedProblemError, load, solve
from pdesolve.solution import Field, Status

x, t = pde.coordinates("x t")
u = pde.unknown("u", x, t)


def heat(kappa=0.1):
    k = pde.parameter("k")
    return pde.Problem(
        "heat",
        [u.diff(t) - k * u.diff(x, 2)],
        pde.Interval(x, 0, 1) * pde.Time(t, 0, 1),
        [pde.Initial(u, sp.sin(sp.pi * x)), pde.Dirichlet(u, 0)],
        parameters={k: kappa},
        reference=sp.exp(-(sp.pi**2) * kappa * t) * sp.sin(sp.pi * x),
    )


SMALL = PINN(width=8, depth=2, points=100, adam_steps=10, sampler=RAD(every=20), compile=False)


class Constant(Field):
    def __init__(self, value):
        self.value = value

    def derivatives(self, points, wanted):
        return [np.full(len(points), self.value if not any(d[1]) else 0.0) for d in wanted]

    def arrays(self):
        return {"value": np.array([self.value])}


@dataclass
class CountingState:
    step: int = 0


@dataclass(frozen=True)
class Counting(Backend):
    """A backend that only counts; its merit and failures are scripted."""

    pause: float = 0.0
    nan_at: int = -1
    merits: tuple = ()
    interrupt_at: int = -1
    stagnate_at: int = -1
    finish_at: int = -1

    name: ClassVar[str] = "counting"
    summary: ClassVar[str] = "counts"
    capabilities: ClassVar[Capabilities] = Capabilities()

    def supports(self, problem):
        return []

    def start(self, problem, context):
        return CountingState()

    def advance(self, state):
        state.step += 1
        time.sleep(self.pause)
        if state.step == self.interrupt_at:
            os.kill(os.getpid(), signal.SIGINT)
        if state.step == self.stagnate_at:
            return Progress(1.0, status=Status.STAGNATED)
        if state.step == self.finish_at:
            return Progress(1.0, status=Status.CONVERGED, message="done")
        return Progress(float("nan") if state.step == self.nan_at else 1.0 / state.step)

    def field(self, state):
        return Constant(float(state.step))

    def merit(self, state):
        return self.merits[min(max(state.step // 50, 1), len(self.merits)) - 1] if self.merits else None

    def restore(self, problem, arrays):
        return Constant(float(arrays["value"][0]))

    def diagnose(self, state):
        return "'equation' at x = 0.5, t = 0.25"


# -- ends ------------------------------------------------------------------------------------------


def test_steps_and_seconds_end_a_run():
    assert solve(heat(), Counting(), steps=7).provenance["steps"] == 7
    begin = time.perf_counter()
    solution = solve(heat(), Counting(pause=0.01), budget=0.3)
    assert solution.status is Status.BUDGET_EXHAUSTED
    assert 0.3 <= time.perf_counter() - begin < 5
    assert solution.cost.seconds_solve + solution.cost.seconds_setup >= 0.3


def test_a_budget_is_success_only_where_nothing_else_was_asked():
    """A PINN has no end of its own; a tolerance that was not met, or a method cut short, is no success."""
    assert solve(heat(), SMALL, steps=3).status is Status.COMPLETED
    assert solve(heat(), SMALL, steps=3, tolerance=1e-12).status is Status.BUDGET_EXHAUSTED
    assert not solve(heat(), Counting(), steps=3).success


def test_the_backend_may_end_by_itself():
    solution = solve(heat(), Counting(finish_at=5), steps=100)
    assert (solution.status, solution.provenance["steps"], solution.message) == (Status.CONVERGED, 5, "done")


@pytest.mark.parametrize(("last", "answer"), [(2.5, 100), (1.5, 150)])
def test_the_best_state_by_merit_is_the_answer_where_the_last_is_clearly_worse(last, answer):
    solution = solve(heat(), Counting(merits=(3.0, 1.0, last)), steps=150)
    assert solution(np.array([[0.5, 0.5]]))[0, 0] == answer
    assert solution.provenance["answer_step"] == answer


def test_the_tolerance_is_met_by_merit():
    solution = solve(heat(), Counting(merits=(3.0, 1.0, 0.1)), steps=1000, tolerance=0.5)
    assert (solution.status, solution.provenance["steps"]) == (Status.CONVERGED, 150)


@pytest.mark.parametrize("ending", [{"steps": 60}, {"steps": 1000, "stagnate": True}])
def test_a_tolerance_that_the_last_state_meets_is_met(ending):
    """Also where the end falls between two measurements, and where the method gave up there."""
    backend = Counting(merits=(1.0, 0.1), stagnate_at=60 if ending.pop("stagnate", False) else -1)
    assert solve(heat(), backend, tolerance=2.0, **ending).status is Status.CONVERGED
    assert solve(heat(), backend, tolerance=0.5, steps=60).status is not Status.CONVERGED


def test_nan_names_equation_point_and_step_and_keeps_the_last_good_state():
    backend = Counting(nan_at=70, merits=(1.0, 0.5))
    with pytest.raises(
        SolveError, match=r"'equation' at x = 0.5, t = 0.25 is not finite at step 70"
    ) as raised:
        solve(heat(), backend, steps=100)
    assert raised.value.solution(np.array([[0.5, 0.5]]))[0, 0] == 50.0
    assert solve(heat(), backend, steps=100, throw=False).status is Status.NOT_FINITE


def test_nan_in_a_network_is_traced_to_its_term_and_point():
    """The logarithm is real at the start, u = 2, until a wild learning rate drives u below 1/2."""
    problem = pde.Problem(
        "log",
        {"growth": u.diff(t) - sp.log(u - sp.Rational(1, 2))},
        pde.Interval(x, 0, 1) * pde.Time(t, 0, 1),
        [pde.Initial(u, 2)],
    )
    backend = PINN(width=4, depth=1, points=50, adam_steps=1000, learning_rate=1.0, compile=False)
    solution = solve(problem, backend, steps=1000, throw=False)
    assert solution.status is Status.NOT_FINITE
    found = re.match(r"'growth' at x = (\S+), t = (\S+) is not finite at step (\d+)", solution.message)
    point, step = np.array([[float(found[1]), float(found[2])]]), int(found[3])
    assert np.isfinite(solution(point)).all()
    # The same run, stopped one step earlier: there u has fallen below 1/2 at the named point.
    ruined = backend.start(problem, Context())
    for _ in range(step - 1):
        backend.advance(ruined)
    assert backend.field(ruined).values(point, 1)[0, 0] < 0.5


def test_ctrl_c_keeps_the_best_state_and_restores_the_handler():
    before = signal.getsignal(signal.SIGINT)
    solution = solve(heat(), Counting(interrupt_at=110, merits=(1.0, 3.0)), steps=1000)
    assert solution.status is Status.INTERRUPTED
    assert solution(np.array([[0.5, 0.5]]))[0, 0] == 50.0
    assert signal.getsignal(signal.SIGINT) is before


def test_solving_off_the_main_thread_works():
    found = []
    thread = threading.Thread(target=lambda: found.append(solve(heat(), Counting(), steps=3).status))
    thread.start()
    thread.join()
    assert found == [Status.BUDGET_EXHAUSTED]


# -- the error curve -------------------------------------------------------------------------------


def test_history_measures_the_error_against_the_reference():
    solution = solve(heat(), SMALL, steps=60)
    assert solution.history.step[-1] == 60
    assert solution.history.relative_l2[-1] == pytest.approx(solution.error().relative_l2, rel=0.5)
    assert solution.history.relative_l2[-1] < solution.history.relative_l2[0]
    assert solution.cost.seconds_evaluation > 0


def test_a_reference_computed_by_a_backend_is_resolved():
    problem = pde.Problem(
        "advection",
        [u.diff(t) + u.diff(x)],
        pde.Interval(x, 0, 1) * pde.Time(t, 0, 1),
        [pde.Periodic(u), pde.Initial(u, sp.sin(2 * sp.pi * x))],
        reference="spectral",
    )
    solution = solve(problem, Counting(), steps=1)
    exact = np.sin(2 * np.pi * 0.3)
    assert solution.reference.values(np.array([[0.5, 0.2]]))[0, 0] == pytest.approx(exact, abs=1e-6)
    assert 0 < solution.reference.error < 1e-6


# -- checkpoints -----------------------------------------------------------------------------------


def theta(solution):
    return solution.field.arrays()["theta"]


@pytest.fixture(scope="module")
def whole():
    return solve(heat(), SMALL, steps=55, seed=3)


@pytest.mark.parametrize("first", [7, 10, 33, 50])
def test_resume_is_bit_for_bit(tmp_path, whole, first):
    """Through Adam (10 steps), quasi-Newton and refreshes of the points (every 20)."""
    path = tmp_path / "run.ckpt"
    solve(heat(), SMALL, steps=first, seed=3, checkpoint=path)
    resumed = solve(heat(), SMALL, steps=55, seed=3, checkpoint=path)
    assert resumed.provenance["steps"] == 55
    assert np.array_equal(theta(whole), theta(resumed))
    assert np.array_equal(whole.collocation_points, resumed.collocation_points)


KILLED = """
import sys
sys.path.insert(0, {folder!r})
from test_driver import SMALL, heat
from pdesolve.driver import solve
solve(heat(), SMALL, steps=100_000, seed=3, checkpoint={path!r}, checkpoint_every=0.0)
"""


def test_a_killed_run_resumes_bit_for_bit(tmp_path):
    """kill -9 while checkpoints are written after every step: the file is readable at any time."""
    path = tmp_path / "run.ckpt"
    code = KILLED.format(folder=str(Path(__file__).parent), path=str(path))
    process = subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path)
    deadline = time.monotonic() + 120
    while not path.exists() and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.05)
    time.sleep(0.2)
    process.kill()
    process.wait()
    reached = torch.load(path, weights_only=True)["step"]
    steps = max(reached, 20) + 15
    resumed = solve(heat(), SMALL, steps=steps, seed=3, checkpoint=path)
    whole = solve(heat(), SMALL, steps=steps, seed=3)
    assert resumed.provenance["steps"] == steps > reached > 0
    assert np.array_equal(theta(whole), theta(resumed))


def test_the_spectral_backend_resumes_bit_for_bit(tmp_path):
    problem = pde.Problem(
        "burgers",
        [u.diff(t) + u * u.diff(x) - u.diff(x, 2) / 50],
        pde.Interval(x, -1, 1) * pde.Time(t, 0, 1),
        [pde.Periodic(u), pde.Initial(u, -sp.sin(sp.pi * x))],
    )
    whole = solve(problem, "spectral", rtol=1e-6)
    steps = whole.provenance["steps"]
    path = tmp_path / "run.ckpt"
    solve(problem, "spectral", rtol=1e-6, steps=max(1, steps // 2), checkpoint=path)
    resumed = solve(problem, "spectral", rtol=1e-6, checkpoint=path)
    for name, array in whole.field.arrays().items():
        assert np.array_equal(array, resumed.field.arrays()[name])
    assert resumed.error_estimate == whole.error_estimate


def test_a_finished_run_answers_again_from_its_checkpoint(tmp_path):
    """Neither more work nor another row of history, whether the budget or the method itself ended it."""
    path = tmp_path / "run.ckpt"
    for arguments in ({"backend": SMALL, "steps": 20}, {"backend": Counting(finish_at=5)}):
        path.unlink(missing_ok=True)
        first, second = (solve(heat(), checkpoint=path, **arguments) for _ in range(2))
        assert second.status is first.status
        assert second.message == first.message
        assert second.history.step == first.history.step
        assert np.array_equal(first(np.array([[0.3, 0.4]])), second(np.array([[0.3, 0.4]])))


def test_where_a_run_was_stopped_does_not_change_its_answer(tmp_path):
    """The merit is least at step 33, where only the interrupted run looked."""

    @dataclass(frozen=True)
    class Dipping(Counting):
        def merit(self, state):
            return abs(state.step - 33.0)

    path = tmp_path / "run.ckpt"
    point = np.array([[0.5, 0.5]])
    stopped = solve(heat(), Dipping(), steps=33, checkpoint=path)
    assert stopped(point)[0, 0] == 33.0
    resumed, whole = solve(heat(), Dipping(), steps=120, checkpoint=path), solve(heat(), Dipping(), steps=120)
    assert resumed(point)[0, 0] == whole(point)[0, 0]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"seed": 4}, "seed"),
        ({"dtype": "float32"}, "dtype"),
        ({"problem": heat(0.2)}, "problem"),
        ({"backend": PINN(width=9, depth=2, points=100, compile=False)}, "options"),
    ],
)
def test_a_checkpoint_of_another_run_is_refused_and_kept(tmp_path, change, named):
    path = tmp_path / "run.ckpt"
    solve(heat(), SMALL, steps=3, checkpoint=path)
    content = path.read_bytes()
    arguments = {"problem": heat(), "backend": SMALL, **change}
    with pytest.raises(CheckpointMismatchError, match=f"{named} = "):
        solve(arguments.pop("problem"), arguments.pop("backend"), steps=5, checkpoint=path, **arguments)
    assert path.read_bytes() == content


@pytest.mark.parametrize("damage", [lambda b: b[: len(b) // 2], lambda b: b"not a checkpoint", lambda b: b""])
def test_a_damaged_checkpoint_is_refused_and_kept(tmp_path, damage):
    path = tmp_path / "run.ckpt"
    solve(heat(), SMALL, steps=3, checkpoint=path)
    content = damage(path.read_bytes())
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="cannot be read"):
        solve(heat(), SMALL, steps=5, checkpoint=path)
    assert path.read_bytes() == content


def test_a_checkpoint_with_code_in_it_is_refused(tmp_path):
    import pickle

    class Evil:
        def __reduce__(self):
            return (os.system, ("touch " + str(tmp_path / "owned"),))

    path = tmp_path / "run.ckpt"
    path.write_bytes(pickle.dumps(Evil()))
    with pytest.raises(CheckpointError):
        solve(heat(), SMALL, steps=5, checkpoint=path)
    assert not (tmp_path / "owned").exists()


# -- arguments -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"problem": "burgers"}, RunOptionError, "a Problem"),
        ({"backend": PINN}, RunOptionError, "a backend's name or a Backend object"),
        ({"backend": None}, RunOptionError, "a backend's name or a Backend object"),
        (
            {"backend": "pin"},
            UnknownBackendError,
            "one of deeponet, deepxde, diffusion, fem, fno, gp, gp-hm, gp-oracle",
        ),
        ({"backend": "pinn", "widht": 3}, BackendOptionError, "widht"),
        ({"backend": SMALL, "width": 3}, RunOptionError, "width"),
        ({"budget": 0}, RunOptionError, r"solve\(budget=\)"),
        ({"budget": float("nan")}, RunOptionError, r"solve\(budget=\)"),
        ({"steps": 2.5}, RunOptionError, r"solve\(steps=\)"),
        ({"tolerance": -1.0}, RunOptionError, r"solve\(tolerance=\)"),
        ({"seed": 1.5}, RunOptionError, r"solve\(seed=\)"),
        ({"dtype": "float16"}, RunOptionError, r"solve\(dtype=\)"),
        ({"device": "tpu"}, RunOptionError, r"solve\(device=\)"),
        ({"checkpoint": "/proc/nowhere/run.ckpt"}, pde.PDESolveError, "a place that can be written"),
        (
            {"backend": "spectral", "problem": pde.catalogue("poisson-l-shape")},
            UnsupportedProblemError,
            "the domain is no box",
        ),
    ],
)
def test_bad_arguments_are_refused_before_work(arguments, error, words):
    given = {"problem": heat(), "backend": SMALL, "steps": 1, **arguments}
    with pytest.raises(error, match=words):
        solve(**given)


def test_cuda_is_refused_where_it_is_absent():
    if torch.cuda.is_available():
        pytest.skip("a CUDA device is present")
    with pytest.raises(RunOptionError, match="a CUDA device that torch can use"):
        solve(heat(), SMALL, steps=1, device="cuda")


# -- no side effects, files ------------------------------------------------------------------------


def test_seeds_are_generators_and_global_ones_stay_untouched():
    import random

    before = (random.getstate(), np.random.get_state()[1].tolist(), torch.random.get_rng_state())  # noqa: NPY002
    first, second = (solve(heat(), SMALL, steps=30, seed=5) for _ in range(2))
    other = solve(heat(), SMALL, steps=30, seed=6)
    assert np.array_equal(theta(first), theta(second))
    assert not np.array_equal(theta(first), theta(other))
    assert before[0] == random.getstate()
    assert before[1] == np.random.get_state()[1].tolist()  # noqa: NPY002
    assert torch.equal(before[2], torch.random.get_rng_state())


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_save_and_load_give_the_same_field(tmp_path, dtype):
    solution = solve(heat(), SMALL, steps=30, dtype=dtype)
    loaded = load(solution.save(tmp_path / "u.h5"))
    points = heat().domain.sample(50, np.random.default_rng(0))
    assert np.array_equal(solution(points), loaded(points))
    assert np.array_equal(solution.derivative(points, u.diff(x, 2)), loaded.derivative(points, u.diff(x, 2)))
    assert loaded.problem.digest == solution.problem.digest
    assert loaded.provenance["options"]["sampler"]["every"] == 20
    assert loaded.error().relative_l2 == pytest.approx(solution.error().relative_l2, rel=1e-12)


def test_the_progress_bar_writes_to_standard_error(capfd):
    solve(heat(), SMALL, steps=3, progress=True)
    captured = capfd.readouterr()
    assert "heat" in captured.err
    assert captured.out == ""
    solve(heat(), SMALL, steps=3)  # not a terminal: silent
    assert capfd.readouterr() == ("", "")


def test_provenance_is_complete():
    solution = solve(heat(), SMALL, steps=2, seed=9)
    record = solution.provenance
    assert record["seed"] == 9
    assert record["options"]["width"] == 8
    assert {"python", "pdesolve", "torch", "numpy", "scipy", "sympy"} == set(record["versions"])
    assert record["digest"] == heat().digest
    assert solution.cost.peak_memory_bytes > 1e7
    assert len(solution.citations) == 2
