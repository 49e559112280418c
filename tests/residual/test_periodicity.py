"""Periodicity as rows: differences between opposite faces."""

import numpy as np
import pytest
import sympy as sp
import torch
from torch import nn

import pdesolve.declare as pde
from pdesolve.problems import catalogue
from pdesolve.residual.ansatz import build_ansatz
from pdesolve.residual.model import Model
from pdesolve.residual.periodicity import periodic_terms
from pdesolve.residual.program import Program
from pdesolve.residual.residual import Residual

x, y, t = pde.coordinates("x y t")
u = pde.unknown("u", x, y, t)


def heat():
    return pde.Problem(
        "heat",
        [u.diff(t) - u.diff(x, 2) - u.diff(y)],
        pde.Box((x, -1, 2), (y, 0, 5)) * pde.Time(t, 0, 1),
        [pde.Initial(u, sp.sin(2 * sp.pi * x / 3)), pde.Periodic(u)],
    )


def residual(network, **options):
    problem = heat()
    program = Program(problem, [*problem.terms, *periodic_terms(problem)])
    ansatz = build_ansatz(problem, exact=False, periodic=False)
    return Residual(program, Model(program, network, ansatz), **options)


def of_periodicity(made, points):
    """Names and values of the rows that compare faces."""
    values = made.values(made.start(), made.batch(points))
    return {
        made.terms[i].name: row.numpy()
        for group, rows in zip(made.groups, values, strict=True)
        for i, row in zip(group, rows, strict=True)
        if made.terms[i].term.shift
    }


def points_of(made, n=7):
    rng = np.random.default_rng(0)
    return [made.terms[g[0]].term.sample(heat().domain, n, rng) for g in made.groups]


def test_orders_below_those_of_the_equations_are_compared():
    names = [term.name for term in periodic_terms(heat())]
    assert names == ["periodic u on left", "periodic u_x on left", "periodic u on bottom"]


def test_a_linear_function_jumps_by_its_slope_times_the_period():
    network = nn.Sequential(nn.Linear(3, 1, dtype=torch.float64))
    with torch.no_grad():
        network[0].weight[:] = torch.tensor([[2.0, -0.5, 4.0]])
    made = residual(network)
    found = of_periodicity(made, points_of(made))
    np.testing.assert_allclose(found["periodic u on left"], -2.0 * 3)
    np.testing.assert_allclose(found["periodic u on bottom"], 0.5 * 5)
    np.testing.assert_allclose(found["periodic u_x on left"], 0.0, atol=1e-14)


def test_gradient_jacobian_and_tangent_agree():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(3, 6), nn.Tanh(), nn.Linear(6, 1)).double()
    made = residual(network)
    batch = made.batch(points_of(made))
    theta = made.start()
    rows, jacobian = made.linearise(theta, batch)
    loss, gradient = made.loss_and_gradient(theta, batch)
    nested = torch.autograd.functional.jacobian(lambda th: made._all_rows(th, batch), theta)
    torch.testing.assert_close(jacobian, nested)
    torch.testing.assert_close(loss, rows.square().sum())
    torch.testing.assert_close(gradient, 2 * jacobian.T @ rows)
    move = torch.randn(len(theta), dtype=torch.float64)
    along = zip(made.tangent_values(theta, move, batch), batch, strict=True)
    on_plane = torch.cat([(b.weights.sqrt() * r).reshape(-1) for r, b in along])
    torch.testing.assert_close(on_plane, rows + jacobian @ move)  # the equation is linear


@pytest.mark.slow
def test_compiled_equals_eager():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1)).double()
    eager, compiled = residual(network), residual(network, compile=True)
    batch = eager.batch(points_of(eager))
    for found, expected in zip(
        compiled.loss_and_gradient(compiled.start(), batch),
        eager.loss_and_gradient(eager.start(), batch),
        strict=True,
    ):
        torch.testing.assert_close(found, expected)
    assert compiled.compile_seconds > 0


def test_each_unknown_has_the_orders_of_its_own_equation():
    v = pde.unknown("v", x, y, t)
    problem = heat().replace(
        equations=[u.diff(t) + u.diff(x, 4) + v, v.diff(t) + v.diff(x) - u],
        conditions=[c for w in (u, v) for c in (pde.Initial(w, 1), pde.Periodic(w))],
        unknowns=(u, v),
    )
    names = [term.name for term in periodic_terms(problem)]
    assert names == [
        *(f"periodic {d} on left" for d in ("u", "u_x", "u_xx", "u_xxx")),
        "periodic u on bottom",
        "periodic v on left",
        "periodic v on bottom",
    ]


def test_a_kink_at_the_seam_is_not_frozen_into_the_lift():
    """Allen-Cahn's x² cos πx has slopes ±2 at the ends: rows of u_x there would never fall."""
    assert not build_ansatz(catalogue("allen-cahn"), periodic=False).exact
    smooth = heat()
    assert "initial u" in build_ansatz(smooth, periodic=False).exact


def test_a_periodic_background_adds_nothing_and_another_its_jump():
    class Background:
        def __init__(self, slope):
            self.slope = slope

        def derivatives(self, points, wanted):
            own = {(0, (0, 0, 0)): np.sin(2 * np.pi * points[:, 0] / 3) + self.slope * points[:, 0]}
            return [own.get(d, np.zeros(len(points))) for d in wanted]

    network = nn.Sequential(nn.Linear(3, 1, dtype=torch.float64))
    nn.init.zeros_(network[0].weight)
    for slope in (0.0, 1.5):
        made = residual(network, background=Background(slope))
        found = of_periodicity(made, points_of(made))
        np.testing.assert_allclose(found["periodic u on left"], -slope * 3, atol=1e-12)
