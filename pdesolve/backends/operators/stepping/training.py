"""Training of a learned time stepper, as a method that the driver advances step by step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from ....data.dataset import Dataset
from ....declare.domain import Array
from ....declare.symmetries import symmetries
from ....residual.fourier.evolution import Evolution
from ....residual.fourier.semilinear import Semilinear
from ...base import Context, Progress
from ...learner import Learner, Task, TrainingDataError
from ..training import TrainingState
from .labels import PIECE, STENCIL, differences, rates, rms
from .schemes import base
from .stepper import Statistics, Stepper, TrainedStepper

HELD_OUT = 256
"""States of the validation set that the merit is measured on."""

SteppingTask = Task


@dataclass
class Frames:
    """Spectra of trajectories and what is to be learned from them.

    Attributes:
        states: (trajectories, times, components, *modes).
        labels: rates of the states, of the same shape; None where states themselves are the targets.
    """

    states: Tensor
    labels: Tensor | None

    def draw(self, count: int, rollout: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """States (count, components, *modes), and their targets (count, rollout, components, *modes)."""
        trajectories, times = self.states.shape[:2]
        ahead = 0 if self.labels is not None else rollout
        which = torch.randint(trajectories, (count,), generator=generator)
        when = torch.randint(times - ahead, (count,), generator=generator)
        if self.labels is not None:
            return self.states[which, when], self.labels[which, when][:, None]
        later = [self.states[which, when + k] for k in range(1, rollout + 1)]
        return self.states[which, when], torch.stack(later, dim=1)


@dataclass
class Learning:
    """The data as tensors, and the stepper that is trained."""

    stepper: TrainedStepper
    frames: Frames
    defect: Tensor
    mirror: int | None
    held_out: tuple[Tensor, Tensor]
    context: Context


@dataclass(frozen=True)
class SteppingTraining(Learner):
    """Minimises the error of a stepper, in units of the error that its scheme has without a network.

        loss = mean_{i, k ≤ r}  |Φᵏ(u_i) - u_{i+k}| / (k d),      d = rms |Φ₀(u_i) - u_{i+1}|
        loss = mean_i  |F(u_i) - f_i| / d,                         d = rms |f_i|

    the first for schemes that are trained by states, over r intervals; the second with rates f. | | is the
    root mean square over space. 1 is what the base of the scheme has. By AdamW, on random frames, mirrored
    at random where the equations allow it. The merit is the same on trajectories that are not trained on.
    """

    stepper: Stepper
    suspect: ClassVar[str] = (
        "the loss of the training (a learning rate that is too large, or an interval too long?)"
    )

    @property
    def recipe(self) -> Stepper:
        return self.stepper

    def start(self, task: Task, context: Context) -> TrainingState:
        evolution = _evolution(task)
        options = self.stepper
        interval, every = _interval(task.train, options)
        points = options.points or task.train.grid[0]
        network = options.network(evolution, context.generator(1)).to(context.device)
        system = Semilinear(evolution, points, options.dealias)  # in float64: labels lose no digits
        stepper = TrainedStepper(options, evolution, network, Statistics(), interval, points, context.device)
        train = frames(task.train, system, stepper, every)
        own, statistics, defect = _measured(train, stepper, system)
        stepper.statistics = statistics
        others = _cast(frames(task.validation, system, stepper, every), stepper)
        held_out = others.draw(HELD_OUT // options.rollout, options.rollout, torch.Generator().manual_seed(0))
        learning = Learning(stepper, own, defect, symmetries(evolution.problem).mirror, held_out, context)
        return TrainingState(network, self.optimiser(network), context.generator(2), learning=learning)

    def advance(self, state: TrainingState) -> Progress:
        """One optimiser step."""
        learning, options = state.learning, self.stepper
        batch, targets = learning.frames.draw(options.batch, options.rollout, state.generator)
        batch, targets = self._varied(state, batch, targets)
        return self.descend(state, self._loss(learning, batch, targets))

    def _varied(self, state: TrainingState, batch: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Some of them mirrored; with noise on the inputs."""
        learning = state.learning
        if learning.mirror is not None:  # s u(-x) has the coefficients s û_{-k}, the conjugates
            flip = (torch.rand(len(batch), generator=state.generator) < 0.5).to(batch.device)
            sign = learning.mirror
            batch = torch.where(flip.view(-1, 1, 1), sign * batch.conj(), batch)
            targets = torch.where(flip.view(-1, 1, 1, 1), sign * targets.conj(), targets)
        if self.stepper.noise:
            fields = learning.stepper.system.fields(batch)
            disturbance = torch.randn(fields.shape, generator=state.generator).to(fields)
            scale = self.stepper.noise * learning.stepper.column(learning.stepper.statistics.input_scale)
            batch = batch + learning.stepper.system.state(scale * disturbance)
        return batch, targets

    def _loss(self, learning: Learning, batch: Tensor, targets: Tensor) -> Tensor:
        stepper = learning.stepper
        if self.stepper.kind.by_rates:
            return _size(stepper.forcing(batch) - targets[:, 0], learning.defect).mean()
        total, states = batch.real.new_zeros(()), batch
        for k in range(targets.shape[1]):
            states = stepper.advance(states)
            total = total + _size(states - targets[:, k], learning.defect).mean() / (k + 1)
        return total / targets.shape[1]

    # -- what the driver asks ------------------------------------------------------------------------

    def merit(self, state: TrainingState) -> float:
        """The loss on trajectories that are not trained on."""
        with torch.no_grad():
            return float(self._loss(state.learning, *state.learning.held_out))


