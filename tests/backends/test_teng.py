"""Neural time stepping against closed forms, other backends and its own published forms."""

from __future__ import annotations

import numpy as np
import pytest
import sympy as sp
import torch
from sympy import cos, exp, pi, sin

import pdesolve as pde
from pdesolve.backends.base import BackendOptionError, Context
from pdesolve.backends.teng import TENG
from pdesolve.checkpoint import pack, unpack
from pdesolve.conformance import BackendConformance
from pdesolve.solution.status import Status

x, y, t = pde.coordinates("x y t")
u = pde.unknown("u", x, t)
circle = pde.Interval(x, 0, 2 * pi) * pde.Time(t, 0, sp.Rational(1, 2))
DECAY = exp(-t / 5) * sin(x) + exp(-4 * t / 5) * cos(2 * x) / 2


def heat():
    """Two waves that decay, each on its own."""
    conditions = [pde.Initial(u, DECAY.subs(t, 0)), pde.Periodic(u)]
    return pde.Problem("heat", [u.diff(t) - u.diff(x, 2) / 5], circle, conditions, reference=DECAY)


class TestConformance(BackendConformance):
    backend = TENG(width=8, depth=2, rtol=1e-4)
    steps = 60
    tolerance = 1e-4

    def problem(self):
        return heat()

    def unsupported(self):
        return pde.catalogue("poisson")


def error(problem, seed=0, **options):
    solution = pde.solve(problem, TENG(**options), seed=seed, progress=False, throw=False)
    assert solution.status in (Status.CONVERGED, Status.COMPLETED, Status.STAGNATED), solution.message
    return solution.error().relative_l2


@pytest.mark.parametrize(
    ("scheme", "order", "steps"),
    [
        ("euler", 1, (8, 16)),
        ("heun", 2, (4, 8)),
        ("rk4", 4, (4, 8)),
        ("midpoint", 2, (4, 8)),
        ("esdirk4", 4, (2, 4)),
    ],
)
def test_orders_in_time(scheme, order, steps):
    """At the end, where no interpolation in time adds to the error; little diffusion keeps all stable."""
    exact = 1 / (1 + t + sin(x) / 2)
    problem = pde.Problem(
        "reaction",
        [u.diff(t) - u.diff(x, 2) / 10000 + u**2],
        circle,
        [pde.Initial(u, 0), pde.Periodic(u)],
    ).manufacture(u=exact)
    at = np.column_stack([np.linspace(0, 2 * np.pi, 50), np.full(50, 0.5)])
    errors = []
    for count in steps:
        backend = TENG(scheme=scheme, dt=0.5 / count, width=10, depth=2, rtol=1e-7)
        solution = pde.solve(problem.replace(reference=None), backend, progress=False, throw=False)
        errors.append(np.linalg.norm(solution(at)[:, 0] - sp.lambdify((x, t), exact, "numpy")(*at.T)))
    assert np.log2(errors[0] / errors[1]) == pytest.approx(order, abs=0.2)


def test_steps_follow_the_tolerance_and_the_estimate_the_error():
    solution = pde.solve(heat(), TENG(width=10, depth=2), progress=False)
    assert solution.status is Status.CONVERGED
    assert solution.error().relative_l2 < 2e-6
    assert solution.error_estimate is not None
    assert solution.error().relative_l2 < 3 * solution.error_estimate


def square(conditions):
    w = pde.unknown("w", x, y, t)
    domain = pde.Box((x, 0, 1), (y, 0, 1)) * pde.Time(t, 0, sp.Rational(1, 10))
    equation = w.diff(t) - (w.diff(x, 2) + w.diff(y, 2)) / 10 - w + w**3
    problem = pde.Problem("square", [equation], domain, [pde.Initial(w, 0), *conditions(w)])
    return problem.manufacture(w=exp(-t) * sin(2 * x + y) + cos(x - 3 * y * t) / 2)


def test_dirichlet_data_that_move_hold_exactly():
    problem = square(lambda w: [pde.Dirichlet(w, 0)])
    solution = pde.solve(problem, TENG(width=10, depth=2, rtol=1e-3), progress=False, throw=False)
    assert solution.error().relative_l2 < 1e-4
    wall = np.column_stack([np.zeros(9), np.linspace(0, 1, 9), np.full(9, 0.1)])
    exact = problem.reference.expressions[0]
    np.testing.assert_allclose(
        solution(wall)[:, 0], sp.lambdify((x, y, t), exact, "numpy")(*wall.T), rtol=1e-12
    )


