"""PINNs whose velocities are derivatives of a stream function."""

import numpy as np
import pytest

import pdesolve as pde
from pdesolve.backends.base import BackendOptionError
from pdesolve.backends.pinn import PINN
from pdesolve.driver import UnsupportedProblemError

FLOW = PINN(width=12, depth=2, points=300, points_boundary=60, stream_function=True, compile=False)


def test_continuity_holds_to_round_off_and_the_flow_is_found(tmp_path):
    problem = pde.catalogue("kovasznay", Re=40)
    solution = pde.solve(problem, FLOW, steps=80, progress=False, throw=False)
    assert solution.error().relative_l2 < 1e-2
    at = problem.domain.sample(50, np.random.default_rng(0))
    x, y = problem.coordinates
    u, v, _ = problem.unknowns
    stretched = solution.derivative(at, u.diff(x))
    assert np.abs(stretched).max() > 0.1
    np.testing.assert_allclose(solution.derivative(at, v.diff(y)), -stretched, atol=1e-13)
    again = pde.load(solution.save(tmp_path / "flow.h5"))
    np.testing.assert_array_equal(again(at), solution(at))


def test_a_stream_function_is_refused_where_there_is_none():
    with pytest.raises(UnsupportedProblemError, match="plane flow"):
        pde.solve(pde.catalogue("poisson"), FLOW, progress=False)
    with pytest.raises(BackendOptionError, match="slabs"):
        PINN(stream_function=True, slabs=3)
