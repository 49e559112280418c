"""L-BFGS and first-order methods: known minima, known formulas, reasons for every stop."""

import math

import numpy as np
import pytest
import torch

from pdesolve.optimize import LBFGS, SOAP, Adam


def tensor(values):
    return torch.tensor(values, dtype=torch.float64)


class Function:
    def __init__(self, function, shapes=None):
        self.function = function
        if shapes:
            self.shapes = shapes

    def __call__(self, theta):
        return torch.func.grad_and_value(self.function)(theta)[::-1]


def rosenbrock(theta):
    return 100 * (theta[1] - theta[0] ** 2) ** 2 + (1 - theta[0]) ** 2


def test_lbfgs_finds_the_minimum_of_rosenbrock_and_says_why_it_stops():
    function, optimizer = Function(rosenbrock), LBFGS()
    state = optimizer.start(function, tensor([-1.2, 1.0]))
    for _ in range(200):
        report = optimizer.step(state, function)
        if not report.moved:
            break
    assert torch.allclose(state.theta, tensor([1.0, 1.0]), atol=1e-7)
    assert not report.moved
    assert "gradient" in report.reason


def test_lbfgs_with_enough_pairs_ends_on_a_quadratic_like_conjugate_gradients():
    """Nearly exact searches on a quadratic of 5 different eigenvalues: few steps more than 5."""
    values = tensor([1.0, 3.0, 10.0, 30.0, 100.0])
    function, optimizer = Function(lambda th: 0.5 * (values * th * th).sum()), LBFGS()
    state = optimizer.start(function, torch.ones(5, dtype=torch.float64))
    steps = 0
    while state.loss > 1e-16 and steps < 100:
        optimizer.step(state, function)
        steps += 1
    assert steps <= 25


def test_lbfgs_keeps_no_more_pairs_than_asked():
    function, optimizer = Function(rosenbrock), LBFGS(history=3)
    state = optimizer.start(function, tensor([-1.2, 1.0]))
    for _ in range(10):
        optimizer.step(state, function)
    assert len(state.steps) == len(state.changes) == 3


def test_adam_follows_the_published_formula():
    """Kingma & Ba, Algorithm 1, written out in NumPy, with decay and warm-up of the rate."""
    optimizer = Adam(learning_rate=0.1, decay=0.5, decay_every=4, warm_up=3, betas=(0.8, 0.9))
    function = Function(rosenbrock)
    theta = np.array([-1.2, 1.0])
    state = optimizer.start(function, tensor(theta))
    m, v = np.zeros(2), np.zeros(2)
    for k in range(8):
        a, b = theta
        g = np.array([-400 * a * (b - a * a) - 2 * (1 - a), 200 * (b - a * a)])
        m, v = 0.8 * m + 0.2 * g, 0.9 * v + 0.1 * g * g
        rate = 0.1 * min(1, (k + 1) / 3) * 0.5 ** (k / 4)
        theta = theta - rate * (m / (1 - 0.8 ** (k + 1))) / (np.sqrt(v / (1 - 0.9 ** (k + 1))) + 1e-8)
        optimizer.step(state, function)
        assert np.allclose(state.theta, theta, rtol=1e-12)


def test_a_gradient_that_is_not_finite_moves_nothing():
    optimizer, theta = Adam(), tensor([0.0, 1.0])
    function = Function(lambda th: torch.sqrt(th).sum())
    state = optimizer.start(function, theta)
    report = optimizer.step(state, function)
    assert not report.moved
    assert math.isnan(state.loss)
    assert torch.equal(state.theta, theta)


def test_soap_preconditions_matrices():
    """‖A (W - W*) Bᵀ‖² with singular values from 1 to 0.03 in directions that are no axes."""
    pytest.importorskip("pytorch_optimizer")
    rng = np.random.default_rng(0)
    turns = [np.linalg.qr(rng.normal(size=(6, 6)))[0] for _ in range(4)]
    mix = [tensor(turns[k] * np.logspace(0, -1.5, 6) @ turns[k + 1]) for k in (0, 2)]
    wanted = tensor(rng.normal(size=(6, 6)))
    function = Function(lambda th: (mix[0] @ (th.view(6, 6) - wanted) @ mix[1].T).square().sum(), [(6, 6)])
    ends = {}
    for optimizer in (Adam(0.02, 0.5, 200), SOAP(0.02, 0.5, 200)):
        state = optimizer.start(function, torch.zeros(36, dtype=torch.float64))
        for _ in range(800):
            optimizer.step(state, function)
        ends[optimizer.name] = state.loss
    assert ends["soap"] < 0.1 * ends["adam"]
