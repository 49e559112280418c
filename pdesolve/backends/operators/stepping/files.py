"""Trained steppers as files: weights in safetensors, and in the header a card that says what they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor

from ....declare.family import Family
from ....residual.fourier.evolution import Evolution
from ...card import CardError, read_file, write_file
from .stepper import Statistics, Stepper, TrainedStepper

SCHEMA = "pdesolve.stepper"
VERSION = 1


def write_stepper(
    path: str | Path, stepper: TrainedStepper, family: Family, weights: Mapping[str, Tensor]
) -> None:
    """Write a stepper, whole or not at all; ``stepper.known`` goes into its card."""
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
    write_file(path, card, weights)


def load_stepper(path: str | Path, family: Family, device: str = "cpu") -> TrainedStepper:
    """A stepper that `train_stepper` wrote, for the family that it was trained on.

    Raises:
        CardError: the file is missing, damaged, no stepper, of another version, or of another family.
    """
    card, weights = read_file(path, SCHEMA, VERSION)
    if card["declaration"] != family.digest:
        raise CardError(
            f"stepper {path}",
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
