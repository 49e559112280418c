"""The Kuramoto-Sivashinsky equation."""

from __future__ import annotations

from typing import Any

from sympy import Eq, Rational, cos, pi, sin

from pdesolve.declare import (
    Initial,
    Interval,
    Periodic,
    Problem,
    Reference,
    Time,
    coordinates,
    parameter,
    unknown,
)

from . import choose


def kuramoto_sivashinsky(variant: str = "regular", T: Any = 1) -> Problem:
    """The Kuramoto-Sivashinsky equation.

        u_t + α u u_x + β u_xx + γ u_xxxx = 0,   0 <= t <= T,   periodic

    - ``regular``: α = 5, β = 0.5, γ = 0.005, -1 <= x <= 1, u(x, 0) = -sin πx. It settles to a smooth wave.
    - ``chaotic``: α = 100/16, β = 100/16², γ = 100/16⁴, 0 <= x <= 2π, u(x, 0) = cos x (1 + sin x). It is
      chaotic from t ~ 0.4 on, so that errors grow with time.

    Long waves grow (β > 0 is backward diffusion), short ones are damped by the fourth derivative.

    Args:
        variant: ``regular`` or ``chaotic``.
        T: final time.

    Source: Wang, Sankaran & Perdikaris, CMAME 421 (2024) 116813 (arXiv 2203.07404).
    """
    x, t = coordinates("x t")
    u = unknown("u", x, t)
    alpha, beta, gamma = parameter("alpha beta gamma")
    variants = {
        "regular": ((5, Rational(1, 2), Rational(5, 1000)), (-1, 1), -sin(pi * x)),
        "chaotic": (
            (Rational(100, 16), Rational(100, 16**2), Rational(100, 16**4)),
            (0, 2 * pi),
            cos(x) * (1 + sin(x)),
        ),
    }
    values, ends, start = choose("kuramoto-sivashinsky", variants, variant)
    residual = u.diff(t) + alpha * u * u.diff(x) + beta * u.diff(x, 2) + gamma * u.diff(x, 4)
    return Problem(
        name="kuramoto-sivashinsky" if variant == "regular" else f"kuramoto-sivashinsky-{variant}",
        equations={"Kuramoto-Sivashinsky": Eq(residual, 0)},
        domain=Interval(x, *ends) * Time(t, 0, T),
        conditions=[Initial(u, start), Periodic(u)],
        parameters=dict(zip((alpha, beta, gamma), values, strict=True)),
        reference=Reference(backend="spectral", description="Fourier ETDRK4"),
        description="Kuramoto-Sivashinsky: flame fronts, regular or chaotic.",
    )
