"""Models of neuraloperator: our convolutions and theirs, the adapter, training, files, misuse."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import pdesolve as pde
from pdesolve.backends import card as cards
from pdesolve.backends.base import BackendOptionError
from pdesolve.backends.learner import TrainingDataError
from pdesolve.backends.operators import neuralop
from pdesolve.backends.operators.encoding import Encoding
from pdesolve.backends.operators.networks import SpectralLayer, analyse
from pdesolve.backends.operators.networks.coordinates import grid_features, grid_points
from pdesolve.backends.operators.networks.spectral import plane_waves
from pdesolve.data.dataset import Dataset

if not neuralop.is_installed():
    pytest.skip("neuraloperator is not installed", allow_module_level=True)

RING, OPEN = "periodic", "open"
SMALL: dict[str, Any] = {"modes": 6, "width": 8, "layers": 2}


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def encoding(*axes: str, numbers: int = 0, translation: bool = False) -> Encoding:
    """Of a steady task with two fields and one unknown."""
    return Encoding(
        kind="steady",
        axes=axes,
        bounds=((0.0, 1.0),) * len(axes),
        fields=("a", "b"),
        numbers=tuple("pqrs"[:numbers]),
        unknowns=("u",),
        times=(),
        boost=None,
        mirror=None,
        translation=translation,
        vanishes=False,
    )


def spectral_conv(*n_modes: int, width: int = 3) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from neuralop.layers.spectral_convolution import SpectralConv
    return SpectralConv(width, width, n_modes, bias=False)


# -- their convolution and ours ----------------------------------------------------------------------


def wave(k: tuple[int, ...], grid: tuple[int, ...], dtype: torch.dtype = torch.float32) -> torch.Tensor:
    """The cosine and the sine of 2πk·x, (2, 1, *grid)."""
    x = grid_points((RING,) * len(grid), grid, torch.float64, torch.device("cpu")).view(*grid, -1)
    phase = 2 * torch.pi * (x @ torch.tensor(k, dtype=torch.float64))
    return torch.stack([phase.cos(), phase.sin()])[:, None].to(dtype)


def weight_of(layer: SpectralLayer) -> torch.Tensor:
    """Matrices of plane waves as the library has them: (in, out, k_1 = -K+1..K-1, …, k_d = 0..K-1)."""
    d, modes, width = len(layer.modes), layer.modes[0], layer.bias.shape[0]
    weight = torch.zeros(width, width, *(2 * modes - 1,) * (d - 1), modes, dtype=torch.complex64)
    for k in itertools.product(*[range(-modes + 1, modes)] * (d - 1), range(modes)):
        if any(k):
            both = wave(k, (4 * modes,) * d, torch.float64)
            cosine, sine = plane_waves(analyse(both, layer.kinds, layer.modes), d)[1:, :, 0].T
            place = int(cosine.abs().argmax()) // 2
            sign = float(sine[2 * place + 1].sign())  # of one wave of k and -k alone there is a matrix
            r, s = layer.waves.detach()[place].split(width, dim=1)
            matrix = r - 1j * sign * s
        else:
            matrix = layer.mean.detach() + 0j
        weight[(..., *(i + modes - 1 for i in k[:-1]), k[-1])] = matrix
    return weight


@pytest.mark.parametrize("grid", [(16,), (15,), (64,), (16, 16), (12, 18), (10, 15), (10, 8, 12)])
def test_our_convolution_is_theirs(grid: tuple[int, ...]) -> None:
    """Of the library's own numbers of modes: n_modes = 2K - 1 is K in ours, along every axis."""
    d, modes = len(grid), 4
    layer = SpectralLayer((RING,) * d, (modes,) * d, 3, generator())
    torch.nn.init.zeros_(layer.skip)
    theirs = spectral_conv(*(2 * modes - 1,) * d)
    weight = weight_of(layer)
    with torch.no_grad():
        assert theirs.weight.shape == weight.shape
        theirs.weight.tensor.copy_(weight)
        values = torch.randn(2, 3, *grid, generator=generator(1))
        torch.testing.assert_close(layer(values), theirs(values), atol=2e-6, rtol=2e-5)


@pytest.mark.parametrize("grid", [(15, 12), (15, 15), (8, 9, 8), (14, 12), (14, 15), (8, 8, 9)])
def test_the_library_is_wrong_on_odd_grids(grid: tuple[int, ...]) -> None:
    """Why they are refused: a convolution with factors 1 must return a wave that it keeps.

    Where this fails, the library has been corrected, and `check_grid` can go.
    """
    theirs, low = spectral_conv(*(5,) * len(grid), width=1), wave((1,) * len(grid), grid)
    with torch.no_grad():
        theirs.weight.tensor.fill_(1)
        error = (theirs(low) - low).norm() / low.norm()
    assert (error > 0.5) if neuralop.is_odd(grid) else (error < 1e-6)


# -- the adapter -------------------------------------------------------------------------------------


