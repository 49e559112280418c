"""Steady flow behind a step in a channel."""

from __future__ import annotations

from typing import Any, NamedTuple

from sympy import Eq, Rational

from pdesolve import meshes
from pdesolve.declare import (
    Dirichlet,
    MeshDomain,
    Neumann,
    Problem,
    Reference,
    coordinates,
    parameter,
    unknown,
)


class Separation(NamedTuple):
    """Where the shear on the walls changes its sign, in channel heights behind the step."""

    lower_reattachment: float
    upper_separation: float
    upper_reattachment: float
    source: str


PUBLISHED = Separation(
    6.10, 4.85, 10.48, "Gartling, Int. J. Numer. Methods Fluids 11 (1990) 953-967, Re = 800, three digits"
)


def backward_step(Re: Any = 800) -> Problem:
    """Steady flow in the channel 0 <= x <= 30, -½ <= y <= ½ behind a step of half its height.

        u u_x + v u_y + p_x = (u_xx + u_yy) / Re
        u v_x + v v_y + p_y = (v_xx + v_yy) / Re
        u_x + v_y = 0

        inlet (x = 0, 0 <= y <= ½):  u = 24 y (½ - y),  v = 0
        outlet (x = 30):  ∂u/∂n = 0, ∂v/∂n = 0, p = 0
        walls, the step at x = 0, y < 0 among them:  u = v = 0

    Behind the step the flow turns back up to the reattachment; at Re = 800 it separates from the upper wall,
    too. The lengths of both eddies at Re = 800 are in `PUBLISHED`.

    Args:
        Re: Reynolds number of the channel's height and the mean inflow; 800 is usual. Go there in steps: 100
            is easy.

    Source: Gartling, Int. J. Numer. Methods Fluids 11 (1990) 953-967.
    """
    x, y = coordinates("x y")
    u, v, p = unknown("u v p", x, y)
    reynolds = parameter("Re", positive=True)

    def momentum(w: Any, coordinate: Any) -> Eq:
        transport = u * w.diff(x) + v * w.diff(y) + p.diff(coordinate)
        return Eq(transport, (w.diff(x, 2) + w.diff(y, 2)) / reynolds)

    return Problem(
        name="backward-step",
        equations={
            "momentum x": momentum(u, x),
            "momentum y": momentum(v, y),
            "continuity": Eq(u.diff(x) + v.diff(y), 0),
        },
        domain=MeshDomain(meshes.path("backward-step"), (x, y)),
        conditions=[
            Dirichlet(u, 24 * y * (Rational(1, 2) - y), on="inlet"),
            Dirichlet(v, 0, on="inlet"),
            *(Dirichlet(w, 0, on="walls") for w in (u, v)),
            *(Neumann(w, 0, on="outlet") for w in (u, v)),
            Dirichlet(p, 0, on="outlet"),
        ],
        parameters={reynolds: Re},
        unknowns=(u, v, p),
        reference=Reference(
            backend="fem",
            options={"rtol": 0.02, "max_unknowns": 160_000},  # the given mesh and its refinement
            description="finite elements, Taylor-Hood",
        ),
        vectors={"velocity": (u, v)},
        description="Backward-facing step: steady flow that separates and reattaches.",
    )
