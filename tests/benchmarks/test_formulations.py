"""The benchmark of formulations: its errors are those of the problems' closed forms."""

from __future__ import annotations

import pytest

from pdesolve.benchmarks.formulations import train


@pytest.mark.parametrize("family", ["two-materials", "advection-diffusion"])
def test_flux_joins_what_the_solution_alone_leaves_apart(family: str) -> None:
    context = [1.0 if family == "two-materials" else -1.0]
    (_,), joined = train(family, context, [("solution", "flux")])
    (_,), apart = train(family, context, [("solution",)])
    assert joined < 1e-2 < apart
