"""Learned operators: what is built in holds untrained, training lowers errors, misuse is refused."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sympy as sp
import torch

import pdesolve as pde
from pdesolve.backends import card as cards
from pdesolve.backends.learner import TrainingDataError, schedule
from pdesolve.backends.operators.encoding import Codec, Encoding, describe, fitted
from pdesolve.backends.operators.step_loss import StepLoss
from pdesolve.checkpoint import CheckpointMismatchError
from pdesolve.conformance import BackendConformance
from pdesolve.data.dataset import Dataset
from pdesolve.declare import PDESolveError, PDESolveWarning
from pdesolve.residual.fourier.ensemble import Level, march
from pdesolve.residual.fourier.evolution import Evolution
from pdesolve.residual.fourier.semilinear import to_modes
from pdesolve.residual.fourier.steps import StepResidual

SMALL: dict[str, Any] = {"modes": 6, "width": 8, "layers": 2, "projection": 16}


@pytest.fixture(scope="module")
def trained(burgers: pde.Family, data: Dataset, tmp_path_factory: pytest.TempPathFactory) -> pde.FNO:
    out = tmp_path_factory.mktemp("fno") / "fno.safetensors"
    operator = pde.train(burgers, pde.FNO(**SMALL), data, out, steps=150, progress=False)
    assert isinstance(operator, pde.FNO)
    return operator


def cole_hopf(points: np.ndarray) -> np.ndarray:
    """The exact solution from sin 2πx with ν = 0.05, by Gauss-Hermite quadrature, (n, 1)."""
    nu, (x, t) = 0.05, points.T
    z, w = np.polynomial.hermite.hermgauss(80)
    y = x[:, None] - 2 * np.sqrt(nu * t)[:, None] * z
    weight = w * np.exp((np.cos(2 * np.pi * y) - 1) / (4 * np.pi * nu))
    return np.asarray((np.sin(2 * np.pi * y) * weight).sum(axis=1) / weight.sum(axis=1))[:, None]


class TestConformance(BackendConformance):
    """A prediction refined to a tolerance: what a network alone answers has no error to be tested."""

    steps = 100
    tolerance = 1e-5

    @pytest.fixture(autouse=True)
    def _trained(self, trained: pde.FNO) -> None:
        self.backend = pde.FNO.load(str(trained.weights), rtol=1e-6)

    def problem(self) -> pde.Problem:
        family = pde.family("burgers-random", nu=0.05, T=0.2)
        wave = sp.sin(2 * sp.pi * family.typical.coordinates[0])
        return family.member(u0=wave).replace(reference=cole_hopf)

    def unsupported(self) -> pde.Problem:
        return pde.catalogue("burgers")


# -- what is built in --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "operator", [pde.FNO(**SMALL), pde.DeepONet(width=8, depth=1), pde.UNet(width=4, levels=1)]
)
def test_symmetries_hold_without_any_training(operator: Any, burgers: pde.Family, data: Dataset) -> None:
    """Initial values, translations and Galilean boosts are exact for every network."""
    encoding = fitted(describe(burgers, data.times), data)
    network = operator.network(encoding, data.grid, torch.Generator().manual_seed(3)).double()
    codec = Codec(encoding, torch.float64)
    start = codec.canonical(torch.from_numpy(data.values[:2].astype(float)), torch.zeros(2).double())[:, 0]

    def solved(u: torch.Tensor) -> torch.Tensor:
        from pdesolve.backends.operators.operator import solutions

        with torch.no_grad():
            return solutions(network, codec, codec.encode(u, torch.zeros(len(u), 0)))

    plain = solved(start)
    assert torch.allclose(plain[:, 0], start, atol=1e-12)
    assert torch.allclose(solved(start.roll(4, -1)), plain.roll(4, -1), atol=1e-9)
    c = 1 / 32 / 0.04  # moves by whole points between stored times
    boosted = solved(start + c)
    for j in range(6):
        assert torch.allclose(boosted[:, j] - c, plain[:, j].roll(j, -1), atol=1e-9)


def test_frames_are_left_and_entered_exactly(burgers: pde.Family, data: Dataset) -> None:
    codec = Codec(fitted(describe(burgers, data.times), data), torch.float64)
    band_limited = torch.from_numpy(data.values.astype(float))
    band_limited = codec.canonical(band_limited, torch.zeros(len(data)).double())  # without the Nyquist mode
    mean = band_limited[:, 0, 0].mean(dim=1)
    moved = codec.canonical(band_limited, mean)
    assert torch.allclose(moved[:, :, 0].mean(dim=2), torch.zeros(1).double(), atol=5e-3)
    assert torch.allclose(codec.declared(moved, mean), band_limited, atol=1e-12)


def test_steady_solutions_vanish_where_they_are_declared_to(tmp_path: Path) -> None:
    family = pde.family("poisson-random")
    data = pde.generate(family, 6, tmp_path / "p.h5", points=12, rtol=1e-2, progress=False)
    options = {**SMALL, "modes": 4}
    operator = pde.train(
        family, pde.FNO(**options), data, tmp_path / "p.safetensors", steps=3, progress=False
    )
    member = family.sample((0, 2)).replace(reference=None)  # of the training: in its ranges
    solution = pde.solve(member, operator, progress=False)
    edge = np.column_stack([np.linspace(0, 1, 12), np.zeros(12)])
    assert np.allclose(solution(edge), 0, atol=1e-9)
    solution.save(tmp_path / "u.h5")
    points = np.random.default_rng(0).uniform(size=(5, 2))
    loaded = pde.load(tmp_path / "u.h5", problem=member)
    assert np.allclose(loaded(points), solution(points))


# -- training ----------------------------------------------------------------------------------------


def test_training_lowers_the_error_on_members_it_does_not_see(
    trained: pde.FNO, burgers: pde.Family, data: Dataset, unseen: Dataset, tmp_path: Path
) -> None:
    untrained = pde.train(
        burgers, pde.FNO(**SMALL), data, tmp_path / "0.safetensors", steps=1, progress=False
    )
    before, after = (pde.evaluate(each, unseen) for each in (untrained, trained))
    assert after["relative_l2"] < 0.5 * before["relative_l2"]
    card, _ = cards.read(str(trained.weights), Encoding)
    assert card.metrics["relative_l2"] == pytest.approx(after["relative_l2"])
    assert card.family["inputs"]["u0"]["kind"] == "GaussianField"
    # The metric itself, by hand, from solutions of single members.
    points = np.stack(np.meshgrid(unseen.coordinates[0], unseen.times, indexing="ij"), axis=-1).reshape(-1, 2)
    errors = []
    for i in range(3):
        solution = pde.solve(burgers.sample((1, i)).replace(reference=None), trained, progress=False)
        values = solution(points).reshape(32, 6).T
        truth = unseen.values[i, :, 0]
        errors.append(np.linalg.norm(values - truth) / np.linalg.norm(truth))
    some = pde.evaluate(trained, unseen.subset(slice(0, 3)))
    assert np.mean(errors) == pytest.approx(some["relative_l2"], rel=0.02)  # the Nyquist mode is not kept


@pytest.mark.parametrize("operator", [pde.FNO(**SMALL), pde.FNO(**SMALL, labels=0, physics=1, renewal=3)])
def test_a_run_that_was_cut_goes_on_to_the_same_weights(
    operator: pde.FNO, burgers: pde.Family, data: Dataset, tmp_path: Path
) -> None:
    from pdesolve.backends.operators.training import Training

    whole = pde.train(burgers, operator, data, tmp_path / "a.safetensors", steps=8, progress=False)
    original, count = Training.advance, 0

    def cut(self: Training, state: Any) -> Any:
        nonlocal count
        count += 1
        if count == 5:
            raise RuntimeError("killed")
        return original(self, state)

    arguments: dict[str, Any] = {"steps": 8, "checkpoint": tmp_path / "run.ckpt", "progress": False}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Training, "advance", cut)
        with pytest.raises(RuntimeError):
            pde.train(
                burgers,
                operator,
                data,
                tmp_path / "b.safetensors",
                checkpoint_every=1e-9,
                **arguments,
            )
    resumed = pde.train(burgers, operator, data, tmp_path / "b.safetensors", **arguments)
    for name, tensor in cards.read(str(whole.weights), Encoding)[1].items():
        assert torch.equal(tensor, cards.read(str(resumed.weights), Encoding)[1][name]), name
    with pytest.raises(CheckpointMismatchError):
        pde.train(burgers, operator, data, tmp_path / "c.safetensors", seed=3, **arguments)


def test_the_rate_rises_and_falls() -> None:
    assert schedule(0.0, 0.1) < 0.01 < schedule(0.05, 0.1) < schedule(0.1, 0.1) < 1
    assert schedule(1.0, 0.1) == pytest.approx(0) and schedule(0.5, 0.0) == pytest.approx(0.5)


# -- equations ---------------------------------------------------------------------------------------


def test_a_prediction_is_refined_to_a_tolerance(trained: pde.FNO, burgers: pde.Family) -> None:
    problem = burgers.sample((1, 4)).replace(reference=None)
    reference = pde.solve(problem, "spectral", rtol=1e-9, progress=False)
    rough = pde.solve(problem, trained, progress=False)
    fine = pde.solve(problem, pde.FNO.load(str(trained.weights), rtol=1e-6), progress=False)
    assert fine.status is pde.Status.CONVERGED
    assert fine.error_estimate is not None and fine.error_estimate <= 1e-6
    t = np.linspace(0.004, 0.2, 23)  # between the stored times as well
    points = np.stack(np.meshgrid(np.linspace(0, 1, 50), t, indexing="ij"), axis=-1).reshape(-1, 2)
    exact = reference(points)
    assert np.linalg.norm(rough(points) - exact) > 1e-3 * np.linalg.norm(exact)
    assert np.linalg.norm(fine(points) - exact) < 2e-6 * np.linalg.norm(exact)


def test_newton_meets_the_steps_of_the_integrator(burgers: pde.Family) -> None:
    """From zero after the start, F vanishes to round-off: the answer is the integrator's own trajectory."""
    evolution, level, times = Evolution(burgers.sample(0)), Level(24, 2), np.linspace(0, 0.2, 6)
    start = torch.from_numpy(np.sin(2 * np.pi * np.arange(24) / 24))[None, None]
    residual = StepResidual(evolution, 0.04, level)
    u = torch.zeros(6, 1, residual.system.modes + 1, dtype=torch.complex128)
    u[0] = residual.system.state(start)[0]
    for _ in range(6):
        u = u + residual.correction(u, residual.jacobian(u))
    assert float(residual.values(u).abs().max()) < 1e-14
    marched = torch.from_numpy(march(evolution, start, times, 24, level)[0])
    assert torch.allclose(u, to_modes(marched, residual.system.modes, 1), atol=1e-12)


