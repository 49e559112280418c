"""Poisson's equation on the unit square."""

from __future__ import annotations

from typing import Any

from sympy import Eq, pi, sin

from pdesolve.declare import Box, Dirichlet, Problem, coordinates, unknown

from . import number


def poisson(a: Any = 1, b: Any = 1) -> Problem:
    """Poisson's equation with a product of sines as its solution.

        -(u_xx + u_yy) = f  on [0, 1]²,   u = sin(aπx) sin(bπy),   f = (a² + b²) π² u

    Args:
        a, b: half waves along x and y. Whole numbers make the boundary values zero; others take them from
            the exact solution.

    Source: manufactured; the case a = b = 1 is in many test sets (e.g. Müller & Zeinhofer, ICML 2023).
    """
    x, y = coordinates("x y")
    u = unknown("u", x, y)
    a, b = number("poisson", "a", a), number("poisson", "b", b)
    exact = sin(a * pi * x) * sin(b * pi * y)
    source = (a**2 + b**2) * pi**2 * exact
    return Problem(
        name="poisson",
        equations={"Poisson": Eq(-(u.diff(x, 2) + u.diff(y, 2)), source)},
        domain=Box((x, 0, 1), (y, 0, 1)),
        conditions=[Dirichlet(u, 0 if a.is_integer and b.is_integer else exact)],
        reference=exact,
        description="Poisson on the unit square, manufactured from a product of sines.",
    )
