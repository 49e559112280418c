"""Heat in a three-dimensional part: a bracket with a hole."""

from __future__ import annotations

from typing import Any

from sympy import Eq, exp

from pdesolve import meshes
from pdesolve.declare import (
    Dirichlet,
    Initial,
    MeshDomain,
    Neumann,
    Problem,
    Reference,
    Robin,
    Time,
    coordinates,
    parameter,
    unknown,
)


def heat_part(diffusivity: Any = 1, Bi: Any = 5, T: Any = 0.5) -> Problem:
    """Heat in an angle bracket that is heated from below and cooled by what flows through its hole.

        u_t = D ∇²u,   u = 0 at t = 0
        base:     u = 1 - e^(-20t)
        hole:     ∂u/∂n + Bi u = 0
        outside:  ∂u/∂n = 0

    The bracket fills 1 x 0.6 x 0.8, its legs are 0.15 thick, and the hole of radius 0.15 goes through the leg
    on the base. Heat reaches the end of the other leg, 0.65 above, by t ~ 0.65² / D. The base warms up in
    0.05 time units, so that data and start agree. All numbers are without units.

    Args:
        diffusivity: D.
        Bi: heat transfer to the fluid in the hole, over the conductivity; 0 insulates it.
        T: final time.

    Source: of this catalogue; the condition in the hole is Newton's law of cooling (Carslaw & Jaeger,
    Conduction of Heat in Solids, section 1.9).
    """
    x, y, z, t = coordinates("x y z t")
    u = unknown("u", x, y, z, t)
    D, biot = parameter("D", positive=True), parameter("Bi")
    return Problem(
        name="heat-part",
        equations={"heat": Eq(u.diff(t), D * (u.diff(x, 2) + u.diff(y, 2) + u.diff(z, 2)))},
        domain=MeshDomain(meshes.path("part"), (x, y, z)) * Time(t, 0, T),
        conditions=[
            Initial(u, 0),
            Dirichlet(u, 1 - exp(-20 * t), on="base"),
            Robin(u, 0, on="hole", a=biot, b=1),
            Neumann(u, 0, on="outside"),
        ],
        parameters={D: diffusivity, biot: Bi},
        reference=Reference(backend="fem", options={"rtol": 0.005}, description="finite elements"),
        description="Heat in a bracket: heated base, cooled hole, insulated elsewhere.",
    )
