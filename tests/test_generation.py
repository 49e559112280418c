"""Data sets: their error, their layout, and that a killed run goes on."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np
import pytest
import sympy as sp
import torch

import pdesolve as pde
from pdesolve.data.dataset import Dataset, DatasetError
from pdesolve.data.metrics import (
    band_errors,
    conserved,
    correlation_time,
    metrics,
    nrmse,
    rmse,
    spectrum,
    vrmse,
)
from pdesolve.data.pdebench import read_hdf5
from pdesolve.data.reading import read
from pdesolve.generation import GenerateError
from pdesolve.residual.fourier import ensemble
from pdesolve.residual.fourier.ensemble import EnsembleError, evolve
from pdesolve.residual.fourier.evolution import Evolution

SMALL = {"points": 32, "times": 6, "rtol": 1e-4, "progress": False}


def burgers() -> pde.Family:
    return pde.family("burgers-random", nu=0.05, T=0.2)


# -- many members side by side -----------------------------------------------------------------------


def test_members_side_by_side_meet_their_error_against_cole_hopf() -> None:
    """u = -2ν φ_x / φ with φ the heat kernel's mean of exp(-∫u₀ / 2ν), here of a sine, by quadrature."""
    nu, a = 0.05, np.array([0.3, 1.0])
    evolution = Evolution(pde.family("burgers-random", nu=nu).sample(0))
    grid, times = np.arange(64) / 64, np.linspace(0, 0.5, 6)
    start = (a[:, None] * np.sin(2 * np.pi * grid))[:, None]
    values, errors = evolve(evolution, start, times, 64, 1e-6)
    z, w = np.polynomial.hermite.hermgauss(80)
    shifted = grid[:, None] - 2 * np.sqrt(nu * 0.5) * z
    for member in (0, 1):
        weight = w * np.exp((a[member] * (np.cos(2 * np.pi * shifted) - 1) / (2 * np.pi)) / (2 * nu))
        exact = (a[member] * np.sin(2 * np.pi * shifted) * weight).sum(axis=1) / weight.sum(axis=1)
        wrong = np.linalg.norm(values[member, -1, 0] - exact) / np.linalg.norm(exact)
        assert wrong < 3e-6
    assert errors.max() <= 1e-6


def test_what_is_not_resolved_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    evolution = Evolution(pde.family("burgers-random", nu=1e-6).sample(0))
    monkeypatch.setattr(ensemble, "LEVELS", 3)
    start = np.sin(2 * np.pi * np.arange(16) / 16)[None, None]
    with pytest.raises(EnsembleError, match="1 of 1 members"):
        evolve(evolution, start, np.linspace(0, 0.5, 3), 16, 1e-10)


# -- files -------------------------------------------------------------------------------------------


def test_a_data_set_holds_what_a_solver_finds(tmp_path: Path) -> None:
    data = pde.generate(burgers(), 3, tmp_path / "a.h5", seed=4, **SMALL)
    assert data.values.shape == (3, 6, 1, 32) and data.names == ("u",) and data.values.dtype == np.float32
    solution = pde.solve(burgers().sample((4, 2)), "spectral", rtol=1e-6, progress=False)
    assert data.times is not None
    points = np.stack(np.meshgrid(data.coordinates[0], data.times, indexing="ij"), axis=-1).reshape(-1, 2)
    expected = solution(points).reshape(32, 6).T
    assert np.linalg.norm(data.values[2, :, 0] - expected) < 1e-4 * np.linalg.norm(expected)
    assert np.allclose(data.fields["u0"], data.values[:, 0, 0], atol=1e-5)
    assert data.errors is not None and data.errors.max() < 1e-4


def test_the_layout_is_that_of_pdebench(tmp_path: Path) -> None:
    pde.generate(burgers(), 2, tmp_path / "a.h5", **SMALL)
    with h5py.File(tmp_path / "a.h5") as file:
        assert file["tensor"].shape == (2, 6, 32)
        assert file["x-coordinate"].shape == (32,) and file["t-coordinate"].shape == (6,)
        recipe = json.loads(file.attrs["pdesolve"])
    assert recipe["family"] == "burgers-random" and recipe["inputs"]["u0"]["kind"] == "GaussianField"


