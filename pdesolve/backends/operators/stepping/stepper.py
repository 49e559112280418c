"""`Stepper`: a learned time stepper as options, and `TrainedStepper`: with weights, ready to step."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ....declare.errors import PDESolveError
from ....declare.symmetries import symmetries
from ....residual.fourier.evolution import Evolution
from ....residual.fourier.semilinear import Semilinear
from ...base import BackendOptionError
from ..networks import FNO, Kind
from .schemes import SCHEMES, Integrals, Scheme
from .steps import conserves_mean, is_homogeneous

LABELS = ("symbols", "differences")


class StepperError(PDESolveError):
    """A stepper does not fit the equations, the data, or the fields that it is asked to step."""


@dataclass(frozen=True)
class Stepper:
    """Options of a learned time stepper, trained by `train_stepper`.

    Args:
        scheme: ``state``, ``increment``, ``exponential``, ``correction``, ``rate`` or ``semilinear``; see
            `schemes`. ``increment`` and ``rate`` need no equations, the others take L or more from them.
        labels: of the last two schemes: ``symbols``, the exact right-hand side at every frame, or
            ``differences`` of frames, for data whose equations are not known.
        points: of the grid that the stepper works on, on each axis; None for that of the data. Those of a
            ``correction`` are the coarse grid.
        interval: time from one state to the next, a multiple of the spacing of the data; None for it.
        substeps: steps of RK4 or ETDRK4 in an interval. RK4 is explicit: 4 to 8 where ETDRK4 needs one.
        rollout: intervals that are trained through, 1 for single steps; schemes that are trained by states
            only.
        noise: standard deviation of what is added to the inputs in training, relative to theirs.
        burn_in: time that is left out at the start of every trajectory.
        dealias: keep K < n/3 modes of the grid, else K < n/2.
        modes, width, layers, projection: of the network, an FNO.
        batch, learning_rate, weight_decay, warm_up: of AdamW, as for `NeuralOperator`.
        precision: ``float32`` or ``float64``.

    Good values: those given, on the Kuramoto-Sivashinsky equation with 128 points on 64 units of length.
    """

    scheme: str = "exponential"
    labels: str = "symbols"
    points: int | None = None
    interval: float | None = None
    substeps: int = 1
    rollout: int = 1
    noise: float = 0.0
    burn_in: float = 0.0
    dealias: bool = True
    modes: int = 32
    width: int = 32
    layers: int = 4
    projection: int = 64
    batch: int = 32
    learning_rate: float = 2e-3
    weight_decay: float = 1e-5
    warm_up: float = 0.03
    precision: str = "float32"

    name: ClassVar[str] = "stepper"
    packages: ClassVar[tuple[str, ...]] = ("safetensors",)

    def __post_init__(self) -> None:
        self._require("scheme", self.scheme in SCHEMES, f"one of {', '.join(SCHEMES)}")
        self._require("labels", self.labels in LABELS, f"one of {', '.join(LABELS)}")
        self._require("precision", self.precision in ("float32", "float64"), "float32 or float64")
        counts = ("substeps", "rollout", "modes", "width", "layers", "projection", "batch")
        for option in (*counts, *(("points",) if self.points is not None else ())):
            value = getattr(self, option)
            is_count = isinstance(value, int) and not isinstance(value, bool) and value >= 1
            self._require(option, is_count, "a whole number of at least 1")
        for option in ("learning_rate", *(("interval",) if self.interval is not None else ())):
            self._require(option, getattr(self, option) > 0, "a positive number")
        for option in ("noise", "burn_in", "weight_decay", "warm_up"):
            self._require(option, getattr(self, option) >= 0, "a number that is not negative")
        if SCHEMES[self.scheme].by_rates:
            self._require("rollout", self.rollout == 1, "1, as rates are no states")

    def _require(self, option: str, holds: bool, expected: str) -> None:
        if not holds:
            got = repr(getattr(self, option))
            raise BackendOptionError(f"Stepper({option}=)", expected, got, "Change the option.")

    @property
    def dtype(self) -> torch.dtype:
        return torch.float64 if self.precision == "float64" else torch.float32

    @property
    def kind(self) -> Scheme:
        return SCHEMES[self.scheme]

    def network(self, evolution: Evolution, generator: torch.Generator) -> FNO:
        """Untrained, and zero: every scheme starts as its base."""
        kinds: list[Kind] = ["periodic"] * len(evolution.problem.domain.space)
        network = FNO(
            kinds,
            evolution.dynamic,
            evolution.dynamic,
            generator,
            modes=self.modes,
            width=self.width,
            layers=self.layers,
            projection=self.projection,
            coordinates=not is_homogeneous(evolution),
            dtype=self.dtype,
        )
        nn.init.zeros_(network.last)
        return network


@dataclass(frozen=True)
class Statistics:
    """Sizes of what goes in and out, one of each component, in the frame in which means are zero."""

    input_scale: tuple[float, ...] = ()
    output_scale: tuple[float, ...] = ()


@dataclass(eq=False)
class TrainedStepper:
    """A `Step` with a network in it.

    Equations with Galilean invariance are solved in the frame in which the mean is zero; where the mean is
    conserved, the network does not touch it.

    Attributes:
        options, evolution, network, statistics: what it is made of.
        interval: from one state to the next; ``points`` of its grid.
        boost: σ of `Symmetries.boost`, where it is made use of.
    """

    options: Stepper
    evolution: Evolution
    network: nn.Module
    statistics: Statistics
    interval: float
    points: int
    device: str | torch.device = "cpu"
    known: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.evolution.is_autonomous:
            raise StepperError(
                f"Stepper on {self.evolution.problem.name!r}",
                "equations that are the same at all times",
                "time in a coefficient or source",
                "Use the spectral backend.",
            )
        self.system = Semilinear(
            self.evolution, self.points, self.options.dealias, self.options.dtype, self.device
        )
        self.integrals = Integrals(self.system, self.interval, self.options.substeps)
        self._keeps_mean = conserves_mean(self.system)
        self.boost = symmetries(self.evolution.problem).boost if self._keeps_mean else None

    # -- stepping -----------------------------------------------------------------------------------

    def __call__(self, values: Tensor, t: float = 0.0) -> Tensor:
        """Fields (batch, components, *grid) one interval later, on their own grid."""
        count, components = values.shape[1:2], self.evolution.dynamic
        if count != (components,) or values.ndim != 2 + self.system.dimension:
            raise StepperError(
                "TrainedStepper()",
                f"fields (batch, {components}, *grid) with {self.system.dimension} axes in space",
                f"shape {tuple(values.shape)}",
                "Add or remove axes.",
            )
        state = self.advance(self.system.state(values.to(self.device, self.options.dtype)), t)
        return self.system.fields(state, values.shape[-1])

    def advance(self, state: Tensor, t: float = 0.0) -> Tensor:
        """The same for spectra (batch, components, *modes)."""
        if self.boost is None:
            return self.options.kind.advance(self.integrals, self.forcing, state, t)
        mean = state[:, 0, :1].real
        moved = self.options.kind.advance(self.integrals, self.forcing, self._without_mean(state), t)
        # What moves with velocity σ c in the frame of zero mean stays where it is in the declared one.
        phase = torch.exp(-1j * self.boost * self.interval * mean * self._wavenumbers)
        moved = moved * phase[:, None]
        return moved + state * self._constant

    def forcing(self, state: Tensor) -> Tensor:
        """F̂ of a state, both (batch, components, *modes)."""
        fields = self.system.fields(state) / self._input_scale
        output = self.system.state(self.network(fields) * self._output_scale)
        return self._without_mean(output) if self._keeps_mean else output

    def _without_mean(self, state: Tensor) -> Tensor:
        return state * (1 - self._constant)

    @cached_property
    def _constant(self) -> Tensor:
        """1 at k = 0, else 0."""
        found = torch.zeros(self.system.discretization.modes, dtype=self.options.dtype, device=self.device)
        found.view(-1)[0] = 1
        return found

    @cached_property
    def _wavenumbers(self) -> Tensor:
        return torch.as_tensor(self.system.grid.wavenumbers[-1]).to(self.device, self.options.dtype)

    @property
    def _input_scale(self) -> Tensor:
        return self.column(self.statistics.input_scale)

    @property
    def _output_scale(self) -> Tensor:
        return self.column(self.statistics.output_scale)

    def column(self, numbers: tuple[float, ...]) -> Tensor:
        """A number of each component, for fields."""
        column = torch.tensor(numbers, dtype=self.options.dtype, device=self.device)
        return column.view(1, -1, *[1] * self.system.dimension)

    # -- variations -----------------------------------------------------------------------------------

    def over(self, interval: float, substeps: int = 1) -> TrainedStepper:
        """The same with another interval, for schemes that were trained by rates.

        Raises:
            StepperError: the network has learned one interval.
        """
        if not self.options.kind.by_rates:
            raise StepperError(
                f"TrainedStepper.over({interval:g})",
                "a scheme that was trained by rates",
                f"{self.options.scheme!r}, trained for an interval of {self.interval:g}",
                "Train another, or take several steps.",
            )
        options = dataclasses.replace(self.options, substeps=substeps)
        return dataclasses.replace(self, options=options, interval=interval)


__all__ = ["LABELS", "Statistics", "Stepper", "StepperError", "TrainedStepper"]