@pytest.mark.parametrize("axes", [(RING,), (RING, OPEN), (OPEN, RING, OPEN)])
@pytest.mark.parametrize("model", ["fno", "tfno"])
def test_fields_and_numbers_in_channels_out(axes: tuple[str, ...], model: str) -> None:
    grid = (12, 10, 8)[: len(axes)]
    net = pde.NeuralopModel(model=model, modes=3, width=6, layers=2).network(
        encoding(*axes, numbers=2), grid, generator()
    )
    fields, numbers = torch.randn(3, 2, *grid, generator=generator(1)), torch.randn(3, 2)
    values = net(fields, numbers)
    assert values.shape == (3, 1, *grid) and values.dtype == torch.float32
    values.square().sum().backward()
    assert all(p.grad is not None for p in net.parameters())
    # What the model is given: the fields, the coordinates as FNO() sees them, the numbers as constants.
    given: list[torch.Tensor] = []
    net.model.register_forward_pre_hook(lambda module, inputs: given.append(inputs[0]))
    net(fields, numbers)
    (channels,) = given
    features = grid_features(axes, grid, torch.float32, torch.device("cpu")).view(-1, *grid)  # type: ignore[arg-type]
    assert torch.equal(channels[:, :2], fields)
    assert torch.equal(channels[0, 2:-2], features)
    assert torch.equal(channels[:, -2:].flatten(2), numbers[..., None].expand(-1, -1, features[0].numel()))
    with pytest.raises(ValueError, match="made for 2 parameters"):
        net(fields, torch.zeros(3, 0))


@pytest.mark.parametrize("grid", [(16,), (12, 16)])
def test_without_coordinates_it_commutes_with_translations(grid: tuple[int, ...]) -> None:
    axes, shifts = (RING,) * len(grid), (3, 5)[: len(grid)]
    fields, none = torch.randn(2, 2, *grid, generator=generator(1)), torch.zeros(2, 0)
    dims = tuple(range(2, 2 + len(grid)))
    for translation in (True, False):
        net = pde.NeuralopModel(**SMALL).network(encoding(*axes, translation=translation), grid, generator())
        moved = net(fields.roll(shifts, dims), none) - net(fields, none).roll(shifts, dims)
        assert bool(moved.abs().max() < 1e-5) is translation


def test_modes_are_counted_as_ours() -> None:
    """The model's convolutions feel the waves 0..K-1 of both signs, and no others."""
    net = pde.NeuralopModel(modes=4, width=5, layers=1).network(
        encoding(RING, RING, translation=True), (16, 16), generator()
    )
    conv = net.model.fno_blocks.convs[0]
    felt = set()
    with torch.no_grad():
        conv.bias.zero_()
        for k in itertools.product(range(-6, 7), range(7)):
            if conv(wave(k, (16, 16)).expand(-1, 5, -1, -1)).abs().max() > 1e-4:
                felt.add(k)
    assert felt == set(itertools.product(range(-3, 4), range(4)))


def test_rank_is_a_share_of_the_numbers() -> None:
    def count(**options: Any) -> int:
        net = pde.NeuralopModel(modes=8, width=16, layers=1, **options).network(
            encoding(RING, RING), (32, 32), generator()
        )
        return sum(p.numel() for name, p in net.named_parameters() if "convs.0.weight" in name)

    dense = count()
    assert dense == 16 * 16 * 15 * 8
    assert count(model="tfno", rank=0.3) == pytest.approx(0.3 * dense, rel=0.25)
    assert count(model="tfno") == count(model="tfno", rank=0.1) < 0.15 * dense


