"""Viscous Burgers' equation, with the Cole-Hopf solution as its reference."""

from __future__ import annotations

from typing import Any

import numpy as np
from sympy import Eq, pi, sin

from pdesolve.declare import (
    Dirichlet,
    Initial,
    Interval,
    Problem,
    Reference,
    Time,
    coordinates,
    parameter,
    unknown,
)
from pdesolve.declare.domain import Array

from . import number

NODES = 100
"""Gauss-Hermite nodes. NumPy's rule overflows to NaN at 300; 100 are enough for ν >= 0.002."""


def burgers(nu: Any = 0.01 / np.pi) -> Problem:
    """Burgers' equation.

        u_t + u u_x = ν u_xx,   -1 <= x <= 1,  0 <= t <= 1,   u(x, 0) = -sin πx,   u(±1, t) = 0

    The sine steepens to a front of width ~ν at x = 0 by t = 1/π and decays from then on; the slope at the
    centre is greatest, -152.005 for ν = 0.01/π, at t = 1.6037/π.

    Args:
        nu: viscosity. The default 0.01/π is the standard case; 0.1/π is smooth. Below 0.002 the reference's
            own error grows (3e-8 at 0.001).

    Source: Basdevant et al., Computers & Fluids 14 (1986) 23-41.
    """
    x, t = coordinates("x t")
    u = unknown("u", x, t)
    viscosity = parameter("nu", positive=True)
    value = float(number("burgers", "nu", nu))
    return Problem(
        name="burgers",
        equations={"Burgers": Eq(u.diff(t) + u * u.diff(x), viscosity * u.diff(x, 2))},
        domain=Interval(x, -1, 1) * Time(t, 0, 1),
        conditions=[Initial(u, -sin(pi * x)), Dirichlet(u, 0)],
        parameters={viscosity: nu},
        reference=Reference(
            function=lambda points: cole_hopf(points, value),
            error=lambda: cole_hopf_error(value),
            description=f"Cole-Hopf, {NODES} Gauss-Hermite nodes",
        ),
        description="Viscous Burgers: a sine steepens to a front of width nu.",
    )


def cole_hopf(points: Array, nu: float, nodes: int = NODES) -> Array:
    """The exact solution at points (n, 2) of columns x, t; shape (n, 1).

        u = -∫ sin(πy) E e^{-z²} dz / ∫ E e^{-z²} dz,   y = x - 2 √(νt) z,   E = exp(-cos(πy) / 2πν)

    by Gauss-Hermite quadrature; the exponents are shifted by their maximum before they are taken.
    """
    z, weights = np.polynomial.hermite.hermgauss(nodes)
    result = np.empty((len(points), 1))
    for first in range(0, len(points), 20_000):
        part = slice(first, first + 20_000)
        x, t = points[part].T
        y = x[:, None] - 2 * np.sqrt(nu * np.maximum(t, 0.0))[:, None] * z
        exponent = -np.cos(np.pi * y) / (2 * np.pi * nu)
        density = weights * np.exp(exponent - exponent.max(axis=1, keepdims=True))
        result[part, 0] = -np.sum(density * np.sin(np.pi * y), axis=1) / density.sum(axis=1)
    return result


def cole_hopf_error(nu: float) -> float:
    """Relative L2 difference of two rules of 100 and 150 nodes on a grid of 201 x 51 points."""
    x, t = np.meshgrid(np.linspace(-1, 1, 201), np.linspace(0, 1, 51), indexing="ij")
    points = np.stack([x.ravel(), t.ravel()], axis=1)
    fine = cole_hopf(points, nu, NODES + 50)
    return float(np.linalg.norm(cole_hopf(points, nu) - fine) / np.linalg.norm(fine))
