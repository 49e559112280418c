"""Peaks of memory against allocations of known size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from pdesolve.benchmarks import memory
from pdesolve.benchmarks.memory import peak_bytes

MEGABYTES = 1 << 20

needs_proc = pytest.mark.skipif(peak_bytes(lambda: None) is None, reason="nobody tells the peak here")


@needs_proc
@pytest.mark.parametrize("size", [20, 80])
def test_the_peak_is_what_a_run_allocates_and_frees(size: int) -> None:
    def one_after_the_other() -> None:
        for _ in range(3):
            np.ones(size * MEGABYTES, dtype=np.uint8)

    def together() -> None:
        held = [torch.ones(size * MEGABYTES, dtype=torch.uint8) for _ in range(3)]
        assert len(held) == 3

    assert peak_bytes(one_after_the_other) == pytest.approx(size * MEGABYTES, abs=4 * MEGABYTES)
    assert peak_bytes(together) == pytest.approx(3 * size * MEGABYTES, abs=4 * MEGABYTES)


@needs_proc
def test_earlier_peaks_and_what_was_held_before_do_not_count() -> None:
    held = np.ones(50 * MEGABYTES, dtype=np.uint8)
    np.ones(100 * MEGABYTES, dtype=np.uint8)
    found = peak_bytes(lambda: np.ones(10 * MEGABYTES, dtype=np.uint8))
    assert found == pytest.approx(10 * MEGABYTES, abs=4 * MEGABYTES)
    assert held.nbytes == 50 * MEGABYTES


def test_without_proc_it_is_none_and_nothing_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "MARKS", tmp_path / "missing" / "clear_refs")
    runs: list[int] = []
    assert peak_bytes(lambda: runs.append(1)) is None
    assert not runs
