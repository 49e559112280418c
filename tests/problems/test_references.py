"""Every reference of the catalogue against its own equations, and its own error."""

from __future__ import annotations

from typing import Any

import mpmath
import numpy as np
import pytest
import sympy as sp

from pdesolve.backends.base import Context
from pdesolve.backends.registry import make_backend
from pdesolve.declare import Periodic, Problem
from pdesolve.problems import catalogue, names
from pdesolve.problems.burgers import cole_hopf
from pdesolve.problems.kdv import two_solitons
from pdesolve.solution.status import Status

EXACT: list[tuple[str, dict[str, Any]]] = [
    ("convection", {}),
    ("heat", {}),
    ("helmholtz", {}),
    ("helmholtz", {"a1": sp.Rational(3, 2), "k": 2}),
    ("kdv", {"variant": "two-soliton"}),
    ("kovasznay", {}),
    ("kovasznay", {"Re": 40}),
    ("poisson", {}),
    ("poisson", {"a": 3, "b": sp.Rational(1, 2)}),
    ("taylor-green", {}),
    ("wave", {}),
    ("wave", {"c": 3}),
]


def exact_values(problem: Problem, expression: sp.Expr, fixed: dict[sp.Symbol, Any]) -> list[float]:
    """The expression with the exact fields put in, at rational points, to 40 digits."""
    assert problem.reference is not None and problem.reference.expressions is not None
    fields = [rational(problem.substitute(e)) for e in problem.reference.expressions]
    put_in = rational(problem.substitute(expression))
    put_in = put_in.subs(dict(zip(problem.unknowns, fields, strict=True))).doit()
    function = sp.lambdify(problem.coordinates, put_in, "mpmath", cse=True)
    values = []
    for i in range(1, 5):
        point = {}
        for j, axis in enumerate(problem.domain.axes):
            share = sp.Rational((7 * i + 5 * j) % 11 + 1, 13)
            point[axis.coordinate] = axis.lower + share * (axis.upper - axis.lower)
        with mpmath.workdps(40):
            given = {**point, **fixed}
            values.append(
                abs(float(function(*(mpmath.mpmathify(sp.N(given[c], 40)) for c in problem.coordinates))))
            )
    return values


def rational(expression: sp.Expr) -> sp.Expr:
    """With 0.1 as 1/10: floats would limit the digits."""
    return sp.nsimplify(expression, rational=True) if expression.has(sp.Float) else expression


@pytest.mark.parametrize(("name", "parameters"), EXACT, ids=str)
def test_exact_references_satisfy_everything(name: str, parameters: dict[str, Any]) -> None:
    problem = catalogue(name, **parameters)
    assert problem.reference is not None and problem.reference.error == 1e-15
    for term in problem.terms:
        fixed: dict[sp.Symbol, Any] = {problem.coordinates[i]: value for i, value in term.fixed.items()}
        if term.region != "inside":
            face = problem.domain.face(term.region)
            axis = problem.domain.axes[face.axis]
            fixed[axis.coordinate] = axis.lower if face.side < 0 else axis.upper
        assert max(exact_values(problem, term.expression, fixed)) < 1e-15, term.name
    for condition in problem.of_type(Periodic):
        for i in condition.axes(problem.domain):
            axis = problem.domain.axes[i]
            for w in (condition.unknown, condition.unknown.diff(axis.coordinate)):
                k = problem.unknowns.index(condition.unknown)
                assert problem.reference.expressions is not None
                field = problem.reference.expressions[k]
                put_in = problem.substitute(w.subs(condition.unknown, field).doit())
                jump = put_in.subs(axis.coordinate, axis.lower) - put_in.subs(axis.coordinate, axis.upper)
                assert sp.simplify(jump) == 0


def test_an_inexact_field_is_caught() -> None:
    """The check above can fail."""
    problem = catalogue("heat")
    wrong = problem.replace(reference=problem.reference.expressions[0] * sp.Rational(100001, 100000))
    start = next(term for term in wrong.terms if term.region == "initial")
    assert max(exact_values(wrong, start.expression, {wrong.coordinates[1]: 0})) > 1e-7


def test_two_solitons_overflow_nowhere_and_keep_their_speeds() -> None:
    x, t = sp.symbols("x t", real=True)
    field = sp.lambdify((x, t), two_solitons(x, t, (6, 2), (-2, 2)), "numpy")
    with np.errstate(all="raise"):
        field(*np.meshgrid(np.linspace(0, 20, 201), np.linspace(0, 5, 51)))
    fine = np.linspace(-10, 60, 70_001)
    with np.errstate(under="ignore"):
        late, later = field(fine, 5.0), field(fine, 6.0)
    assert late.max() == pytest.approx(3.0, abs=1e-6)  # the crest of a soliton is half its speed
    assert fine[later.argmax()] - fine[late.argmax()] == pytest.approx(6.0, abs=2e-3)
    mass = 4 * (np.sqrt(6) + np.sqrt(2)) / 2  # ∫ 2k²/4·4 sech² … = 2k for each, k = √c
    assert np.trapezoid(late, fine) == pytest.approx(mass, rel=1e-6)


