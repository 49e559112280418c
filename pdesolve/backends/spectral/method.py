"""What the methods behind `Spectral` have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ...declare import Problem
from ...declare.domain import Array
from ...solution.field import Field
from ..base import Context, Progress

if TYPE_CHECKING:
    from .spectral import Spectral


class Method(ABC):
    """A method for one class of problems: `Backend` for one problem, with the options of `Spectral`.

    Every state has a transient attribute ``method``, set by `start`, by which `Spectral` finds its way back.
    """

    def __init__(self, options: Spectral, problem: Problem) -> None:
        self.options, self.problem = options, problem

    @classmethod
    @abstractmethod
    def reasons(cls, problem: Problem) -> list[str]:
        """Why the method cannot solve the problem, in words; empty where it can."""

    @abstractmethod
    def start(self, context: Context) -> Any:
        """The state before the first unit of work."""

    @abstractmethod
    def advance(self, state: Any) -> Progress:
        """One unit of work, in place."""

    @abstractmethod
    def field(self, state: Any) -> Field:
        """The answer so far."""

    @abstractmethod
    def restore(self, arrays: Mapping[str, Array]) -> Field:
        """The field from its arrays."""

    @abstractmethod
    def error_estimate(self, state: Any) -> float | None:
        """Relative L2 error of the last level that was compared with one before; None before that."""

    @abstractmethod
    def diagnose(self, state: Any) -> str:
        """Where the state is, for messages about values that are not finite."""
