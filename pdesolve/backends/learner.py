"""What all that learns shares: the task, the optimiser's step, the weights as an answer and as a file."""

from __future__ import annotations

import dataclasses
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from torch import Tensor, nn

from ..data.dataset import Dataset
from ..declare.domain import Array
from ..declare.errors import PDESolveError
from ..declare.family import Family
from ..ranks import Ranks
from . import card as cards
from .base import Backend, Capabilities, Progress
from .card import Card, CardError, Described


class TrainingDataError(PDESolveError):
    """A data set does not fit the family, or is too small."""


@dataclass(frozen=True)
class Task:
    """What is learned: a family, and data of it.

    Attributes:
        train: members that are trained on; validation: others, which choose the best state.
    """

    family: Family
    train: Dataset
    validation: Dataset

    @property
    def name(self) -> str:
        return self.family.name

    @property
    def digest(self) -> str:
        return f"{self.family.digest} {self.train.digest}"

    def data(self) -> dict[str, Any]:
        """What a card says of the data."""
        validation = {"members": len(self.validation), "digest": self.validation.digest}
        train = {"members": len(self.train), "digest": self.train.digest, **self.train.attributes}
        return {"train": train, "validation": validation}

    def fixed_parameters(self) -> dict[str, float]:
        """Known parameters that all members share."""
        one, other = (self.family.sample(seed).parameters for seed in (0, 1))
        return {str(key): float(value) for key, value in one.items() if other.get(key) == value}


@dataclass
class Weights:
    """A network's parameters and buffers by name."""

    tensors: dict[str, Tensor]

    def arrays(self) -> dict[str, Array]:
        return {name: tensor.detach().cpu().numpy() for name, tensor in self.tensors.items()}


class Learner(ABC):
    """The contract of a backend with a task in place of the problem, for networks that AdamW trains.

    States hold ``network``, ``moments``, ``generator``, ``step`` and, left out of checkpoints, ``learning``
    with the run's ``context``. A learner has `start`, `advance`, which ends in `descend`, and `merit`.
    """

    capabilities: ClassVar[Capabilities] = Capabilities(
        stochastic=True, open_ended=True, devices=("cpu", "cuda")
    )
    suspect: ClassVar[str]  # what to look at first where the loss is not finite
    measure: str = "validation"  # what the merit is called in the card

    @property
    @abstractmethod
    def recipe(self) -> Any:
        """Options with ``name``, ``packages``, ``learning_rate``, ``weight_decay`` and ``warm_up``."""

    @property
    def name(self) -> str:
        return self.recipe.name  # type: ignore[no-any-return]

    @property
    def packages(self) -> tuple[str, ...]:
        return self.recipe.packages  # type: ignore[no-any-return]

    def optimiser(self, network: nn.Module) -> torch.optim.Optimizer:
        """AdamW; its rate is set by each step."""
        r = self.recipe
        return torch.optim.AdamW(network.parameters(), lr=r.learning_rate, weight_decay=r.weight_decay)

    def descend(self, state: Any, loss: Tensor, clip: float | None = None) -> Progress:
        """One step down the gradient of ``loss``, whose norm is at most ``clip``.

        Of several processes each gives its part of the loss, which is the sum of all.
        """
        share, ranks = state.learning.context.spent(), state.learning.context.ranks
        for group in state.moments.param_groups:
            group["lr"] = self.recipe.learning_rate * schedule(share, self.recipe.warm_up)
        state.moments.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        if ranks.count > 1:
            _add_up(state.network.parameters(), ranks)
        if clip is not None:
            nn.utils.clip_grad_norm_(state.network.parameters(), clip)
        state.moments.step()
        state.step += 1
        return Progress(float(ranks.sum(loss.detach())), share)

    # -- what the driver asks ------------------------------------------------------------------------

    def field(self, state: Any) -> Weights:
        return Weights({name: tensor.clone() for name, tensor in state.network.state_dict().items()})

    def restore(self, task: Any, arrays: Mapping[str, Array]) -> Weights:
        return Weights({name: torch.from_numpy(np.asarray(a)) for name, a in arrays.items()})

    def parameters(self, state: Any) -> dict[str, float]:
        return {}

    def error_estimate(self, state: Any) -> float | None:
        return None

    def diagnose(self, state: Any) -> str:
        return self.suspect

    def describe(self, state: Any) -> str:
        return f"{state.step} steps, {sum(p.numel() for p in state.network.parameters()):,} parameters"


class Trainable(Backend):
    """A backend that has a network, trained on a family by `pdesolve.train`, in a file.

    Untrained, it is a set of options; `load` gives one with weights.
    """

    weights: str | None
    encoding: ClassVar[type[Described]]

    @abstractmethod
    def learner(self) -> Learner:
        """The training, for the driver; its `card` says what was learned."""

    @classmethod
    def load(cls, path: str | Path, **options: Any) -> Self:
        """What a training wrote; ``options`` are those of its use.

        Raises:
            CardError: the file holds no trained network, or one of another kind.
        """
        card, _ = cards.read(path, cls.encoding)
        if card.operator != cls.name:
            raise CardError(
                f"{cls.__name__}.load({str(path)!r})",
                f"a trained {cls.name}",
                f"a trained {card.operator}",
                "Load it by the class that it was trained as.",
            )
        made: Any = cls().with_options(card.options)
        found: Self = dataclasses.replace(made, weights=str(path), **options)
        return found

    def card(self) -> Card[Any]:
        """What the file of the weights says.

        Raises:
            CardError: see `card.read`.
        """
        assert self.weights is not None
        return cards.read(self.weights, self.encoding)[0]


def _add_up(parameters: Iterable[nn.Parameter], ranks: Ranks) -> None:
    """Gradients become the sums of those of all processes, by one message.

    A parameter that the loss does not reach has none, here as in the others.
    """
    gradients = [p.grad for p in parameters if p.grad is not None]
    real = [torch.view_as_real(g) if g.is_complex() else g for g in gradients]
    total = ranks.sum(torch.cat([g.reshape(-1) for g in real]))
    for gradient, piece in zip(real, torch.split(total, [g.numel() for g in real]), strict=True):
        gradient.copy_(piece.view_as(gradient))


def turned(generator: torch.Generator) -> Callable[[Tensor], Tensor]:
    """One of the eight symmetries of the square, on the last two axes."""
    choice = int(torch.randint(8, (), generator=generator))
    axes = [axis for axis, bit in ((-1, 1), (-2, 2)) if choice & bit]

    def turn(x: Tensor) -> Tensor:
        flipped: Tensor = x.flip(axes) if axes else x
        return flipped.transpose(-1, -2) if choice & 4 else flipped

    return turn


def schedule(share: float, warm_up: float) -> float:
    """A rise over the first ``warm_up`` of the run, then half a cosine down to zero."""
    rise = min(1.0, share / warm_up) if warm_up else 1.0
    return max(rise, 1e-3) * 0.5 * (1 + math.cos(math.pi * min(share, 1.0)))


__all__ = ["Learner", "Task", "Trainable", "TrainingDataError", "Weights", "schedule", "turned"]
