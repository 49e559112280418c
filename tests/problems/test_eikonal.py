"""The Cole-Hopf solution of the viscous eikonal equation."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

from pdesolve.problems import catalogue
from pdesolve.problems.eikonal import cole_hopf


def single_series(x: float, y: float, eps: float) -> float:
    """u by another formula: w = cosh((x-½)/ε)/cosh(1/2ε) + Σ_odd 4/(n(1+ε²n²)) sin nx cosh(k(y-½))/cosh(k/2)
    with n = mπ and k² = n² + 1/ε², summed to 30 digits. It converges fast away from the sides in y."""
    with mpmath.workdps(30):
        x, y, eps = map(mpmath.mpf, (x, y, eps))

        def ratio(k: mpmath.mpf, s: mpmath.mpf) -> mpmath.mpf:
            return mpmath.cosh(k * (s - 0.5)) / mpmath.cosh(k / 2)

        w = ratio(1 / eps, x)
        for m in range(1, 400, 2):
            n = m * mpmath.pi
            k = mpmath.sqrt(n**2 + 1 / eps**2)
            w += 4 / (n * (1 + (eps * n) ** 2)) * mpmath.sin(n * x) * ratio(k, y)
        return float(-eps * mpmath.log(w))


@pytest.mark.parametrize("eps", [1.0, 0.1, 0.02])
@pytest.mark.parametrize("point", [(0.5, 0.5), (0.1, 0.3), (0.9, 0.6), (0.25, 0.5)])
def test_two_formulas_agree(point: tuple[float, float], eps: float) -> None:
    value = cole_hopf(np.array([point]), eps)[0, 0]
    assert value == pytest.approx(single_series(*point, eps), rel=1e-13)


@pytest.mark.parametrize("eps", [0.3, 0.1])
def test_it_satisfies_the_equation(eps: float) -> None:
    """By central differences of eighth order."""
    first = np.array([3, -32, 168, -672, 0, 672, -168, 32, -3]) / 840
    second = np.array([-9, 128, -1008, 8064, -14350, 8064, -1008, 128, -9]) / 5040
    h, points = 4e-3, np.random.default_rng(0).uniform(0.1, 0.9, (40, 2))
    slope, laplacian = 0.0, 0.0
    for axis in range(2):
        shifts = np.zeros((9, 1, 2))
        shifts[:, 0, axis] = h * np.arange(-4, 5)
        u = cole_hopf((points + shifts).reshape(-1, 2), eps).reshape(9, 40)
        slope, laplacian = slope + (first @ u / h) ** 2, laplacian + second @ u / h**2
    assert np.abs(slope - 1 - eps * laplacian).max() < 1e-8


def test_on_the_sides_and_in_the_corners() -> None:
    s = np.linspace(0, 1, 21)
    sides = np.concatenate([np.stack([s, 0 * s], 1), np.stack([0 * s + 1, s], 1)])
    assert np.abs(cole_hopf(sides, 0.1)).max() < 1e-15


def test_without_viscosity_it_is_the_distance() -> None:
    """Monotone in ε by the maximum principle, with u -> distance as ε -> 0."""
    points = np.random.default_rng(1).uniform(0.02, 0.98, (50, 2))
    distance = np.minimum(points, 1 - points).min(axis=1)
    gaps = [distance - cole_hopf(points, eps)[:, 0] for eps in (0.1, 0.01, 0.001)]
    assert gaps[0].max() > gaps[1].max() > gaps[2].max() and gaps[2].max() < 2e-3
    assert (gaps[2] > -1e-12).all()


@pytest.mark.parametrize("eps", [0.5, 0.1, 0.01, 0.001])
def test_it_measures_its_own_error(eps: float) -> None:
    reference = catalogue("eikonal", eps=eps).reference
    assert reference is not None and callable(reference.error)
    assert reference.error() < 5e-14


def test_a_coarse_rule_is_caught() -> None:
    point = np.array([[0.3, 0.4]])
    assert abs(cole_hopf(point, 0.01, refine=0.2) - cole_hopf(point, 0.01))[0, 0] > 1e-9
