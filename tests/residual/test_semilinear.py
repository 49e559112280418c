"""The batched split û' = L û + N: against NumPy's, closed forms, and its own symmetries."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import pdesolve as pde
from pdesolve.residual.fourier import etdrk4
from pdesolve.residual.fourier.evolution import Evolution
from pdesolve.residual.fourier.semilinear import Semilinear, to_grid, to_modes


@pytest.mark.parametrize("shape", [(9,), (12,), (8, 11), (5, 6, 7)])
def test_transforms_round_trip_without_the_nyquist_mode(shape: tuple[int, ...]) -> None:
    d = len(shape)
    modes = (min(shape) - 1) // 2
    rng = np.random.default_rng(1)
    spectra = to_modes(torch.from_numpy(rng.normal(size=(2, *shape))), modes, d)
    values = to_grid(spectra, shape)
    assert torch.allclose(to_modes(values, modes, d), spectra, atol=1e-14)
    finer = to_grid(spectra, tuple(2 * n for n in shape))
    assert torch.allclose(finer[(..., *[slice(None, None, 2)] * d)], values, atol=1e-13)
    assert torch.allclose(to_modes(finer, modes + 2, d)[..., : modes + 1].sum(), spectra.sum(), atol=1e-12)


@pytest.mark.parametrize("name", ["burgers-random", "kuramoto-sivashinsky-random", "navier-stokes-random"])
def test_it_equals_the_discretization_of_the_spectral_backend(name: str) -> None:
    evolution = Evolution(pde.family(name).sample(2))
    system = Semilinear(evolution, 24)
    state = system.discretization.initial()
    batch = torch.from_numpy(np.stack([state, 0.5 * state]))
    for member in (0, 1):
        single = batch[member].numpy()
        expected = system.discretization.nonlinear(single, 0.3)
        assert np.allclose(system.nonlinear(batch, 0.3)[member].numpy(), expected, atol=1e-12)
        stepped = etdrk4.advance(
            system.discretization.coefficients(0.01), system.discretization.nonlinear, single, 0.0
        )
        assert np.allclose(
            system.advance(system.coefficients(0.01), batch, 0.0)[member].numpy(), stepped, atol=1e-13
        )


def test_the_rate_is_that_of_the_equations() -> None:
    """u_t = -u u_x + ν u_xx for a sine, by hand."""
    system = Semilinear(Evolution(pde.family("burgers-random", nu=0.1).sample(0)), 32)
    x = torch.arange(32, dtype=torch.float64) / 32
    k = 2 * np.pi
    rate = system.fields(system.rate(system.state(torch.sin(k * x)[None, None]), 0.0), 32)[0, 0]
    by_hand = -k * torch.sin(k * x) * torch.cos(k * x) - 0.1 * k**2 * torch.sin(k * x)
    assert torch.allclose(rate, by_hand, atol=1e-11)


def test_gradients_pass_through_steps() -> None:
    system = Semilinear(Evolution(pde.family("burgers-random").sample(0)), 12)
    coefficients = system.coefficients(0.01)
    values = torch.from_numpy(np.random.default_rng(0).normal(size=(1, 1, 12))).requires_grad_()

    def stepped(u: torch.Tensor) -> torch.Tensor:
        return system.fields(system.advance(coefficients, system.state(u), 0.0), 12)

    assert torch.autograd.gradcheck(stepped, (values,))


def test_fields_on_coarse_grids_are_values_of_the_series_at_points() -> None:
    system = Semilinear(Evolution(pde.family("burgers-random").sample(0)), 48)
    state = system.state(torch.from_numpy(np.random.default_rng(0).normal(size=(1, 1, 48))))
    k, x = torch.arange(16, dtype=torch.float64), torch.arange(8, dtype=torch.float64) / 8
    waves = torch.exp(2j * np.pi * k * x[:, None]) * torch.where(k > 0, 2.0, 1.0)
    assert torch.allclose(system.fields(state, 8)[0, 0], (waves @ state[0, 0]).real, atol=1e-13)