def frames(data: Dataset, system: Semilinear, stepper: TrainedStepper, every: int) -> Frames:
    """The trajectories of a data set on the grid of a stepper, with labels, in the frame of the network."""
    assert data.times is not None
    options = stepper.options
    late = data.times - data.times[0] >= options.burn_in * (1 - 1e-12)
    kept = torch.from_numpy(data.values[:, late].astype(np.float64))
    count, times = kept.shape[:2]
    flat = system.state(kept.flatten(0, 1))
    all_states = flat.view(count, times, *flat.shape[1:])
    if stepper.boost is not None:
        all_states = _still(all_states, stepper.boost, data.times[late], system)
    states = all_states[:, ::every]
    if not options.kind.by_rates:
        return Frames(states, None)
    if options.labels == "symbols":
        found = rates(system, states.flatten(0, 1), linear=not options.kind.is_split)
        return Frames(states, found.view_as(states))
    slopes = differences(all_states, float(data.times[1] - data.times[0]))
    states = all_states[:, STENCIL:-STENCIL]
    if options.kind.is_split:
        slopes = slopes - system.apply(system.linear, states.flatten(0, 1)).view_as(states)
    return Frames(states, slopes)


def _still(states: Tensor, boost: float, times: Array, system: Semilinear) -> Tensor:
    """u(x + σ c (t - t₀), t) - c, the trajectories as one sees them who moves with the mean c."""
    elapsed = torch.from_numpy(times - times[0])[None, :, None, None]
    way = boost * states[:, :1, :1, :1].real * elapsed
    moved = states * torch.exp(1j * way * torch.from_numpy(system.grid.wavenumbers[-1]))
    moved[..., 0] = 0
    return moved


