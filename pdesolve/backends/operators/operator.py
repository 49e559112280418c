"""`NeuralOperator`: what all learned operators have in common, as options and as solvers."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from ...declare import PDESolveWarning, Problem
from ...declare.domain import Array
from ...residual.fourier.evolution import InitialData
from ...residual.fourier.grid import Spectra
from ...residual.fourier.semilinear import to_modes
from ...residual.fourier.trajectory import Slab
from ...solution.field import Field
from ...solution.finding import Finding
from ...solution.status import Status
from .. import card as cards
from ..base import Capabilities, Context, Progress
from ..card import Card
from ..fourier_field import SpectralField
from ..learner import Learner, Trainable
from ..spline_field import SplineField
from .encoding import EVOLUTION, Codec, Encoding
from .inputs import grid_axes, input_values, outside
from .refinement import Refined, Refinement
from .refinement import reasons as refinement_reasons


@dataclass
class Prediction:
    """A member's solution on the grid of the output.

    Attributes:
        values: (times, unknowns, *grid); one time where steady.
        findings: inputs that are unlike those of the training.
        refined: where a tolerance was asked for.
    """

    values: Array
    problem: Any = field(metadata={"transient": True})
    card: Any = field(metadata={"transient": True})
    findings: list[Finding] = field(default_factory=list, metadata={"transient": True})
    refined: Refined | None = None
    method: Any = field(default=None, metadata={"transient": True})


@dataclass(frozen=True)
class NeuralOperator(Trainable):
    """A network from inputs to solutions, trained on a family by `pdesolve.train`.

    Untrained, it is a set of options; `load` gives one with weights, which solves members of the family:

        trained = FNO.load("fno.safetensors");   solve(family.sample(7), trained)

    Args:
        weights: the file of a trained operator.
        points: of the grid on which it is evaluated, on each axis; None for that of the training.
        batch, learning_rate, weight_decay: of AdamW.
        warm_up: share of the run over which the rate rises; it then falls to zero along a cosine.
        noise: standard deviation of what is added to the inputs in training, relative to theirs.
        rtol: None returns the network's answer. A number has it refined by Newton's method until two
            levels of discretisation agree to it, or says why not (autonomous evolutions of one unknown).
        labels, physics: weights of the error against the data, and of that against the equations, which
            needs no solutions: ``FNO(labels=0, physics=1)`` learns from the inputs of a data set alone. It is
            `StepLoss` for periodic evolutions and `EllipticLoss` for steady linear equations on boxes.
        horizon: stored times that a piece of the integrator's trajectory spans, for evolutions.
        substeps: of the integrator between two stored times.
        renewal: steps of training after which these pieces are taken anew; earlier at the start.
        precision: of the network, ``float32``, ``float64``, or ``mixed``: weights, convolutions, transforms,
            losses and evaluation in float32, all other products of the training in bfloat16, for a GPU.
        compiled: training by `torch.compile`, which takes from half a minute to a few, for a GPU.
    """

    weights: str | None = None
    points: int | None = None
    rtol: float | None = None
    batch: int = 20
    learning_rate: float = 2e-3
    weight_decay: float = 1e-5
    warm_up: float = 0.03
    noise: float = 0.0
    labels: float = 1.0
    physics: float = 0.0
    horizon: int = 25
    substeps: int = 4
    renewal: int = 300
    precision: str = "float32"
    compiled: bool = False

    capabilities: ClassVar[Capabilities] = Capabilities(stochastic=True, devices=("cpu", "cuda"))
    packages: ClassVar[tuple[str, ...]] = ("safetensors",)
    encoding: ClassVar[type[Encoding]] = Encoding
    any_grid: ClassVar[bool] = True  # whether the network is the same function on other grids

    def __init_subclass__(cls) -> None:
        """The options of all operators belong to the description of each."""
        _, _, common = (NeuralOperator.__doc__ or "").partition("    Args:\n")
        cls.__doc__ = f"{(cls.__doc__ or '').rstrip()}\n\n    Other Parameters:\n{common.rstrip()}\n    "

    def __post_init__(self) -> None:
        self.require_count("batch", *(("points",) if self.points is not None else ()))
        self.require_positive("learning_rate")
        self.require_count("horizon", "substeps", "renewal")
        if self.rtol is not None:
            self.require_positive("rtol")
        for option in ("labels", "physics"):
            value = getattr(self, option)
            self.require(option, isinstance(value, int | float) and value >= 0, "a number of at least 0")
        self.require("labels", self.labels + self.physics > 0, "a positive number where physics is 0")
        for option in ("weight_decay", "noise", "warm_up"):
            value = getattr(self, option)
            self.require(option, isinstance(value, int | float) and 0 <= value < 1, "a number in [0, 1)")
        self.require(
            "precision", self.precision in ("float32", "float64", "mixed"), "float32, float64 or mixed"
        )
        self.require("compiled", isinstance(self.compiled, bool), "True or False")

    @abstractmethod
    def network(self, encoding: Encoding, grid: tuple[int, ...], generator: torch.Generator) -> nn.Module:
        """The network, untrained: (n, fields, *grid), (n, numbers) -> (n, channels, *grid)."""

    @property
    def dtype(self) -> torch.dtype:
        return torch.float64 if self.precision == "float64" else torch.float32

    def learner(self) -> Learner:
        from .training import Training  # here: the training speaks of NeuralOperator

        return Training(self)

    def trained(self, device: str = "cpu") -> tuple[Card[Encoding], nn.Module, Codec]:
        """The card, the network with its weights, and the codec between it and members.

        Raises:
            CardError: see `card.read`.
        """
        assert self.weights is not None
        card, weights = cards.read(self.weights, Encoding)
        network = self.network(card.encoding, card.grid, torch.Generator().manual_seed(0))
        network.load_state_dict(weights)
        return card, network.to(device).eval(), Codec(card.encoding, self.dtype, device)

    # -- solving ------------------------------------------------------------------------------------

    def supports(self, problem: Problem) -> list[str]:
        if self.weights is None:
            return ["it is not trained: give weights=, or an operator from load() or train()"]
        card = self.card()
        if problem.family != card.family["family"]:
            return [
                f"it was trained on the family {card.family['family']!r}, and the problem is "
                + (f"of {problem.family!r}" if problem.family else "of none (make it by family.member())")
            ]
        own = {str(key): float(value) for key, value in problem.parameters.items()}
        different = [f"{k} = {own.get(k)}, not {v}" for k, v in card.parameters.items() if own.get(k) != v]
        reasons = [f"it was trained with other parameters: here {', '.join(different)}"] if different else []
        if card.encoding.kind == EVOLUTION:
            begin, end = (float(t) for t in problem.domain.bounds[-1])
            known = card.encoding.times
            if (begin, end) != (known[0], known[-1]):
                reasons.append(
                    f"it was trained from t = {known[0]:g} to {known[-1]:g}, not {begin:g} to {end:g}"
                )
        if [tuple(map(float, b)) for b in problem.domain.bounds[: len(card.grid)]] != list(
            card.encoding.bounds
        ):
            reasons.append("it was trained on another domain")
        missing = [name for name in problem.unknown_names if name not in card.encoding.unknowns]
        if missing:
            reasons.append(f"it predicts {', '.join(card.encoding.unknowns)}, and not {', '.join(missing)}")
        if self.rtol is not None:
            reasons += refinement_reasons(problem, card.encoding)
        return reasons

    def start(self, problem: Problem, context: Context) -> Prediction:
        assert self.weights is not None
        card = self.card()
        findings = outside(card, problem, self.points)
        for finding in findings:
            warnings.warn(str(finding), PDESolveWarning, stacklevel=4)
        state = Prediction(np.zeros(0), problem, card, findings)
        if not context.resuming:
            state.values = self.predict(problem, context.device)
        if self.rtol is not None:
            state.method = Refinement(problem, card.encoding, self.rtol, self._grid(card))
            state.refined = state.method.start(state.values) if not context.resuming else None
        return state

    def predict(self, problem: Problem, device: str = "cpu") -> Array:
        """The network's answer, (times, unknowns, *grid)."""
        card, network, codec = self.trained(device)
        fields, numbers = input_values(problem, card.encoding, self._grid(card))
        with torch.no_grad():
            encoded = codec.encode(torch.from_numpy(fields)[None], torch.from_numpy(numbers)[None])
            values = solutions(network, codec, encoded)[0]
        return values.double().cpu().numpy()  # type: ignore[no-any-return]

    def _grid(self, card: Card[Encoding]) -> tuple[int, ...]:
        return card.grid if self.points is None else (self.points,) * len(card.grid)

    def advance(self, state: Prediction) -> Progress:
        if state.refined is not None:
            progress: Progress = state.method.advance(state.refined)
            return progress
        metrics = state.card.metrics
        known = metrics.get("relative_l2")
        said = (
            ""
            if known is None
            else f"mean relative L2 error {known:.1e} on {metrics['members']:.0f} members it did not see"
        )
        return Progress(0.0, 1.0, Status.COMPLETED, said)

    def field(self, state: Prediction) -> Field:
        values = state.values if state.refined is None else state.method.values(state.refined)
        return field_of(values, state.problem, state.card.encoding)

    def error_estimate(self, state: Prediction) -> float | None:
        return None if state.refined is None else state.refined.estimate

    def restore(self, problem: Problem, arrays: Mapping[str, Array]) -> Field:
        if problem.domain.time is None:
            return SplineField.from_arrays(arrays)
        return SpectralField.from_arrays(arrays, InitialData(problem))

    def diagnosis(self, state: Prediction, history: Any) -> list[Finding]:
        return state.findings


def solutions(network: nn.Module, codec: Codec, encoded: Any) -> Tensor:
    """Solutions (n, times, unknowns, *grid) as declared, the initial ones included."""
    output = codec.output(network(encoded.fields, encoded.numbers), encoded)
    if codec.encoding.kind != EVOLUTION:
        return output
    whole = torch.cat([encoded.base[:, None], output], dim=1)
    return codec.declared(whole, encoded.mean)


def field_of(values: Array, problem: Problem, encoding: Encoding) -> Field:
    """Values on the grid as a function of points."""
    if encoding.kind != EVOLUTION:
        return SplineField(grid_axes(encoding, values.shape[2:]), values[0])
    dimension = len(encoding.axes)
    modes = (min(values.shape[2:]) - 1) // 2
    spectra: Spectra = to_modes(torch.from_numpy(values), modes, dimension).numpy()
    lower, upper = np.array(encoding.bounds).T
    slab = Slab(encoding.times[0], encoding.times[-1], spectra)
    return SpectralField(lower, upper - lower, [slab], InitialData(problem))


__all__ = ["NeuralOperator", "Prediction", "solutions"]
