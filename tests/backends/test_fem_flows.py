"""Incompressible flow by Taylor-Hood elements: orders, published numbers, conservation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import sympy as sp
from fem_cases import orders, t, x, y

import pdesolve as pde
from pdesolve.backends.base import Context
from pdesolve.backends.fem import FEM
from pdesolve.declare import Box, Dirichlet, Initial, Neumann, Problem, Time, Value, unknown
from pdesolve.driver import solve
from pdesolve.problems.lid_driven_cavity import CENTRE_LINE_EXTREMA
from pdesolve.solution import Status


def test_taylor_hood_elements_have_their_orders() -> None:
    observed = orders(pde.catalogue("kovasznay"), "size", (1 / 11, 1 / 22))
    assert observed["u"] == pytest.approx([3], abs=0.15)
    assert observed["v"] == pytest.approx([3], abs=0.15)
    assert observed["p"] == pytest.approx([2], abs=0.15)


def flow(*space: Any) -> tuple[Any, Any, Any, list[sp.Expr]]:
    """u, v, p and the incompressible equations with ν = 1/10; unsteady where time is among the arguments."""
    u, v, p = unknown("u v p", *space)
    rate = (lambda w: w.diff(t)) if t in space else (lambda w: sp.Integer(0))

    def momentum(w: Any, c: Any) -> sp.Expr:
        return rate(w) + u * w.diff(x) + v * w.diff(y) + p.diff(c) - (w.diff(x, 2) + w.diff(y, 2)) / 10

    return u, v, p, [momentum(u, x), momentum(v, y), u.diff(x) + v.diff(y)]


def test_poiseuille_flow_is_exact_with_an_open_outlet() -> None:
    """u = y (1 - y), p = (L - x)/5 lies in the space: p on the outlet is the traction."""
    u, v, p, equations = flow(x, y)
    problem = Problem(
        "poiseuille",
        equations,
        Box((x, 0, 2), (y, 0, 1)),
        [
            Dirichlet(u, y * (1 - y), on="left"),
            Dirichlet(u, 0, on=("bottom", "top")),
            Dirichlet(v, 0, on=("left", "bottom", "top")),
            Neumann(u, 0, on="right"),
            Neumann(v, 0, on="right"),
            Dirichlet(p, 0, on="right"),
        ],
        unknowns=(u, v, p),
        reference={u: y * (1 - y), v: 0, p: (2 - x) / 5},
    )
    solution = solve(problem, FEM(size=1 / 3, max_levels=1), progress=False)
    assert solution.error().max < 1e-10
    # the walls hold the fluid back by ν u_y = 1/10 on both sides along two units
    drag = solution.reaction(u, "bottom") + solution.reaction(u, "top")
    assert drag == pytest.approx(0.4, rel=0.2)  # corners belong to inlet and wall alike


def test_unsteady_flow_has_the_order_of_the_scheme() -> None:
    u, v, p, equations = flow(x, y, t)
    problem = Problem(
        "vortex",
        equations,
        Box((x, 0, 1), (y, 0, 1)) * Time(t, 0, 1),
        [
            Initial(u, 0),
            Initial(v, 0),
            Dirichlet(u, 0),
            Dirichlet(v, 0),
            Value(p, 0, at={x: 0, y: 0}),
        ],
        unknowns=(u, v, p),
    ).manufacture(u=y**2 * sp.cos(3 * t), v=x**2 * sp.cos(3 * t), p=(x - y) * sp.sin(2 * t))
    observed = orders(problem, "dt", (1 / 8, 1 / 16), size=1 / 3)
    assert observed["u"] == pytest.approx([2], abs=0.15)


@pytest.mark.parametrize("reynolds", [100, 1000])
def test_extrema_of_the_driven_cavity(reynolds: int) -> None:
    """Botella & Peyret's spectral values; the lid's corners are singular."""
    solution = solve(
        pde.catalogue("lid-driven-cavity", Re=reynolds),
        FEM(graded=True, size=1 / 12, max_levels=3),
        progress=False,
    )
    line, half = np.linspace(0, 1, 2001), np.full(2001, 0.5)
    u = solution(np.stack([half, line], axis=1))[:, 0]
    v = solution(np.stack([line, half], axis=1))[:, 1]
    wanted = CENTRE_LINE_EXTREMA[reynolds]
    assert u.min() == pytest.approx(wanted.u_min, abs=5e-4)
    assert v.max() == pytest.approx(wanted.v_max, abs=5e-4)
    assert v.min() == pytest.approx(wanted.v_min, abs=5e-4)


def test_newton_goes_by_continuation_where_it_must() -> None:
    """At Re = 2000 on a coarse mesh Newton fails from rest; less of the nonlinear part comes first."""
    backend = FEM(graded=True, size=1 / 12, max_levels=1)
    state = backend.start(pde.catalogue("lid-driven-cavity", Re=2000), Context())
    shares = []
    for _ in range(60):
        progress = backend.advance(state)
        assert state.iterate is not None
        shares.append(state.iterate.homotopy)
        if progress.status is not None:
            break
    assert progress.status is Status.COMPLETED
    assert shares[0] == 1 and min(shares) == 0 and shares[-1] == 1
