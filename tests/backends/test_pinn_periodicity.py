"""Periodicity as rows of a PINN, and linear networks that are evaluated once."""

import numpy as np
import pytest
import torch

import pdesolve as pde
from pdesolve.backends.base import BackendOptionError, Context
from pdesolve.backends.pinn import PINN, Subdomains
from pdesolve.residual.affine import AffineObjective

SMALL = {"width": 10, "depth": 2, "points": 300, "points_boundary": 60, "compile": False}


@pytest.mark.parametrize("options", [{}, {"exact_conditions": False}, {"slabs": 2}])
def test_a_wave_comes_back_on_the_other_side(options):
    problem = pde.catalogue("convection", beta=3)
    backend = PINN(periodicity="rows", **SMALL, **options)
    solution = pde.solve(problem, backend, steps=80, progress=False, throw=False)
    assert solution.error().relative_l2 < 3e-3
    ends = [np.column_stack([np.full(50, at), np.linspace(0, 1, 50)]) for at in (0, 2 * np.pi)]
    jump = np.abs(solution(ends[0]) - solution(ends[1])).max()
    assert 0 < jump < 1e-2  # small, but a loss and no identity


def test_it_is_for_networks_of_the_whole_alone():
    for other in (
        {"stream_function": True},
        {"frame": "lagrangian"},
        {"subdomains": Subdomains()},
    ):
        with pytest.raises(BackendOptionError, match="periodicity"):
            PINN(periodicity="rows", **other)
    with pytest.raises(BackendOptionError, match="'exact' or 'rows'"):
        PINN(periodicity="loss")


def test_linear_networks_are_evaluated_once_where_points_stay():
    problem = pde.catalogue("convection", beta=3)

    def objective(**options):
        own = {"network": "waves", "width": 20, "points": 40, "sampler": "fixed"}
        return PINN(**{**own, **options}).start(problem, Context()).slab.objective

    assert isinstance(objective(), AffineObjective)
    assert not isinstance(objective(sampler="r3"), AffineObjective)
    assert not isinstance(objective(network="mlp", width=4), AffineObjective)


def test_what_is_evaluated_once_is_not_compiled():
    backend = PINN(network="waves", width=20, points=40, sampler="fixed", compile=True)
    state = backend.start(pde.catalogue("poisson"), Context())
    assert state.engine is None
    assert isinstance(state.slab.objective, AffineObjective)


def test_later_slabs_see_the_background_and_periodicity_in_rows_evaluated_once():
    problem = pde.catalogue("convection", beta=3)
    options = {"network": "waves", "width": 30, "points": 50, "sampler": "fixed", "slabs": 2}
    backend = PINN(periodicity="rows", **options)
    state = backend.start(problem, Context())
    backend.advance(state)
    backend._next_slab(state)
    backend._use_points(state)
    affine, residual = state.slab.objective, state.slab.residual
    assert isinstance(affine, AffineObjective)
    theta = torch.linspace(-1, 1, len(state.theta), dtype=torch.float64)
    (block,) = affine.blocks
    torch.testing.assert_close(affine.rows(theta), residual.rows(theta, block))
    for found, expected in zip(affine.linearise(theta), residual.linearise(theta, block), strict=True):
        torch.testing.assert_close(found, expected)
