"""Collocation on boxes that are not periodic all around: manufactured, closed and published solutions."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
import sympy as sp

from pdesolve import solve
from pdesolve.backends.base import Context
from pdesolve.backends.spectral import Spectral
from pdesolve.declare import (
    Box,
    Dirichlet,
    Initial,
    Interval,
    Neumann,
    Periodic,
    Problem,
    Robin,
    Time,
    Value,
    coordinates,
    unknown,
)
from pdesolve.declare.errors import CompatibilityWarning
from pdesolve.problems import catalogue
from pdesolve.solution.status import Status

x, y, z, t = coordinates("x y z t")
LINE, SQUARE = Interval(x, 0, 1), Box((x, 0, 1), (y, 0, 1))
HOUR = Time(t, 0, 1)


def answer(problem: Problem, **options: Any) -> Any:
    """The solution at the tolerance, whose estimate covers its error."""
    solution = solve(problem, Spectral(**options), progress=False)
    assert solution.status is Status.CONVERGED, solution.message
    error = max(solution.error().per_unknown.values())
    assert solution.error_estimate is not None
    assert error <= max(solution.error_estimate, 1e-11)
    return solution


# -- steady --------------------------------------------------------------------------------------------


def on_line(kind: str) -> Problem:
    u = unknown("u", x)
    ends = {
        "Dirichlet": [Dirichlet(u, 0)],
        "Neumann": [Neumann(u, 0)],
        "Robin": [Robin(u, 0, a=2, b=3)],
        "mixed": [Dirichlet(u, 0, on="left"), Robin(u, 0, on="right")],
        "one end": [Dirichlet(u, 0, on="left"), Neumann(u, 0, on="left")],
        "periodic": [Periodic(u)],
    }[kind]
    return Problem(kind, [((2 + sp.cos(2 * sp.pi * x)) * u.diff(x)).diff(x) - u - u**3], LINE, ends)


@pytest.mark.parametrize("kind", ["Dirichlet", "Neumann", "Robin", "mixed", "one end", "periodic"])
def test_conditions_on_a_line(kind: str) -> None:
    exact = sp.exp(sp.sin(2 * sp.pi * x)) if kind == "periodic" else sp.exp(x) * sp.sin(3 * x)
    answer(on_line(kind).manufacture(u=exact), rtol=1e-9)


@pytest.mark.parametrize("kind", ["Dirichlet", "Neumann", "Robin", "strip"])
def test_conditions_on_a_square(kind: str) -> None:
    u = unknown("u", x, y)
    conditions = {
        "Dirichlet": [Dirichlet(u, 0)],
        "Neumann": [Neumann(u, 0)],
        "Robin": [Robin(u, 0)],
        "strip": [Periodic(u, x), Dirichlet(u, 0, on="bottom"), Robin(u, 0, on="top")],
    }[kind]
    operator = u.diff(x, 2) + u.diff(y, 2) + u.diff(x, y) / 2 - (1 + y) * u - u * u.diff(x)
    along = sp.cos(2 * sp.pi * x) / 4 if kind == "strip" else x
    problem = Problem(kind, [operator], SQUARE, conditions).manufacture(u=sp.exp(along) * sp.sin(2 * y + 1))
    answer(problem, rtol=1e-9)


def test_a_box_in_space() -> None:
    u = unknown("u", x, y, z)
    sides = ("left", "right", "bottom", "top")
    conditions = [Dirichlet(u, 0, on=sides), Neumann(u, 0, on="back"), Robin(u, 0, on="front")]
    operator = u.diff(x, 2) + u.diff(y, 2) + u.diff(z, 2) - u
    problem = Problem("cube", [operator], Box((x, 0, 1), (y, 0, 1), (z, 0, 1)), conditions)
    answer(problem.manufacture(u=sp.exp(x - y) * sp.sin(z)), rtol=1e-5)


def test_errors_fall_geometrically() -> None:
    """u = 1/(1 + 25 (x - ½)²) has poles at ½ ± i/5: errors fall by 0.4 + (1 + 0.4²)^½ a point."""
    problem = on_line("Dirichlet").manufacture(u=1 / (1 + 25 * (x - sp.Rational(1, 2)) ** 2))
    errors = []
    for n in (20, 28, 36):  # the second level, which is the answer, has 30, 42 and 54 points
        solution = solve(problem, Spectral(n=n, dt=1.0, max_n=66, rtol=1e-15), progress=False)
        errors.append(solution.error().relative_l2)
    rates = np.log(np.array(errors[:-1]) / errors[1:]) / 12
    assert np.all(np.abs(rates - np.log(0.4 + np.sqrt(1.16))) < 0.06), (errors, rates)


@pytest.mark.parametrize("order", [3, 4])
def test_higher_orders(order: int) -> None:
    u = unknown("u", x)
    ends = [Dirichlet(u, 0), Neumann(u, 0, on="right" if order == 3 else None)]
    problem = Problem("beam", [u.diff(x, order) + u * u.diff(x) - u], LINE, ends)
    answer(problem.manufacture(u=sp.sin(3 * x) * sp.exp(x)))


def test_a_clamped_plate() -> None:
    u = unknown("u", x, y)
    operator = u.diff(x, 4) + 2 * u.diff(x, 2, y, 2) + u.diff(y, 4)
    problem = Problem("plate", [operator], SQUARE, [Dirichlet(u, 0), Neumann(u, 0)])
    answer(problem.manufacture(u=sp.exp(x) * sp.sin(2 * y)))


def test_gauges() -> None:
    u = unknown("u", x)
    exact = 1 + (1 - sp.cos(sp.pi * x)) / sp.pi**2
    gauged = [Neumann(u, 0), Value(u, 1, at={x: 0})]
    answer(Problem("gauge", [u.diff(x, 2) - sp.cos(sp.pi * x)], LINE, gauged, reference=exact))
    growth = Problem("growth", [u.diff(x) - u], LINE, [Value(u, 1, at={x: 0})], reference=sp.exp(x))
    answer(growth)


def test_allen_cahn_at_rest() -> None:
    """ε u'' + u - u³ = 0 between -1 and 1 joins them by tanh; continuation leads there from zero."""
    u = unknown("u", x)
    ends = [Dirichlet(u, -1, on="left"), Dirichlet(u, 1, on="right")]
    problem = Problem("Allen-Cahn", [u.diff(x, 2) / 20 + u - u**3], Interval(x, -1, 1), ends)
    answer(problem.manufacture(u=sp.tanh(x * sp.sqrt(10))))


def test_continuation_is_what_finds_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from pdesolve.backends.spectral import steady

    u = unknown("u", x)
    ends = [Dirichlet(u, -1, on="left"), Dirichlet(u, 1, on="right")]
    problem = Problem("Allen-Cahn", [u.diff(x, 2) / 100 + u - u**3], Interval(x, -1, 1), ends)
    problem = problem.manufacture(u=sp.tanh(x * sp.sqrt(50)))
    method = Spectral(n=32, dt=1.0)
    stages = []
    state = method.start(problem, Context())
    while (progress := method.advance(state)).status is None:
        stages.append(progress.message)
    assert any("continuation" in stage for stage in stages)
    monkeypatch.setattr(steady, "MOST_STEPS", 3)
    state = method.start(problem, Context())
    while (progress := method.advance(state)).status is None:
        pass
    assert progress.status is Status.STAGNATED and "Newton's method failed" in progress.message


def test_bratu() -> None:
    """u'' + e^u = 0, u(0) = u(1) = 0: u(½) = 2 ln(cosh(θ/4)) with θ = √2 cosh(θ/4)."""
    from scipy.optimize import brentq

    u = unknown("u", x)
    solution = solve(Problem("Bratu", [u.diff(x, 2) + sp.exp(u)], LINE, [Dirichlet(u, 0)]), Spectral())
    theta = brentq(lambda s: s - np.sqrt(2) * np.cosh(s / 4), 0.5, 3)
    assert abs(solution(np.array([[0.5]]))[0, 0] - 2 * np.log(np.cosh(theta / 4))) < 1e-10


def test_a_boundary_layer() -> None:
    """ε u'' + u' + 1 = 0 with ε = 1/500: the layer is 100 times thinner than the interval."""
    u = unknown("u", x)
    epsilon = sp.Rational(1, 500)
    exact = (1 - sp.exp(-x / epsilon)) / (1 - sp.exp(-1 / epsilon)) - x
    answer(
        Problem("layer", [epsilon * u.diff(x, 2) + u.diff(x) + 1], LINE, [Dirichlet(u, 0)], reference=exact)
    )