def test_the_step_loss_vanishes_on_solutions_and_nowhere_else(burgers: pde.Family, data: Dataset) -> None:
    encoding = fitted(describe(burgers, data.times), data)
    loss = StepLoss(burgers, encoding, data.grid, 3, 8, torch.float64, "cpu")
    wave = sp.sin(2 * sp.pi * burgers.typical.coordinates[0])
    solution = pde.solve(
        burgers.member(u0=wave).replace(reference=None), "spectral", rtol=1e-9, progress=False
    )
    points = np.stack(np.meshgrid(data.coordinates[0], data.times, indexing="ij"), axis=-1).reshape(-1, 2)
    exact = torch.from_numpy(solution(points).reshape(32, 6).T.copy())[None, :, None]
    assert float(loss(exact)) < 1e-5
    wrong = exact.clone()
    wrong[:, 1:] += 0.1 * exact[:, 1:].roll(3, -1)
    assert float(loss(wrong)) > 1e-3
    # A piece is as right as its start: the first one begins at the initial values.
    pieces = loss.pieces(wrong, 2)
    right = (pieces - exact[:, 1:]).abs().amax(dim=(0, 2, 3))
    assert float(right[:2].max()) < 1e-5 < 1e-3 < float(right[2:].min())


@pytest.mark.parametrize("network", [pde.FNO(**SMALL), pde.DeepONet(width=32, depth=2, basis=32)])
def test_training_on_the_equations_needs_no_labels(
    network: Any, burgers: pde.Family, data: Dataset, unseen: Dataset, tmp_path: Path
) -> None:
    start, later = data.values[:, :1], 0 * data.values[:, 1:]
    blank = Dataset(
        np.concatenate([start, later], axis=1), data.names, data.coordinates, data.times, data.fields
    )
    options = dataclasses.replace(network, labels=0.0, physics=1.0, horizon=2, renewal=10)
    errors = []
    for steps in (1, 150):
        trained = pde.train(burgers, options, blank, tmp_path / f"{steps}", steps=steps, progress=False)
        errors.append(pde.evaluate(trained, unseen)["relative_l2"])
    assert errors[1] < 0.6 * errors[0]


