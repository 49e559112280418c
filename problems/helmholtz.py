"""The Helmholtz equation on a square."""

from __future__ import annotations

from typing import Any

from sympy import Eq, pi, sin

from pdesolve.declare import Box, Dirichlet, Problem, coordinates, unknown

from . import number


def helmholtz(a1: Any = 1, a2: Any = 4, k: Any = 1) -> Problem:
    """The Helmholtz equation with a product of sines as its solution.

        u_xx + u_yy + k² u = q  on [-1, 1]²,   u = sin(a₁πx) sin(a₂πy),   q = (k² - (a₁² + a₂²) π²) u

    Args:
        a1, a2: half waves on a unit of length along x and y. Whole numbers make the boundary values zero;
            others take them from the exact solution. (6, 6) is a harder published case.
        k: wavenumber; 1 is the published case. Resonance where k² = (m² + n²) π²/4.

    Source: Wang, Teng & Perdikaris, SIAM J. Sci. Comput. 43 (2021) A3055-A3081.
    """
    x, y = coordinates("x y")
    u = unknown("u", x, y)
    a1, a2, k = (number("helmholtz", key, value) for key, value in (("a1", a1), ("a2", a2), ("k", k)))
    exact = sin(a1 * pi * x) * sin(a2 * pi * y)
    source = (k**2 - (a1**2 + a2**2) * pi**2) * exact
    return Problem(
        name="helmholtz",
        equations={"Helmholtz": Eq(u.diff(x, 2) + u.diff(y, 2) + k**2 * u, source)},
        domain=Box((x, -1, 1), (y, -1, 1)),
        conditions=[Dirichlet(u, 0 if a1.is_integer and a2.is_integer else exact)],
        reference=exact,
        description="Helmholtz on a square, manufactured from a product of sines.",
    )
