"""Entries on meshes: geometry and data against the definitions; (slow) finite elements against print."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import sympy as sp

from pdesolve import solve
from pdesolve.declare import Dirichlet, Problem
from pdesolve.problems import catalogue
from pdesolve.problems.backward_step import PUBLISHED
from pdesolve.problems.cylinder import BACK, FRONT, PUBLISHED_SHEDDING, PUBLISHED_STEADY
from pdesolve.problems.lid_driven_cavity import CENTRE_LINE_EXTREMA


def inflow(problem: Problem) -> sp.Expr:
    return next(c.value for c in problem.of_type(Dirichlet) if c.on == ("inlet",) and c.value != 0)


def test_the_channel_is_that_of_the_definition() -> None:
    domain = catalogue("cylinder").domain
    assert domain.measure() == pytest.approx(2.2 * 0.41 - np.pi * 0.05**2, rel=1e-4)  # chords of the cells
    assert domain.measure("cylinder") == pytest.approx(0.1 * np.pi, rel=1e-3)
    assert domain.measure("walls") == pytest.approx(4.4, rel=1e-9)
    assert domain.measure("inlet") == pytest.approx(domain.measure("outlet"), rel=1e-9)
    circle = domain.sample(200, np.random.default_rng(0), "cylinder")
    assert np.hypot(*(circle - (0.2, 0.2)).T) == pytest.approx(0.05, rel=2e-3)
    assert np.abs(domain.distance(np.array([FRONT, BACK]))).max() < 1e-9


@pytest.mark.parametrize(("variant", "speed", "Re"), [("2D-1", 0.2, 20), ("2D-2", 1.0, 100)])
def test_the_inflow_has_the_reynolds_number_of_the_name(variant: str, speed: float, Re: float) -> None:
    problem = catalogue("cylinder", variant=variant)
    y = problem.coordinates[1]
    profile = inflow(problem)
    if variant == "2D-2":
        t = problem.coordinates[2]
        assert profile.subs(t, 0) == 0 and profile.diff(t).subs(t, 0) == 0  # agrees with the start at rest
        profile = profile.subs(t, 8)
    mean = float(sp.integrate(profile, (y, 0, sp.Rational(41, 100)))) / 0.41
    (viscosity,) = problem.parameters.values()
    assert mean == pytest.approx(speed, rel=1e-12)
    assert mean * 0.1 / float(viscosity) == pytest.approx(Re, rel=1e-12)


def test_published_numbers_of_the_cylinder_agree_with_the_ranges_of_all_participants() -> None:
    """Schäfer & Turek (1996), table 3."""
    assert 5.57 < PUBLISHED_STEADY.drag < 5.59
    assert 0.0104 < PUBLISHED_STEADY.lift < 0.0110
    assert 0.1172 < PUBLISHED_STEADY.pressure_difference < 0.1176
    assert PUBLISHED_SHEDDING.strouhal[0] < 0.30 < PUBLISHED_SHEDDING.strouhal[1]


def test_the_step_and_its_inflow() -> None:
    problem = catalogue("backward-step")
    domain, y = problem.domain, problem.coordinates[1]
    assert domain.measure() == pytest.approx(30, rel=1e-9)
    assert domain.measure("inlet") == pytest.approx(0.5) and domain.measure("outlet") == pytest.approx(1)
    assert domain.measure("walls") == pytest.approx(60.5)
    assert 2 * sp.integrate(inflow(problem), (y, 0, sp.Rational(1, 2))) == 1  # mean inflow


def test_an_insulated_part_takes_the_temperature_of_its_base() -> None:
    problem = catalogue("heat-part", Bi=0, T=6).replace(reference=None)
    solution = solve(problem, "fem", degree=1, max_levels=1)
    points = problem.domain.sample(100, np.random.default_rng(0))
    points[:, 3] = 6
    assert solution(points) == pytest.approx(np.ones((100, 1)), abs=1e-3)


def test_a_cooled_part_stays_between_the_temperatures_around_it() -> None:
    problem = catalogue("heat-part").replace(reference=None)
    solution = solve(problem, "fem", degree=1, max_levels=1)
    rng = np.random.default_rng(0)
    points = problem.domain.sample(400, rng)
    u = solution(points)
    assert u.min() > -0.02 and u.max() < 1.02  # the maximum principle, but for the coarse mesh
    hole, outside = (problem.domain.sample(200, rng, part) for part in ("hole", "outside"))
    hole[:, 3] = outside[:, 3] = 0.5
    low = outside[outside[:, 2] < 0.15]
    assert solution(hole).mean() < solution(low).mean() - 0.05


# -- finite elements against published numbers -------------------------------------------------------------


@pytest.mark.slow
def test_pressure_difference_of_the_cylinder() -> None:
    problem = catalogue("cylinder").replace(reference=None)
    solution = solve(problem, "fem", max_levels=2)
    h = 1e-3 * np.array([-1, 0])  # in front of the cylinder and behind it, extrapolated to its surface
    values = [solution(np.array([p + s * k * h for k in (1, 2)]))[:, 2] for p, s in ((FRONT, 1), (BACK, -1))]
    front, back = (2 * near - far for near, far in values)
    assert front - back == pytest.approx(PUBLISHED_STEADY.pressure_difference, rel=2e-3)


@pytest.mark.slow
def test_eddies_behind_the_step() -> None:
    problem = catalogue("backward-step").replace(reference=None)
    solution = solve(problem, "fem", throw=False, max_unknowns=160_000, max_levels=2)
    u, y = problem.unknowns[0], problem.coordinates[1]
    x = np.linspace(0.5, 29, 2000)

    def turns(height: float) -> Any:
        shear = solution.derivative(np.stack([x, 0 * x + height], axis=1), u.diff(y))
        return x[np.flatnonzero(np.diff(np.sign(shear)))]

    assert turns(-0.5 + 1e-6) == pytest.approx([PUBLISHED.lower_reattachment], abs=0.02)
    assert turns(0.5 - 1e-6) == pytest.approx(
        [PUBLISHED.upper_separation, PUBLISHED.upper_reattachment], abs=0.02
    )


@pytest.mark.slow
def test_extrema_of_the_cavity() -> None:
    problem = catalogue("lid-driven-cavity").replace(reference=None)
    solution = solve(problem, "fem", graded=True)
    s = np.linspace(0, 1, 2001)
    u = solution(np.stack([0 * s + 0.5, s], axis=1))[:, 0]
    v = solution(np.stack([s, 0 * s + 0.5], axis=1))[:, 1]
    published = CENTRE_LINE_EXTREMA[100]
    found = (u.min(), s[u.argmin()], v.max(), s[v.argmax()], v.min(), s[v.argmin()])
    assert found[::2] == pytest.approx(published[:6:2], abs=1e-5)
    assert found[1::2] == pytest.approx(published[1:6:2], abs=1e-3)
