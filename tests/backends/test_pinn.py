"""The PINN backend: conformance, rows for what is not exact, inverse problems, own networks."""

import numpy as np
import pytest
import sympy as sp
import torch
from torch import nn

import pdesolve as pde
from pdesolve.backends.base import BackendOptionError, Context
from pdesolve.backends.pinn import PINN, RAD
from pdesolve.conformance import BackendConformance
from pdesolve.optimize import StepReport

x, t = pde.coordinates("x t")
u = pde.unknown("u", x, t)


def heat(**options):
    k = pde.parameter("k")
    exact = sp.exp(-k * sp.pi**2 * t / 4) * sp.sin(sp.pi * (x + 1) / 2)
    options.setdefault("reference", exact.subs(k, sp.Rational(1, 2)))
    settings = {
        "conditions": [pde.Initial(u, exact.subs(t, 0)), pde.Dirichlet(u, 0)],
        "parameters": {k: 0.5},
        **options,
    }
    return pde.Problem(
        "heat",
        [u.diff(t) - k * u.diff(x, 2)],
        pde.Interval(x, -1, 1) * pde.Time(t, 0, 1),
        **settings,
    )


class TestPINN(BackendConformance):
    backend = PINN(width=10, depth=2, points=200, adam_steps=30, sampler=RAD(every=40), compile=False)
    steps = 150
    tolerance = 1e-3

    def problem(self):
        return heat()

    def unsupported(self):
        return mixed_periodicity()


class TestPINNWithRows(TestPINN):
    """The same problem with every condition as a row, and the other optimisers' code path."""

    backend = PINN(
        width=10,
        depth=2,
        points=200,
        points_boundary=40,
        adam_steps=30,
        optimizer="ssbfgs",
        exact_conditions=False,
        compile=False,
    )
    steps = 250


def test_robin_and_neumann_conditions_are_met_by_rows():
    """u = e^(-t) cos x, symmetric at the left, 2u + u_x given at the right."""
    exact = sp.exp(-t) * sp.cos(x)
    problem = pde.Problem(
        "robin",
        [u.diff(t) - u.diff(x, 2)],
        pde.Interval(x, 0, 1) * pde.Time(t, 0, 1),
        [
            pde.Initial(u, sp.cos(x)),
            pde.Neumann(u, 0, on="left"),
            pde.Robin(u, (2 * exact + exact.diff(x)).subs(x, 1), on="right", a=2, b=1),
        ],
        reference=exact,
    )
    backend = PINN(width=10, depth=2, points=200, points_boundary=50, adam_steps=50, compile=False)
    solution = pde.solve(problem, backend, steps=300)
    assert solution.error().relative_l2 < 1e-4
    assert solution.error().relative_h1 < 1e-3


def test_an_unknown_diffusivity_is_identified_from_observations():
    k = pde.parameter("k", unknown=True, start=0.1, positive=True)
    exact = sp.exp(-(sp.pi**2) * t / 8) * sp.sin(sp.pi * (x + 1) / 2)
    where = np.random.default_rng(0).uniform([-1, 0], [1, 1], (40, 2))
    values = sp.lambdify((x, t), exact)(*where.T)
    problem = pde.Problem(
        "inverse",
        [u.diff(t) - k * u.diff(x, 2)],
        pde.Interval(x, -1, 1) * pde.Time(t, 0, 1),
        [pde.Initial(u, exact.subs(t, 0)), pde.Dirichlet(u, 0), pde.Observations(u, where, values)],
        reference=exact,
    )
    backend = PINN(width=10, depth=2, points=200, adam_steps=50, compile=False)
    solution = pde.solve(problem, backend, steps=250)
    assert solution.parameters["k"] == pytest.approx(0.5, rel=1e-3)
    assert solution.error().relative_l2 < 1e-3
    # the equation is evaluated with the estimate, not with the start value
    assert np.abs(solution.residual(where)["equation"]).max() < 0.05


class Cubic(nn.Module):
    """A user's network without jet rules."""

    def __init__(self, d, k, generator):
        super().__init__()
        self.first = nn.Parameter(torch.randn(8, d, generator=generator, dtype=torch.float64))
        self.second = nn.Parameter(0.3 * torch.randn(k, 8, generator=generator, dtype=torch.float64))

    def forward(self, points):
        return torch.tanh(points @ self.first.T) @ self.second.T


