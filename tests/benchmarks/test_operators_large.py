"""The benchmark of large operators runs whole, on small grids."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from pdesolve.backends.operators import FNO
from pdesolve.benchmarks.operators_large import CASES, members, row

SMALL = {
    "burgers": {"points": 32, "rtol": 1e-2, "parameters": {"nu": 0.05, "T": 0.2}},
    "darcy": {"points": 13, "rtol": 1e-1},
    "navier-stokes": {"points": 16, "rtol": 1e-1, "times": 4, "compared": 2, "parameters": {"T": 1}},
}


@pytest.mark.parametrize("name", sorted(CASES))
def test_a_row_on_a_small_grid(name: str, tmp_path: Path) -> None:
    small = FNO(modes=4, width=8, layers=2, projection=16, batch=4)
    case = dataclasses.replace(CASES[name], operator=small, **SMALL[name])
    record = row(name, case, count=20, tests=4, seconds=3.0, device="cpu", folder=tmp_path, workers=1)
    assert record["published"] == dict(CASES[name].published)
    assert record["largest_data_error"] <= case.rtol
    # An answer of zero would have 1.
    assert record["greatest"] >= record["relative_l2"] > 0
    assert record["relative_l2"] < 0.9
    again = members(case, 20, 0, tmp_path, workers=1)  # of several parts, none of them twice
    assert len(np.unique(again.values.reshape(20, -1), axis=0)) == 20


def test_cases_have_the_published_sizes() -> None:
    """Li et al., ICLR 2021: 1,024 points, 85 x 85, and 64 x 64 with fifty units of time."""
    assert [CASES[name].points for name in ("burgers", "darcy", "navier-stokes")] == [1024, 85, 64]
    flow = CASES["navier-stokes"]
    assert flow.times is not None
    times = np.linspace(0, flow.parameters["T"], flow.times)
    assert times[flow.compared] == 11 and times[-1] == 50
