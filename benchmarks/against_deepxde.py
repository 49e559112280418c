"""DeepXDE with its own recipes, and the time in which pdesolve is as accurate.

    pip install deepxde==1.15.0
    python -m pdesolve.benchmarks.against_deepxde --out benchmarks/results/against_deepxde.json

DeepXDE solves three problems with the networks, points and optimisers of its own examples, untuned, in
float32, in a process of its own. Its seconds run from before its `compile`; evaluations of the error are
taken out. Then pdesolve solves the same declaration in float64; its seconds hold all set-up. Both are
measured by the same code, on the same points, seed 0 each; our options for Allen-Cahn were chosen with seed
10. ``seconds_to_equal`` is the first time at which the error of pdesolve is below the least error that
DeepXDE reached, which favours DeepXDE: neither knows its error while it runs. ``times_faster`` divides by
it the time at which DeepXDE came within 1 % of that.

DeepXDE draws in the memory of the process it runs in: it is never imported by pdesolve.
"""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import pdesolve as pde
from pdesolve.backends.pinn import PINN
from pdesolve.benchmarks.records import Record, run_cases
from pdesolve.solution.norms import default_grid, inner_points

SEED = 0
Recipe = Callable[[Any], tuple[Any, list[tuple[str, int]]]]
"""From the module deepxde to a model, and the optimisers and steps of its training."""


def burgers(dde: Any) -> tuple[Any, list[tuple[str, int]]]:
    """3 x 20 tanh, 2,540 + 80 + 160 points, all conditions as losses; Adam, then L-BFGS."""
    nu = 0.01 / np.pi

    def equation(x: Any, u: Any) -> Any:
        u_x, u_t = (dde.grad.jacobian(u, x, j=j) for j in (0, 1))
        return u_t + u * u_x - nu * dde.grad.hessian(u, x, i=0, j=0)

    place = dde.geometry.GeometryXTime(dde.geometry.Interval(-1, 1), dde.geometry.TimeDomain(0, 1))
    ends = dde.icbc.DirichletBC(place, lambda x: 0, lambda _, on: on)
    start = dde.icbc.IC(place, lambda x: -np.sin(np.pi * x[:, :1]), lambda _, on: on)
    data = dde.data.TimePDE(place, equation, [ends, start], num_domain=2540, num_boundary=80, num_initial=160)
    net = dde.nn.FNN([2, 20, 20, 20, 1], "tanh", "Glorot normal")
    return dde.Model(data, net), [("adam", 15_000), ("L-BFGS", 0)]


def allen_cahn(dde: Any) -> tuple[Any, list[tuple[str, int]]]:
    """3 x 20 tanh, 8,000 + 400 + 800 points, all conditions exact; Adam, then L-BFGS."""
    import torch

    def equation(x: Any, u: Any) -> Any:
        u_t, u_xx = dde.grad.jacobian(u, x, j=1), dde.grad.hessian(u, x, i=0, j=0)
        return u_t - 1e-3 * u_xx - 5 * (u - u**3)

    def trial(x: Any, n: Any) -> Any:
        place, at = x[:, :1], x[:, 1:]
        return place**2 * torch.cos(torch.pi * place) + at * (1 - place**2) * n

    place = dde.geometry.GeometryXTime(dde.geometry.Interval(-1, 1), dde.geometry.TimeDomain(0, 1))
    data = dde.data.TimePDE(place, equation, [], num_domain=8000, num_boundary=400, num_initial=800)
    net = dde.nn.FNN([2, 20, 20, 20, 1], "tanh", "Glorot normal")
    net.apply_output_transform(trial)
    return dde.Model(data, net), [("adam", 40_000), ("L-BFGS", 0)]


def poisson(dde: Any) -> tuple[Any, list[tuple[str, int]]]:
    """4 x 50 sin, ten points a wave along each axis, zero on the boundary exactly; Adam."""
    k = 4 * np.pi

    def equation(x: Any, u: Any) -> Any:
        import torch

        u_xx, u_yy = (dde.grad.hessian(u, x, i=i, j=i) for i in (0, 1))
        return -u_xx - u_yy - 2 * k**2 * torch.sin(k * x[:, :1]) * torch.sin(k * x[:, 1:])

    square = dde.geometry.Rectangle([0, 0], [1, 1])
    data = dde.data.PDE(square, equation, [], num_domain=20**2, num_boundary=4 * 20)
    net = dde.nn.FNN([2, 50, 50, 50, 50, 1], "sin", "Glorot uniform")
    net.apply_output_transform(lambda x, n: n * (x * (1 - x)).prod(dim=1, keepdim=True))
    return dde.Model(data, net), [("adam", 50_000)]


@dataclass(frozen=True)
class Case:
    """The same problem on both sides."""

    recipe: Recipe
    problem: str
    parameters: Mapping[str, Any]
    ours: PINN
    budget: float  # seconds for pdesolve
    limit: float = 600.0  # seconds for DeepXDE