def test_fluxes_are_rows_of_every_stage():
    sides = {"left": pde.Dirichlet, "right": pde.Neumann, "top": pde.Robin, "bottom": pde.Neumann}
    problem = square(lambda w: [kind(w, 0, on=side) for side, kind in sides.items()])
    assert error(problem, width=10, depth=2, rtol=1e-3) < 1e-3


def test_a_wave_is_a_system_of_first_order():
    standing = sin(x) * cos(t)
    conditions = [pde.Initial(u, sin(x)), pde.Initial(u.diff(t), 0), pde.Periodic(u)]
    problem = pde.Problem("wave", [u.diff(t, 2) - u.diff(x, 2)], circle, conditions, reference=standing)
    solution = pde.solve(problem, TENG(width=8, depth=2, rtol=1e-5), progress=False, throw=False)
    assert solution.error().relative_l2 < 2e-5
    rate = solution.derivative(np.array([[1.0, 0.4]]), u.diff(t))
    np.testing.assert_allclose(rate, -np.sin(1.0) * np.sin(0.4), atol=1e-4)


def test_a_disc_with_dirichlet_data():
    w = pde.unknown("w", x, y, t)
    domain = pde.Disk((x, y), (0, 0), 1) * pde.Time(t, 0, sp.Rational(1, 10))
    problem = pde.Problem(
        "disc",
        [w.diff(t) - w.diff(x, 2) - w.diff(y, 2)],
        domain,
        [pde.Initial(w, 0), pde.Dirichlet(w, 0)],
    ).manufacture(w=exp(-t) * cos(x + y))
    assert error(problem, width=10, depth=2, rtol=1e-4, points=500) < 1e-4


@pytest.mark.parametrize(
    ("published", "scheme", "dt", "subset", "cut_off", "within"),
    [
        ("teng", "heun", 0.02, 60, 1e-5, 2e-3),
        ("tdvp", "rk4", 0.02, 1, 1e-7, 1e-3),
        ("rsng", "rk4", 0.02, 80, 1e-4, 1e-3),
        ("obti", "euler", 0.25, 1, 1e-7, 3e-2),
        ("insr", "midpoint", 0.05, 1, 1e-7, 1e-3),
    ],
)
def test_published_forms_solve_the_same_problem(published, scheme, dt, subset, cut_off, within):
    options = {"width": 8, "depth": 2, "points": 48, "rtol": 1e-4, "subset": subset, "cut_off": cut_off}
    assert error(heat(), published=published, scheme=scheme, dt=dt, **options) < within


def test_an_unknown_without_a_time_derivative_is_found_at_every_stage():
    """u_t = -v with v - v_xx = u: each wave of u decays at its own rate."""
    v = pde.unknown("v", x, t)
    exact = {u: exp(-t / 2) * sin(x) + exp(-t / 5) * cos(2 * x), v: exp(-t / 2) * sin(x) / 2}
    exact[v] += exp(-t / 5) * cos(2 * x) / 5
    conditions = [pde.Initial(u, exact[u].subs(t, 0)), pde.Periodic(u), pde.Periodic(v)]
    equations = [u.diff(t) + v, v - v.diff(x, 2) - u]
    problem = pde.Problem("screened", equations, circle, conditions, unknowns=(u, v), reference=exact)
    assert error(problem, width=10, depth=2, rtol=1e-5) < 2e-5
    with pytest.raises(pde.PDESolveError, match="v has no time derivative"):
        pde.solve(problem, TENG(scheme="rk4", dt=0.1), progress=False)


def test_what_repeats_itself_is_right_beyond_its_first_period():
    exact = exp(-4 * t / 5) * cos(2 * x) + exp(-16 * t / 5) * sin(4 * x) / 2
    conditions = [pde.Initial(u, exact.subs(t, 0)), pde.Periodic(u)]
    problem = pde.Problem("heat", [u.diff(t) - u.diff(x, 2) / 5], circle, conditions, reference=exact)
    backend = TENG(width=8, depth=2, rtol=1e-4)
    assert backend.start(problem, Context()).space.problem.domain.bounds[0, 1] == pytest.approx(np.pi)
    solution = pde.solve(problem, backend, progress=False, throw=False)
    assert solution.error().relative_l2 < 1e-4


