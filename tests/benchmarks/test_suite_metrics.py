"""What the benchmark measures by: zero on the reference, for the answer alone, whatever the order of axes."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import sympy as sp

import pdesolve as pde
from pdesolve.benchmarks.suite import Job
from pdesolve.benchmarks.suite.checks import reference_residual
from pdesolve.benchmarks.suite.summary import summarize
from pdesolve.benchmarks.suite.work import described as described_with_picture
from pdesolve.solution import Solution, Status, resolve_reference
from pdesolve.solution.field import Field

described = functools.partial(described_with_picture, pictured=False)
x, y, t = pde.coordinates("x y t")


class Given(Field):
    """The field of a function of points."""

    def __init__(self, function):
        self.function = function

    def derivatives(self, points, wanted):
        values = self.function(points)
        return [values[:, k] if not any(order) else np.zeros(len(points)) for k, order in wanted]

    def arrays(self):
        return {}


def heat(reference):
    u = pde.unknown("u", x, t)
    return pde.Problem(
        "heat-of-the-tests",
        [u.diff(t) - u.diff(x, 2)],
        pde.Interval(x, 0, sp.pi) * pde.Time(t, 0, 1),
        [pde.Initial(u, sp.sin(x)), pde.Dirichlet(u, 0)],
        reference=reference,
    )


def answer(problem, function, **more):
    reference = resolve_reference(problem.reference, problem)
    return Solution(problem, Given(function), Status.COMPLETED, reference=reference, **more)


def exact(points):
    return (np.exp(-points[:, 1]) * np.sin(points[:, 0]))[:, None]


EXACT = sp.exp(-t) * sp.sin(x)


@pytest.mark.parametrize(
    "reference", [EXACT, lambda points: exact(points)[:, 0]], ids=["formula", "function"]
)
def test_the_reference_itself_has_no_error(reference):
    row = described(answer(heat(reference), exact))
    assert row["relative_l2"] < 1e-15 and row["max_error"] < 1e-15
    assert row["per_unknown"] == {"u": row["relative_l2"]}


def test_errors_are_those_of_the_answer_and_of_nothing_else():
    """Answers whose errors are known: nothing, a multiple, what was given (initial data, the points)."""
    problem = heat(EXACT)
    points = problem.domain.grid((256, 101)).points
    truth = exact(points)[:, 0]

    def norm(values):
        return np.linalg.norm(values - truth) / np.linalg.norm(truth)

    for function, error in [
        (lambda p: 0 * exact(p), 1.0),
        (lambda p: 1.25 * exact(p), 0.25),
        (lambda p: np.sin(p[:, :1]), norm(np.sin(points[:, 0]))),
        (lambda p: p[:, :1], norm(points[:, 0])),
    ]:
        assert described(answer(problem, function))["relative_l2"] == pytest.approx(error, rel=1e-12)


def test_a_function_that_spoils_its_points_changes_no_error():
    def spoils(points):
        values = exact(points)[:, 0]
        points[:] = 0
        return values

    assert described(answer(heat(spoils), exact))["relative_l2"] < 1e-15


def test_the_order_of_axes_changes_no_error():
    """x is three times as long as y, and the answer is wrong along x alone."""

    def error(*axes):
        columns = {axis[0]: i for i, axis in enumerate(axes)}
        u = pde.unknown("u", x, y)
        field = sp.sin(x) * sp.exp(y)
        problem = pde.Problem(
            "plane", [u.diff(x, 2) + u.diff(y, 2)], pde.Box(*axes), [pde.Dirichlet(u, field)], reference=field
        )
        assert problem.coordinates == tuple(axis[0] for axis in axes)

        def wrong(points):
            return (np.sin(1.1 * points[:, columns[x]]) * np.exp(points[:, columns[y]]))[:, None]

        return described(answer(problem, wrong))["relative_l2"]

    forward, backward = error((x, 0, 3), (y, 0, 1)), error((y, 0, 1), (x, 0, 3))
    assert forward > 0.1
    assert forward == pytest.approx(backward, rel=1e-13)


# -- wrong references


@pytest.mark.parametrize(
    ("wrong", "least"),
    [
        (1.001 * EXACT, 1e-4),  # the equation holds, the initial data do not
        (sp.exp(-1.01 * t) * sp.sin(x), 1e-4),  # the equation does not
        (EXACT + sp.exp(-t) * sp.cos(x) * sp.Rational(1, 100), 1e-4),  # the boundary data do not
        (sp.exp(-t) * sp.sin(x) * (1 + sp.sin(20 * x) / 1000), 1e-4),  # wiggles
    ],
)
def test_a_closed_form_that_does_not_solve_the_problem_is_flagged(wrong, least):
    problem = heat(wrong)
    assert reference_residual(problem, resolve_reference(problem.reference, problem)) > least
    assert "does not solve" in " ".join(flags(problem))


def test_the_scale_of_an_equation_does_not_hide_a_wrong_reference():
    u = pde.unknown("u", x, t)

    def residual(scale):
        problem = heat(sp.exp(-2 * t) * sp.sin(x))
        problem = problem.replace(equations=[scale * (u.diff(t) - u.diff(x, 2))])
        return reference_residual(problem, resolve_reference(problem.reference, problem))

    assert residual(1e-8) == pytest.approx(residual(1), rel=1e-12) == pytest.approx(residual(1e8), rel=1e-12)
    assert residual(1) > 0.1


def test_a_function_that_the_classical_line_contradicts_is_flagged():
    right = heat(lambda points: exact(points)[:, 0])
    wrong = heat(lambda points: 1.001 * exact(points)[:, 0])
    assert flags(right) == ()
    assert "differ" in flags(wrong)[0]


def flags(problem):
    """What a report says of a case with one classical result, which is right."""
    row = described(answer(problem, exact, error_estimate=1e-9))
    job = Job("heat", "spectral")
    (case,) = summarize([row | {"address": job.address, "job": {"problem": "heat", "backend": "spectral",
        "options": {}, "seed": 0, "budget": None}}])  # fmt: skip
    return case.flags
