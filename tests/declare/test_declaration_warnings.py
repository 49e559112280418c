"""Data that fit badly are accepted with a warning that says by how much."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import sympy as sp
from good_problems import LINE, allen_cahn, convection, heat, t, w, x
from sympy import pi, sin

import pdesolve.declare as pde
from pdesolve.declare.errors import (
    CompatibilityWarning,
    IllPosedWarning,
    InflowWarning,
    PDESolveWarning,
    PeriodicityWarning,
)


def test_initial_data_that_jump_across_a_periodic_face() -> None:
    with pytest.warns(PeriodicityWarning, match=r"Initial\(w\).*periodic in x.*jumps by 2 "):
        convection().replace(conditions=[pde.Initial(w, x), pde.Periodic(w)])


def test_a_function_that_jumps_across_a_periodic_face() -> None:
    with pytest.warns(PeriodicityWarning, match="jumps by 3 "):
        convection().replace(conditions=[pde.Initial(w, lambda p: 1.5 * p[:, 0]), pde.Periodic(w)])


def test_a_source_that_jumps_across_a_periodic_face() -> None:
    with pytest.warns(PeriodicityWarning, match=r"equation.*jumps by 0\.5 "):
        convection().replace(equations=w.diff(t) + 30 * w.diff(x) - x / 4)


def test_a_coefficient_that_jumps_across_a_periodic_face() -> None:
    with pytest.warns(PeriodicityWarning, match="equation.*periodic in x"):
        convection().replace(equations=w.diff(t) + (2 + x) * w.diff(x))


def test_a_slope_that_jumps_is_no_matter() -> None:
    """Allen-Cahn's usual initial condition x² cos(πx) has a slope jump of 4 at x = ±1."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        allen_cahn()


def test_data_that_do_not_vary_along_the_periodic_axis_are_no_matter() -> None:
    y = pde.coordinates("y")
    q = pde.unknown("q", x, y, t)
    domain = pde.Box((x, 0, 1), (y, 0, 1)) * pde.Time(t, 0, 1)
    conditions = [pde.Initial(q, y * sin(2 * pi * x)), pde.Periodic(q, x), pde.Dirichlet(q, 0, on="bottom")]
    pde.Problem("p", q.diff(t) + q.diff(x) + y * q.diff(y), domain, conditions)


@pytest.mark.parametrize(
    ("start", "wall", "size"),
    [(1, 0, "1 "), (sin(pi * x), 0.25, r"0\.25 "), (lambda p: np.cos(p[:, 0]), 0, r"0\.54 "), (0, 2, "2 ")],
)
def test_initial_data_that_contradict_the_boundary(start: object, wall: object, size: str) -> None:
    with pytest.warns(CompatibilityWarning, match=rf"Dirichlet\(w\) on left, right: .*by {size}") as caught:
        heat().replace(conditions=[pde.Initial(w, start), pde.Dirichlet(w, wall)])
    assert len(caught) == 1


def test_round_off_is_no_contradiction() -> None:
    """-sin(πx) at x = 1 is 1e-16 in floats."""
    heat().replace(conditions=[pde.Initial(w, lambda p: -np.sin(np.pi * p[:, 0])), pde.Dirichlet(w, 0)])


def test_boundary_data_are_compared_at_the_start_only() -> None:
    domain = pde.Interval(x, -1, 1) * pde.Time(t, 2, 3)
    wall = sp.exp(t - 2) * x
    heat().replace(domain=domain, conditions=[pde.Initial(w, x), pde.Dirichlet(w, wall)])


def test_the_warning_points_at_the_declaration() -> None:
    with pytest.warns(PDESolveWarning) as caught:
        pde.Problem(
            "heat",
            w.diff(t) - w.diff(x, 2),
            LINE,
            [pde.Initial(w, 1), pde.Dirichlet(w, 0, on=("left", "right"))],
        )
    assert caught[0].filename == __file__


def test_a_speed_that_depends_on_the_solution_warns_of_inflow() -> None:
    with pytest.warns(InflowWarning, match="left, right") as caught:
        pde.Problem("inviscid", w.diff(t) + w * w.diff(x), LINE, [pde.Initial(w, x)])
    assert caught[0].filename == __file__


def test_a_diffusivity_that_changes_its_sign() -> None:
    with pytest.warns(IllPosedWarning, match="coefficient -x of w_xx has both signs") as caught:
        heat().replace(equations=w.diff(t) - x * w.diff(x, 2))
    assert len(caught) == 1
    heat().replace(equations=w.diff(t) - (1 - x**2) * w.diff(x, 2))  # it vanishes at the ends only
