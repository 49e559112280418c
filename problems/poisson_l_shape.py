"""Poisson's equation on the L-shape, whose re-entrant corner makes the solution singular."""

from __future__ import annotations

from functools import cache

import numpy as np
from sympy import Eq

from pdesolve.declare import Dirichlet, Polygon, Problem, Reference, coordinates, unknown
from pdesolve.declare.domain import Array

CORNERS = np.array([(0, 0), (1, 0), (1, 1), (-1, 1), (-1, -1), (0, -1)], dtype=float)
"""Of the L-shape, counter-clockwise, the re-entrant one first."""
NEXT = np.roll(CORNERS, -1, axis=0)
ANGLES = np.pi * np.array([1.5, 0.5, 0.5, 0.5, 0.5, 0.5])

INTEGRAL = 0.2140758027
"""∫ u = ∫ |∇u|², to ten digits, from the reference below; adaptive finite elements are usually compared with
0.2140758."""

POWERS = 40
"""Powers in each of the two series of the reference."""


def poisson_l_shape() -> Problem:
    """Poisson's equation on the L-shape: the torsion of a bar of that section.

        -∇²u = 1   on [-1, 1]² without its quarter x > 0, y < 0,   u = 0 on the boundary

    At the re-entrant corner u ~ r^(2/3) sin(2θ/3): the gradient is unbounded, and elements of any degree on
    uniform meshes converge like h^(4/3) in the energy ∫ ‖∇u‖² = 0.2140758. At the other corners u ~ r² log r.

    The reference adds to -r²/4 the logarithms that the source causes at all six corners, which are known,
    and two series of harmonic functions, r^(2k/3) sin(2kθ/3) at the re-entrant corner and z^n,
    fitted to u = 0 on the sides. By the maximum principle its error inside is at most that on the sides.

    Source: Fox, Henrici & Moler, SIAM J. Numer. Anal. 4 (1967) 89-102 (the method of particular solutions);
    Grisvard, Elliptic Problems in Nonsmooth Domains, Pitman 1985 (the singularities in corners).
    """
    x, y = coordinates("x y")
    u = unknown("u", x, y)
    return Problem(
        name="poisson-l-shape",
        equations={"Poisson": Eq(-u.diff(x, 2) - u.diff(y, 2), 1)},
        domain=Polygon((x, y), CORNERS.tolist(), names="boundary"),
        conditions=[Dirichlet(u, 0)],
        reference=Reference(
            function=particular_solutions,
            error=particular_solutions_error,
            description="particular solutions fitted on the sides",
        ),
        description="Poisson on the L-shape: a gradient that is unbounded in the re-entrant corner.",
    )


def particular_solutions(points: Array, powers: int = POWERS) -> Array:
    """The solution at points (n, 2) of columns x, y; shape (n, 1)."""
    return np.asarray(_source(points) + _harmonic(points, powers) @ _fitted(powers))[:, None]


def particular_solutions_error(powers: int = POWERS) -> float:
    """Largest |u| on the sides, which bounds the error inside, over the root mean square of u."""
    nodes = (np.arange(40) + 0.5) / 40
    x, y = np.meshgrid(nodes, nodes)
    square = np.stack([x.ravel(), y.ravel()], axis=1)
    inside = np.concatenate([square, square - (1, 0), square - (1, 1)])
    size = np.sqrt(np.mean(particular_solutions(inside, powers) ** 2))
    return float(np.abs(particular_solutions(_sides(777), powers)).max() / size)


def _polar(points: Array, corner: int) -> tuple[Array, Array]:
    """(r, θ) about a corner; θ is 0 on the side that leaves it and `ANGLES` on the one that comes in."""
    along = NEXT[corner] - CORNERS[corner]
    x, y = (points - CORNERS[corner]).T
    middle = ANGLES[corner] / 2  # θ jumps on the other side of the corner, outside
    turned = np.arctan2(y, x) - np.arctan2(along[1], along[0]) - middle + np.pi
    return np.maximum(np.hypot(x, y), 1e-300), turned % (2 * np.pi) + middle - np.pi


def _source(points: Array) -> Array:
    """-|x|²/4 and, for each corner of angle α, -1/2α times the harmonic r² (log r sin 2θ + θ cos 2θ).

    Next to a corner of α = π/2 or 3π/2, -r²/4 (1 - cos 2θ) - r² (log r sin 2θ + θ cos 2θ) / 2α is zero on
    both sides: the logarithm is what no power of r could do.
    """
    u = -np.sum(points**2, axis=1) / 4
    for corner, angle in enumerate(ANGLES):
        r, theta = _polar(points, corner)
        u = u - r**2 * (np.log(r) * np.sin(2 * theta) + theta * np.cos(2 * theta)) / (2 * angle)
    return np.asarray(u)


def _harmonic(points: Array, powers: int) -> Array:
    """The harmonic functions at points, one a column, with distances in units of the farthest corner's."""
    r, theta = _polar(points, 0)
    k = np.array([k for k in range(1, powers) if k % 3]) * 2 / 3  # with k = 3, 6, ... they are Im z^n
    z = (points[:, :1] + 1j * points[:, 1:]) / np.sqrt(2)
    entire = z ** np.arange(powers)
    singular = (r[:, None] / np.sqrt(2)) ** k * np.sin(theta[:, None] * k)
    return np.hstack([singular, entire.real, entire.imag[:, 1:]])


def _sides(n: int) -> Array:
    """n points of each side, dense at its ends."""
    shares = (1 - np.cos(np.pi * (np.arange(n) + 0.5) / n))[:, None] / 2
    return np.concatenate([a + shares * (b - a) for a, b in zip(CORNERS, NEXT, strict=True)])


@cache
def _fitted(powers: int) -> Array:
    """Coefficients of the harmonic functions for u = 0 on the sides, by least squares in scaled columns."""
    sides = _sides(200)
    columns = _harmonic(sides, powers)
    scale = np.abs(columns).max(axis=0)
    fitted = np.linalg.lstsq(columns / scale, -_source(sides), rcond=1e-15)[0]
    return np.asarray(fitted / scale)
