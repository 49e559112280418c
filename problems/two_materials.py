"""Heat conduction through two materials: a coefficient that jumps, with a closed form."""

from __future__ import annotations

from typing import Any

from sympy import Eq, Piecewise, Rational

from pdesolve.declare import Dirichlet, Interval, Problem, coordinates, unknown

from . import number


def two_materials(ratio: Any = 10) -> Problem:
    """Conduction through two layers that touch at x = 1/2.

        -(k u')' = 1,   0 <= x <= 1,   u(0) = u(1) = 0,   k = 1 left of 1/2, k = ratio right of it

    Both u and the flux k u' are continuous, so that u' jumps by the ratio:

        u = (q x - x²/2) / k  left,   u = u(1) + (q (x - 1) - (x² - 1)/2) / k  right,

    with the flux q = (3k + 1) / (4 (k + 1)), k the ratio, at the left end.

    Args:
        ratio: conductivity of the right layer over that of the left.

    Source: Carslaw & Jaeger, Conduction of Heat in Solids, section 3.2, with a source; integrated twice.
    """
    x = coordinates("x")
    u = unknown("u", x)
    k = number("two-materials", "ratio", ratio)
    middle = Rational(1, 2)
    conductivity = Piecewise((1, x < middle), (k, True))
    # Continuity at 1/2: q/2 - 1/8 = (-q/2 + 3/8) / k.
    q = (k / 8 + Rational(3, 8)) / (k / 2 + middle)
    left, right = q * x - x**2 / 2, (q * (x - 1) - (x**2 - 1) / 2) / k
    return Problem(
        name="two-materials",
        equations={"conduction": Eq(-(conductivity * u.diff(x)).diff(x), 1)},
        domain=Interval(x, 0, 1),
        conditions=[Dirichlet(u, 0)],
        reference=Piecewise((left, x < middle), (right, True)),
        description="Heat conduction through two layers whose conductivities differ.",
    )
