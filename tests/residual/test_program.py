"""Lowering: which derivatives are asked for, and the exact linearisation."""

import numpy as np
import pytest
import sympy as sp

import pdesolve.declare as pde
from pdesolve.residual.program import Program, derivative_name, lower

x, y = pde.coordinates("x y")
u, v = pde.unknown("u v", x, y)


def problem(equations, conditions=None, **options):
    conditions = conditions or [pde.Dirichlet(u, 0, on=("left", "right")), pde.Dirichlet(v, 0)]
    return pde.Problem("test", equations, pde.Box((x, 0, 1), (y, 0, 1)), conditions, **options)


def test_only_derivatives_that_occur_are_asked_for():
    program = Program(problem([u * u.diff(x) - v.diff(x, y) - u.diff(x, 2), v.diff(y, 2) - u]))
    names = {derivative_name(program.problem, d) for d in program.derivatives}
    assert names == {"u", "v", "u_x", "u_xx", "v_xy", "v_yy"}


def test_linearisation_is_the_derivative_of_the_residual():
    k = pde.parameter("k")
    program = Program(
        problem(
            [sp.sin(u) * u.diff(x, 2) + u.diff(x) ** 3 * k - x * v, v.diff(x, 2) - u], parameters={k: 2.5}
        )
    )
    term = program.equations[0]
    assert not term.is_linear
    assert program.equations[1].is_linear
    rng = np.random.default_rng(0)
    values, points = list(rng.normal(size=(len(term.derivatives), 6))), rng.random((6, 2))
    exact = term.linearisation("numpy")(*values, *points.T)
    step = 1e-6
    for i, coefficient in enumerate(exact):
        shifted = [[d + sign * step * (j == i) for j, d in enumerate(values)] for sign in (1, -1)]
        up, down = (program.evaluate(term, s, points) for s in shifted)
        assert np.broadcast_to(coefficient, 6) == pytest.approx((up - down) / (2 * step), rel=1e-6, abs=1e-8)


def test_numpy_and_torch_agree_and_irrational_constants_are_lowered():
    import torch

    expression = (
        sp.sqrt(2) * sp.exp(-x) + sp.pi**2 * sp.Abs(y) + sp.Piecewise((x, x > sp.Rational(1, 2)), (y, True))
    )
    points = np.random.default_rng(0).random((5, 2))
    by_numpy = lower((x, y), expression, "numpy")(*points.T)
    by_torch = lower((x, y), expression, "torch")(*torch.tensor(points).unbind(1))
    by_hand = (
        np.sqrt(2) * np.exp(-points[:, 0])
        + np.pi**2 * points[:, 1]
        + np.where(points[:, 0] > 0.5, points[:, 0], points[:, 1])
    )
    assert by_numpy == pytest.approx(by_hand, rel=1e-14)
    assert by_torch.numpy() == pytest.approx(by_hand, rel=1e-14)


def test_conditions_become_terms_with_normals_put_in():
    made = Program(
        problem(
            [u.diff(x, 2) + u.diff(y, 2), v.diff(x, 2) + v.diff(y, 2)],
            [
                pde.Dirichlet(u, 0, on=("right", "bottom", "top")),
                pde.Robin(u, 3, on="left", a=2, b=1),
                pde.Dirichlet(v, 0),
            ],
        )
    )
    robin = next(term for term in made.conditions if term.name.startswith("robin"))
    # outward normal on the left is -x: 2 u - u_x - 3
    values = [np.array([1.0]) if d[1] == (0, 0) else np.array([10.0]) for d in robin.derivatives]
    assert made.evaluate(robin, values, np.zeros((1, 2)))[0] == pytest.approx(2 - 10 - 3)
