"""What `test_distribution` runs in two processes and in one: the numbers must be the same.

python distributed_program.py FOLDER [--distributed]
"""

import contextlib
import json
import math
import sys
from pathlib import Path
from unittest import mock

import torch

import pdesolve as pde
from pdesolve.backends.base import Context
from pdesolve.backends.learner import Task
from pdesolve.backends.operators import FNO, DeepONet, NeuralopModel, UNet
from pdesolve.backends.operators.training import Training
from pdesolve.backends.pinn import PINN
from pdesolve.data.reading import read
from pdesolve.distribution import DistributionError, join
from pdesolve.optimize import GaussNewton

SMALL = {"width": 6, "depth": 2, "compile": False, "points": 301, "points_boundary": 21}
SHARED = {"distributed": True, "progress": False}
TINY = {"batch": 5, "noise": 0.1}
OPERATORS = (
    FNO(width=6, modes=4, layers=2, projection=8, precision="float64", **TINY),
    DeepONet(width=8, basis=6, precision="float64", **TINY),
    UNet(precision="float64", **TINY),
    NeuralopModel(width=6, modes=4, layers=2, **TINY),  # single precision and complex weights
)
RUNS = {
    "normal": PINN(**SMALL, optimizer=GaussNewton(system="normal")),
    "qr": PINN(**SMALL, optimizer=GaussNewton(system="qr")),
    "dual": PINN(**{**SMALL, "points": 41}, optimizer=GaussNewton(system="dual")),
    "quasi-newton": PINN(**SMALL, optimizer="ssbroyden2", adam_steps=3),
    "lbfgs": PINN(**SMALL, optimizer="lbfgs", adam_steps=3, exact_conditions=False),
    "sketch": PINN(**SMALL, optimizer=GaussNewton(sketch=20)),
}


def gradients(data, ranks):
    """Loss, gradient and JᵀJ of a PINN; loss and parameters of an FNO after one step."""
    context = Context(seed=3, steps=10, ranks=ranks)
    method = RUNS["normal"]
    objective = method.start(pde.catalogue("burgers"), context).slab.objective
    theta = objective.residual.start()
    loss, gradient = objective(theta)
    _, jacobian = objective.linearise(theta)
    found = {"pinn loss": [float(loss)], "pinn gradient": gradient.tolist()}
    found["pinn gram"] = ranks.sum(jacobian.T @ jacobian).flatten().tolist()

    for operator in OPERATORS:
        learner = Training(operator)
        state = learner.start(Task(pde.family("burgers-random"), *data.split(6)), context)
        found[f"{operator.name} loss"] = [learner.advance(state).loss]
        gradients = [p.grad for p in state.network.parameters()]
        real = [torch.view_as_real(g) if g.is_complex() else g for g in gradients]
        found[f"{operator.name} gradient"] = torch.cat([g.flatten() for g in real]).tolist()
    return found


def parted(ranks):
    """Whether a run whose second process goes its own way by a little is ended."""
    original = PINN.advance

    def advance(self, state):
        progress = original(self, state)
        state.theta = state.theta + 1e-12 * ranks.rank
        return progress

    with mock.patch.object(PINN, "advance", advance), contextlib.suppress(DistributionError):
        pde.solve(pde.catalogue("burgers"), RUNS["normal"], steps=60, distributed=True, progress=False)
        return False
    return True


def main(folder, distributed):
    data = read(folder / "data.h5")
    ranks = join("program", distributed, "cpu")
    found = gradients(data, ranks)
    nothing = [math.nan, 0.0][ranks.rank]
    assert ranks.agree(1.0, math.nan) and (ranks.count == 1 or not ranks.agree(nothing))
    for name, method in RUNS.items():
        solution = pde.solve(
            pde.catalogue("burgers"), method, steps=8, seed=1, distributed=distributed, progress=False
        )
        found[name] = [*solution.field.arrays()["theta"].tolist(), solution.history.loss[-1]]
    if distributed:  # the clock of the first process ends both
        solution = pde.solve(pde.catalogue("burgers"), RUNS["normal"], budget=1.5, **SHARED)
        assert ranks.agree(solution.history.step[-1], solution.history.seconds[-1])
        found["parted"] = parted(ranks)
    out = folder / ("shared.safetensors" if distributed else "alone.safetensors")
    options = {"steps": 5, "seed": 2, "progress": False, "distributed": distributed}
    trained = pde.train(
        pde.family("burgers-random"), FNO(width=6, modes=4, precision="float64"), data, out, **options
    )
    _, network, _ = trained.trained()  # in every process, from the file that the first one wrote
    found["fno"] = torch.cat([p.detach().flatten() for p in network.parameters()]).tolist()
    if ranks.is_first:
        (folder / ("shared.json" if distributed else "alone.json")).write_text(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]), "--distributed" in sys.argv)
