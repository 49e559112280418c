"""The decaying Taylor-Green vortex in two and in three dimensions."""

from __future__ import annotations

from typing import Any

import sympy as sp
from sympy import Eq, cos, exp, pi, sin

from pdesolve.declare import (
    Box,
    Initial,
    Periodic,
    Problem,
    Reference,
    Time,
    Value,
    coordinates,
    parameter,
    unknown,
)
from pdesolve.declare.errors import ParameterValueError

from . import number


def taylor_green(nu: Any = 0.01, T: Any = 1, dimension: Any = 2) -> Problem:
    """The Taylor-Green vortex on the torus.

        u_t + u u_x + v u_y + p_x = ν (u_xx + u_yy)
        v_t + u v_x + v v_y + p_y = ν (v_xx + v_yy)
        u_x + v_y = 0                                    on [0, 2π]², 0 <= t <= T, periodic

        u = -cos x sin y e^{-2νt},   v = sin x cos y e^{-2νt},   p = -¼ (cos 2x + cos 2y) e^{-4νt}

    In two dimensions this is an exact solution of the Navier-Stokes equations: the pressure gradient
    balances the convection, so that the vortices decay without moving. The pressure is fixed by its exact
    value at the origin.

    In three dimensions, with the third velocity w and z in all equations, the flow starts from

        u = sin x cos y cos z,   v = -cos x sin y cos z,   w = 0,   p = (cos 2x + cos 2y)(cos 2z + 2) / 16

    (p up to a constant: it solves ∇²p = -∇·(u·∇u), and is zero at the origin at all times here). No closed
    form is known for t > 0: the vortices stretch each other to ever finer scales, and the dissipation is
    greatest near t = 9 for Re = 1600. Computing far costs much; T = 1 stays smooth.

    Args:
        nu: kinematic viscosity, 1/Re for vortices of unit speed and wavenumber; 0.01 (Re = 100) is usual,
            1/1600 in the benchmarks of the three-dimensional flow.
        T: final time.
        dimension: 2 or 3.

    Source: Taylor & Green, Proc. R. Soc. A 158 (1937) 499-521; Chorin, Math. Comp. 22 (1968) 745-762 (2-D);
    Brachet et al., J. Fluid Mech. 130 (1983) 411-452 (3-D).
    """
    given = number("taylor-green", "dimension", dimension)
    if given not in (2, 3):
        raise ParameterValueError(
            "catalogue('taylor-green', dimension=)", "2 or 3", str(given), "Name one of the two flows."
        )
    viscosity = parameter("nu", positive=True)
    return _plane(viscosity, nu, T) if given == 2 else _space(viscosity, nu, T)


def _plane(viscosity: sp.Symbol, nu: Any, T: Any) -> Problem:
    x, y, t = coordinates("x y t")
    u, v, p = unknown("u v p", x, y, t)
    decay = exp(-2 * viscosity * t)
    exact = {
        u: -cos(x) * sin(y) * decay,
        v: sin(x) * cos(y) * decay,
        p: -(cos(2 * x) + cos(2 * y)) * decay**2 / 4,
    }
    return Problem(
        name="taylor-green",
        equations=_equations({x: u, y: v}, p, t, viscosity),
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


def _space(viscosity: sp.Symbol, nu: Any, T: Any) -> Problem:
    x, y, z, t = coordinates("x y z t")
    u, v, w, p = unknown("u v w p", x, y, z, t)
    start = {u: sin(x) * cos(y) * cos(z), v: -cos(x) * sin(y) * cos(z), w: sp.Integer(0)}
    return Problem(
        name="taylor-green-3d",
        equations=_equations({x: u, y: v, z: w}, p, t, viscosity),
        domain=Box(*((c, 0, 2 * pi) for c in (x, y, z))) * Time(t, 0, T),
        conditions=[
            *(Initial(velocity, value) for velocity, value in start.items()),
            *(Periodic(field) for field in (u, v, w, p)),
            Value(p, 0, at={x: 0, y: 0, z: 0}),
        ],
        parameters={viscosity: nu},
        unknowns=(u, v, w, p),
        reference=Reference(backend="spectral", options={"rtol": 1e-5}, description="Fourier ETDRK4"),
        vectors={"velocity": (u, v, w)},
        description="Taylor-Green vortices: three-dimensional flow that stretches its vortices.",
    )


def _equations(
    velocity: dict[sp.Symbol, Any], pressure: Any, time: sp.Symbol, viscosity: sp.Symbol
) -> dict[str, Eq]:
    """Momentum along each coordinate, and continuity."""
    equations = {}
    for coordinate, w in velocity.items():
        carried = sum((speed * w.diff(c) for c, speed in velocity.items()), w.diff(time))
        diffused = viscosity * sum(w.diff(c, 2) for c in velocity)
        equations[f"momentum {coordinate}"] = Eq(carried + pressure.diff(coordinate), diffused)
    return {**equations, "continuity": Eq(sum(w.diff(c) for c, w in velocity.items()), 0)}