def test_a_field_that_starts_from_nothing_is_driven():
    exact = (1 - exp(-t / 5)) * sin(x)
    conditions = [pde.Initial(u, 0), pde.Periodic(u)]
    equation = u.diff(t) - u.diff(x, 2) / 5 - sin(x) / 5
    problem = pde.Problem("driven", [equation], circle, conditions, reference=exact)
    assert error(problem, width=8, depth=2, rtol=1e-3) < 1e-2


def test_incompressible_flow_keeps_its_volume_and_finds_its_pressure():
    problem = pde.catalogue("taylor-green", T=0.2, nu=0.1)
    solution = pde.solve(problem, TENG(width=8, depth=2, points=16, rtol=1e-2), progress=False, throw=False)
    assert solution.status in (Status.CONVERGED, Status.STAGNATED)
    end = np.random.default_rng(1).uniform([0, 0, 0.2], [6, 6, 0.2], (200, 3))
    decay = np.exp(-0.2 * 0.2)  # to 0.96: what stands still is wrong by 4 %
    exact = (
        np.stack([-np.cos(end[:, 0]) * np.sin(end[:, 1]), np.sin(end[:, 0]) * np.cos(end[:, 1])], axis=1)
        * decay
    )
    assert np.linalg.norm(solution(end)[:, :2] - exact) < 1e-2 * np.linalg.norm(exact)
    at = np.random.default_rng(0).uniform([0, 0, 0], [6, 6, 0.2], (50, 3))
    a, b, _ = problem.unknowns
    divergence = solution.derivative(at, a.diff(x)) + solution.derivative(at, b.diff(y))
    assert np.abs(divergence).max() < 5e-2


def test_flow_between_walls_keeps_to_them_and_finds_its_pressure():
    """A made flow that stands still at all walls, where the pressure has no condition."""
    a, b, p = pde.unknown("a b p", x, y, t)
    speed = [w.diff(t) + a * w.diff(x) + b * w.diff(y) - (w.diff(x, 2) + w.diff(y, 2)) / 10 for w in (a, b)]
    psi, pressure = (sin(pi * x) * sin(pi * y)) ** 2 * (1 + sin(3 * t)), cos(x + t) * sin(y + 1)
    problem = pde.Problem(
        "walls",
        [speed[0] + p.diff(x), speed[1] + p.diff(y), a.diff(x) + b.diff(y)],
        pde.Box((x, 0, 1), (y, 0, 1)) * pde.Time(t, 0, sp.Rational(1, 10)),
        [
            *(condition(w, 0) for w in (a, b) for condition in (pde.Initial, pde.Dirichlet)),
            pde.Value(p, 0, at={x: 0, y: 0}),
        ],
        unknowns=(a, b, p),
    ).manufacture(a=psi.diff(y), b=-psi.diff(x), p=pressure)
    solution = pde.solve(
        problem, TENG(width=8, depth=2, points=12, rtol=1e-2, dt=0.05), progress=False, throw=False
    )
    assert solution.status in (Status.CONVERGED, Status.STAGNATED)
    end = np.random.default_rng(0).uniform([0, 0, 0.1], [1, 1, 0.1], (200, 3))
    exact = [sp.lambdify((x, y, t), e, "numpy")(*end.T) for e in (psi.diff(y), -psi.diff(x), pressure)]
    for found, known, within in zip(solution(end).T, exact, (1e-2, 1e-2, 5e-2), strict=True):
        assert np.linalg.norm(found - known) < within * np.linalg.norm(known)
    wall = solution(np.array([[0.3, 1.0, 0.05], [0.0, 0.7, 0.1]]))[:, :2]
    assert np.abs(wall).max() < 1e-12


