"""Training of a learned gain on twins, as a method that the driver advances step by step."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ..backends.base import Context, Progress
from ..backends.learner import Learner
from ..backends.operators.stepping.steps import Step
from ..learning import run_training
from .cycle import typical
from .errors import FilterOptionError
from .learned import LearnedGain, Memory, TrainedGain
from .observation import Observations

HELD_OUT_CYCLES = 16
"""Cycles that the merit is measured on, after as many to settle."""


@dataclass(frozen=True, eq=False)
class AssimilationTask:
    """Trajectories whose states are to be found from observations.

    Attributes:
        truth: (trajectories, times, components, *grid), at the times of observations.
        step: the forecast from one of these times to the next.
        observations: what is seen of them.
        held_out: trajectories that choose the best state, of the same shape.
    """

    truth: Tensor
    step: Step
    observations: Observations
    held_out: Tensor
    name: str = "assimilation"

    @property
    def digest(self) -> str:
        content = hashlib.sha256(self.truth.double().numpy().tobytes())
        content.update(self.observations.matrix.numpy().tobytes())
        return content.hexdigest()[:16]


@dataclass
class GainState:
    """Network, moments, and the twins as they are; the data are brought back by the task."""

    network: nn.Module
    moments: torch.optim.Optimizer
    generator: torch.Generator
    fields: Tensor
    memory: Tensor
    which: Tensor
    when: Tensor
    age: Tensor
    step: int = 0
    learning: Any = field(default=None, metadata={"transient": True})


@dataclass
class Learning:
    """The task as tensors, and the gain that is trained."""

    gain: TrainedGain
    task: AssimilationTask
    truth: Tensor
    climatology: Tensor
    held_out: Tensor
    context: Context


@dataclass(frozen=True)
class GainTraining(Learner):
    """Minimises the error of analyses, through forecasts and analyses of ``window`` cycles.

        loss = mean_{twins, cycles} |u_a - u|_rms / σ_clim

    Twins live on from window to window, so that the network meets the errors that it makes itself, and
    begin anew from a random state and time after ``life`` cycles. Noise is drawn afresh. The merit is the
    loss on other trajectories, with noise that stays the same.
    """

    options: LearnedGain
    suspect: ClassVar[str] = "the error of the analyses (a forecast that blew up?)"

    @property
    def recipe(self) -> LearnedGain:
        return self.options

    def start(self, task: AssimilationTask, context: Context) -> GainState:
        options = self.options
        if task.truth.shape[1] <= options.window or task.held_out.shape[1] < 2 * HELD_OUT_CYCLES + 1:
            raise FilterOptionError(
                "train_gain()",
                f"trajectories of more than {options.window} times, and {2 * HELD_OUT_CYCLES + 1} held out",
                f"{task.truth.shape[1]} and {task.held_out.shape[1]}",
                "Give longer ones, or shorten the window.",
            )
        device = context.device
        truth = task.truth.to(device, torch.float32)
        climatology = truth.flatten(0, 1)
        scale = float(climatology.std())
        network = options.network(truth.shape[2], truth.ndim - 3, context.generator(1)).to(device)
        gain = TrainedGain(options, network, scale, task.observations.noise)
        learning = Learning(gain, task, truth, climatology, task.held_out.to(device, torch.float32), context)
        shape, count = truth.shape[2:], options.streams
        state = GainState(
            network,
            self.optimiser(network),
            context.generator(2),
            truth.new_zeros(count, *shape),
            truth.new_zeros(count, options.memory, *shape[1:]),
            torch.zeros(count, dtype=torch.long),
            torch.zeros(count, dtype=torch.long),
            # Ages differ, so that twins do not all begin anew at the same time.
            options.life - options.window * (torch.arange(count) % max(1, options.life // options.window)),
            learning=learning,
        )
        self._renew(state, torch.ones(count, dtype=torch.bool), keep_age=True)
        return state

    def _renew(self, state: GainState, which: Tensor, keep_age: bool = False) -> None:
        """Twins that begin anew: a random truth and time, and another random state as the first guess."""
        learning, g = state.learning, state.generator
        count = int(which.sum())
        if not count:
            return
        trajectories, times = learning.truth.shape[:2]
        state.which[which] = torch.randint(trajectories, (count,), generator=g)
        state.when[which] = torch.randint(times - self.options.window, (count,), generator=g)
        state.fields[which] = typical(learning.climatology, count, g)
        state.memory[which] = 0
        if not keep_age:
            state.age[which] = 0

    def advance(self, state: GainState) -> Progress:
        """One window and one optimiser step."""
        learning, options = state.learning, self.options
        ended = (state.age >= options.life) | (state.when + options.window >= learning.truth.shape[1])
        self._renew(state, ended)
        twins = Memory(state.fields, state.memory)
        loss = state.fields.new_zeros(())
        for k in range(1, options.window + 1):
            truth = learning.truth[state.which, state.when + k]
            twins, error = self._cycle(learning, twins, truth, state.generator)
            loss = loss + error.mean() / options.window
        progress = self.descend(state, loss, options.clip)
        kept = twins.detached()
        state.fields, state.memory = kept.fields, kept.memory
        state.when += options.window
        state.age += options.window
        return progress

    def _cycle(
        self, learning: Learning, twins: Memory, truth: Tensor, generator: torch.Generator
    ) -> tuple[Memory, Tensor]:
        """Forecast, analysis, and the error of each twin."""
        observations, gain = learning.task.observations, learning.gain
        twins = gain.forecast(twins, learning.task.step, 0.0)
        twins = gain.analyse(twins, observations, observations.draw(truth, generator))
        squares = ((twins.fields - truth) / gain.scale) ** 2
        return twins, (squares.flatten(1).mean(dim=1) + 1e-12).sqrt()

    # -- what the driver asks ------------------------------------------------------------------------

    def merit(self, state: GainState) -> float:
        """Mean error over cycles of other trajectories, after as many to settle."""
        learning, g = state.learning, torch.Generator().manual_seed(0)
        truth = learning.held_out
        total = 0.0
        with torch.no_grad():
            twins = learning.gain.begin(typical(learning.climatology, len(truth), g))
            for k in range(1, 2 * HELD_OUT_CYCLES + 1):
                twins, error = self._cycle(learning, twins, truth[:, k], g)
                total += float(error.mean()) / HELD_OUT_CYCLES if k > HELD_OUT_CYCLES else 0.0
        return total


def train_gain(
    task: AssimilationTask,
    options: LearnedGain | None = None,
    *,
    budget: float | None = None,
    steps: int | None = None,
    seed: int = 0,
    device: str = "cpu",
    progress: bool | None = None,
) -> TrainedGain:
    """Train the analysis of a filter for one forecast and one set of observations.

    Args:
        task: trajectories at the times of observations, the forecast, and what is observed.
        options: of the gain.
        budget, steps: wall-clock seconds (60 where neither is given), or windows.
        seed: of weights, twins and noise.

    Returns:
        A filter for `assimilate`.
    """
    chosen = options or LearnedGain()
    run = run_training(
        "train_gain",
        task,
        GainTraining(chosen),
        budget=budget,
        steps=steps,
        seed=seed,
        device=device,
        dtype="float32",
        progress=progress,
    )
    gain: TrainedGain = run.state.learning.gain
    assert run.answer is not None
    gain.network.load_state_dict(run.answer.field.tensors)
    return gain


__all__ = ["AssimilationTask", "GainTraining", "train_gain"]
