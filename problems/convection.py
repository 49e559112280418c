"""Linear convection of a sine, fast enough to defeat a plain PINN."""

from __future__ import annotations

from typing import Any

from sympy import Eq, pi, sin

from pdesolve.declare import Initial, Interval, Periodic, Problem, Time, coordinates, parameter, unknown


def convection(beta: Any = 30) -> Problem:
    """Linear convection.

        u_t + β u_x = 0,   0 <= x <= 2π,  0 <= t <= 1,   u(x, 0) = sin x,   periodic;   u = sin(x - βt)

    The wave crosses the box β/2π times. A PINN without help stops at the trivial solution from β ~ 10 on.

    Args:
        beta: speed; 30, 40 and 50 are the published cases.

    Source: Krishnapriyan et al., NeurIPS 2021 (arXiv 2109.01050); Daw et al., ICML 2023 (R3).
    """
    x, t = coordinates("x t")
    u = unknown("u", x, t)
    speed = parameter("beta")
    return Problem(
        name="convection",
        equations={"convection": Eq(u.diff(t) + speed * u.diff(x), 0)},
        domain=Interval(x, 0, 2 * pi) * Time(t, 0, 1),
        conditions=[Initial(u, sin(x)), Periodic(u)],
        parameters={speed: beta},
        reference=sin(x - speed * t),
        description="Linear convection of a sine at high speed, a known failure of plain PINNs.",
    )
