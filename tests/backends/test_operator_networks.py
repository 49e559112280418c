"""Networks of neural operators: transforms, FNO, DeepONet, U-Net, resampling."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.fft
import scipy.signal
import torch
from torch import nn

from pdesolve.backends.operators.networks import (
    FNO,
    DeepONet,
    SpectralLayer,
    UNet,
    analyse,
    resample,
    synthesise,
)
from pdesolve.backends.operators.networks.coordinates import features, grid_points
from pdesolve.backends.operators.networks.spectral import axis_products, plane_waves
from pdesolve.backends.operators.networks.transforms import functions, is_held, matrices, points

RING, OPEN = "periodic", "open"
AXES = [(RING,), (OPEN,), (RING, RING), (RING, OPEN), (OPEN, RING), (OPEN, OPEN), (RING, OPEN, RING)]
float64 = torch.float64


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def randn(*shape, seed=0, dtype=float64):
    return torch.randn(*shape, generator=generator(seed), dtype=float64).to(dtype)


def coefficients_of(kinds, modes, *, channels=2, batch=3, seed=0):
    """Random ones of fields, which have no sines along open axes."""
    c = randn(*(2 * k - 1 for k in modes), batch, channels, seed=seed)
    for axis, kind in enumerate(kinds):
        if kind == OPEN:
            c.movedim(axis, 0)[2::2] = 0
    return c


def common(values, kinds):
    """Every second point of a grid that halves another one."""
    for axis in range(len(kinds)):
        values = values.movedim(axis + 2, 0)[::2].movedim(0, axis + 2)
    return values


def finer(grid, kinds):
    return [2 * n - (kind == OPEN) for n, kind in zip(grid, kinds, strict=True)]


# -- transforms ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kinds", AXES)
@pytest.mark.parametrize("grid", [(8, 9, 7), (9, 6, 12)])
def test_coefficients_are_those_of_the_function_on_every_grid_that_holds_it(kinds, grid):
    modes = (4, 3, 4)[: len(kinds)]
    c = coefficients_of(kinds, modes)
    values = synthesise(c, kinds, grid[: len(kinds)])
    assert values.shape == (3, 2, *grid[: len(kinds)])
    torch.testing.assert_close(analyse(values, kinds, modes), c)


@pytest.mark.parametrize(
    ("kind", "n", "modes"), [(RING, 9, 5), (RING, 1, 1), (OPEN, 8, 8), (OPEN, 9, 9), (OPEN, 2, 2)]
)
def test_all_modes_together_lose_nothing(kind, n, modes):
    values = randn(3, 2, n)
    c = analyse(values, [kind], [modes])
    torch.testing.assert_close(synthesise(c, [kind], [n]), values)
    # Parseval; the square of a cosine at the end of the spectrum is 1 on an open grid
    weights = torch.full((n,), 1 / max(n - (kind == OPEN), 1), dtype=float64)
    norms = torch.full((2 * modes - 1,), 0.5, dtype=float64)
    norms[0] = 1
    if kind == OPEN:
        weights[[0, -1]] /= 2
        norms[2 * (n - 1) - 1] = 1
    torch.testing.assert_close((values**2) @ weights, (norms[:, None, None] * c**2).sum(0))


@pytest.mark.parametrize("n", [16, 17])
def test_transforms_agree_with_libraries(n):
    values = randn(2, 1, n)
    spectrum = np.fft.rfft(values[:, 0].numpy(), norm="forward")[:, :6]
    c = analyse(values, [RING], [6])[..., 0].numpy()
    np.testing.assert_allclose(c[0], spectrum[:, 0].real, atol=1e-14)
    np.testing.assert_allclose(c[1::2] - 1j * c[2::2], 2 * spectrum[:, 1:].T, atol=1e-14)
    cosines = scipy.fft.dct(values[:, 0].numpy(), type=1)[:, :6] / (n - 1)
    c = analyse(values, [OPEN], [6])[..., 0].numpy()
    np.testing.assert_allclose(c[0], cosines[:, 0] / 2, atol=1e-14)
    np.testing.assert_allclose(c[1::2], cosines[:, 1:].T, atol=1e-14)
    assert (c[2::2] == 0).all()


@pytest.mark.parametrize(("kind", "n", "held"), [(RING, 8, 4), (RING, 7, 4), (OPEN, 5, 5)])
def test_waves_that_the_grid_does_not_hold_are_left_out(kind, n, held):
    assert is_held(kind, n, 9).sum() == 2 * held - 1
    few, many = (analyse(randn(1, 1, n), [kind], [k]) for k in (held, 9))
    torch.testing.assert_close(many[: 2 * held - 1], few)
    assert (many[2 * held - 1 :] == 0).all()
    torch.testing.assert_close(
        synthesise(torch.ones_like(many), [kind], [n]), synthesise(torch.ones_like(few), [kind], [n])
    )


def test_a_taper_fades_the_highest_waves_alone():
    c = torch.ones(19, 1, 1, dtype=float64)
    tapered = analyse(synthesise(c, [RING], [32], taper=0.4), [RING], [10])[1::2, 0, 0]
    torch.testing.assert_close(tapered[:6], torch.ones(6, dtype=float64))  # k = 1..6 of 10
    assert (tapered[6:].diff() < 0).all() and 0 < tapered[-1] < 0.2


def test_open_axes_need_two_points():
    with pytest.raises(ValueError, match="at least 2 points"):
        points(OPEN, 1)


def test_tables_may_be_first_used_under_any_transformation():
    matrices.cache_clear()
    values = randn(1, 1, 11)

    def square(v):
        return analyse(v, [RING], [3]).square().sum()

    first = torch.func.grad(square)(values)
    torch.testing.assert_close(torch.func.grad(square)(values), first)
    matrices.cache_clear()
    with torch.inference_mode():
        square(values)
    values.requires_grad_()
    square(values).backward()
    torch.testing.assert_close(values.grad, first)


# -- plane waves --------------------------------------------------------------------------------------


@pytest.mark.parametrize("modes", [(4,), (3, 4), (1, 3), (3, 1), (3, 2, 4)])
def test_plane_waves_are_another_basis(modes):
    sizes = [2 * k - 1 for k in modes]
    products = randn(*sizes, 2, 3)
    waves = plane_waves(products, len(modes))
    assert waves.shape == (math.prod(sizes), 2, 3)
    torch.testing.assert_close(axis_products(waves, sizes), products)


def test_each_plane_wave_has_one_coefficient():
    modes, grid = (3, 2, 3), (7, 6, 5)
    x = grid_points((RING, RING, RING), grid, float64, torch.device("cpu")).view(*grid, 3)
    seen = set()
    for k in np.ndindex(5, 3, 5):
        k = np.array(k) - (2, 1, 2)
        if tuple(k) <= (0, 0, 0):
            continue
        phase = 2 * math.pi * (x @ torch.tensor(k, dtype=float64))
        both = torch.stack([phase.cos(), phase.sin()])[:, None]
        c = plane_waves(analyse(both, (RING, RING, RING), modes), 3)[1:, :, 0]
        (wave, *more) = {int(index) // 2 for index in (c.abs() > 1e-9).any(1).nonzero()}
        assert not more and wave not in seen
        seen.add(wave)
        torch.testing.assert_close(c[2 * wave : 2 * wave + 2], torch.eye(2, dtype=float64))
    assert len(seen) == (5 * 3 * 5 - 1) // 2


# -- FNO ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kinds", AXES)
def test_a_layer_is_the_same_operator_on_every_grid(kinds):
    modes, grid = (4, 3, 4)[: len(kinds)], (9, 8, 10)[: len(kinds)]
    layer = SpectralLayer(kinds, modes, 3, generator(), taper=0.3, dtype=float64)
    c = coefficients_of(kinds, modes, channels=3)
    coarse = layer(synthesise(c, kinds, grid))
    fine = layer(synthesise(c, kinds, finer(grid, kinds)))
    torch.testing.assert_close(common(fine, kinds), coarse)


def test_a_layer_is_a_product_with_complex_wavenumbers():
    layer = SpectralLayer([RING], [4], 2, generator(), dtype=float64)
    v = randn(3, 2, 15)
    spectrum = np.fft.rfft(v.numpy())
    r, s = layer.waves.detach().numpy().reshape(3, 2, 2, 2).swapaxes(0, 2)  # (in, k, out) each
    expected = np.zeros_like(spectrum)
    expected[:, :, 0] = spectrum[:, :, 0] @ layer.mean.detach().numpy()
    expected[:, :, 1:4] = np.einsum("bik,iko->bok", spectrum[:, :, 1:4], (r - 1j * s))
    local = np.einsum("oi,bin->bon", layer.skip.detach().numpy(), v.numpy())
    np.testing.assert_allclose(layer(v).detach().numpy(), local + np.fft.irfft(expected, n=15), atol=1e-13)


@pytest.mark.parametrize("grid", [(16,), (15,), (9, 12)])
def test_a_periodic_fno_commutes_with_translations(grid):
    net = FNO((RING,) * len(grid), 2, 1, generator(), modes=4, width=8, coordinates=False, dtype=float64)
    v, axes, steps = randn(2, 2, *grid), tuple(range(2, 2 + len(grid))), (3, 5)[: len(grid)]
    torch.testing.assert_close(net(v.roll(steps, axes)), net(v).roll(steps, axes))
    sees = FNO((RING,) * len(grid), 2, 1, generator(), modes=4, width=8, dtype=float64)
    assert (sees(v.roll(steps, axes)) - sees(v).roll(steps, axes)).abs().max() > 1e-3


@pytest.mark.parametrize("kinds", AXES)
def test_fno_on_any_grid_and_precision(kinds):
    d = len(kinds)
    nets = [
        FNO(kinds, 2, 3, generator(), modes=3, width=4, layers=2, projection=8, parameters=1, dtype=dtype)
        for dtype in (torch.float32, float64)
    ]
    for grid in ((12, 10, 9)[:d], (7, 11, 8)[:d], (2, 3, 4)[:d]):  # the last holds fewer modes
        fields, p = randn(2, 2, *grid), randn(2, 1)
        single, double = (
            net(fields.to(t), p.to(t)) for net, t in zip(nets, (torch.float32, float64), strict=True)
        )
        assert single.dtype == torch.float32 and double.shape == (2, 3, *grid)
        torch.testing.assert_close(single, double.float(), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("kinds", [(RING,), (RING, OPEN)])
def test_gradients_of_fno(kinds):
    net = FNO(kinds, 1, 1, generator(), modes=2, width=2, layers=2, projection=3, parameters=1, dtype=float64)
    with torch.no_grad():
        net.film.last.weight.copy_(randn(8, 2))
    names = [name for name, _ in net.named_parameters()]
    grid = (5, 4)[: len(kinds)]

    def call(fields, p, *weights):
        return torch.func.functional_call(net, dict(zip(names, weights, strict=True)), (fields, p))

    inputs = (randn(2, 1, *grid), randn(2, 1, seed=1), *(w.detach() for w in net.parameters()))
    assert torch.autograd.gradcheck(call, [x.clone().requires_grad_() for x in inputs], check_forward_ad=True)


def test_film_is_the_identity_at_the_start():
    fields = randn(3, 1, 12)
    plain = FNO([RING], 1, 1, generator(), modes=3, width=4, dtype=float64)
    film = FNO([RING], 1, 1, generator(), modes=3, width=4, parameters=2, dtype=float64)
    for seed in range(2):
        torch.testing.assert_close(film(fields, randn(3, 2, seed=seed)), plain(fields))
    nn.init.normal_(film.film.last.weight, generator=generator())
    assert (film(fields, randn(3, 2)) - plain(fields)).abs().max() > 1e-3
    with pytest.raises(ValueError, match="made for 2 parameters of a sample; got 0"):
        film(fields)
    with pytest.raises(ValueError, match="made for 0 parameters of a sample; got 2"):
        plain(fields, randn(3, 2))


@pytest.mark.parametrize("kinds", [(RING,), (OPEN, RING)])
def test_modulation_scales_and_shifts_the_output_of_a_layer(kinds):
    layer = SpectralLayer(kinds, [3] * len(kinds), 4, generator(), dtype=float64)
    nn.init.normal_(layer.bias, generator=generator())
    v, scale, shift = randn(2, 4, *(7, 8)[: len(kinds)]), randn(2, 4, seed=1), randn(2, 4, seed=2)
    index = (..., *[None] * len(kinds))
    torch.testing.assert_close(layer(v, scale, shift), layer(v) * scale[index] + shift[index])


def test_size_of_fno():
    """Against the 549,569 numbers of the authors' network: no imaginary part of the mean, two coordinates."""
    net = FNO([RING], 1, 1, generator(), modes=16, width=64)
    count = sum(w.numel() for w in net.parameters())
    assert count == 549_569 - 4 * 64**2 + 64
    assert all(w.dtype == torch.float32 for w in net.parameters())
    in_2d = SpectralLayer([RING, RING], [12, 12], 20, generator())
    assert in_2d.mean.numel() + in_2d.waves.numel() == (2 * 12 - 1) ** 2 * 20**2


