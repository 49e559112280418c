"""The Gaussian law of a prior, against dense linear algebra."""

import numpy as np
import pytest
import torch

from pdesolve.backends.diffusion.law import GaussianLaw

N, R = 14, 5
GENERATOR = torch.Generator().manual_seed(0)


def normal(*shape):
    return torch.randn(shape, generator=GENERATOR, dtype=torch.float64)


BASIS = torch.linalg.qr(normal(N, N)).Q
VARIANCES = torch.tensor([4.0, 1.0, 0.3, 0.05, 0.01], dtype=torch.float64)
MEAN = normal(N)
SIGMAS = [1e-3, 0.2, 1.0, 30.0]
KINDS = ["low rank", "with rest", "isotropic"]


def law(kind):
    if kind == "isotropic":
        return GaussianLaw.isotropic(N, 0.25, MEAN)
    rest = torch.tensor(0.002 if kind == "with rest" else 0.0, dtype=torch.float64)
    return GaussianLaw(MEAN, BASIS[:, :R], VARIANCES, rest)


def dense(kind):
    """Mean and covariance."""
    if kind == "isotropic":
        return torch.zeros(N, dtype=torch.float64), torch.eye(N, dtype=torch.float64) / 4
    spectrum = torch.full((N,), 0.002 if kind == "with rest" else 0.0, dtype=torch.float64)
    spectrum[:R] = VARIANCES
    return MEAN, BASIS * spectrum @ BASIS.T


def posterior(kind, sigma):
    """Covariance of x₀ given x, C - C (C + σ²)⁻¹ C."""
    _, c = dense(kind)
    return c - c @ torch.linalg.solve(c + sigma**2 * torch.eye(N).double(), c)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("sigma", SIGMAS)
def test_the_filter_is_the_conditional_mean(kind, sigma):
    x, (mean, c) = normal(6, N), dense(kind)
    gain = torch.linalg.solve(c + sigma**2 * torch.eye(N).double(), c).T
    expected = mean + (x - mean) @ gain.T
    for level in (torch.tensor(sigma).double(), torch.full((6,), sigma, dtype=torch.float64)):
        assert torch.allclose(law(kind).denoised(x, level), expected, atol=1e-11)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("sigma", SIGMAS)
def test_uncertainty_and_products_are_those_of_the_conditional_covariance(kind, sigma):
    v, rows = posterior(kind, sigma), normal(3, N)
    (deviation,) = law(kind).uncertainty(torch.tensor([sigma]).double())
    assert float(deviation) == pytest.approx(float((v.trace() / N).sqrt()), rel=1e-6)
    assert torch.allclose(law(kind).covariance_times(rows, sigma), v @ rows.T, atol=1e-11)


def test_each_image_has_its_own_level():
    x, sigma = normal(4, N), torch.tensor([0.1, 1.0, 5.0, 80.0], dtype=torch.float64)
    together = law("with rest").denoised(x, sigma)
    for i in range(4):
        assert torch.allclose(together[i], law("with rest").denoised(x[i : i + 1], sigma[i])[0])
    assert torch.all(law("with rest").uncertainty(sigma).diff() > 0)


@pytest.mark.parametrize("kind", KINDS)
def test_functions_of_the_covariance(kind):
    x, (_, c) = normal(3, N), dense(kind)
    shifted = law(kind).function(x, lambda v: v / (v + 2.0))
    assert torch.allclose(shifted, x @ torch.linalg.solve(c + 2 * torch.eye(N).double(), c), atol=1e-12)
    values, vectors = torch.linalg.eigh(c)
    root = vectors * values.clamp(min=0).sqrt() @ vectors.T
    assert torch.allclose(law(kind).function(x, torch.sqrt), x @ root, atol=1e-7)


def test_a_factor_gives_its_covariance():
    factor = normal(N, 4)
    factor = torch.cat([factor, factor[:, :1]], dim=1)  # of rank four
    found = GaussianLaw.of_factor(MEAN, factor)
    assert found.vectors.shape == (N, 4) and float(found.rest) == 0
    assert torch.allclose(found.vectors * found.variances @ found.vectors.T, factor @ factor.T, atol=1e-12)


def test_samples_give_back_the_law_they_are_of():
    _, c = dense("low rank")
    samples = MEAN + normal(500, R) * VARIANCES.sqrt() @ BASIS[:, :R].T
    found = GaussianLaw.of_samples(samples, R, torch.Generator().manual_seed(1))
    covariance = found.vectors * found.variances @ found.vectors.T
    exact = torch.from_numpy(np.cov(samples.numpy().T))
    assert torch.allclose(covariance, exact, atol=1e-10) and float(found.rest) < 1e-12
    assert float((covariance - c).norm() / c.norm()) < 4 * (2 / 500) ** 0.5
    assert torch.allclose(found.mean, samples.mean(dim=0))
    assert torch.allclose(found.vectors.T @ found.vectors, torch.eye(R).double(), atol=1e-12)


def test_what_is_left_out_keeps_its_mean_variance():
    samples = normal(400, N) * torch.linspace(3, 0.1, N).double()
    found = GaussianLaw.of_samples(samples, 3, torch.Generator().manual_seed(1))
    exact = torch.linalg.eigvalsh(torch.from_numpy(np.cov(samples.numpy().T))).flip(0)
    assert torch.allclose(found.variances, exact[:3], rtol=1e-6)
    assert float(found.rest) == pytest.approx(float(exact[3:].mean()), rel=1e-6)


@pytest.mark.parametrize("rank", [N, 100])
def test_few_samples_bound_the_rank(rank):
    samples = normal(6, N)
    found = GaussianLaw.of_samples(samples, rank, torch.Generator().manual_seed(1))
    assert found.vectors.shape == (N, 5)
    exact = torch.from_numpy(np.cov(samples.numpy().T))
    assert torch.allclose(found.vectors * found.variances @ found.vectors.T, exact, atol=1e-10)
    assert float(found.rest) < 1e-12


def test_laws_change_their_type():
    single = law("with rest").to(torch.zeros(1))
    assert {t.dtype for t in (single.mean, single.vectors, single.variances, single.rest)} == {torch.float32}
