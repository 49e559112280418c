"""The declarations of flows: data that fit together, and the terms of the Navier-Stokes equations."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import sympy as sp

from pdesolve import solve
from pdesolve.declare import Dirichlet, Initial, Problem, Value
from pdesolve.declare.errors import ParameterValueError
from pdesolve.problems import ProblemVariantError, catalogue
from pdesolve.problems.lid_driven_cavity import CENTRE_LINE_EXTREMA


def residual(problem: Problem, name: str, fields: dict[Any, sp.Expr]) -> sp.Expr:
    return problem.substitute(problem.equations[name]).subs(fields).doit()


def starts(problem: Problem) -> dict[Any, sp.Expr]:
    return {c.unknown: c.value for c in problem.of_type(Initial)}


def test_taylor_green_in_space_starts_from_a_flow() -> None:
    """The docstring's pressure makes ∂t(∇·u) = 0 at the start."""
    problem = catalogue("taylor-green", dimension=3, nu=sp.Rational(1, 100))
    x, y, z, _ = problem.coordinates
    p = problem.unknowns[3]
    pressure = (sp.cos(2 * x) + sp.cos(2 * y)) * (sp.cos(2 * z) + 2) / 16
    fields = starts(problem) | {p: pressure}
    assert residual(problem, "continuity", fields) == 0
    momentum = [residual(problem, f"momentum {c}", fields) for c in "xyz"]  # -u_t: the start knows no time
    assert sp.simplify(sum(m.diff(c) for m, c in zip(momentum, (x, y, z), strict=True))) == 0
    assert sp.simplify(momentum[2]) != 0  # the vortices stretch: w grows from zero
    assert problem.vectors == {"velocity": problem.unknowns[:3]} and problem.unknown_names[:3] == tuple("uvw")


def test_taylor_green_in_the_plane_is_the_one_of_old() -> None:
    problem = catalogue("taylor-green")
    assert problem.digest == catalogue("taylor-green", dimension=2).digest
    assert problem.reference is not None and problem.reference.is_exact
    with pytest.raises(ParameterValueError, match=r"dimension=.*2 or 3"):
        catalogue("taylor-green", dimension=4)


@pytest.mark.parametrize("variant", ["forced", "decaying"])
def test_vorticity_on_the_torus_is_that_of_a_flow(variant: str) -> None:
    """The vorticity equation is the curl of the momentum equations for u = (ψ_y, -ψ_x)."""
    problem = catalogue("navier-stokes-torus", variant=variant, nu=sp.Rational(1, 1000))
    x, y, _ = problem.coordinates
    omega, psi = problem.unknowns
    stream = (  # each mode of the start over |k|² = 4π² (2, 4, 5)
        sp.sin(2 * sp.pi * x) * sp.cos(2 * sp.pi * y) / 2
        + sp.cos(4 * sp.pi * y) / 8
        + sp.sin(2 * sp.pi * (2 * x - y)) / 20
    ) / (4 * sp.pi**2)
    fields = {omega: starts(problem)[omega], psi: stream}

    def values(e: sp.Expr) -> np.ndarray[Any, Any]:
        nodes = np.arange(16) / 16
        return np.asarray(sp.lambdify((x, y), e, "numpy")(*np.meshgrid(nodes, nodes)))

    assert np.abs(values(residual(problem, "stream function", fields))).max() < 1e-13
    assert abs(values(fields[omega]).mean()) < 1e-15  # as the equation for ψ asks
    assert np.sqrt(np.mean(values(fields[omega]) ** 2)) == pytest.approx(np.sqrt(13 / 32))
    u, v = stream.diff(y), -stream.diff(x)
    u_t, v_t = (
        (w.diff(x, 2) + w.diff(y, 2)) / 1000 - u * w.diff(x) - v * w.diff(y) for w in (u, v)
    )  # but for the pressure, which has no curl
    phase = 2 * sp.pi * (x + y)
    force = (sp.sin(phase) + sp.cos(phase)) / 10 if variant == "forced" else sp.Integer(0)
    gap = residual(problem, "vorticity", fields) + v_t.diff(x) - u_t.diff(y) + force
    assert np.abs(values(gap)).max() < 1e-12
    assert np.abs(values(v_t.diff(x) - u_t.diff(y))).max() > 0.1
    assert [c.unknown for c in problem.of_type(Value)] == [psi]