# -- Cole-Hopf ---------------------------------------------------------------------------------------


def test_the_published_slope_of_burgers() -> None:
    """Basdevant et al. (1986): |∂u/∂x| at x = 0 is greatest, 152.00516, at t = 1.6037/π for ν = 0.01/π."""
    nu, h = 0.01 / np.pi, 1e-6
    times = np.linspace(1.55, 1.65, 201) / np.pi
    slopes = cole_hopf(np.stack([np.full_like(times, h), times], axis=1), nu)[:, 0] / h
    assert slopes.min() == pytest.approx(-152.00516, abs=2e-4)
    assert np.pi * times[slopes.argmin()] == pytest.approx(1.6037, abs=1e-3)


@pytest.mark.parametrize("nu", [0.1 / np.pi, 0.01 / np.pi])
def test_cole_hopf_satisfies_burgers(nu: float) -> None:
    """By central differences of sixth order, away from the front."""
    stencil = np.array([-1, 9, -45, 0, 45, -9, 1]) / 60
    second = np.array([2, -27, 270, -490, 270, -27, 2]) / 180
    h, points = 2e-3, np.random.default_rng(0).uniform([0.1, 0.1], [0.9, 0.9], (50, 2))

    def along(axis: int) -> Any:
        shifts = np.zeros((7, 1, 2))
        shifts[:, 0, axis] = h * np.arange(-3, 4)
        return cole_hopf((points + shifts).reshape(-1, 2), nu).reshape(7, 50)

    in_x, in_t = along(0), along(1)
    residual = stencil @ in_t / h + in_x[3] * (stencil @ in_x) / h - nu * (second @ in_x) / h**2
    assert np.abs(residual).max() < 1e-8


def test_cole_hopf_at_the_start_and_on_the_ends() -> None:
    x = np.linspace(-1, 1, 11)
    start = cole_hopf(np.stack([x, 0 * x], axis=1), 0.01)[:, 0]
    ends = cole_hopf(np.array([[-1, 0.7], [1, 0.7]]), 0.01)
    assert np.allclose(start, -np.sin(np.pi * x), atol=1e-15) and np.abs(ends).max() < 1e-13


@pytest.mark.parametrize(("nu", "largest"), [(0.1 / np.pi, 1e-14), (0.01 / np.pi, 1e-14), (0.001, 1e-6)])
def test_cole_hopf_measures_its_own_error(nu: float, largest: float) -> None:
    reference = catalogue("burgers", nu=nu).reference
    assert reference is not None and callable(reference.error)
    error = reference.error()
    assert 0 < error < largest
    assert (error > 1e-12) == (nu == 0.001)  # it grows where the rule stops to resolve the exponent


# -- computed references -----------------------------------------------------------------------------

COMPUTED = [
    ("kdv", {}, 1e-8),
    ("kuramoto-sivashinsky", {}, 1e-8),
    ("allen-cahn", {"variant": "smooth"}, 1e-8),
    ("navier-stokes-torus", {}, 1e-8),
    pytest.param("kuramoto-sivashinsky", {"variant": "chaotic"}, 1e-8, marks=pytest.mark.slow),
    pytest.param("allen-cahn", {}, 2e-8, marks=pytest.mark.slow),
]


@pytest.mark.parametrize(("name", "parameters", "largest"), COMPUTED, ids=str)
def test_computed_references_know_their_error(name: str, parameters: dict[str, Any], largest: float) -> None:
    problem = catalogue(name, **parameters)
    assert problem.reference is not None and problem.reference.backend == "spectral"
    method = make_backend(problem.reference.backend, **problem.reference.options)
    state = method.start(problem, Context())
    progress = method.advance(state)
    while progress.status is None:
        progress = method.advance(state)
    estimate = method.error_estimate(state)
    assert f"error estimate {estimate:.1e}" in progress.message
    assert progress.status in (Status.CONVERGED, Status.STAGNATED)
    assert estimate is not None and 0 < estimate <= largest


def test_every_entry_has_a_reference_with_an_error() -> None:
    for name in names():
        reference = catalogue(name).reference
        assert reference is not None
        assert reference.backend in ("spectral", "fem") or reference.error is not None
