"""What all learners share: the optimiser's step, the weights as an answer, and their restoration."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from ...declare.domain import Array
from ..base import Capabilities, Progress


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
        """One step down the gradient of ``loss``, whose norm is at most ``clip``."""
        share = state.learning.context.spent()
        for group in state.moments.param_groups:
            group["lr"] = self.recipe.learning_rate * schedule(share, self.recipe.warm_up)
        state.moments.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        if clip is not None:
            nn.utils.clip_grad_norm_(state.network.parameters(), clip)
        state.moments.step()
        state.step += 1
        return Progress(float(loss.detach()), share)

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


def schedule(share: float, warm_up: float) -> float:
    """A rise over the first ``warm_up`` of the run, then half a cosine down to zero."""
    rise = min(1.0, share / warm_up) if warm_up else 1.0
    return max(rise, 1e-3) * 0.5 * (1 + math.cos(math.pi * min(share, 1.0)))


__all__ = ["Learner", "Weights", "schedule"]
