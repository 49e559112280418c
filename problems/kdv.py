"""The Korteweg-de Vries equation."""

from __future__ import annotations

from typing import Any

from sympy import Eq, Expr, Symbol, cos, exp, pi, sqrt

from pdesolve.declare import (
    Dirichlet,
    Initial,
    Interval,
    Neumann,
    Periodic,
    Problem,
    Reference,
    Time,
    coordinates,
    parameter,
    unknown,
)

from . import choose


def kdv(variant: str = "zabusky-kruskal", delta: Any = 0.022) -> Problem:
    """The Korteweg-de Vries equation.

    - ``zabusky-kruskal``: u_t + u u_x + δ² u_xxx = 0, -1 <= x <= 1, 0 <= t <= 1, u(x, 0) = cos πx, periodic.
      A cosine breaks into a train of solitons; ∫u and ∫u² are constant.
    - ``two-soliton``: u_t + 6 u u_x + u_xxx = 0, 0 <= x <= 20, 0 <= t <= 5. A soliton of speed 6 overtakes
      one of speed 2. Exact: u = 2 ∂²/∂x² ln(1 + e^{η₁} + e^{η₂} + A e^{η₁+η₂}), ηᵢ = kᵢ(x - xᵢ) - kᵢ³t,
      kᵢ² = cᵢ, A = ((k₁-k₂)/(k₁+k₂))². With u_xxx dispersing to the left, the problem on an interval takes
      u at both ends and u_x at the right one; they are taken from the exact field.

    Args:
        variant: ``zabusky-kruskal`` or ``two-soliton``.
        delta: dispersion length of the first variant; 0.022 is the published one, and less gives more and
            thinner solitons. The second variant does not use it.

    Source: Zabusky & Kruskal, Phys. Rev. Lett. 15 (1965) 240-243, equation (1); Hirota, Phys. Rev. Lett. 27
    (1971) 1192-1194 (solitons); Bona, Sun & Zhang, Comm. PDE 28 (2003) 1391-1436 (conditions on an interval).
    """
    x, t = coordinates("x t")
    u = unknown("u", x, t)
    variants = {
        "zabusky-kruskal": lambda: _zabusky_kruskal(x, t, u, delta),
        "two-soliton": lambda: _solitons(x, t, u),
    }
    return choose("kdv", variants, variant)()  # type: ignore[no-any-return]


def _zabusky_kruskal(x: Symbol, t: Symbol, u: Any, value: Any) -> Problem:
    delta = parameter("delta")
    return Problem(
        name="kdv",
        equations={"Korteweg-de Vries": Eq(u.diff(t) + u * u.diff(x) + delta**2 * u.diff(x, 3), 0)},
        domain=Interval(x, -1, 1) * Time(t, 0, 1),
        conditions=[Initial(u, cos(pi * x)), Periodic(u)],
        parameters={delta: value},
        reference=Reference(backend="spectral", description="Fourier ETDRK4"),
        description="Korteweg-de Vries: a cosine breaks into solitons (Zabusky-Kruskal).",
    )


def _solitons(x: Symbol, t: Symbol, u: Any) -> Problem:
    exact = two_solitons(x, t, speeds=(6, 2), centres=(-2, 2))
    return Problem(
        name="kdv-two-soliton",
        equations={"Korteweg-de Vries": Eq(u.diff(t) + 6 * u * u.diff(x) + u.diff(x, 3), 0)},
        domain=Interval(x, 0, 20) * Time(t, 0, 5),
        conditions=[
            Initial(u, exact.subs(t, 0)),
            Dirichlet(u, exact),
            Neumann(u, exact.diff(x), on="right"),
        ],
        reference=exact,
        description="Korteweg-de Vries: a fast soliton overtakes a slow one.",
    )


def two_solitons(x: Symbol, t: Symbol, speeds: tuple[int, int], centres: tuple[int, int]) -> Expr:
    """2 ∂²/∂x² ln τ, written so that nothing overflows: τ is divided by its largest exponential's root."""
    k1, k2 = (sqrt(c) for c in speeds)
    h1, h2 = ((k * (x - x0) - k**3 * t) / 2 for k, x0 in zip((k1, k2), centres, strict=True))
    a = (k1 - k2) / (k1 + k2)
    # τ e^{-(η₁+η₂)/2} differs from τ by the exponential of a linear function, which ∂² ln does not see.
    tau = exp(-h1 - h2) + exp(h1 - h2) + exp(h2 - h1) + a**2 * exp(h1 + h2)
    return 2 * (tau.diff(x, 2) * tau - tau.diff(x) ** 2) / tau**2