def test_what_cannot_be_refined_is_refused(trained: pde.FNO, tmp_path: Path) -> None:
    family = pde.family("poisson-random")
    data = pde.generate(family, 3, tmp_path / "p.h5", points=12, rtol=1e-2, progress=False)
    options = pde.FNO(modes=4, width=4, layers=1, projection=4)
    steady = pde.train(family, options, data, tmp_path / "p.safetensors", steps=1, progress=False)
    reasons = pde.FNO.load(str(steady.weights), rtol=1e-6).supports(family.sample(0))
    assert "evolutions alone" in reasons[0]


# -- use and misuse ----------------------------------------------------------------------------------


def test_another_resolution_is_the_same_function_up_to_aliasing(
    trained: pde.FNO, burgers: pde.Family
) -> None:
    problem = burgers.sample((1, 0)).replace(reference=None)
    coarse = pde.solve(problem, trained, progress=False)
    with pytest.warns(PDESolveWarning, match="64 points, and was trained on 32"):
        fine = pde.solve(problem, pde.FNO.load(str(trained.weights), points=64), progress=False)
    points = np.column_stack([np.linspace(0, 1, 50), np.full(50, 0.1)])
    assert np.linalg.norm(fine(points) - coarse(points)) < 0.05 * np.linalg.norm(coarse(points))


