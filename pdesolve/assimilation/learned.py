"""Prediction and correction with a learned gain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from ..backends.operators.networks import FNO
from ..backends.operators.networks.transforms import Kind
from ..backends.operators.stepping.steps import Step
from .cycle import typical
from .errors import FilterOptionError
from .observation import Observations


@dataclass(frozen=True)
class LearnedGain:
    """Options of a learned analysis, trained by `train_gain` for one forecast and one set of observations.

        u_a, m ← u_f + K_θ(u_f, Cᵀ[y - C u_f], Cᵀ1, m)

    with a network K_θ, zero at the start of the training, so that it begins as the open loop. m is a memory,
    fields that the network passes on to its next call: what a single forecast does not tell, such as where
    past innovations were large, and with that how much to trust it. Without m it is memoryless, as published.

    Args:
        memory: number of fields of m.
        window: cycles that are trained through.
        streams: twins that go side by side in training; ``life`` cycles long, from a random start each.
        modes, width, layers, projection: of K_θ, an FNO without coordinates.
        learning_rate, weight_decay, warm_up: of AdamW.
        clip: greatest norm of the gradient, as errors grow along chaotic trajectories.

    Sources: Singh, Borsoi, Erdogmus & Imbiriba, ICLR 2024 (arXiv 2402.15656), section 4, for prediction and
    correction with neural operators; Bocquet et al., Chaos 34 (2024), for an analysis that is trained
    through many cycles and needs no ensemble. The memory is ours.
    """

    memory: int = 8
    window: int = 8
    streams: int = 16
    life: int = 48
    modes: int = 32
    width: int = 32
    layers: int = 4
    projection: int = 64
    learning_rate: float = 2e-3
    weight_decay: float = 1e-5
    warm_up: float = 0.03
    clip: float = 1.0

    name: ClassVar[str] = "learned-gain"
    packages: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        counts = {
            k: getattr(self, k) for k in ("window", "streams", "modes", "width", "layers", "projection")
        }
        wrong = [f"{key}={value}" for key, value in counts.items() if value < 1]
        wrong += [f"memory={self.memory}"] if self.memory < 0 else []
        wrong += [f"life={self.life}"] if self.life < self.window else []
        wrong += [f"{k}={getattr(self, k)}" for k in ("learning_rate", "clip") if not getattr(self, k) > 0]
        if wrong:
            raise FilterOptionError(
                "LearnedGain()",
                "positive numbers, memory >= 0, and life >= window",
                ", ".join(wrong),
                "Change them.",
            )

    def network(self, components: int, axes: int, generator: torch.Generator) -> FNO:
        """K_θ, zero where it corrects."""
        kinds: list[Kind] = ["periodic"] * axes
        network = FNO(
            kinds,
            components + 2 + self.memory,
            components + self.memory,
            generator,
            modes=self.modes,
            width=self.width,
            layers=self.layers,
            projection=self.projection,
            coordinates=False,
        )
        with torch.no_grad():
            network.last[:components] = 0
        return network


@dataclass
class Memory:
    """Fields (batch, components, *grid), and the memory (batch, memory, *grid) of how they came about."""

    fields: Tensor
    memory: Tensor

    def detached(self) -> Memory:
        """Without the graph of past cycles."""
        return Memory(self.fields.detach(), self.memory.detach())


@dataclass(eq=False)
class TrainedGain:
    """A learned analysis as a `Filter`.

    Attributes:
        options, network: what it is made of.
        scale: standard deviation of the fields; ``unit`` that of innovations.
    """

    options: LearnedGain
    network: nn.Module
    scale: float
    unit: float

    def start(self, climatology: Tensor, batch: int, generator: torch.Generator) -> Memory:
        return self.begin(typical(climatology, batch, generator))

    def begin(self, fields: Tensor) -> Memory:
        """From given fields, with nothing remembered."""
        fields = fields.to(torch.float32)
        return Memory(fields, fields.new_zeros(len(fields), self.options.memory, *fields.shape[2:]))

    def forecast(self, state: Memory, step: Step, t: float) -> Memory:
        return Memory(step(state.fields, t), state.memory)

    def analyse(self, state: Memory, observations: Observations, values: Tensor) -> Memory:
        fields = state.fields
        grid, components = fields.shape[2:], fields.shape[1]
        innovation = (values.to(fields) - observations(fields)) / self.unit
        seen = observations.adjoint(torch.ones_like(innovation[:1]), grid).expand(len(fields), -1, *grid)
        # Innovations of a first guess are many times those of a good forecast: both are to be seen.
        squeezed = innovation / (1 + innovation.abs()).sqrt()
        channels = [fields / self.scale, observations.adjoint(squeezed, grid), seen, state.memory]
        output = self.network(torch.cat(channels, dim=1))
        change, memory = output[:, :components], output[:, components:]
        return Memory(fields + self.scale * change, torch.tanh(memory))

    def estimate(self, state: Memory) -> Tensor:
        return state.fields


__all__ = ["LearnedGain", "Memory", "TrainedGain"]
