"""Training of a neural operator, as a method that the driver advances step by step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ...data.dataset import Dataset
from ..base import Capabilities, Context, Progress
from ..card import Card
from ..learner import Learner, Task, TrainingDataError, turned
from .encoding import Codec, Encoded, Encoding, describe, fitted
from .inputs import ranges
from .operator import NeuralOperator, solutions
from .physics import StepLoss

EVALUATED = 256
"""Members that are evaluated at a time."""


@dataclass
class TrainingState:
    """Network and moments; the data are brought back by the task."""

    network: nn.Module
    moments: torch.optim.Optimizer
    generator: torch.Generator
    step: int = 0
    learning: Any = field(default=None, metadata={"transient": True})


@dataclass
class Learning:
    """The data as tensors, and what measures the network against them."""

    codec: Codec
    train: Encoded
    targets: Tensor
    norms: Tensor
    validation: Encoded
    truth: Tensor
    context: Context
    physics: StepLoss | None = None


@dataclass(frozen=True)
class Training(Learner):
    """Minimises the mean relative L2 error of a network over the members of a data set.

        loss = mean_i |G(a_i) - u_i|₂ / |u_i|₂     over random batches, by AdamW, in the network's frame

    The merit, by which the driver keeps the best state, is the same error on members that are not trained on.
    """

    operator: NeuralOperator
    capabilities: ClassVar[Capabilities] = replace(Learner.capabilities, distributed=True)
    suspect: ClassVar[str] = "the loss of the training (a learning rate that is too large?)"

    @property
    def recipe(self) -> NeuralOperator:
        return self.operator

    def start(self, task: Task, context: Context) -> TrainingState:
        if context.ranks.count > min(self.operator.batch, len(task.train)):
            raise TrainingDataError(
                f"training on {task.name!r}",
                f"{context.ranks.count} members at least in a batch, one for each process",
                f"batch={self.operator.batch} of {len(task.train)} members",
                "Raise it, or start fewer processes.",
            )
        encoding = _encoding(task, bool(self.operator.labels))
        network = self.operator.network(encoding, task.train.grid, context.generator(1))
        network.to(context.device)
        codec = Codec(encoding, self.operator.dtype, context.device)
        train, validation = codec.of(task.train), codec.of(task.validation)
        targets = codec.targets(task.train, train)
        learning = Learning(
            codec,
            train,
            targets,
            _norms(task.train, codec),
            validation,
            torch.from_numpy(task.validation.values).to(context.device, self.operator.dtype),
            context,
            self._physics(task, encoding, context.device),
        )
        return TrainingState(network, self.optimiser(network), context.generator(2), learning=learning)

    def _physics(self, task: Task, encoding: Encoding, device: str) -> StepLoss | None:
        o = self.operator
        if not o.physics:
            return None
        try:
            return StepLoss(
                task.family, encoding, task.train.grid, o.horizon, o.starts, o.substeps, o.dtype, device
            )
        except ValueError as error:
            raise TrainingDataError(
                f"training on {task.name!r}", "equations for the loss", str(error), "Use physics=0."
            ) from error

    def advance(self, state: TrainingState) -> Progress:
        """One optimiser step."""
        learning, options = state.learning, self.operator
        size = min(options.batch, len(learning.targets))
        members = torch.randint(len(learning.targets), (size,), generator=state.generator)
        batch, targets = self._batch(state, members)
        own = learning.context.ranks.part(size)  # all draw the whole batch: their generators stay alike
        batch, targets, members = Encoded(*(part[own] for part in batch)), targets[own], members[own]
        output = learning.codec.output(state.network(batch.fields, batch.numbers), batch)
        loss = self._loss(learning, output, batch, targets, members, state.generator)
        return self.descend(state, loss * (len(members) / size))

    def _loss(
        self,
        learning: Learning,
        output: Tensor,
        batch: Encoded,
        targets: Tensor,
        members: Tensor,
        generator: torch.Generator,
    ) -> Tensor:
        """Errors against data and equations, by their weights."""
        loss = output.new_zeros(())
        if self.operator.labels:
            wrong = (output - targets).flatten(1).norm(dim=1) / learning.norms[members]
            loss = loss + self.operator.labels * wrong.mean()
        if learning.physics is not None:
            whole = torch.cat([batch.base[:, None], output], dim=1)
            loss = loss + self.operator.physics * learning.physics(whole, generator).mean()
        return loss

    def _batch(self, state: TrainingState, members: Tensor) -> tuple[Encoded, Tensor]:
        """Members and their solutions, mirrored at random where the equations allow it."""
        learning = state.learning
        batch, targets = learning.train[members], learning.targets[members]
        sign = learning.codec.encoding.mirror
        if sign is not None:
            flip = torch.rand(len(members), generator=state.generator) < 0.5

            def mirrored(x: Tensor) -> Tensor:
                choose = flip.to(x.device).view(-1, *[1] * (x.ndim - 1))
                return torch.where(choose, sign * x.flip(-1).roll(1, -1), x)

            batch = batch._replace(fields=mirrored(batch.fields), base=mirrored(batch.base))
            targets = mirrored(targets)
        if learning.codec.encoding.square:
            turn = turned(state.generator)
            batch = batch._replace(fields=turn(batch.fields), base=turn(batch.base))
            targets = turn(targets)
        if self.operator.noise:
            disturbance = torch.randn(batch.fields.shape, generator=state.generator).to(batch.fields)
            batch = batch._replace(fields=batch.fields + self.operator.noise * disturbance)
        return batch, targets

    # -- what the driver asks ------------------------------------------------------------------------

    def merit(self, state: TrainingState) -> float:
        """Mean relative L2 error over the validation members; where labels are not used, their step loss."""
        learning = state.learning
        if not self.operator.labels:
            with torch.no_grad():
                own = learning.validation
                output = learning.codec.output(state.network(own.fields, own.numbers), own)
                whole = torch.cat([own.base[:, None], output], dim=1)
                return float(learning.physics(whole, torch.Generator().manual_seed(0)).mean())
        predicted = predict(state.network, learning.codec, learning.validation)
        return float(relative_errors(predicted, learning.truth).mean())

    @property
    def measure(self) -> str:  # type: ignore[override]
        return "validation_relative_l2" if self.operator.labels else "validation_step_loss"

    def card(self, task: Task, state: TrainingState, options: Mapping[str, Any]) -> Card[Encoding]:
        """What is known of the operator before it is tested."""
        return Card(
            self.operator.name,
            options,
            task.family.recipe(),
            task.fixed_parameters(),
            state.learning.codec.encoding,
            task.train.grid,
            ranges(task.train),
            data=task.data(),
        )


def predict(network: nn.Module, codec: Codec, encoded: Encoded) -> Tensor:
    """Solutions of many members (n, times, unknowns, *grid), as declared."""
    with torch.no_grad():
        starts = range(0, len(encoded.fields), EVALUATED)
        return torch.cat([solutions(network, codec, encoded[i : i + EVALUATED]) for i in starts])


def relative_errors(predicted: Tensor, truth: Tensor) -> Tensor:
    """|p - q|₂ / |q|₂ of each member over all times, unknowns and points, (n,)."""
    errors: Tensor = (predicted - truth).flatten(1).norm(dim=1) / truth.flatten(1).norm(dim=1)
    return errors


def _norms(data: Dataset, codec: Codec) -> Tensor:
    """|u|₂ of each member."""
    norms: Tensor = torch.from_numpy(data.values).to(codec.device, codec.dtype).flatten(1).norm(dim=1)
    return norms


def _encoding(task: Task, labels: bool) -> Any:
    """Shape and statistics; those of solutions only where they may be used.

    Raises:
        TrainingDataError: family and data do not fit each other.
    """
    who = f"training on {task.name!r}"
    try:
        shape = describe(task.family, task.train.times)
    except ValueError as error:
        raise TrainingDataError(
            who, "a family that networks can learn", str(error), "Use another."
        ) from error
    for given in (task.train, task.validation):
        if given.names != shape.unknowns or set(given.fields) != set(shape.fields) or not len(given):
            raise TrainingDataError(
                who,
                f"data of {', '.join(shape.unknowns)} from {', '.join((*shape.fields, *shape.numbers))}",
                f"{len(given)} members with {', '.join(given.names)} from {', '.join(given.fields)}",
                "Make them by `pdesolve generate` for this family.",
            )
    if task.train.grid != task.validation.grid:
        raise TrainingDataError(who, "one grid", f"{task.train.grid} and {task.validation.grid}", "Resample.")
    return fitted(shape, task.train, labels)


__all__ = ["Training", "predict", "relative_errors"]
