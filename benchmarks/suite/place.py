"""The machine that a result comes from, with the name that reports call it by."""

from __future__ import annotations

from typing import Any

from pdesolve.benchmarks.machine import machine


def this_machine() -> dict[str, Any]:
    """Processor, cores, threads, load, versions and date; ``name`` is processor and number of cores."""
    facts = machine()
    return {**facts, "name": f"{facts['processor']}, {facts['cores']} cores"}
