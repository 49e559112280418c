"""First-order methods: Adam, and SOAP, which is Adam in the eigenbasis of Shampoo's preconditioner.

Kingma & Ba, arXiv 1412.6980; Vyas et al., arXiv 2409.11321, here from the package ``pytorch_optimizer``. Both
take noisy objectives: points and weights may change at every step.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from .optimizer import Objective, Optimizer, StepReport


@dataclass
class FirstOrderState:
    """Iterate, loss before the last step, and the moments that torch keeps."""

    theta: Tensor
    loss: float
    moments: Any
    steps: int = 0


@dataclass(frozen=True)
class FirstOrder(Optimizer):
    """A step of length η_k = η · decay^(k / decay_every), after a linear warm-up.

    Attributes:
        learning_rate: η; 1e-3 for wide networks and many steps, 5e-3 for small ones and a few hundred.
        decay, decay_every: 0.9 every 2,000 to 5,000 steps suits runs of 100,000.
        warm_up: steps over which η grows from zero.
    """

    learning_rate: float = 1e-3
    decay: float = 1.0
    decay_every: int = 5000
    warm_up: int = 0

    def start(self, objective: Objective, theta: Tensor) -> FirstOrderState:
        """No moments yet."""
        pieces = torch.split(theta, [math.prod(shape) for shape in self._shapes(objective, theta)])
        variables = [
            nn.Parameter(piece.reshape(shape).clone())
            for piece, shape in zip(pieces, self._shapes(objective, theta), strict=True)
        ]
        return FirstOrderState(theta.clone(), math.nan, self._moments(variables))

    def restart(self, state: FirstOrderState, objective: Objective) -> None:
        """Nothing: moments are kept."""

    def step(self, state: FirstOrderState, objective: Objective) -> StepReport:
        """One gradient, one step; a gradient that is not finite leaves θ as it is."""
        loss, gradient = objective(state.theta)
        state.loss = float(loss)
        if not bool(torch.isfinite(gradient).all()):
            state.loss = math.nan
            return StepReport(False, reason="the gradient is not finite")
        (group,) = state.moments.param_groups
        warm = min(1.0, (state.steps + 1) / self.warm_up) if self.warm_up else 1.0
        group["lr"] = self.learning_rate * warm * self.decay ** (state.steps / self.decay_every)
        at = 0
        for variable in group["params"]:
            size = variable.numel()
            variable.data.copy_(state.theta[at : at + size].view(variable.shape))
            variable.grad = gradient[at : at + size].view(variable.shape)
            at += size
        state.moments.step()
        state.theta = torch.cat([variable.detach().reshape(-1) for variable in group["params"]])
        state.steps += 1
        return StepReport(True, float(group["lr"]))

    def _shapes(self, objective: Objective, theta: Tensor) -> Sequence[tuple[int, ...]]:
        return [tuple(theta.shape)]

    @abstractmethod
    def _moments(self, variables: list[nn.Parameter]) -> torch.optim.Optimizer: ...


@dataclass(frozen=True)
class Adam(FirstOrder):
    """Adam; ``betas`` are the decay rates of its two moments."""

    betas: tuple[float, float] = (0.9, 0.999)

    name: ClassVar[str] = "adam"

    def _moments(self, variables: list[nn.Parameter]) -> torch.optim.Optimizer:
        return torch.optim.Adam(variables, lr=self.learning_rate, betas=self.betas)


@dataclass(frozen=True)
class SOAP(FirstOrder):
    """SOAP: 2 to 10 times below Adam after equally many steps, on published PINNs (arXiv 2502.00604).

    The objective's ``shapes`` tell the matrices that θ consists of.

    Attributes:
        refresh: steps between refreshes of the eigenbases; 2 is the authors' choice for PINNs.
    """

    betas: tuple[float, float] = (0.9, 0.999)
    refresh: int = 2

    name: ClassVar[str] = "soap"

    def _shapes(self, objective: Objective, theta: Tensor) -> Sequence[tuple[int, ...]]:
        return getattr(objective, "shapes", None) or super()._shapes(objective, theta)

    def _moments(self, variables: list[nn.Parameter]) -> torch.optim.Optimizer:
        from pytorch_optimizer import SOAP as Kept  # imported here: an optional package

        return Kept(  # type: ignore[no-any-return]
            variables,
            lr=self.learning_rate,
            betas=self.betas,
            weight_decay=0.0,
            precondition_frequency=self.refresh,
        )