def test_every_weight_of_a_periodic_fno_is_felt():
    net = FNO([RING, RING], 1, 1, generator(), modes=3, width=3, layers=2, projection=4)
    net(randn(4, 1, 8, 8, dtype=torch.float32)).square().sum().backward()
    assert all((w.grad != 0).all() for w in net.parameters())


def test_projection_in_pieces_is_the_same(monkeypatch):
    net = FNO([RING], 1, 2, generator(), modes=3, width=4, projection=8, dtype=float64)
    fields = randn(5, 1, 12)
    whole = net(fields)
    monkeypatch.setattr("pdesolve.backends.operators.networks.fno._PIECE", 2 * 8 * 12)
    torch.testing.assert_close(net(fields), whole)


# -- resampling ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [8, 9])
@pytest.mark.parametrize("new", [5, 6, 12, 15, 16])
def test_periodic_resampling_agrees_with_scipy(n, new):
    values = randn(2, 3, n)
    expected = scipy.signal.resample(values.numpy(), new, axis=-1)
    np.testing.assert_allclose(resample(values, [new], [RING]).numpy(), expected, atol=1e-14)


@pytest.mark.parametrize("kinds", AXES)
def test_finer_grids_keep_values_and_coarser_ones_drop_waves(kinds):
    grid = (8, 9, 7)[: len(kinds)]
    values = randn(2, 3, *grid)
    fine = resample(values, finer(grid, kinds), kinds)
    torch.testing.assert_close(common(fine, kinds), values)
    odd = tuple(n - 1 + n % 2 for n in grid)  # no Nyquist mode is in the way
    torch.testing.assert_close(resample(resample(values, odd, kinds), grid, kinds), _low(values, odd, kinds))


