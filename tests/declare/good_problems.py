"""Problems that must be accepted, without a warning; other tests change one thing in them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import sympy as sp
from sympy import cos, exp, pi, sin

import pdesolve.declare as pde

x, y, t = pde.coordinates("x y t")
u, v, p = pde.unknown("u v p", x, y, t)
w = pde.unknown("w", x, t)
s = pde.unknown("s", x, y)
su, sv, sq = pde.unknown("su sv sq", x, y)
nu = pde.parameter("nu", positive=True)
Re = pde.parameter("Re", positive=True)

LINE = pde.Interval(x, -1, 1) * pde.Time(t, 0, 1)
SQUARE = pde.Box((x, 0, 1), (y, 0, 1))
TORUS = pde.Box((x, 0, 2 * pi), (y, 0, 2 * pi)) * pde.Time(t, 0, 1)


def heat() -> pde.Problem:
    return pde.Problem(
        "heat",
        w.diff(t) - nu * w.diff(x, 2),
        LINE,
        [pde.Initial(w, sin(pi * x)), pde.Dirichlet(w, 0)],
        {nu: 0.1},
    )


def heat_robin() -> pde.Problem:
    return pde.Problem(
        "heat-robin",
        w.diff(t) - nu * w.diff(x, 2),
        LINE,
        [
            pde.Initial(w, 0),
            pde.Neumann(w, sin(t), on="left"),
            pde.Robin(w, 1, on="right", a=2, b=nu),
        ],
        {nu: 0.1},
    )


def burgers() -> pde.Problem:
    return pde.Problem(
        "burgers",
        w.diff(t) + w * w.diff(x) - nu * w.diff(x, 2),
        LINE,
        [pde.Initial(w, -sin(pi * x)), pde.Dirichlet(w, 0)],
        {nu: 0.01 / pi},
    )


def allen_cahn() -> pde.Problem:
    return pde.Problem(
        "allen-cahn",
        w.diff(t) - nu * w.diff(x, 2) + 5 * w**3 - 5 * w,
        LINE,
        [pde.Initial(w, x**2 * cos(pi * x)), pde.Periodic(w)],
        {nu: 1e-4},
    )


def convection() -> pde.Problem:
    return pde.Problem(
        "convection", w.diff(t) + 30 * w.diff(x), LINE, [pde.Initial(w, sin(pi * x)), pde.Periodic(w, x)]
    )


def kdv() -> pde.Problem:
    return pde.Problem(
        "kdv",
        w.diff(t) + w * w.diff(x) + sp.Float("0.022") ** 2 * w.diff(x, 3),
        LINE,
        [pde.Initial(w, cos(pi * x)), pde.Periodic(w, ("left", "right"))],
    )


def kdv_on_an_interval() -> pde.Problem:
    conditions = [pde.Initial(w, 0), pde.Dirichlet(w, 0), pde.Neumann(w, 0, on="right")]
    return pde.Problem("kdv-interval", w.diff(t) + w * w.diff(x) + w.diff(x, 3), LINE, conditions)


def kuramoto_sivashinsky() -> pde.Problem:
    return pde.Problem(
        "ks",
        w.diff(t) + 5 * w * w.diff(x) + 0.5 * w.diff(x, 2) + 0.005 * w.diff(x, 4),
        LINE,
        [pde.Initial(w, -sin(pi * x)), pde.Periodic(w)],
    )


def wave() -> pde.Problem:
    return pde.Problem(
        "wave",
        w.diff(t, 2) - 4 * w.diff(x, 2),
        LINE,
        [pde.Initial(w, sin(pi * x)), pde.Initial(w.diff(t), 0), pde.Dirichlet(w, 0)],
    )


def beam() -> pde.Problem:
    return pde.Problem(
        "beam",
        w.diff(t, 2) + w.diff(x, 4),
        LINE,
        [pde.Initial(w, 0), pde.Initial(w.diff(t), 0), pde.Dirichlet(w, 0), pde.Neumann(w, 0)],
    )


def poisson_dirichlet() -> pde.Problem:
    return pde.Problem(
        "poisson",
        -s.diff(x, 2) - s.diff(y, 2) - 2 * pi**2 * sin(pi * x) * sin(pi * y),
        SQUARE,
        [pde.Dirichlet(s, 0)],
        reference=sin(pi * x) * sin(pi * y),
    )


def poisson_neumann() -> pde.Problem:
    return pde.Problem(
        "poisson-neumann",
        -s.diff(x, 2) - s.diff(y, 2) - 2 * pi**2 * cos(pi * x) * cos(pi * y),
        SQUARE,
        [pde.Neumann(s, 0), pde.Value(s, 1, at={x: 0, y: 0})],
    )


def poisson_mixed() -> pde.Problem:
    return pde.Problem(
        "poisson-mixed",
        s.diff(x, 2) + s.diff(y, 2) - 1,
        SQUARE,
        [
            pde.Dirichlet(s, lambda points: points[:, 1] ** 2, on=("left", "right")),
            pde.Neumann(s, 0, on=("bottom", "top")),
        ],
    )


def helmholtz() -> pde.Problem:
    return pde.Problem(
        "helmholtz",
        s.diff(x, 2) + s.diff(y, 2) + s - sin(pi * x),
        SQUARE,
        [pde.Dirichlet(s, 0)],
    )


def eikonal() -> pde.Problem:
    return pde.Problem(
        "eikonal", s.diff(x) ** 2 + s.diff(y) ** 2 - 1, SQUARE, [pde.Dirichlet(s, 0, on="left")]
    )


def biharmonic() -> pde.Problem:
    laplacian = s.diff(x, 2) + s.diff(y, 2)
    return pde.Problem(
        "biharmonic",
        laplacian.diff(x, 2) + laplacian.diff(y, 2) - 1,
        SQUARE,
        [pde.Dirichlet(s, 0), pde.Neumann(s, 0)],
    )


def _steady_flow(name: str, conditions: list[Any], domain: pde.Domain = SQUARE) -> pde.Problem:
    def momentum(q: Any, axis: Any) -> Any:
        return su * q.diff(x) + sv * q.diff(y) + sq.diff(axis) - (q.diff(x, 2) + q.diff(y, 2)) / Re

    return pde.Problem(
        name,
        {"x": momentum(su, x), "y": momentum(sv, y), "continuity": su.diff(x) + sv.diff(y)},
        domain,
        conditions,
        {Re: 20},
        vectors={"velocity": (su, sv)},
    )


LAMBDA = Re / 2 - sp.sqrt(Re**2 / 4 + 4 * pi**2)
KOVASZNAY = {
    su: 1 - exp(LAMBDA * x) * cos(2 * pi * y),
    sv: LAMBDA / (2 * pi) * exp(LAMBDA * x) * sin(2 * pi * y),
    sq: (1 - exp(2 * LAMBDA * x)) / 2,
}


def kovasznay() -> pde.Problem:
    conditions = [
        pde.Dirichlet(su, KOVASZNAY[su]),
        pde.Dirichlet(sv, KOVASZNAY[sv]),
        pde.Value(sq, 0, at={x: 0, y: 0}),
    ]
    return _steady_flow("kovasznay", conditions, pde.Box((x, -0.5, 1), (y, -0.5, 1.5)))


def lid_driven_cavity() -> pde.Problem:
    # The corners disagree (u = 1 on the lid, 0 on the walls): that is the problem, not a mistake.
    conditions = [
        pde.Dirichlet(su, 1, on="top"),
        pde.Dirichlet(su, 0, on=("left", "right", "bottom")),
        pde.Dirichlet(sv, 0),
        pde.Value(sq, 0, at={x: 0, y: 0}),
    ]
    return _steady_flow("cavity", conditions)


def taylor_green() -> pde.Problem:
    def momentum(q: Any, axis: Any) -> Any:
        return q.diff(t) + u * q.diff(x) + v * q.diff(y) + p.diff(axis) - nu * (q.diff(x, 2) + q.diff(y, 2))

    return pde.Problem(
        "taylor-green",
        {"x": momentum(u, x), "y": momentum(v, y), "continuity": u.diff(x) + v.diff(y)},
        TORUS,
        [
            pde.Initial(u, cos(x) * sin(y)),
            pde.Initial(v, -sin(x) * cos(y)),
            *(pde.Periodic(q) for q in (u, v, p)),
            pde.Value(p, -exp(-4 * nu * t) / 2, at={x: 0, y: 0}),
        ],
        {nu: 0.01},
    )


def reaction_diffusion() -> pde.Problem:
    """Two unknowns with a Robin condition."""
    a, b = pde.unknown("a b", x, t)
    return pde.Problem(
        "gray-scott",
        [a.diff(t) - a.diff(x, 2) + a * b**2 - 1 + a, b.diff(t) - 0.5 * b.diff(x, 2) - a * b**2 + b],
        LINE,
        [pde.Initial(a, 1), pde.Initial(b, 0), pde.Robin(a, 1, a=1, b=1), pde.Neumann(b, 0)],
    )


def acoustics() -> pde.Problem:
    a, b = pde.unknown("a b", x, t)
    return pde.Problem(
        "acoustics",
        [a.diff(t) + b.diff(x), b.diff(t) + a.diff(x)],
        LINE,
        [pde.Initial(a, sin(pi * x)), pde.Initial(b, 0), pde.Dirichlet(a, 0)],
    )


def inverse_heat() -> pde.Problem:
    """No boundary data and no initial data: they were measured instead."""
    k = pde.parameter("k", unknown=True, start=0.5, positive=True)
    points = LINE.sample(20, np.random.default_rng(0))
    return pde.Problem(
        "inverse", w.diff(t) - k * w.diff(x, 2), LINE, [pde.Observations(w, points, np.ones(20), noise=0.1)]
    )


def inverse_source() -> pde.Problem:
    """The unknown source balances the flux at its true value 0 alone, not at its start."""
    k = pde.parameter("k", unknown=True, start=1.0)
    return pde.Problem(
        "inverse-source",
        s.diff(x, 2) + s.diff(y, 2) - k,
        SQUARE,
        [pde.Neumann(s, 0), pde.Observations(s, SQUARE.sample(4, np.random.default_rng(0)), np.ones(4))],
    )


def inverse_flux() -> pde.Problem:
    k = pde.parameter("k", unknown=True, start=1.0)
    return pde.Problem(
        "inverse-flux",
        s.diff(x, 2) + s.diff(y, 2) - 2,
        SQUARE,
        [
            pde.Neumann(s, k, on=("left", "right")),
            pde.Neumann(s, 0, on=("bottom", "top")),
            pde.Observations(s, SQUARE.sample(4, np.random.default_rng(0)), np.ones(4)),
        ],
    )


def stretching() -> pde.Problem:
    """The characteristics leave at both ends: no condition is due there."""
    return pde.Problem("stretching", w.diff(t) + x * w.diff(x), LINE, [pde.Initial(w, sin(pi * x))])


def convection_out() -> pde.Problem:
    conditions = [pde.Initial(w, sin(pi * x)), pde.Dirichlet(w, 0, on="left")]
    return pde.Problem("convection-out", w.diff(t) + 30 * w.diff(x), LINE, conditions)


def stream_function() -> pde.Problem:
    """Both conditions of a wall are on the stream function, none on the vorticity."""
    transport = s.diff(y) * sq.diff(x) - s.diff(x) * sq.diff(y)
    return pde.Problem(
        "stream-function",
        [s.diff(x, 2) + s.diff(y, 2) + sq, transport - (sq.diff(x, 2) + sq.diff(y, 2)) / Re],
        SQUARE,
        [
            pde.Dirichlet(s, 0),
            pde.Neumann(s, 0, on=("left", "right", "bottom")),
            pde.Neumann(s, 1, on="top"),
        ],
        {Re: 100},
    )


def airy() -> pde.Problem:
    """An initial value problem in space: value and slope at the left."""
    f = pde.unknown("f", x)
    start = [pde.Dirichlet(f, 0.355, on="left"), pde.Neumann(f, 0.259, on="left")]
    return pde.Problem("airy", f.diff(x, 2) - x * f, pde.Interval(x, 0, 1), start)


def data_with_a_limit() -> pde.Problem:
    """x log x has a limit at the corner, where its formula has no value."""
    conditions = [
        pde.Dirichlet(s, x * sp.log(x), on="bottom"),
        pde.Dirichlet(s, 0, on=("left", "right", "top")),
    ]
    return pde.Problem("limit", s.diff(x, 2) + s.diff(y, 2), SQUARE, conditions)


def neumann_variable() -> pde.Problem:
    """The flux (1 + x) w_x of w = x through the right side, less that through the left, is the source."""
    return pde.Problem(
        "neumann-variable",
        ((1 + x) * s.diff(x)).diff(x) + s.diff(y, 2) - 1,
        SQUARE,
        [
            pde.Neumann(s, 1, on="right"),
            pde.Neumann(s, -1, on="left"),
            pde.Neumann(s, 0, on=("bottom", "top")),
            pde.Value(s, 0, at={x: 0, y: 0}),
        ],
    )


GOOD: list[Callable[[], pde.Problem]] = [
    heat,
    heat_robin,
    burgers,
    allen_cahn,
    convection,
    kdv,
    kdv_on_an_interval,
    kuramoto_sivashinsky,
    wave,
    beam,
    poisson_dirichlet,
    poisson_neumann,
    poisson_mixed,
    helmholtz,
    eikonal,
    biharmonic,
    kovasznay,
    lid_driven_cavity,
    taylor_green,
    reaction_diffusion,
    acoustics,
    inverse_heat,
    inverse_source,
    inverse_flux,
    stretching,
    convection_out,
    stream_function,
    airy,
    data_with_a_limit,
    neumann_variable,
]