@pytest.mark.parametrize("name", ["poisson", "helmholtz", "kovasznay"])
def test_steady_catalogue(name: str) -> None:
    solution = answer(catalogue(name), n=16 if name == "kovasznay" else None, rtol=1e-4)
    assert max(solution.error().per_unknown.values()) < 1e-8


# -- in time -------------------------------------------------------------------------------------------


def moving(kind: str) -> Problem:
    u = unknown("u", x, t)
    start = Initial(u, 0)
    equation, conditions = {
        "Dirichlet": (u.diff(t) - u.diff(x, 2) + u * u.diff(x), [start, Dirichlet(u, 0)]),
        "Neumann": (u.diff(t) - u.diff(x, 2), [start, Neumann(u, 0)]),
        "Robin": (u.diff(t) - ((1 + u**2) * u.diff(x)).diff(x), [start, Robin(u, 0)]),
        "transport": (u.diff(t) + (1 + t) * u.diff(x), [start, Dirichlet(u, 0, on="left")]),
        "KdV": (
            u.diff(t) + u * u.diff(x) + u.diff(x, 3) / 50,
            [start, Dirichlet(u, 0), Neumann(u, 0, on="right")],
        ),
        "wave": (u.diff(t, 2) - u.diff(x, 2), [start, Initial(u.diff(t), 0), Dirichlet(u, 0)]),
        "Sobolev": (u.diff(t) - u.diff(x, 2, t) + u.diff(x), [start, Dirichlet(u, 0)]),
        "beam": (
            u.diff(t, 2) + u.diff(x, 4) / 100,
            [start, Initial(u.diff(t), 0), Dirichlet(u, 0), Neumann(u, 0)],
        ),
    }[kind]
    return Problem(kind, [equation], LINE * HOUR, conditions)


