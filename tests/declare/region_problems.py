"""Problems on shapes and meshes that must be accepted, without a warning."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import sympy as sp
from sympy import exp, pi, sin

import pdesolve.declare as pde
from pdesolve.declare.mesh_domain import MeshDomain
from pdesolve.declare.regions.mesh import Mesh, box_mesh

x, y, z, t = pde.coordinates("x y z t")
s, u, v, p = pde.unknown("s u v p", x, y)
q, qu, qv, qp = pde.unknown("q u v p", x, y, t)

CHANNEL = (
    pde.Box((x, 0, sp.Rational(11, 5)), (y, 0, sp.Rational(41, 100)))
    - pde.Disk((x, y), (0.2, 0.2), 0.05, name="cylinder")
).rename({"left": "inlet", "right": "outlet", "bottom": "walls", "top": "walls"})
"""The channel of the DFG benchmark "flow around a cylinder" (Schäfer and Turek 1996)."""

PARABOLA = 4 * 0.3 * y * (0.41 - y) / 0.41**2
L_SHAPE = pde.Polygon((x, y), [(0, 0), (1, 0), (1, 1), (-1, 1), (-1, -1), (0, -1)], names="wall")
DISK = pde.Disk((x, y), center=(1, 0.5), radius=2)


def laplacian(f: Any) -> Any:
    return f.diff(x, 2) + f.diff(y, 2)


def flow(
    domain: pde.Domain, conditions: Sequence[Any], fields: tuple[Any, Any, Any] = (u, v, p)
) -> pde.Problem:
    """Incompressible Navier-Stokes at viscosity 1e-3."""
    u, v, p = fields

    def momentum(f: Any, axis: Any) -> Any:
        steady = u * f.diff(x) + v * f.diff(y) + p.diff(axis) - 1e-3 * laplacian(f)
        return steady if domain.time is None else f.diff(t) + steady

    equations = {"x": momentum(u, x), "y": momentum(v, y), "continuity": u.diff(x) + v.diff(y)}
    return pde.Problem("flow", equations, domain, conditions, vectors={"velocity": (u, v)})


def cylinder() -> pde.Problem:
    return flow(
        CHANNEL,
        [
            pde.Dirichlet(u, PARABOLA, on="inlet"),
            pde.Dirichlet(u, 0, on=("walls", "cylinder")),
            pde.Neumann(u, 0, on="outlet"),
            pde.Dirichlet(v, 0, on=("inlet", "walls", "cylinder")),
            pde.Neumann(v, 0, on="outlet"),
            pde.Dirichlet(p, 0, on="outlet"),
        ],
    )


def cylinder_in_time() -> pde.Problem:
    return flow(
        CHANNEL * pde.Time(t, 0, 8),
        [
            pde.Initial(qu, 0),
            pde.Initial(qv, 0),
            pde.Dirichlet(qu, PARABOLA * sin(pi * t / 8), on="inlet"),
            pde.Dirichlet(qu, 0, on=("walls", "cylinder")),
            pde.Neumann(qu, 0, on="outlet"),
            pde.Dirichlet(qv, 0, on=("inlet", "walls", "cylinder")),
            pde.Neumann(qv, 0, on="outlet"),
            pde.Dirichlet(qp, 0, on="outlet"),
        ],
        (qu, qv, qp),
    )


def cylinder_with_given_outflow(outflow: Any = PARABOLA) -> pde.Problem:
    """What enters leaves again, so that the pressure needs a gauge alone."""
    return flow(
        CHANNEL,
        [
            pde.Dirichlet(u, PARABOLA, on="inlet"),
            pde.Dirichlet(u, outflow, on="outlet"),
            pde.Dirichlet(u, 0, on=("walls", "cylinder")),
            pde.Dirichlet(v, 0),
            pde.Value(p, 0, at={x: 2.2, y: 0.2}),
        ],
    )


def poisson_l_shape() -> pde.Problem:
    return pde.Problem("l-shape", -laplacian(s) - 1, L_SHAPE, [pde.Dirichlet(s, 0)])


def poisson_disk_neumann(flux: Any = 4, source: Any = 4) -> pde.Problem:
    """Δs = 4 is s = (x - 1)² + (y - 1/2)²: its slope at radius 2 is 4."""
    conditions = [pde.Neumann(s, flux), pde.Value(s, 0, at={x: 1, y: 0.5})]
    return pde.Problem("disk", laplacian(s) - source, DISK, conditions)


def anisotropic_l_shape() -> pde.Problem:
    """∂²s/∂x² + 3 ∂²s/∂y² = 2 of s = x²: the flux 2x enters by two sides alone."""
    vertices = [(0, 0), (1, 0), (1, 1), (-1, 1), (-1, -1), (0, -1)]
    domain = pde.Polygon((x, y), vertices, names=("rest", "right", "rest", "left", "rest", "rest"))
    return pde.Problem(
        "anisotropic",
        s.diff(x, 2) + 3 * s.diff(y, 2) - 2,
        domain,
        [
            pde.Neumann(s, 2, on=("left", "right")),
            pde.Neumann(s, 0, on="rest"),
            pde.Value(s, 0, at={x: 0, y: 0}),
        ],
    )


def anisotropic_disk() -> pde.Problem:
    """The same equation and field: ∂s/∂n = (x - 1)², which does not tell the flux 2 nₓ (x - 1) by itself."""
    conditions = [pde.Neumann(s, (x - 1) ** 2), pde.Value(s, 0, at={x: 1, y: 0.5})]
    return pde.Problem("anisotropic-disk", s.diff(x, 2) + 3 * s.diff(y, 2) - 2, DISK, conditions)


def slip_channel(outflow: Any = PARABOLA) -> pde.Problem:
    """The walls let the flow slip: they say nothing of u, and nothing of u enters there."""
    return flow(
        CHANNEL,
        [
            pde.Dirichlet(u, PARABOLA, on="inlet"),
            pde.Dirichlet(u, outflow, on="outlet"),
            pde.Dirichlet(u, 0, on="cylinder"),
            pde.Neumann(u, 0, on="walls"),
            pde.Dirichlet(v, 0),
            pde.Value(p, 0, at={x: 2.2, y: 0.2}),
        ],
    )


def eikonal() -> pde.Problem:
    """|∇s|² = 1 + ε Δs, the distance from the cylinder."""
    conditions = [pde.Dirichlet(s, 0, on="cylinder"), pde.Neumann(s, 0, on=("inlet", "outlet", "walls"))]
    return pde.Problem(
        "eikonal", s.diff(x) ** 2 + s.diff(y) ** 2 - 1 - 0.01 * laplacian(s), CHANNEL, conditions
    )


def plate() -> pde.Problem:
    return pde.Problem(
        "plate", laplacian(laplacian(s)).doit() - 1, DISK, [pde.Dirichlet(s, 0), pde.Neumann(s, 0)]
    )


def heat_disk() -> pde.Problem:
    """Initial and boundary data agree on the circle, where the chords that stand for it do not lie."""
    conditions = [pde.Initial(q, 4 - (x - 1) ** 2 - (y - 0.5) ** 2), pde.Dirichlet(q, 0)]
    return pde.Problem("heat", q.diff(t) - laplacian(q), DISK * pde.Time(t, 0, 1), conditions)


def rotation() -> pde.Problem:
    """The wind turns with the disk: nothing enters."""
    equation = q.diff(t) - (y - 0.5) * q.diff(x) + (x - 1) * q.diff(y)
    return pde.Problem("rotation", equation, DISK * pde.Time(t, 0, 1), [pde.Initial(q, exp(-x * x - y * y))])


def stream_function_disk() -> pde.Problem:
    """Both conditions of the wall are on the stream function, none on the vorticity."""
    w, psi = pde.unknown("w psi", x, y)
    transport = psi.diff(y) * w.diff(x) - psi.diff(x) * w.diff(y)
    return pde.Problem(
        "stream-function",
        [laplacian(psi) + w, transport - 0.01 * laplacian(w)],
        DISK,
        [pde.Dirichlet(psi, 0), pde.Neumann(psi, x)],
    )


def acoustics() -> pde.Problem:
    a, b, c = pde.unknown("a b c", x, y, t)
    return pde.Problem(
        "acoustics",
        [a.diff(t) + b.diff(x) + c.diff(y), b.diff(t) + a.diff(x), c.diff(t) + a.diff(y)],
        DISK * pde.Time(t, 0, 1),
        [pde.Initial(a, 0), pde.Initial(b, 0), pde.Initial(c, 0), pde.Dirichlet(a, 0)],
    )


def block() -> pde.Domain:
    """A mesh of tetrahedra with three parts: heated below, cooled above, and the four sides."""
    mesh = box_mesh([np.linspace(0, length, n + 1) for length, n in ((1, 3), (2, 4), (0.5, 2))])
    sides = np.concatenate([mesh.boundaries[name] for name in ("left", "right", "bottom", "top")])
    parts = {"heated": mesh.boundaries["back"], "cooled": mesh.boundaries["front"], "sides": sides}
    return MeshDomain(Mesh(mesh.points, mesh.cells, parts), (x, y, z))


def heat_block() -> pde.Problem:
    h = pde.unknown("h", x, y, z, t)
    return pde.Problem(
        "heat-block",
        h.diff(t) - 0.1 * (laplacian(h) + h.diff(z, 2)),
        block() * pde.Time(t, 0, 1),
        [
            pde.Initial(h, 0),
            pde.Dirichlet(h, t, on="heated"),
            pde.Robin(h, 0, on="cooled", a=2),
            pde.Neumann(h, 0, on="sides"),
        ],
    )


def stream_function_torus() -> pde.Problem:
    """Vorticity and stream function on a torus; the stream function is fixed by its value at a point."""
    torus = pde.Box((x, 0, 2 * pi), (y, 0, 2 * pi)) * pde.Time(t, 0, 1)
    w, psi = pde.unknown("w psi", x, y, t)
    return pde.Problem(
        "torus",
        [
            w.diff(t) + psi.diff(y) * w.diff(x) - psi.diff(x) * w.diff(y) - 0.01 * laplacian(w),
            laplacian(psi) + w,
        ],
        torus,
        [
            pde.Periodic(w),
            pde.Periodic(psi),
            pde.Initial(w, sin(x) * sin(y)),
            pde.Value(psi, 0, at={x: 0, y: 0}),
        ],
    )


ON_REGIONS: list[Callable[[], pde.Problem]] = [
    cylinder,
    cylinder_in_time,
    cylinder_with_given_outflow,
    poisson_l_shape,
    poisson_disk_neumann,
    anisotropic_l_shape,
    anisotropic_disk,
    slip_channel,
    eikonal,
    plate,
    heat_disk,
    rotation,
    stream_function_disk,
    acoustics,
    heat_block,
    stream_function_torus,
]
