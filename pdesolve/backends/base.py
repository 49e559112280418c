"""The contract between the driver and a method.

A backend holds its method and nothing else: no loop over the budget, no file, no progress bar, no timer.
`pdesolve.driver.solve` owns those. To add a method, derive from `Backend`, add it to
`pdesolve.backends.registry` and inherit the conformance tests.
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ..declare import Problem
from ..declare.domain import Array
from ..ranks import ALONE, Ranks
from ..solution.field import Field
from ..solution.finding import Finding
from ..solution.history import History
from ..solution.status import Status
from . import options as checks
from .options import BackendOptionError

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Capabilities:
    """Facts about a method that callers query instead of asking for its name."""

    time_marching: bool = False
    needs_tensor_grid: bool = False
    gives_uncertainty: bool = False
    identifies_parameters: bool = False
    stochastic: bool = False
    distributed: bool = False  # several processes can share its work
    open_ended: bool = False  # goes on until the budget ends: solve() sets one where none is given
    devices: tuple[str, ...] = ("cpu",)
    dtypes: tuple[str, ...] = ("float64", "float32")


def _nothing() -> float:
    """No limit is known, and nothing of it spent."""
    return 0.0


def _no_clock(seconds: float) -> None:
    """Nobody measures the time."""


@dataclass(frozen=True)
class Context:
    """What the driver tells a backend about the run: arguments, never global state.

    ``seed`` starts the run's generators; ``budget`` (seconds) and ``steps`` let a method decide whether
    compilation is repaid; ``resuming`` asks `start` to skip costly preparation that a checkpoint brings;
    ``spent()`` is the share of budget or steps that is used up, for methods that divide it among stages;
    ``exclude(seconds)`` takes time off the clock that was no work on the problem: of a method in a process
    of its own, starting that and importing what runs there, as our own imports are not counted either;
    ``ranks`` are the processes that share the run, for methods whose capabilities say ``distributed``.
    """

    seed: int = 0
    device: str = "cpu"
    dtype: str = "float64"
    budget: float | None = None
    steps: int | None = None
    resuming: bool = False
    spent: Callable[[], float] = _nothing
    exclude: Callable[[float], None] = _no_clock
    ranks: Ranks = ALONE

    def generator(self, stream: int = 0) -> torch.Generator:
        """A torch generator for one purpose; streams of one seed are independent."""
        import torch

        entropy = np.random.SeedSequence([self.seed, stream]).generate_state(1, np.uint64)[0]
        return torch.Generator().manual_seed(int(entropy >> 1))

    def rng(self, stream: int = 0) -> np.random.Generator:
        """A NumPy generator for one purpose; streams of one seed are independent."""
        return np.random.default_rng([self.seed, stream])


@dataclass
class Progress:
    """What one unit of work reports to the driver.

    Attributes:
        loss: the objective after this step; must be finite, else the driver stops.
        fraction: share of the method's own work that is done, 0 to 1; None where unknown.
        status: set where the method itself ends the run.
        message: why it ended, or a short word on the stage for the progress bar.
    """

    loss: float
    fraction: float | None = None
    status: Status | None = None
    message: str = ""


class Backend(ABC):
    """A method. Concrete backends are frozen dataclasses of options.

    Equation of the contract: ``field(advance^n(start(problem, context)))`` is the answer after n units
    of work, and `restore(problem, field.arrays())` equals `field`.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    capabilities: ClassVar[Capabilities] = Capabilities()
    citations: ClassVar[tuple[str, ...]] = ()
    option_kinds: ClassVar[tuple[type, ...]] = ()  # classes of objects that options may hold
    packages: ClassVar[tuple[str, ...]] = ()  # beyond NumPy, SciPy, SymPy and torch: versions are recorded

    def require(self, option: str, holds: bool, expected: str) -> None:
        """Refuse a value of an option; called in ``__post_init__``.

        Raises:
            BackendOptionError: ``holds`` is False.
        """
        checks.require(self, option, holds, expected)

    def require_count(self, *names: str, least: int = 1) -> None:
        """Refuse all but whole numbers of at least ``least``."""
        checks.require_count(self, *names, least=least)

    def require_positive(self, *names: str) -> None:
        """Refuse all but positive finite numbers."""
        checks.require_positive(self, *names)

    @abstractmethod
    def supports(self, problem: Problem) -> list[str]:
        """Reasons why this backend cannot solve the problem; empty where it can."""

    @abstractmethod
    def start(self, problem: Problem, context: Context) -> Any:
        """Everything that depends on the problem alone: lower, compile, factorise.

        The state is a dataclass of tensors, arrays, numbers, generators and such dataclasses; the driver
        writes it to checkpoints. Fields with ``metadata={"transient": True}`` are left out and must be
        rebuilt here.
        """

    @abstractmethod
    def advance(self, state: Any) -> Progress:
        """One unit of work, in place: an optimiser step, a time step, a Newton step."""

    @abstractmethod
    def field(self, state: Any) -> Field:
        """The current answer, independent of later changes of the state."""

    @abstractmethod
    def restore(self, problem: Problem, arrays: Mapping[str, Array]) -> Field:
        """The field from the arrays that ``field.arrays()`` gave, for loading a file."""

    # -- optional ----------------------------------------------------------------------------------

    def parameters(self, state: Any) -> dict[str, float]:
        """Estimates of the unknown parameters."""
        return {}

    def intervals(self, state: Any, answer: Field) -> dict[str, tuple[float, float]]:
        """95 % intervals (low, high) of the unknown parameters of ``answer``, a field of this run.

        Asked for once, at the end. Empty where the method has none.
        """
        return {}

    def diagnosis(self, state: Any, history: History) -> list[Finding]:
        """What is suspicious about the run, with remedies; asked for once, at the end."""
        return []

    def error_estimate(self, state: Any) -> float | None:
        """The method's own estimate of its relative error, where it has one."""
        return None

    def merit(self, state: Any) -> float | None:
        """A number that falls as the solution improves, comparable over the whole run.

        For instance the root mean square residual at held-out points. The driver measures it now and then,
        keeps the state with the least, and stops where it meets the tolerance. Never the error against a
        reference.
        """
        return self.error_estimate(state)

    def collocation_points(self, state: Any) -> Array | None:
        """The points (n, d) at which the residual was last minimised, where there are such."""
        return None

    def describe(self, state: Any) -> str:
        """What the method chose by itself, in a few words for the user; empty where nothing is left open."""
        return ""

    def diagnose(self, state: Any) -> str:
        """Where a non-finite loss comes from: term and point, for the message to the user."""
        return "the loss"

    def with_options(self, options: Mapping[str, Any]) -> Backend:
        """A copy with options as a file holds them: plain values, and objects as their kind and options."""
        changes = {}
        for f in dataclasses.fields(self):  # type: ignore[arg-type]
            if f.name in options:
                changes[f.name] = self._made(options[f.name])
        return dataclasses.replace(self, **changes)  # type: ignore[type-var, no-any-return]

    def _made(self, given: Any) -> Any:
        """An option from its plain form.

        Raises:
            BackendOptionError: an object of the user's own, of which a file keeps the name alone.
        """
        if isinstance(given, list):
            return tuple(self._made(item) for item in given)
        if not (isinstance(given, Mapping) and "kind" in given):
            return given
        kind = {each.__name__: each for each in self.option_kinds}.get(given["kind"])
        if kind is None:
            known = ", ".join(each.__name__ for each in self.option_kinds)
            raise BackendOptionError(
                f"{type(self).__name__}()", f"options among {known}", given["kind"], "Give the object itself."
            )
        return kind(**{name: self._made(value) for name, value in given.items() if name != "kind"})


__all__ = ["Backend", "BackendOptionError", "Capabilities", "Context", "Progress"]
