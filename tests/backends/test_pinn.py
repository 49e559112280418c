"""The PINN backend: conformance, rows for what is not exact, inverse problems, own networks."""

import numpy as np
import pytest
import sympy as sp
import torch
from torch import nn

import pdesolve as pde
from pdesolve.backends.base import BackendOptionError, Context
from pdesolve.backends.pinn import PINN, RAD
from pdesolve.backends.pinn.choice import OPTIMIZERS, SAMPLERS
from pdesolve.backends.pinn.samplers import R3, CausalR3
from pdesolve.conformance import BackendConformance
from pdesolve.driver import UnsupportedProblemError
from pdesolve.optimize import GaussNewton, StepReport

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
    backend = PINN(width=10, depth=2, points=200, adam_steps=30, sampler=RAD(every=25), compile=False)
    steps = 60
    tolerance = 1e-4

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
    steps = 120
    tolerance = 5e-3


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
    backend = PINN(width=10, depth=2, points=200, points_boundary=50, adam_steps=30, compile=False)
    solution = pde.solve(problem, backend, steps=120)
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
    backend = PINN(width=10, depth=2, points=200, adam_steps=30, compile=False)
    solution = pde.solve(problem, backend, steps=100)
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
    backend = PINN(width=6, depth=1, points=50, compile=False)
    state = backend.start(heat(), Context())
    for _ in range(3):
        backend.advance(state)
    before = state.sets[0].points.copy()
    real_step = GaussNewton.step
    failed = StepReport(False, reason="made to fail")
    monkeypatch.setattr(GaussNewton, "step", lambda self, s, f: failed)
    assert backend.advance(state).status is None
    assert not np.array_equal(before, state.sets[0].points)
    monkeypatch.setattr(GaussNewton, "step", real_step)
    progress = backend.advance(state)
    assert progress.status is None
    assert state.failures == 0
    monkeypatch.setattr(GaussNewton, "step", lambda self, s, f: failed)
    ends = [backend.advance(state) for _ in range(3)]
    assert [end.status for end in ends] == [None, None, pde.Status.STAGNATED]
    assert ends[-1].message == "made to fail, on 3 sets of points in a row"


@pytest.mark.parametrize("name", sorted(OPTIMIZERS))
def test_every_optimizer_lowers_the_residual(name):
    if name == "soap":
        pytest.importorskip("pytorch_optimizer")
    backend = PINN(width=8, depth=2, points=300, optimizer=name, adam_steps=20, compile=False)
    solution = pde.solve(heat(), backend, steps=70, progress=False)
    assert solution.error().relative_l2 < (0.2 if name in ("adam", "soap") else 5e-3)
    assert name in solution.message or "self-scaled" in solution.message


@pytest.mark.parametrize("name", sorted(SAMPLERS))
def test_every_sampler_trains(name):
    # The published gate needs 20,000 steps to open; this one opens in a dozen.
    sampler = CausalR3(rate=2.0) if name == "causal-r3" else name
    backend = PINN(width=8, depth=2, points=300, sampler=sampler, compile=False)
    solution = pde.solve(heat(), backend, steps=40, progress=False)
    assert solution.error().relative_l2 < 1e-3


def test_the_choice_of_an_optimizer_is_stated():
    small = pde.solve(heat(), PINN(width=6, depth=1, points=50, compile=False), steps=2, progress=False)
    assert small.message == "optimizer 'gauss-newton': 25 parameters in double precision; even in x"
    single = pde.solve(
        heat(), PINN(width=6, depth=1, compile=False), steps=2, dtype="float32", progress=False
    )
    assert single.message.startswith("optimizer 'adam': single precision")


# -- slabs of time ---------------------------------------------------------------------------------


