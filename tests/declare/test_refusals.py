"""Each wrong declaration is refused by its own exception, with a message that names the culprit."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sympy as sp
from good_problems import (
    LINE,
    SQUARE,
    airy,
    burgers,
    heat,
    kdv_on_an_interval,
    lid_driven_cavity,
    nu,
    poisson_dirichlet,
    poisson_neumann,
    s,
    sq,
    stream_function,
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
from good_problems import p as pressure
from sympy import Eq, pi, sin

import pdesolve.declare as pde
from pdesolve.declare import errors

HEAT = w.diff(t) - nu * w.diff(x, 2)
START = pde.Initial(w, sin(pi * x))
WALLS = pde.Dirichlet(w, 0)
z = pde.coordinates("z")
k = pde.parameter("k", unknown=True, start=1.0)


def problem(equation: Any = HEAT, conditions: Any = (START, WALLS), **changes: Any) -> pde.Problem:
    """The heat equation with something changed."""
    given = {"parameters": {nu: 0.1}, "domain": LINE} | changes
    return pde.Problem("heat", equation, given.pop("domain"), conditions, **given)


def laplace(*conditions: Any, source: Any = 0, domain: Any = SQUARE) -> pde.Problem:
    return pde.Problem("laplace", s.diff(x, 2) + s.diff(y, 2) - source, domain, conditions)


def without(build: Callable[[], pde.Problem], kind: type, which: int = 0) -> Callable[[], pde.Problem]:
    """A good problem with one condition of a class taken away."""

    def make() -> pde.Problem:
        good = build()
        gone = list(good.of_type(kind))[which]
        return good.replace(conditions=[c for c in good.conditions if c is not gone])

    return make


def added(build: Callable[[], pde.Problem], *conditions: Any) -> Callable[[], pde.Problem]:
    return lambda: (good := build()).replace(conditions=[*good.conditions, *conditions])


def on_left(value: Any) -> Callable[[], pde.Problem]:
    """Boundary data on the left face of the heat problem."""
    conditions = [pde.Initial(w, 0), pde.Dirichlet(w, value, on="left"), pde.Dirichlet(w, 0, on="right")]
    return lambda: problem(conditions=conditions)


def raises(points: np.ndarray) -> np.ndarray:
    raise RuntimeError("no such column")


u_of_x, other = pde.unknown("w", x), pde.unknown("other", x, t)
w_of_z = pde.unknown("w", x, z)

REFUSED: dict[str, tuple[Callable[[], Any], type[errors.PDESolveError], list[str]]] = {
    # 1: functions
    "1 condition on another function": (
        lambda: problem(conditions=[START, WALLS, pde.Dirichlet(other, 0)]),
        errors.UndeclaredFunctionError,
        ["Dirichlet(other)", "w(x, t)"],
    ),
    "1 condition with other arguments": (
        lambda: problem(conditions=[START, pde.Dirichlet(u_of_x, 0)]),
        errors.UndeclaredFunctionError,
        ["w(x)", "w(x, t)"],
    ),
    "1 condition at a number": (
        lambda: problem(conditions=[pde.Initial(w.subs(t, 0), 0), WALLS]),
        errors.UndeclaredFunctionError,
        ["w(x, 0)", "w(x, t)"],
    ),
    "1 equation with other arguments": (
        lambda: problem(HEAT + u_of_x),
        errors.UndeclaredFunctionError,
        ["w(x)", "w(x, t)", "same arguments"],
    ),
    "1 condition on a derivative": (
        lambda: pde.Dirichlet(w.diff(x), 0),
        errors.UndeclaredFunctionError,
        ["Dirichlet", "Derivative", "Neumann"],
    ),
    "1 condition on a name": (lambda: pde.Dirichlet("w", 0), errors.UndeclaredFunctionError, ["'w'"]),
    "1 data that hold an unknown": (
        lambda: problem(conditions=[START, pde.Dirichlet(w, other)]),
        errors.UndeclaredFunctionError,
        ["Dirichlet(w)", "other(x, t)"],
    ),
    "1 unknown listed in vain": (
        lambda: problem(unknowns=(w, other)),
        errors.UndeclaredFunctionError,
        ["other(x, t)", "Drop it"],
    ),
    "1 unknown not listed": (
        lambda: problem([HEAT, other.diff(t)], unknowns=(w,)),
        errors.UndeclaredFunctionError,
        ["equation 2", "other(x, t)"],
    ),
    "1 vector of strangers": (
        lambda: problem(vectors={"velocity": (other,)}),
        errors.UndeclaredFunctionError,
        ["vectors", "other"],
    ),
    "1 unknown of fewer coordinates": (
        lambda: problem([HEAT, pde.unknown("b", x).diff(x)]),
        errors.UndeclaredFunctionError,
        ["b(x)", "dependence on t"],
    ),
    # 2: count
    "2 too few equations": (
        lambda: problem(HEAT + other),
        errors.EquationCountError,
        ["1 equation for 2 unknowns", "w(x, t)", "other(x, t)"],
    ),
    "2 too many equations": (
        lambda: problem([HEAT, w.diff(x)]),
        errors.EquationCountError,
        ["2 equations for 1 unknown"],
    ),
    "2 none": (lambda: problem([], []), errors.EquationCountError, ["0 equations"]),
    "23 data that are undefined on a small part": (
        on_left(sp.sqrt(sp.Abs(t - 0.9) - 0.02)),
        errors.BoundaryDataError,
        ["Dirichlet(w) on left", "nan at x = -1, t = 0.8"],
    ),
    "18 a source without flux, diffusivity not constant": (
        lambda: pde.Problem(
            "p",
            ((1 + x) * s.diff(x)).diff(x) + s.diff(y, 2) - 1,
            SQUARE,
            [pde.Neumann(s, 0), pde.Value(s, 0, at={x: 0, y: 0})],
        ),
        errors.IncompatibleNeumannError,
        ["imbalance of -1"],
    ),
    # References
    "0 reference with a strange symbol": (
        lambda: heat().replace(reference=sin(z * x)),
        errors.UndeclaredSymbolError,
        ["reference", "symbol z"],
    ),
    "0 reference that holds the unknown": (
        lambda: heat().replace(reference=w + 1),
        errors.ReferenceDataError,
        ["reference", "w(x, t)"],
    ),
    "0 reference function that raises": (
        lambda: heat().replace(reference=raises),
        errors.ReferenceDataError,
        ["RuntimeError: no such column", "its columns are x, t"],
    ),
    "0 reference function of one value": (
        lambda: heat().replace(reference=lambda points: 1.0),
        errors.ReferenceDataError,
        ["(5, 1)", "shape ()"],
    ),
    # The plainest slips of the pen
    "0 box without an end": (lambda: pde.Box((x, 0)), errors.ExpressionTypeError, ["Box", "lower, upper"]),
    "0 domain times a number": (lambda: LINE * 2, errors.ExpressionTypeError, ["Domain", "got 2"]),
    "0 domain times a tuple": (
        lambda: pde.Interval(x, 0, 1) * (t, 0, 1),
        errors.ExpressionTypeError,
        ["Time(t, 0, 1)"],
    ),
    "0 value at a list": (
        lambda: pde.Value(s, 0, at=[0, 0]),
        errors.BoundaryDataError,
        ["Value(s)", "at={x: 0, y: 0}"],
    ),
    "0 names of another class": (lambda: pde.coordinates(3), errors.SymbolNameError, ["coordinates()", "3"]),
    "0 start as text": (
        lambda: pde.parameter("k", unknown=True, start="a"),
        errors.ParameterValueError,
        ["'k'", "'a'"],
    ),
    "0 start NaN": (
        lambda: pde.parameter("k", unknown=True, start=float("nan")),
        errors.ParameterValueError,
        ["'k'", "nan"],
    ),
    "0 unit of nothing": (
        lambda: heat().replace(units={"q": "m"}),
        errors.UndeclaredSymbolError,
        ["units['q']", "w(x, t)"],
    ),
    "0 unit that is no text": (lambda: heat().replace(units={w: 1}), errors.ExpressionTypeError, ["units"]),
    "0 vector of none": (
        lambda: heat().replace(vectors={"velocity": ()}),
        errors.ExpressionTypeError,
        ["velocity", "one to three"],
    ),
    "0 vector of the same unknown twice": (
        lambda: taylor_green().replace(vectors={"velocity": (u, u)}),
        errors.ExpressionTypeError,
        ["velocity", "different"],
    ),
    "0 vector called like an unknown": (
        lambda: heat().replace(vectors={"w": (w,)}),
        errors.NameClashError,
        ["vectors['w']"],
    ),
    # 3: coordinates
    "3 argument the domain lacks": (
        lambda: pde.Problem("p", w_of_z.diff(z), pde.Interval(x, 0, 1), [pde.Dirichlet(w_of_z, 0)]),
        errors.MissingCoordinateError,
        ["w(x, z)", "z", "domain"],
    ),
    "3 time without Time": (
        lambda: problem(domain=pde.Interval(x, 0, 1)),
        errors.MissingCoordinateError,
        ["w(x, t)", "got t"],
    ),
    "3 coordinate with other assumptions": (
        lambda: problem(domain=pde.Interval(sp.Symbol("x"), 0, 1) * pde.Time(t, 0, 1)),
        errors.MissingCoordinateError,
        ["other assumptions"],
    ),
    "3 value at a strange coordinate": (
        added(poisson_dirichlet, pde.Value(s, 0, at={z: 0})),
        errors.MissingCoordinateError,
        ["Value(s)", "z"],
    ),
    "3 initial space derivative": (
        lambda: problem(conditions=[START, pde.Initial(w.diff(x), 0), WALLS]),
        errors.MissingCoordinateError,
        ["Initial(w)", "time t"],
    ),
    "3 derivative in what the unknown does not depend on": (
        lambda: problem(HEAT + w.diff(y, 2)),  # SymPy's own functions would give 0
        errors.MissingCoordinateError,
        ["w(x, t).diff(y)", "x, t"],
    ),
    "3 derivative in a symbol of the same name": (
        lambda: problem(HEAT + sp.diff(w, x, (sp.Symbol("t"), 1))),
        errors.MissingCoordinateError,
        ["w(x, t).diff(t)", "other assumptions"],
    ),
    # 4: symbols
    "4 parameter without value": (
        lambda: problem(parameters={}),
        errors.UndeclaredSymbolError,
        ["equation", "nu", "parameters={nu: value}"],
    ),
    "4 symbol in data": (
        lambda: problem(conditions=[pde.Initial(w, z), WALLS]),
        errors.UndeclaredSymbolError,
        ["Initial(w)", "symbol z"],
    ),
    "4 symbol in a Robin coefficient": (
        lambda: problem(conditions=[START, pde.Robin(w, 0, a=z)]),
        errors.UndeclaredSymbolError,
        ["Robin(w), a", "symbol z"],
    ),
    "4 the same name with other assumptions": (
        lambda: problem(HEAT + sp.Symbol("x")),
        errors.UndeclaredSymbolError,
        ["symbol x", "other assumptions"],
    ),
    "4 unknown parameter, nothing observed": (
        lambda: problem(w.diff(t) - k * w.diff(x, 2)),
        errors.UndeterminedParameterError,
        ["parameter k", "Observations"],
    ),
    # 5, 6: content
    "5 no unknown": (lambda: problem([HEAT, nu * x - 1]), errors.NoUnknownError, ["equation 2", "0.1*x"]),
    "5 the only equation holds no unknown": (
        lambda: problem(sin(x) - 1),
        errors.NoUnknownError,
        ["an equation in w(x, t)", "sin(x) - 1"],
    ),
    "5 a number": (lambda: problem([1]), errors.NoUnknownError, ["1 = 0"]),
    "6 the only equation is 0 = 0": (
        lambda: problem([HEAT - HEAT]),
        errors.TrivialEquationError,
        ["0 = 0"],
    ),
    "2 none, with conditions": (lambda: problem([]), errors.EquationCountError, ["0 equations"]),
    "5 the unknown cancels": (
        lambda: problem((w + 1) ** 2 - w**2 - 2 * w + x),
        errors.NoUnknownError,
        ["x + 1"],
    ),
    "6 0 = 0": (
        lambda: problem((w + 1) ** 2 - w**2 - 2 * w - 1),
        errors.TrivialEquationError,
        ["0 = 0", "equation"],
    ),
    "6 0 = 0 that would take ages to expand": (
        lambda: problem((big := (x + t + w) ** 1000) * (w - 1) - w * big + big),
        errors.TrivialEquationError,
        ["0 = 0"],
    ),
    "6 the number 0": (lambda: problem([HEAT, 0]), errors.TrivialEquationError, ["equation 2"]),
    "6 Eq that is true": (lambda: problem(Eq(w, w)), errors.TrivialEquationError, ["True", "Eq"]),
    "6 Eq that is false": (
        lambda: problem({"momentum": Eq(sp.Integer(1), 2)}),
        errors.TrivialEquationError,
        ["momentum", "False"],
    ),
    "6 comparison by ==": (
        lambda: problem(w.diff(t) == w.diff(x)),
        errors.TrivialEquationError,
        ["False", "sympy.Eq(left, right)"],
    ),
    # 7: real numbers
    "7 imaginary coefficient": (
        lambda: problem(sp.I * w.diff(t) + w.diff(x, 2)),
        errors.ComplexCoefficientError,
        ["equation", "imaginary", "two unknowns"],
    ),
    "7 imaginary data": (
        lambda: problem(conditions=[pde.Initial(w, sp.I * x), WALLS]),
        errors.ComplexCoefficientError,
        ["Initial(w)"],
    ),
    "7 complex parameter": (
        lambda: problem(parameters={nu: 1 + 2j}),
        errors.ComplexCoefficientError,
        ["parameter nu"],
    ),
    "7 logarithm of -1": (on_left(sp.log(-1)), errors.ComplexCoefficientError, ["Dirichlet(w)"]),
    # 8, 9: initial conditions
    "8 no initial velocity": (
        without(wave, pde.Initial, 1),
        errors.InitialOrderError,
        ["w.diff(t)", "order 2"],
    ),
    "8 velocity in first order": (
        added(heat, pde.Initial(w.diff(t), 0)),
        errors.InitialOrderError,
        ["below 1", "order 1"],
    ),
    "9 no initial condition": (without(heat, pde.Initial), errors.InitialConditionError, ["Initial(w, ...)"]),
    "9 velocity alone": (without(wave, pde.Initial, 0), errors.InitialConditionError, ["Initial(w, ...)"]),
    "9 initial condition in a steady problem": (
        added(poisson_dirichlet, pde.Initial(s, 0)),
        errors.InitialConditionError,
        ["steady", "Time"],
    ),
    # 10: names
    "10 unknown called like a parameter": (
        lambda: problem(HEAT + pde.parameter("w"), parameters={nu: 1, pde.parameter("w"): 1}),
        errors.NameClashError,
        ["'w'", "as unknown and as parameter"],
    ),
    "10 parameter called like a coordinate": (
        lambda: problem(HEAT + pde.parameter("x"), parameters={nu: 1, pde.parameter("x"): 1}),
        errors.NameClashError,
        ["'x'", "as coordinate and as parameter"],
    ),
    "10 unknown called like a coordinate": (
        lambda: pde.Problem("p", pde.unknown("x", x).diff(x), pde.Interval(x, 0, 1)),
        errors.NameClashError,
        ["'x'", "as coordinate and as unknown"],
    ),
    "10 unknown listed twice": (lambda: problem(unknowns=(w, w)), errors.NameClashError, ["'w'"]),
    "10 coordinate twice": (
        lambda: pde.Interval(x, 0, 1) * pde.Interval(x, 0, 1),
        errors.NameClashError,
        ["x, x"],
    ),
    "10 two names in one call": (lambda: pde.coordinates("x x"), errors.NameClashError, ["x x"]),
    "10 no identifier": (
        lambda: pde.Problem("p", pde.unknown("u;v", x).diff(x), pde.Interval(x, 0, 1)),
        errors.SymbolNameError,
        ["'u;v'"],
    ),
    "10 a problem without a name": (
        lambda: heat().replace(name=" "),
        errors.SymbolNameError,
        ["Problem", "name"],
    ),
    "10 a reserved name": (
        lambda: pde.Problem("p", pde.unknown("n_x", x).diff(x), pde.Interval(x, 0, 1)),
        errors.SymbolNameError,
        ["n_x", "data"],
    ),
    # 11: strings
    "11 equation as text": (lambda: problem("w.diff(t)"), errors.ExpressionTypeError, ["never evaluated"]),
    "11 a relation that is no equation": (lambda: problem(w > 0), errors.ExpressionTypeError, ["Eq"]),
    "11 a matrix": (lambda: problem(sp.Matrix([HEAT])), errors.ExpressionTypeError, ["Matrix"]),
    "11 an integral": (
        lambda: problem(HEAT + sp.Integral(w, (x, -1, 1))),
        errors.ExpressionTypeError,
        ["Integral", "point by point"],
    ),
    "11 symbolic order": (
        lambda: problem(HEAT + sp.Derivative(w, (x, sp.Symbol("n", integer=True, positive=True)))),
        errors.ExpressionTypeError,
        ["whole order"],
    ),
    "11 condition of another class": (
        lambda: problem(conditions=[START, WALLS, Eq(w, 0)]),
        errors.ExpressionTypeError,
        ["conditions", "Dirichlet"],
    ),
    "11 domain of another class": (
        lambda: problem(domain=(0, 1)),
        errors.ExpressionTypeError,
        ["domain", "Interval"],
    ),
    "11 unknown of another class": (
        lambda: problem(unknowns=("w",)),
        errors.ExpressionTypeError,
        ["unknowns", "'w'"],
    ),
    "11 conditions that are no list": (
        lambda: problem(conditions=5),
        errors.ExpressionTypeError,
        ["conditions", "a list"],
    ),
    "11 parameters that are no dictionary": (
        lambda: problem(parameters=[0.1]),
        errors.ExpressionTypeError,
        ["parameters", "a dictionary"],
    ),
    "11 vector of names": (
        lambda: problem(vectors={"flux": ["w"]}),
        errors.ExpressionTypeError,
        ["'w'"],
    ),
    "11 parameter by name": (
        lambda: problem(parameters={"nu": 1}),
        errors.ExpressionTypeError,
        ["parameters", "'nu'"],
    ),
    # 12: parameters
    "12 not a number": (lambda: problem(parameters={nu: "0.1"}), errors.ParameterValueError, ["nu", "'0.1'"]),
    "12 NaN": (lambda: problem(parameters={nu: np.nan}), errors.ParameterValueError, ["nu", "nan"]),
    "12 infinite": (lambda: problem(parameters={nu: np.inf}), errors.ParameterValueError, ["nu", "oo"]),
    "12 symbolic": (lambda: problem(parameters={nu: z}), errors.ParameterValueError, ["nu", "z"]),
    "12 negative where positive was said": (
        lambda: problem(parameters={nu: -0.1}),
        errors.ParameterValueError,
        ["nu", "-0.1", "positive"],
    ),
    "12 division by a zero parameter": (
        lambda: problem(HEAT + w / (r := pde.parameter("r")), parameters={nu: 1, r: 0}),
        errors.ParameterValueError,
        ["equation", "divide by zero"],
    ),
    "12 unknown parameter without start": (
        lambda: pde.parameter("c", unknown=True),
        errors.ParameterValueError,
        ["'c'", "start"],
    ),
    # 13: direction of time
    "13 backward heat": (
        lambda: problem(w.diff(t) + nu * w.diff(x, 2)),
        errors.BackwardDiffusionError,
        ["equation", "a = 0.1", "in x", "allow_ill_posed=True"],
    ),
    "13 backward heat, time derivative negative": (
        lambda: problem(-w.diff(t) - w.diff(x, 2)),
        errors.BackwardDiffusionError,
        ["c = -1", "a = -1"],
    ),
    "13 backward fourth order": (
        lambda: pde.Problem(
            "ks", w.diff(t) - w.diff(x, 4) - w.diff(x, 2), LINE, [pde.Initial(w, 0), pde.Periodic(w)]
        ),
        errors.BackwardDiffusionError,
        ["w_xxxx", "a = -1"],
    ),
    "13 elliptic in time": (
        lambda: pde.Problem(
            "laplace",
            w.diff(t, 2) + w.diff(x, 2),
            LINE,
            [pde.Initial(w, 0), pde.Initial(w.diff(t), 0), WALLS],
        ),
        errors.BackwardDiffusionError,
        ["w_tt", "w_xx"],
    ),
    "13 a sign that shows by number only": (
        lambda: problem(w.diff(t) + ((2 + x) * w.diff(x)).diff(x)),
        errors.BackwardDiffusionError,
        ["x + 2", "in x"],
    ),
    "13 a sign known by assumption": (
        lambda: problem(w.diff(t) + (1 + x**2) * w.diff(x, 2)),
        errors.BackwardDiffusionError,
        ["x**2 + 1"],
    ),
    # 14: singular limit
    "14 no diffusion left": (
        lambda: problem(w.diff(t) - (eps := pde.parameter("eps")) * w.diff(x, 2), parameters={eps: 0}),
        errors.SingularLimitError,
        ["parameter eps", "order 2", "order 0"],
    ),
    # 15, 16, 17: boundary conditions
    "15 no boundary condition": (
        lambda: problem(conditions=[START]),
        errors.MissingBoundaryConditionError,
        ["w", "left, right", "Periodic(w, x)"],
    ),
    "15 one face without": (
        lambda: problem(conditions=[START, pde.Dirichlet(w, 0, on="left")]),
        errors.MissingBoundaryConditionError,
        ["too few on right", 'on="right"'],
    ),
    "15 second unknown without": (
        lambda: (good := lid_driven_cavity()).replace(
            conditions=[c for c in good.conditions if c.unknown != sv]
        ),
        errors.MissingBoundaryConditionError,
        ["sv", "left, right"],
    ),
    "15 fourth order with one a face": (
        lambda: pde.Problem("b", w.diff(t) + w.diff(x, 4), LINE, [pde.Initial(w, 0), WALLS]),
        errors.MissingBoundaryConditionError,
        ["2 conditions on each part", "left, right"],
    ),
    "15 third order with two": (
        without(kdv_on_an_interval, pde.Neumann),
        errors.MissingBoundaryConditionError,
        ["3 in total"],
    ),
    "15 first order with none": (
        lambda: problem(w.diff(t) + w.diff(x), [START]),
        errors.MissingBoundaryConditionError,
        ["inflow", "none on left", "speed 1"],
    ),
    "15 a wall with one condition for two unknowns": (
        lambda: stream_function().replace(conditions=[pde.Dirichlet(s, 0)]),
        errors.MissingBoundaryConditionError,
        ["too few on"],
    ),
    "16 more conditions than the order at both ends": (
        added(airy, pde.Dirichlet(airy().unknowns[0], 0, on="right")),
        errors.DuplicateConditionError,
        ["2 conditions at both ends"],
    ),
    "16 three conditions on a wall of two unknowns": (
        added(stream_function, pde.Dirichlet(sq, 0)),
        errors.OverdeterminedBoundaryError,
        ["Dirichlet and Neumann on all faces"],
    ),
    "15 a condition on the outflow alone": (
        lambda: problem(w.diff(t) - x * w.diff(x), [START, pde.Dirichlet(w, 0, on="right")]),
        errors.MissingBoundaryConditionError,
        ["inflow", "none on left", "speed 1"],
    ),
    "15 first-order system with none": (
        lambda: problem(
            [w.diff(t) + other.diff(x), other.diff(t) + w.diff(x)], [START, pde.Initial(other, 0)]
        ),
        errors.MissingBoundaryConditionError,
        ["inflow", "w, other"],
    ),
    "15 no such part": (
        lambda: problem(conditions=[START, pde.Dirichlet(w, 0, on=("left", "top"))]),
        errors.UnknownPartError,
        ["Dirichlet(w)", "left, right", "'top'"],
    ),
    "15 a part that is no name": (
        lambda: pde.Dirichlet(w, 0, on=5),
        errors.UnknownPartError,
        ["Dirichlet(w)", "got 5"],
    ),
    "15 no part at all": (lambda: pde.Dirichlet(w, 0, on=()), errors.UnknownPartError, ["names of parts"]),
    "15 the initial part": (
        added(heat, pde.Dirichlet(w, 0, on="initial")),
        errors.UnknownPartError,
        ["Initial(w".replace("(w", "(u"), "'initial'"],
    ),
    "16 two on one face": (
        added(heat, pde.Neumann(w, 0, on="left")),
        errors.DuplicateConditionError,
        ["w on left", "dirichlet, neumann"],
    ),
    "16 the same twice": (
        added(heat, pde.Dirichlet(w, 1, on="right")),
        errors.DuplicateConditionError,
        ["w on right", "dirichlet, dirichlet"],
    ),
    "16 the same twice in fourth order": (
        lambda: pde.Problem(
            "b", w.diff(t) + w.diff(x, 4), LINE, [pde.Initial(w, 0), WALLS, pde.Dirichlet(w, 1)]
        ),
        errors.DuplicateConditionError,
        ["w on left"],
    ),
    "16 four in third order": (
        added(kdv_on_an_interval, pde.Neumann(w, 0, on="left")),
        errors.DuplicateConditionError,
        ["3 conditions", "got 4"],
    ),
    "16 two initial conditions": (added(heat, START), errors.DuplicateConditionError, ["Initial(w)"]),
    "16 periodic and Dirichlet": (
        added(heat, pde.Periodic(w)),
        errors.DuplicateConditionError,
        ["w on left", "periodic, dirichlet"],
    ),
    "16 periodic twice": (
        lambda: problem(conditions=[START, pde.Periodic(w), pde.Periodic(w, x)]),
        errors.DuplicateConditionError,
        ["periodic, periodic"],
    ),
    "16 two values at a point": (
        added(poisson_neumann, pde.Value(s, 2, at={x: 0, y: 0})),
        errors.DuplicateConditionError,
        ["Value", "two"],
    ),
    "17 value and flux everywhere": (
        added(poisson_dirichlet, pde.Neumann(s, 0)),
        errors.OverdeterminedBoundaryError,
        ["left, right, bottom, top"],
    ),
    "17 a derivative that vanished unseen": (
        lambda: problem(w.diff(t) - nu * w.diff(x).diff(z)),
        errors.OverdeterminedBoundaryError,
        ["no derivative in space", "does not depend on"],
    ),
    "17 pressure with both": (
        added(lid_driven_cavity, pde.Dirichlet(sq, 0), pde.Neumann(sq, 0)),
        errors.OverdeterminedBoundaryError,
        ["sq", "Dirichlet and Neumann"],
    ),
    # 18, 19: constants and balances
    "18 pure Neumann without a value": (
        without(poisson_neumann, pde.Value),
        errors.IncompatibleNeumannError,
        ["s under derivatives only", "Value(s, 0, at={x: 0, y: 0})"],
    ),
    "18 Robin that is Neumann": (
        lambda: laplace(pde.Robin(s, 0, a=0, b=2)),
        errors.IncompatibleNeumannError,
        ["constant"],
    ),
    "18 periodic Poisson without a value": (
        lambda: laplace(pde.Periodic(s)),
        errors.IncompatibleNeumannError,
        ["constant"],
    ),
    "18 source that does not balance": (
        # ∫ (Δs - 3) = 4·(1/2) - 3 on the unit square
        lambda: laplace(pde.Neumann(s, sp.Rational(1, 2)), pde.Value(s, 0, at={x: 0, y: 0}), source=3),
        errors.IncompatibleNeumannError,
        ["imbalance of -1 ", "5 in total"],
    ),
    "18 periodic Poisson with a mean source": (
        lambda: laplace(pde.Periodic(s), pde.Value(s, 0, at={x: 0, y: 0}), source=2),
        errors.IncompatibleNeumannError,
        ["imbalance of -2"],
    ),
    "18 one dimension": (
        lambda: pde.Problem(
            "p",
            (q := pde.unknown("q", x)).diff(x, 2) - sp.exp(x),
            pde.Interval(x, 0, 1),
            [pde.Neumann(q, lambda points: np.zeros(len(points))), pde.Value(q, 0, at={x: 0})],
        ),
        errors.IncompatibleNeumannError,
        ["imbalance of -1.72"],  # 1 - e
    ),
    "19 no gauge": (
        without(lid_driven_cavity, pde.Value),
        errors.PressureGaugeError,
        ["sq", "Value(sq, 0, at={x: 0, y: 0})"],
    ),
    "19 gauge at one instant": (
        lambda: (good := taylor_green()).replace(
            conditions=[
                *(c for c in good.conditions if not isinstance(c, pde.Value)),
                pde.Value(pressure, 0, at={x: 0, y: 0, t: 0}),
            ]
        ),
        errors.PressureGaugeError,
        ["p", "all times", "leave t out"],
    ),
    "19 inflow without outflow": (
        lambda: (good := lid_driven_cavity()).replace(
            conditions=[
                pde.Dirichlet(su, 1, on="left"),
                pde.Dirichlet(su, 0, on=("right", "bottom", "top")),
                *(c for c in good.conditions if c.unknown != su),
            ]
        ),
        errors.PressureGaugeError,
        ["continuity", "imbalance of -1 "],
    ),
    # 20: periodicity
    "20 one face": (
        lambda: problem(conditions=[START, pde.Periodic(w, ("left",))]),
        errors.PeriodicPairError,
        ["Periodic(w)", "'left' without its opposite", "Periodic(w, x)"],
    ),
    "20 faces of two axes": (
        lambda: laplace(pde.Periodic(s, ("left", "top"))),
        errors.PeriodicPairError,
        ["without its opposite"],
    ),
    "20 time": (
        lambda: problem(conditions=[START, pde.Periodic(w, t)]),
        errors.PeriodicPairError,
        ["space coordinate", "got t"],
    ),
    # 23: data
    "23 a constant": (
        on_left(lambda points: 0.5),
        errors.BoundaryDataError,
        ["Dirichlet(w)", "constant 0.5", "np.full(len(points), 0.5)"],
    ),
    "23 a NumPy constant": (
        on_left(lambda points: np.array(2.0)),
        errors.BoundaryDataError,
        ["np.full(len(points), 2.0)"],
    ),
    "23 a column": (
        on_left(lambda points: points[:, :1]),
        errors.BoundaryDataError,
        ["(5, 1)", "shape (n,)"],
    ),
    "23 a list": (on_left(lambda points: [0.0] * len(points)), errors.BoundaryDataError, ["list"]),
    "23 whole numbers": (
        on_left(lambda points: np.zeros(len(points), dtype=int)),
        errors.BoundaryDataError,
        ["int64", "astype(float)"],
    ),
    "23 NaN from a function": (
        on_left(lambda points: np.full(len(points), np.nan)),
        errors.BoundaryDataError,
        ["Dirichlet(w) on left", "nan at x = -1"],
    ),
    "23 a function that fails": (
        on_left(raises),
        errors.BoundaryDataError,
        ["function raises", "RuntimeError: no such column"],
    ),
    "23 a pole": (
        lambda: problem(conditions=[pde.Initial(w, 1 / x), WALLS]),
        errors.BoundaryDataError,
        ["Initial(w) on initial", "inf at x = 0"],
    ),
    "23 a logarithm of negative numbers": (
        lambda: problem(conditions=[pde.Initial(w, sp.log(x)), WALLS]),
        errors.BoundaryDataError,
        ["Initial(w)", "x = -1"],
    ),
    "23 value outside": (
        added(poisson_dirichlet, pde.Value(s, 0, at={x: 2})),
        errors.BoundaryDataError,
        ["x between 0 and 1", "got 2"],
    ),
    "23 value nowhere": (lambda: pde.Value(s, 0), errors.BoundaryDataError, ["fixed coordinate"]),
    "23 observations of another width": (
        added(heat, pde.Observations(w, np.zeros((3, 3)), np.zeros(3))),
        errors.BoundaryDataError,
        ["(n, 2)", "x, t"],
    ),
    "23 observations outside": (
        added(heat, pde.Observations(w, [[0.0, 0.5], [0.0, 7.0]], np.zeros(2))),
        errors.BoundaryDataError,
        ["1 outside", "[0.0, 7.0]"],
    ),
    "23 observations with NaN": (
        lambda: pde.Observations(w, [[0.0, np.nan]], [1.0]),
        errors.BoundaryDataError,
        ["finite"],
    ),
    "23 negative noise": (
        lambda: pde.Observations(w, [[0.0, 0.0]], [1.0], noise=-1),
        errors.BoundaryDataError,
        ["noise"],
    ),
    # 24, 25
    "24 Robin of nothing": (
        lambda: problem(conditions=[START, pde.Robin(w, 1, a=0, b=nu - nu)]),
        errors.RobinCoefficientError,
        ["Robin(w)", "a = 0 and b = 0"],
    ),
    "24 Robin of a zero parameter": (
        lambda: problem(
            conditions=[START, pde.Robin(w, 1, a=0, b=(h := pde.parameter("h")))], parameters={nu: 1, h: 0}
        ),
        errors.RobinCoefficientError,
        ["Robin(w)"],
    ),
    "25 empty": (lambda: pde.Interval(x, 1, 1), errors.EmptyDomainError, ["Interval(x)", "1 and 1"]),
    "25 inverted time": (lambda: pde.Time(t, 1, 0), errors.EmptyDomainError, ["Time(t)", "Swap"]),
    "25 infinite": (lambda: pde.Interval(x, 0, sp.oo), errors.EmptyDomainError, ["finite"]),
    "25 complex": (lambda: pde.Interval(x, 0, sp.I), errors.EmptyDomainError, ["finite"]),
    "25 axis by name": (lambda: pde.Interval("x", 0, 1), errors.ExpressionTypeError, ["coordinates"]),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case: str) -> None:
    build, kind, words = REFUSED[case]
    with pytest.raises(errors.PDESolveError) as caught:
        build()
    assert type(caught.value) is kind, str(caught.value)
    message = str(caught.value)
    missing = [word for word in words if word not in message]
    assert not missing, f"{missing} not in: {message}"
    assert caught.value.remedy.endswith(".")


def test_every_refusal_of_a_declaration_is_tested() -> None:
    known = {kind for kind in vars(errors).values() if isinstance(kind, type)}
    refusals = {k for k in known if issubclass(k, errors.DeclarationError)} - {errors.DeclarationError}
    here = {kind for _, kind, _ in REFUSED.values()}
    others = [
        path.read_text()
        for path in Path(__file__).parent.glob("test_*.py")
        if path.name != Path(__file__).name
    ]
    elsewhere = {kind for kind in refusals if any(kind.__name__ in text for text in others)}
    assert not {kind.__name__ for kind in refusals - here - elsewhere}


HOSTILE = "__import__('os').environ.__setitem__('PDESOLVE_HACKED', '1')"

STRINGS: dict[str, Callable[[], Any]] = {
    "equation": lambda: problem(HOSTILE),
    "one of the equations": lambda: problem([HEAT, HOSTILE]),
    "side of an equation": lambda: problem({"e": HOSTILE}),
    "initial data": lambda: problem(conditions=[pde.Initial(w, HOSTILE), WALLS]),
    "boundary data": lambda: problem(conditions=[START, pde.Dirichlet(w, HOSTILE)]),
    "unknown": lambda: pde.Neumann(HOSTILE, 0),
    "initial unknown": lambda: pde.Initial(HOSTILE, 0),
    "Robin coefficient": lambda: pde.Robin(w, 0, a=HOSTILE),
    "gauge": lambda: pde.Value(w, 0, at={x: HOSTILE}),
    "parameter": lambda: problem(parameters={nu: HOSTILE}),
    "bound": lambda: pde.Interval(x, HOSTILE, 1),
    "reference": lambda: problem(reference={w: HOSTILE}),
    "manufactured field": lambda: problem().manufacture({w: HOSTILE}),
    "listed unknown": lambda: problem(unknowns=(HOSTILE,)),
    "observations": lambda: pde.Observations(w, [[HOSTILE, HOSTILE]], [HOSTILE]),
}


@pytest.mark.parametrize("place", STRINGS)
def test_strings_are_never_evaluated(place: str) -> None:
    with pytest.raises(errors.DeclarationError):
        STRINGS[place]()
    assert "PDESOLVE_HACKED" not in os.environ


def test_ill_posed_problems_are_accepted_on_request() -> None:
    accepted = problem(w.diff(t) + nu * w.diff(x, 2), allow_ill_posed=True)
    assert accepted.allow_ill_posed


def test_one_item_may_stand_for_a_list() -> None:
    made = problem(w.diff(t) + w**3, pde.Initial(w, 1), unknowns=w, vectors={"flux": w})
    assert (len(made.conditions), made.unknowns, made.vectors) == (1, (w,), {"flux": (w,)})


def test_a_reaction_without_space_derivatives_may_be_periodic() -> None:
    """u_t = 5 u (1 - u) at each x, the reaction benchmark of the PINN literature."""
    made = problem(w.diff(t) - 5 * w * (1 - w), [START, pde.Periodic(w)])
    assert made.periodic_axes(w) == (0,)


def test_the_order_of_checks_reports_the_cause_first() -> None:
    """A mistyped unknown also leaves its parts without conditions: the mistyping is what is reported."""
    typo = pde.unknown("W", x, t)
    with pytest.raises(errors.UndeclaredFunctionError, match="W"):
        problem(conditions=[pde.Initial(typo, 0), pde.Dirichlet(typo, 0)])


def test_observations_stand_in_for_missing_conditions_but_not_for_a_gauge() -> None:
    good = burgers()
    seen = pde.Observations(w, [[0.0, 0.5]], [0.0])
    assert good.replace(conditions=[seen]).conditions == (seen,)
    flow = lid_driven_cavity()
    seen = pde.Observations(su, [[0.5, 0.5]], [0.0])
    with pytest.raises(errors.PressureGaugeError):
        flow.replace(conditions=[c for c in flow.conditions if c.unknown != sq] + [seen])


def test_an_incompressible_inflow_that_balances_is_accepted() -> None:
    """u = y(1-y) at both ends carries as much out as in."""
    good = lid_driven_cavity()
    channel = [
        pde.Dirichlet(su, y * (1 - y), on=("left", "right")),
        pde.Dirichlet(su, 0, on=("bottom", "top")),
        *(c for c in good.conditions if c.unknown != su),
    ]
    assert good.replace(conditions=channel).unknown_names[0] == "su"


def test_an_initial_pressure_is_no_gauge() -> None:
    good = taylor_green()
    conditions = [c for c in good.conditions if not isinstance(c, pde.Value)]
    with pytest.raises(errors.PressureGaugeError):
        good.replace(conditions=[*conditions, pde.Initial(pressure, 0)])
    assert v in good.unknowns