@pytest.mark.parametrize(
    "kind", ["Dirichlet", "Neumann", "Robin", "transport", "KdV", "wave", "Sobolev", "beam"]
)
def test_moving_data(kind: str) -> None:
    """Every datum depends on time: u = x + sin(3x + 2t) e^{-t}."""
    answer(moving(kind).manufacture(u=x + sp.sin(3 * x + 2 * t) * sp.exp(-t)))


@pytest.mark.parametrize("name", ["heat", "wave"])
def test_catalogue_in_time(name: str) -> None:
    answer(catalogue(name))


def test_burgers_against_cole_hopf() -> None:
    """ν = 0.01/π with ends held at zero: relative L2 below 1e-8 by default."""
    solution = answer(catalogue("burgers"))
    assert solution.error().relative_l2 < 1e-8
    slope = solution.derivative(np.array([[0.0, 1.6037 / np.pi]]), solution.problem.unknowns[0].diff(x))
    assert abs(slope[0] + 152.00516) < 1e-3  # Basdevant et al. (1986), table


def test_coupled_equations() -> None:
    """A wave as a system of first order, and Schrödinger's equation in two real parts."""
    u, v = unknown("u v", x, t)
    exact = {u: sp.sin(3 * x + 2 * t), v: sp.cos(2 * x) * sp.exp(-t)}
    square = u**2 + v**2
    systems = [
        ([u.diff(t) - v.diff(x), v.diff(t) - u.diff(x)], [Dirichlet(u, 0)]),
        (
            [u.diff(t) + v.diff(x, 2) / 2 + square * v, v.diff(t) - u.diff(x, 2) / 2 - square * u],
            [Dirichlet(u, 0), Dirichlet(v, 0)],
        ),
    ]
    for equations, ends in systems:
        conditions = [Initial(u, 0), Initial(v, 0), *ends]
        problem = Problem("system", equations, LINE * HOUR, conditions, unknowns=(u, v))
        answer(problem.manufacture(exact))


