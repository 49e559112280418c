"""The decaying Taylor-Green vortex in two dimensions."""

from __future__ import annotations

from typing import Any

from sympy import Eq, cos, exp, pi, sin

from pdesolve.declare import Box, Initial, Periodic, Problem, Time, Value, coordinates, parameter, unknown


def taylor_green(nu: Any = 0.01, T: Any = 1) -> Problem:
    """The two-dimensional Taylor-Green vortex, an exact solution of the Navier-Stokes equations.

        u_t + u u_x + v u_y + p_x = ν (u_xx + u_yy)
        v_t + u v_x + v v_y + p_y = ν (v_xx + v_yy)
        u_x + v_y = 0                                    on [0, 2π]², 0 <= t <= T, periodic

        u = -cos x sin y e^{-2νt},   v = sin x cos y e^{-2νt},   p = -¼ (cos 2x + cos 2y) e^{-4νt}

    The pressure gradient balances the convection, so that the vortices decay without moving. The pressure
    is fixed by its exact value at the origin.

    Args:
        nu: kinematic viscosity; 0.01 (Re = 100) is usual.
        T: final time.

    Source: Taylor & Green, Proc. R. Soc. A 158 (1937) 499-521; Chorin, Math. Comp. 22 (1968) 745-762.
    """
    x, y, t = coordinates("x y t")
    u, v, p = unknown("u v p", x, y, t)
    viscosity = parameter("nu", positive=True)
    decay = exp(-2 * viscosity * t)
    exact = {
        u: -cos(x) * sin(y) * decay,
        v: sin(x) * cos(y) * decay,
        p: -(cos(2 * x) + cos(2 * y)) * decay**2 / 4,
    }

    def momentum(w: Any, coordinate: Any) -> Eq:
        transport = w.diff(t) + u * w.diff(x) + v * w.diff(y) + p.diff(coordinate)
        return Eq(transport, viscosity * (w.diff(x, 2) + w.diff(y, 2)))

    return Problem(
        name="taylor-green",
        equations={
            "momentum x": momentum(u, x),
            "momentum y": momentum(v, y),
            "continuity": Eq(u.diff(x) + v.diff(y), 0),
        },
        domain=Box((x, 0, 2 * pi), (y, 0, 2 * pi)) * Time(t, 0, T),
        conditions=[
            Initial(u, exact[u].subs(t, 0)),
            Initial(v, exact[v].subs(t, 0)),
            *(Periodic(w) for w in (u, v, p)),
            Value(p, exact[p].subs({x: 0, y: 0}), at={x: 0, y: 0}),
        ],
        parameters={viscosity: nu},
        unknowns=(u, v, p),
        reference=exact,
        vectors={"velocity": (u, v)},
        description="Taylor-Green vortices: decaying two-dimensional flow.",
    )
