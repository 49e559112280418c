"""A solution as a function of points."""

import json
import warnings

import numpy as np
import pytest
import sympy as sp
from symbolic_fields import make_solution, poisson

import pdesolve as pde
from pdesolve.declare.errors import OutsideDomainWarning
from pdesolve.solution import PointsShapeError, Status, UnknownExpressionError
from pdesolve.solution import solution as module


def test_values_have_a_column_for_each_unknown(flow):
    points = np.array([[0.3, 0.4, 0.5], [1.0, 2.0, 0.0]])
    values = flow(points)
    assert values.shape == (2, 3)
    a, b, s = points[0]
    np.testing.assert_allclose(
        values[0],
        [
            -np.cos(a) * np.sin(b) * np.exp(-2 * s),
            np.sin(a) * np.cos(b) * np.exp(-2 * s),
            -(np.cos(2 * a) + np.cos(2 * b)) * np.exp(-4 * s) / 4,
        ],
        rtol=1e-14,
    )


def test_outside_the_domain_is_nan_with_one_warning_that_counts(heat):
    points = np.array([[1.0, 1.0], [-0.1, 1.0], [1.0, 2.5], [np.nan, 1.0], [np.pi, 2.0]])
    with pytest.warns(OutsideDomainWarning, match="3 of 5 points") as caught:
        values = heat(points)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    np.testing.assert_array_equal(np.isnan(values[:, 0]), [False, True, True, True, False])
    with pytest.warns(OutsideDomainWarning, match="3 of 5 points") as caught:
        residual = heat.residual(points)
    assert len(caught) == 1
    np.testing.assert_array_equal(np.isnan(residual["heat equation"]), [False, True, True, True, False])
    with pytest.warns(OutsideDomainWarning) as caught:
        assert np.isnan(heat(points[1:2])).all()
    assert len(caught) == 1


def test_no_points_give_no_values(heat):
    assert heat(np.zeros((0, 2))).shape == (0, 1)


@pytest.mark.parametrize("wrong", [np.zeros(2), np.zeros((4, 3)), 1.0, "points", [[1.0], [2.0, 3.0]], None])
def test_wrong_shapes_are_named(heat, wrong):
    with pytest.raises(PointsShapeError, match=r"\(n, 2\), columns x, t"):
        heat(wrong)


def test_chunks_do_not_show(heat, monkeypatch):
    points = heat.problem.domain.sample(100, np.random.default_rng(1))
    whole = heat(points)
    monkeypatch.setattr(module, "CHUNK", 7)
    np.testing.assert_array_equal(heat(points), whole)


def test_on_a_grid_puts_unknowns_last(flow):
    grid = flow.problem.domain.grid((4, 5, 3))
    table = flow.on(grid)
    assert table.shape == (4, 5, 3, 3)
    np.testing.assert_array_equal(table, flow.on((4, 5, 3)))
    corner = flow(np.array([[grid.axes[0][1], grid.axes[1][2], grid.axes[2][1]]]))
    np.testing.assert_array_equal(table[1, 2, 1], corner[0])


def test_derivatives_and_expressions(flow):
    x, y, t = flow.problem.coordinates
    u, v, _ = flow.problem.unknowns
    points = flow.problem.domain.sample(20, np.random.default_rng(2))
    a, b, s = points.T
    decay = np.exp(-2 * s)
    close = {"rtol": 1e-12, "atol": 1e-12}
    np.testing.assert_allclose(flow.derivative(points, u.diff(x)), np.sin(a) * np.sin(b) * decay, **close)
    np.testing.assert_allclose(flow.derivative(points, u.diff(x, 2)), np.cos(a) * np.sin(b) * decay, **close)
    np.testing.assert_allclose(flow.derivative(points, u), flow(points)[:, 0], **close)
    vorticity = flow.derivative(points, v.diff(x) - u.diff(y))
    np.testing.assert_allclose(vorticity, 2 * np.cos(a) * np.cos(b) * decay, **close)
    np.testing.assert_allclose(
        flow.derivative(points, (x * u).diff(x, t)),
        flow.derivative(points, u.diff(t) + x * u.diff(x, t)),
        **close,
    )
    np.testing.assert_array_equal(flow.derivative(points, 3), np.full(20, 3.0))
    for wrong in ("u", sp.Symbol("w") * u, pde.unknown("w", x, y, t), u.subs(x, 2 * y)):
        with pytest.raises(UnknownExpressionError):
            flow.derivative(points, wrong)


