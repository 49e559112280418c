"""Options of the training: early end, lower precision, compilation."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch

import pdesolve as pde
from pdesolve.backends.operators.networks.spectral import SpectralLayer
from pdesolve.data.dataset import Dataset
from pdesolve.declare import PDESolveError

SMALL: dict[str, Any] = {"modes": 6, "width": 8, "layers": 2, "projection": 16}


def test_a_training_ends_where_the_error_no_longer_falls(
    burgers: pde.Family, data: Dataset, tmp_path: Path
) -> None:
    """A rate that is far too large makes all states worse than the first one, which is kept."""
    wild = pde.FNO(**SMALL, learning_rate=1.0, warm_up=0.0)
    arguments: dict[str, Any] = {"steps": 1000, "progress": False, "checkpoint": tmp_path / "half"}
    ended = pde.train(burgers, wild, data, tmp_path / "a", patience=100, **arguments)
    known = ended.card().training
    assert known["status"] == "STAGNATED" and "patience 100" in known["message"]
    assert known["steps"] - known["answer_step"] == 100
    again = pde.train(burgers, wild, data, tmp_path / "a", patience=100, **arguments).card().training
    assert (again["status"], again["steps"]) == ("STAGNATED", known["steps"])
    with pytest.raises(PDESolveError, match="patience"):
        pde.train(burgers, wild, data, tmp_path / "b", patience=0, **arguments)


def test_a_training_that_goes_well_is_not_cut(burgers: pde.Family, data: Dataset, tmp_path: Path) -> None:
    found = pde.train(
        burgers, pde.FNO(**SMALL), data, tmp_path / "a", steps=150, patience=100, progress=False
    )
    known = found.card().training
    assert known["status"] == "COMPLETED" and known["steps"] == 150 and known["message"] == ""


@pytest.mark.parametrize(
    "network",
    [pde.FNO(**SMALL), pde.DeepONet(width=16, depth=2, basis=16), pde.UNet(width=4, levels=1)],
)
def test_mixed_precision_learns_as_float32_does(
    network: Any, burgers: pde.Family, data: Dataset, unseen: Dataset, tmp_path: Path
) -> None:
    errors = {}
    for precision in ("float32", "mixed"):
        operator = dataclasses.replace(network, precision=precision)
        out = tmp_path / precision
        trained = pde.train(burgers, operator, data, out, steps=60, progress=False)
        errors[precision] = pde.evaluate(trained, unseen)["relative_l2"]
        _, loaded, _ = trained.trained()
        assert {p.dtype for p in loaded.parameters()} == {torch.float32}
    assert errors["mixed"] != errors["float32"]
    assert errors["mixed"] == pytest.approx(errors["float32"], rel=0.2)


def test_convolutions_keep_their_precision() -> None:
    """Without W the layer is the same function under autocast, digit by digit."""
    layer = SpectralLayer(("periodic",), (5,), 4, torch.Generator().manual_seed(0))
    values = torch.randn(2, 4, 16, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        whole = layer(values)
        with torch.autocast("cpu", torch.bfloat16):
            short = layer(values)
            assert short.dtype == torch.float32 and not torch.equal(short, whole)
            layer.skip.zero_()
            without = layer(values)
        assert torch.equal(without, layer(values))


def test_precisions_that_cannot_be_are_refused() -> None:
    with pytest.raises(PDESolveError, match="float32, float64 or mixed"):
        pde.FNO(precision="bfloat16")
    with pytest.raises(PDESolveError, match="float32"):
        pde.NeuralopModel(precision="mixed")


def test_the_network_is_compiled_where_that_is_asked_for(
    burgers: pde.Family, data: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through the compiler, once, and to the same weights. A stand-in compiles nothing, in no time."""
    calls = []

    def stand_in(function: Any, **options: Any) -> Any:
        calls.append(options)
        return function

    monkeypatch.setattr(torch, "compile", stand_in)
    files = []
    for compiled in (False, True):
        assert len(calls) == 0
        out = tmp_path / str(compiled)
        operator = pde.FNO(**SMALL, compiled=compiled)
        files.append(pde.train(burgers, operator, data, out, steps=3, progress=False).trained()[1])
    assert len(calls) == 1
    for a, b in zip(*(network.parameters() for network in files), strict=True):
        assert torch.equal(a, b)
