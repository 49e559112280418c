"""The Allen-Cahn equation in one dimension."""

from __future__ import annotations

from typing import Any

from sympy import Eq, cos, pi

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


def allen_cahn(variant: str = "standard", diffusivity: Any = 1e-4) -> Problem:
    """The Allen-Cahn equation.

        u_t = ε u_xx + 5u - 5u³,   -1 <= x <= 1,  0 <= t <= 1,   periodic

    - ``standard``: u(x, 0) = x² cos πx. Its periodic extension has a slope jump of 4 at x = ±1, a kink that
      diffusion rounds off; references of 512 modes are off by 1e-5 in relative L2 for that reason.
    - ``smooth``: u(x, 0) = x² cos 3πx + x², whose extension has a continuous second derivative.

    The field separates into phases u = ±1 with walls of width ~√ε.

    Args:
        variant: ``standard`` or ``smooth``.
        diffusivity: ε; 1e-4 in all published cases.

    Source: Raissi, Perdikaris & Karniadakis, J. Comput. Phys. 378 (2019) 686-707 (standard); the test set
    of TINN (smooth).
    """
    x, t = coordinates("x t")
    u = unknown("u", x, t)
    epsilon = parameter("epsilon", positive=True)
    variants = {"standard": x**2 * cos(pi * x), "smooth": x**2 * cos(3 * pi * x) + x**2}
    start = choose("allen-cahn", variants, variant)
    return Problem(
        name="allen-cahn" if variant == "standard" else f"allen-cahn-{variant}",
        equations={"Allen-Cahn": Eq(u.diff(t), epsilon * u.diff(x, 2) + 5 * u - 5 * u**3)},
        domain=Interval(x, -1, 1) * Time(t, 0, 1),
        conditions=[Initial(u, start), Periodic(u)],
        parameters={epsilon: diffusivity},
        # The kink's spectrum falls as 1/k²: every mode counts, and diffusion makes aliasing harmless.
        reference=Reference(backend="spectral", options={"dealias": False}, description="Fourier ETDRK4"),
        description="Allen-Cahn: phase separation with thin walls.",
    )
