"""Poisson's equation with one narrow peak, and a relative with two: tests of adaptive sampling."""

from __future__ import annotations

from typing import Any

from sympy import Eq, Rational, exp

from pdesolve.declare import Box, Dirichlet, Problem, coordinates, unknown

from . import number


def poisson_peak(sharpness: Any = 1000) -> Problem:
    """Poisson's equation with a peak in the upper right quarter.

        -(u_xx + u_yy) = f  on [-1, 1]²,   u = exp(-s ((x - ½)² + (y - ½)²)),
        f = 4 s u (1 - s ((x - ½)² + (y - ½)²))

    The peak is 1/√s wide: at s = 1000 it covers 0.1 % of the square, and f there is 4000.

    Args:
        sharpness: s.

    Source: Tang, Wan & Yang, J. Comput. Phys. 476 (2023) 111868 (DAS), section 4.1; Tang et al., ICLR 2024
    (arXiv 2305.18702, AAS).
    """
    x, y = coordinates("x y")
    u = unknown("u", x, y)
    s = number("poisson-peak", "sharpness", sharpness)
    square = (x - Rational(1, 2)) ** 2 + (y - Rational(1, 2)) ** 2
    exact = exp(-s * square)
    return Problem(
        name="poisson-peak",
        equations={"Poisson": Eq(-(u.diff(x, 2) + u.diff(y, 2)), 4 * s * exact * (1 - s * square))},
        domain=Box((x, -1, 1), (y, -1, 1)),
        conditions=[Dirichlet(u, exact)],
        reference=exact,
        description="Poisson with one narrow peak: only points near it see anything.",
    )


def poisson_two_peaks(sharpness: Any = 1000) -> Problem:
    """A linear equation of second order with two peaks on the diagonal.

        -∇·(u ∇v) + Δu = f  on [-1, 1]²,   v = x² + y²,
        u = exp(-s ‖x - (½, ½)‖²) + exp(-s ‖x + (½, ½)‖²)

    Args:
        sharpness: s.

    Source: Tang, Wan & Yang, J. Comput. Phys. 476 (2023) 111868, section 4.2; Tang et al., ICLR 2024.
    """
    x, y = coordinates("x y")
    u = unknown("u", x, y)
    s = number("poisson-two-peaks", "sharpness", sharpness)
    half = Rational(1, 2)
    exact = exp(-s * ((x - half) ** 2 + (y - half) ** 2)) + exp(-s * ((x + half) ** 2 + (y + half) ** 2))

    def operator(w: Any) -> Any:
        # ∇·(w ∇v) = ∇w·∇v + w Δv with ∇v = (2x, 2y) and Δv = 4
        drift = 2 * x * w.diff(x) + 2 * y * w.diff(y) + 4 * w
        return w.diff(x, 2) + w.diff(y, 2) - drift

    return Problem(
        name="poisson-two-peaks",
        equations={"drift and diffusion": Eq(operator(u), operator(exact))},
        domain=Box((x, -1, 1), (y, -1, 1)),
        conditions=[Dirichlet(u, exact)],
        reference=exact,
        description="Drift and diffusion with two narrow peaks.",
    )