CASES = {
    "burgers": Case(burgers, "burgers", {}, PINN(width=8, depth=3, points=800, compile=False), budget=20),
    "allen-cahn": Case(
        allen_cahn,
        "allen-cahn",
        {"variant": "dirichlet", "diffusivity": 1e-3},
        PINN(
            slabs=4,
            network="waves",
            width=400,
            points=1000,
            sampler="fixed",
            network_options={"spread": (200.0, 1.5)},
        ),
        budget=20,
    ),
    "poisson": Case(
        poisson,
        "poisson",
        {"a": 4, "b": 4},
        PINN(network="waves", width=400, points=1200, sampler="fixed", network_options={"spread": 15.0}),
        budget=20,
    ),
}


def run(name: str) -> Record:
    """Both solvers on one problem."""
    case = CASES[name]
    problem = pde.catalogue(case.problem, **case.parameters)
    solution = pde.solve(problem, case.ours, budget=case.budget, seed=SEED, progress=False, throw=False)
    theirs = _theirs(name, solution)
    least = min(error for _, error in theirs)
    reached = next(seconds for seconds, error in theirs if error <= 1.01 * least)
    history = solution.history
    ours = list(zip(history.seconds, history.relative_l2, strict=True))
    equal = next((seconds for seconds, error in ours if error <= least), None)
    return {
        "deepxde_recipe": (case.recipe.__doc__ or "").strip(),
        "deepxde_least_error": least,
        "deepxde_seconds": round(reached, 1),
        "deepxde_seconds_in_all": round(theirs[-1][0], 1),
        "seconds_to_equal": None if equal is None else round(equal, 2),
        "times_faster": None if equal is None else round(reached / equal, 1),
        "error_at_end": solution.error().relative_l2,
        "seconds_at_end": round(solution.cost.seconds_setup + solution.cost.seconds_solve, 1),
        "deepxde_curve": [[round(s, 1), float(f"{e:.3e}")] for s, e in theirs],
        "curve": [[round(s, 2), float(f"{e:.3e}")] for s, e in ours],
    }


def _theirs(name: str, solution: pde.Solution) -> list[tuple[float, float]]:
    """Seconds and errors of DeepXDE, run in a process of its own."""
    points, _ = inner_points(solution.problem, default_grid(solution.problem))
    assert solution.reference is not None
    exact = np.asarray(solution.reference.values(points)).reshape(-1)
    with tempfile.TemporaryDirectory() as folder:
        given = Path(folder) / "points.npz"
        np.savez(given, points=points, exact=exact)
        command = [sys.executable, "-m", "pdesolve.benchmarks.against_deepxde", "--worker", name, str(given)]
        environment = {**os.environ, "DDE_BACKEND": "pytorch", "MPLBACKEND": "Agg"}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    curve: list[tuple[float, float]] = [tuple(pair) for pair in json.loads(done.stdout.splitlines()[-1])]
    return curve


def _work(name: str, given: str) -> None:
    """Train in this process, and print the curve of errors as JSON."""
    import deepxde as dde  # type: ignore[import-not-found]

    data = np.load(given)
    points, exact = data["points"].astype(np.float32), data["exact"]
    dde.config.set_random_seed(SEED)
    model, stages = CASES[name].recipe(dde)
    begin, spent, curve = time.perf_counter(), 0.0, []

    class Watch(dde.callbacks.Callback):  # type: ignore[misc]
        def on_batch_end(self) -> None:
            nonlocal spent
            now = time.perf_counter()
            seconds = now - begin - spent
            if curve and seconds < 1.1 * curve[-1][0] and seconds < curve[-1][0] + 5:
                return
            guess = self.model.predict(points).reshape(-1)
            curve.append((seconds, float(np.linalg.norm(guess - exact) / np.linalg.norm(exact))))
            spent += time.perf_counter() - now
            if seconds > CASES[name].limit:
                self.model.stop_training = True

        on_epoch_end = on_batch_end

    for optimiser, steps in stages:
        if optimiser == "adam":
            model.compile("adam", lr=1e-3, verbose=0)
            model.train(iterations=steps, display_every=10**9, callbacks=[Watch()], verbose=0)
        else:
            model.compile(optimiser, verbose=0)
            model.train(display_every=10**9, callbacks=[Watch()], verbose=0)
    seconds = time.perf_counter() - begin - spent
    guess = model.predict(points).reshape(-1)
    curve.append((seconds, float(np.linalg.norm(guess - exact) / np.linalg.norm(exact))))
    print(json.dumps(curve))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--worker"]:
        _work(*sys.argv[2:])
    else:
        run_cases(
            __doc__,
            {name: functools.partial(run, name) for name in CASES},
            hidden=("curve", "deepxde_curve"),
        )
