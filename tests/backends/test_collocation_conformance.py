"""The tests that every backend inherits, for the collocation methods behind `Spectral`."""

from __future__ import annotations

import sympy as sp

from pdesolve.backends.spectral import Spectral
from pdesolve.conformance import BackendConformance
from pdesolve.declare import (
    Dirichlet,
    Disk,
    Initial,
    Interval,
    Neumann,
    Problem,
    Robin,
    Time,
    coordinates,
    unknown,
)

x, y, t = coordinates("x y t")


class TestSteady(BackendConformance):
    """Newton steps on two levels; a quarter of them is within the first."""

    backend = Spectral(n=16, rtol=1e-9)
    steps = 16
    tolerance = 1e-9

    def problem(self) -> Problem:
        u = unknown("u", x)
        ends = [Dirichlet(u, 0, on="left"), Robin(u, 0, on="right")]
        problem = Problem("reaction", [u.diff(x, 2) - u**3 + u.diff(x)], Interval(x, 0, 1), ends)
        return problem.manufacture(u=sp.exp(x) * sp.sin(2 * x))

    def unsupported(self) -> Problem:
        u = unknown("u", x, y)
        return Problem("disk", [u.diff(x, 2) + u.diff(y, 2) + 1], Disk((x, y)), [Dirichlet(u, 0)])


class TestTransient(BackendConformance):
    """Two levels of fixed steps, each three units of work or more."""

    backend = Spectral(n=24, dt=1 / 40, rtol=1e-8)
    steps = 60
    tolerance = 1e-8

    def problem(self) -> Problem:
        u = unknown("u", x, t)
        problem = Problem(
            "diffusion",
            [u.diff(t) - ((1 + u**2) * u.diff(x)).diff(x)],
            Interval(x, 0, 1) * Time(t, 0, 1),
            [Initial(u, 0), Dirichlet(u, 0, on="left"), Neumann(u, 0, on="right")],
        )
        return problem.manufacture(u=sp.sin(2 * x + 3 * t) * sp.exp(-t))

    def unsupported(self) -> Problem:
        u = unknown("u", x, y, t)
        domain = Disk((x, y)) * Time(t, 0, 1)
        return Problem(
            "disk", [u.diff(t) - u.diff(x, 2) - u.diff(y, 2)], domain, [Initial(u, 0), Dirichlet(u, 0)]
        )
