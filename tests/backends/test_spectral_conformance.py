"""The tests that every backend inherits, for the spectral one."""

from __future__ import annotations

import sympy as sp
from spectral_cases import forced, t, u, x

from pdesolve.backends.spectral import Spectral
from pdesolve.conformance import BackendConformance
from pdesolve.declare import Initial, Interval, Periodic, Problem, Time


class TestSpectral(BackendConformance):
    """Two levels: three units of work for the first, five for the second, which is the answer.

    So a quarter of the steps ends with the first level whole, and a third within the second.
    """

    backend = Spectral(n=32, dt=1 / 500, rtol=1e-4)
    steps = 12
    tolerance = 1e-6

    def problem(self) -> Problem:
        problem, exact = forced()
        return problem.replace(reference=exact)

    def unsupported(self) -> Problem:
        return Problem(
            "variable mass",
            [u * u.diff(t) - u.diff(x, 2)],
            Interval(x, 0, 2 * sp.pi) * Time(t, 0, 1),
            [Initial(u, 2 + sp.sin(x)), Periodic(u)],
        )
