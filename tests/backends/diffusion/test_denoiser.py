"""The denoiser: what is built in holds for every network, trained or not."""

import itertools

import numpy as np
import pytest
import torch

from pdesolve.backends.diffusion.denoiser import Denoiser, loss
from pdesolve.backends.diffusion.law import GaussianLaw
from pdesolve.backends.diffusion.network import Convolution, DenoisingUNet

SHAPE = (2, 16, 16)
SIZE = 512


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def low_rank(shape=SHAPE, rank=6):
    size = int(np.prod(shape))
    vectors = torch.linalg.qr(torch.randn(size, rank, generator=seeded(1), dtype=torch.float64)).Q
    variances = torch.logspace(1.5, 0, rank).double() * size / 100
    mean = torch.randn(size, generator=seeded(2), dtype=torch.float64) / 5
    return GaussianLaw(mean, vectors, variances, torch.tensor(0.01).double())


def isotropic(shape=SHAPE):
    return GaussianLaw.isotropic(int(np.prod(shape)), 0.25, torch.zeros(1).double())


def made(shape=SHAPE, law=None, periodic=(False, False), shaken=True, **options):
    """A denoiser, whose last layers are zero until they are shaken."""
    torch.manual_seed(0)
    denoiser = Denoiser(shape, periodic, isotropic(shape) if law is None else law, **{"width": 8, **options})
    if shaken:
        with torch.no_grad():
            for p in denoiser.network.parameters():
                p.add_(0.2 * torch.randn(p.shape, generator=seeded(3)))
    return denoiser.eval().requires_grad_(False)


def image(n=3, shape=SHAPE, seed=4):
    return torch.randn(n, *shape, generator=seeded(seed), dtype=torch.float64)


# -- preconditioning -------------------------------------------------------------------------------------


@pytest.mark.parametrize("law", [isotropic(), low_rank()], ids=["isotropic", "low rank"])
def test_an_untrained_network_is_the_filter(law):
    denoiser, x = made(law=law, shaken=False), image()
    for sigma in (1e-2, 0.5, 80.0):
        filtered = law.denoised(x.flatten(1), torch.tensor(sigma).double())
        assert torch.allclose(denoiser.at(x, sigma).flatten(1), filtered, atol=1e-12)


@pytest.mark.parametrize("law", [isotropic(), low_rank()], ids=["isotropic", "low rank"])
def test_the_loss_of_the_filter_is_one_on_data_of_its_law(law):
    denoiser, n = made(law=law, shaken=False), 64
    across, along = (torch.randn(n, k, generator=seeded(5)).double() for k in (SIZE, len(law.variances)))
    across = across - across @ law.vectors @ law.vectors.T
    clean = law.mean + law.rest.sqrt() * across + along * law.variances.sqrt() @ law.vectors.T
    for sigma in (0.05, 0.5, 5.0):
        found = [
            float(
                loss(denoiser, clean.view(n, *SHAPE), torch.full((n,), sigma).double(), image(n, seed=seed))
            )
            for seed in range(3)
        ]
        # Of independent squares: n times the effective number of directions.
        assert np.mean(found) == pytest.approx(1.0, abs=0.15), sigma


def test_isotropic_laws_are_preconditioned_as_karras_do():
    """Table 1: c_skip x + c_out F(c_in x, ln(σ)/4) with σ_data = ½."""
    denoiser, x = made(), image()
    for sigma in (0.01, 0.7, 20.0):
        skip, out = 0.25 / (sigma**2 + 0.25), sigma * 0.5 / (sigma**2 + 0.25) ** 0.5
        inner = (sigma**2 + 0.25) ** -0.5
        seen = torch.cat([inner * x, 2 * skip * x], dim=1).float()  # and the filter, of order one
        level = torch.full((3,), np.log(sigma) / 4, dtype=torch.float32)
        by_hand = skip * x + out * denoiser.network(seen, level).double()
        assert torch.allclose(denoiser.at(x, sigma), by_hand, atol=1e-5 * (1 + out))


def test_the_loss_is_weighted_as_karras_do():
    """E λ |D - x₀|² with λ = (σ² + ¼)/(σ/2)²."""
    denoiser, clean, noise, sigma = made(), image(), image(seed=9), torch.tensor([0.1, 1.0, 7.0]).double()
    error = denoiser(clean + sigma.view(-1, 1, 1, 1) * noise, sigma) - clean
    weight = (sigma**2 + 0.25) / (sigma * 0.5) ** 2
    by_hand = (weight.view(-1, 1, 1, 1) * error**2).mean()
    assert float(loss(denoiser, clean, sigma, noise)) == pytest.approx(float(by_hand), rel=1e-5)


def test_each_image_has_its_own_level_and_no_neighbours():
    denoiser, x = made(law=low_rank()), image()
    sigma = torch.tensor([0.1, 1.0, 9.0]).double()
    together = denoiser(x, sigma)
    for i in range(3):
        assert torch.allclose(together[i : i + 1], denoiser(x[i : i + 1], sigma[i : i + 1]), atol=1e-5)


