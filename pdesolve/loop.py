"""One run of one backend: the loop over budget, error curve, checkpoints and the guard against NaN."""

from __future__ import annotations

import dataclasses
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
from .backends.base import Context, Progress
from .distribution import DistributionError
from .progress import ProgressBar
from .solution import Cost, History, ResolvedReference, Solution, Status
from .solution.norms import default_grid, inner_points, relative

logger = logging.getLogger(__name__)

MEASURE_EVERY = 50
"""Steps between measurements of the merit, by which the best state is kept."""

WORSE = 2.0
"""The last state is the answer unless its merit is more than that many times the best: a residual does not
order errors within such a factor."""


@dataclass
class Answer:
    """A state as what is needed to answer with it; the driver keeps the one with the least merit."""

    merit: float  # inf where the method has none, or it is not finite
    step: int
    field: Any
    parameters: dict[str, float]
    error_estimate: float | None


@dataclass
class Run:
    """One run of one backend on one problem."""

    problem: Any  # or what else has a name and a digest, where no solution is asked for
    method: Any
    context: Context
    tolerance: float | None
    checkpoint: Path | None
    checkpoint_every: float
    patience: int | None = None  # steps without a lower merit after which the run ends

    state: Any = None
    step: int = 0
    history: History = field(default_factory=History)
    best: Answer | None = None
    answer: Answer | None = None
    status: Status | None = None
    message: str = ""
    reference: ResolvedReference | None = None
    merit: float | None = None
    seconds_setup: float = 0.0
    seconds_solve: float = 0.0
    seconds_evaluation: float = 0.0
    seconds_excluded: float = 0.0
    last: Progress = field(default_factory=lambda: Progress(math.nan))

    # -- before, during, after

    def begin(self) -> None:
        """Set up, and take over a checkpoint where there is one."""
        content = None
        if self.checkpoint is not None and self.checkpoint.exists():
            content = checkpoints.read(self.checkpoint)
            checkpoints.check_identity(self.checkpoint, content, self._identity())
        begin = self._clock()
        context = dataclasses.replace(
            self.context,
            resuming=content is not None,
            spent=lambda: self._limits_share,
            exclude=self._exclude,
        )
        self.state = self.method.start(self.problem, context)
        if content is not None:
            self._restore(content)
        if not self.context.ranks.agree(content is not None, self.step):
            raise DistributionError(
                f"process {self.context.ranks.rank} of {self.context.ranks.count}",
                f"the same checkpoint {self.checkpoint} for all processes",
                f"step {self.step} here" if content else "none here",
                "Name a file in a folder that all processes see.",
            )
        self.seconds_setup += self._clock() - begin

    def compare_with(self, reference: ResolvedReference | None) -> None:
        """Evaluate the reference once, at the points of the default grid that lie in the domain."""
        self.reference = reference
        if reference is not None:
            self._grid_points, _ = inner_points(self.problem, default_grid(self.problem))
            self._exact = np.asarray(reference.values(self._grid_points)).reshape(len(self._grid_points), -1)

    def loop(self, bar: ProgressBar, interrupted: threading.Event) -> None:
        """Advance until the budget ends, the tolerance is met, or something goes wrong."""
        next_look, next_write = self.elapsed, self.seconds_solve + self.checkpoint_every
        error = None
        if self.step == 0:
            self._keep_best()  # so that there is a good state to return from the very start
        elif self.step % MEASURE_EVERY == 0:
            self._lose_patience()  # where an earlier run did; a longer patience goes on
        while self.status is None:
            if self.context.ranks.first(interrupted.is_set()):
                self.status = Status.INTERRUPTED
            elif self._spent:
                asked = self.method.capabilities.open_ended and self.tolerance is None
                self.status = Status.COMPLETED if asked else Status.BUDGET_EXHAUSTED
            else:
                self._advance()
                # Only at fixed steps: a run that was stopped and resumed must find the same best state.
                if self.step % MEASURE_EVERY == 0 and self.status is None:
                    self._keep_best()
                    self._lose_patience()
            if self.elapsed >= next_look and self.status is None:
                error = self._look()
                # About a dozen looks a decade of time: a smooth curve at little cost.
                next_look = max(self.elapsed * 1.2, self.elapsed + 0.5)
            if self.seconds_solve >= next_write and self.status is None:
                self._write()
                next_write = self.seconds_solve + self.checkpoint_every
            bar.update(self._fraction, self.step, self.last.loss, error, self.last.message)
        self._write()
        self.answer = self._last_or_best()

    def solution(self) -> Solution:
        """The answer with all that is known of it, after the loop."""
        assert self.answer is not None
        answer = self.answer
        if not self.history.step or self.history.step[-1] < self.step:
            self._look()
        assert self.status is not None
        return Solution(
            problem=self.problem,
            field=answer.field,
            status=self.status,
            message=self.message or self.method.describe(self.state),
            history=self.history,
            cost=Cost(self.seconds_setup, self.seconds_solve, self.seconds_evaluation, self._peak_memory()),
            provenance=self.provenance(answer.step),
            parameters=answer.parameters,
            intervals=self.method.intervals(self.state, answer.field),
            diagnosis=self.method.diagnosis(self.state, self.history),
            collocation_points=self.method.collocation_points(self.state),
            error_estimate=answer.error_estimate,
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
    def _limits_share(self) -> float:
        """Share of budget or steps that is spent, by whichever comes first."""
        budget, steps = self.context.budget, self.context.steps
        shares = [0.0]
        shares += [self.elapsed / budget] if budget else []
        shares += [self.step / steps] if steps else []
        return min(1.0, max(shares))

    @property
    def _fraction(self) -> float:
        """Share that is done."""
        return max(self._limits_share, min(1.0, self.last.fraction or 0.0))

    def _clock(self) -> float:
        """Seconds, without those that the method has excluded; of several processes the first one's."""
        return self.context.ranks.first(time.perf_counter()) - self.seconds_excluded

    def _exclude(self, seconds: float) -> None:
        self.seconds_excluded += self.context.ranks.first(seconds)

    def _advance(self) -> None:
        begin = self._clock()
        self.last = self.method.advance(self.state)
        self.seconds_solve += self._clock() - begin
        self.step += 1
        self.merit = None
        if not math.isfinite(self.last.loss):
            self.status = Status.NOT_FINITE
            self.message = f"{self.method.diagnose(self.state)} is not finite at step {self.step}"
        elif self.last.status is not None:
            self.status, self.message = self.last.status, self.last.message

    def _measure(self) -> Answer:
        """The current state as an answer; meets the tolerance where its merit does."""
        begin = self._clock()
        self.merit = self.method.merit(self.state)
        self.seconds_solve += self._clock() - begin
        self._check_agreement()
        merit = self.merit if self.merit is not None and math.isfinite(self.merit) else math.inf
        below = self.tolerance is not None and merit <= self.tolerance
        if below and self.status in (None, Status.BUDGET_EXHAUSTED, Status.STAGNATED):
            self.status = Status.CONVERGED
            self.message = f"merit {merit:.2e} <= tolerance {self.tolerance:.2e}"
        return Answer(
            merit,
            self.step,
            self.method.field(self.state),
            self.method.parameters(self.state),
            self.method.error_estimate(self.state),
        )

    def _check_agreement(self) -> None:
        """Processes whose parameters have parted would wait for each other for ever, or average nonsense."""
        merit = math.nan if self.merit is None else self.merit
        if not self.context.ranks.agree(self.step, self.last.loss, merit):
            raise DistributionError(
                f"process {self.context.ranks.rank} of {self.context.ranks.count}",
                "the same loss and merit in all processes",
                f"loss {self.last.loss!r}, merit {merit!r} here at step {self.step}",
                "Run all of them on the same kind of machine with the same versions and threads.",
            )

    def _keep_best(self) -> None:
        candidate = self._measure()
        if self.best is None or candidate.merit <= self.best.merit:
            self.best = candidate

    def _lose_patience(self) -> None:
        """End the run where the merit has not fallen for ``patience`` steps."""
        if self.patience is None or self.best is None or self.step - self.best.step < self.patience:
            return
        if self.status is None:
            self.status = Status.STAGNATED
            self.message = (
                f"the merit has not fallen below {self.best.merit:.2e}, of step {self.best.step}, for "
                f"{self.step - self.best.step} steps (patience {self.patience})"
            )

    def _last_or_best(self) -> Answer:
        """The last state, or the best by merit where the last is clearly worse."""
        impatient = self.patience is not None and self.status is Status.STAGNATED
        if (impatient or self.status in (Status.NOT_FINITE, Status.DIVERGED)) and self.best is not None:
            return self.best
        final = self._measure()
        return self.best if self.best is not None and WORSE * self.best.merit < final.merit else final

    def _look(self) -> float | None:
        """One row of the history; the error is measured outside the budget."""
        begin = time.perf_counter()
        error = None
        if self.reference is not None and self.status is not Status.NOT_FINITE:
            values = self.method.field(self.state).values(self._grid_points, self._exact.shape[1])
            error = relative(values - self._exact, self._exact)
        self.history.append(self.step, self.elapsed, self.last.loss, self.merit, error)
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
        if self.checkpoint is None or not self.context.ranks.is_first:
            return
        if self.status in (Status.NOT_FINITE, Status.DIVERGED):
            return  # a ruined state must not replace the last good one
        best = self.best
        checkpoints.write(
            self.checkpoint,
            {
                "identity": self._identity(),
                "state": checkpoints.pack(self.state),
                "step": self.step,
                "loss": float(self.last.loss),
                # The method's own end is final; a budget or a tolerance may be another one on resuming.
                "ended": None if self.last.status is None else [self.last.status.name, self.last.message],
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
            self.state = checkpoints.unpack(content["state"], self.state, device=self.context.device)
            self.history = checkpoints.unpack(content["history"], self.history)
            self.step, self.last = int(content["step"]), Progress(float(content["loss"]))
            if content["ended"] is not None:
                self.status, self.message = Status[content["ended"][0]], str(content["ended"][1])
            self.seconds_setup, self.seconds_solve, self.seconds_evaluation = map(float, content["seconds"])
            if content["best"] is not None:
                best = dict(content["best"])
                arrays = checkpoints.unpack(best.pop("arrays"), None)
                self.best = Answer(field=self.method.restore(self.problem, arrays), **best)
        except (LookupError, TypeError, ValueError, AttributeError, RuntimeError) as error:
            raise checkpoints.CheckpointError(
                f"checkpoint {self.checkpoint}",
                f"a state of {self.method.name!r} as this version writes it",
                f"{type(error).__name__}: {error}",
                "Delete the file to start anew.",
            ) from error
        logger.info("resumed at step %d", self.step)

    def provenance(self, best_step: int) -> dict[str, Any]:
        import torch

        packages = ("pdesolve", "torch", "numpy", "scipy", "sympy", *self.method.packages)
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
            "processes": self.context.ranks.count,
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
