"""The Kuramoto-Sivashinsky equation from random initial data."""

from __future__ import annotations

from functools import partial
from typing import Any

from sympy import Eq, Expr

from pdesolve.declare import Initial, Interval, Periodic, Problem, Reference, Time, coordinates, unknown
from pdesolve.declare.distributions import RandomSines
from pdesolve.declare.family import Family

from . import number


def kuramoto_sivashinsky_random(L: Any = 64, T: Any = 100) -> Family:
    """The Kuramoto-Sivashinsky equation on a circle, from a few random sines.

        u_t + u u_x + u_xx + u_xxxx = 0,   0 <= x <= L periodic,   0 <= t <= T
        u(x, 0) = Σ_{j=1}^{10} A_j sin(2π ℓ_j x / L + φ_j),   A ~ U[-½, ½],  ℓ ∈ {1, 2},  φ ~ U[0, 2π]

    The field grows from these long waves to chaos within ~50 time units; its largest Lyapunov exponent is
    then near 0.1 for L >= 60, so that errors grow by e in ten time units. Of published sets the first
    60-70 % of the time are left out, so that what remains is on the attractor.

    Args:
        L: length of the circle.
        T: final time; 100 in the published sets, of which the last 28 to 50 units are used.

    Source: Brandstetter, Welling & Worrall, ICML 2022 (arXiv 2202.07643); L and T are not jittered here.
    """
    length = number("kuramoto-sivashinsky-random", "L", L)
    end = number("kuramoto-sivashinsky-random", "T", T)
    start = RandomSines(Interval(coordinates("x"), 0, length))
    declare = partial(_declare, length, end)
    return Family("kuramoto-sivashinsky-random", declare, {"u0": start}, points=128, times=501)


def _declare(length: Expr, end: Expr, u0: Expr) -> Problem:
    x, t = coordinates("x t")
    u = unknown("u", x, t)
    return Problem(
        name="kuramoto-sivashinsky-random",
        equations={"KS": Eq(u.diff(t) + u * u.diff(x) + u.diff(x, 2) + u.diff(x, 4), 0)},
        domain=Interval(x, 0, length) * Time(t, 0, end),
        conditions=[Initial(u, u0), Periodic(u)],
        reference=Reference(backend="spectral", options={"rtol": 1e-6}, description="Fourier ETDRK4"),
        description="Kuramoto-Sivashinsky: chaos that grows from a few long waves.",
    )