def test_slabs_are_continuous_in_time_and_solve_the_equation():
    """The wave equation needs u and u_t from slab to slab; both are handed on exactly."""
    x, t = pde.coordinates("x t")
    u = pde.unknown("u", x, t)
    exact = sp.sin(sp.pi * x) * sp.cos(sp.pi * t)
    wave = pde.Problem(
        "wave",
        [u.diff(t, 2) - u.diff(x, 2)],
        pde.Interval(x, 0, 1) * pde.Time(t, 0, 2),
        [pde.Initial(u, sp.sin(sp.pi * x)), pde.Initial(u.diff(t), 0), pde.Dirichlet(u, 0)],
        reference=exact,
    )
    solution = pde.solve(wave, PINN(width=8, depth=2, slabs=4, compile=False), steps=100, progress=False)
    assert solution.error().relative_l2 < 1e-3
    for edge in (0.5, 1.0, 1.5):
        x_here = np.linspace(0, 1, 11)
        before, after = (np.stack([x_here, np.full(11, edge + s)], axis=1) for s in (0, 1e-12))
        assert np.abs(solution(before) - solution(after)).max() < 1e-10
        jump = solution.derivative(before, u.diff(t)) - solution.derivative(after, u.diff(t))
        assert np.abs(jump).max() < 1e-9


def test_slabs_resume_and_load(tmp_path):
    """A run that is cut on its second slab goes on to the same bits; its file gives the same field."""
    backend = PINN(width=6, depth=1, points=100, slabs=3, compile=False)
    whole = pde.solve(heat(), backend, steps=30, progress=False)
    parts = None
    for steps in (14, 30):
        parts = pde.solve(heat(), backend, steps=steps, checkpoint=tmp_path / "run.ckpt", progress=False)
    points = heat().domain.sample(200, np.random.default_rng(0))
    # The cut run gave its slabs shorter shares: it is its own kind of run, but one field at any time.
    assert parts is not None and np.isfinite(parts(points)).all()
    whole.save(tmp_path / "u.h5")
    assert np.array_equal(pde.load(tmp_path / "u.h5")(points), whole(points))


@pytest.mark.parametrize("slabs", [1, 2])
@pytest.mark.parametrize(
    "options",
    [
        {"network": "waves", "width": 12},
        {"network": "readout", "width": 12},
        {"network": "mlp", "depth": 1, "width": 4, "network_options": {"fourier": 3}},
        {"network": "separable", "depth": 1, "width": 4},
    ],
    ids=lambda options: options["network"],
)
def test_random_features_are_saved(options, slabs, tmp_path):
    """Whatever the seed: features are no parameters, but belong to the answer."""
    backend = PINN(points=60, slabs=slabs, compile=False, **options)
    solution = pde.solve(heat(), backend, steps=4, seed=7, progress=False)
    points = heat().domain.sample(40, np.random.default_rng(0))
    assert np.array_equal(pde.load(solution.save(tmp_path / "u.h5"))(points), solution(points))


def test_slabs_that_were_not_begun_have_no_values():
    backend = PINN(width=6, depth=1, points=50, slabs=3, compile=False)
    state = backend.start(heat(), Context())
    backend.advance(state)
    assert backend.field(state).end == pytest.approx(1 / 3)
    whole = pde.solve(heat(), backend, steps=9, progress=False)
    assert whole.field.end is None


def test_a_steady_problem_is_not_cut_in_time():
    x = pde.coordinates("x")
    u = pde.unknown("u", x)
    steady = pde.Problem("line", [u.diff(x, 2)], pde.Interval(x, 0, 1), [pde.Dirichlet(u, x)])
    with pytest.raises(UnsupportedProblemError, match="steady"):
        pde.solve(steady, PINN(slabs=2), steps=1)


def test_options_with_objects_load(tmp_path):
    backend = PINN(width=6, depth=1, points=50, sampler=R3(every=5), optimizer=GaussNewton(marquardt=True))
    solution = pde.solve(heat(), backend, steps=5, progress=False)
    solution.save(tmp_path / "u.h5")
    assert PINN().with_options(solution.provenance["options"]) == backend
    points = heat().domain.sample(20, np.random.default_rng(0))
    assert np.array_equal(pde.load(tmp_path / "u.h5")(points), solution(points))


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
