"""What the spectral backend refuses, how it ends, and that a run goes on exactly where it stopped."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import sympy as sp
from spectral_cases import burgers, convection, drive, forced, kdv, line, plane, relative_l2, t, u, v, x

from pdesolve.backends.base import Context
from pdesolve.backends.registry import BackendOptionError, make_backend
from pdesolve.backends.spectral import Spectral
from pdesolve.checkpoint import pack, unpack
from pdesolve.declare import (
    Initial,
    Interval,
    Observations,
    Periodic,
    Problem,
    Time,
    Value,
    parameter,
    unknown,
)
from pdesolve.solution.status import Status

LINE = Interval(x, 0, 2 * sp.pi)
HOUR = Time(t, 0, 1)


def observed() -> Problem:
    rate = parameter("k", unknown=True, start=1.0)
    data = Observations(u, [[1.0, 0.5]], [0.3])
    return Problem(
        "o", [u.diff(t) + rate * u.diff(x)], LINE * HOUR, [Initial(u, sp.sin(x)), Periodic(u), data]
    )


def gauged_rate() -> Problem:
    """A Value of v, which has a time derivative."""
    w = unknown("w", x, t)
    return Problem(
        "r",
        [u.diff(t) - w, w - u.diff(x, 2), v.diff(t) - v * u],
        LINE * HOUR,
        [Initial(u, sp.sin(x)), Initial(v, 0), *map(Periodic, (u, v, w)), Value(v, 0, at={x: 0})],
    )


def high_index() -> Problem:
    """u_t = v, v_t = w, u = sin(x + t): only the second derivative of the constraint holds w."""
    w = unknown("w", x, t)
    conditions = [Initial(u, sp.sin(x)), Initial(v, sp.cos(x)), *map(Periodic, (u, v, w))]
    return Problem("i", [u.diff(t) - v, v.diff(t) - w, u - sp.sin(x + t)], LINE * HOUR, conditions)


def implicit() -> Problem:
    conditions = [Initial(u, sp.sin(x)), Periodic(u), Periodic(v)]
    return Problem("e", [u.diff(t) - v.diff(x, 2), v + v**3 - u], LINE * HOUR, conditions)


@pytest.mark.parametrize(
    ("problem", "reasons"),
    [
        (gauged_rate(), ["fixes the mean of an algebraic unknown, which v is not"]),
        (high_index(), ["differentiated once in time, do not determine w"]),
        (implicit(), ["given by a non-linear equation"]),
        (line("n", u * u.diff(t) + u.diff(x), 2 + sp.sin(x)), ["coefficient that is not constant"]),
        (observed(), ["unknown parameters"]),
    ],
    ids=lambda value: value.name if isinstance(value, Problem) else "",
)
def test_reasons_in_words(problem: Problem, reasons: list[str]) -> None:
    found = Spectral().supports(problem)
    for reason in reasons:
        assert any(reason in text for text in found), found


def test_what_it_supports() -> None:
    for problem in (convection(), burgers(0.1), kdv(), forced()[0], plane()[0]):
        assert Spectral().supports(problem) == []


@pytest.mark.parametrize(
    "options",
    [{"n": 4}, {"n": 64.0}, {"dt": 0.0}, {"rtol": -1e-8}, {"rtol": np.nan}, {"max_steps": 0}, {"dealias": 3}],
)
def test_options_that_make_no_sense(options: dict[str, Any]) -> None:
    with pytest.raises(BackendOptionError, match=next(iter(options))):
        make_backend("spectral", **options)


def test_initial_data_as_a_function() -> None:
    problem, _ = forced()
    symbolic = next(problem.of_type(Initial)).value
    calls = []

    def start(points: Any) -> Any:
        calls.append(points.shape)
        return np.exp(np.sin(points[:, 0])) / 2

    assert np.allclose(float(symbolic.subs(x, 1.0)), np.exp(np.sin(1.0)) / 2)
    other = problem.replace(conditions=[Initial(u, start), Periodic(u)])
    method = Spectral(n=32, dt=0.05)
    points = problem.domain.grid((20, 9)).points
    a, b = (method.field(drive(p, method)[0]).values(points, 1) for p in (problem, other))
    assert np.allclose(a, b, atol=1e-14) and (32, 2) in calls


# -- how it ends -------------------------------------------------------------------------------------


def test_a_fixed_step_that_is_unstable_is_reported() -> None:
    method = Spectral(n=256, dt=0.05)
    state, progress = drive(burgers(1e-4), method)
    assert np.isnan(progress.loss)
    assert "time step" in method.diagnose(state) and "equation" in method.diagnose(state)


def test_a_solution_that_blows_up_is_reported() -> None:
    problem = line("blow-up", u.diff(t) - u**2, 1 + sp.cos(x) / 10, end=2)
    method = Spectral(n=16, rtol=1e-4)
    state, progress = drive(problem, method)
    assert np.isnan(progress.loss) and 0.7 < state.run.time < 1.1  # it explodes at t = 1/1.1


def test_an_unstable_automatic_step_is_halved() -> None:
    """The rates at the start say nothing of a speed that grows with time: u = sin(x - 50 t²)."""
    problem, method = line("accelerating", u.diff(t) + 100 * t * u.diff(x), sp.sin(x)), Spectral(rtol=1e-5)
    state = method.start(problem, Context())
    progress = method.advance(state)
    messages = [progress.message]
    while progress.status is None:
        progress = method.advance(state)
        messages.append(progress.message)
    assert any("half the step" in message for message in messages)
    points = problem.domain.grid((30, 40)).points
    exact = np.sin(points[:, 0] - 50 * points[:, 1] ** 2)
    error = relative_l2(method.field(state).values(points, 1)[:, 0], exact)
    estimate = method.error_estimate(state)
    assert estimate is not None and error <= estimate <= 1e-5


@pytest.mark.parametrize(
    ("problem", "method", "word"),
    [
        (forced()[0], Spectral(n=32, dt=0.05), "one refinement"),
        (forced()[0], Spectral(rtol=1e-10, max_steps=300), "max_steps=300"),
        (burgers(1e-3), Spectral(max_n=96), "max_n=96"),
        (convection(3), Spectral(rtol=1e-18), "no longer helps"),
    ],
    ids=["fixed", "steps", "modes", "round-off"],
)
def test_stagnation_says_what_was_reached(problem: Problem, method: Spectral, word: str) -> None:
    state, progress = drive(problem, method)
    estimate = method.error_estimate(state)
    assert progress.status is Status.STAGNATED and word in progress.message
    assert estimate is not None and f"{estimate:.1e}" in progress.message and estimate > method.rtol


def test_fractions_and_losses_are_sensible() -> None:
    method = Spectral()
    state = method.start(kdv(sp.Rational(1, 2)), Context())
    assert method.error_estimate(state) is None
    fractions = []
    while True:
        progress = method.advance(state)
        assert progress.fraction is not None and 0 <= progress.fraction <= 1 and np.isfinite(progress.loss)
        fractions.append(progress.fraction)
        if progress.status is not None:
            break
    assert fractions[-1] == 1.0 and len(fractions) > 5
    assert np.mean(np.diff(fractions) >= 0) > 0.7


def test_a_run_that_stops_early_answers_up_to_its_time() -> None:
    method = Spectral(n=256, dt=1e-4)
    state = method.start(kdv(), Context())
    at_once = method.field(state).values(np.array([[0.5, 0.0], [0.5, 0.5]]), 1)[:, 0]
    assert np.allclose(at_once[0], np.cos(np.pi / 2), atol=1e-12) and np.isnan(at_once[1])
    while state.run.time < 0.2:
        method.advance(state)
    early, late = method.field(state).values(np.array([[0.5, 0.15], [0.5, 0.9]]), 1)[:, 0]
    assert np.isfinite(early) and np.isnan(late)


# -- checkpoints -------------------------------------------------------------------------------------


@pytest.mark.parametrize("stop", [1, 4, 9])
def test_resume_is_exact(stop: int) -> None:
    problem, method = kdv(sp.Rational(1, 2)), Spectral(rtol=1e-6)
    whole, _ = drive(problem, method)
    state = method.start(problem, Context())
    for _ in range(stop):
        assert method.advance(state).status is None
    packed = pack(state)
    resumed = unpack(packed, method.start(problem, Context(resuming=True)))
    while method.advance(resumed).status is None:
        pass
    assert method.error_estimate(resumed) == method.error_estimate(whole)
    for name, array in method.field(whole).arrays().items():
        assert np.array_equal(array, method.field(resumed).arrays()[name])


def test_a_field_is_independent_of_later_steps() -> None:
    method = Spectral(n=64, dt=0.002)
    state = method.start(kdv(), Context())
    method.advance(state)
    field = method.field(state)
    before = {name: array.copy() for name, array in field.arrays().items()}
    method.advance(state)
    assert all(np.array_equal(before[name], array) for name, array in field.arrays().items())
