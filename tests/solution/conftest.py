"""Solutions that need no backend; see `symbolic_fields`."""

from __future__ import annotations

import pytest
import symbolic_fields

from pdesolve.solution import Solution


@pytest.fixture
def heat() -> Solution:
    return symbolic_fields.heat()


@pytest.fixture
def flow() -> Solution:
    return symbolic_fields.flow()
