"""`solve`: one loop for every backend, and `load` for what it saved.

The driver owns what no backend should: the budget, the clock, the progress bar, the error curve, the
checkpoint, the guard against NaN, and Ctrl-C.
"""

from __future__ import annotations

import logging
import math
import platform
import resource
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from . import checkpoint as checkpoints
from .backends.base import Backend, Context, Progress
from .backends.registry import make_backend
from .declare import PDESolveError, Problem
from .declare.domain import Array
from .declare.reference import as_reference
from .progress import ProgressBar
from .solution import Cost, History, ResolvedReference, Solution, Status, resolve_reference
from .solution.field import Field
from .solution.norms import default_grid
from .solution.output import check_writable

logger = logging.getLogger(__name__)

DEFAULT_BUDGET = 60.0
"""Seconds for methods that would go on for ever, where neither budget nor steps are given."""

MEASURE_EVERY = 50
"""Steps between measurements of the merit, by which the best state is kept."""


class SolveError(PDESolveError):
    """A solve ended without a usable answer; ``solution`` holds the last good state."""

    solution: Solution


class UnsupportedProblemError(PDESolveError):
    """The backend cannot solve this problem."""


class RunOptionError(PDESolveError):
    """An argument of `solve` has a value that makes no sense."""


def solve(
    problem: Problem,
    backend: str | Backend = "pinn",
    *,
    budget: float | None = None,
    steps: int | None = None,
    tolerance: float | None = None,
    seed: int = 0,
    device: str = "cpu",
    dtype: str = "float64",
    reference: Any = None,
    checkpoint: str | Path | None = None,
    checkpoint_every: float = 60.0,
    progress: bool | None = None,
    throw: bool = True,
    **options: Any,
) -> Solution:
    """Solve a declared problem.

    Args:
        problem: the declaration.
        backend: a name (see ``pdesolve backends``), with ``**options`` for it, or a `Backend` object.
        budget: wall-clock seconds for set-up and work, compilation included, error evaluation not.
        steps: units of work (optimiser or time steps), counted from the very start also after a resume.
        tolerance: stop where the backend's merit meets it: its held-out residual or error estimate, never
            the error against the reference.
        seed: starts all random generators of the run; no global generator is touched.
        device: ``cpu`` or ``cuda``, where the backend can use it.
        dtype: ``float64`` or ``float32``.
        reference: as for `Problem`, instead of the problem's own.
        checkpoint: a file that is written every ``checkpoint_every`` seconds and at the end. Where it
            exists, the run goes on from it, to the same bits on a CPU as without the interruption.
        progress: show a progress bar; None shows it on a terminal.
        throw: raise `SolveError` where the run diverged or met NaN; False returns the last good state.

    Raises:
        UnsupportedProblemError: with the backend's reasons.
        RunOptionError, BackendOptionError, UnknownBackendError: before any work.
        CheckpointError, CheckpointMismatchError: the checkpoint is damaged or of another run.
        SolveError: the run diverged or met NaN.
    """
    method = _method(backend, options)
    _check_arguments(budget, steps, tolerance, seed, device, dtype, checkpoint_every, method)
    reasons = method.supports(problem)
    if reasons:
        raise UnsupportedProblemError(
            f"backend {method.name!r}",
            f"a problem it can solve (asked for {problem.name!r})",
            "; ".join(reasons),
            "Use another backend: `pdesolve problems` shows which ones can.",
        )
    if method.capabilities.open_ended and budget is None and steps is None:
        budget = DEFAULT_BUDGET
    context = Context(seed, device, dtype, budget, steps)
    target = check_writable(checkpoint) if checkpoint is not None else None
    run = _Run(problem, method, context, tolerance, target, checkpoint_every)
    run.begin()
    with ProgressBar(f"{problem.name} · {method.name}", progress) as bar, _interrupt() as interrupted:
        run.compare_with(_reference(problem, reference, method))
        run.loop(bar, interrupted)
    solution = run.solution()
    if throw and solution.status in (Status.NOT_FINITE, Status.DIVERGED):
        failure = SolveError(
            f"solve({problem.name!r}, {method.name!r})",
            "finite values throughout",
            solution.message or solution.status.name,
            f"{solution.status.value} The last good state is in this error's .solution.",
        )
        failure.solution = solution
        raise failure
    return solution


