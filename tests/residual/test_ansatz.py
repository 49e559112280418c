"""Trial functions meet their conditions at random parameters, and say which ones they cannot meet."""

import numpy as np
import pytest
import sympy as sp
import torch

import pdesolve.declare as pde
from pdesolve.residual.ansatz import build_ansatz
from pdesolve.residual.model import Model
from pdesolve.residual.networks import box_features, mlp
from pdesolve.residual.program import Program
from pdesolve.residual.residual import Residual

x, y, t = pde.coordinates("x y t")


def model_residual(problem, seed=0):
    program, ansatz = Program(problem), build_ansatz(problem)
    g = torch.Generator().manual_seed(seed)
    network = mlp(box_features(problem.domain, ansatz.periodic), len(problem.unknowns), g, width=6, depth=2)
    everything = range(len(program.terms))
    return Residual(program, Model(program, network, ansatz), everything), ansatz


def condition_errors(problem, seed=0):
    """Largest residual of each condition at its own points, for a random network."""
    residual, ansatz = model_residual(problem, seed)
    rng = np.random.default_rng(seed)
    first = [residual.terms[group[0]].term for group in residual.groups]
    batch = residual.batch([term.sample(problem.domain, 50, rng) for term in first])
    values = residual.values(residual.start(), batch)
    return {
        residual.terms[i].name: float(v[row].abs().max())
        for group, v in zip(residual.groups, values, strict=True)
        for row, i in enumerate(group)
        if not residual.terms[i].term.is_equation
    }, ansatz


def wave(u):
    return pde.Problem(
        "wave",
        [u.diff(t, 2) - 4 * u.diff(x, 2)],
        pde.Interval(x, 0, 1) * pde.Time(t, 0, 2),
        [
            pde.Dirichlet(u, sp.sin(t), on="right"),
            pde.Dirichlet(u, 0, on="left"),
            pde.Initial(u, sp.sin(sp.pi * x)),
            pde.Initial(u.diff(t), x),
        ],
    )


def poisson(u):
    """Dirichlet data of a smooth field on all four sides: they agree at the corners."""
    field = sp.exp(x) * sp.cos(2 * y) + x * y
    return pde.Problem(
        "poisson", [u.diff(x, 2) + u.diff(y, 2)], pde.Box((x, -1, 2), (y, 0, 1)), [pde.Dirichlet(u, field)]
    )


def mixed(u):
    return pde.Problem(
        "mixed",
        [u.diff(t) - u.diff(x, 2)],
        pde.Interval(x, 0, 1) * pde.Time(t, 0, 1),
        [pde.Dirichlet(u, t, on="left"), pde.Neumann(u, 1, on="right"), pde.Initial(u, x**2)],
    )


@pytest.mark.parametrize(
    ("make", "exact"),
    [
        (wave, {"dirichlet u on left", "dirichlet u on right", "initial u", "initial u (time derivative)"}),
        (poisson, {f"dirichlet u on {side}" for side in ("left", "right", "bottom", "top")}),
        (mixed, {"dirichlet u on left", "initial u"}),
    ],
)
@pytest.mark.parametrize("seed", [0, 1])
def test_exact_conditions_hold_for_any_network(make, exact, seed):
    coordinates = (x, y) if make is poisson else (x, t)
    errors, ansatz = condition_errors(make(pde.unknown("u", *coordinates)), seed)
    assert ansatz.exact == exact
    for name, error in errors.items():
        assert (error < 1e-12) == (name in exact), name


def test_corner_mismatch_leaves_the_second_pair_of_sides_as_rows():
    u = pde.unknown("u", x, y)
    cavity = pde.Problem(
        "lid",
        [u.diff(x, 2) + u.diff(y, 2)],
        pde.Box((x, 0, 1), (y, 0, 1)),
        [pde.Dirichlet(u, 0, on=("left", "right", "bottom")), pde.Dirichlet(u, 1, on="top")],
    )
    errors, ansatz = condition_errors(cavity)
    assert ansatz.exact == {"dirichlet u on left", "dirichlet u on right"}
    assert errors["dirichlet u on left"] == 0.0


def test_a_kink_at_a_periodic_seam_is_not_frozen_into_the_lift():
    """x² cos(πx) is periodic in value but its slope jumps by 4: the initial condition becomes a row."""
    u = pde.unknown("u", x, t)

    def allen_cahn(initial):
        return pde.Problem(
            "allen-cahn",
            [u.diff(t) - u.diff(x, 2) / 10000 + 5 * u**3 - 5 * u],
            pde.Interval(x, -1, 1) * pde.Time(t, 0, 1),
            [pde.Periodic(u), pde.Initial(u, initial)],
        )

    assert build_ansatz(allen_cahn(x**2 * sp.cos(sp.pi * x))).exact == frozenset()
    assert build_ansatz(allen_cahn(sp.sin(sp.pi * x))).exact == {"initial u"}
    assert build_ansatz(allen_cahn(sp.sin(sp.pi * x)), exact=False).exact == frozenset()
    assert build_ansatz(allen_cahn(sp.sin(sp.pi * x))).periodic == (0,)


def test_functions_and_data_with_unknown_parameters_stay_rows():
    u = pde.unknown("u", x, t)
    amplitude = pde.parameter("amplitude", unknown=True, start=1.0)
    problem = pde.Problem(
        "inverse",
        [u.diff(t) - u.diff(x, 2)],
        pde.Interval(x, 0, 1) * pde.Time(t, 0, 1),
        [
            pde.Initial(u, amplitude * sp.sin(sp.pi * x)),
            pde.Dirichlet(u, lambda p: np.zeros(len(p)), on="left"),
            pde.Dirichlet(u, 0, on="right"),
            pde.Observations(u, [[0.5, 0.0]], [1.0]),
        ],
    )
    assert build_ansatz(problem).exact == {"dirichlet u on right"}
