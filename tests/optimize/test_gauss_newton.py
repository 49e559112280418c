"""Levenberg-Marquardt: known minima, the three forms of its linear system, sketches, acceleration."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pdesolve.optimize import GaussNewton
from pdesolve.optimize.damped import SYSTEMS, lower_gram
from pdesolve.ranks import ALONE


class Squares:
    """‖r(θ)‖² from a function of θ."""

    ranks = ALONE

    def __init__(self, rows):
        self.rows = rows

    def __call__(self, theta):
        return torch.func.grad_and_value(lambda th: self.rows(th).square().sum())(theta)[::-1]

    def linearise(self, theta):
        return self.rows(theta), torch.func.jacrev(self.rows)(theta)


def tensor(values):
    return torch.tensor(values, dtype=torch.float64)


def rosenbrock(theta):
    return torch.stack([10 * (theta[1] - theta[0] ** 2), 1 - theta[0]])


def run(optimizer, function, theta, steps=200, goal=1e-20):
    state = optimizer.start(function, theta)
    for k in range(1, steps + 1):
        optimizer.step(state, function)
        if state.loss < goal:
            return state, k
    return state, steps


@pytest.mark.parametrize("system", ["auto", "normal", "qr", "dual"])
@pytest.mark.parametrize("marquardt", [False, True])
def test_the_minimum_of_rosenbrock(system, marquardt):
    state, steps = run(
        GaussNewton(system=system, marquardt=marquardt), Squares(rosenbrock), tensor([-1.2, 1.0])
    )
    assert steps < 60
    assert torch.allclose(state.theta, tensor([1.0, 1.0]), atol=1e-8)


def test_acceleration_shortens_the_way_through_a_curved_valley():
    """A valley bent twice as much as Rosenbrock's."""
    bent = Squares(lambda th: torch.stack([100 * (th[1] - th[0] ** 2), 1 - th[0]]))
    counts = {a: run(GaussNewton(acceleration=a), bent, tensor([-1.2, 1.0]))[1] for a in (True, False)}
    assert counts[True] < counts[False]


def test_the_loss_never_rises_and_a_stop_has_a_reason():
    function = Squares(lambda th: torch.cat([torch.sin(3 * th) + th, th - 0.3]))
    optimizer, theta = GaussNewton(), tensor([2.0, -1.0, 0.5])
    state = optimizer.start(function, theta)
    losses = [state.loss]
    for _ in range(100):
        report = optimizer.step(state, function)
        losses.append(state.loss)
        if not report.moved:
            break
    assert all(b <= a for a, b in pairwise(losses))
    assert not report.moved and "lowered the loss" in report.reason
    gradient = function(state.theta)[1]
    assert float(gradient.norm()) < 1e-6


def test_patience_ends_a_slow_descent_and_new_points_do_not_renew_it():
    slow = Squares(lambda th: th)
    optimizer = GaussNewton(damping=100.0, factor=1.0, patience=3)  # a step shortens θ by a hundredth
    state = optimizer.start(slow, tensor([1.0, 2.0]))
    state.target = state.loss / 2
    reports = [optimizer.step(state, slow) for _ in range(3)]
    assert [report.is_over for report in reports] == [False, False, True]
    assert reports[-1].reason == "the loss did not halve in 3 steps"
    optimizer.restart(state, slow)
    assert optimizer.step(state, slow).is_over
    halving = GaussNewton(damping=1e-3, patience=1)
    assert not halving.step(halving.start(slow, tensor([1.0])), slow).is_over


@pytest.mark.parametrize("least_gain", [0.1, None])
def test_it_is_over_where_linearised_rows_promise_little(least_gain):
    """min |θ - 1|² + |θ + 1|²: the first undamped step reaches 2, and another one gains nothing."""
    rows = Squares(lambda th: torch.cat([th - 1, th + 1]))
    optimizer = GaussNewton(damping=1e-16, least_gain=least_gain)
    state = optimizer.start(rows, tensor([5.0]))
    first = optimizer.step(state, rows)
    assert first.moved and not first.is_over
    assert state.loss == pytest.approx(2.0)
    before = state.evaluations
    second = optimizer.step(state, rows)
    assert second.is_over == (least_gain is not None)
    assert ("promise" in second.reason) == second.is_over
    searched = state.evaluations - before > 5
    assert searched == (least_gain is None)  # where nothing is gained no search is needed


