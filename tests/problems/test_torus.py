"""The three problems on the torus against published values, and heat against its own equation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import sympy as sp

from pdesolve import Solution, solve
from pdesolve.declare import Problem
from pdesolve.problems import catalogue
from pdesolve.problems.heat_2d import series, series_error
from pdesolve.problems.torus import start

POINT = (81 * 2 * np.pi / 512, 163 * 2 * np.pi / 512)

# Time, u at POINT and rms over the torus: from the reference data published with TENG (arXiv 2404.10771).
CHECKS = {
    "heat-2d": [(0, 0.258749129, 0.186881507), (4, 0.144660075, 0.105495264)],
    "allen-cahn-2d": [
        (0.5, 0.402819302, 0.281620377),
        (1, 0.584659649, 0.395753633),
        (2, 0.885308689, 0.625554404),
        (4, 0.996985984, 0.911682403),
    ],
    "burgers-2d": [
        (0.5, 0.224829653, 0.184748897),
        (1, 0.197165066, 0.182552048),
        (2, 0.158469512, 0.177369125),
        (4, 0.116393848, 0.162369048),
    ],
}


def square(t: float, n: int) -> np.ndarray[Any, Any]:
    """n x n points of the torus at one time: the trapezoidal rule, exact for fewer than n modes."""
    nodes = np.linspace(0, 2 * np.pi, n, endpoint=False)
    x, y = np.meshgrid(nodes, nodes, indexing="ij")
    return np.stack([x.ravel(), y.ravel(), np.full(n * n, float(t))], axis=1)


def closed_form(problem: Problem) -> Any:
    assert problem.reference is not None and problem.reference.expressions is not None
    u = problem.substitute(problem.reference.expressions[0])
    return sp.lambdify(problem.coordinates, u, "numpy")


def test_published_values_of_heat() -> None:
    u = closed_form(catalogue("heat-2d"))
    for t, value, rms in CHECKS["heat-2d"]:
        assert u(*POINT, t) == pytest.approx(value, abs=1e-9)
        assert np.sqrt(np.mean(u(*square(t, 64).T) ** 2)) == pytest.approx(rms, abs=1e-9)


def test_heat_reference_satisfies_its_equation() -> None:
    problem = catalogue("heat-2d", diffusivity=sp.Rational(1, 3))
    x, y, t = problem.coordinates
    assert problem.reference is not None and problem.reference.expressions is not None
    u = problem.substitute(problem.reference.expressions[0])
    residual = sp.lambdify(
        (x, y, t), u.diff(t) - (u.diff(x, 2) + u.diff(y, 2)) / 3, "numpy"
    )  # differentiated by SymPy, whatever the entry says of its modes
    points = np.random.default_rng(0).uniform(0, 2 * np.pi, (50, 3))
    assert np.abs(residual(*points.T)).max() < 1e-14


def test_heat_reference_knows_its_error() -> None:
    assert series_error() < 1e-15
    x, y = catalogue("heat-2d").coordinates[:2]
    few = sp.lambdify((x, y), series(x, y, sp.Integer(0), terms=4) - start(x, y), "numpy")
    assert np.abs(few(*square(0, 32)[:, :2].T)).max() > 1e-5  # the measure above can see a term left out


def check(solution: Solution, name: str) -> None:
    for t, value, rms in CHECKS[name]:
        assert solution(np.array([[*POINT, t]]))[0, 0] == pytest.approx(value, abs=1e-8)
        assert np.sqrt(np.mean(solution(square(t, 320)) ** 2)) == pytest.approx(rms, abs=1e-8)


def test_spectral_agrees_with_the_series_of_heat() -> None:
    solution = solve(catalogue("heat-2d"), "spectral", rtol=1e-10)
    check(solution, "heat-2d")
    assert solution.error().relative_l2 < 1e-9


@pytest.mark.slow
@pytest.mark.parametrize("name", ["allen-cahn-2d", "burgers-2d"])
def test_published_values(name: str) -> None:
    check(solve(catalogue(name).replace(reference=None), "spectral", rtol=1e-8), name)
