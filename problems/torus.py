"""What the two-dimensional heat, Allen-Cahn and Burgers problems share: the torus and the start on it."""

from __future__ import annotations

import sympy as sp
from sympy import Rational, cosh, pi, sin, sinh

from pdesolve.declare import Box, Domain


def torus(x: sp.Symbol, y: sp.Symbol) -> Domain:
    """The square [0, 2π]²; periodicity is a condition on the unknown."""
    return Box((x, 0, 2 * pi), (y, 0, 2 * pi))


def start(x: sp.Symbol, y: sp.Symbol) -> sp.Expr:
    """u(x, y, 0) = 0.04 cosh(3 sin x) sinh(sin y): range ±0.4733, rms 0.1869, mean zero.

    The exponentials of sines hold all harmonics, yet their coefficients, modified Bessel functions, fall
    faster than geometrically.
    """
    return Rational(1, 25) * cosh(3 * sin(x)) * sinh(sin(y))
