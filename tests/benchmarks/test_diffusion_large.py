"""The benchmark of large priors runs whole, on a small grid."""

import math

import pytest

from pdesolve.backends.diffusion import DiffusionPDE
from pdesolve.benchmarks.diffusion_large import PUBLISHED, row


@pytest.mark.parametrize("name", sorted(PUBLISHED))
def test_a_row_on_a_small_grid(name, tmp_path):
    small = DiffusionPDE(declared=False, rank=16, width=8, batch=8)
    record = row(
        name,
        points=12,
        count=40,
        seconds=1.0,
        tests=2,
        sensors=30,
        prior=small,
        device="cpu",
        folder=tmp_path,
    )
    for kind, observed in (("forward", 1), ("inverse", 0)):
        sample = record[kind]["sample"]
        assert all(math.isfinite(error) for error in sample)
        assert sample[observed] < 1.0  # sensors on a fifth of the nodes say more than nothing
    assert record["published"] == PUBLISHED[name]["published"]
