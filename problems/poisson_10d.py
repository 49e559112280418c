"""A peak in ten dimensions."""

from __future__ import annotations

from typing import Any

from sympy import Add, Eq, exp

from pdesolve.declare import Box, Dirichlet, Problem, coordinates, unknown

from . import choose, number


def poisson_10d(sharpness: Any = 10, form: str = "nonlinear") -> Problem:
    """An elliptic equation in ten dimensions whose solution is a peak at the centre.

        nonlinear:  -Δu + u - u³ = f,      linear:  Δu = u (4 s² ‖x‖² - 20 s)      on [-1, 1]¹⁰
        u = exp(-s ‖x‖²)

    At s = 10 the ball in which u > 0.01 fills less than a thousandth of the box: evenly spread points almost
    never see it, in training or in the measurement of errors. Measure with samples near the peak as well, as
    ``pdesolve.benchmarks.pinn`` does.

    Args:
        sharpness: s.
        form: "nonlinear" (AAS) or "linear" (DAS).

    Source: Tang et al., ICLR 2024 (arXiv 2305.18702); Tang, Wan & Yang, J. Comput. Phys. 476 (2023) 111868.
    """
    axes = coordinates(" ".join(f"x{k}" for k in range(1, 11)))
    u = unknown("u", *axes)
    s = number("poisson-10d", "sharpness", sharpness)
    square = Add(*[z**2 for z in axes])
    exact = exp(-s * square)
    laplacian = Add(*[u.diff(z, 2) for z in axes])
    of_exact = (4 * s**2 * square - 20 * s) * exact
    forms = {
        "nonlinear": Eq(-laplacian + u - u**3, -of_exact + exact - exact**3),
        "linear": Eq(laplacian, of_exact),
    }
    return Problem(
        name="poisson-10d",
        equations={"Poisson": choose("poisson-10d", forms, form, "form")},
        domain=Box(*[(z, -1, 1) for z in axes]),
        conditions=[Dirichlet(u, exact)],
        reference=exact,
        description="An elliptic equation in ten dimensions with a peak at the centre.",
    )
