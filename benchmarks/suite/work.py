"""`run_job`: the result of one job, computed in this process. A job's own failure is a result, too."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Mapping

from pdesolve.backends.base import Backend
from pdesolve.declare import Problem
from pdesolve.driver import UnsupportedProblemError, solve
from pdesolve.solution import Solution, Status

from .checks import reference_residual
from .job import Job
from .outcome import DONE, FAILED, OUT_OF_MEMORY, UNSUPPORTED
from .place import this_machine
from .store import Row

PICTURE_DPI = 60
COLOURS = 64  # a palette: a third of the bytes, and a report holds dozens of pictures


def run_job(job: Job) -> Row:
    """What the job gives: a dictionary of JSON values.

    ``outcome`` is ``done``, ``failed`` or ``unsupported``, with a ``reason`` for the last two. Done jobs,
    and diverged ones as far as they came, have ``status``, ``relative_l2``, ``max_error``, ``curve``
    (seconds, step and error while it ran), ``seconds`` (set-up, data, training, evaluation),
    ``peak_memory_bytes``, ``reference``, ``versions`` and ``picture`` (PNG, base64).
    """
    row: Row = {"machine": this_machine()}
    try:
        problem = job.declare()
        method, learned = _prepare(job)
        reasons = method.supports(problem)
        if reasons:
            raise UnsupportedProblemError(method.name, problem.name, "; ".join(reasons), "")
        reference = own_reference(problem, method)
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


def own_reference(problem: Problem, method: Backend) -> Solution | None:
    """The problem's reference, computed apart, where the method under test is what it is computed by.

    `solve` would leave the error out, as no method is a reference for itself. Here it is measured, and the
    report believes no error below the reference's own.
    """
    declared = problem.reference
    if declared is None or declared.backend != method.name:
        return None
    computed = solve(problem, declared.backend, progress=False, throw=False, **declared.options)
    return computed if computed.success else None


def _prepare(job: Job) -> tuple[Backend, dict[str, float] | None]:
    """The backend with its options; a learned operator is trained first."""
    from pdesolve.backends.operators import NeuralOperator

    method = job.method()
    if not isinstance(method, NeuralOperator) or method.weights is not None:
        return method, None
    from .learned import trained

    return trained(job, method)


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
