"""A family whose fields stay smooth, with few members: what operators are trained and tested on here."""

from typing import Any

import pytest

import pdesolve as pde
from pdesolve.data.dataset import Dataset

GRID: dict[str, Any] = {"points": 32, "times": 6, "rtol": 1e-4, "progress": False}


@pytest.fixture(scope="module")
def burgers() -> pde.Family:
    return pde.family("burgers-random", nu=0.05, T=0.2)


@pytest.fixture(scope="module")
def data(burgers: pde.Family, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return pde.generate(burgers, 40, tmp_path_factory.mktemp("data") / "train.h5", **GRID)


@pytest.fixture(scope="module")
def unseen(burgers: pde.Family, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return pde.generate(burgers, 10, tmp_path_factory.mktemp("data") / "test.h5", seed=1, **GRID)
