"""The Allen-Cahn equation on the torus."""

from __future__ import annotations

from typing import Any

from sympy import Eq

from pdesolve.declare import Initial, Periodic, Problem, Reference, Time, coordinates, parameter, unknown

from .torus import start, torus


def allen_cahn_2d(diffusivity: Any = 0.005, T: Any = 4) -> Problem:
    """The Allen-Cahn equation on the torus.

        u_t = D (u_xx + u_yy) + u - u³,   [0, 2π]²,  0 <= t <= T,   periodic
        u(x, y, 0) = 0.04 cosh(3 sin x) sinh(sin y)

    Small values grow as e^t until they saturate at ±1; walls of half-width √(2D), 0.1 by default, are left
    between the phases. By t = 4 about 100 modes on an axis are needed for nine digits.

    Args:
        diffusivity: D; 1/200 in the published case.
        T: final time.

    Source: Chen, McCarran, Vizcaino, Soljačić & Luo, ICML 2024 (PMLR 235, arXiv 2404.10771).
    """
    x, y, t = coordinates("x y t")
    u = unknown("u", x, y, t)
    D = parameter("D", positive=True)
    return Problem(
        name="allen-cahn-2d",
        equations={"Allen-Cahn": Eq(u.diff(t), D * (u.diff(x, 2) + u.diff(y, 2)) + u - u**3)},
        domain=torus(x, y) * Time(t, 0, T),
        conditions=[Initial(u, start(x, y)), Periodic(u)],
        parameters={D: diffusivity},
        reference=Reference(backend="spectral", options={"rtol": 1e-8}, description="Fourier ETDRK4"),
        description="Allen-Cahn on the torus: phases and walls out of a smooth start.",
    )
