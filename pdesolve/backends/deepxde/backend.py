"""`DeepXDE`: the backend."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch

from ...declare import Problem
from ...declare.domain import Array
from ...declare.serialization import problem_to_json
from ...solution.field import Field
from ...solution.status import Status
from ..base import Backend, Capabilities, Context, Progress
from .field import PeerField
from .peer import Peer
from .recipe import Recipe, recipe_for
from .support import reasons_against

ACTIVATION_NAMES = {"tanh": "tanh", "sin": "sin"}
"""DeepXDE's names of the activations that fields evaluate, to ours."""


@dataclass
class State:
    """Weights after the last unit of work, and the process that goes on from them."""

    weights: dict[str, torch.Tensor]
    iteration: int
    problem: Problem = field(metadata={"transient": True})
    context: Context = field(metadata={"transient": True})
    recipe: Recipe = field(metadata={"transient": True})
    peer: Peer | None = field(default=None, metadata={"transient": True})
    stage: str = field(default="", metadata={"transient": True})


@dataclass(frozen=True)
class DeepXDE(Backend):
    """DeepXDE (Lu, Meng, Mao & Karniadakis) on the declared problem, by the recipe of its own examples.

    It runs in a process of its own, which starts with the solve; starting it and importing DeepXDE is not
    counted as time. Adam comes first, then L-BFGS, until the budget ends. Unknowns, equations and conditions
    are those of the declaration: conditions are losses of weight one, or built into the output where
    ``exact``. A resumed run goes on from the weights alone, so that its optimiser starts anew.

    Options that are None are those of the recipe, which the name of the problem chooses.

    Attributes:
        depth: hidden layers.
        width: units of each.
        activation: tanh or sin.
        initializer: of the weights, as DeepXDE names it.
        points: collocation points inside.
        points_boundary: on the boundary.
        points_initial: at the start of time.
        exact: meet Dirichlet and initial conditions by the form of the output, where they are expressions.
        adam_steps: Adam steps before L-BFGS.
        learning_rate: of Adam.
        lbfgs: whether L-BFGS follows.
        distribution: of the points, drawn once; pseudo is random, DeepXDE's default Hammersley is not.
        precision: float32, its default, or float64.
        chunk: optimiser steps that are one unit of work.
    """

    depth: int | None = None
    width: int | None = None
    activation: str | None = None
    initializer: str | None = None
    points: int | None = None
    points_boundary: int | None = None
    points_initial: int | None = None
    exact: bool | None = None
    adam_steps: int | None = None
    learning_rate: float | None = None
    lbfgs: bool | None = None
    distribution: str = "pseudo"
    precision: str = "float32"
    chunk: int = 50

    name: ClassVar[str] = "deepxde"
    summary: ClassVar[str] = "PINNs by DeepXDE, in a process of its own"
    capabilities: ClassVar[Capabilities] = Capabilities(
        stochastic=True, open_ended=True, devices=("cpu", "cuda")
    )
    citations: ClassVar[tuple[str, ...]] = (
        "@article{lu2021deepxde, "
        "title={DeepXDE: A deep learning library for solving differential equations}, "
        "author={Lu, Lu and Meng, Xuhui and Mao, Zhiping and Karniadakis, George Em}, journal={SIAM Review}, "
        "volume={63}, number={1}, pages={208--228}, year={2021}}",
    )
    packages: ClassVar[tuple[str, ...]] = ("deepxde",)

    def __post_init__(self) -> None:
        for name in ("depth", "width", "points", "points_boundary", "points_initial", "adam_steps"):
            if getattr(self, name) is not None:
                self.require_count(name, least=0 if name in ("points_initial", "adam_steps") else 1)
        self.require_count("chunk")
        if self.learning_rate is not None:
            self.require_positive("learning_rate")
        known = (None, *ACTIVATION_NAMES)
        self.require("activation", self.activation in known, f"one of {', '.join(ACTIVATION_NAMES)}")
        self.require("precision", self.precision in ("float32", "float64"), "'float32' or 'float64'")

    def supports(self, problem: Problem) -> list[str]:
        return reasons_against(problem)

    def recipe(self, problem: Problem) -> Recipe:
        """The recipe of the problem, with the options that are set."""
        names = [f.name for f in dataclasses.fields(Recipe) if f.name != "source"]
        changes = {name: getattr(self, name) for name in names if getattr(self, name) is not None}
        return dataclasses.replace(recipe_for(problem.name), **changes)

    def start(self, problem: Problem, context: Context) -> State:
        state = State({}, 0, problem, context, self.recipe(problem))
        if not context.resuming:  # else the weights are not known yet
            self._connect(state)
        return state

    def advance(self, state: State) -> Progress:
        if state.peer is None:
            self._connect(state)
        assert state.peer is not None
        state.peer.send({"do": "train"})
        header, arrays = state.peer.receive()
        state.weights = _tensors(arrays)
        state.iteration, state.stage = int(header["iteration"]), str(header["stage"])
        ended = Status.COMPLETED if header["ended"] else None
        message = f"{state.stage}, iteration {state.iteration}"
        if ended is not None:
            message = f"the recipe is done: {message}"
            state.peer.close()
        return Progress(float(header["loss"]), status=ended, message=message)

    def field(self, state: State) -> Field:
        weights = {name: values.numpy() for name, values in state.weights.items()}
        recipe = state.recipe
        return PeerField(state.problem, weights, ACTIVATION_NAMES[recipe.activation], recipe.exact)

    def restore(self, problem: Problem, arrays: Mapping[str, Array]) -> Field:
        return PeerField.of(problem, arrays)

    def describe(self, state: State) -> str:
        recipe = state.recipe
        return (
            f"{recipe.depth}x{recipe.width} {recipe.activation}, {recipe.points} points, recipe of "
            f"{recipe.source}; {state.stage}, iteration {state.iteration}"
        )

    def _connect(self, state: State) -> None:
        """Start the process, hand over the problem, and take the weights that it starts from."""
        begin = time.perf_counter()
        peer = Peer(state.context.device)
        peer.receive()  # it has imported DeepXDE
        state.context.exclude(time.perf_counter() - begin)
        job: dict[str, Any] = {
            "problem": problem_to_json(state.problem),
            "recipe": dataclasses.asdict(state.recipe),
            "distribution": self.distribution,
            "precision": self.precision,
            "chunk": self.chunk,
            "seed": state.context.seed,
            "threads": torch.get_num_threads(),
            "iteration": state.iteration,
        }
        peer.send(job, {name: values.numpy() for name, values in state.weights.items()})
        _, arrays = peer.receive()
        state.weights, state.peer = _tensors(arrays), peer


def _tensors(arrays: Mapping[str, Array]) -> dict[str, torch.Tensor]:
    return {name: torch.as_tensor(values) for name, values in arrays.items()}
