"""The spectral backend on problems with known solutions, and against independent integrations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import sympy as sp
from scipy.integrate import solve_ivp
from spectral_cases import (
    burgers,
    convection,
    drive,
    evaluate,
    forced,
    kdv,
    line,
    plane,
    relative_l2,
    t,
    two_modes,
    u,
    v,
    x,
    y,
    z,
)

from pdesolve.backends.spectral import Spectral
from pdesolve.backends.spectral.unseen import Data
from pdesolve.declare import Box, Initial, Interval, Periodic, Problem, Time, unknown
from pdesolve.problems.burgers import cole_hopf
from pdesolve.residual.fourier.evolution import Evolution
from pdesolve.solution.status import Status


def values(method: Spectral, state: Any, points: Any, count: int = 1) -> Any:
    return method.field(state).values(points, count)


# -- accuracy ----------------------------------------------------------------------------------------


def test_convection_is_exact() -> None:
    problem, method = convection(30), Spectral(rtol=1e-11)
    state, progress = drive(problem, method)
    points = problem.domain.grid((64, 41)).points
    exact = np.sin(points[:, 0] - 30 * points[:, 1])
    assert progress.status is Status.CONVERGED
    assert np.abs(values(method, state, points)[:, 0] - exact).max() < 1e-10


def test_order_four_in_time() -> None:
    problem, exact = forced()
    points = np.stack([np.linspace(0, 6, 50), np.ones(50)], axis=1)
    errors = []
    for steps in (20, 40, 80, 160):
        method = Spectral(n=128, dt=1 / steps, rtol=1e-13)
        state, _ = drive(problem, method)
        errors.append(relative_l2(values(method, state, points)[:, 0], evaluate(exact, points)))
    orders = np.log2(np.array(errors[:-1]) / errors[1:])
    assert errors[-1] > 1e-12  # else it is round-off that was measured
    assert np.all(np.abs(orders[1:] - 4) < 0.2), orders


@pytest.mark.parametrize(
    "options",
    [
        {"n": 128, "dt": 1 / 20},  # the time step dominates
        {"n": 128, "dt": 1 / 100},
        {"n": 24, "dt": 1 / 400},  # the modes dominate
        {"n": 36, "dt": 1 / 400},
        {"rtol": 1e-4},
        {"rtol": 1e-6},
        {"rtol": 1e-9},
        {"rtol": 1e-6, "dealias": False},
        {"n": 64},
        {"dt": 0.02},
    ],
)
def test_the_estimate_bounds_the_error(options: dict[str, Any]) -> None:
    """It belongs to the coarser of two runs and the finer is returned: never too small, nor absurd."""
    problem, exact = forced()
    method = Spectral(**options)
    state, progress = drive(problem, method)
    points = problem.domain.grid((101, 77)).points  # no multiple of the saved times
    error = relative_l2(values(method, state, points)[:, 0], evaluate(exact, points))
    estimate = method.error_estimate(state)
    assert estimate is not None and estimate == method.merit(state)
    assert error <= estimate <= max(1e5 * error, 1e-12)
    converged = progress.status is Status.CONVERGED
    assert converged == (estimate <= method.rtol)
    assert converged or {"n", "dt"} <= set(options)
    assert f"{estimate:.1e}" in progress.message


def test_burgers_agrees_with_cole_hopf() -> None:
    """-sin πx is odd and 2-periodic: the periodic and the Dirichlet problem have the same solution."""
    nu = 0.1 / np.pi
    problem, method = burgers(nu), Spectral(rtol=1e-9)
    state, _ = drive(problem, method)
    points = problem.domain.grid((101, 43)).points
    error = relative_l2(values(method, state, points), cole_hopf(points, nu))
    estimate = method.error_estimate(state)
    assert estimate is not None and error <= estimate <= 1e-9


def test_kdv_conserves_mass_and_momentum() -> None:
    method = Spectral(rtol=1e-7)
    state, progress = drive(kdv(), method)
    assert progress.status is Status.CONVERGED
    space, times = np.linspace(-1, 1, 1024, endpoint=False), np.linspace(0, 1, 14)
    points = np.stack([m.ravel() for m in np.meshgrid(space, times, indexing="ij")], axis=1)
    field = values(method, state, points).reshape(1024, 14)
    assert np.abs(field.mean(axis=0)).max() < 1e-12
    assert np.abs((field**2).mean(axis=0) - 0.5).max() < 1e-8
    assert field.max() > 2.4  # solitons did form: the largest is about 2.5 times the initial crest


def differentiation(n: int, length: float) -> Any:
    """The Fourier differentiation matrix for an odd number of points, from the closed form
    (-1)^j / (2 sin(jh/2)): no FFT is used."""
    j = np.arange(n)[:, None] - np.arange(n)
    with np.errstate(divide="ignore"):
        matrix = np.where(j == 0, 0.0, 0.5 * (-1.0) ** j / np.sin(np.pi * j / n))
    return 2 * np.pi / length * matrix


KS = u.diff(t) + 5 * u * u.diff(x) + u.diff(x, 2) / 2 + u.diff(x, 4) / 200
SMOOTH = x**2 * sp.cos(3 * sp.pi * x) + x**2


@pytest.mark.parametrize(
    ("problem", "n", "right", "solver", "tolerance"),
    [
        (
            kdv(sp.Rational(3, 10)),
            129,
            lambda w, d: -w * (d @ w) - 0.022**2 * (d @ d @ d @ w),
            "DOP853",
            1e-7,
        ),
        (
            line("ks", KS, -sp.sin(sp.pi * x), (-1, 1), sp.Rational(1, 5)),
            49,
            lambda w, d: -5 * w * (d @ w) - (d @ d @ w) / 2 - (d @ d @ d @ d @ w) / 200,
            "Radau",
            1e-6,
        ),
        (
            line("ac", u.diff(t) - u.diff(x, 2) / 10000 + 5 * u**3 - 5 * u, SMOOTH, (-1, 1)),
            257,
            lambda w, d: (d @ d @ w) / 10000 - 5 * w**3 + 5 * w,
            "DOP853",
            1e-5,  # the kink in the third derivative costs the 257 points that much
        ),
    ],
    ids=["kdv", "kuramoto-sivashinsky", "allen-cahn"],
)
def test_against_the_method_of_lines(
    problem: Problem, n: int, right: Callable[[Any, Any], Any], solver: str, tolerance: float
) -> None:
    end = problem.domain.bounds[-1, 1]
    space = -1 + 2 * np.arange(n) / n
    matrix = differentiation(n, 2.0)
    start = next(problem.of_type(Initial)).value
    other = solve_ivp(
        lambda _, w: right(w, matrix),
        (0, end),
        sp.lambdify(x, start, "numpy")(space),
        method=solver,
        rtol=1e-9,
        atol=1e-10,
        t_eval=[end / 3, end],
    )
    method = Spectral()
    state, _ = drive(problem, method)
    for time, wanted in zip(other.t, other.y.T, strict=True):
        found = values(method, state, np.stack([space, np.full(n, time)], axis=1))[:, 0]
        assert relative_l2(found, wanted) < tolerance


# -- several unknowns, several dimensions ------------------------------------------------------------


def test_a_system_in_the_plane() -> None:
    problem, exact = plane()
    method = Spectral(rtol=1e-7)
    state, progress = drive(problem, method)
    assert progress.status is Status.CONVERGED
    grid = problem.domain.grid((9, 10, 11)).points
    for points in (grid, np.random.default_rng(0).uniform([0, 0, 0], [6, 6, 1], (80, 3))):
        found = values(method, state, points, 2)
        for k, expression in enumerate(exact.values()):
            assert relative_l2(found[:, k], evaluate(expression, points)) < 1e-7


def test_three_dimensions() -> None:
    w = unknown("w", x, y, z, t)
    exact = sp.sin(x + 2 * y - t) * sp.cos(z) * sp.exp(-t)
    problem = Problem(
        "advection in space",
        [w.diff(t) + w.diff(x) - w.diff(z, 2)],
        Box((x, 0, 2 * sp.pi), (y, 0, 2 * sp.pi), (z, -sp.pi, sp.pi)) * Time(t, 0, 1),
        [Initial(w, exact.subs(t, 0)), Periodic(w)],
    )
    method = Spectral(n=12, dt=0.05)
    state, _ = drive(problem, method)
    for points in (
        problem.domain.grid((5, 4, 3, 6)).points,
        np.random.default_rng(0).uniform([0, 0, -3, 0], [6, 6, 3, 1], (50, 4)),
    ):
        mixed = method.field(state).derivatives(points, [(0, (1, 1, 1, 0)), (0, (0, 0, 0, 0))])
        assert np.allclose(mixed[0], evaluate(exact.diff(x, y, z), points), atol=1e-8)
        assert np.allclose(mixed[1], evaluate(exact, points), atol=1e-8)


def test_equations_that_mix_time_derivatives() -> None:
    """2u_t + v_t and u_t - v_t stand for u_t = -u_x, v_t = v_xx."""
    first, second = -u.diff(x), v.diff(x, 2)
    problem = Problem(
        "mixed",
        [2 * u.diff(t) + v.diff(t) - 2 * first - second, u.diff(t) - v.diff(t) - first + second],
        Interval(x, 0, 2 * sp.pi) * Time(t, 0, 1),
        [Initial(u, sp.sin(x)), Initial(v, sp.cos(x)), Periodic(u), Periodic(v)],
    )
    method = Spectral(rtol=1e-9)
    state, _ = drive(problem, method)
    points = problem.domain.grid((20, 21)).points
    found = values(method, state, points, 2)
    assert np.allclose(found[:, 0], np.sin(points[:, 0] - points[:, 1]), atol=1e-8)
    assert np.allclose(found[:, 1], np.cos(points[:, 0]) * np.exp(-points[:, 1]), atol=1e-8)


def test_coefficients_in_space_and_an_unknown_that_stays_zero() -> None:
    """u_t + cos(x) u_x = 0 has the invariant tan(x/2 + π/4) e^{-t}; v_t = u v starts and stays at zero."""
    problem = Problem(
        "variable speed",
        [u.diff(t) + sp.cos(x) * u.diff(x), v.diff(t) - u * v],
        Interval(x, 0, 2 * sp.pi) * Time(t, 0, sp.Rational(1, 2)),
        [Initial(u, sp.sin(x)), Initial(v, 0), Periodic(u), Periodic(v)],
    )
    method = Spectral()
    state, progress = drive(problem, method)
    points = problem.domain.grid((33, 7)).points
    foot = 2 * np.arctan(np.tan(points[:, 0] / 2 + np.pi / 4) * np.exp(-points[:, 1])) - np.pi / 2
    found = values(method, state, points, 2)
    assert progress.status is Status.CONVERGED
    assert relative_l2(found[:, 0], np.sin(foot)) < 1e-8
    assert np.all(found[:, 1] == 0)


# -- the field ---------------------------------------------------------------------------------------


def test_derivatives_of_the_field() -> None:
    problem, exact = two_modes()
    method = Spectral(rtol=1e-11)
    state, _ = drive(problem, method)
    field = method.field(state)
    wanted = [(0, 0), (1, 0), (2, 0), (3, 0), (0, 1), (1, 1), (0, 2)]
    tolerances = [1e-10, 1e-10, 1e-10, 1e-9, 1e-8, 1e-7, 1e-5]
    grid = problem.domain.grid((40, 30)).points
    scattered = np.random.default_rng(0).uniform([0, 0.01], [6, 1], (300, 2))
    for points in (grid, scattered):
        found = field.derivatives(points, [(0, index) for index in wanted])
        for index, value, tolerance in zip(wanted, found, tolerances, strict=True):
            counts = [(c, k) for c, k in zip((x, t), index, strict=True) if k]
            closed = evaluate(exact.diff(*counts) if counts else exact, points)
            assert np.abs(value - closed).max() < tolerance * np.abs(closed).max(), index


def test_tensor_grids_and_scattered_points_agree() -> None:
    problem, _ = forced()
    method = Spectral(rtol=1e-6)
    state, _ = drive(problem, method)
    field = method.field(state)
    wanted = [(0, (0, 0)), (0, (2, 0)), (0, (0, 1))]
    points = problem.domain.grid((30, 20)).points
    shuffled = np.random.default_rng(0).permutation(len(points))[:50]
    whole, few = field.derivatives(points, wanted), field.derivatives(points[shuffled], wanted)
    for a, b in zip(whole, few, strict=True):
        assert np.allclose(a[shuffled], b, rtol=1e-10, atol=1e-10)


def test_arrays_restore_the_field() -> None:
    problem, _ = plane()
    method = Spectral(n=24, dt=0.05)
    state, _ = drive(problem, method)
    field = method.field(state)
    arrays = field.arrays()
    assert all(a.dtype == np.float64 for a in arrays.values())
    points = problem.domain.grid((5, 5, 5)).points
    again = method.restore(problem, {name: a.copy() for name, a in arrays.items()})
    assert np.array_equal(again.values(points, 2), field.values(points, 2))


def test_a_kink_is_there_at_the_start_and_slabs_follow_it() -> None:
    start = x**2 * sp.cos(sp.pi * x)
    problem = line("ac", u.diff(t) - u.diff(x, 2) / 20 + 5 * u**3 - 5 * u, start, (-1, 1))
    method = Spectral(rtol=1e-5, dealias=False)
    state, progress = drive(problem, method)
    assert progress.status is Status.CONVERGED and len(state.run.edges) > 5
    points = np.stack([np.linspace(-1, 1, 41), np.zeros(41)], axis=1)
    assert np.allclose(values(method, state, points)[:, 0], evaluate(start, points), atol=1e-14)
    finer = Spectral(rtol=1e-6, dealias=False)
    reference, _ = drive(problem, finer)
    points = problem.domain.grid((64, 33)).points
    error = relative_l2(values(method, state, points), values(finer, reference, points))
    estimate = method.error_estimate(state)
    assert estimate is not None and error < estimate


# -- what a grid cannot see ----------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["initial", "source", "coefficient"])
def test_waves_that_vanish_on_the_first_grid(place: str) -> None:
    """sin(64x) is zero at 64 equally spaced points: two levels that miss it agree."""
    exact = {
        "initial": sp.sin(64 * x) * sp.cos(t) + sp.cos(x),
        "source": sp.sin(64 * x) * t + sp.cos(x),
        "coefficient": sp.cos(x - t),
    }[place]
    factor = sp.sin(64 * x) if place == "coefficient" else 1
    operator = u.diff(t) - u.diff(x, 2) + factor * u
    problem = line(place, operator, exact.subs(t, 0)).manufacture(u=exact)
    for method in (Spectral(rtol=1e-7), Spectral(n=64, dt=0.01)):
        state, progress = drive(problem, method)
        points = problem.domain.grid((301, 12)).points
        values = sp.lambdify((x, t), exact, "numpy")(*points.T)
        error = relative_l2(method.field(state).values(points, 1)[:, 0], values)
        assert error <= state.estimate, (error, state.estimate)
        assert (progress.status is Status.CONVERGED) == (method.dt is None)


def test_a_kink_is_not_taken_for_hidden_waves() -> None:
    bump = sp.Abs(sp.sin(x / 2))
    data = Data(Evolution(line("kink", u.diff(t) - u.diff(x, 2) - bump, bump)))
    assert all(data.unseen(modes) == 0 for modes in (10, 21, 40, 200))


@pytest.mark.parametrize(
    "signal", [sp.sin(256 * sp.pi * t), 1 + sp.tanh((t - 0.5037) * 500)], ids=["in step", "pulse"]
)
def test_changes_between_the_saved_times_are_seen(signal: Any) -> None:
    """One oscillates in step with 64 saved intervals and their middles, one happens between two of them."""
    exact = sp.sin(x) * signal + sp.cos(x)
    problem = line("fast", u.diff(t) - u.diff(x, 2), exact.subs(t, 0)).manufacture(u=exact)
    method = Spectral(rtol=1e-5)
    state, progress = drive(problem, method)
    points = problem.domain.grid((7, 4001)).points
    values = sp.lambdify((x, t), exact, "numpy")(*points.T)
    error = relative_l2(method.field(state).values(points, 1)[:, 0], values)
    assert progress.status is Status.CONVERGED and error <= state.estimate
