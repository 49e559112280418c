"""The scale study on sizes that take no time, and its arithmetic."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import pdesolve as pde
from pdesolve.benchmarks import scaling
from pdesolve.optimize import Adam, GaussNewton


def test_elements_and_nodes_are_counted_as_they_are() -> None:
    cells = [4, 8, 16]
    found = scaling.elements(pde.catalogue("poisson"), cells, 1.5, "n^1.5")
    assert found["sizes"] == [(2 * n + 1) ** 2 for n in cells]  # vertices and midpoints of edges
    assert found["operations_exponent"] == 1.5
    assert min(found["seconds"]) > 0
    nodes = scaling.fourier(pde.catalogue("allen-cahn"), [16, 32])
    assert nodes["sizes"] == [24, 48]


def test_the_cube_is_solved_by_its_sines() -> None:
    solution = pde.solve(scaling.cube(), "fem", size=1 / 6, max_levels=1, progress=False)
    points = np.random.default_rng(0).uniform(size=(50, 3))
    exact = np.sin(np.pi * points).prod(axis=1)
    assert np.linalg.norm(solution(points)[:, 0] - exact) < 0.01 * np.linalg.norm(exact)


def test_steps_are_timed_with_what_they_evaluate() -> None:
    residual = scaling.residual_of(6, compile=False)
    assert len(residual.start()) == 2 * 6**2 + 6 * 6 + 1
    objective = scaling.objective_on(residual, 50)
    seconds, evaluations = scaling.step_seconds(Adam(), objective)
    assert seconds > 0 and evaluations == 1
    _, evaluations = scaling.step_seconds(GaussNewton(trials=1), objective)
    assert evaluations == 2  # the probe of the acceleration, and the loss


def test_totals_agree_where_it_breaks_even() -> None:
    after = scaling.break_even(30.0, 0.001, 0.061)
    assert after == 500
    own, other = (scaling.totals(spent, each, each, [after]) for spent, each in ((30.0, 0.001), (0.0, 0.061)))
    assert own == other
    assert scaling.break_even(30.0, 0.1, 0.05) is None
    assert scaling.totals(0.0, 2.0, 0.5, [1, 2, 8]) == [2.0, 2.0, 4.0]


def test_recorded_trainings_are_quoted(tmp_path: Path) -> None:
    assert scaling.recorded(tmp_path / "none.json") == {}
    found = scaling.recorded(scaling.OPERATORS)
    for record in found.values():
        gain = record["classical_seconds"] - record["seconds_evaluation"]
        expected = (record["seconds_data"] + record["seconds_training"]) / gain
        assert record["breaks_even_after"] == pytest.approx(expected, rel=1e-2)
    assert "burgers-fno" in found


def test_the_figure_of_a_record(tmp_path: Path) -> None:
    lines = scaling.operator(1, [64, 128, 256], 8, 4)
    record = {"size": "degrees of freedom", "curves": {"FNO 1-D": lines}}
    assert json.loads(json.dumps(record)) == record
    scaling.plot({"grid": record}, tmp_path / "scaling.png")
    assert (tmp_path / "scaling.png").read_bytes().startswith(b"\x89PNG")
