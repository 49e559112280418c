"""The prepared matrices: ``quick``, ``papers`` and ``full``."""

from __future__ import annotations

from collections.abc import Callable

from pdesolve.declare import PDESolveError

from .job import Job


class UnknownSuiteError(PDESolveError):
    """No suite has this name."""


def quick() -> list[Job]:
    """Every backend on problems that suit it, in under ten minutes on two cores."""
    return [Job("convection", "spectral", {"beta": 1}, {"rtol": 1e-4}, series="spectral")]


SUITES: dict[str, Callable[[], list[Job]]] = {"quick": quick}


def suite(name: str) -> list[Job]:
    """The jobs of a suite.

    Raises:
        UnknownSuiteError: there is none of this name.
    """
    if name not in SUITES:
        raise UnknownSuiteError("bench --suite", f"one of {', '.join(SUITES)}", repr(name), "Name one.")
    return SUITES[name]()
