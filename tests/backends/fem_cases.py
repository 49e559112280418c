"""Problems and helpers that the finite element tests share."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import sympy as sp

from pdesolve.backends.fem import FEM
from pdesolve.declare import Box, Dirichlet, Domain, Interval, Neumann, Problem, Robin, coordinates, unknown
from pdesolve.driver import solve
from pdesolve.solution import Solution

x, y, z, t = coordinates("x y z t")


def on_one_mesh(problem: Problem, **options: Any) -> Solution:
    """The solution of a single level."""
    return solve(problem, FEM(max_levels=1, **options), progress=False)


def errors(solution: Solution) -> dict[str, float]:
    """Relative L2 error of each unknown at random points: on a grid, nodes of the mesh would do too well."""
    problem = solution.problem
    points = problem.domain.sample(20_000, np.random.default_rng(0), method="uniform")
    assert solution.reference is not None
    exact, found = np.asarray(solution.reference.values(points)), solution(points)
    relative = np.linalg.norm(found - exact, axis=0) / np.linalg.norm(exact, axis=0)
    return dict(zip(problem.unknown_names, relative, strict=True))


def orders(problem: Problem, option: str, values: Sequence[float], **options: Any) -> dict[str, list[float]]:
    """Observed orders of each unknown's error between successive values of an option."""
    found = [errors(on_one_mesh(problem, **{option: v}, **options)) for v in values]
    ratio = np.log(np.array(values[:-1]) / np.array(values[1:]))
    return {
        name: list(np.log([a[name] / b[name] for a, b in pairwise(found)]) / ratio)
        for name in problem.unknown_names
    }


def quasilinear(dimension: int) -> Problem:
    """-∇·((1 + u²)∇u) + u u_x + u³ = f with conditions of all three kinds, in one to three dimensions."""
    space = (x, y, z)[:dimension]
    u = unknown("u", *space)
    equation = u * u.diff(x) + u**3 - sum(((1 + u**2) * u.diff(c)).diff(c) for c in space)
    domain: Domain = Interval(x, 0, 1) if dimension == 1 else Box(*((c, 0, 1) for c in space))
    conditions: list[Any] = [Dirichlet(u, 0, on="left"), Robin(u, 0, on="right", a=2, b=3)]
    if dimension > 1:
        conditions += [Dirichlet(u, 0, on="bottom"), Neumann(u, 0, on="top")]
    if dimension > 2:
        conditions += [Neumann(u, 0, on="back"), Dirichlet(u, 0, on="front")]
    field = sp.sin(sum((i + 1) * c for i, c in enumerate(space))) + x**2 / 2
    return Problem("quasilinear", [equation], domain, conditions).manufacture(u=field)