def _low(values, grid, kinds):
    """The waves that ``grid`` holds, on the grid of ``values``."""
    modes = [(n + 1) // 2 if kind == RING else n for n, kind in zip(grid, kinds, strict=True)]
    c = analyse(values, kinds, modes)
    for axis, (kind, n) in enumerate(zip(kinds, grid, strict=True)):
        c.movedim(axis, 0)[~torch.from_numpy(is_held(kind, n, modes[axis]))] = 0
    return synthesise(c, kinds, values.shape[2:])


# -- DeepONet -----------------------------------------------------------------------------------------


def _written_out(net, fields, x, parameters, averaged):
    branch = fields.flatten(1)
    branch = branch if parameters is None else torch.cat([branch, parameters], dim=1)
    trunk = features(x, net.kinds, net.harmonics)
    terms = []
    for b, t in zip(net.branch, net.trunk, strict=True):
        branch, trunk = b(branch), t(trunk)
        terms.append((branch, trunk))
    terms = terms if averaged else terms[-1:]
    total = 0
    for head, (b, t) in zip(net.heads, terms, strict=True):
        weights = head(b).view(len(fields), len(net.bias), -1)
        total = total + torch.einsum("bcp,mp->bcm", weights, t)
    return total / len(terms) + net.bias[:, None]


@pytest.mark.parametrize("averaged", [False, True])
@pytest.mark.parametrize("parameters", [0, 2])
def test_deeponet_is_its_formula(averaged, parameters):
    options = {"width": 7, "basis": 4, "parameters": parameters, "averaged": averaged, "dtype": float64}
    net = DeepONet((RING, OPEN), (6, 5), 2, 3, generator(), **options)
    nn.init.normal_(net.bias, generator=generator())
    fields, x = randn(2, 2, 6, 5), torch.rand(9, 2, generator=generator(), dtype=float64)
    p = randn(2, parameters) if parameters else None
    torch.testing.assert_close(net.at(fields, x, p), _written_out(net, fields, x, p, averaged))
    nodes = grid_points((RING, OPEN), (6, 5), float64, torch.device("cpu"))
    torch.testing.assert_close(net(fields, p), net.at(fields, nodes, p).view(2, 3, 6, 5))


def test_deeponet_on_another_grid():
    net = DeepONet((RING, OPEN), (9, 8), 1, 1, generator(), dtype=float64)
    c = coefficients_of((RING, OPEN), (4, 5), channels=1)
    coarse, fine = (net(synthesise(c, (RING, OPEN), grid)) for grid in ((9, 8), (18, 15)))
    torch.testing.assert_close(common(fine, (RING, OPEN)), coarse)


def test_derivatives_of_deeponet_in_points():
    net = DeepONet((RING, OPEN), (6, 5), 1, 2, generator(), width=8, basis=6, dtype=float64)
    fields, x, h = randn(3, 1, 6, 5), torch.rand(4, 2, generator=generator(), dtype=float64), 1e-5

    def value(y):
        return net.at(fields, y[None])[..., 0]  # (batch, channels)

    slope = torch.func.vmap(torch.func.jacfwd(value))(x)  # (m, batch, channels, d)
    for axis, e in enumerate(torch.eye(2, dtype=float64)):
        difference = (net.at(fields, x + h * e) - net.at(fields, x - h * e)) / (2 * h)
        torch.testing.assert_close(slope[..., axis], difference.permute(2, 0, 1), atol=1e-8, rtol=1e-6)
    ends = torch.tensor([[0.0, 0.3], [1.0, 0.3]], dtype=float64)
    both = torch.func.vmap(torch.func.hessian(value))(ends)
    torch.testing.assert_close(both[0], both[1])  # periodic with its derivatives


# -- U-Net --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kinds", "grid"), [((RING,), (13,)), ((OPEN,), (3,)), ((RING, OPEN), (9, 7)), ((OPEN, OPEN), (8, 5))]
)
def test_unet_of_any_size(kinds, grid):
    net = UNet(kinds, 2, 3, generator(), width=4, levels=2, parameters=1, dtype=float64)
    out = net(randn(2, 2, *grid), randn(2, 1))
    assert out.shape == (2, 3, *grid) and out.isfinite().all()
    out.sum().backward()
    assert all(w.grad is not None for w in net.parameters())