def test_fourier_and_chebyshev_together() -> None:
    u = unknown("u", x, y, t)
    domain = Box((x, 0, 1), (y, 0, 2 * sp.pi)) * Time(t, 0, sp.Rational(1, 2))
    equation = u.diff(t) - (u.diff(x, 2) + u.diff(y, 2)) / 10 + u.diff(y)
    ends = [Periodic(u, y), Dirichlet(u, 0, on="left"), Neumann(u, 0, on="right")]
    problem = Problem("strip", [equation], domain, [Initial(u, 0), *ends])
    answer(problem.manufacture(u=sp.exp(sp.cos(y - t) / 4) * sp.sin(2 * x + t)), rtol=1e-6)


def test_a_flow_in_a_box() -> None:
    """Unsteady Navier-Stokes, index two: velocities on all sides, the pressure known at one point."""
    u, v, p = unknown("u v p", x, y, t)

    def momentum(w: Any, coordinate: Any) -> Any:
        transport = w.diff(t) + u * w.diff(x) + v * w.diff(y) + p.diff(coordinate)
        return transport - (w.diff(x, 2) + w.diff(y, 2)) / 10

    stream = sp.sin(2 * x + t) * sp.cos(y) * sp.exp(-t)
    conditions = [
        Initial(u, 0),
        Initial(v, 0),
        Dirichlet(u, 0),
        Dirichlet(v, 0),
        Value(p, 0, at={x: 0, y: 0}),
    ]
    equations = [momentum(u, x), momentum(v, y), u.diff(x) + v.diff(y)]
    domain = SQUARE * Time(t, 0, sp.Rational(1, 4))
    problem = Problem("flow", equations, domain, conditions, unknowns=(u, v, p))
    problem = problem.manufacture({u: stream.diff(y), v: -stream.diff(x), p: sp.cos(x + y) * sp.exp(-t)})
    answer(problem, n=9, max_n=14, rtol=1e-4)


def test_order_nine_in_time() -> None:
    """A standing wave sin(πx) cos(ωt), exact in space on 24 points: errors at the end fall by 2⁹."""
    u = unknown("u", x, t)
    exact = sp.sin(sp.pi * x) * sp.cos(12 * t)
    conditions = [Initial(u, exact.subs(t, 0)), Initial(u.diff(t), 0), Dirichlet(u, 0)]
    problem = Problem("wave", [u.diff(t, 2) - (12 / sp.pi) ** 2 * u.diff(x, 2)], LINE * HOUR, conditions)
    points = np.stack([np.linspace(0, 1, 40), np.ones(40)], axis=1)
    errors = []
    for steps in (3, 6, 12):  # of the first level; the answer has twice as many
        method = Spectral(n=24, dt=1 / steps, rtol=1e-13)
        state = method.start(problem, Context())
        while method.advance(state).status is None:
            pass
        found = method.field(state).values(points, 1)[:, 0]
        errors.append(float(np.abs(found - np.sin(np.pi * points[:, 0]) * np.cos(12.0)).max()))
    orders = np.log2(np.array(errors[:-1]) / errors[1:])
    assert errors[-1] > 1e-12  # else it is round-off that was measured
    assert abs(orders[-1] - 9) < 0.15, (errors, orders)


def test_a_jump_between_initial_and_boundary_data() -> None:
    """u = 1 at the start, 0 at the ends: the estimate admits the layer, later times are exact."""
    u = unknown("u", x, t)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CompatibilityWarning)
        problem = Problem(
            "jump",
            [u.diff(t) - u.diff(x, 2)],
            LINE * Time(t, 0, sp.Rational(1, 10)),
            [Initial(u, 1), Dirichlet(u, 0)],
        )
        solution = solve(problem, Spectral(n=32, max_n=48, rtol=1e-6), progress=False)
    assert solution.status is Status.STAGNATED and 1e-6 < solution.error_estimate < 0.1
    points = np.stack([np.linspace(0, 1, 41), np.full(41, 0.05)], axis=1)
    k = np.arange(1, 60, 2)
    terms = 4 / (np.pi * k) * np.exp(-((np.pi * k) ** 2) * 0.05)
    assert np.abs(solution(points)[:, 0] - np.sin(np.pi * np.outer(points[:, 0], k)) @ terms).max() < 1e-8


# -- what two grids may both miss ------------------------------------------------------------------------