def test_advection_and_projection_one_after_the_other_are_of_first_order():
    """The published splitting on a flow that decays, from one first fit; its error halves with the step."""
    problem = pde.catalogue("taylor-green", T=0.4, nu=0.1).replace(reference=None)
    exact = (-exp(-t / 5) * cos(x) * sin(y), exp(-t / 5) * sin(x) * cos(y))
    grid = np.linspace(0, 2 * np.pi, 12)
    at = np.stack([m.ravel() for m in np.meshgrid(grid, grid, [0.4], indexing="ij")], axis=1)
    known = np.stack([sp.lambdify(problem.coordinates, e, "numpy")(*at.T) for e in exact], axis=1)
    options = {"width": 8, "depth": 2, "points": 16, "rtol": 1e-3}
    backend = TENG(published="insr", scheme="midpoint", dt=0.2, **options)
    state = backend.start(problem, Context())
    while not state.times:
        backend.advance(state)
    errors = []
    for steps in (2, 4):
        state.times, state.thetas, state.step = state.times[:1], state.thetas[:1], 0.4 / steps
        for _ in range(steps):
            backend.advance(state)
        errors.append(np.linalg.norm(backend.field(state).values(at, 3)[:, :2] - known))
    assert errors[1] / np.linalg.norm(known) < 0.03
    assert errors[0] / errors[1] == pytest.approx(2, abs=0.5)


def hurt(state):
    """Hidden layers shrunk a hundredfold: their tangents have lost what the state needs."""
    values = state.rows.state(state.theta, state.times[-1]) + state.carried
    state.thetas[-1] = torch.cat([1e-2 * state.theta[:-9], state.theta[-9:]])
    state.carried = values - state.rows.state(state.theta, state.times[-1])


def test_a_network_that_no_longer_fits_is_given_up_for_a_new_one():
    backend = TENG(width=8, depth=2, rtol=1e-4)
    state = backend.start(heat(), Context())
    messages, is_hurt = [], False
    for _ in range(300):
        progress = backend.advance(state)
        messages.append(progress.message)
        if progress.status is not None:
            break
        if len(state.times) == 7 and not is_hurt:
            is_hurt = True
            hurt(state)
    assert any("fit anew" in message for message in messages)
    at = np.column_stack([np.linspace(0, 6, 40), np.full(40, 0.5)])
    found = backend.field(state).values(at, 1)[:, 0]
    exact = sp.lambdify((x, t), DECAY, "numpy")(*at.T)
    assert np.linalg.norm(found - exact) < 1e-3 * np.linalg.norm(exact)


@pytest.mark.parametrize(
    "phase", ["first fit, with rates", "first fit", "steps", "fit anew, with rates", "fit anew"]
)
def test_a_run_goes_on_from_any_phase_as_if_it_had_not_been_cut(phase):
    backend = TENG(width=8, depth=2, rtol=1e-4)
    state, is_hurt = backend.start(heat(), Context()), False

    def now():
        kind = "steps" if state.draft is None else "fit anew" if state.times else "first fit"
        return kind + (", with rates" if state.draft is not None and state.with_rates else "")

    while now() != phase:
        backend.advance(state)
        if len(state.times) == 7 and not is_hurt:
            is_hurt = True
            hurt(state)
    resumed = unpack(pack(state), backend.start(heat(), Context(resuming=True)))
    for _ in range(8):
        whole, cut = backend.advance(state), backend.advance(resumed)
        assert (cut.loss, cut.message) == (whole.loss, whole.message)


def test_a_run_that_is_cut_knows_how_far_it_came():
    solution = pde.solve(heat(), TENG(width=8, depth=2, rtol=1e-3), steps=7, progress=False, throw=False)
    assert solution.reached is not None
    assert 0 < solution.reached < 0.5
    before, after = solution(np.array([[1.0, solution.reached / 2], [1.0, 0.5]]))[:, 0]
    assert before == pytest.approx(float(DECAY.subs({x: 1.0, t: solution.reached / 2})), abs=1e-2)
    assert np.isnan(after)


def test_options_that_cannot_work_are_refused():
    with pytest.raises(BackendOptionError, match="estimates no errors"):
        TENG(scheme="rk4")
    with pytest.raises(BackendOptionError, match="euler or heun or rk4"):
        TENG(published="teng", dt=0.1)
    with pytest.raises(BackendOptionError, match="midpoint"):
        TENG(published="insr", dt=0.1)
    flux = square(lambda w: [pde.Neumann(w, 0)])
    refused = TENG(published="tdvp", scheme="rk4", dt=0.1).supports(flux)
    assert "no rows for" in refused[0]
