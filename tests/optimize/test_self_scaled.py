"""Quasi-Newton methods: the secant equation, textbook minima, and moving on where a search fails."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pdesolve.optimize import SelfScaled, Wolfe, strong_wolfe

VARIANTS = ["ssbroyden2", "ssbroyden1", "ssbfgs", "bfgs"]


def objective_of(function):
    def objective(theta):
        variable = theta.detach().clone().requires_grad_()
        loss = function(variable)
        loss.backward()
        return loss.detach(), variable.grad

    return objective


def rosenbrock(z):
    return (100 * (z[1:] - z[:-1] ** 2) ** 2 + (1 - z[:-1]) ** 2).sum()


def quadratic(seed, n=12, condition=1e3):
    """½ (z - 1)ᵀA(z - 1) with a given condition number."""
    g = torch.Generator().manual_seed(seed)
    q, _ = torch.linalg.qr(torch.randn(n, n, generator=g, dtype=torch.float64))
    a = (
        q
        @ torch.diag(torch.logspace(0, float(torch.log10(torch.tensor(condition))), n, dtype=torch.float64))
        @ q.T
    )
    return objective_of(lambda z: 0.5 * (z - 1) @ a @ (z - 1)), a


def minimise(variant, objective, start, steps, target):
    method = SelfScaled(variant)
    state = method.start(objective, start)
    for _ in range(steps):
        if state.loss < target or not method.step(state, objective).moved:
            break
    return state


@pytest.mark.parametrize("variant", VARIANTS)
def test_rosenbrock_valley(variant):
    start = torch.full((8,), -1.2, dtype=torch.float64)
    state = minimise(variant, objective_of(rosenbrock), start, 800, 1e-24)
    assert state.loss < 1e-20


@pytest.mark.parametrize("variant", VARIANTS)
@settings(derandomize=True, max_examples=8, deadline=None)
@given(st.integers(0, 10**6))
def test_every_update_meets_the_secant_equation_and_stays_positive(variant, seed):
    objective, _ = quadratic(seed)
    method = SelfScaled(variant)
    state = method.start(objective, torch.zeros(12, dtype=torch.float64))
    for _ in range(15):
        old_theta, old_gradient = state.theta, state.gradient
        method.step(state, objective)
        s, y = state.theta - old_theta, state.gradient - old_gradient
        if float(s.norm()) < 1e-8:
            break
        h = state.inverse_hessian
        assert torch.allclose(h @ y, s, rtol=1e-7, atol=1e-9 * float(s.norm() + h.norm() * y.norm()))
        assert torch.allclose(h, h.T, rtol=1e-9, atol=1e-12)
        assert float(torch.linalg.eigvalsh(h).min()) > 0
        # the stored direction is -H g, although it was made by the shared product
        assert torch.allclose(state.direction, -(h @ state.gradient), rtol=1e-6, atol=1e-10)


@pytest.mark.parametrize("variant", VARIANTS)
def test_quadratic_minimum(variant):
    objective, _ = quadratic(3)
    state = minimise(variant, objective, torch.zeros(12, dtype=torch.float64), 200, 1e-26)
    assert float((state.theta - 1).abs().max()) < 1e-10


@settings(derandomize=True, max_examples=30, deadline=None)
@given(st.floats(0.01, 50.0), st.floats(0.05, 20.0))
def test_accepted_steps_meet_both_wolfe_conditions(first_step, frequency):
    objective = objective_of(lambda z: (torch.cos(frequency * z) + 0.1 * z * z).sum())
    theta = torch.tensor([0.7, -1.1], dtype=torch.float64)
    loss, gradient = objective(theta)
    rule = Wolfe(c2=0.5)
    found = strong_wolfe(objective, theta, -gradient, float(loss), gradient, rule, first_step)
    if not found.strong:
        assert found.evaluations == rule.max_evaluations
        return
    slope = -float(gradient @ gradient)
    value, new = objective(theta - found.trial.alpha * gradient)
    assert float(value) <= float(loss) + rule.c1 * found.trial.alpha * slope
    assert abs(float(-new @ gradient)) <= rule.c2 * abs(slope) * (1 + 1e-12)


def test_an_uphill_direction_is_refused_without_an_evaluation():
    objective, _ = quadratic(0)
    theta = torch.zeros(12, dtype=torch.float64)
    loss, gradient = objective(theta)
    found = strong_wolfe(objective, theta, gradient, float(loss), gradient, Wolfe())
    assert found.trial is None
    assert found.evaluations == 0


def test_a_ruined_matrix_is_reset_and_the_method_goes_on():
    """H turned negative: the direction climbs; the method must reset H and still lower the loss."""
    objective, _ = quadratic(1)
    method = SelfScaled()
    state = method.start(objective, torch.zeros(12, dtype=torch.float64))
    for _ in range(3):
        method.step(state, objective)
    state.inverse_hessian.mul_(-1)
    state.direction = -state.direction
    before = state.loss
    assert method.step(state, objective).moved
    assert state.loss < before
    assert state.resets == 1


def test_infinite_losses_along_the_ray_are_stepped_back_from():
    objective = objective_of(lambda z: (-torch.log(1 - z) + z).sum())  # not a number beyond z = 1

    start = torch.tensor([0.99], dtype=torch.float64)
    method = SelfScaled()
    state = method.start(objective, start)
    for _ in range(30):
        method.step(state, objective)
    # derivative 1/(1 - z) + 1 has no zero below 1: the loss must fall and stay finite
    assert state.loss < float(objective(start)[0])
    assert bool(torch.isfinite(state.theta).all())


def test_at_a_minimum_nothing_moves_and_the_report_says_so():
    objective, _ = quadratic(2)
    method = SelfScaled()
    state = method.start(objective, torch.ones(12, dtype=torch.float64))
    assert not method.step(state, objective).moved


def test_restart_keeps_the_matrix_and_takes_the_new_objective():
    first, _ = quadratic(4)
    second = objective_of(lambda z: ((z - 2) ** 2).sum())
    method = SelfScaled()
    state = minimise("ssbroyden2", first, torch.zeros(12, dtype=torch.float64), 10, 0.0)
    kept = state.inverse_hessian.clone()
    method.restart(state, second)
    assert torch.allclose(state.inverse_hessian, kept, rtol=1e-10, atol=1e-14)
    assert state.loss == pytest.approx(float(((state.theta - 2) ** 2).sum()))
    for _ in range(60):
        method.step(state, second)
    assert float((state.theta - 2).abs().max()) < 1e-7


def textbook_update(variant, h, s, y, alpha, g, first):
    """The inverse Hessian as the papers write it, term by term; Urbán et al. 2025, section 3."""
    n = len(s)
    rho = 1 / float(y @ s)
    yhy = float(y @ h @ y)
    hh, b = rho * yhy, -alpha * rho * float(s @ g)
    a = hh * b - 1
    rho_minus = min(1, hh * (1 - (abs(a) / (1 + a)) ** 0.5))
    theta_minus, theta_plus = (rho_minus - 1) / a, 1 / rho_minus
    if variant in ("bfgs", "ssbfgs"):
        theta = 0.0
    elif variant == "ssbroyden2":
        theta = max(theta_minus, min(theta_plus, (1 - b) / b))
    else:
        theta_plus = max(1, b * (1 + (abs(a) / (1 + a)) ** 0.5))
        theta = max(theta_minus, 1 / (1 - b)) if b > 1 else min(theta_plus, 1 / (1 - b))
    sigma = 1 + theta * a
    sigma_1 = abs(sigma) ** (1 / (1 - n))
    rho_k = min(1, 1 / b)
    if variant == "bfgs":
        tau = 1.0
    elif variant == "ssbfgs":
        tau = rho_k
    else:
        tau = min(rho_k * sigma_1, sigma) if theta <= 0 else rho_k * min(sigma_1, 1 / theta)
    if first:
        tau = hh / (1 + a * theta)
    phi = (1 - theta) / (1 + a * theta)
    v = rho * s - h @ y / yhy
    hy = h @ y
    inner = h - torch.outer(hy, hy) / yhy + phi * yhy * torch.outer(v, v)
    return inner / tau + rho * torch.outer(s, s), b


@pytest.mark.parametrize("variant", VARIANTS)
def test_updates_are_those_of_the_papers(variant):
    """The library's one rank-two product against the formulas written out; b falls on both sides of 1."""
    objective = objective_of(rosenbrock)
    method = SelfScaled(variant)
    state = method.start(objective, torch.linspace(-1.2, 1.0, 6, dtype=torch.float64))
    seen = []
    for k in range(30):
        h, theta, g = state.inverse_hessian.clone(), state.theta, state.gradient
        report = method.step(state, objective)
        s, y = state.theta - theta, state.gradient - g
        expected, b = textbook_update(variant, h, s, y, report.step_length, g, first=k == 0)
        seen.append(b)
        assert torch.allclose(state.inverse_hessian, expected, rtol=1e-7, atol=1e-9 * float(expected.norm()))
    assert min(seen) < 1 < max(seen)
