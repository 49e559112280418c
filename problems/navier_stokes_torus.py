"""Two-dimensional flow on the unit torus, in vorticity and stream function."""

from __future__ import annotations

from typing import Any

from sympy import Eq, Integer, Rational, cos, pi, sin

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

from . import choose


def navier_stokes_torus(variant: str = "forced", nu: Any = 1e-3, T: Any = 5) -> Problem:
    """Incompressible flow on the unit torus; the velocity is (ψ_y, -ψ_x).

        ω_t + ψ_y ω_x - ψ_x ω_y = ν (ω_xx + ω_yy) + f
        ψ_xx + ψ_yy = -ω                                 on [0, 1]², 0 <= t <= T, periodic
        ω(x, y, 0) = sin 2πx cos 2πy + ½ cos 4πy + ¼ sin 2π(2x - y)

    - ``forced``: f = (sin 2π(x + y) + cos 2π(x + y)) / 10, the force of the data sets of Li et al., whose
      vorticity starts from random fields of rms 0.18.
    - ``decaying``: f = 0.

    The start holds modes of three different wavenumbers, so that they carry each other; its rms is 0.64, and
    a vortex turns over in ~10 time units. The mean vorticity is zero, as the second equation asks. ψ, known
    up to a constant, is zero at the origin.

    Args:
        variant: ``forced`` or ``decaying``.
        nu: kinematic viscosity; 1e-3, 1e-4 and 1e-5 in the data sets (Re ~ 20, 200, 2000).
        T: final time; 50, 30 and 20 in the data sets.

    Source: Li et al., ICLR 2021 (arXiv 2010.08895), section 5.3 (equation and force).
    """
    x, y, t = coordinates("x y t")
    omega, psi = unknown("omega psi", x, y, t)
    viscosity = parameter("nu", positive=True)
    phase = 2 * pi * (x + y)
    forces = {"forced": (sin(phase) + cos(phase)) / 10, "decaying": Integer(0)}
    force = choose("navier-stokes-torus", forces, variant)
    transport = omega.diff(t) + psi.diff(y) * omega.diff(x) - psi.diff(x) * omega.diff(y)
    start = (
        sin(2 * pi * x) * cos(2 * pi * y)
        + Rational(1, 2) * cos(4 * pi * y)
        + Rational(1, 4) * sin(2 * pi * (2 * x - y))
    )
    return Problem(
        name="navier-stokes-torus" if variant == "forced" else f"navier-stokes-torus-{variant}",
        equations={
            "vorticity": Eq(transport, viscosity * (omega.diff(x, 2) + omega.diff(y, 2)) + force),
            "stream function": Eq(psi.diff(x, 2) + psi.diff(y, 2), -omega),
        },
        domain=Box((x, 0, 1), (y, 0, 1)) * Time(t, 0, T),
        conditions=[
            Initial(omega, start),
            Periodic(omega),
            Periodic(psi),
            Value(psi, 0, at={x: 0, y: 0}),
        ],
        parameters={viscosity: nu},
        unknowns=(omega, psi),
        reference=Reference(backend="spectral", options={"rtol": 1e-8}, description="Fourier ETDRK4"),
        description="Navier-Stokes on the torus: vorticity that is carried, diffused and forced.",
    )
