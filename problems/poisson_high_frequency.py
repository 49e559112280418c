"""Poisson's equation with high frequencies and several scales, and two cases whose spectrum is hidden."""

from __future__ import annotations

from typing import Any

import sympy as sp
from sympy import Eq, Expr, Rational, Symbol, cos, pi, sin

from pdesolve.declare import Box, Dirichlet, Interval, Problem, coordinates, unknown

from . import number


def _on_line(name: str, upper: sp.Expr, exact: Expr, x: Symbol) -> Problem:
    u = unknown("u", x)
    return Problem(
        name=name,
        equations={"Poisson": Eq(u.diff(x, 2), exact.diff(x, 2))},
        domain=Interval(x, 0, upper),
        conditions=[Dirichlet(u, exact)],
        reference=exact,
        description=f"Poisson in one dimension, u = {exact}.",
    )


def _on_square(name: str, exact: Expr, x: Symbol, y: Symbol) -> Problem:
    u = unknown("u", x, y)
    return Problem(
        name=name,
        equations={"Poisson": Eq(u.diff(x, 2) + u.diff(y, 2), exact.diff(x, 2) + exact.diff(y, 2))},
        domain=Box((x, 0, 2 * pi), (y, 0, 2 * pi)),
        conditions=[Dirichlet(u, exact)],
        reference=exact,
        description=f"Poisson in two dimensions, u = {exact}.",
    )


def poisson_u1() -> Problem:
    """Poisson's equation, one high frequency.

        u_xx = f,   u = sin 100x,   0 <= x <= 2π

    Source: the test set of Fang et al., ICLR 2024, arXiv 2311.04465.
    """
    x = coordinates("x")
    return _on_line("poisson-u1", 2 * pi, sin(100 * x), x)


def poisson_u2() -> Problem:
    """Poisson's equation, three scales.

        u_xx = f,   u = sin x + sin(20x) / 10 + cos(100x) / 20,   0 <= x <= 1

    Source: Fang et al., ICLR 2024, arXiv 2311.04465, as in its figures; its code has sin 100x.
    """
    x = coordinates("x")
    return _on_line("poisson-u2", sp.Integer(1), sin(x) + sin(20 * x) / 10 + cos(100 * x) / 20, x)


def poisson_u3() -> Problem:
    """Poisson's equation, a modulated wave.

        u_xx = f,   u = sin 6x cos 100x,   0 <= x <= 2π

    Source: the test set of Fang et al., ICLR 2024, arXiv 2311.04465.
    """
    x = coordinates("x")
    return _on_line("poisson-u3", 2 * pi, sin(6 * x) * cos(100 * x), x)


def poisson_u4() -> Problem:
    """Poisson's equation, a wave that grows.

        u_xx = f,   u = x sin 200x,   0 <= x <= 2π

    Source: the test set of Fang et al., ICLR 2024, arXiv 2311.04465.
    """
    x = coordinates("x")
    return _on_line("poisson-u4", 2 * pi, x * sin(200 * x), x)


def poisson_u5() -> Problem:
    """Poisson's equation, a wave on a parabola.

        u_xx = f,   u = sin 500x - 2 (x - 1/2)²,   0 <= x <= 1

    Source: the test set of Fang et al., ICLR 2024, arXiv 2311.04465.
    """
    x = coordinates("x")
    return _on_line("poisson-u5", sp.Integer(1), sin(500 * x) - 2 * (x - Rational(1, 2)) ** 2, x)


def poisson_u6() -> Problem:
    """Poisson's equation in two dimensions, one high frequency.

        u_xx + u_yy = f,   u = sin 100x sin 100y,   on [0, 2π]²

    Source: the test set of Fang et al., ICLR 2024, arXiv 2311.04465.
    """
    x, y = coordinates("x y")
    return _on_square("poisson-u6", sin(100 * x) * sin(100 * y), x, y)


def poisson_u7() -> Problem:
    """Poisson's equation in two dimensions, a sum of modulated waves.

        u_xx + u_yy = f,   u = sin 6x cos 20x + sin 6y cos 20y,   on [0, 2π]²

    Source: the code of Fang et al., ICLR 2024, arXiv 2311.04465.
    """
    x, y = coordinates("x y")
    waves = [sin(6 * z) * cos(20 * z) for z in (x, y)]
    return _on_square("poisson-u7", waves[0] + waves[1], x, y)


def poisson_chirp() -> Problem:
    """Poisson's equation with a chirp: the frequency grows from 0 to 240.

        u_xx = f,   u = sin 60x²,   0 <= x <= 2

    No single frequency can be read off the source.

    Source: manufactured.
    """
    x = coordinates("x")
    return _on_line("poisson-chirp", sp.Integer(2), sin(60 * x**2), x)


def poisson_chirp_2d(k: Any = 60) -> Problem:
    """Poisson's equation with a chirp in two directions: the frequency grows from 0 to 5k/2 along each.

        u_xx + u_yy = f,   u = sin k(x² + xy/2 + y²),   on [0, 1]²

    u is no sum of few products, and its spectrum along each axis has no lines.

    Args:
        k: wave number; 450 takes 1,000 polynomials along each axis.

    Source: manufactured.
    """
    x, y = coordinates("x y")
    u = unknown("u", x, y)
    exact = sin(number("poisson-chirp-2d", "k", k) * (x**2 + x * y / 2 + y**2))
    return Problem(
        name="poisson-chirp-2d",
        equations={"Poisson": Eq(u.diff(x, 2) + u.diff(y, 2), exact.diff(x, 2) + exact.diff(y, 2))},
        domain=Box((x, 0, 1), (y, 0, 1)),
        conditions=[Dirichlet(u, exact)],
        reference=exact,
        description="Poisson in two dimensions with a chirp in both directions.",
    )


def poisson_variable() -> Problem:
    """Diffusion with a coefficient that oscillates.

        ((1 + sin(15x) / 2) u_x)_x = f,   u = e^{-x} sin 40x + x²,   0 <= x <= 2

    The source holds sums and differences of the frequencies of coefficient and solution.

    Source: manufactured.
    """
    x = coordinates("x")
    u = unknown("u", x)
    exact = sp.exp(-x) * sin(40 * x) + x**2
    conductivity = 1 + sin(15 * x) / 2

    def diffusion(field: Expr) -> Expr:
        return (conductivity * field.diff(x)).diff(x)

    return Problem(
        name="poisson-variable",
        equations={"diffusion": Eq(diffusion(u), diffusion(exact))},
        domain=Interval(x, 0, 2),
        conditions=[Dirichlet(u, exact)],
        reference=exact,
        description="Poisson in one dimension with an oscillating coefficient.",
    )
