"""The tests that every backend inherits, for finite elements: a steady flow and a problem in time."""

from __future__ import annotations

import sympy as sp
from fem_cases import t, x

from pdesolve.backends.fem import FEM
from pdesolve.conformance import BackendConformance
from pdesolve.declare import Dirichlet, Initial, Interval, Periodic, Problem, Time, unknown
from pdesolve.problems import catalogue


class TestSteadyFlow(BackendConformance):
    backend = FEM(size=1 / 4, rtol=1e-1)
    steps = 40
    tolerance = 2e-2

    def problem(self) -> Problem:
        return catalogue("kovasznay")

    def unsupported(self) -> Problem:
        u = unknown("u", x, t)
        return Problem(
            "convection",
            [u.diff(t) + u.diff(x)],
            Interval(x, 0, 2 * sp.pi) * Time(t, 0, 1),
            [Initial(u, sp.sin(x)), Periodic(u)],
        )


class TestTransient(BackendConformance):
    backend = FEM(size=1 / 32, dt=1 / 16, rtol=1e-2)
    steps = 200
    tolerance = 2e-3

    def problem(self) -> Problem:
        u = unknown("u", x, t)
        problem = Problem(
            "fisher",
            [u.diff(t) - u.diff(x, 2) - u * (1 - u)],
            Interval(x, 0, 1) * Time(t, 0, 1),
            [Initial(u, 0), Dirichlet(u, 0)],
        )
        return problem.manufacture(u=sp.sin(sp.pi * x) * sp.cos(2 * t))