# -- grids -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("axis", [0, 1])
def test_periodic_axes_are_equivariant_under_shifts(axis):
    """Of whole coarsest cells; and at the last of all channels, the noise level, in nothing else."""
    denoiser, x = made(periodic=(axis == 0, axis == 1), patch=2), image()
    shift = denoiser.grain
    assert shift == 8
    moved = denoiser.at(x.roll(shift, axis + 2), 0.5)
    assert torch.allclose(moved, denoiser.at(x, 0.5).roll(shift, axis + 2), atol=1e-5)
    other = denoiser.at(x.roll(shift, 3 - axis), 0.5)  # the other axis has ends
    assert not torch.allclose(other, denoiser.at(x, 0.5).roll(shift, 3 - axis), atol=1e-3)


@pytest.mark.parametrize("grid", [(16, 16), (13, 16), (21, 9), (12, 24)])
@pytest.mark.parametrize("patch", [1, 2, 3])
def test_grids_need_not_be_multiples_of_patches(grid, patch):
    shape = (2, *grid)
    denoiser, x = made(shape, patch=patch), image(2, shape)
    found = denoiser.at(x, 0.5)
    assert found.shape == x.shape and torch.isfinite(found).all()
    assert not torch.equal(found, made(shape, patch=patch, shaken=False).at(x, 0.5))


def test_whole_grids_are_not_padded():
    denoiser, x = made(), image()
    seen, level = torch.cat([x, x], dim=1).float(), torch.zeros(3)
    assert torch.equal(denoiser._padded(seen, level), denoiser.network(seen, level))


def test_padding_goes_on_around_periodic_axes_and_repeats_the_last_node_of_others():
    denoiser = made((1, 10, 10), periodic=(True, False))
    seen = []
    denoiser.network.forward = lambda image, noise: seen.append(image) or image[:, :1]
    x = torch.rand(1, 2, 10, 10, generator=seeded(1))
    assert denoiser._padded(x, torch.zeros(1)).shape == (1, 1, 10, 10)
    (padded,) = seen
    assert padded.shape == (1, 2, 16, 16) and torch.equal(padded[:, :, :10, :10], x)
    assert torch.equal(padded[:, :, 10:, :10], x[:, :, :6])
    assert torch.equal(padded[:, :, :10, 10:], x[..., -1:].expand(1, 2, 10, 6))


# -- the network -----------------------------------------------------------------------------------------


def test_convolutions_go_around_and_see_zeros_beyond_ends():
    x = torch.rand(1, 1, 5, 6, generator=seeded(1))
    for periodic in itertools.product((True, False), repeat=2):
        layer = Convolution(1, 1, periodic).requires_grad_(False)
        kernel, bias = layer.weight[0, 0], layer.bias[0]
        found = layer(x)[0, 0]
        for i, j in ((0, 0), (4, 5), (2, 3), (0, 5)):
            total = float(bias)
            for k, m in itertools.product((-1, 0, 1), repeat=2):
                a, b = i + k, j + m
                inside = (periodic[0] or 0 <= a < 5) and (periodic[1] or 0 <= b < 6)
                total += float(kernel[k + 1, m + 1] * x[0, 0, a % 5, b % 6]) if inside else 0.0
            assert float(found[i, j]) == pytest.approx(total, abs=1e-5)


@pytest.mark.parametrize("blocks", [1, 2])
@pytest.mark.parametrize("multipliers", [(1,), (1, 2), (1, 2, 2), (2, 1, 3, 1)])
def test_levels_and_blocks_fit_together(blocks, multipliers):
    torch.manual_seed(0)
    network = DenoisingUNet(3, 2, (False, False), width=8, multipliers=multipliers, blocks=blocks, patch=1)
    x = torch.rand(2, 3, 16, 24, generator=seeded(1))
    assert network(x, torch.zeros(2)).shape == (2, 2, 16, 24)
    assert float(network(x, torch.zeros(2)).detach().abs().max()) == 0  # until it is trained
    network(x, torch.ones(2)).square().sum().backward()
    assert network.last.weight.grad is not None


def test_the_network_knows_the_noise_level():
    denoiser, x = made(), image(1).float()
    seen = torch.cat([x, x], dim=1)
    low, high = (denoiser.network(seen, torch.tensor([c])) for c in (-1.0, 1.0))
    assert float((low - high).norm()) > 1e-2 * float(low.norm())


def test_the_law_is_no_parameter_and_goes_with_the_weights():
    denoiser = made(law=low_rank())
    names = {name for name, _ in denoiser.named_parameters()}
    assert not names & {"mean", "vectors", "variances", "rest"}
    other = made(law=low_rank(), shaken=False)
    other.load_state_dict(denoiser.state_dict())
    assert torch.equal(other.at(image(), 0.3), denoiser.at(image(), 0.3))
