"""Steady flow in a square cavity with a moving lid."""

from __future__ import annotations

from typing import Any, NamedTuple

from sympy import Eq, Integer, Rational, cosh

from pdesolve.declare import Box, Dirichlet, Problem, Reference, Value, coordinates, parameter, unknown

from . import choose


class CentreLineExtrema(NamedTuple):
    """Extrema of the velocity on the lines through the centre, and where they lie.

    u is least on x = ½ at y = ``y_u_min``; v is greatest and least on y = ½ at x = ``x_v_max``, ``x_v_min``.
    """

    u_min: float
    y_u_min: float
    v_max: float
    x_v_max: float
    v_min: float
    x_v_min: float
    source: str


_BOTELLA = "Botella & Peyret, Computers & Fluids 27 (1998) 421-433; Chebyshev collocation, all digits"
_GHIA = "Ghia, Ghia & Shin, J. Comput. Phys. 48 (1982) 387-411; values at nodes of a 129 x 129 grid"
CENTRE_LINE_EXTREMA = {
    100: CentreLineExtrema(-0.2140424, 0.4581, 0.1795728, 0.2370, -0.2538030, 0.8104, _BOTELLA),
    400: CentreLineExtrema(-0.32726, 0.2813, 0.30203, 0.2266, -0.44993, 0.8594, _GHIA),
    1000: CentreLineExtrema(-0.3885698, 0.1717, 0.3769447, 0.1578, -0.5270771, 0.9092, _BOTELLA),
}
"""Published values by Reynolds number, for ``lid="unit"``.

Botella & Peyret move their lid to the left; here x is mirrored to a lid that moves to the right. Those at
Re = 400 are of second order: finite elements on 96 x 96 graded cells give -0.32873, 0.30383 and -0.45405.
"""


def lid_driven_cavity(Re: Any = 100, lid: str = "unit") -> Problem:
    """Steady flow in the unit square below a lid that moves to the right.

        u u_x + v u_y + p_x = (u_xx + u_yy) / Re
        u v_x + v v_y + p_y = (v_xx + v_yy) / Re
        u_x + v_y = 0                                    on [0, 1]²

        u = lid(x), v = 0 on the top,   u = v = 0 on the other sides,   p = 0 at the centre

    The lid's greatest speed is 1 in all forms; they are four different problems:

    - ``unit``: 1. u jumps in the upper corners, where p and the vorticity are unbounded: no smooth ansatz
      converges there. Published extrema are in `CENTRE_LINE_EXTREMA`.
    - ``regularised``: 16 x² (1 - x)², with continuous first derivatives at the corners.
    - ``parabolic``: 4 x (1 - x), continuous.
    - ``smooth``: 1 - cosh(50 (x - ½)) / cosh 25, nearly 1 but for layers of width 1/50.

    Args:
        Re: Reynolds number, of the lid's length and greatest speed; 100, 400 and 1000 are usual. From 400 on,
            go there in steps from 100.
        lid: ``unit``, ``regularised``, ``parabolic`` or ``smooth``.

    Source: Botella & Peyret, Computers & Fluids 27 (1998) 421-433 (unit); Shen, J. Comput. Phys. 95 (1991)
    228-245 (regularised); the NS2d-C test of PINNacle, arXiv 2306.08827 (parabolic); Wang et al.,
    PirateNets, arXiv 2402.00326 (smooth).
    """
    x, y = coordinates("x y")
    u, v, p = unknown("u v p", x, y)
    reynolds = parameter("Re", positive=True)
    half = Rational(1, 2)
    lids = {
        "unit": Integer(1),
        "regularised": 16 * x**2 * (1 - x) ** 2,
        "parabolic": 4 * x * (1 - x),
        "smooth": 1 - cosh(50 * (x - half)) / cosh(25),
    }
    speed = choose("lid-driven-cavity", lids, lid, key="lid")

    def momentum(w: Any, coordinate: Any) -> Eq:
        transport = u * w.diff(x) + v * w.diff(y) + p.diff(coordinate)
        return Eq(transport, (w.diff(x, 2) + w.diff(y, 2)) / reynolds)

    return Problem(
        name="lid-driven-cavity" if lid == "unit" else f"lid-driven-cavity-{lid}",
        equations={
            "momentum x": momentum(u, x),
            "momentum y": momentum(v, y),
            "continuity": Eq(u.diff(x) + v.diff(y), 0),
        },
        domain=Box((x, 0, 1), (y, 0, 1)),
        conditions=[
            # The walls come first: they hold at the corners, so that no fluid leaks there.
            Dirichlet(u, 0, on=("left", "right", "bottom")),
            Dirichlet(u, speed, on="top"),
            Dirichlet(v, 0),
            Value(p, 0, at={x: half, y: half}),
        ],
        parameters={reynolds: Re},
        unknowns=(u, v, p),
        reference=Reference(
            backend="fem",
            options={"graded": True, "ignore": ["p"]},  # p is not square-integrable below a lid that jumps
            description="finite elements, Taylor-Hood",
        ),
        vectors={"velocity": (u, v)},
        description="Lid-driven cavity: steady flow in a square below a moving lid.",
    )