def test_a_users_own_module_trains():
    backend = PINN(network=Cubic, points=100, adam_steps=20, compile=False)
    solution = pde.solve(heat(), backend, steps=80)
    assert solution.error().relative_l2 < 2e-2
    assert solution.provenance["options"]["network"] == "Cubic"


def test_a_failed_search_moves_on_by_new_points(monkeypatch):
    """Where no step lowers the loss the points are redrawn; three times in a row end the run."""
    from pdesolve.backends.pinn import pinn as module

    backend = PINN(width=6, depth=1, points=50, adam_steps=1, compile=False)
    state = backend.start(heat(), Context())
    for _ in range(3):
        backend.advance(state)
    before = state.points[0].copy()
    real_step = module.SelfScaled.step
    failed = StepReport(False)
    monkeypatch.setattr(module.SelfScaled, "step", lambda self, s, f: failed)
    assert backend.advance(state).status is None
    assert not np.array_equal(before, state.points[0])
    monkeypatch.setattr(module.SelfScaled, "step", real_step)
    progress = backend.advance(state)
    assert progress.status is None
    assert state.failures == 0
    monkeypatch.setattr(module.SelfScaled, "step", lambda self, s, f: failed)
    ends = [backend.advance(state).status for _ in range(3)]
    assert ends == [None, None, pde.Status.STAGNATED]


@pytest.mark.parametrize(
    ("network", "words"),
    [
        (lambda d, k, g: nn.Linear(d + 1, k), "an error: mat1 and mat2"),
        (lambda d, k, g: nn.Linear(d, k + 1), r"from \(n, 2\) points to \(n, 1\) values"),
        (lambda d, k, g: torch.tanh, r"from \(n, 2\) points to \(n, 1\) values"),
    ],
)
def test_a_users_module_of_wrong_shape_is_refused(network, words):
    with pytest.raises(BackendOptionError, match=words):
        pde.solve(heat(), PINN(network=network), steps=1)


@pytest.mark.parametrize(
    "option",
    [
        {"width": "abc"},
        {"points": -4},
        {"depth": 2.5},
        {"optimizer": "abc"},
        {"activation": "relu"},
        {"sampler": "abc"},
        {"learning_rate": 0.0},
        {"compile": "always"},
        {"network": 3},
    ],
)
def test_bad_options_are_refused_by_name(option):
    with pytest.raises(BackendOptionError, match=next(iter(option))):
        PINN(**option)


def test_functions_that_torch_lacks_are_refused_in_words():
    problem = heat(conditions=[pde.Initial(u, sp.besselj(0, x)), pde.Dirichlet(u, sp.besselj(0, 1))])
    (reason,) = PINN().supports(problem)
    assert "besselj" in reason


def test_hyperbolic_secants_are_lowered():
    """A soliton's profile: SymPy's printers know no sech."""
    problem = heat(conditions=[pde.Initial(u, sp.sech(x)), pde.Dirichlet(u, sp.sech(1))], reference=None)
    solution = pde.solve(problem, PINN(width=4, depth=1, points=20, compile=False), steps=2)
    assert solution(np.array([[0.5, 0.0]]))[0, 0] == pytest.approx(1 / np.cosh(0.5))


def test_rad_survives_residuals_that_are_not_finite():
    residual = np.full(100, 1.0)
    residual[3], residual[5] = np.inf, np.nan
    chosen = RAD().choose(np.linspace(0, 1, 100)[:, None], residual[None], 50, np.random.default_rng(0))
    assert len(np.unique(chosen)) == 50


def test_rad_prefers_large_residuals_but_covers_the_domain():
    rng = np.random.default_rng(0)
    candidates = np.linspace(0, 1, 5000)[:, None]
    residual = np.where(candidates[:, 0] > 0.9, 10.0, 0.1)
    chosen = RAD(uniform=1.0).choose(candidates, residual[None], 500, rng)[:, 0]
    share = (chosen > 0.9).mean()
    assert 0.3 < share < 0.8  # a tenth of the candidates, about half of the choice
    assert np.histogram(chosen, 10, (0, 1))[0].min() > 5
    assert len(np.unique(chosen)) == 500


def mixed_periodicity():
    v = pde.unknown("v", x, t)
    return pde.Problem(
        "mixed",
        [u.diff(t) - u.diff(x, 2) + v, v.diff(t) - v.diff(x, 2)],
        pde.Interval(x, 0, 1) * pde.Time(t, 0, 1),
        [pde.Periodic(u), pde.Initial(u, 0), pde.Initial(v, 0), pde.Dirichlet(v, 0)],
    )