def test_unet_is_periodic():
    net = UNet([RING, OPEN], 1, 1, generator(), width=4, levels=2, coordinates=False, dtype=float64)
    v = randn(1, 1, 12, 8)
    torch.testing.assert_close(net(v.roll(4, 2)), net(v).roll(4, 2))
    assert (net(v.roll(4, 3)) - net(v).roll(4, 3)).abs().max() > 1e-6


def test_unet_has_at_most_two_axes():
    with pytest.raises(ValueError, match="one or two axes"):
        UNet([RING] * 3, 1, 1, generator())


# -- all ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "make",
    [
        lambda g: FNO([RING], 1, 1, g, modes=3, width=4, parameters=1),
        lambda g: DeepONet([RING], [8], 1, 1, g, width=4, basis=4),
        lambda g: UNet([RING], 1, 1, g, width=2, levels=1),
    ],
)
def test_weights_come_from_the_generator_alone(make):
    state = torch.get_rng_state()
    first, second, other = (make(generator(seed)).state_dict() for seed in (0, 0, 1))
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(first[key], second[key]) for key in first)
    assert any(not torch.equal(first[key], other[key]) for key in first)


def test_functions_of_an_axis():
    x = np.linspace(0, 1, 5)
    np.testing.assert_allclose(functions(RING, x, 2)[1:], [np.cos(2 * np.pi * x), np.sin(2 * np.pi * x)])
    np.testing.assert_allclose(functions(OPEN, x, 2)[1:], [np.cos(np.pi * x), np.sin(np.pi * x)])
