"""Checks of the reference, so that a mistake in it is told before any work, not after."""

from __future__ import annotations

import numpy as np

from ..errors import PDESolveError, ReferenceDataError, UndeclaredSymbolError
from ..problem import Problem
from ..symbols import applied_functions
from .facts import names

TRIED = 5
"""Points at which a reference function is tried."""


def check_reference(problem: Problem) -> None:
    """Closed forms hold known symbols only; a function returns numbers of the right shape.

    Raises:
        UndeclaredSymbolError: an expression holds an undeclared symbol.
        ReferenceDataError: an expression holds an unknown, or a function raises or returns a wrong shape.
    """
    reference, who = problem.reference, f"Problem {problem.name!r}, reference"
    if reference is None:
        return
    if reference.expressions is not None:
        if len(reference.expressions) != len(problem.unknowns):
            raise ReferenceDataError(
                who,
                f"an expression for each of {names(problem.unknowns)}",
                f"{len(reference.expressions)} expressions",
                "Give one for each unknown, in their order.",
            )
        for expression in reference.expressions:
            _check_expression(problem, who, expression)
    if reference.function is not None:
        _try(problem, who)


def _check_expression(problem: Problem, who: str, expression: object) -> None:
    closed = problem.substitute(expression)
    if functions := applied_functions(closed):
        raise ReferenceDataError(
            who, "an expression in coordinates and parameters", names(functions), "Put in its closed form."
        )
    strange = closed.free_symbols.difference(problem.coordinates)
    if strange:
        raise UndeclaredSymbolError(
            who,
            f"the coordinates {names(problem.coordinates)} and parameters with a value",
            f"the symbol {names(sorted(map(str, strange)))}",
            "Use the declared symbols, or add parameters={symbol: value}.",
        )


def _try(problem: Problem, who: str) -> None:
    points = problem.domain.cover(TRIED)
    k = len(problem.unknowns)
    try:
        values = np.asarray(problem.reference.function(points.copy()), dtype=np.float64)
    except PDESolveError:
        raise
    except Exception as error:  # it is the user's own function: anything may come out of it
        raise ReferenceDataError(
            who,
            f"a function of points of shape (n, {points.shape[1]}) that returns numbers",
            f"{type(error).__name__}: {error}",
            f"Correct the function: its columns are {names(problem.coordinates)}.",
        ) from error
    if values.shape != (TRIED, k) and not (k == 1 and values.shape == (TRIED,)):
        raise ReferenceDataError(
            who,
            f"an array of shape ({TRIED}, {k}) for {TRIED} points",
            f"shape {values.shape}",
            f"Return one column for each of {names(problem.unknown_names)}.",
        )
