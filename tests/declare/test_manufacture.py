"""Manufactured problems are solved by their field: by SymPy's own algebra, and by finite differences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import sympy as sp
from good_problems import (
    KOVASZNAY,
    LINE,
    allen_cahn,
    beam,
    biharmonic,
    burgers,
    eikonal,
    heat,
    heat_robin,
    helmholtz,
    inverse_heat,
    kdv,
    kdv_on_an_interval,
    kovasznay,
    kuramoto_sivashinsky,
    nu,
    p,
    poisson_dirichlet,
    poisson_mixed,
    poisson_neumann,
    reaction_diffusion,
    s,
    sq,
    su,
    sv,
    t,
    taylor_green,
    u,
    v,
    w,
    wave,
    x,
    y,
)
from sympy import cos, exp, pi, sin

import pdesolve.declare as pde
from pdesolve.declare.errors import ExpressionTypeError, ManufacturedFieldError

BUMP = exp(-t) * sin(pi * x + 1) + x**2
WAVES = exp(-t) * sin(pi * x + 1) + cos(2 * pi * x)
STEADY = exp(x) * sin(2 * y) + x * y
a, b = pde.unknown("a b", x, t)

CASES: list[tuple[Callable[[], pde.Problem], dict[Any, Any]]] = [
    (heat, {w: BUMP}),
    (heat_robin, {w: BUMP}),
    (burgers, {w: BUMP}),
    (wave, {w: sin(t) * sin(pi * x) + x}),
    (beam, {w: BUMP}),
    (kdv_on_an_interval, {w: BUMP}),
    (allen_cahn, {w: WAVES}),
    (kdv, {w: WAVES}),
    (kuramoto_sivashinsky, {w: WAVES}),
    (poisson_dirichlet, {s: STEADY}),
    (poisson_neumann, {s: STEADY}),
    (poisson_mixed, {s: STEADY}),
    (helmholtz, {s: STEADY}),
    (eikonal, {s: STEADY}),
    (biharmonic, {s: STEADY}),
    (reaction_diffusion, {a: BUMP, b: exp(-t) * cos(x)}),
    (kovasznay, KOVASZNAY),
    (kovasznay, {su: sin(x) * y, sv: cos(x) * y, sq: x * y**2}),
    (
        taylor_green,
        {
            u: -cos(x) * sin(y) * exp(-2 * nu * t),
            v: sin(x) * cos(y) * exp(-2 * nu * t),
            p: -(cos(2 * x) + cos(2 * y)) * exp(-4 * nu * t) / 4,
        },
    ),
]


@pytest.mark.parametrize(("build", "fields"), CASES, ids=lambda case: getattr(case, "__name__", ""))
def test_the_field_makes_every_term_vanish(build: Callable[[], pde.Problem], fields: dict[Any, Any]) -> None:
    declared = build()
    fractions = {key: sp.nsimplify(value, rational=True) for key, value in declared.parameters.items()}
    declared = declared.replace(parameters=fractions)  # so that zero means zero, not round-off
    made = declared.manufacture(fields)
    exact = {f: declared.substitute(e) for f, e in fields.items()}
    assert made.name == f"{declared.name}-manufactured"
    assert made.reference.expressions == tuple(sp.sympify(fields[f]) for f in made.unknowns)
    assert len(made.terms) == len(declared.terms)
    for term in made.terms:
        residual = term.expression.subs(exact).doit()
        if term.region != "inside" or term.fixed:
            residual = residual.subs(_where(made, term))
        assert _vanishes(residual), term.name


def _where(problem: pde.Problem, term: pde.Term) -> dict[Any, Any]:
    """The coordinates that are fixed where a term holds."""
    if term.fixed:
        return {problem.coordinates[i]: sp.nsimplify(value) for i, value in term.fixed.items()}
    face = problem.domain.face(term.region)
    axis = problem.domain.axes[face.axis]
    return {axis.coordinate: axis.lower if face.side < 0 else axis.upper}


def _vanishes(residual: sp.Expr) -> bool:
    """By algebra: floats become fractions, so that zero means zero."""
    exactly = sp.nsimplify(residual, rational=True)
    return sp.simplify(sp.expand(exactly)) == 0 or exactly.equals(0) is True


def test_the_source_is_the_operator_by_finite_differences() -> None:
    """u_t + u u_x - nu u_xx of the field, from values of the field alone."""
    made = burgers().manufacture(w=BUMP)
    value = float(made.parameters[nu])

    def field(at_x: Any, at_t: Any) -> Any:
        return np.exp(-at_t) * np.sin(np.pi * at_x + 1) + at_x**2

    points = LINE.sample(50, np.random.default_rng(1))
    px, pt = points.T
    h = 1e-4
    u_t = (field(px, pt + h) - field(px, pt - h)) / (2 * h)
    u_x = (field(px + h, pt) - field(px - h, pt)) / (2 * h)
    u_xx = (field(px + h, pt) - 2 * field(px, pt) + field(px - h, pt)) / h**2
    expected = u_t + field(px, pt) * u_x - value * u_xx
    zero = {w.diff(t): 0, w.diff(x, 2): 0, w.diff(x): 0, w: 0}
    source = sp.lambdify([x, t], -made.terms[0].expression.xreplace(zero))
    np.testing.assert_allclose(source(px, pt), expected, atol=1e-6)


def test_data_are_restricted_to_their_face() -> None:
    made = poisson_mixed().manufacture({s: x**2 * y})
    data = {c.on[0]: (c.kind, c.value) for c in made.conditions}
    assert data == {
        "left": ("dirichlet", 0),
        "right": ("dirichlet", y),
        "bottom": ("neumann", -(x**2)),  # outward is downward there
        "top": ("neumann", x**2),
    }


def test_initial_data_of_both_orders() -> None:
    made = wave().manufacture(w=sin(3 * t) * x + cos(t))
    assert [c.value for c in made.of_type(pde.Initial)] == [1, 3 * x]


def test_known_parameters_stay_symbols() -> None:
    made = heat().manufacture(w=sin(pi * x) * exp(-nu * t))
    assert nu in made.equations["equation"].free_symbols
    again = made.replace(parameters={nu: 3.0})
    assert again.terms[0].expression.has(sp.Float(3.0))


def test_a_parameter_to_be_identified_stays_identifiable() -> None:
    """The operator holds the symbol, the source its true value: only k = 2 makes the residual vanish."""
    declared = inverse_heat()
    (k,) = declared.unknown_parameters
    made = declared.manufacture(w=BUMP, k=2)
    assert made.unknown_parameters == (k,)
    residual = made.terms[0].expression.subs(w, BUMP).doit()
    assert sp.simplify(residual.subs(k, 2)) == 0
    assert sp.simplify(residual.subs(k, 3)) != 0
    (seen,) = made.of_type(pde.Observations)
    px, pt = seen.points.T
    np.testing.assert_allclose(seen.values, np.exp(-pt) * np.sin(np.pi * px + 1) + px**2, rtol=1e-14)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: taylor_green().manufacture(u=sin(x), v=0), "none for p"),
        (lambda: heat().manufacture({w: x, s: y}), "one for s"),
        (lambda: heat().manufacture(w=x * y), "y in it"),
        (lambda: heat().manufacture(w=w + x), r"w\(x, t\) in it"),
        (lambda: inverse_heat().manufacture(w=x), "none for k"),
        (lambda: inverse_heat().manufacture(w=x, k=x), "x in it"),
        (lambda: allen_cahn().manufacture(w=x * t), "jump of 2 in its derivative of order 0"),
        (lambda: allen_cahn().manufacture(w=x**2), "jump of 4 in its derivative of order 1"),
        (lambda: kdv().manufacture(w=x**4 - 2 * x**2), "jump of 48 in its derivative of order 3"),
    ],
)
def test_fields_that_do_not_fit_are_refused(call: Callable[[], pde.Problem], words: str) -> None:
    with pytest.raises(ManufacturedFieldError, match=words):
        call()


def test_a_name_that_is_no_unknown_is_refused() -> None:
    with pytest.raises(ExpressionTypeError, match="velocity"):
        heat().manufacture(w=x, velocity=x)