@pytest.mark.parametrize("lid", ["unit", "regularised", "parabolic", "smooth"])
def test_lids_have_unit_speed_and_the_corners_they_claim(lid: str) -> None:
    problem = catalogue("lid-driven-cavity", lid=lid)
    x, _ = problem.coordinates
    u = problem.unknowns[0]
    speed = next(c.value for c in problem.of_type(Dirichlet) if c.unknown == u and c.on == ("top",))
    values = sp.lambdify(x, speed, "numpy")(np.linspace(0, 1, 101)) + np.zeros(101)
    assert values.max() == pytest.approx(1, abs=1e-10)
    corner, slope = (float(e.subs(x, 0)) for e in (speed, speed.diff(x)))
    assert corner == (lid == "unit")
    assert (slope == 0) == (lid in ("unit", "regularised"))
    assert problem.vectors == {"velocity": problem.unknowns[:2]}


def test_an_unknown_lid_is_refused_by_its_name() -> None:
    with pytest.raises(ProblemVariantError, match=r"lid=.*regularised"):
        catalogue("lid-driven-cavity", lid="round")


def test_published_extrema_lie_in_the_cavity_and_grow_with_the_reynolds_number() -> None:
    assert sorted(CENTRE_LINE_EXTREMA) == [100, 400, 1000]
    ordered = [CENTRE_LINE_EXTREMA[Re] for Re in (100, 400, 1000)]
    for few, many in pairwise(ordered):
        assert few.u_min > many.u_min and few.v_max < many.v_max and few.v_min > many.v_min
        assert few.y_u_min > many.y_u_min and few.x_v_max > many.x_v_max and few.x_v_min < many.x_v_min
    assert CENTRE_LINE_EXTREMA[1000][::2] == (-0.3885698, 0.3769447, -0.5270771, ordered[2].source)


@pytest.mark.parametrize("variant", ["forced", "decaying"])
def test_flow_on_the_torus_changes_its_energy_as_force_and_friction_do(variant: str) -> None:
    """dE/dt = ∫ ψ f - ν ∫ ω² with E = ½ ∫ |∇ψ|² = ½ ∫ ψ ω: what none of the equations says itself."""
    problem = catalogue("navier-stokes-torus", variant=variant, T=1).replace(reference=None)
    solution = solve(problem, "spectral", rtol=1e-7)
    nodes = np.arange(48) / 48
    x, y = (g.ravel() for g in np.meshgrid(nodes, nodes, indexing="ij"))
    phase = 2 * np.pi * (x + y)
    force = (np.sin(phase) + np.cos(phase)) / 10 if variant == "forced" else 0 * x
    shares, weights = np.polynomial.legendre.leggauss(10)

    def at(t: float) -> tuple[Any, Any]:
        omega, psi = solution(np.stack([x, y, 0 * x + t], axis=1)).T
        return omega, psi - psi.mean()

    def energy(t: float) -> float:
        omega, psi = at(t)
        return float(np.mean(psi * omega)) / 2

    work, friction = 0.0, 0.0
    for share, weight in zip(shares, weights, strict=True):
        omega, psi = at((share + 1) / 2)
        work += weight / 2 * float(np.mean(psi * force))
        friction += weight / 2 * float(np.mean(omega**2)) / 1000
    assert energy(1) - energy(0) == pytest.approx(work - friction, abs=1e-9)
    assert friction > 1e-4 and (abs(work) > 1e-4) == (variant == "forced")


@pytest.mark.slow
def test_the_pressure_of_taylor_green_in_space_is_that_of_the_docstring() -> None:
    problem = catalogue("taylor-green", dimension=3, T=0.1).replace(reference=None)
    solution = solve(problem, "spectral", rtol=1e-5)
    points = np.random.default_rng(0).uniform(0, 2 * np.pi, (50, 4))
    points[:, 3] = 0
    x, y, z, _ = points.T
    pressure = (np.cos(2 * x) + np.cos(2 * y)) * (np.cos(2 * z) + 2) / 16 - 3 / 8  # zero at the origin
    assert solution(points)[:, 3] == pytest.approx(pressure, abs=1e-10)
