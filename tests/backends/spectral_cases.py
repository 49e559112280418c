"""Periodic problems with known solutions, and a minimal driver, for the tests of the spectral backend."""

from __future__ import annotations

from typing import Any

import numpy as np
import sympy as sp

from pdesolve.backends.base import Context, Progress
from pdesolve.backends.spectral import Spectral
from pdesolve.declare import Box, Initial, Interval, Periodic, Problem, Time, coordinates, parameter, unknown

x, y, z, t = coordinates("x y z t")
u, v = unknown("u v", x, t)


def line(name: str, equation: Any, start: Any, ends: Any = (0, 2 * sp.pi), end: Any = 1) -> Problem:
    """One unknown on a periodic line."""
    domain = Interval(x, *ends) * Time(t, 0, end)
    return Problem(name, [equation], domain, [Initial(u, start), Periodic(u)])


def convection(speed: float = 30) -> Problem:
    return line("convection", u.diff(t) + speed * u.diff(x), sp.sin(x))


def burgers(nu: Any) -> Problem:
    return line("burgers", u.diff(t) + u * u.diff(x) - nu * u.diff(x, 2), -sp.sin(sp.pi * x), (-1, 1))


def kdv(end: Any = 1) -> Problem:
    return line("kdv", u.diff(t) + u * u.diff(x) + 0.022**2 * u.diff(x, 3), sp.cos(sp.pi * x), (-1, 1), end)


def two_modes() -> tuple[Problem, sp.Expr]:
    """The heat equation, u = sin x e^{-t} + cos 3x e^{-9t}."""
    exact = sp.sin(x) * sp.exp(-t) + sp.cos(3 * x) * sp.exp(-9 * t)
    return line("heat", u.diff(t) - u.diff(x, 2), exact.subs(t, 0)), exact


def forced() -> tuple[Problem, sp.Expr]:
    """Burgers with a source that depends on x, t: N is non-linear and explicit in time."""
    exact = sp.exp(sp.sin(x - 3 * t)) / 2
    nu = sp.Rational(1, 50)

    def operator(w: Any) -> Any:
        return w.diff(t) + w * w.diff(x) - nu * w.diff(x, 2)

    return line("forced", operator(u) - operator(exact).doit(), exact.subs(t, 0)), exact


def plane() -> tuple[Problem, dict[Any, sp.Expr]]:
    """Burgers' system in the plane, solved by the Cole-Hopf transform of a decaying mode."""
    nu = parameter("nu")
    a, b = unknown("a b", x, y, t)
    potential = 2 + sp.cos(x) * sp.cos(y) * sp.exp(-2 * nu * t) + sp.sin(x + 2 * y) * sp.exp(-5 * nu * t) / 2
    exact = {w: -2 * nu * sp.diff(potential, c) / potential for w, c in ((a, x), (b, y))}
    equations = [
        w.diff(t) + a * w.diff(x) + b * w.diff(y) - nu * (w.diff(x, 2) + w.diff(y, 2)) for w in (a, b)
    ]
    conditions = [*(Initial(w, exact[w].subs(t, 0)) for w in (a, b)), Periodic(a), Periodic(b)]
    domain = Box((x, 0, 2 * sp.pi), (y, 0, 2 * sp.pi)) * Time(t, 0, 1)
    problem = Problem("plane", equations, domain, conditions, {nu: 0.3}, unknowns=(a, b), reference=exact)
    return problem, {w: e.subs(nu, 0.3) for w, e in exact.items()}


def drive(problem: Problem, method: Spectral) -> tuple[Any, Progress]:
    """To the end: what `pdesolve.solve` does, without its budget, files and clock."""
    assert method.supports(problem) == []
    state = method.start(problem, Context())
    while True:
        progress = method.advance(state)
        if progress.status is not None or not np.isfinite(progress.loss):
            return state, progress


def evaluate(expression: sp.Expr, points: Any) -> Any:
    """A closed form at points (n, d) with columns x, (y, z,) t."""
    columns = [*(x, y, z)[: points.shape[1] - 1], t]
    return np.broadcast_to(sp.lambdify(columns, expression, "numpy")(*points.T), len(points))


def relative_l2(value: Any, exact: Any) -> float:
    return float(np.linalg.norm(value - exact) / np.linalg.norm(exact))
