"""Flow around a cylinder in a channel: the DFG benchmarks 2D-1 and 2D-2."""

from __future__ import annotations

from typing import Any, NamedTuple

import sympy as sp
from sympy import Eq, Rational, exp

from pdesolve import meshes
from pdesolve.declare import (
    Dirichlet,
    Initial,
    MeshDomain,
    Neumann,
    Problem,
    Reference,
    Time,
    coordinates,
    parameter,
    unknown,
)

from . import choose, number

HEIGHT = Rational(41, 100)
FRONT, BACK = (0.15, 0.2), (0.25, 0.2)
"""The points of the cylinder between which the pressure difference is taken."""


class Steady(NamedTuple):
    """Published values of 2D-1: coefficients 2 F / (ρ Ū² L) with Ū = 0.2 and L = 0.1, that is 500 F."""

    drag: float
    lift: float
    pressure_difference: float
    source: str


class Shedding(NamedTuple):
    """Published ranges of 2D-2: coefficients with Ū = 1, that is 20 F; greatest values over a period."""

    drag: tuple[float, float]
    lift: tuple[float, float]
    strouhal: tuple[float, float]
    pressure_difference: tuple[float, float]
    source: str


PUBLISHED_STEADY = Steady(
    5.57953523384,
    0.010618948146,
    0.11752016697,
    "Nabh, dissertation, Heidelberg 1998 (preprint 42/98); featflow.de, DFG benchmark 2D-1",
)
PUBLISHED_SHEDDING = Shedding(
    (3.22, 3.24),
    (0.99, 1.01),
    (0.295, 0.305),
    (2.46, 2.50),
    "Schäfer & Turek, Notes on Numerical Fluid Mechanics 52 (1996) 547-566, test case 2D-2",
)
"""The Strouhal number is L f / Ū; the pressure difference is taken half a period after the greatest lift."""


def cylinder(variant: str = "2D-1", T: Any = 8) -> Problem:
    """Flow around a cylinder of radius 0.05 at (0.2, 0.2) in the channel [0, 2.2] x [0, 0.41].

        u_t + u u_x + v u_y + p_x = ν (u_xx + u_yy)
        v_t + u v_x + v v_y + p_y = ν (v_xx + v_yy),   u_x + v_y = 0,   ν = 0.001

        inlet:   u = 4 U y (0.41 - y) / 0.41²,  v = 0
        outlet:  ν ∂u/∂n - p n = 0, written as ∂u/∂n = 0, ∂v/∂n = 0 and p = 0
        walls and cylinder:  u = v = 0

    - ``2D-1``: steady, U = 0.3 (Re = 20). Drag, lift and pressure difference: `PUBLISHED_STEADY`.
    - ``2D-2``: in time, U = 1.5 (Re = 100): vortices are shed in turn from both sides, with the numbers of
      `PUBLISHED_SHEDDING`. From rest, the inflow grows like 1 - e^(-4t²), so that data and start agree; from
      t ~ 6 on the flow is periodic.

    Re = 0.1 · (2U/3) / ν, with the diameter and the mean inflow. The cylinder lies 0.005 below the middle, so
    that there is a little lift. The mesh has curved cells around it.

    Args:
        variant: ``2D-1`` or ``2D-2``.
        T: final time of ``2D-2``.

    Source: Schäfer & Turek, Notes on Numerical Fluid Mechanics 52 (1996) 547-566.
    """
    greatest = choose("cylinder", {"2D-1": Rational(3, 10), "2D-2": Rational(3, 2)}, variant)
    end = number("cylinder", "T", T)
    x, y, t = coordinates("x y t")
    domain = MeshDomain(meshes.path("cylinder"), (x, y))
    arguments: tuple[sp.Symbol, ...] = (x, y)
    in_time = variant == "2D-2"
    if in_time:
        domain, arguments = domain * Time(t, 0, end), (x, y, t)
        greatest = greatest * (1 - exp(-4 * t**2))
    u, v, p = unknown("u v p", *arguments)
    viscosity = parameter("nu", positive=True)

    def momentum(w: Any, coordinate: Any) -> Eq:
        rate = w.diff(t) if in_time else 0
        transport = rate + u * w.diff(x) + v * w.diff(y) + p.diff(coordinate)
        return Eq(transport, viscosity * (w.diff(x, 2) + w.diff(y, 2)))

    still = ("walls", "cylinder")
    return Problem(
        name="cylinder-2d-2" if in_time else "cylinder",
        equations={
            "momentum x": momentum(u, x),
            "momentum y": momentum(v, y),
            "continuity": Eq(u.diff(x) + v.diff(y), 0),
        },
        domain=domain,
        conditions=[
            *((Initial(u, 0), Initial(v, 0)) if in_time else ()),
            Dirichlet(u, 4 * greatest * y * (HEIGHT - y) / HEIGHT**2, on="inlet"),
            Dirichlet(v, 0, on="inlet"),
            *(Dirichlet(w, 0, on=still) for w in (u, v)),
            *(Neumann(w, 0, on="outlet") for w in (u, v)),
            Dirichlet(p, 0, on="outlet"),
        ],
        parameters={viscosity: Rational(1, 1000)},
        unknowns=(u, v, p),
        reference=Reference(
            backend="fem",
            # In time on one mesh: its phase drifts, and the published numbers say more.
            options={"max_levels": 1, "scheme": "sdirk3", "dt": 0.02} if in_time else {},
            description="finite elements, Taylor-Hood",
        ),
        vectors={"velocity": (u, v)},
        description="Flow around a cylinder in a channel, the DFG benchmark.",
    )
