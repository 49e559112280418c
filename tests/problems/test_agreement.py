"""One declaration, three methods: answers differ by less than the sum of the errors that they state.

The classical backends state their own estimates, which know nothing of each other. A network has no such
estimate: its stated error is the one that is printed, against the closed form.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
import sympy as sp

import pdesolve as pde
from pdesolve.declare import (
    Box,
    Dirichlet,
    Initial,
    Interval,
    Neumann,
    Problem,
    Robin,
    Time,
    coordinates,
    unknown,
)
from pdesolve.solution import Solution
from pdesolve.solution.norms import default_grid, relative

x, y, t = coordinates("x y t")


def diffusion() -> Problem:
    """Transient, linear, Robin on one side."""
    u = unknown("u", x, t)
    problem = Problem(
        "diffusion",
        [u.diff(t) - u.diff(x, 2) / 4],
        Interval(x, 0, 1) * Time(t, 0, 1),
        [Initial(u, 0), Dirichlet(u, 0, on="left"), Robin(u, 0, on="right", a=1, b=2)],
    )
    return problem.manufacture(u=sp.sin(2 * x) * sp.exp(-t))


def reaction() -> Problem:
    """Steady, nonlinear, Neumann on one side."""
    u = unknown("u", x, y)
    problem = Problem(
        "reaction",
        [u**3 - u.diff(x, 2) - u.diff(y, 2)],
        Box((x, 0, 1), (y, 0, 1)),
        [Dirichlet(u, 0, on=("left", "bottom", "top")), Neumann(u, 0, on="right")],
    )
    return problem.manufacture(u=sp.cos(2 * x) * sp.exp(y) / 2)


def stated(solution: Solution) -> float:
    """The error that a solution states of itself."""
    if solution.error_estimate is not None:
        return solution.error_estimate
    return solution.error().relative_l2


@pytest.mark.parametrize("make", [diffusion, reaction])
def test_methods_agree_within_their_stated_errors(make: object) -> None:
    problem: Problem = make()  # type: ignore[operator]
    network = pde.PINN(width=10, depth=2, points=200, points_boundary=40, adam_steps=30, compile=False)
    solutions = {
        "spectral": pde.solve(problem, "spectral", rtol=1e-7, progress=False),
        "fem": pde.solve(problem, "fem", rtol=1e-4, progress=False),
        "pinn": pde.solve(problem, network, steps=80, seed=0, progress=False),
    }
    assert stated(solutions["spectral"]) < 1e-7 and stated(solutions["fem"]) < 1e-4
    assert stated(solutions["pinn"]) < 1e-4
    points = default_grid(problem).points
    values = {name: solution(points) for name, solution in solutions.items()}
    for a, b in combinations(solutions, 2):
        difference = relative(values[a] - values[b], values[b])
        # 1 %: the differences are relative to one of the answers, the errors to the reference
        assert difference <= 1.01 * (stated(solutions[a]) + stated(solutions[b])), (a, b)
    # and the estimates are worth something: none is below a third of the true error, nor absurdly above it
    for name in ("spectral", "fem"):
        true = solutions[name].error().relative_l2
        assert true <= 3 * stated(solutions[name]), name
        assert np.isfinite(true)
