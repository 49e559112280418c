"""Good problems are accepted without a warning, and quickly."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from good_problems import GOOD, burgers

import pdesolve.declare as pde


@pytest.mark.parametrize("build", GOOD, ids=lambda build: build.__name__)
def test_accepted_without_a_warning(build: Callable[[], pde.Problem]) -> None:
    problem = build()  # warnings are errors here
    assert len(problem.unknowns) == len(problem.equations)


def test_a_declaration_is_quick() -> None:
    burgers()
    best = min(_seconds(burgers) for _ in range(5))
    assert best < 0.25  # 50 ms is meant; the rest is for busy machines


def _seconds(build: Callable[[], pde.Problem]) -> float:
    start = time.perf_counter()
    build()
    return time.perf_counter() - start
