"""`train` and `evaluate`: networks from data sets, by the loop that solves problems."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch

from . import checkpoint as checkpoints
from .backends import card as cards
from .backends.learner import Task, Trainable, TrainingDataError
from .backends.operators.operator import NeuralOperator
from .backends.operators.training import predict, relative_errors
from .data.dataset import Dataset
from .data.metrics import metrics
from .data.reading import read
from .declare.family import Family
from .distribution import DistributionError
from .learning import check_declaration, held_out, run_training
from .loop import Run
from .solution import Status
from .solution.output import check_writable

T = TypeVar("T", bound=Trainable)


def train(
    family: Family,
    operator: T,
    data: Dataset | str | Path,
    out: str | Path,
    *,
    validation: float = 0.1,
    budget: float | None = None,
    steps: int | None = None,
    seed: int = 0,
    device: str = "cpu",
    distributed: bool = False,
    checkpoint: str | Path | None = None,
    checkpoint_every: float = 60.0,
    patience: int | None = None,
    progress: bool | None = None,
) -> T:
    """Train a neural operator or a generative prior on members of a family, and write it to a file.

    Args:
        family: what the data are drawn from.
        operator: its options, such as ``FNO(width=32)`` or ``DiffusionPDE()``.
        data: what `generate` returned, or its file; test members are not among it.
        out: the file for weights (safetensors) and card.
        validation: share of the members, the last ones, that choose the best state and are not trained on.
        budget: wall-clock seconds, data and compilation included; 60 where neither it nor ``steps`` is given.
        steps: optimiser steps. The learning rate falls to zero at the end of budget or steps.
        seed: of weights and batches.
        device: ``cpu`` or ``cuda``.
        distributed: share each batch among all processes that ``torchrun`` has started; the first one writes
            the file. ``cuda`` is then one device for each.
        checkpoint: a file from which a killed training goes on.
        patience: steps without a lower validation error, which is measured every 50, after which training
            ends and the best state is kept; None goes on to the end. The rate falls by budget and steps
            alone, and errors fall most towards their end: a good value is a quarter of all steps, or more.
        progress: show a progress bar; None shows it on a terminal.

    Returns:
        The operator with its weights, for `solve` and `evaluate`.

    Raises:
        TrainingDataError: family and data do not fit each other.
        RunOptionError, DistributionError: see `solve`; only operators between fields can be ``distributed``.
        CheckpointError, CheckpointMismatchError: see `solve`.
    """
    who = f"train({family.name!r})"
    if operator.weights is not None:
        raise TrainingDataError(
            who,
            "an operator without weights",
            f"one that was trained, {operator.weights}",
            "Give its options alone, such as FNO(); a training that was cut goes on from its checkpoint.",
        )
    given = data if isinstance(data, Dataset) else read(data)
    task = Task(family, *held_out(who, family, given, validation))
    target, kept = check_writable(out), None if checkpoint is None else check_writable(checkpoint)
    run = run_training(
        "train",
        task,
        operator.learner(),
        budget=budget,
        steps=steps,
        seed=seed,
        device=device,
        distributed=distributed,
        checkpoint=kept,
        checkpoint_every=checkpoint_every,
        patience=patience,
        progress=progress,
    )
    if run.context.ranks.is_first:
        _write(run, operator, task, target)
    run.context.ranks.wait()
    if not target.exists():
        raise DistributionError(
            f"process {run.context.ranks.rank} of {run.context.ranks.count}",
            f"the file {out} that the first process has written",
            "none here",
            "Name one in a folder that all processes see; the first process has the weights.",
        )
    return type(operator).load(target)


def _write(run: Run, operator: Trainable, task: Task, target: Path) -> None:
    """The weights that did best, with the card of the training."""
    answer = run.answer
    assert answer is not None
    card = run.method.card(task, run.state, checkpoints.plain(operator))
    provenance = run.provenance(answer.step)
    card = replace(
        card,
        metrics={run.method.measure: answer.merit},
        training={
            **{
                k: provenance[k]
                for k in ("seed", "device", "steps", "answer_step", "versions", "threads", "created")
            },
            "status": (run.status or Status.COMPLETED).name,
            "seconds": run.elapsed,
            "said": run.method.describe(run.state),
            "message": run.message,
        },
    )
    cards.write(target, card, answer.field.tensors)


def evaluate(
    operator: NeuralOperator, data: Dataset | str | Path, *, device: str = "cpu"
) -> dict[str, float]:
    """Errors of a trained operator on members that it did not see; on the grid of its training
    they are written to its card as well.

    Returns:
        ``relative_l2``, the mean over members of ``|p - q| / |q|``, its ``median`` and ``greatest`` value,
        the metrics of `pdesolve.data.metrics`, ``members``, and ``seconds`` of one evaluation of all of them.
    """
    given = data if isinstance(data, Dataset) else read(data)
    card, network, codec = operator.trained(device)
    who, own = f"evaluate({operator.weights})", card.data["train"]
    check_declaration(who, own.get("declaration"), given)
    same_seed = "seed" in own and own["seed"] == given.attributes.get("seed")
    if same_seed or given.digest in {card.data[part]["digest"] for part in ("train", "validation")}:
        raise TrainingDataError(
            who,
            "members that the training did not see",
            "data that it was trained on, or of the same seed",
            "Generate a test set with another seed.",
        )
    if given.names != card.encoding.unknowns or set(given.fields) != set(card.encoding.fields):
        raise TrainingDataError(
            who,
            f"data of {', '.join(card.encoding.unknowns)} from {', '.join(card.encoding.fields)}",
            f"data of {', '.join(given.names)} from {', '.join(given.fields)}",
            "Give data of the family that it was trained on.",
        )
    if given.grid != card.grid and not operator.any_grid:
        raise TrainingDataError(
            who, f"data on {card.grid} points", f"{given.grid}", "Generate them on the grid of the training."
        )
    begin = time.perf_counter()
    predicted = predict(network, codec, codec.of(given)).double().cpu()
    seconds = time.perf_counter() - begin
    truth = torch.from_numpy(given.values).double()
    errors = relative_errors(predicted, truth).numpy()
    found = {
        "relative_l2": float(errors.mean()),
        "median": float(np.median(errors)),
        "greatest": float(errors.max()),
        "members": float(len(given)),
        "seconds": seconds,
        **metrics(predicted.numpy(), truth.numpy(), given.coordinates),
    }
    if given.grid == card.grid:
        assert operator.weights is not None
        known = {**card.data, "test": {"members": len(given), "digest": given.digest}}
        tested = replace(card, metrics={**card.metrics, **found}, data=known)
        cards.write(operator.weights, tested, network.state_dict())
    return found


__all__ = ["evaluate", "train"]
