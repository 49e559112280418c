"""Kovasznay's flow behind a grid."""

from __future__ import annotations

from typing import Any

from sympy import Eq, Rational, cos, exp, pi, sin, sqrt

from pdesolve.declare import Box, Dirichlet, Problem, coordinates, parameter, unknown


def kovasznay(Re: Any = 20) -> Problem:
    """Steady flow behind a two-dimensional grid, an exact solution of the Navier-Stokes equations.

        u u_x + v u_y + p_x = (u_xx + u_yy) / Re
        u v_x + v v_y + p_y = (v_xx + v_yy) / Re
        u_x + v_y = 0                                    on [-½, 1] x [-½, 3/2]

        u = 1 - e^{λx} cos 2πy,   v = λ/2π e^{λx} sin 2πy,   p = ½ (1 - e^{2λx}),   λ = Re/2 - √(Re²/4 + 4π²)

    The velocity is given on all sides, the pressure on the outflow (right).

    Args:
        Re: Reynolds number; 20 and 40 are usual.

    Source: Kovasznay, Math. Proc. Camb. Phil. Soc. 44 (1948) 58-62.
    """
    x, y = coordinates("x y")
    u, v, p = unknown("u v p", x, y)
    reynolds = parameter("Re", positive=True)
    rate = reynolds / 2 - sqrt(reynolds**2 / 4 + 4 * pi**2)
    exact = {
        u: 1 - exp(rate * x) * cos(2 * pi * y),
        v: rate / (2 * pi) * exp(rate * x) * sin(2 * pi * y),
        p: (1 - exp(2 * rate * x)) / 2,
    }

    def momentum(w: Any, coordinate: Any) -> Eq:
        transport = u * w.diff(x) + v * w.diff(y) + p.diff(coordinate)
        return Eq(transport, (w.diff(x, 2) + w.diff(y, 2)) / reynolds)

    return Problem(
        name="kovasznay",
        equations={
            "momentum x": momentum(u, x),
            "momentum y": momentum(v, y),
            "continuity": Eq(u.diff(x) + v.diff(y), 0),
        },
        domain=Box((x, Rational(-1, 2), 1), (y, Rational(-1, 2), Rational(3, 2))),
        conditions=[Dirichlet(u, exact[u]), Dirichlet(v, exact[v]), Dirichlet(p, exact[p], on="right")],
        parameters={reynolds: Re},
        unknowns=(u, v, p),
        reference=exact,
        vectors={"velocity": (u, v)},
        description="Kovasznay flow behind a grid: steady, two-dimensional.",
    )
