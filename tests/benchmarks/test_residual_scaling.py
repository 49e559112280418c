"""The candidates of `residual_scaling` evaluate one residual."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pdesolve.benchmarks.residual_scaling import CASES, by_blocks, functional, nested, problem_of
from pdesolve.residual.ansatz import Ansatz, Trial
from pdesolve.residual.model import Model
from pdesolve.residual.networks import box_features, mlp
from pdesolve.residual.program import Program
from pdesolve.residual.residual import Residual


@pytest.mark.parametrize(("order", "dimension"), [(1, 2), (2, 2), (3, 2), (4, 2), (0, 1), (0, 3)])
def test_all_ways_give_one_loss_and_one_gradient(order: int, dimension: int) -> None:
    problem = problem_of(order, dimension)
    network = mlp(box_features(problem.domain), 1, torch.Generator().manual_seed(0), 6, 2)
    sample = problem.domain.sample(40, np.random.default_rng(0), method="uniform")
    points = torch.as_tensor(sample)
    ways = [by_blocks(way, order, network, points) for way in (nested, functional)]
    program = Program(problem)
    model = Model(program, network, Ansatz((Trial(),), (), frozenset()))
    jets = Residual(program, model, [0])
    loss, gradient = jets.loss_and_gradient(jets.start(), jets.batch([sample]))
    for found, gradients in ways:
        assert float(found) == pytest.approx(float(loss), rel=1e-12)
        flat = torch.cat([g.reshape(-1) for g in gradients])
        assert float(flat.norm()) == pytest.approx(float(gradient.norm()), rel=1e-10)


def test_cases_can_be_declared() -> None:
    assert len(problem_of(0, 10).coordinates) == 10
    assert {"order-4", "dimension-10", "width-256", "float32-order-2"} <= set(CASES)
