"""Training in DeepXDE's process: its model of the problem, its optimisers, and reports in between."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...declare import Problem
from .recipe import Recipe
from .translation import output_transform, translate

Report = Callable[[dict[str, Any], dict[str, Any]], None]


class Training:
    """One model, trained as its recipe says; ``report`` is called before and after each unit of work."""

    def __init__(self, dde: Any, problem: Problem, job: dict[str, Any], report: Report) -> None:
        self.dde, self.report = dde, report
        self.recipe = Recipe(**job["recipe"])
        self.chunk = int(job["chunk"])
        self.iteration, self.stage = int(job["iteration"]), "start"
        data = translate(dde, problem, self.recipe, job["distribution"])
        self._losses: list[Any] = []
        self._record(data)
        layers = [len(problem.coordinates), *[self.recipe.width] * self.recipe.depth, len(problem.unknowns)]
        self.net = dde.nn.FNN(layers, self.recipe.activation, self.recipe.initializer)
        if self.recipe.exact:
            self.net.apply_output_transform(output_transform(problem))
        self.model = dde.Model(data, self.net)

    def _record(self, data: Any) -> None:
        """Keep the last losses: DeepXDE computes them anew to show them, at the price of a step."""
        inner = data.losses

        def losses(*arguments: Any, **named: Any) -> Any:
            self._losses = inner(*arguments, **named)
            return self._losses

        data.losses = losses

    def weights(self) -> dict[str, Any]:
        found = {}
        for i, layer in enumerate(self.net.linears):
            found[f"weight{i}"] = layer.weight.detach().cpu().double().numpy()
            found[f"bias{i}"] = layer.bias.detach().cpu().double().numpy()
        return found

    def load(self, weights: dict[str, Any]) -> None:
        """Start from other weights."""
        import torch

        with torch.no_grad():
            for i, layer in enumerate(self.net.linears):
                layer.weight.copy_(torch.as_tensor(weights[f"weight{i}"]))
                layer.bias.copy_(torch.as_tensor(weights[f"bias{i}"]))

    def run(self) -> None:
        """Adam, then L-BFGS; the last report says that it is done."""
        self._say(first=True)
        left = self.recipe.adam_steps - self.iteration
        if left > 0:
            self.stage = "Adam"
            self.model.compile("adam", lr=self.recipe.learning_rate, verbose=0)
            watch = self._watch(self.chunk)
            self.model.train(iterations=left, display_every=10**9, callbacks=[watch], verbose=0)
        if self.recipe.lbfgs:
            self.stage = "L-BFGS"
            self._divide_lbfgs()
            self.model.compile("L-BFGS", verbose=0)
            self.model.train(display_every=10**9, callbacks=[self._watch(1)], verbose=0)
        self._say(ended=True)

    def _divide_lbfgs(self) -> None:
        """Let one of its calls make as many iterations as a unit of work has, not a thousand.

        The optimiser keeps its curvature between calls; DeepXDE computes the losses anew after each.
        """
        options = self.dde.optimizers.config.LBFGS_options
        options["fun_per_step"] = max(1, options["fun_per_step"] * self.chunk // options["iter_per_step"])
        options["iter_per_step"] = self.chunk

    def _watch(self, every: int) -> Any:
        """A callback that reports after so many calls."""
        training = self
        begin = self.iteration

        class Watch(self.dde.callbacks.Callback):  # type: ignore[misc, name-defined]
            calls = 0
            first = 0

            def on_train_begin(self) -> None:
                self.first = self.model.train_state.iteration

            def on_batch_end(self) -> None:
                self.calls += 1
                training.iteration = begin + self.model.train_state.iteration - self.first
                if self.calls % every == 0:
                    training._say()

        return Watch()

    def _say(self, first: bool = False, ended: bool = False) -> None:
        loss = 0.0 if first else float(np.sum([float(each.detach()) for each in self._losses]))
        header = {"iteration": self.iteration, "stage": self.stage, "loss": loss, "ended": ended}
        self.report(header, self.weights())
