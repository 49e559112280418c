"""The heat equation in one dimension."""

from __future__ import annotations

from typing import Any

from sympy import Eq, Rational, exp, pi, sin

from pdesolve.declare import Dirichlet, Initial, Interval, Problem, Time, coordinates, parameter, unknown


def heat(nu: Any = 0.1) -> Problem:
    """The heat equation with ends held at zero.

        u_t = ν u_xx,   0 <= x <= 1,  0 <= t <= 1,   u(x, 0) = sin πx + ½ sin 4πx,   u(0, t) = u(1, t) = 0
        u = sin(πx) e^{-νπ²t} + ½ sin(4πx) e^{-16νπ²t}

    Two modes whose decay rates differ by a factor of 16.

    Args:
        nu: diffusivity; 0.1 leaves 37 % of the first mode at the end, 1 leaves 5e-5.

    Source: separation of variables.
    """
    x, t = coordinates("x t")
    u = unknown("u", x, t)
    diffusivity = parameter("nu", positive=True)
    first, fourth = sin(pi * x), Rational(1, 2) * sin(4 * pi * x)
    rate = diffusivity * pi**2
    return Problem(
        name="heat",
        equations={"heat": Eq(u.diff(t), diffusivity * u.diff(x, 2))},
        domain=Interval(x, 0, 1) * Time(t, 0, 1),
        conditions=[Initial(u, first + fourth), Dirichlet(u, 0)],
        parameters={diffusivity: nu},
        reference=first * exp(-rate * t) + fourth * exp(-16 * rate * t),
        description="Heat conduction in a rod with cold ends: two decaying modes.",
    )
