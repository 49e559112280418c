"""The objective that evaluates a linear network once, against the one that evaluates it at every step."""

import numpy as np
import pytest
import sympy as sp
import torch

import pdesolve.declare as pde
from pdesolve.residual.affine import AffineObjective
from pdesolve.residual.ansatz import build_ansatz
from pdesolve.residual.model import Model
from pdesolve.residual.networks import make_network
from pdesolve.residual.objective import ResidualObjective
from pdesolve.residual.program import Program
from pdesolve.residual.residual import Residual

x, t = pde.coordinates("x t")
u, v = pde.unknown("u v", x, t)


def problem(k=0.3, *more):
    """Two unknowns, products of them, and conditions that stay rows."""
    return pde.Problem(
        "coupled",
        {"first": u.diff(t) - k * u.diff(x, 2) + u * v, "second": v.diff(t) - v.diff(x, 2) + v - u**2},
        pde.Interval(x, 0, 1) * pde.Time(t, 0, 1),
        [
            pde.Initial(u, sp.cos(x)),
            pde.Initial(v, x),
            pde.Neumann(u, 0),
            pde.Dirichlet(v, lambda p: np.cos(p[:, 1]) * p[:, 0]),
            *more,
        ],
    )


def blocks_of(declared, network, n=50, size=20):
    program = Program(declared)
    generator = torch.Generator().manual_seed(3)
    made = make_network(network, declared.domain, 2, generator, width=40)
    residual = Residual(program, Model(program, made, build_ansatz(declared)))
    rng = np.random.default_rng(0)
    points = [residual.terms[g[0]].term.sample(declared.domain, n, rng) for g in residual.groups]
    weights = rng.uniform(0.5, 2.0, len(residual.terms))
    return residual, residual.blocks(residual.batch(points, list(weights)), size)


@pytest.mark.parametrize("network", ["waves", "readout"])
def test_rows_and_jacobian_are_those_of_the_network(network):
    residual, blocks = blocks_of(problem(), network)
    theta = torch.randn(
        len(residual.start()), generator=torch.Generator().manual_seed(1), dtype=torch.float64
    )
    affine, plain = AffineObjective(residual, blocks), ResidualObjective(residual, blocks)
    assert len(blocks) == 3 and AffineObjective.fits(residual, blocks)
    torch.testing.assert_close(affine.rows(theta), plain.rows(theta))
    for found, expected in zip(affine.linearise(theta), plain.linearise(theta), strict=True):
        torch.testing.assert_close(found, expected)
    for found, expected in zip(affine(theta), plain(theta), strict=True):
        torch.testing.assert_close(found, expected)


def test_unknown_parameters_and_large_sets_of_points_are_left_to_the_network():
    observed = pde.Observations(u, np.array([[0.2, 0.3], [0.5, 0.9]]), np.ones(2))
    residual, blocks = blocks_of(problem(pde.parameter("k", unknown=True, start=0.5), observed), "waves")
    assert not AffineObjective.fits(residual, blocks)
    residual, blocks = blocks_of(problem(), "waves", n=400_000, size=2048)
    assert not AffineObjective.fits(residual, blocks)
