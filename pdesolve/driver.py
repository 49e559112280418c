"""`solve`: one entry point for every backend, and `load` for what it saved.

The driver owns what no backend should: the budget, the clock, the progress bar, the error curve, the
checkpoint, the guard against NaN, and Ctrl-C. Its loop is in `pdesolve.loop`.
"""

from __future__ import annotations

import math
import signal
import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from numbers import Integral, Real
from pathlib import Path
from typing import Any

from .backends.base import Backend, BackendOptionError, Context
from .backends.registry import make_backend
from .declare import PDESolveError, PDESolveWarning, Problem
from .declare.domain import Array
from .declare.reference import as_reference
from .distribution import join, own_device
from .loop import Run
from .progress import ProgressBar
from .solution import ResolvedReference, Solution, Status, resolve_reference
from .solution.field import Field
from .solution.output import check_writable

DEFAULT_BUDGET = 60.0
"""Seconds for methods that would go on for ever, where neither budget nor steps are given."""


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
    distributed: bool = False,
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
        distributed: share the work with all processes that ``torchrun`` has started; each returns the same
            solution. ``cuda`` is then one device for each.
        reference: as for `Problem`, instead of the problem's own.
        checkpoint: a file that is written every ``checkpoint_every`` seconds and at the end. Where it
            exists, the run goes on from it, to the same bits on a CPU as without the interruption.
        progress: show a progress bar; None shows it on a terminal.
        throw: raise `SolveError` where the run diverged or met NaN; False returns the last good state.

    Raises:
        UnsupportedProblemError: with the backend's reasons.
        RunOptionError, BackendOptionError, UnknownBackendError: before any work.
        DistributionError: ``distributed`` without torchrun, or processes whose results differ.
        CheckpointError, CheckpointMismatchError: the checkpoint is damaged or of another run.
        SolveError: the run diverged or met NaN.
    """
    method = _method(problem, backend, options)
    device = own_device(device, distributed)
    check_arguments("solve", budget, steps, tolerance, seed, device, dtype, checkpoint_every, method)
    check_distributable("solve", distributed, method)
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
    target = check_writable(checkpoint) if checkpoint is not None else None
    ranks = join("solve", distributed, device)
    limit = None if steps is None else int(steps)
    context = Context(int(seed), device, dtype, budget, limit, ranks=ranks)
    run = Run(problem, method, context, tolerance, target, checkpoint_every)
    run.begin()
    title, shown = f"{problem.name} · {method.name}", progress if ranks.is_first else False
    with ProgressBar(title, shown) as bar, interruption() as interrupted:
        run.compare_with(_reference(problem, reference, method, bar))
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
        try:
            method = backend if backend is not None else make_backend(name).with_options(options)
        except BackendOptionError as error:
            raise RunOptionError(
                f"load({str(path)!r})",
                "options that a file can keep",
                f"{error.who} {error.got}",
                f"Give load(..., backend=...) the backend object that solved it, {name!r} with its options.",
            ) from error
        return method.restore(declared, arrays)

    return read(path, restore, problem)


# -- before work -----------------------------------------------------------------------------------


def _method(problem: Any, backend: Any, options: Mapping[str, Any]) -> Backend:
    if not isinstance(problem, Problem):
        raise RunOptionError(
            "solve(problem, ...)", "a Problem", repr(problem), "Declare one, or use pdesolve.catalogue(name)."
        )
    if isinstance(backend, str):
        return make_backend(backend, **options)
    if not isinstance(backend, Backend):
        raise RunOptionError(
            "solve(backend=)", "a backend's name or a Backend object", repr(backend), "Write PINN(...)."
        )
    if options:
        raise RunOptionError(
            "solve()", "options inside the Backend object", ", ".join(options), "Set them when you make it."
        )
    return backend


def check_distributable(who: str, distributed: bool, method: Any) -> None:
    """Refuse to share the work of a method that cannot be shared.

    Raises:
        RunOptionError: it would be done by every process anew.
    """
    if distributed and not method.capabilities.distributed:
        raise RunOptionError(
            f"{who}(distributed=True)",
            "a method whose work several processes can share",
            repr(method.name),
            "Run it in one process. solve() can share 'pinn', train() operators between fields.",
        )


def check_arguments(
    who: str,
    budget: Any,
    steps: Any,
    tolerance: Any,
    seed: Any,
    device: str,
    dtype: str,
    every: Any,
    method: Any,
) -> None:
    """Refuse arguments of a run, solve's or train's, that make no sense.

    Raises:
        RunOptionError: naming the argument.
    """

    def refuse(name: str, expected: str, got: Any, remedy: str = "Change the argument.") -> None:
        raise RunOptionError(f"{who}({name}=)", expected, repr(got), remedy)

    def is_number(value: Any) -> bool:
        return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)

    def is_count(value: Any) -> bool:
        return isinstance(value, Integral) and not isinstance(value, bool)

    if budget is not None and not (is_number(budget) and budget > 0):
        refuse("budget", "a positive number of seconds", budget)
    if steps is not None and not (is_count(steps) and steps > 0):
        refuse("steps", "a positive whole number", steps)
    if tolerance is not None and not (is_number(tolerance) and tolerance > 0):
        refuse("tolerance", "a positive number", tolerance)
    if not (is_count(seed) and seed >= 0):
        refuse("seed", "a whole number of at least 0", seed)
    if not (is_number(every) and every >= 0):
        refuse("checkpoint_every", "a number of seconds", every)
    if dtype not in ("float64", "float32"):
        refuse("dtype", "'float64' or 'float32'", dtype)
    if dtype not in method.capabilities.dtypes:
        refuse("dtype", f"one of {', '.join(method.capabilities.dtypes)} for {method.name!r}", dtype)
    kind = str(device).partition(":")[0]
    if kind not in method.capabilities.devices:
        refuse("device", f"one of {', '.join(method.capabilities.devices)} for {method.name!r}", device)
    if kind == "cuda":
        import torch

        index = str(device).partition(":")[2] or "0"
        if not (index.isdigit() and int(index) < torch.cuda.device_count()):
            remedy = "Use device='cpu', or start no more processes than there are devices."
            refuse("device", "a CUDA device that torch can use", device, remedy)


def _reference(problem: Problem, given: Any, method: Backend, bar: ProgressBar) -> ResolvedReference | None:
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
    bar.say(f"computing the reference by {reference.backend}")
    computed = solve(problem, reference.backend, progress=False, throw=False, **reference.options)
    if computed.status is Status.INTERRUPTED:
        raise KeyboardInterrupt  # meant for the whole solve, not for its reference
    if not computed.success:
        warnings.warn(
            f"The reference of {problem.name!r} is not used: {reference.backend} ended with "
            f"{computed.status.name}. {computed.message}",
            PDESolveWarning,
            stacklevel=3,
        )
        return None
    resolved = computed.as_reference(problem)
    return replace(resolved, description=reference.description or resolved.description)


@contextmanager
def interruption() -> Iterator[threading.Event]:
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