def test_a_long_way_of_small_steps_is_not_over():
    """Rows so curved that undamped steps fail, and damped ones gain a little each: much is promised."""
    bent = Squares(lambda th: torch.stack([100 * (th[1] - th[0] ** 2), 1 - th[0], torch.ones_like(th[0])]))
    optimizer = GaussNewton(damping=1e-16, factor=10.0, least_gain=0.1, acceleration=False)
    state = optimizer.start(bent, tensor([-1.2, 1.0]))
    steps = 0
    while not optimizer.step(state, bent).is_over:
        steps += 1
        assert steps < 1000
    assert steps > 20
    assert state.loss < 1.12  # of which 1 stays


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 9), st.integers(1, 9), st.floats(-8, 1), st.booleans(), st.integers(0, 99))
def test_all_forms_of_the_damped_system_agree(m, p, power, marquardt, seed):
    """d = -(JᵀJ + μ D²)⁻¹ Jᵀ b, from the definition in NumPy."""
    rng = np.random.default_rng(seed)
    jacobian, b, mu = rng.normal(size=(m, p)), rng.normal(size=m), 10.0**power
    diagonal = (jacobian**2).sum(axis=0)
    weights = np.maximum(diagonal, 1e-8 * diagonal.mean()) if marquardt else np.full(p, diagonal.mean())
    expected = -np.linalg.solve(jacobian.T @ jacobian + mu * np.diag(weights), jacobian.T @ b)
    for kind in SYSTEMS.values():
        found = kind(tensor(jacobian), marquardt).damped(mu).solve(tensor(b))
        assert np.allclose(found, expected, rtol=1e-5, atol=1e-7 * np.abs(expected).max())


def test_qr_keeps_the_digits_that_normal_equations_lose():
    """min ‖J d + b‖ with singular values from 1 to 1e-9 and known d: squares of 1e-9 are below round-off."""
    rng = np.random.default_rng(0)
    left, _ = np.linalg.qr(rng.normal(size=(40, 8)))
    right, _ = np.linalg.qr(rng.normal(size=(8, 8)))
    jacobian = tensor(left @ np.diag(np.logspace(0, -9, 8)) @ right)
    wanted = tensor(rng.normal(size=8))
    errors = {}
    for name in ("normal", "qr"):
        damped = SYSTEMS[name](jacobian).damped(1e-22)
        errors[name] = np.inf if damped is None else float((damped.solve(-jacobian @ wanted) - wanted).norm())
    assert errors["qr"] < 1e-5
    assert errors["normal"] > 1e3 * errors["qr"]


def test_auto_takes_the_form_that_suits():
    wide, tall = (
        Squares(lambda th, m=m: torch.sin(torch.outer(tensor(np.arange(m) + 1.0), th)).sum(1)) for m in (2, 9)
    )
    for function, name in ((wide, "dual"), (tall, "normal")):
        optimizer = GaussNewton()
        state = optimizer.start(function, tensor([0.1, 0.2, 0.3, 0.4]))
        optimizer.step(state, function)
        assert state.system == name
    state.damping = 1e-14
    optimizer.step(state, tall)
    assert state.system == "qr"


def test_a_sketch_solves_a_larger_problem_in_few_combinations():
    """A linear problem with 60 parameters, steps among 20 combinations: the minimum, in more steps."""
    rng = np.random.default_rng(0)
    matrix, wanted = tensor(rng.normal(size=(200, 60))), tensor(rng.normal(size=60))
    function = Squares(lambda th: matrix @ (th - wanted))
    optimizer = GaussNewton(sketch=20, acceleration=False, damping=1e-8)
    state, steps = run(optimizer, function, torch.zeros(60, dtype=torch.float64), steps=400, goal=1e-8)
    assert steps < 400
    assert torch.allclose(state.theta, wanted, atol=1e-3)


def test_lower_gram_is_the_lower_triangle():
    jacobian = tensor(np.random.default_rng(0).normal(size=(30, 11)))
    assert torch.allclose(lower_gram(jacobian).tril(), (jacobian.T @ jacobian).tril(), atol=1e-13)
