"""Training of a neural operator, as a method that the driver advances step by step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from ...data.dataset import Dataset
from ...residual.compilation import Compiled
from ..base import Capabilities, Context, Progress
from ..card import Card
from ..learner import Learner, Task, TrainingDataError, turned
from .elliptic_loss import EllipticLoss
from .encoding import STEADY, Codec, Encoded, Encoding, describe, fitted
from .inputs import ranges
from .operator import NeuralOperator, solutions
from .step_loss import StepLoss

EVALUATED = 256
"""Members that are evaluated at a time."""
MARCHED = 20
"""Members that the integrator takes at a time: larger batches fall out of the cache."""
HELD_OUT = 32
"""Validation members whose residual is the merit, at most: the integrator costs more than the network."""
EARLY = 50
"""Steps between the first two renewals of pieces."""


@dataclass
class TrainingState:
    """Network and moments; the data are brought back by the task.

    Attributes:
        pieces: what trajectories are held against in place of data (`StepLoss`), of all training members.
        renewed: the step at which they were taken; -1 before.
    """

    network: nn.Module
    moments: torch.optim.Optimizer
    generator: torch.Generator
    step: int = 0
    pieces: Tensor | None = None
    renewed: int = -1
    learning: Any = field(default=None, metadata={"transient": True})


@dataclass
class Learning:
    """The data as tensors, what measures the network against them, and its compiled form."""

    codec: Codec
    train: Encoded
    targets: Tensor
    norms: Tensor
    validation: Encoded
    truth: Tensor
    context: Context
    forward: Callable[[Tensor, Tensor], Tensor]
    physics: StepLoss | EllipticLoss | None = None


class Batch(NamedTuple):
    """Members that a step is made of.

    Attributes:
        encoded: what the equations are held against; seen: its fields as the network gets them, with noise.
        norms: of the solutions, (n,); targets: the solutions; pieces: see `TrainingState`.
    """

    encoded: Encoded
    seen: Tensor
    norms: Tensor
    targets: Tensor
    pieces: Tensor | None

    def part(self, own: slice) -> Batch:
        """Some of the members."""
        pieces = None if self.pieces is None else self.pieces[own]
        encoded = Encoded(*(part[own] for part in self.encoded))
        return Batch(encoded, self.seen[own], self.norms[own], self.targets[own], pieces)


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
        shape = _shape(task)
        physics = self._physics(task, shape, context.device)
        encoding = fitted(shape, task.train, bool(self.operator.labels))
        if isinstance(physics, EllipticLoss):
            codec = Codec(encoding, self.operator.dtype, context.device)
            try:
                size, _ = (physics.scale(codec.fields(codec.of(d))) for d in (task.train, task.validation))
            except ArithmeticError as error:  # of one member: its operator is not definite
                who = f"training on {task.name!r}"
                raise TrainingDataError(who, "definite equations", str(error), "Use physics=0.") from error
            if not self.operator.labels:
                encoding = replace(encoding, output_scale=((size,),))
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
            Compiled(network, f"training of {task.name!r}", self.operator.compiled),
            physics,
        )
        return TrainingState(network, self.optimiser(network), context.generator(2), learning=learning)

    def _physics(self, task: Task, encoding: Encoding, device: str) -> StepLoss | EllipticLoss | None:
        o = self.operator
        if not o.physics:
            return None
        try:
            if encoding.kind == STEADY:
                return EllipticLoss(task.family, encoding, task.train.grid, o.dtype, device)
            return StepLoss(task.family, encoding, task.train.grid, o.horizon, o.substeps, o.dtype, device)
        except ValueError as error:
            raise TrainingDataError(
                f"training on {task.name!r}", "equations for the loss", str(error), "Use physics=0."
            ) from error

    def advance(self, state: TrainingState) -> Progress:
        """One optimiser step."""
        learning, options = state.learning, self.operator
        if isinstance(learning.physics, StepLoss) and state.step >= self._next_renewal(state.renewed):
            self._renew(state)
        size = min(options.batch, len(learning.targets))
        members = torch.randint(len(learning.targets), (size,), generator=state.generator)
        batch = self._batch(state, members)
        own = learning.context.ranks.part(size)  # all draw the whole batch: their generators stay alike
        batch = batch.part(own)
        with torch.autocast(learning.codec.device.type, torch.bfloat16, enabled=options.precision == "mixed"):
            raw = learning.forward(batch.seen, batch.encoded.numbers)
        output = learning.codec.output(raw.to(options.dtype), batch.encoded)
        return self.descend(state, self._loss(learning, output, batch) * (len(batch.norms) / size))

    def _loss(self, learning: Learning, output: Tensor, batch: Batch) -> Tensor:
        """Errors against data and equations, by their weights."""
        loss = output.new_zeros(())
        if self.operator.labels:
            wrong = (output - batch.targets).flatten(1).norm(dim=1) / batch.norms
            loss = loss + self.operator.labels * wrong.mean()
        if self.operator.physics:
            missed = _missed(learning, output, batch.encoded, batch.pieces)
            loss = loss + self.operator.physics * missed.mean()
        return loss

    def _batch(self, state: TrainingState, members: Tensor) -> Batch:
        """Members and their solutions, mirrored at random where the equations allow it."""
        learning, pieces = state.learning, state.pieces
        encoded = learning.train[members]
        rows = [learning.targets[members]] + ([] if pieces is None else [pieces[members]])
        moves: list[Callable[[Tensor], Tensor]] = []
        sign = learning.codec.encoding.mirror
        if sign is not None:
            flip = torch.rand(len(members), generator=state.generator) < 0.5

            def mirrored(x: Tensor) -> Tensor:
                choose = flip.to(x.device).view(-1, *[1] * (x.ndim - 1))
                return torch.where(choose, sign * x.flip(-1).roll(1, -1), x)

            moves.append(mirrored)
        if learning.codec.encoding.square:
            moves.append(turned(state.generator))
        for move in moves:
            encoded = encoded._replace(fields=move(encoded.fields), base=move(encoded.base))
            rows = [move(row) for row in rows]
        seen = encoded.fields
        if self.operator.noise:
            disturbance = torch.randn(seen.shape, generator=state.generator).to(seen)
            seen = seen + self.operator.noise * disturbance
        return Batch(encoded, seen, learning.norms[members], rows[0], None if pieces is None else rows[1])

    def _next_renewal(self, renewed: int) -> int:
        """The step at which pieces are taken anew: often as long as the network changes fast."""
        return 0 if renewed < 0 else renewed + min(self.operator.renewal, EARLY + renewed // 4)

    def _renew(self, state: TrainingState) -> None:
        """Pieces of the integrator from the network's own trajectories, for all training members."""
        learning, physics = state.learning, state.learning.physics
        offset = int(torch.randint(physics.horizon, (), generator=state.generator)) + 1
        rows = []
        with torch.no_grad():
            for first in range(0, len(learning.targets), MARCHED):
                part = learning.train[first : first + MARCHED]
                output = learning.codec.output(state.network(part.fields, part.numbers), part)
                rows.append(physics.pieces(_trajectories(output, part), offset))
        state.pieces, state.renewed = torch.cat(rows), state.step

    # -- what the driver asks ------------------------------------------------------------------------

    def merit(self, state: TrainingState) -> float:
        """Mean relative L2 error over the validation members; where labels are not used, their residual."""
        learning = state.learning
        if not self.operator.labels:
            with torch.no_grad():
                own = learning.validation[:HELD_OUT]
                output = learning.codec.output(state.network(own.fields, own.numbers), own)
                return float(_missed(learning, output, own).mean())
        predicted = predict(state.network, learning.codec, learning.validation)
        return float(relative_errors(predicted, learning.truth).mean())

    @property
    def measure(self) -> str:  # type: ignore[override]
        return "validation_relative_l2" if self.operator.labels else "validation_residual"

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


def _missed(learning: Learning, output: Tensor, encoded: Encoded, pieces: Tensor | None = None) -> Tensor:
    """By how much the equations are missed, (n,); without ``pieces`` against those of the output itself."""
    if isinstance(learning.physics, EllipticLoss):
        return learning.physics(output, learning.codec.fields(encoded))
    assert learning.physics is not None
    whole = _trajectories(output, encoded)
    return learning.physics(whole) if pieces is None else learning.physics.against(whole, pieces)


def _trajectories(output: Tensor, encoded: Encoded) -> Tensor:
    """Solutions of an evolution at all times, the initial one included."""
    return torch.cat([encoded.base[:, None], output], dim=1)


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


def _shape(task: Task) -> Encoding:
    """The shape of the task, without statistics.

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
    return shape


__all__ = ["Training", "predict", "relative_errors"]
