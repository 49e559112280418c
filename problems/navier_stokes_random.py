"""Two-dimensional flow on the unit torus from random vorticity."""

from __future__ import annotations

from functools import partial
from typing import Any

from sympy import Eq, Expr, cos, pi, sin

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
from pdesolve.declare.distributions import GaussianField
from pdesolve.declare.family import Family

from . import number


def navier_stokes_random(nu: Any = 1e-3, T: Any = 50) -> Family:
    """Incompressible flow on the unit torus, from a Gaussian random field of vorticity.

        ω_t + ψ_y ω_x - ψ_x ω_y = ν (ω_xx + ω_yy) + (sin 2π(x + y) + cos 2π(x + y)) / 10
        ψ_xx + ψ_yy = -ω                                                  on [0, 1]², periodic
        ω(x, y, 0) ~ N(0, 7³ (-Δ + 49)^{-5/2}),  without mean,  to wavenumber 15

    The covariance is that of the released generator (rms 0.18); the paper prints 7^{3/2}.

    Args:
        nu: kinematic viscosity; 1e-3, 1e-4 and 1e-5 in the published sets (Re ~ 20, 200, 2000).
        T: final time; 50, 30 and 20 with these.

    Source: Li et al., ICLR 2021 (arXiv 2010.08895), section 5.3, and its generator.
    """
    value, end = number("navier-stokes-random", "nu", nu), number("navier-stokes-random", "T", T)
    x, y = coordinates("x y")
    square = Box((x, 0, 1), (y, 0, 1))
    start = GaussianField(square, sigma=7**1.5, tau=7, gamma=2.5, modes=15, zero_mean=True)
    declare = partial(_declare, value, end)
    return Family("navier-stokes-random", declare, {"omega0": start}, points=64, times=51)


def _declare(nu: Expr, end: Expr, omega0: Expr) -> Problem:
    x, y, t = coordinates("x y t")
    omega, psi = unknown("omega psi", x, y, t)
    viscosity = parameter("nu", positive=True)
    phase = 2 * pi * (x + y)
    transport = omega.diff(t) + psi.diff(y) * omega.diff(x) - psi.diff(x) * omega.diff(y)
    force = (sin(phase) + cos(phase)) / 10
    return Problem(
        name="navier-stokes-random",
        equations={
            "vorticity": Eq(transport, viscosity * (omega.diff(x, 2) + omega.diff(y, 2)) + force),
            "stream function": Eq(psi.diff(x, 2) + psi.diff(y, 2), -omega),
        },
        domain=Box((x, 0, 1), (y, 0, 1)) * Time(t, 0, end),
        conditions=[Initial(omega, omega0), Periodic(omega), Periodic(psi), Value(psi, 0, at={x: 0, y: 0})],
        parameters={viscosity: nu},
        unknowns=(omega, psi),
        reference=Reference(backend="spectral", options={"rtol": 1e-5}, description="Fourier ETDRK4"),
        description="Navier-Stokes on the torus from random vorticity.",
    )
