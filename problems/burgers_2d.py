"""Viscous Burgers' equation on the torus."""

from __future__ import annotations

from typing import Any

from sympy import Eq

from pdesolve.declare import Initial, Periodic, Problem, Reference, Time, coordinates, parameter, unknown

from .torus import start, torus


def burgers_2d(nu: Any = 0.01, T: Any = 4) -> Problem:
    """The scalar Burgers equation on the torus, carried along the diagonal.

        u_t + u (u_x + u_y) = ν (u_xx + u_yy),   [0, 2π]²,  0 <= t <= T,   periodic
        u(x, y, 0) = 0.04 cosh(3 sin x) sinh(sin y)

    Crests overtake troughs and steepen to fronts of width ~ν across the diagonal; by t = 4 about 130 modes
    on an axis are needed for ten digits.

    Args:
        nu: viscosity; 1/100 in the published case.
        T: final time.

    Source: Chen, McCarran, Vizcaino, Soljačić & Luo, ICML 2024 (PMLR 235, arXiv 2404.10771).
    """
    x, y, t = coordinates("x y t")
    u = unknown("u", x, y, t)
    viscosity = parameter("nu", positive=True)
    transport = u.diff(t) + u * (u.diff(x) + u.diff(y))
    return Problem(
        name="burgers-2d",
        equations={"Burgers": Eq(transport, viscosity * (u.diff(x, 2) + u.diff(y, 2)))},
        domain=torus(x, y) * Time(t, 0, T),
        conditions=[Initial(u, start(x, y)), Periodic(u)],
        parameters={viscosity: nu},
        reference=Reference(backend="spectral", options={"rtol": 1e-8}, description="Fourier ETDRK4"),
        description="Viscous Burgers on the torus: fronts across the diagonal.",
    )