def load(path: str | Path, problem: Problem | None = None, backend: Backend | None = None) -> Solution:
    """A solution that ``solution.save`` wrote.

    Args:
        path: the HDF5 file.
        problem: needed only where the declaration holds Python functions, which files cannot keep.
        backend: needed only where the options hold objects, such as a network of your own.

    Raises:
        ResultFileError, ProblemMismatchError: see `pdesolve.solution.hdf5.read`.
    """
    from .solution.hdf5 import read

    def restore(
        name: str, options: Mapping[str, Any], declared: Problem, arrays: Mapping[str, Array]
    ) -> Field:
        method = backend if backend is not None else make_backend(name).with_options(options)
        return method.restore(declared, arrays)

    return read(path, restore, problem)


# -- before work -----------------------------------------------------------------------------------


def _method(backend: str | Backend, options: Mapping[str, Any]) -> Backend:
    if isinstance(backend, str):
        return make_backend(backend, **options)
    if options:
        raise RunOptionError(
            "solve()", "options inside the Backend object", ", ".join(options), "Set them when you make it."
        )
    return backend


def _check_arguments(
    budget: Any, steps: Any, tolerance: Any, seed: Any, device: str, dtype: str, every: Any, method: Backend
) -> None:
    def refuse(name: str, expected: str, got: Any, remedy: str = "Change the argument.") -> None:
        raise RunOptionError(f"solve({name}=)", expected, repr(got), remedy)

    def is_number(value: Any) -> bool:
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)

    if budget is not None and not (is_number(budget) and budget > 0):
        refuse("budget", "a positive number of seconds", budget)
    if steps is not None and not (isinstance(steps, int) and not isinstance(steps, bool) and steps > 0):
        refuse("steps", "a positive whole number", steps)
    if tolerance is not None and not (is_number(tolerance) and tolerance > 0):
        refuse("tolerance", "a positive number", tolerance)
    if not isinstance(seed, int) or isinstance(seed, bool) or seed < 0:
        refuse("seed", "a whole number of at least 0", seed)
    if not (is_number(every) and every >= 0):
        refuse("checkpoint_every", "a number of seconds", every)
    if dtype not in ("float64", "float32"):
        refuse("dtype", "'float64' or 'float32'", dtype)
    kind = str(device).partition(":")[0]
    if kind not in method.capabilities.devices:
        refuse("device", f"one of {', '.join(method.capabilities.devices)} for {method.name!r}", device)
    if kind == "cuda":
        import torch

        if not torch.cuda.is_available():
            refuse("device", "a CUDA device that torch can use", device, "Use device='cpu'.")


def _reference(problem: Problem, given: Any, method: Backend) -> ResolvedReference | None:
    """The reference made ready; one that a backend computes is computed here."""
    if isinstance(given, Solution):
        return given.as_reference(problem)
    reference = as_reference(given, problem.unknowns) if given is not None else problem.reference
    if reference is None:
        return None
    if reference.backend is None:
        return resolve_reference(reference, problem)
    if reference.backend == method.name:
        return None  # a method is no reference for itself; its own error estimate says more
    computed = solve(problem, reference.backend, progress=False, **reference.options)
    return computed.as_reference(problem)


@contextmanager
def _interrupt() -> Iterator[threading.Event]:
    """Turns the first Ctrl-C into a flag that is looked at between steps; a second one interrupts at once."""
    flag = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield flag  # signals reach the main thread alone
        return
    previous = signal.getsignal(signal.SIGINT)

    def handle(number: int, frame: Any) -> None:
        flag.set()
        signal.signal(signal.SIGINT, previous)

    signal.signal(signal.SIGINT, handle)
    try:
        yield flag
    finally:
        signal.signal(signal.SIGINT, previous)


# -- the loop --------------------------------------------------------------------------------------


@dataclass
class _Best:
    """The state with the least merit so far, as what is needed to answer with it."""

    merit: float
    step: int
    field: Field
    parameters: dict[str, float]
    error_estimate: float | None


