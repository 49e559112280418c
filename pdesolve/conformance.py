"""Tests that every backend inherits: what the driver, the files and the command line rely on.

A backend's test file derives a class and supplies a backend and a problem that it solves quickly:

    class TestSpectral(BackendConformance):
        backend = Spectral(n=64, dt=0.01)
        steps = 50
        tolerance = 1e-6

        def problem(self):
            return pde.catalogue("convection", beta=1)

The tests are plain methods with assertions; any runner that collects ``test_*`` runs them.
"""

from __future__ import annotations

import json
import re
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np

from . import checkpoint as checkpoints
from .backends.base import Backend, Context
from .declare import Problem
from .driver import UnsupportedProblemError, load, solve


class BackendConformance:
    """Derive, set the four attributes, override `problem`; see the module's text.

    Attributes:
        backend: the backend with options for a quick solve.
        steps: units of work after which the answer is tested.
        tolerance: relative L2 error that it must then have, against the problem's own reference.
        is_exactly_repeatable: False, with a reason in the deriving class, where bits may differ.
    """

    backend: Backend
    steps: int = 100
    tolerance: float = 1e-3
    is_exactly_repeatable: bool = True

    def problem(self) -> Problem:
        """A problem that the backend supports, with a reference that is no backend's."""
        raise AssertionError("override problem()")

    def unsupported(self) -> Problem | None:
        """A problem that the backend cannot solve; None where there is none."""
        return None

    # -- options and contract

    def test_options_are_a_frozen_dataclass_with_a_described_interface(self) -> None:
        kind = type(self.backend)
        assert is_dataclass(kind)
        assert kind.__dataclass_params__.frozen  # type: ignore[attr-defined]
        assert kind.name
        assert kind.summary
        assert kind.citations
        described = re.findall(r"^\s+((?:\w+, )*\w+): ", kind.__doc__ or "", re.MULTILINE)
        documented = {name for names in described for name in names.split(", ")}
        documented |= set(re.findall(r"[;,] (\w+): ", kind.__doc__ or ""))
        missing = {f.name for f in fields(kind) if f.init} - documented
        assert not missing, f"options without a description: {missing}"
        json.dumps(checkpoints.plain(self.backend))

    def test_supports_answers_with_reasons(self) -> None:
        assert self.backend.supports(self.problem()) == []

    def test_state_goes_through_a_checkpoint_file(self, tmp_path: Path) -> None:
        context = Context(seed=1)
        problem = self.problem()
        state = self.backend.start(problem, context)
        for _ in range(3):
            self.backend.advance(state)
        checkpoints.write(tmp_path / "state", {"state": checkpoints.pack(state)})
        packed = checkpoints.read(tmp_path / "state")["state"]
        restored = checkpoints.unpack(packed, self.backend.start(problem, Context(seed=1, resuming=True)))
        for _ in range(3):  # the second step sees what the first made of moments and generators
            self.backend.advance(state)
            self.backend.advance(restored)
        first, second = (self.backend.field(s).arrays() for s in (state, restored))
        assert (
            all(np.array_equal(first[name], second[name]) for name in first) or not self.is_exactly_repeatable
        )

    # -- answers

    def _solve(self, **changes: Any) -> Any:
        arguments = {"steps": self.steps, "seed": 0, **changes}
        return solve(self.problem(), self.backend, progress=False, **arguments)

    def test_the_answer_is_right(self) -> None:
        solution = self._solve()
        assert solution.success
        assert solution.error().relative_l2 < self.tolerance

    def test_derivatives_are_those_of_the_values(self) -> None:
        """Central differences of the values, which know nothing of the field's own derivatives."""
        problem = self.problem()
        solution = self._solve(steps=max(1, self.steps // 4))
        lower, upper = problem.domain.bounds.T
        rng = np.random.default_rng(0)
        inner = lower + (0.1 + 0.8 * rng.random((200, len(lower)))) * (upper - lower)
        if not problem.domain.is_box:
            inner = inner[problem.domain.distance(inner) > 1e-3 * (upper - lower).max()]
        inner = inner[:20]
        for axis, coordinate in enumerate(problem.coordinates):
            step = 1e-4 * (upper - lower)[axis]
            shift = step * np.eye(len(lower))[axis]
            quotient = (solution(inner + shift) - solution(inner - shift)) / (2 * step)
            for k, u in enumerate(problem.unknowns):
                exact = solution.derivative(inner, u.diff(coordinate))
                scale = np.abs(exact).max() + np.abs(solution(inner)).max() / (upper - lower)[axis]
                assert np.abs(exact - quotient[:, k]).max() < 1e-4 * scale

    def test_equal_seeds_give_equal_answers(self) -> None:
        if not self.is_exactly_repeatable:
            return
        steps = max(1, self.steps // 4)
        first, second = (self._solve(steps=steps).field.arrays() for _ in range(2))
        assert all(np.array_equal(first[name], second[name]) for name in first)

    def test_a_saved_solution_loads_with_the_same_values(self, tmp_path: Path) -> None:
        solution = self._solve(steps=max(1, self.steps // 4), seed=3)  # which a file must not forget
        loaded = load(solution.save(tmp_path / "u.h5"), self.problem())
        points = self.problem().domain.sample(40, np.random.default_rng(1))
        assert np.array_equal(solution(points), loaded(points))
        assert loaded.status is solution.status

    def test_resuming_gives_the_same_answer_as_going_on(self, tmp_path: Path) -> None:
        path = tmp_path / "run.ckpt"
        whole = self._solve()
        self._solve(steps=max(1, self.steps // 3), checkpoint=path)
        resumed = self._solve(checkpoint=path)
        points = self.problem().domain.sample(40, np.random.default_rng(1))
        if self.is_exactly_repeatable:
            assert np.array_equal(whole(points), resumed(points))
        else:
            assert np.allclose(whole(points), resumed(points), atol=self.tolerance)

    def test_unsupported_problems_are_refused_in_words(self) -> None:
        problem = self.unsupported()
        if problem is None:
            return
        reasons = self.backend.supports(problem)
        assert reasons
        assert all(len(reason) > 10 for reason in reasons)
        try:
            solve(problem, self.backend, steps=1)
        except UnsupportedProblemError as error:
            assert reasons[0] in str(error)
        else:
            raise AssertionError("solve() accepted what the backend does not support")