def test_a_run_goes_on_where_it_was_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = pde.generate(burgers(), 6, tmp_path / "whole.h5", **SMALL)
    from pdesolve import generation

    monkeypatch.setattr(generation, "PART", 2 * 8 * 32 * 6)  # two members at a time
    original, count = generation._side_by_side, 0

    def killed(*args: object) -> Dataset:
        nonlocal count
        count += 1
        if count == 3:
            raise KeyboardInterrupt
        return original(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(generation, "_side_by_side", killed)
    with pytest.raises(KeyboardInterrupt):
        pde.generate(burgers(), 6, tmp_path / "cut.h5", **SMALL)
    assert len(read(tmp_path / "cut.h5")) == 4
    resumed = pde.generate(burgers(), 6, tmp_path / "cut.h5", **SMALL)
    assert count == 4 and np.array_equal(resumed.values, whole.values)
    with pytest.raises(DatasetError, match="another one"):
        pde.generate(burgers(), 6, tmp_path / "cut.h5", **{**SMALL, "rtol": 1e-3})


def test_progress_counts_members(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pde.generate(burgers(), 3, tmp_path / "a.h5", **{**SMALL, "progress": True})
    assert "3 of 3 members" in capsys.readouterr().err


# -- linear elliptic equations -----------------------------------------------------------------------


def test_steady_members_have_the_layout_of_one_time(tmp_path: Path) -> None:
    family = pde.family("poisson-random")
    data = pde.generate(family, 2, tmp_path / "p.h5", points=9, rtol=1e-2, progress=False)
    assert data.values.shape == (2, 1, 1, 9, 9) and data.times is None and set(data.fields) == {"a"}
    assert np.allclose(data.values[..., 0, :], 0, atol=1e-9)  # u = 0 on the boundary
    with h5py.File(tmp_path / "p.h5") as file:
        assert file["nu"].shape == (2, 9, 9) and file["tensor"].shape == (2, 1, 9, 9)


@pytest.mark.parametrize("name", ["poisson-random", "darcy-random-continuous"])
def test_elliptic_members_meet_their_error_against_finite_elements(name: str, tmp_path: Path) -> None:
    variant = {"variant": "continuous"} if name.startswith("darcy") else {}
    family = pde.family(name.removesuffix("-continuous"), **variant)
    data = pde.generate(
        family, 3, tmp_path / "d.h5", seed=2, points=9, rtol=1e-4, dtype="float64", progress=False
    )
    assert data.errors is not None and data.errors.shape == (3,) and 0 < data.errors.max() <= 1e-4
    points = np.stack([g.ravel() for g in np.meshgrid(*data.coordinates, indexing="ij")], axis=1)
    member = family.sample((2, 1))
    exact = pde.solve(member.replace(reference=None), "fem", rtol=2e-4, progress=False)(points)[:, 0]
    assert np.linalg.norm(data.values[1].ravel() - exact) < 4e-4 * np.linalg.norm(exact)
    field = sp.lambdify(member.coordinates, member.inputs["a"], ["numpy"])(*points.T)
    assert np.allclose(data.fields["a"][1].ravel(), field, rtol=1e-12)


def test_elliptic_members_do_not_depend_on_their_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor on how many are solved together, up to the tolerance, nor on where a run was cut."""
    from pdesolve import generation

    options: dict[str, object] = {"points": 9, "rtol": 1e-3, "dtype": "float64", "progress": False}
    family = pde.family("darcy-random", variant="continuous")
    whole = pde.generate(family, 6, tmp_path / "whole.h5", **options)  # type: ignore[arg-type]
    pde.generate(family, 2, tmp_path / "cut.h5", **options)  # type: ignore[arg-type]
    longer = pde.generate(family, 6, tmp_path / "cut.h5", **options)  # type: ignore[arg-type]
    assert len(longer) == 6 and np.array_equal(longer.fields["a"], whole.fields["a"])
    monkeypatch.setattr(generation, "TOGETHER", 1)
    alone = pde.generate(family, 6, tmp_path / "alone.h5", **options)  # type: ignore[arg-type]
    for other in (longer, alone):
        wrong = np.linalg.norm((other.values - whole.values).reshape(6, -1), axis=1)
        assert np.all(wrong < 2e-3 * np.linalg.norm(whole.values.reshape(6, -1), axis=1))


def test_beyond_resonance_members_are_solved_one_by_one(tmp_path: Path) -> None:
    family = pde.family("helmholtz-random", k=5)
    data = pde.generate(family, 1, tmp_path / "h.h5", points=9, rtol=1e-2, dtype="float64", progress=False)
    inner, field = data.values[0, 0, 0], data.fields["a"][0]
    # Projected on the first sine: (k² - 2π²) times that of u is that of a.
    sine = np.sin(np.pi * np.linspace(0, 1, 9))
    u1, a1 = (sine @ values @ sine for values in (inner, field))
    assert (25 - 2 * np.pi**2) * u1 == pytest.approx(a1, rel=0.1, abs=0.05 * np.abs(field).max())


def test_elliptic_members_that_are_not_solved_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pdesolve.residual.stencil import levels

    monkeypatch.setattr(levels, "FINEST", 40)
    with pytest.raises(GenerateError, match="members 0 to 1 of seed 0"):
        pde.generate(pde.family("poisson-random"), 2, tmp_path / "p.h5", points=9, rtol=1e-9, progress=False)


def test_published_files_are_read(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    with h5py.File(tmp_path / "burgers.hdf5", "w") as file:
        file["tensor"] = rng.normal(size=(3, 4, 8)).astype("f4")
        file["x-coordinate"], file["t-coordinate"] = np.linspace(0, 1, 8), np.linspace(0, 1, 5)  # one more
        file.attrs["Nu"] = 0.01
    data = read(tmp_path / "burgers.hdf5")
    assert data.values.shape == (3, 4, 1, 8) and data.times is not None and len(data.times) == 4
    assert data.attributes["Nu"] == 0.01
    with h5py.File(tmp_path / "reaction.h5", "w") as file:
        for name in ("0000", "0001"):
            group = file.create_group(name)
            group["data"] = rng.normal(size=(5, 6, 7, 2))
            group["grid/x"], group["grid/y"], group["grid/t"] = np.arange(6.0), np.arange(7.0), np.arange(5.0)
    assert read_hdf5(tmp_path / "reaction.h5").values.shape == (2, 5, 2, 6, 7)
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["something"] = np.zeros(3)
    with pytest.raises(DatasetError, match="tensor"):
        read(tmp_path / "other.h5")
    (tmp_path / "no.h5").write_text("no")
    with pytest.raises(DatasetError, match="an HDF5 file"):
        read(tmp_path / "no.h5")


def test_arguments_are_checked(tmp_path: Path) -> None:
    with pytest.raises(GenerateError, match="n >= 1"):
        pde.generate(burgers(), 0, tmp_path / "a.h5")
    data = pde.generate(burgers(), 3, tmp_path / "a.h5", **SMALL)
    first, rest = data.split(1)
    assert len(first) == 1 and len(rest) == 2 and first.digest != rest.digest
    assert data.coarser(2).values.shape == (3, 6, 1, 16)
    with pytest.raises(DatasetError, match="no more than 3"):
        data.split(2, 2)
    with pytest.raises(DatasetError, match="shape"):
        Dataset(data.values[:, :, 0], data.names, data.coordinates, data.times)


def test_families_of_numbers_keep_them(tmp_path: Path) -> None:
    x = pde.coordinates("x")

    def declare(k: sp.Expr) -> pde.Problem:
        u = pde.unknown("u", x)
        return pde.Problem(
            "rod", [-u.diff(x, 2) - k], pde.Interval(x, 0, 1), [pde.Dirichlet(u, 0)], reference="spectral"
        )

    family = pde.Family("rods", declare, {"k": pde.Uniform(1, 2)}, points=9)
    data = pde.generate(family, 3, tmp_path / "rods.h5", rtol=1e-6, dtype="float64", progress=False)
    s = data.coordinates[0]
    assert np.allclose(data.values[:, 0, 0], data.numbers["k"][:, None] * s * (1 - s) / 2, atol=1e-8)


# -- metrics -----------------------------------------------------------------------------------------


def test_metrics_of_known_errors() -> None:
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(3, 4, 2, 16))
    assert all(value == 0 for value in metrics(truth, truth, [np.arange(16.0)]).values())
    assert rmse(truth + 0.5, truth) == pytest.approx(0.5)
    assert conserved(truth + 0.5, truth) == pytest.approx(0.5)
    assert nrmse(1.1 * truth, truth) == pytest.approx(0.1)
    mean = np.broadcast_to(truth.mean(axis=3, keepdims=True), truth.shape)
    assert vrmse(mean, truth) == pytest.approx(1.0)
    wave = np.sin(2 * np.pi * 5 * np.arange(16) / 16)
    low, middle, high = band_errors(truth + wave, truth)
    assert middle > 0 and low < 1e-12 and high == 0


def test_correlation_time_is_where_the_trajectories_part() -> None:
    times = np.linspace(0, 1, 11)
    x = 2 * np.pi * np.arange(32) / 32
    truth = np.broadcast_to(np.sin(x), (1, 11, 1, 32)).copy()
    shift = np.where(times < 0.55, 0.1, np.pi / 2)  # correlation cos(shift)
    predicted = np.sin(x + shift[:, None])[None, :, None]
    assert correlation_time(predicted, truth, times) == pytest.approx([0.6])
    assert correlation_time(truth, truth, times) == pytest.approx([1.0])
    assert spectrum(truth).argmax() == 1 and spectrum(truth)[1] == pytest.approx(0.25)


def test_files_of_neuraloperator_and_the_well_are_read(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    coefficient, solution = torch.rand(4, 6, 6) > 0.5, torch.rand(4, 6, 6)
    torch.save({"x": coefficient, "y": solution}, tmp_path / "darcy.pt")
    darcy = read(tmp_path / "darcy.pt")
    assert darcy.values.shape == (4, 1, 1, 6, 6) and np.allclose(darcy.values[:, 0, 0], solution)
    assert np.array_equal(darcy.fields["x"], coefficient.float()) and darcy.times is None
    torch.save({"x": torch.rand(4, 2, 6, 5), "y": torch.rand(4, 1, 6, 5)}, tmp_path / "channels.pt")
    assert set(read(tmp_path / "channels.pt").fields) == {"x0", "x1"}
    for content in ({"x": torch.rand(3, 4)}, torch.rand(3), {"x": torch.rand(3, 4), "y": torch.rand(2, 4)}):
        torch.save(content, tmp_path / "bad.pt")
        with pytest.raises(DatasetError, match="x and y"):
            read(tmp_path / "bad.pt")
    with h5py.File(tmp_path / "well.hdf5", "w") as file:
        file.attrs["dataset_name"] = "flow"
        file["dimensions/x"], file["dimensions/y"] = np.arange(5.0), np.arange(4.0)
        file["dimensions/time"] = np.arange(3.0)
        density, velocity = rng.normal(size=(2, 3, 5, 4)), rng.normal(size=(2, 3, 5, 4, 2))
        file["t0_fields/density"], file["t1_fields/velocity"] = density, velocity
        file["t0_fields/mask"] = np.zeros((5, 4))
        file["scalars/Re"] = 100.0
    flow = read(tmp_path / "well.hdf5")
    assert flow.names == ("density", "velocity_x", "velocity_y") and flow.attributes["Re"] == 100.0
    assert np.array_equal(flow.values[:, :, 0], density) and np.array_equal(
        flow.values[:, :, 2], velocity[..., 1]
    )