@dataclass
class _Run:
    """One run of one backend on one problem."""

    problem: Problem
    method: Backend
    context: Context
    tolerance: float | None
    checkpoint: Path | None
    checkpoint_every: float

    state: Any = None
    step: int = 0
    history: History = field(default_factory=History)
    best: _Best | None = None
    status: Status | None = None
    message: str = ""
    reference: ResolvedReference | None = None
    seconds_setup: float = 0.0
    seconds_solve: float = 0.0
    seconds_evaluation: float = 0.0
    last: Progress = field(default_factory=lambda: Progress(math.nan))

    # -- before, during, after

    def begin(self) -> None:
        """Set up, and take over a checkpoint where there is one."""
        content = None
        if self.checkpoint is not None and self.checkpoint.exists():
            content = checkpoints.read(self.checkpoint)
            checkpoints.check_identity(self.checkpoint, content, self._identity())
        begin = time.perf_counter()
        c = self.context
        context = Context(c.seed, c.device, c.dtype, c.budget, c.steps, resuming=content is not None)
        self.state = self.method.start(self.problem, context)
        if content is not None:
            self._restore(content)
        self.seconds_setup += time.perf_counter() - begin

    def compare_with(self, reference: ResolvedReference | None) -> None:
        """Evaluate the reference once, on the default grid."""
        self.reference = reference
        if reference is not None:
            self._grid_points = default_grid(self.problem).points
            self._exact = np.asarray(reference.values(self._grid_points)).reshape(len(self._grid_points), -1)

    def loop(self, bar: ProgressBar, interrupted: threading.Event) -> None:
        """Advance until the budget ends, the tolerance is met, or something goes wrong."""
        next_look, next_write = self.elapsed, self.seconds_solve + self.checkpoint_every
        error = None
        if self.step == 0:
            self._measure()  # so that there is a good state to return from the very start
        while self.status is None:
            if interrupted.is_set():
                self.status = Status.INTERRUPTED
            elif self._spent:
                self.status = Status.BUDGET_EXHAUSTED
            else:
                self._advance()
            if self.status is not None or self.step % MEASURE_EVERY == 0:
                self._measure()
            if self.elapsed >= next_look or self.status is not None:
                error = self._look()
                # About a dozen looks a decade of time: a smooth curve at little cost.
                next_look = max(self.elapsed * 1.2, self.elapsed + 0.5)
            if self.seconds_solve >= next_write and self.status is None:
                self._write()
                next_write = self.seconds_solve + self.checkpoint_every
            bar.update(self._fraction, self.step, self.last.loss, error, self.last.message)
        self._write()

    def solution(self) -> Solution:
        """The answer: the best state by merit, or the last where the method has none."""
        assert self.status is not None
        best = self._current() if self.best is None else self.best
        return Solution(
            problem=self.problem,
            field=best.field,
            status=self.status,
            message=self.message,
            history=self.history,
            cost=Cost(self.seconds_setup, self.seconds_solve, self.seconds_evaluation, self._peak_memory()),
            provenance=self._provenance(best.step),
            parameters=best.parameters,
            collocation_points=self.method.collocation_points(self.state),
            error_estimate=best.error_estimate,
            reference=self.reference,
            citations=self.method.citations,
        )

    # -- one turn

    @property
    def elapsed(self) -> float:
        """Seconds that count against the budget."""
        return self.seconds_setup + self.seconds_solve

    @property
    def _spent(self) -> bool:
        budget, steps = self.context.budget, self.context.steps
        return (steps is not None and self.step >= steps) or (budget is not None and self.elapsed >= budget)

    @property
    def _fraction(self) -> float:
        """Share that is done, by whichever limit comes first."""
        budget, steps = self.context.budget, self.context.steps
        shares = [self.last.fraction or 0.0]
        shares += [self.elapsed / budget] if budget else []
        shares += [self.step / steps] if steps else []
        return min(1.0, max(shares))

    def _advance(self) -> None:
        begin = time.perf_counter()
        self.last = self.method.advance(self.state)
        self.seconds_solve += time.perf_counter() - begin
        self.step += 1
        if not math.isfinite(self.last.loss):
            self.status = Status.NOT_FINITE
            self.message = f"{self.method.diagnose(self.state)} is not finite at step {self.step}"
        elif self.last.status is not None:
            self.status, self.message = self.last.status, self.last.message

    def _measure(self) -> None:
        """Keep the best state; stop where the tolerance is met."""
        if self.status is Status.NOT_FINITE and self.best is not None:
            return
        begin = time.perf_counter()
        merit = self.method.merit(self.state)
        self.seconds_solve += time.perf_counter() - begin
        self._merit = merit
        if merit is None or not math.isfinite(merit):
            return
        if self.best is None or merit <= self.best.merit:
            self.best = self._current(merit)
        if self.tolerance is not None and merit <= self.tolerance and self.status is None:
            self.status = Status.CONVERGED
            self.message = f"merit {merit:.2e} <= tolerance {self.tolerance:.2e}"

    def _current(self, merit: float = math.inf) -> _Best:
        return _Best(
            merit,
            self.step,
            self.method.field(self.state),
            self.method.parameters(self.state),
            self.method.error_estimate(self.state),
        )

    def _look(self) -> float | None:
        """One row of the history; the error is measured outside the budget."""
        begin = time.perf_counter()
        error = None
        if self.reference is not None and self.status is not Status.NOT_FINITE:
            field_ = self.method.field(self.state)
            values = field_.values(self._grid_points, self._exact.shape[1])
            norm = float(np.linalg.norm(self._exact))
            error = float(np.linalg.norm(values - self._exact)) / norm if norm else math.nan
        merit = getattr(self, "_merit", None)
        self.history.append(self.step, self.elapsed, self.last.loss, merit, error)
        self.seconds_evaluation += time.perf_counter() - begin
        return error

    # -- checkpoints and records

    def _identity(self) -> dict[str, Any]:
        return {
            "problem": f"{self.problem.name} {self.problem.digest}",
            "backend": self.method.name,
            "options": checkpoints.plain(self.method),
            "seed": self.context.seed,
            "dtype": self.context.dtype,
        }

    def _write(self) -> None:
        if self.checkpoint is None or self.status is Status.NOT_FINITE:
            return  # a state with NaN must not replace the last good one
        best = self.best
        checkpoints.write(
            self.checkpoint,
            {
                "identity": self._identity(),
                "state": checkpoints.pack(self.state),
                "step": self.step,
                "seconds": [self.seconds_setup, self.seconds_solve, self.seconds_evaluation],
                "history": checkpoints.pack(self.history),
                "best": None
                if best is None
                else {
                    "merit": best.merit,
                    "step": best.step,
                    "arrays": checkpoints.pack(best.field.arrays()),
                    "parameters": best.parameters,
                    "error_estimate": best.error_estimate,
                },
            },
        )
        logger.info("checkpoint at step %d", self.step)

    def _restore(self, content: Mapping[str, Any]) -> None:
        assert self.checkpoint is not None
        try:
            self.state = checkpoints.unpack(content["state"], self.state)
            self.history = checkpoints.unpack(content["history"], self.history)
            self.step = int(content["step"])
            self.seconds_setup, self.seconds_solve, self.seconds_evaluation = map(float, content["seconds"])
            if content["best"] is not None:
                best = dict(content["best"])
                arrays = checkpoints.unpack(best.pop("arrays"), None)
                self.best = _Best(field=self.method.restore(self.problem, arrays), **best)
        except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
            raise checkpoints.CheckpointError(
                f"checkpoint {self.checkpoint}",
                f"a state of {self.method.name!r} as this version writes it",
                f"{type(error).__name__}: {error}",
                "Delete the file to start anew.",
            ) from error
        logger.info("resumed at step %d", self.step)

    def _provenance(self, best_step: int) -> dict[str, Any]:
        import torch

        packages = ("pdesolve", "torch", "numpy", "scipy", "sympy")
        return {
            "backend": self.method.name,
            "options": checkpoints.plain(self.method),
            "seed": self.context.seed,
            "device": self.context.device,
            "dtype": self.context.dtype,
            "budget": self.context.budget,
            "steps": self.step,
            "answer_step": best_step,
            "digest": self.problem.digest,
            "versions": {"python": platform.python_version(), **{name: version(name) for name in packages}},
            "threads": torch.get_num_threads(),
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
        }

    def _peak_memory(self) -> int:
        if self.context.device.startswith("cuda"):
            import torch

            return int(torch.cuda.max_memory_allocated())
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
