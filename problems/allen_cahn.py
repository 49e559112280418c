"""The Allen-Cahn equation in one dimension."""

from __future__ import annotations

from typing import Any

from sympy import Eq, cos, pi

from pdesolve.declare import (
    Dirichlet,
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

        u_t = ε u_xx + 5u - 5u³,   -1 <= x <= 1,  0 <= t <= 1,   periodic or with fixed ends

    - ``standard``: u(x, 0) = x² cos πx. Its periodic extension has a slope jump of 4 at x = ±1, a kink that
      diffusion rounds off; references of 512 modes are off by 1e-5 in relative L2 for that reason.
    - ``smooth``: u(x, 0) = x² cos 3πx + x², whose extension has a continuous second derivative.
    - ``dirichlet``: the initial data of ``standard`` with u = -1 held at both ends; ε = 1e-3 is usual.

    The field separates into phases u = ±1 with walls of width ~√ε.

    Args:
        variant: ``standard``, ``smooth`` or ``dirichlet``.
        diffusivity: ε; 1e-4 in all published periodic cases.

    Source: Raissi, Perdikaris & Karniadakis, J. Comput. Phys. 378 (2019) 686-707 (standard); the test set
    of TINN (smooth); the example of DeepXDE (dirichlet).
    """
    x, t = coordinates("x t")
    u = unknown("u", x, t)
    epsilon = parameter("epsilon", positive=True)
    standard = x**2 * cos(pi * x)
    variants = {
        "standard": (standard, Periodic(u)),
        "smooth": (x**2 * cos(3 * pi * x) + x**2, Periodic(u)),
        "dirichlet": (standard, Dirichlet(u, -1)),
    }
    start, ends = choose("allen-cahn", variants, variant)
    # The kink's spectrum falls as 1/k²: every mode counts, and diffusion makes aliasing harmless.
    fourier = Reference(backend="spectral", options={"dealias": False}, description="Fourier ETDRK4")
    chebyshev = Reference(
        backend="spectral", options={"rtol": 1e-8}, description="Chebyshev collocation, Radau"
    )
    return Problem(
        name="allen-cahn" if variant == "standard" else f"allen-cahn-{variant}",
        equations={"Allen-Cahn": Eq(u.diff(t), epsilon * u.diff(x, 2) + 5 * u - 5 * u**3)},
        domain=Interval(x, -1, 1) * Time(t, 0, 1),
        conditions=[Initial(u, start), ends],
        parameters={epsilon: diffusivity},
        reference=chebyshev if variant == "dirichlet" else fourier,
        description="Allen-Cahn: phase separation with thin walls.",
    )
