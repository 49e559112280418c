"""Training of a prior, as a method that the driver advances step by step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor, nn

from ..base import Context, Progress
from ..card import Card
from ..learner import Learner, Task, TrainingDataError, Weights, turned
from .denoiser import LAW, Denoiser, loss
from .encoding import JointEncoding, fitted, images

if TYPE_CHECKING:
    from .diffusion import DiffusionPDE

MEAN_LOG_SIGMA, DEVIATION_LOG_SIGMA = -1.2, 1.2
"""Of the noise levels in training (Karras et al., table 1)."""
COPIES = 3
"""Of the data, moved as the symmetries allow, that the Gaussian law is taken from beside the data."""
OF_USE = ("weights", "samples", "sampler", "guidance", "eliminate", "refine")
"""Options that say how a prior is used, and are none of its own."""
LEVELS = 16
"""Noise levels of the validation loss: quantiles of the same law."""


@dataclass
class PriorState:
    """Network, moments and the moving average of the weights."""

    network: Denoiser
    moments: torch.optim.Optimizer
    generator: torch.Generator
    average: dict[str, Tensor]
    step: int = 0
    learning: Any = field(default=None, metadata={"transient": True})


@dataclass
class PriorLearning:
    """The data as tensors."""

    encoding: JointEncoding
    clean: Tensor
    validation: Tensor
    context: Context
    declared: bool  # whether the law follows from the declaration, and needs no place in a file


@dataclass(frozen=True)
class PriorTraining(Learner):
    """Minimises the weighted error of the denoiser over noise levels.

        loss = E |D(x₀ + σ ε; σ) - x₀|²/c(σ)²,   ln σ ~ N(-1.2, 1.2²)

    by AdamW; the answer is the exponential moving average of the weights. Members are turned, mirrored and
    moved at random where their equations allow it, and in no other way. A loss of one is that of the
    Gaussian law alone.

    Karras, Aittala, Aila & Laine, NeurIPS 2022, arXiv 2206.00364, section 5.
    """

    prior: DiffusionPDE
    suspect: ClassVar[str] = "the loss of the training (a learning rate that is too large?)"
    measure: ClassVar[str] = "validation_denoising_loss"  # type: ignore[misc]

    @property
    def recipe(self) -> DiffusionPDE:
        return self.prior

    def start(self, task: Task, context: Context) -> PriorState:
        try:
            encoding = fitted(task.family, task.train)
        except ValueError as error:
            raise TrainingDataError(
                f"training on {task.name!r}", "a family that a prior can learn", str(error), "Use another."
            ) from error
        clean, validation = (
            encoding.normalised(torch.from_numpy(images(task.family, data)))
            for data in (task.train, task.validation)
        )
        steady = task.family.typical.domain.time is None
        problem = task.family.undetermined if steady else task.family.typical
        draws = context.generator(3)
        more = torch.cat([clean, *(self._moved(clean, encoding, draws) for _ in range(COPIES))])
        law, declared = self.prior.law(problem, encoding, more, draws)
        network = self.prior.network(encoding, law.to(clean.float()), context.generator(1)).to(context.device)
        average = {name: p.detach().clone() for name, p in network.named_parameters()}
        learning = PriorLearning(
            encoding,
            clean.float().to(context.device),
            validation.float().to(context.device),
            context,
            declared,
        )
        return PriorState(network, self.optimiser(network), context.generator(2), average, learning=learning)

    def advance(self, state: PriorState) -> Progress:
        """One optimiser step."""
        learning, options = state.learning, self.prior
        chosen = torch.randint(len(learning.clean), (options.batch,), generator=state.generator)
        clean = self._moved(learning.clean[chosen], learning.encoding, state.generator)
        normal = torch.randn(options.batch, generator=state.generator).to(clean)
        sigma = (MEAN_LOG_SIGMA + DEVIATION_LOG_SIGMA * normal).exp()
        noise = torch.randn(clean.shape, generator=state.generator).to(clean)
        progress = self.descend(state, loss(state.network, clean, sigma, noise), clip=1.0)
        # Short at first: an average over the very beginning would be of the initial weights.
        kept = min(0.5 ** (options.batch / options.half_life), state.step / (state.step + 10))
        with torch.no_grad():
            for name, p in state.network.named_parameters():
                state.average[name].lerp_(p, 1 - kept)
        return progress

    def _moved(self, clean: Tensor, encoding: JointEncoding, generator: torch.Generator) -> Tensor:
        """Members of the same family: mirrored, moved or turned together."""
        if encoding.square:
            clean = turned(generator)(clean)
        if encoding.mirror is not None and int(torch.randint(2, (), generator=generator)):
            clean = encoding.mirror * clean.flip(2).roll(1, 2)
        if encoding.translation:
            by = int(torch.randint(encoding.grid[0], (), generator=generator))
            clean = clean.roll(by, 2)
        return clean

    def merit(self, state: PriorState) -> float:
        """The same loss of the averaged weights on members that are not trained on, at fixed noise."""
        learning = state.learning
        levels = torch.linspace(0.5 / LEVELS, 1 - 0.5 / LEVELS, LEVELS)
        sigma = (MEAN_LOG_SIGMA + DEVIATION_LOG_SIGMA * torch.special.ndtri(levels)).exp()
        clean = learning.validation[: 8 * LEVELS]
        sigma = sigma.repeat(len(clean) // LEVELS + 1)[: len(clean)].to(clean)
        noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(0)).to(clean)
        with torch.no_grad(), _averaged(state.network, state.average):
            return float(loss(state.network, clean, sigma, noise))

    def field(self, state: PriorState) -> Weights:
        with _averaged(state.network, state.average):
            left_out = LAW if state.learning.declared else ()
            tensors = state.network.state_dict().items()
            return Weights({name: stored(t.clone()) for name, t in tensors if name not in left_out})

    def card(self, task: Task, state: PriorState, options: Mapping[str, Any]) -> Card[JointEncoding]:
        """What is known of the prior."""
        encoding = state.learning.encoding
        return Card(
            self.prior.name,
            {name: value for name, value in options.items() if name not in OF_USE},
            task.family.recipe(),
            task.fixed_parameters(),
            encoding,
            encoding.grid,
            data=task.data(),
        )


def stored(tensor: Tensor) -> Tensor:
    """Half of the digits are enough in files: the filter's rounding is far below the noise it removes."""
    return tensor.half() if tensor.is_floating_point() and tensor.ndim > 1 else tensor


class _averaged:
    """The network with its averaged weights, for a while."""

    def __init__(self, network: nn.Module, average: Mapping[str, Tensor]) -> None:
        self.parameters, self.average = dict(network.named_parameters()), average

    def __enter__(self) -> None:
        self.kept = {name: p.detach().clone() for name, p in self.parameters.items()}
        self._put(self.average)

    def __exit__(self, *_: object) -> None:
        self._put(self.kept)

    def _put(self, values: Mapping[str, Tensor]) -> None:
        with torch.no_grad():
            for name, p in self.parameters.items():
                p.copy_(values[name])


__all__ = ["PriorTraining", "stored"]
