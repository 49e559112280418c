"""Darcy flow through a random medium."""

from __future__ import annotations

from functools import partial

from sympy import Eq, Expr

from pdesolve.declare import Box, Dirichlet, Problem, Reference, coordinates, unknown
from pdesolve.declare.distributions import GaussianField, LogNormal, TwoPhase
from pdesolve.declare.family import Family

from . import choose


def darcy_random(variant: str = "two-phase") -> Family:
    """Flow through a random medium on the unit square.

        -(a u_x)_x - (a u_y)_y = 1,   u = 0 on the boundary,   g ~ N(0, (-Δ + 9)^{-2}), Neumann, no mean

    - ``two-phase``: a = 12 where g >= 0, and 3 elsewhere. The flux a ∇u is continuous where a jumps.
    - ``continuous``: a = exp(g).

    Source: Li et al., ICLR 2021 (arXiv 2010.08895), section 5.2 (12 and 3 as the paper states; the released
    demonstration has 12 and 4); the field is the sum to wavenumber 63.
    """
    x, y = coordinates("x y")
    square = Box((x, 0, 1), (y, 0, 1))
    field = GaussianField(square, sigma=1, tau=3, gamma=2, boundary="neumann", modes=63, zero_mean=True)
    media = {"two-phase": TwoPhase(field), "continuous": LogNormal(field)}
    medium = choose("darcy-random", media, variant)
    name = "darcy-random" if variant == "two-phase" else f"darcy-random-{variant}"
    return Family(name, partial(_declare, name), {"a": medium}, points=64)


def _declare(name: str, a: Expr) -> Problem:
    x, y = coordinates("x y")
    u = unknown("u", x, y)
    return Problem(
        name=name,
        equations={"Darcy": Eq(-(a * u.diff(x)).diff(x) - (a * u.diff(y)).diff(y), 1)},
        domain=Box((x, 0, 1), (y, 0, 1)),
        conditions=[Dirichlet(u, 0)],
        reference=Reference(backend="fem", options={"rtol": 1e-2}, description="finite elements"),
        description="Darcy flow through a random medium.",
    )