def test_residual_vanishes_for_the_exact_field_and_scales_otherwise(flow, heat):
    points = flow.problem.domain.sample(30, np.random.default_rng(3))
    residual = flow.residual(points)
    assert list(residual) == ["x momentum", "y momentum", "continuity"]
    for values in residual.values():
        assert np.abs(values).max() < 1e-13
    wrong = make_solution(heat.problem, [sp.sin(heat.problem.coordinates[0])])
    points = heat.problem.domain.sample(30, np.random.default_rng(3))
    np.testing.assert_allclose(wrong.residual(points)["heat equation"], np.sin(points[:, 0]) / 10, rtol=1e-12)


def test_identified_parameters_enter_residuals():
    x, t = pde.coordinates("x t")
    u, k = pde.unknown("u", x, t), pde.parameter("k", unknown=True, start=1.0, positive=True)
    exact = sp.exp(-t / 2) * sp.sin(x)
    problem = pde.Problem(
        "identify",
        [u.diff(t) - k * u.diff(x, 2)],
        pde.Interval(x, 0, sp.pi) * pde.Time(t, 0, 1),
        [pde.Initial(u, sp.sin(x)), pde.Dirichlet(u, 0), pde.Observations(u, [[1.0, 0.5]], [0.65])],
    )
    points = problem.domain.sample(20, np.random.default_rng(4))
    right = make_solution(problem, [exact], parameters={"k": 0.5})
    assert np.abs(right.residual(points)["equation"]).max() < 1e-15
    wrong = make_solution(problem, [exact], parameters={"k": 0.7})
    np.testing.assert_allclose(wrong.residual(points)["equation"], 0.2 * wrong(points)[:, 0], rtol=1e-12)
    np.testing.assert_allclose(wrong.derivative(points, k * u), 0.7 * wrong(points)[:, 0], rtol=1e-12)
    assert wrong.summary()["parameters"] == {"k": 0.7}


def test_summary_is_the_contract_and_strict_json(heat):
    summary = json.loads(json.dumps(heat.summary(files=["out/u.h5"]), allow_nan=False))
    assert set(summary) == {
        *("problem", "backend", "status", "relative_l2", "max_error", "reference", "reference_error"),
        *("seconds_setup", "seconds_solve", "seed", "device", "dtype", "versions", "files", "parameters"),
        *("message", "reached", "relative_l2_per_unknown", "error_estimate", "intervals", "diagnosis"),
    }
    assert summary["relative_l2_per_unknown"] == {"u": summary["relative_l2"]}
    assert summary["relative_l2"] == pytest.approx(0.01)
    assert summary["reference"] == "closed form"
    assert summary["status"] == "BUDGET_EXHAUSTED"
    assert summary["files"] == ["out/u.h5"]
    without = make_solution(heat.problem, [0], reference=None, provenance={}, error_estimate=0.25).summary()
    assert without["error_estimate"] == 0.25
    assert without["relative_l2_per_unknown"] is None
    assert without["relative_l2"] is None
    assert without["reference"] is None
    assert without["backend"] is None


def test_status_decides_success(heat):
    assert not heat.success  # its budget was exhausted
    assert make_solution(heat.problem, [0], status=Status.CONVERGED).success
    assert not make_solution(heat.problem, [0], status=Status.DIVERGED).success


def test_text_and_html_tell_error_cost_and_origin_without_computing(heat, monkeypatch):
    def refuse(*_):
        raise AssertionError("a summary must not evaluate the field")

    with monkeypatch.context() as patch:
        patch.setattr(heat.field, "derivatives", refuse, raising=False)
        assert "0.03 when last measured against closed form" in repr(heat)
    heat.error()
    text = repr(heat)
    assert text.startswith("Solution of heat 1-D: u(x, t) by symbolic")
    assert "0.01 against closed form" in text
    assert "1.00 s set-up + 2.50 s solve" in text
    odd = poisson(2, name="<b>poisson</b>", message="stopped & kept")
    assert "<b>" not in odd._repr_html_()
    assert "stopped &amp; kept" in odd._repr_html_()


def test_evaluation_inside_warns_of_nothing(heat):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        heat.on()
        heat.error()