def test_a_source_between_the_points_is_seen() -> None:
    """A bump of width 0.005 that 32 and 48 points hardly meet: no answer on them may claim the tolerance.

    How large the error is, they cannot tell: the estimates are no bounds here.
    """
    u, w = unknown("u", x), unknown("w", x, t)
    bump = sp.exp(-(((x - 0.503) / 0.005) ** 2))
    steady = Problem("bump", [u.diff(x, 2) - u], LINE, [Dirichlet(u, 0)]).manufacture(u=sp.exp(x) + bump)
    moving = Problem("bump", [w.diff(t) - w.diff(x, 2)], LINE * HOUR, [Initial(w, 0), Dirichlet(w, 0)])
    moving = moving.manufacture(w=sp.exp(-t) * (sp.exp(x) + bump))
    answer(steady, rtol=1e-5)
    for problem, options in ((steady, {"max_n": 72}), (moving, {"max_n": 48})):
        solution = solve(problem, Spectral(**options), progress=False)
        assert solution.status is Status.STAGNATED and solution.error_estimate > 1e-3, solution.message


def test_conditions_that_are_met_by_round_off_are_no_defect() -> None:
    """u = 0 at an end and v = 0 everywhere: what is left there is round-off, relative to nothing."""
    u, v = unknown("u v", x)
    equations = [u.diff(x, 2) - u - v, v.diff(x, 2) - v]
    problem = Problem("still", equations, LINE, [Dirichlet(u, 0), Neumann(v, 0)], unknowns=(u, v))
    answer(problem.manufacture({u: sp.sin(30 * x) + x, v: sp.Integer(0)}), max_n=160)


def test_a_start_where_the_equation_is_not_finite() -> None:
    """u'' = log u: neither residual nor Jacobian exist at zero, and Newton's method starts at the data."""
    u = unknown("u", x)
    problem = Problem("log", [u.diff(x, 2) - sp.log(u)], LINE, [Dirichlet(u, 2)])
    answer(problem.manufacture(u=2 + x**2 * sp.cos(3 * x)))


# -- how it ends, and the field --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"n": 24, "dt": 0.02}, "one refinement"),
        ({"rtol": 1e-12, "max_steps": 20}, "max_steps=20 lead no further than t ="),
        ({"dt": 0.05, "max_steps": 50}, "max_steps=50 allows no shorter steps"),
        ({"dt": 0.1, "max_n": 36}, "refinement helps little"),
    ],
)
def test_stagnation_says_what_was_reached(options: dict[str, Any], word: str) -> None:
    problem = moving("Neumann").manufacture(u=x + sp.sin(3 * x + 6 * t) * sp.exp(-t))
    method = Spectral(**{"rtol": 1e-16, **options})
    state = method.start(problem, Context())
    while (progress := method.advance(state)).status is None:
        assert progress.fraction is None or 0 <= progress.fraction <= 1
    estimate = method.error_estimate(state)
    assert progress.status is Status.STAGNATED and word in progress.message, progress.message
    assert estimate is None or f"{estimate:.1e}" in progress.message


def test_a_run_that_stops_early_answers_up_to_its_time() -> None:
    problem = catalogue("burgers")
    method = Spectral(n=64, dt=0.01)
    state = method.start(problem, Context())
    at_once = method.field(state).values(np.array([[0.5, 0.0], [0.5, 0.5]]), 1)[:, 0]
    assert abs(at_once[0] + 1) < 1e-14 and np.isnan(at_once[1])
    while state.time < 0.2:
        method.advance(state)
    field = method.field(state)
    early, late = field.values(np.array([[0.5, 0.15], [0.5, 0.9]]), 1)[:, 0]
    assert np.isfinite(early) and np.isnan(late) and 0.15 < field.end < 0.9


def test_scattered_points_and_grids_agree() -> None:
    solution = answer(catalogue("poisson"), rtol=1e-6)
    rng = np.random.default_rng(3)
    points = solution.problem.domain.grid((11, 13)).points
    shuffled = rng.permutation(len(points))
    u = solution.problem.unknowns[0]
    for derivative in (u, u.diff(y), u.diff(x, 2)):
        whole = solution.derivative(points, derivative)
        few = solution.derivative(points[shuffled[:9]], derivative)  # no tensor grid
        assert np.allclose(whole[shuffled[:9]], few, rtol=0, atol=1e-9)