def test_inputs_unlike_those_of_the_training_are_flagged(trained: pde.FNO, burgers: pde.Family) -> None:
    x = burgers.typical.coordinates[0]
    strange = burgers.member(u0=40 * sp.sin(2 * sp.pi * x)).replace(reference=None)
    with pytest.warns(PDESolveWarning, match="outside of it"):
        solution = pde.solve(strange, trained, progress=False)
    assert "root mean square" in solution.diagnosis[0].what


def test_problems_of_other_kinds_are_refused(trained: pde.FNO, burgers: pde.Family) -> None:
    other = pde.family("burgers-random", nu=0.05, T=0.1).sample(0)
    assert any("t = 0 to 0.2" in reason for reason in trained.supports(other))
    viscous = pde.family("burgers-random", nu=0.1, T=0.2).sample(0)
    assert any("nu = 0.1" in reason for reason in trained.supports(viscous))
    assert "of none" in trained.supports(pde.catalogue("burgers"))[0]
    assert "not trained" in pde.FNO().supports(burgers.sample(0))[0]
    with pytest.raises(cards.CardError, match="a trained fno"):
        pde.DeepONet.load(str(trained.weights))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"validation": 0.0}, "between 0 and 1"),
        ({"validation": 0.999}, "between 0 and 1"),
        ({"data": "burgers"}, "data of burgers-random"),
        ({"family": "navier"}, "data of burgers-random"),
    ],
)
def test_data_that_do_not_fit_are_refused(
    change: dict[str, Any], words: str, burgers: pde.Family, data: Dataset, tmp_path: Path
) -> None:
    family = burgers
    if change.get("data"):
        family = pde.family("poisson-random")
    if change.pop("family", None):
        family = pde.family("navier-stokes-random")
    change.pop("data", None)
    with pytest.raises(TrainingDataError, match=words):
        pde.train(family, pde.FNO(**SMALL), data, tmp_path / "x", steps=1, progress=False, **change)
    assert not (tmp_path / "x").exists()


def test_training_members_are_no_test(trained: pde.FNO, data: Dataset) -> None:
    own, _ = data.split(36)
    for given in (own, data):
        with pytest.raises(TrainingDataError, match="did not see"):
            pde.evaluate(trained, given)


def test_data_of_other_parameters_are_refused(trained: pde.FNO, data: Dataset, tmp_path: Path) -> None:
    other = pde.family("burgers-random", nu=0.1, T=0.2)
    with pytest.raises(TrainingDataError, match="same parameters"):
        pde.train(other, pde.FNO(**SMALL), data, tmp_path / "x", steps=1, progress=False)
    with pytest.raises(TrainingDataError, match="same parameters"):
        grid: dict[str, Any] = {"points": 32, "times": 6}
        pde.evaluate(trained, pde.generate(other, 2, tmp_path / "o.h5", seed=1, progress=False, **grid))
    with pytest.raises(TrainingDataError, match="without weights"):
        pde.train(pde.family("burgers-random", nu=0.05, T=0.2), trained, data, tmp_path / "x", steps=1)
    with pytest.raises(PDESolveError, match=r"train\(steps=\)"):
        pde.train(
            pde.family("burgers-random", nu=0.05, T=0.2), pde.FNO(**SMALL), data, tmp_path / "x", steps=0
        )


def test_damaged_files_are_refused(trained: pde.FNO, tmp_path: Path) -> None:
    for content in (b"", b"no weights", Path(str(trained.weights)).read_bytes()[:100]):
        (tmp_path / "bad").write_bytes(content)
        with pytest.raises(cards.CardError):
            pde.FNO.load(tmp_path / "bad")
    card, _ = cards.read(str(trained.weights), Encoding)
    assert Encoding.from_plain(card.encoding.plain()) == card.encoding


@pytest.mark.parametrize(
    "options", [{"modes": 0}, {"batch": 0}, {"learning_rate": -1.0}, {"precision": "half"}]
)
def test_options_are_checked(options: dict[str, Any]) -> None:
    with pytest.raises(PDESolveError, match=next(iter(options))):
        pde.FNO(**options)
