"""Exponential time differencing of fourth order (ETDRK4) for û' = L û + N(û, t), L a matrix for each mode.

Cox & Matthews, J. Comput. Phys. 176 (2002) 430-455, equations (26)-(29). Their coefficients, such as
(e^z - 1)/z, lose all digits near z = hL = 0; Kassam & Trefethen, SIAM J. Sci. Comput. 26 (2005)
1214-1233, section 2, evaluate them as means over a circle around z (the trapezoid rule for Cauchy's
integral), which is accurate to round-off for every z. Where L couples components, the coefficients are
combinations of the matrix functions of `phi`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .grid import Spectra
from .phi import phi_functions

CIRCLE_POINTS = 32
"""Points on the unit circle; the trapezoid rule is then exact to round-off for these functions."""


@dataclass(frozen=True)
class Coefficients:
    """The functions of hL that one step needs; real arrays where L is real.

    Shapes: (components, *modes) for a diagonal L, else (components, components, *modes).
    """

    step: float
    full: np.ndarray[Any, Any]  # exp(hL)
    half: np.ndarray[Any, Any]  # exp(hL/2)
    stage: np.ndarray[Any, Any]  # (exp(hL/2) - 1) / L
    first: np.ndarray[Any, Any]  # weight of N at the start of the step
    middle: np.ndarray[Any, Any]  # half the weight of the two middle stages
    last: np.ndarray[Any, Any]  # weight of N at the end


def coefficients(linear: Spectra, step: float) -> Coefficients:
    """The coefficients for the diagonal ``linear`` = L and the time step h = ``step``."""
    is_real = not np.any(linear.imag)
    z = step * (linear.real if is_real else linear)
    stage, first, middle, last = (np.zeros_like(z) for _ in range(4))
    # Where z is real the lower half of the circle yields the conjugates of the upper one.
    points = CIRCLE_POINTS // 2 if is_real else CIRCLE_POINTS
    take = np.real if is_real else np.asarray
    for j in range(points):
        r = z + np.exp(2j * np.pi * (j + 0.5) / CIRCLE_POINTS)
        half = np.exp(r / 2)
        e, cube = half * half, 1 / (r * r * r)
        stage += take((half - 1) / r)
        first += take((-4 - r + e * (4 + r * (r - 3))) * cube)
        middle += take((2 + r + e * (r - 2)) * cube)
        last += take((-4 - r * (3 + r) + e * (4 - r)) * cube)
    mean = step / points
    arrays = [np.exp(z), np.exp(z / 2), mean * stage, mean * first, mean * middle, mean * last]
    return Coefficients(step, *arrays)


def block_coefficients(linear: Spectra, step: float) -> Coefficients:
    """The coefficients where ``linear`` is a matrix for each mode, (n, n, *modes)."""
    n, modes = len(linear), linear.shape[2:]
    matrices = step * np.moveaxis(linear.reshape(n, n, -1), -1, 0)
    (full, phi_1, phi_2, phi_3), (half, phi_1_half, *_) = phi_functions(matrices)
    functions = (
        full,
        half,
        step / 2 * phi_1_half,
        step * (phi_1 - 3 * phi_2 + 4 * phi_3),
        step * (phi_2 - 2 * phi_3),
        step * (4 * phi_3 - phi_2),
    )
    arrays = [np.ascontiguousarray(np.moveaxis(f, 0, -1)).reshape(n, n, *modes) for f in functions]
    return Coefficients(step, *arrays)


def apply(function: np.ndarray[Any, Any], u: Spectra) -> Spectra:
    """A matrix for each mode, stored as `Coefficients` are, applied to ``u``."""
    if function.ndim == u.ndim:
        return np.asarray(function * u)
    result = function[:, 0] * u[0]
    for j in range(1, len(u)):
        result += function[:, j] * u[j]
    return np.asarray(result)


def advance(
    c: Coefficients,
    nonlinear: Callable[[Any, float], Any],
    u: Any,
    t: float,
    apply: Callable[[Any, Any], Any] = apply,
) -> Any:
    """One step from ``t`` to ``t + h``; ``apply`` multiplies where the arrays are none of NumPy's."""
    h = c.step
    n_u = nonlinear(u, t)
    half_u = apply(c.half, u)
    a = half_u + apply(c.stage, n_u)
    n_a = nonlinear(a, t + h / 2)
    b = half_u + apply(c.stage, n_a)
    n_b = nonlinear(b, t + h / 2)
    d = apply(c.half, a) + apply(c.stage, 2 * n_b - n_u)
    n_d = nonlinear(d, t + h)
    result = apply(c.full, u) + apply(c.first, n_u) + apply(c.last, n_d)
    return result + apply(c.middle, 2 * (n_a + n_b))
