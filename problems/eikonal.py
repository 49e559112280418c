"""The viscous eikonal equation on the unit square."""

from __future__ import annotations

from typing import Any

import numpy as np
from sympy import Eq

from pdesolve.declare import Box, Dirichlet, Problem, Reference, coordinates, parameter, unknown
from pdesolve.declare.domain import Array

from . import number

STEP = 0.125
"""Largest step in ln s of the trapezoidal rule; the integrand is analytic for |Im ln s| < π/2."""
TURN = 0.1
"""Diffusion time at which the series of images gives way to that of sines."""


def eikonal(eps: Any = 0.1) -> Problem:
    """The eikonal equation with viscosity.

        ‖∇u‖² = 1 + ε ∇²u   on [0, 1]²,   u = 0 on the boundary

    As ε -> 0, u becomes the distance to the boundary, whose ridges on the diagonals viscosity rounds off.
    By u = -ε ln w (Cole-Hopf) it is linear: ε² ∇²w = w with w = 1 on the boundary, solved by

        w = ∫_0^∞ e^{-s} (1 - H(x, ε²s) H(y, ε²s)) ds

    where H(x, τ) cools from H = 1 by H_τ = H_xx with H(0, τ) = H(1, τ) = 0.

    Args:
        eps: viscosity ε; 0.1 is usual. Below 0.001, w underflows in the middle of the square.

    Source: Chen, Hosseini, Owhadi & Stuart, J. Comput. Phys. 447 (2021) 110668, the regularised eikonal
    equation with ε = 0.1.
    """
    x, y = coordinates("x y")
    u = unknown("u", x, y)
    viscosity = parameter("epsilon", positive=True)
    value = float(number("eikonal", "eps", eps))
    slope = u.diff(x) ** 2 + u.diff(y) ** 2
    return Problem(
        name="eikonal",
        equations={"eikonal": Eq(slope, 1 + viscosity * (u.diff(x, 2) + u.diff(y, 2)))},
        domain=Box((x, 0, 1), (y, 0, 1)),
        conditions=[Dirichlet(u, 0)],
        parameters={viscosity: eps},
        reference=Reference(
            function=lambda points: cole_hopf(points, value),
            error=lambda: cole_hopf_error(value),
            description="Cole-Hopf, trapezoidal rule",
        ),
        description="Viscous eikonal equation: the smoothed distance to the sides of a square.",
    )


def cole_hopf(points: Array, eps: float, refine: float = 1.0) -> Array:
    """The exact solution at points (n, 2) of columns x, y; shape (n, 1).

    The integral is taken in v = ln s by the trapezoidal rule, which converges geometrically there. All terms
    are positive, so that w keeps its relative accuracy where it is small. In the middle of the square the
    integrand is a peak of width ~√ε at s = 1/4ε; these set the step and the range. ``refine`` divides the
    step.
    """
    step = min(STEP, np.sqrt(eps) / 2) / refine
    first, last = int(-40 / step), int(np.log(50 + 1 / eps) / step)
    result = np.zeros(len(points))
    for v in step * np.arange(first, last + 1):
        cooled_x, cooled_y = (_cooled(column, eps**2 * np.exp(v)) for column in points.T)
        result += step * np.exp(v - np.exp(v)) * (cooled_x + cooled_y - cooled_x * cooled_y)
    return np.asarray(-eps * np.log(result))[:, None]


def _cooled(x: Array, tau: float) -> Array:
    """1 - H(x, τ), by images where τ is small and by sines where it is not."""
    from scipy.special import erfc

    if tau < TURN:
        width = 2 * np.sqrt(tau)
        k = np.arange(6)[:, None]
        images = (-1.0) ** k * (erfc((k + x) / width) + erfc((k + 1 - x) / width))
        return np.asarray(images.sum(axis=0))
    n = np.pi * np.arange(1, 12, 2)[:, None]
    return np.asarray(1 - np.sum(4 / n * np.exp(-(n**2) * tau) * np.sin(n * x), axis=0))


def cole_hopf_error(eps: float) -> float:
    """Relative L2 difference from the rule with 2/3 of the step on a grid of 41 x 41 points."""
    x, y = np.meshgrid(np.linspace(0, 1, 41), np.linspace(0, 1, 41), indexing="ij")
    points = np.stack([x.ravel(), y.ravel()], axis=1)
    fine = cole_hopf(points, eps, refine=1.5)
    return float(np.linalg.norm(cole_hopf(points, eps) - fine) / np.linalg.norm(fine))
