"""Steady families without solutions: the residual in the units of the solution, and training on it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sympy as sp
import torch

import pdesolve as pde
from pdesolve.backends.learner import TrainingDataError
from pdesolve.backends.operators.elliptic_loss import EllipticLoss
from pdesolve.backends.operators.encoding import describe
from pdesolve.data.dataset import Dataset
from pdesolve.declare import Dirichlet
from pdesolve.residual.stencil import EllipticForm, Stencil

N = 12
SMALL: dict[str, Any] = {"modes": 6, "width": 8, "layers": 2, "projection": 16}


def loss_of(name: str, **parameters: Any) -> EllipticLoss:
    family = pde.family(name, **parameters)
    return EllipticLoss(family, describe(family, None), (N, N), torch.float64, "cpu")


def member(name: str) -> dict[str, torch.Tensor]:
    axes = (np.linspace(0, 1, N),) * 2
    draws = [pde.family(name).values((0, i), axes)["a"] for i in range(3)]
    return {"a": torch.from_numpy(np.stack(draws))}


@pytest.mark.parametrize("name", ["poisson-random", "helmholtz-random", "darcy-random"])
def test_it_vanishes_on_discrete_solutions_and_is_one_at_zero(name: str) -> None:
    loss, fields = loss_of(name), member(name)
    solution = Stencil(EllipticForm(pde.family(name).undetermined), N).solve(fields, rtol=1e-13)
    assert float(loss(solution[:, None, None], fields).max()) < 1e-11
    assert torch.allclose(loss(0 * solution[:, None, None], fields), torch.ones(3).double())


def test_it_is_the_relative_error_where_coefficients_are_constant() -> None:
    """On any disturbance, smooth or rough: of the Helmholtz equation, whose reaction is constant as well."""
    loss, fields = loss_of("helmholtz-random"), member("helmholtz-random")
    exact = Stencil(EllipticForm(pde.family("helmholtz-random").undetermined), N).solve(fields)
    s = np.pi * np.linspace(0, 1, N)
    for k in (1, 10):
        wave = torch.from_numpy(np.outer(np.sin(k * s), np.sin(s)))
        wrong = 0.3 * wave.expand_as(exact)
        expected = wrong.flatten(1).norm(dim=1) / exact.flatten(1).norm(dim=1)
        found = loss((exact + wrong)[:, None, None], fields)
        assert torch.allclose(found, expected, rtol=1e-8)


def test_its_gradient_is_that_of_finite_differences() -> None:
    """With what it aims at held fixed: the discrete solution, up to what the iterations leave."""
    loss, fields = loss_of("darcy-random"), member("darcy-random")
    solution = Stencil(EllipticForm(pde.family("darcy-random").undetermined), N).solve(fields)[:, 1:-1, 1:-1]
    generator = torch.Generator().manual_seed(0)
    u = torch.zeros(3, 1, 1, N, N, dtype=torch.float64)
    u[..., 1:-1, 1:-1] = 0.02 * torch.randn(3, 1, 1, N - 2, N - 2, dtype=torch.float64, generator=generator)
    u.requires_grad_()
    way = torch.randn(u.shape, dtype=torch.float64, generator=generator)
    loss(u, fields).sum().backward()
    assert u.grad is not None

    def error(v: torch.Tensor) -> float:
        wrong = v[:, 0, 0, 1:-1, 1:-1] - solution
        return float((wrong.flatten(1).norm(dim=1) / solution.flatten(1).norm(dim=1)).sum())

    with torch.no_grad():
        ahead, behind = (error(u + h * way) for h in (1e-6, -1e-6))
        assert float(loss(u, fields).sum()) == pytest.approx(error(u), rel=0.02)
    assert float((u.grad * way).sum()) == pytest.approx((ahead - behind) / 2e-6, rel=0.05)


@pytest.mark.parametrize("operator", [pde.FNO, pde.DeepONet])
def test_training_on_it_needs_no_solutions(operator: Any, tmp_path: Path) -> None:
    family = pde.family("poisson-random")
    data = pde.generate(family, 60, tmp_path / "0.h5", points=N, rtol=1e-2, progress=False)
    unseen = pde.generate(family, 10, tmp_path / "1.h5", seed=1, points=N, rtol=1e-2, progress=False)
    blank = Dataset(np.full_like(data.values, 7.0), data.names, data.coordinates, None, data.fields)
    small = SMALL if operator is pde.FNO else {"width": 32, "depth": 2, "basis": 32}
    options = operator(**small, labels=0.0, physics=1.0)
    errors = []
    for steps in (1, 150):
        out = tmp_path / f"{steps}"
        trained = pde.train(family, options, blank, out, steps=steps, progress=False)
        errors.append(pde.evaluate(trained, unseen)["relative_l2"])
    assert errors[1] < 0.5 * errors[0]
    # The merit is the relative error against the discrete solution, which is not far from the exact one.
    found = trained.card().metrics["validation_residual"]
    assert found == pytest.approx(errors[1], rel=0.7)


def test_noise_and_labels_go_with_it(tmp_path: Path) -> None:
    family = pde.family("darcy-random")
    data = pde.generate(family, 8, tmp_path / "0.h5", points=N, rtol=0.1, progress=False)
    options = pde.FNO(**SMALL, labels=1.0, physics=0.5, noise=0.1)
    trained = pde.train(family, options, data, tmp_path / "w", steps=3, progress=False)
    assert "validation_relative_l2" in trained.card().metrics


def own_family(edge: int, power: int) -> pde.Family:
    """u_xx + u_yy + u^power = a with u = edge on the boundary."""
    typical = pde.family("poisson-random").typical
    x, y = typical.coordinates

    def declare(a: Any) -> pde.Problem:
        u = pde.unknown("u", x, y)
        return pde.Problem(
            name="own",
            equations={"equation": sp.Eq(u.diff(x, 2) + u.diff(y, 2) - u**power, a)},
            domain=typical.domain,
            conditions=[Dirichlet(u, edge)],
        )

    return pde.Family("own", declare, dict(pde.family("poisson-random").inputs), points=N)


@pytest.mark.parametrize(
    ("family", "words"),
    [
        (pde.family("helmholtz-random", k=6), "not definite"),
        (own_family(1, 1), "vanish on the whole boundary"),
        (own_family(0, 2), "linear equations"),
    ],
)
def test_families_without_such_a_form_are_refused(family: pde.Family, words: str, tmp_path: Path) -> None:
    grid = np.linspace(0, 1, N)
    draws = np.stack([family.values((0, i), (grid, grid))["a"] for i in range(4)])
    data = Dataset(np.zeros((4, 1, 1, N, N)), ("u",), (grid, grid), None, {"a": draws})
    options = pde.FNO(**SMALL, labels=0.0, physics=1.0)
    with pytest.raises(TrainingDataError, match=words):
        pde.train(family, options, data, tmp_path / "w", steps=1, progress=False)