def _measured(
    train: Frames, stepper: TrainedStepper, system: Semilinear
) -> tuple[Frames, Statistics, Tensor]:
    """The frames in the precision of the stepper, the scales, and the error d of each component without F."""
    flat = train.states.flatten(0, 1)
    sizes = rms(flat)
    if train.labels is not None:
        defect = rms(train.labels.flatten(0, 1))
        scale = defect
    else:
        exact = stepper.integrals.on(system)
        now, later = train.states[:, :-1].flatten(0, 1), train.states[:, 1:].flatten(0, 1)
        pieces = zip(torch.split(now, PIECE), torch.split(later, PIECE), strict=True)
        gaps = [after - base(stepper.options.kind, exact, before) for before, after in pieces]
        defect = rms(torch.cat(gaps))
        # A forcing acts over the interval; modes that L damps within it need more, and learn it.
        scale = defect / stepper.interval if stepper.options.kind.impulse else defect
    statistics = Statistics(*(tuple(float(s) or 1.0 for s in each) for each in (sizes, scale)))
    return _cast(train, stepper), statistics, defect.to(stepper.device, stepper.options.dtype)


def _cast(found: Frames, stepper: TrainedStepper) -> Frames:
    kind = stepper.system.complex_dtype
    labels = None if found.labels is None else found.labels.to(stepper.device, kind)
    return Frames(found.states.to(stepper.device, kind), labels)


def _size(states: Tensor, unit: Tensor) -> Tensor:
    """Root mean square over components in their units, and over space, of each state (n,)."""
    squares = (states.real**2 + states.imag**2) / unit.view(1, -1, *[1] * (states.ndim - 2)) ** 2
    first, rest = squares[..., :1], squares[..., 1:]
    total = first.flatten(1).sum(dim=1) + 2 * rest.flatten(1).sum(dim=1)
    tiny = torch.finfo(total.dtype).tiny  # the root has no slope at zero
    return (total / states.shape[1] + tiny).sqrt()


def _interval(data: Dataset, options: Stepper) -> tuple[float, int]:
    """Time from one state to the next, and how many frames that is.

    Raises:
        TrainingDataError: it is no multiple of the spacing, or there are too few frames.
    """
    assert data.times is not None
    spacing = float(data.times[1] - data.times[0])
    interval = spacing if options.interval is None else options.interval
    every = round(interval / spacing)
    if every < 1 or abs(every * spacing - interval) > 1e-9 * interval:
        raise TrainingDataError(
            f"Stepper(interval={interval:g})",
            f"a multiple of the spacing of the data, {spacing:g}",
            f"{interval / spacing:g} times that",
            "Change it, or store other times.",
        )
    left = int(np.sum(data.times - data.times[0] >= options.burn_in))
    needed = 2 * STENCIL + 1 if options.labels == "differences" else every * options.rollout + 1
    if left < needed:
        raise TrainingDataError(
            f"Stepper(burn_in={options.burn_in:g}, rollout={options.rollout})",
            f"at least {needed} frames after the burn-in",
            f"{left}",
            "Shorten it, or store more times.",
        )
    return interval, every


def _evolution(task: Task) -> Evolution:
    """The equations that all members share.

    Raises:
        TrainingDataError: there are none that a stepper could learn, or the data are of others.
    """
    who = f"training a stepper on {task.name!r}"
    try:
        evolution = Evolution(task.family.typical)
    except ValueError as error:
        raise TrainingDataError(who, "a periodic evolution", str(error), "Use another family.") from error
    problem = evolution.problem
    names = tuple(problem.unknown_names[k] for k, order in evolution.components[: evolution.dynamic])
    reasons = []
    if task.family.numbers:
        reasons.append("members with different parameters")
    if any(order for _, order in evolution.components[: evolution.dynamic]):
        reasons.append("an equation of second order in time")
    reasons += [
        f"data of {', '.join(data.names)} on {data.grid}"
        for data in (task.train, task.validation)
        if data.names != names or data.times is None or len(data.times) < 2 or len(set(data.grid)) != 1
    ]
    if reasons:
        raise TrainingDataError(
            who,
            f"trajectories of {', '.join(names)}, of first order in time, all from the same equations",
            "; ".join(reasons),
            "Make them by `pdesolve generate` for this family.",
        )
    return evolution


__all__ = ["Frames", "SteppingTask", "SteppingTraining", "frames"]