@pytest.mark.parametrize("model", ["fno", "tfno"])
def test_weights_come_from_the_generator_alone(model: str) -> None:
    before = torch.get_rng_state()
    make = pde.NeuralopModel(model=model, **SMALL)
    states = []
    for seed, elsewhere in ((0, 7), (0, 8), (1, 7)):
        torch.default_generator.manual_seed(elsewhere)
        inside = torch.get_rng_state()
        states.append(make.network(encoding(RING), (16,), generator(seed)).state_dict())
        assert torch.equal(torch.get_rng_state(), inside)
    torch.set_rng_state(before)
    first, same, other = states
    assert all(torch.equal(first[name], same[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)
    used = generator(0)
    nets = [make.network(encoding(RING), (16,), used).state_dict() for _ in range(2)]
    assert any(not torch.equal(nets[0][name], nets[1][name]) for name in first)


def test_import_leaves_the_process_as_it_was(tmp_path: Path) -> None:
    code = (
        "import json, os, warnings, pdesolve.backends.operators.neuralop as n\n"
        "assert 'neuralop' not in __import__('sys').modules\n"
        "before = (dict(os.environ), repr(warnings.filters), os.listdir())\n"
        "n.library()\n"
        "print(json.dumps((dict(os.environ), repr(warnings.filters), os.listdir()) == before))"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error::UserWarning", "-c", code],
        cwd=tmp_path,
        env={name: value for name, value in os.environ.items() if name != "KMP_DUPLICATE_LIB_OK"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    assert json.loads(done.stdout) is True


# -- training and use --------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{}, {"model": "tfno", "rank": 0.5}])
def test_training_lowers_the_error_and_a_file_gives_it_back(
    options: dict[str, Any], burgers: pde.Family, data: Dataset, unseen: Dataset, tmp_path: Path
) -> None:
    operator = pde.NeuralopModel(**SMALL, **options)
    errors, operators = [], []
    for steps in (1, 150):
        out = tmp_path / f"{steps}.safetensors"
        operators.append(pde.train(burgers, operator, data, out, steps=steps, progress=False))
        errors.append(pde.evaluate(operators[-1], unseen)["relative_l2"])
    assert errors[1] < 0.5 * errors[0]
    trained = operators[-1]
    card, weights = cards.read(str(trained.weights), Encoding)
    assert card.operator == "neuralop" and card.options["model"] == operator.model
    assert card.training["versions"]["neuraloperator"]
    assert any(w.dtype == torch.complex64 for w in weights.values())
    # A solve from the file, against the network with the same weights by hand.
    problem = burgers.sample((1, 0)).replace(reference=None)
    solution = pde.solve(problem, pde.NeuralopModel.load(str(trained.weights)), progress=False)
    solution.save(tmp_path / "u.h5")
    points = np.stack(np.meshgrid(unseen.coordinates[0], unseen.times, indexing="ij"), axis=-1).reshape(-1, 2)
    values = solution(points).reshape(32, 6).T
    truth = unseen.values[0, :, 0]
    one = pde.evaluate(trained, unseen.subset(slice(0, 1)))["relative_l2"]
    assert np.linalg.norm(values - truth) / np.linalg.norm(truth) == pytest.approx(one, rel=0.02)
    np.testing.assert_array_equal(pde.load(tmp_path / "u.h5", problem=problem)(points), solution(points))


def test_a_training_that_was_cut_goes_on_to_the_same_weights(
    burgers: pde.Family, data: Dataset, tmp_path: Path
) -> None:
    from pdesolve.backends.operators.training import Training

    operator = pde.NeuralopModel(**SMALL)
    whole = pde.train(burgers, operator, data, tmp_path / "a.safetensors", steps=6, progress=False)
    original, count = Training.advance, 0

    def cut(self: Training, state: Any) -> Any:
        nonlocal count
        count += 1
        if count == 4:
            raise RuntimeError("killed")
        return original(self, state)

    arguments: dict[str, Any] = {"steps": 6, "checkpoint": tmp_path / "run.ckpt", "progress": False}
    out = tmp_path / "b.safetensors"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Training, "advance", cut)
        with pytest.raises(RuntimeError):
            pde.train(burgers, operator, data, out, checkpoint_every=1e-9, **arguments)
    resumed = pde.train(burgers, operator, data, out, **arguments)
    for name, tensor in cards.read(str(whole.weights), Encoding)[1].items():
        assert torch.equal(tensor, cards.read(str(resumed.weights), Encoding)[1][name]), name


# -- misuse ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        {"model": "uno"},
        {"modes": 0},
        {"width": 1.5},
        {"layers": 0},
        {"rank": 0.5},
        {"rank": 0.0, "model": "tfno"},
        {"rank": 1.5, "model": "tfno"},
        {"precision": "float64"},
    ],
)
def test_options_are_checked(options: dict[str, Any]) -> None:
    with pytest.raises(BackendOptionError, match=rf"NeuralopModel\({next(iter(options))}="):
        pde.NeuralopModel(**options)


def test_odd_grids_are_refused_before_anything_is_trained(tmp_path: Path) -> None:
    family = pde.family("poisson-random")
    data = pde.generate(family, 4, tmp_path / "odd.h5", points=13, rtol=1e-2, progress=False)
    operator = pde.NeuralopModel(modes=3, width=4, layers=1)
    with pytest.raises(TrainingDataError, match="even number of points on each axis but the last"):
        pde.train(family, operator, data, tmp_path / "x", steps=1, progress=False)
    assert not (tmp_path / "x").exists()
    even = pde.generate(family, 4, tmp_path / "even.h5", points=12, rtol=1e-2, progress=False)
    trained = pde.train(family, operator, even, tmp_path / "y", steps=1, progress=False)
    odd = pde.NeuralopModel.load(str(trained.weights), points=13)
    assert any("odd grids, and points=13" in reason for reason in odd.supports(family.sample(9)))
    with pytest.raises(TrainingDataError, match="even number"):
        pde.evaluate(
            trained, pde.generate(family, 2, tmp_path / "z.h5", seed=1, points=13, rtol=1e-2, progress=False)
        )


def test_a_missing_package_is_named(
    monkeypatch: pytest.MonkeyPatch, burgers: pde.Family, data: Dataset, tmp_path: Path
) -> None:
    monkeypatch.setattr(neuralop, "is_installed", lambda: False)
    remedy = r"pip install 'pdesolve\[neuraloperator\]'"
    with pytest.raises(BackendOptionError, match=remedy):
        pde.train(burgers, pde.NeuralopModel(**SMALL), data, tmp_path / "x", steps=1, progress=False)
    (reason,) = pde.NeuralopModel().supports(burgers.sample(0))
    assert "pip install 'pdesolve[neuraloperator]'" in reason
