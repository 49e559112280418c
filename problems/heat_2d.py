"""The heat equation on the torus."""

from __future__ import annotations

from typing import Any

import numpy as np
import sympy as sp
from sympy import Eq, besseli, cos, exp, sin

from pdesolve.declare import Initial, Periodic, Problem, Reference, Time, coordinates, parameter, unknown
from pdesolve.declare.domain import Array

from .torus import start, torus

TERMS = 14
"""Terms of each series; the first one left out is 1e-24 of the first."""


def heat_2d(diffusivity: Any = 0.1, T: Any = 4) -> Problem:
    """The heat equation on the torus, with a start that holds many modes.

        u_t = D (u_xx + u_yy),   [0, 2π]²,  0 <= t <= T,   periodic
        u(x, y, 0) = 0.04 cosh(3 sin x) sinh(sin y)

    Each mode decays on its own. With the Jacobi-Anger expansion,

        u = 0.04 (I_0(3) + 2 Σ_{k>=1} (-1)^k I_2k(3) e^{-4k²Dt} cos 2kx)
               · 2 Σ_{k>=0} (-1)^k I_2k+1(1) e^{-(2k+1)²Dt} sin (2k+1)y

    Args:
        diffusivity: D; 0.1 in the published case.
        T: final time.

    Source: Chen, McCarran, Vizcaino, Soljačić & Luo, ICML 2024 (PMLR 235, arXiv 2404.10771); the series:
    Abramowitz & Stegun, equations 9.6.34-9.6.40.
    """
    x, y, t = coordinates("x y t")
    u = unknown("u", x, y, t)
    D = parameter("D", positive=True)
    return Problem(
        name="heat-2d",
        equations={"heat": Eq(u.diff(t), D * (u.diff(x, 2) + u.diff(y, 2)))},
        domain=torus(x, y) * Time(t, 0, T),
        conditions=[Initial(u, start(x, y)), Periodic(u)],
        parameters={D: diffusivity},
        reference=Reference(
            expressions=(series(x, y, D * t),),
            error=series_error,
            description=f"Jacobi-Anger series, {TERMS} terms in each direction",
        ),
        description="Heat on the torus: every mode decays on its own.",
    )


def series(x: sp.Symbol, y: sp.Symbol, s: sp.Expr, terms: int = TERMS) -> sp.Expr:
    """The solution at s = D t, the two series cut after ``terms``."""

    def bessel(order: int, z: int) -> sp.Expr:
        return besseli(order, z).evalf(20)

    even = bessel(0, 3) + sum(
        2 * (-1) ** k * bessel(2 * k, 3) * exp(-4 * k**2 * s) * cos(2 * k * x) for k in range(1, terms)
    )
    odd = sum(
        2 * (-1) ** k * bessel(2 * k + 1, 1) * exp(-((2 * k + 1) ** 2) * s) * sin((2 * k + 1) * y)
        for k in range(terms)
    )
    return even * odd / 25


def series_error() -> float:
    """Relative L2 error of the series at t = 0 on a grid of 64 x 64 points, from where it only decays."""
    x, y = coordinates("x y")
    nodes: Array = np.linspace(0, 2 * np.pi, 64, endpoint=False)
    grid = np.meshgrid(nodes, nodes, indexing="ij")
    exact = sp.lambdify((x, y), start(x, y), "numpy")(*grid)
    cut = sp.lambdify((x, y), series(x, y, sp.Integer(0)), "numpy")(*grid)
    return float(np.linalg.norm(cut - exact) / np.linalg.norm(exact))
