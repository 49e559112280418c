"""Balanced weights, against gradients by finite differences, and the redrawing of overfitted points."""

import logging

import numpy as np
import pytest
import sympy as sp
import torch

import pdesolve as pde
from pdesolve.backends.base import BackendOptionError, Context
from pdesolve.backends.pinn import PINN
from pdesolve.backends.pinn.balance import balanced, gradient_norms, kernel_means
from pdesolve.backends.pinn.samplers import RAD
from pdesolve.driver import UnsupportedProblemError

x, t = pde.coordinates("x t")
u = pde.unknown("u", x, t)
EXACT = sp.exp(-(sp.pi**2) * t / 8) * sp.sin(sp.pi * (x + 1) / 2)
SMALL = {"width": 6, "depth": 1, "points": 40, "points_boundary": 20, "compile": False}


def heat(*more):
    return pde.Problem(
        "heat",
        [u.diff(t) - u.diff(x, 2) / 2],
        pde.Interval(x, -1, 1) * pde.Time(t, 0, 1),
        [pde.Initial(u, EXACT.subs(t, 0)), pde.Dirichlet(u, 0), *more],
        reference=EXACT,
    )


def rows_state(**options):
    backend = PINN(exact_conditions=False, **{**SMALL, **options})
    return backend, backend.start(heat(), Context(seed=3))


def term_rows(state, theta):
    """Residuals of each term at its points, divided by √n, in the order of the terms."""
    residual = state.slab.residual
    batch = residual.batch([each.points for each in state.sets])
    rows = [row for group in residual.values(theta, batch) for row in group]
    order = [i for group in residual.groups for i in group]
    return [rows[order.index(i)] / np.sqrt(len(rows[order.index(i)])) for i in range(len(rows))]


def differences(state, function):
    """∂ function / ∂θ by central differences, (p, ...)."""
    step = 1e-5
    columns = []
    for k in range(len(state.theta)):
        shift = torch.zeros_like(state.theta)
        shift[k] = step
        columns.append((function(state.theta + shift) - function(state.theta - shift)) / (2 * step))
    return torch.stack(columns)


def test_gradient_norms_and_kernels_are_those_of_finite_differences():
    _, state = rows_state()
    points = [each.points for each in state.sets]
    norms = gradient_norms(state.slab.residual, state.theta, points)
    kernels = kernel_means(state.slab.residual, state.theta, points)
    for i in range(len(state.slab.residual.terms)):
        gradient = differences(state, lambda th, i=i: term_rows(state, th)[i].square().sum())
        assert norms[i] == pytest.approx(float(gradient.norm()), rel=1e-5)
        jacobian = differences(state, lambda th, i=i: term_rows(state, th)[i])
        assert kernels[i] == pytest.approx(float(jacobian.square().sum()), rel=1e-5)


@pytest.mark.parametrize("kind", ["gradient-norm", "ntk"])
def test_weights_level_what_they_measure(kind):
    """The moving average tends to weights with which all terms weigh alike."""
    _, state = rows_state()
    residual, points = state.slab.residual, [each.points for each in state.sets]
    weights = [1.0] * len(residual.terms)
    for _ in range(200):
        weights = balanced(kind, residual, state.theta, points, weights)
    sizes = (gradient_norms if kind == "gradient-norm" else kernel_means)(residual, state.theta, points)
    levels = np.array(weights) * sizes
    assert levels == pytest.approx(np.full(len(levels), np.mean(sizes)), rel=1e-3)


def test_one_update_moves_a_tenth_of_the_way():
    _, state = rows_state()
    residual, points = state.slab.residual, [each.points for each in state.sets]
    sizes = np.array(gradient_norms(residual, state.theta, points))
    wanted = sizes.mean() / (sizes + 1e-5 * sizes.mean())
    found = balanced("gradient-norm", residual, state.theta, points, [1.0, 100.0, 100.0, 100.0])
    assert found == pytest.approx(0.9 * np.array([1, 100, 100, 100]) + 0.1 * wanted)


def test_balance_rescues_a_condition_weight_that_is_far_too_small(monkeypatch):
    monkeypatch.setattr("pdesolve.backends.pinn.pinn.BALANCE_EVERY", 50)
    options = {"width": 8, "depth": 2, "points": 60, "points_boundary": 30, "compile": False}
    options |= {"optimizer": "adam", "exact_conditions": False, "condition_weight": 1e-4, "symmetry": False}
    error = {
        kind: pde.solve(heat(), PINN(balance=kind, **options), steps=800, progress=False).error().relative_l2
        for kind in (None, "gradient-norm", "ntk")
    }
    assert error["gradient-norm"] < 0.5 * error[None]
    assert error["ntk"] < 0.5 * error[None]


def test_balance_is_refused_with_observations_and_under_wrong_names():
    with pytest.raises(BackendOptionError, match="gradient-norm"):
        PINN(balance="softmax")
    seen = heat(pde.Observations(u, [[0.0, 0.5]], [0.5]))
    with pytest.raises(UnsupportedProblemError, match="weights of observations follow from their noise"):
        pde.solve(seen, PINN(balance="ntk"), steps=1)


def overfitting(sampler):
    """Twelve points for 300 parameters: the residual vanishes at them and not between them."""
    return PINN(width=10, depth=3, points=12, sampler=sampler, compile=False)


def test_overfitted_points_are_redrawn_and_the_user_is_told(caplog):
    with caplog.at_level(logging.INFO, "pdesolve"):
        solution = pde.solve(heat(), overfitting(RAD(every=10_000)), steps=110, progress=False)
    assert "redrawn" in caplog.text
    (finding,) = [f for f in solution.diagnosis if f.who == "the collocation points"]
    assert "redrawn" in finding.what
    assert "points=" in finding.remedy


def test_fixed_points_stay_and_the_user_is_told():
    backend = overfitting(None)
    state = backend.start(heat(), Context())
    before = state.sets[0].points.copy()
    for _ in range(60):
        backend.advance(state)
    assert np.array_equal(before, state.sets[0].points)
    assert state.validation[-1] > 5 * state.training[-1]
    (finding,) = [f for f in backend.diagnosis(state, None) if f.who == "the collocation points"]
    assert "times larger between them" in finding.what


def test_enough_points_are_not_redrawn():
    solution = pde.solve(heat(), PINN(width=6, depth=1, points=200, compile=False), steps=60, progress=False)
    assert [f for f in solution.diagnosis if f.who == "the collocation points"] == []
