"""`run_job`: the result of one job, computed in this process. A job's own failure is a result, too."""

from __future__ import annotations

import base64
import io
import math
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from pdesolve.backends.base import Backend
from pdesolve.declare import Problem
from pdesolve.driver import UnsupportedProblemError, load, solve
from pdesolve.solution import Solution, Status

from .checks import reference_residual
from .job import Job
from .learned import is_untrained, trained
from .outcome import DONE, FAILED, OUT_OF_MEMORY, UNSUPPORTED
from .place import this_machine
from .store import Row

PICTURE_DPI = 60
COLOURS = 64  # a palette: a third of the bytes, and a report holds dozens of pictures
NOTHING: AbstractContextManager[object] = nullcontext()


def run_job(job: Job, solving: AbstractContextManager[object] = NOTHING) -> Row:
    """What the job gives: a dictionary of JSON values. ``solving`` is entered for training and solving alone.

    ``outcome`` is ``done``, ``failed`` or ``unsupported``, with a ``reason`` for the last two. Done jobs,
    and diverged ones as far as they came, have ``status``, ``relative_l2``, ``max_error``, ``curve``
    (seconds, step and error while it ran), ``seconds`` (set-up, data, training, evaluation),
    ``peak_memory_bytes``, ``reference``, ``versions`` and ``picture`` (PNG, base64); and ``per_unknown``,
    errors at the end by name.
    """
    row: Row = {"machine": this_machine()}
    try:
        problem, method = job.declare(), job.method()
        learns = is_untrained(method)
        if not learns:
            _require_support(problem, method)
        reference = computed_reference(job, problem)
        with solving:  # not the reference, nor the picture
            learned = None
            if learns:
                method, learned = trained(job, method)
                _require_support(problem, method)
            solution = solve(
                problem,
                method,
                budget=None if learned else job.budget,  # a learned operator's budget was its training's
                steps=None if learned else job.steps,
                seed=job.seed,
                device=job.device,
                dtype=job.dtype,
                reference=reference,
                progress=False,
                throw=False,
            )
        return row | described(solution, learned)
    except UnsupportedProblemError as error:
        return row | {"outcome": UNSUPPORTED, "reason": error.got}
    except MemoryError as error:
        return row | {"outcome": OUT_OF_MEMORY, "reason": str(error) or "an allocation was refused"}
    except Exception as error:  # whatever it is, the sweep goes on, and the table shows it
        return row | {"outcome": FAILED, "reason": f"{type(error).__name__}: {error}"[:600]}


def described(solution: Solution, learned: Mapping[str, float] | None = None, pictured: bool = True) -> Row:
    """A solution as a result; ``learned`` holds what training has told."""
    learned = learned or {}
    ruined = solution.status in (Status.DIVERGED, Status.NOT_FINITE)
    norms, reference, cost = solution.measure(), solution.reference, solution.cost
    training = learned.get("training", cost.seconds_solve)
    return {
        "outcome": FAILED if ruined else DONE,
        "reason": solution.message or solution.status.value if ruined else "",
        "status": solution.status.name,
        "message": solution.message,
        "relative_l2": None if norms is None else finite(norms.relative_l2),
        "per_unknown": {} if norms is None else {k: finite(e) for k, e in norms.per_unknown.items()},
        "max_error": None if norms is None else finite(norms.max),
        "error_estimate": None if solution.error_estimate is None else finite(solution.error_estimate),
        "reference": None
        if reference is None
        else {
            "description": reference.description,
            "error": finite(reference.error),
            "residual": reference_residual(solution.problem, reference),
        },
        "seconds": {
            "setup": cost.seconds_setup,
            "data": learned.get("data", 0.0),
            "training": training,
            "evaluation": cost.seconds_evaluation,
            "a_solve": cost.seconds_setup + cost.seconds_solve if learned else None,
        },
        "curve": None if learned else _curve(solution),
        "peak_memory_bytes": cost.peak_memory_bytes,
        "versions": solution.provenance.get("versions", {}),
        "test_relative_l2": learned.get("test_relative_l2"),
        "picture": _picture(solution) if pictured else None,
    }


def computed_reference(job: Job, problem: Problem) -> Solution | None:
    """The reference of a problem that a backend computes, from a process of its own; None for any other.

    Computed here, it would warm the method under test where that is the same backend, and its memory would
    be taken for the method's. `solve` would leave the error of that method out, as none is a reference for
    itself. Here it is measured, and the report believes no error below the reference's own.
    """
    if problem.reference is None or problem.reference.backend is None:
        return None
    with tempfile.TemporaryDirectory(prefix="pdesolve-reference-") as folder:
        file = Path(folder) / "reference.h5"
        command = [sys.executable, "-m", "pdesolve.benchmarks.suite.referring", str(file)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, text=True) as process:
            assert process.stdin is not None
            process.stdin.write(job.canonical() + "\n")
            process.stdin.flush()  # left open: its end tells that we are gone
            process.wait()
        return load(file, problem) if file.exists() else None


def _require_support(problem: Problem, method: Backend) -> None:
    reasons = method.supports(problem)
    if reasons:
        raise UnsupportedProblemError(method.name, problem.name, "; ".join(reasons), "")


def _curve(solution: Solution) -> dict[str, list[float | None]]:
    """Error against time, as the driver recorded it."""
    columns = solution.history.to_json()
    return {name: columns[name] for name in ("seconds", "step", "relative_l2")}


def _picture(solution: Solution) -> str | None:
    """The solution and its error as PNG; None where no picture can show it."""
    from PIL import Image

    from pdesolve.declare import PDESolveError

    drawn, small = io.BytesIO(), io.BytesIO()
    try:
        solution.plot().savefig(drawn, dpi=PICTURE_DPI, format="png")
    except (PDESolveError, ValueError):  # more dimensions than a page has, or nothing finite
        return None
    Image.open(drawn).convert("RGB").quantize(COLOURS).save(small, format="png", optimize=True)
    return base64.b64encode(small.getvalue()).decode()


def finite(value: float) -> float | None:
    """The value for JSON; None where it is not finite."""
    return float(value) if math.isfinite(value) else None
