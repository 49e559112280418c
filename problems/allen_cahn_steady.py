"""The steady Allen-Cahn equation, manufactured with high frequencies."""

from __future__ import annotations

from sympy import Eq, Rational, cos, pi, sin

from pdesolve.declare import Box, Dirichlet, Interval, Problem, coordinates, unknown

from . import choose


def allen_cahn_steady_1d(variant: str = "wave") -> Problem:
    """The steady Allen-Cahn equation in one dimension.

        u_xx + u (u² - 1) = f,   0 <= x <= 2π

    - ``wave``: u = sin 100x.
    - ``modulated``: u = sin 6x cos 100x.

    Args:
        variant: ``wave`` or ``modulated``.

    Source: the test set of Fang et al., ICLR 2024, arXiv 2311.04465.
    """
    x = coordinates("x")
    u = unknown("u", x)
    solutions = {"wave": sin(100 * x), "modulated": sin(6 * x) * cos(100 * x)}
    exact = choose("allen-cahn-steady-1d", solutions, variant)
    return Problem(
        name=f"allen-cahn-steady-1d-{variant}",
        equations={
            "Allen-Cahn": Eq(u.diff(x, 2) + u * (u**2 - 1), exact.diff(x, 2) + exact * (exact**2 - 1))
        },
        domain=Interval(x, 0, 2 * pi),
        conditions=[Dirichlet(u, exact)],
        reference=exact,
        description=f"Steady Allen-Cahn in one dimension, u = {exact}.",
    )


def allen_cahn_steady_2d() -> Problem:
    """The steady Allen-Cahn equation in two dimensions, three scales in each.

        u_xx + u_yy + u (u² - 1) = f,   u = g(x) g(y),   g(z) = sin z + sin(20z) / 10 + cos 100z,   on [0, 1]²

    Source: the test set of Fang et al., ICLR 2024, arXiv 2311.04465.
    """
    x, y = coordinates("x y")
    u = unknown("u", x, y)
    of_x, of_y = (sin(z) + Rational(1, 10) * sin(20 * z) + cos(100 * z) for z in (x, y))
    exact = of_x * of_y
    source = exact.diff(x, 2) + exact.diff(y, 2) + exact * (exact**2 - 1)
    return Problem(
        name="allen-cahn-steady-2d",
        equations={"Allen-Cahn": Eq(u.diff(x, 2) + u.diff(y, 2) + u * (u**2 - 1), source)},
        domain=Box((x, 0, 1), (y, 0, 1)),
        conditions=[Dirichlet(u, exact)],
        reference=exact,
        description="Steady Allen-Cahn in two dimensions, with three scales along each axis.",
    )
