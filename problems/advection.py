"""Advection of a fast wave through a box."""

from __future__ import annotations

from typing import Any

from sympy import Eq, sin

from pdesolve.declare import Box, Dirichlet, Initial, Interval, Problem, Time, coordinates, parameter, unknown

from . import choose, number


def advection(variant: str = "causal", beta: Any = 200) -> Problem:
    """Advection.

        u_t + β u_x = 0,   u = sin(x - βt),   0 <= x, t <= 1

    - ``causal``: u is given at t = 0 and at the inflow x = 0.
    - ``all-edges``: u is given on all four edges of the square, outflow and final time included, as in the
      released data; t is then a coordinate of space.

    Args:
        variant: ``causal`` or ``all-edges``.
        beta: the speed, positive.

    Source: the test set of Fang et al., ICLR 2024, arXiv 2311.04465.
    """
    x, t = coordinates("x t")
    u = unknown("u", x, t)
    speed = parameter("beta", positive=True)
    number("advection", "beta", beta)
    exact = sin(x - speed * t)
    line = Interval(x, 0, 1) * Time(t, 0, 1)
    variants = {
        "causal": (line, [Initial(u, sin(x)), Dirichlet(u, sin(-speed * t), on="left")]),
        "all-edges": (Box((x, 0, 1), (t, 0, 1)), [Dirichlet(u, exact)]),
    }
    domain, conditions = choose("advection", variants, variant)
    return Problem(
        name="advection" if variant == "causal" else f"advection-{variant}",
        equations={"advection": Eq(u.diff(t) + speed * u.diff(x), 0)},
        domain=domain,
        conditions=conditions,
        parameters={speed: beta},
        reference=exact,
        description="Advection of a wave of high frequency.",
    )
