"""What all trainings share: the run by the driver's loop, and the split of a data set."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

from .backends.base import Context
from .backends.learner import TrainingDataError
from .data.dataset import Dataset
from .declare import PDESolveWarning
from .declare.family import Family
from .distribution import join, own_device
from .driver import DEFAULT_BUDGET, RunOptionError, check_arguments, check_distributable, interruption
from .loop import Run
from .progress import ProgressBar
from .solution import Status


def run_training(
    who: str,
    task: Any,
    method: Any,
    *,
    budget: float | None,
    steps: int | None,
    seed: int,
    device: str,
    dtype: str = "float64",
    distributed: bool = False,
    checkpoint: Path | None = None,
    checkpoint_every: float = 60.0,
    patience: int | None = None,
    progress: bool | None = None,
) -> Run:
    """A training to its end; ``run.answer`` holds the weights that did best.

    A training that met NaN ends with a warning: the best state before is kept.

    Args:
        who: the function that the user called, for messages.
        task: what is learned, with a name and a digest.
        method: the learner, with the contract of a backend.
        distributed: share the work with all processes that torchrun has started.
        patience: steps without a lower merit after which it ends with the best state.

    Raises:
        RunOptionError: an argument makes no sense.
    """
    device = own_device(device, distributed)
    check_arguments(who, budget, steps, None, seed, device, dtype, checkpoint_every, method)
    is_count = isinstance(patience, int) and not isinstance(patience, bool) and patience >= 1
    if patience is not None and not is_count:
        raise RunOptionError(
            f"{who}(patience=)", "a whole number of at least 1", repr(patience), "Change it."
        )
    if budget is None and steps is None:
        budget = DEFAULT_BUDGET
    check_distributable(who, distributed, method)
    ranks = join(who, distributed, device)
    context = Context(int(seed), device, dtype, budget, steps, ranks=ranks)
    run = Run(task, method, context, None, checkpoint, checkpoint_every, patience)
    run.begin()
    title, shown = f"{task.name} · {method.name}", progress if ranks.is_first else False
    with ProgressBar(title, shown) as bar, interruption() as interrupted:
        run.loop(bar, interrupted)
    assert run.answer is not None
    if run.status is Status.NOT_FINITE:
        warnings.warn(
            f"Training of {method.name!r} on {task.name!r} ended early: {run.message}. The best state "
            f"before, of step {run.answer.step}, was kept; a lower learning_rate may help.",
            PDESolveWarning,
            stacklevel=3,
        )
    return run


def held_out(who: str, family: Family, data: Dataset, share: float) -> tuple[Dataset, Dataset]:
    """Members to train on, and the last ones, that choose the best state.

    Raises:
        TrainingDataError: one of the two would be empty, or the data are of another family.
    """
    check_declaration(who, family.digest, data)
    held = max(1, round(share * len(data))) if 0 < share < 1 else 0
    if not 0 < held < len(data):
        raise TrainingDataError(
            who,
            "at least two members, and a share of them between 0 and 1 for validation",
            f"{len(data)} members, validation={share}",
            "Generate more, or change the share.",
        )
    own, others = data.split(len(data) - held)
    return own, others


def check_declaration(who: str, declaration: str | None, data: Dataset) -> None:
    """Refuse data that say of themselves that they were made from another declaration.

    Raises:
        TrainingDataError: they are of another family, or of the same with other parameters.
    """
    found = data.attributes.get("declaration")
    if declaration is not None and found is not None and found != declaration:
        raise TrainingDataError(
            who,
            f"data of the declaration {declaration}",
            f"data of {data.attributes.get('family')}, declaration {found}",
            "Generate data with the same parameters of the family.",
        )


__all__ = ["check_declaration", "held_out", "run_training"]
