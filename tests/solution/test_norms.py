"""Error norms against closed forms."""

import math

import numpy as np
import pytest
import sympy as sp
from symbolic_fields import make_solution, poisson

import pdesolve as pde
from pdesolve.declare.errors import ReferenceDataError
from pdesolve.solution import ErrorNorms, ReferenceUnresolvedError, default_grid, resolve_reference


def test_a_field_that_is_one_percent_too_large_has_one_percent_error_in_every_norm(heat):
    norms = heat.error()
    assert norms.relative_l2 == pytest.approx(0.01, rel=1e-12)
    assert norms.relative_h1 == pytest.approx(0.01, rel=1e-12)
    assert norms.max == pytest.approx(0.01, rel=1e-4)  # the grid has no node at the maximum
    assert norms.per_unknown == {"u": pytest.approx(0.01, rel=1e-12)}
    assert norms.shape == (256, 101)


def test_norms_of_an_oscillating_error_agree_with_integrals():
    """u = x, error ε sin(8πx) on (0, 1): ‖e‖² → ε²/2, ‖u‖² → 1/3, ‖e'‖² → 32π²ε², ‖u'‖² = 1."""
    u = pde.unknown("u", x := pde.coordinates("x"))
    problem = pde.Problem(
        "line",
        [u.diff(x, 2)],
        pde.Interval(x, 0, 1),
        [pde.Dirichlet(u, 0, on="left"), pde.Dirichlet(u, 1, on="right")],
    )
    epsilon = 1e-3
    solution = make_solution(problem, [x + epsilon * sp.sin(8 * sp.pi * x)])
    norms = solution.error(reference=x, grid=4001)
    assert norms.relative_l2 == pytest.approx(epsilon * math.sqrt(3 / 2), rel=1e-3)
    assert norms.relative_h1 == pytest.approx(
        epsilon * math.sqrt((1 / 2 + 32 * math.pi**2) / (1 / 3 + 1)), rel=1e-3
    )
    assert norms.max == pytest.approx(epsilon, rel=1e-6)


def test_unknowns_are_measured_together_and_apart(flow):
    u, v, p = flow.problem.unknowns
    exact = dict(zip((u, v, p), flow.problem.reference.expressions, strict=True))
    norms = flow.error(reference={u: exact[u] * 2, v: exact[v], p: exact[p]}, grid=(16, 16, 5))
    assert norms.per_unknown["u"] == pytest.approx(0.5)
    assert norms.per_unknown["v"] == 0
    sizes = flow.on((16, 16, 5))
    together = np.linalg.norm(sizes[..., 0]) / np.sqrt(
        np.sum(4 * sizes[..., 0] ** 2) + np.sum(sizes[..., 1:] ** 2)
    )
    assert norms.relative_l2 == pytest.approx(together, rel=1e-12)


def test_a_function_has_no_gradient_so_h1_is_nan(heat):
    norms = heat.error(reference=lambda points: np.exp(-points[:, 1] / 10) * np.sin(points[:, 0]))
    assert norms.relative_l2 == pytest.approx(0.01, rel=1e-9)
    assert math.isnan(norms.relative_h1)


def test_another_solution_is_a_reference(heat):
    assert heat.error(reference=heat).relative_l2 == 0
    exact = make_solution(heat.problem, list(heat.problem.reference.expressions))
    assert heat.error(reference=exact).relative_h1 == pytest.approx(0.01, rel=1e-9)
    with pytest.raises(ReferenceUnresolvedError, match="a solution in u, x, t"):
        heat.error(reference=poisson(2))


def test_a_vanishing_reference_gives_infinite_or_zero_error(heat):
    assert heat.error(reference=0).relative_l2 == math.inf
    nothing = make_solution(heat.problem, [0])
    assert nothing.error(reference=0).relative_l2 == 0


def test_what_cannot_be_a_reference_is_refused(heat):
    x, _ = heat.problem.coordinates
    with pytest.raises(ReferenceUnresolvedError, match="'spectral'"):
        heat.error(reference="spectral")
    with pytest.raises(ReferenceDataError, match="a_stranger"):
        heat.error(reference=sp.Symbol("a_stranger") * x)
    with pytest.raises(ReferenceDataError, match=r"shape \(25856, 1\)"):
        heat.error(reference=lambda points: np.zeros(3))
    with pytest.raises(ReferenceDataError, match="NaN or inf at 101 of 25856 points, first at"):
        heat.error(reference=1 / x)
    with pytest.raises(ReferenceDataError, match="NumPy form"):
        heat.error(reference=sp.Function("mystery")(x))
    with pytest.raises(ReferenceUnresolvedError, match="none"):
        make_solution(heat.problem, [x], reference=None).error()


def test_a_callable_error_is_measured_when_the_reference_is_resolved(heat):
    x, _ = heat.problem.coordinates
    measured = pde.Reference(function=lambda points: points[:, :1], error=lambda: 3e-7, description="a\nb")
    resolved = resolve_reference(measured, heat.problem)
    assert resolved.error == 3e-7
    assert resolved.description == "a"
    assert math.isnan(resolve_reference(pde.Reference(expressions=(x,)), heat.problem).error)


def test_closed_forms_use_the_values_of_parameters():
    x = pde.coordinates("x")
    u, k = pde.unknown("u", x), pde.parameter("k")
    problem = pde.Problem(
        "exponential",
        [u.diff(x, 2) - k**2 * u],
        pde.Interval(x, 0, 1),
        [pde.Dirichlet(u, sp.exp(-k * x))],
        parameters={k: 2},
        reference=sp.exp(-k * x),
    )
    assert make_solution(problem, [sp.exp(-2 * x)]).error().relative_l2 < 1e-15


@pytest.mark.parametrize(
    ("dimensions", "shape"),
    [(1, (1001,)), (2, (129, 129)), (3, (33, 33, 33)), (4, (14,) * 4), (10, (2,) * 10)],
)
def test_default_grids(dimensions, shape):
    problem = poisson(dimensions).problem
    grid = default_grid(problem)
    assert grid.shape == shape
    assert problem.domain.contains(grid.points).all()
    if dimensions >= 4:  # cell centres: the boundary tells nothing
        assert (problem.domain.distance(grid.points) > 0).all()


def test_json_form_keeps_everything():
    norms = ErrorNorms(1e-3, 2e-3, float("nan"), {"u": 1e-3, "v": math.inf}, (5, 6), 30)
    again = ErrorNorms.from_json(norms.to_json())
    assert (again.relative_l2, again.max, again.shape) == (1e-3, 2e-3, (5, 6))
    assert math.isnan(again.relative_h1)
    assert math.isnan(again.per_unknown["v"])
