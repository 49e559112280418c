"""One run of one backend: the loop over budget, error curve, checkpoints and the guard against NaN."""

from __future__ import annotations

import logging
import math
import platform
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from . import checkpoint as checkpoints
from .backends.base import Backend, Context, Progress
from .declare import Problem
from .progress import ProgressBar
from .solution import Cost, History, ResolvedReference, Solution, Status
from .solution.field import Field
from .solution.norms import default_grid

logger = logging.getLogger(__name__)

MEASURE_EVERY = 50
"""Steps between measurements of the merit, by which the best state is kept."""


@dataclass
class Best:
    """The state with the least merit so far, as what is needed to answer with it."""

    merit: float
    step: int
    field: Field
    parameters: dict[str, float]
    error_estimate: float | None


@dataclass
class Run:
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
    best: Best | None = None
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

    def _current(self, merit: float = math.inf) -> Best:
        return Best(
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
            with np.errstate(over="ignore", invalid="ignore"):  # a run on its way to infinity
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
                self.best = Best(field=self.method.restore(self.problem, arrays), **best)
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
        try:
            import resource  # not on Windows
        except ImportError:
            return 0
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
