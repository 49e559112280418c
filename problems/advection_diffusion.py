"""Steady advection and diffusion: a boundary layer with a closed form."""

from __future__ import annotations

from typing import Any

import numpy as np
from sympy import Eq

from pdesolve.declare import Dirichlet, Interval, Problem, Reference, coordinates, parameter, unknown
from pdesolve.declare.domain import Array

from . import number


def advection_diffusion(nu: Any = 0.1) -> Problem:
    """Advection and diffusion in balance.

        u_x = ν u_xx,   0 <= x <= 1,   u(0) = 0,   u(1) = 1;   u = (e^{(x-1)/ν} - e^{-1/ν}) / (1 - e^{-1/ν})

    The flow carries 0 to the right, where u rises to 1 in a layer of width ν.

    Args:
        nu: diffusivity over speed and length, the reciprocal of the Péclet number; 0.1 is mild, 0.01 thin.

    Source: the model problem of upwinding, e.g. Roos, Stynes & Tobiska, Robust Numerical Methods for
    Singularly Perturbed Differential Equations (2008), part I.
    """
    x = coordinates("x")
    u = unknown("u", x)
    diffusivity = parameter("nu", positive=True)
    value = number("advection-diffusion", "nu", nu)
    return Problem(
        name="advection-diffusion",
        equations={"balance": Eq(u.diff(x), diffusivity * u.diff(x, 2))},
        domain=Interval(x, 0, 1),
        conditions=[Dirichlet(u, 0, on="left"), Dirichlet(u, 1, on="right")],
        parameters={diffusivity: nu},
        reference=Reference(
            function=lambda points: _layer(points, float(value)), error=1e-15, description="closed form"
        ),
        description="Steady advection and diffusion with a boundary layer of width nu.",
    )


def _layer(points: Array, nu: float) -> Array:
    """Points (n, 1) to values (n, 1), with no exponential that overflows."""
    return np.asarray(np.exp((points - 1) / nu) * np.expm1(-points / nu) / np.expm1(-1 / nu))
