"""What all optimisers share: functions of a parameter vector, and one step at a time."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from torch import Tensor

from ..ranks import Ranks


class Objective(Protocol):
    """A loss of parameters θ (p,)."""

    def __call__(self, theta: Tensor, /) -> tuple[Tensor, Tensor]:
        """Loss and gradient (p,)."""
        ...


class LeastSquares(Objective, Protocol):
    """A loss ‖r(θ)‖² with rows r (m,) and their Jacobian J (m, p).

    Where several processes share the rows, each has its own in r and J; the loss is that of all.
    """

    @property
    def ranks(self) -> Ranks:
        """The processes that share the rows."""
        ...

    def rows(self, theta: Tensor) -> Tensor:
        """r, shape (m,)."""
        ...

    def linearise(self, theta: Tensor) -> tuple[Tensor, Tensor]:
        """r and J."""
        ...


@dataclass(frozen=True)
class StepReport:
    """What one step did.

    Attributes:
        moved: False where no trial lowered the loss.
        step_length: of a line search.
        reason: why nothing moved, or why it is over, in words for the user.
        is_over: True where the method expects little from further steps.
    """

    moved: bool
    step_length: float = 0.0
    reason: str = ""
    is_over: bool = False


class Optimizer(ABC):
    """A method that lowers a loss step by step. Concrete ones are frozen dataclasses of options.

    A state holds at least ``theta`` (p,), the iterate, and ``loss``, its loss as a float; it is a dataclass
    of tensors, numbers and generators, so that it can be written to a checkpoint.

    Attributes:
        name: as users choose it.
        needs_rows: True where `step` needs a `LeastSquares` objective.
        collects_curvature: True where the objective must stay the same for many steps.
    """

    name: ClassVar[str]
    needs_rows: ClassVar[bool] = False
    collects_curvature: ClassVar[bool] = False

    @abstractmethod
    def start(self, objective: Any, theta: Tensor) -> Any:
        """A state at the given parameters."""

    @abstractmethod
    def restart(self, state: Any, objective: Any) -> None:
        """Go on with a changed objective (new points, new weights), in place."""

    @abstractmethod
    def step(self, state: Any, objective: Any) -> StepReport:
        """One step, in place."""
