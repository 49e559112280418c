"""Trained steppers as files: weights in safetensors, and in the header a card that says what they are."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ....declare.family import Family
from ....residual.fourier.evolution import Evolution
from ....solution.output import atomic_file
from ..card import CardError
from .stepper import Statistics, Stepper, TrainedStepper

SCHEMA = "pdesolve.stepper"
VERSION = 1


def write_stepper(
    path: str | Path, stepper: TrainedStepper, family: Family, weights: Mapping[str, Tensor]
) -> None:
    """Write a stepper, whole or not at all; ``stepper.known`` goes into its card."""
    from safetensors.torch import save_file

    card = {
        "schema": SCHEMA,
        "version": VERSION,
        "options": asdict(stepper.options),
        "family": family.recipe(),
        "declaration": family.digest,
        "statistics": asdict(stepper.statistics),
        "interval": stepper.interval,
        "points": stepper.points,
        "known": stepper.known,
    }
    with atomic_file(Path(path)) as temporary:
        save_file(
            {name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()},
            temporary,
            metadata={"card": json.dumps(card)},
        )


def load_stepper(path: str | Path, family: Family, device: str = "cpu") -> TrainedStepper:
    """A stepper that `train_stepper` wrote, for the family that it was trained on.

    Raises:
        CardError: the file is missing, damaged, no stepper, of another version, or of another family.
    """
    from safetensors import SafetensorError, safe_open

    who, remedy = f"stepper {path}", "Give a file that `train_stepper` wrote."
    try:
        with safe_open(str(path), "pt") as file:
            header = (file.metadata() or {}).get("card")
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise CardError(who, "a safetensors file", str(error)[:100], remedy) from error
    card: dict[str, Any] = json.loads(header) if header else {}
    if (card.get("schema"), card.get("version")) != (SCHEMA, VERSION):
        found = f"{card.get('schema')}, {card.get('version')}"
        raise CardError(who, f"a card of schema {SCHEMA}, version {VERSION}", found, remedy)
    if card["declaration"] != family.digest:
        raise CardError(
            who,
            f"the family {family.name!r} as it is declared",
            f"{card['family']['family']!r} of another declaration",
            "Give the family that it was trained on, with the same parameters.",
        )
    options = Stepper(**card["options"])
    evolution = Evolution(family.typical)
    network = options.network(evolution, torch.Generator().manual_seed(0))
    network.load_state_dict(weights)
    network.to(device).eval()
    statistics = Statistics(**{key: tuple(value) for key, value in card["statistics"].items()})
    return TrainedStepper(
        options,
        evolution,
        network,
        statistics,
        card["interval"],
        card["points"],
        device,
        card["known"],
    )


__all__ = ["load_stepper", "write_stepper"]
