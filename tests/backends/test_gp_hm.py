"""GP-HM as published: its objective against the formula written out, its training, its refusals."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

import pdesolve as pde
from pdesolve.backends.base import BackendOptionError
from pdesolve.backends.gp import GPHM
from pdesolve.backends.gp.gp_hm import Objective
from pdesolve.conformance import BackendConformance

x, y = pde.coordinates("x y")


class TestGPHM(BackendConformance):
    """One wave on few points. Its published training is slow: `test_training_converges` takes more steps."""

    backend = GPHM(n=40, components=8, highest=3.0)
    steps = 400
    tolerance = 0.6

    def problem(self) -> pde.Problem:
        return wave()

    def unsupported(self) -> pde.Problem:
        return pde.catalogue("kuramoto-sivashinsky")


def wave() -> pde.Problem:
    from sympy import sin

    u = pde.unknown("u", x)
    exact = sin(9 * x)
    ends = [pde.Dirichlet(u, exact)]
    return pde.Problem(
        "wave", [u.diff(x, 2) - exact.diff(x, 2)], pde.Interval(x, 0, 1), ends, reference=exact
    )


def square() -> pde.Problem:
    from sympy import sin

    u = pde.unknown("u", x, y)
    exact = sin(3 * x) * sin(2 * y)
    equation = u.diff(x, 2) + u.diff(y, 2) + u**3 - (exact.diff(x, 2) + exact.diff(y, 2) + exact**3)
    return pde.Problem("square", [equation], pde.Box((x, 0, 1), (y, 0, 1)), [pde.Dirichlet(u, exact)])


@pytest.mark.parametrize("kernel", ["gaussian", "student-t"])
def test_objective_is_the_formula_written_out(kernel):
    """On a small square, with the covariance matrix of all values and no Kronecker algebra."""
    options = GPHM(kernel=kernel, n=6, components=2, highest=1.5, jitter=1e-3)
    objective = Objective(options, square())
    rng = np.random.default_rng(0)
    theta = objective.start() + 0.1 * torch.as_tensor(rng.normal(size=len(objective.start())))
    values, kernels, log_tau, log_v = objective.process.split(theta)
    line = torch.linspace(0, 1, 6, dtype=torch.float64)
    each = [k.matrix(line, line) + 1e-3 * torch.eye(6, dtype=torch.float64) for k in kernels]
    whole = torch.kron(each[0], each[1])
    u = values.reshape(-1)
    solved = torch.linalg.solve(whole, u)
    prior = -0.5 * torch.linalg.slogdet(whole)[1] - 0.5 * u @ solved
    eye = torch.eye(6, dtype=torch.float64)
    second = [k.matrix(line, line, (2, 0)) @ torch.linalg.inv(m) for k, m in zip(kernels, each, strict=True)]
    laplacian = torch.kron(second[0], eye) @ u + torch.kron(eye, second[1]) @ u
    at_x, at_y = (m.reshape(-1) for m in torch.meshgrid(line, line, indexing="ij"))
    exact = torch.sin(3 * at_x) * torch.sin(2 * at_y)
    residual = laplacian + u**3 - (-13 * exact + exact**3)
    gaps = torch.cat(
        [(u - exact).reshape(6, 6)[w] for w in [(0,), (-1,), (slice(None), 0), (slice(None), -1)]]
    )
    boundary = 0.5 * len(gaps) * log_tau - 0.5 * log_tau.exp() * gaps.square().sum()
    equation = 0.5 * len(residual) * log_v - 0.5 * log_v.exp() * residual.square().sum()
    expected = -(prior + 200 * boundary + equation)
    assert float(objective.value(theta)) == pytest.approx(float(expected), rel=1e-9)


def test_gradient_is_that_of_the_objective():
    objective = Objective(GPHM(n=6, components=2, highest=1.5, jitter=1e-3), square())
    theta = objective.start() + 0.05
    _, gradient = objective(theta)
    for i in (0, 7, 36, 38, 41, len(theta) - 2, len(theta) - 1):
        step = torch.zeros_like(theta)
        step[i] = 1e-5
        quotient = float(objective.value(theta + step) - objective.value(theta - step)) / 2e-5
        assert quotient == pytest.approx(float(gradient[i]), rel=1e-4, abs=1e-4)


def test_start_is_the_published_one():
    options = GPHM(n=10, components=5, highest=8.0)
    theta = Objective(options, wave()).start()
    assert torch.equal(theta[:10], torch.zeros(10, dtype=torch.float64))
    assert theta[10:15].tolist() == pytest.approx([-math.log(5)] * 5)
    assert theta[15:20].tolist() == [0.0] * 5
    assert theta[20:25].tolist() == [0, 2, 4, 6, 8]
    assert theta[25:].tolist() == [0.0, 0.0]


@pytest.mark.slow
def test_training_converges():
    solution = pde.solve(wave(), GPHM(n=60, components=8, highest=3.0), steps=6000, progress=False)
    assert solution.error().relative_l2 < 1e-3


def test_a_second_process_goes_on_from_the_first():
    backend = GPHM(n=40, components=8, highest=3.0, change_point=0.5)
    solution = pde.solve(wave(), backend, steps=300, progress=False)
    arrays = solution.field.arrays()
    once = pde.solve(wave(), GPHM(n=40, components=8, highest=3.0), steps=150, progress=False)
    assert np.array_equal(arrays["fixed"], once.field.arrays()["theta"])
    assert np.abs(arrays["theta"][:40]).max() > 1e-3  # the second one's values


@pytest.mark.parametrize(
    ("option", "value"),
    [("kernel", "cosine"), ("n", 2), ("components", 0), ("highest", -1), ("jitter", 0), ("change_point", 2)],
)
def test_options_out_of_range(option, value):
    with pytest.raises(BackendOptionError, match=option):
        GPHM(**{option: value})


def test_what_it_does_not_cover():
    u = pde.unknown("u", x)
    flux = pde.Problem(
        "flux",
        [u.diff(x, 2)],
        pde.Interval(x, 0, 1),
        [pde.Dirichlet(u, 0, on="left"), pde.Neumann(u, 1, on="right")],
    )
    assert "values on faces" in GPHM().supports(flux)[0]
    assert "one unknown" in GPHM().supports(pde.catalogue("kovasznay"))[0]
