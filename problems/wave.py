"""The wave equation in one dimension."""

from __future__ import annotations

from typing import Any

from sympy import Eq, Rational, cos, pi, sin

from pdesolve.declare import Dirichlet, Initial, Interval, Problem, Time, coordinates, parameter, unknown


def wave(c: Any = 2) -> Problem:
    """The wave equation of a string with fixed ends, at rest at the start.

        u_tt = c² u_xx,   0 <= x <= 1,  0 <= t <= 1,   u(x, 0) = sin πx + ½ sin 4πx,   u_t(x, 0) = 0
        u = sin(πx) cos(cπt) + ½ sin(4πx) cos(4cπt)

    The second mode swings 4c times in the unit of time that the first needs for c.

    Args:
        c: speed; 2 is the published case.

    Source: Wang, Yu & Perdikaris, J. Comput. Phys. 449 (2022) 110768 (arXiv 2007.14527).
    """
    x, t = coordinates("x t")
    u = unknown("u", x, t)
    speed = parameter("c")
    first, fourth = sin(pi * x), Rational(1, 2) * sin(4 * pi * x)
    return Problem(
        name="wave",
        equations={"wave": Eq(u.diff(t, 2), speed**2 * u.diff(x, 2))},
        domain=Interval(x, 0, 1) * Time(t, 0, 1),
        conditions=[Initial(u, first + fourth), Initial(u.diff(t), 0), Dirichlet(u, 0)],
        parameters={speed: c},
        reference=first * cos(speed * pi * t) + fourth * cos(4 * speed * pi * t),
        description="Vibrating string: two standing waves.",
    )
