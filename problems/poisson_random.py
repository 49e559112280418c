"""Poisson's and Helmholtz' equations with random sources."""

from __future__ import annotations

from functools import partial
from typing import Any

from sympy import Eq, Expr

from pdesolve.declare import Box, Dirichlet, Problem, Reference, coordinates, parameter, unknown
from pdesolve.declare.distributions import GaussianField
from pdesolve.declare.family import Family

from . import number


def poisson_random() -> Family:
    """Poisson's equation on the unit square with a random source.

        u_xx + u_yy = a,   u = 0 on the boundary,   a ~ N(0, 9 (-Δ + 9)^{-2}), Neumann, no mean

    Source: the recipe of Huang et al., NeurIPS 2024 (arXiv 2406.17763), for its Poisson set; size and mean
    are those of its released generator.
    """
    return _family("poisson-random", 0)


def helmholtz_random(k: Any = 1) -> Family:
    """The Helmholtz equation on the unit square with a random source.

        u_xx + u_yy + k² u = a,   u = 0 on the boundary,   a ~ N(0, 9 (-Δ + 9)^{-2}), Neumann, no mean

    Args:
        k: wavenumber; 1 in the published set, below the first resonance at √2 π.

    Source: Huang et al., NeurIPS 2024 (arXiv 2406.17763).
    """
    return _family("helmholtz-random", number("helmholtz-random", "k", k))


def _family(name: str, k: Any) -> Family:
    x, y = coordinates("x y")
    square = Box((x, 0, 1), (y, 0, 1))
    source = GaussianField(square, sigma=3, tau=3, gamma=2, boundary="neumann", modes=32, zero_mean=True)
    return Family(name, partial(_declare, name, k), {"a": source}, points=64)


def _declare(name: str, k: Any, a: Expr) -> Problem:
    x, y = coordinates("x y")
    u = unknown("u", x, y)
    wavenumber = parameter("k")
    laplacian = u.diff(x, 2) + u.diff(y, 2)
    return Problem(
        name=name,
        equations={"equation": Eq(laplacian + (wavenumber**2 * u if k != 0 else 0), a)},
        parameters={wavenumber: k} if k != 0 else {},
        domain=Box((x, 0, 1), (y, 0, 1)),
        conditions=[Dirichlet(u, 0)],
        reference=Reference(backend="fem", options={"rtol": 1e-4}, description="finite elements"),
        description="An elliptic equation with a random source.",
    )
