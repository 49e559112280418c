"""`train_stepper`: learned time steppers from trajectories, by the loop that solves problems."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from .backends.operators.stepping.files import load_stepper, write_stepper
from .backends.operators.stepping.stepper import Stepper, TrainedStepper
from .backends.operators.stepping.training import SteppingTask, SteppingTraining
from .data.dataset import Dataset
from .data.reading import read
from .declare.family import Family
from .learning import held_out, run_training
from .solution import Status
from .solution.output import check_writable


def train_stepper(
    family: Family,
    stepper: Stepper,
    data: Dataset | str | Path,
    out: str | Path,
    *,
    validation: float = 0.1,
    budget: float | None = None,
    steps: int | None = None,
    seed: int = 0,
    device: str = "cpu",
    checkpoint: str | Path | None = None,
    checkpoint_every: float = 60.0,
    progress: bool | None = None,
) -> TrainedStepper:
    """Train a time stepper on trajectories of a family, and write it to a file.

    Args:
        family: what the data are drawn from: periodic evolutions that differ in their initial data alone.
        stepper: options, such as ``Stepper(scheme="correction", points=32, interval=0.5)``.
        data: what `generate` returned, or its file; test trajectories are not among it.
        out: the file for weights and card.
        validation: share of the trajectories, the last ones, that choose the best state.
        budget: wall-clock seconds, 60 where neither it nor ``steps`` is given.
        steps: optimiser steps. The learning rate falls to zero at the end of budget or steps.
        seed: of weights and batches.
        device: ``cpu`` or ``cuda``.
        checkpoint: a file from which a killed training goes on.
        progress: show a progress bar; None shows it on a terminal.

    Returns:
        The stepper: ``stepper(values)`` are the fields one interval later.

    Raises:
        TrainingDataError: family, options and data do not fit each other.
        CheckpointError, CheckpointMismatchError: see `solve`.
    """
    given = data if isinstance(data, Dataset) else read(data)
    task = SteppingTask(family, *held_out(f"train_stepper({family.name!r})", family, given, validation))
    target, kept = check_writable(out), None if checkpoint is None else check_writable(checkpoint)
    run = run_training(
        "train_stepper",
        task,
        SteppingTraining(stepper),
        budget=budget,
        steps=steps,
        seed=seed,
        device=device,
        checkpoint=kept,
        checkpoint_every=checkpoint_every,
        progress=progress,
    )
    answer = run.answer
    assert answer is not None
    trained: TrainedStepper = run.state.learning.stepper
    known: dict[str, Any] = {
        "loss": answer.merit,
        "status": (run.status or Status.COMPLETED).name,
        "seconds": run.elapsed,
        "said": run.method.describe(run.state),
        "data": {part: getattr(task, part).digest for part in ("train", "validation")},
        **run.provenance(answer.step),
    }
    write_stepper(target, replace(trained, known=known), family, answer.field.tensors)
    return load_stepper(target, family, device)


__all__ = ["train_stepper"]
