"""Names and units as they appear in files and pictures."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from ..declare.problem import Problem
from .errors import OutputArrayError


def unit_of(problem: Problem, symbol: Any) -> str:
    """The unit of an unknown or coordinate; empty where none was declared."""
    name = symbol.func.__name__ if hasattr(symbol, "func") and not symbol.is_Symbol else str(symbol)
    return str(problem.units.get(symbol, problem.units.get(name, "")))


def axis_label(problem: Problem, symbol: Any) -> str:
    """``"x [m]"``, or ``"x"`` without a unit."""
    name = symbol.name if symbol.is_Symbol else symbol.func.__name__
    unit = unit_of(problem, symbol)
    return f"{name} [{unit}]" if unit else str(name)


def clean(name: str) -> str:
    """A name of letters, digits and underscores: what every calculator and file system takes."""
    return re.sub(r"\W+", "_", name).strip("_")


def clean_all(names: Iterable[str], who: str) -> dict[str, str]:
    """Each name with its clean form.

    Raises:
        OutputArrayError: a clean name is empty, or two names become one.
    """
    cleaned: dict[str, str] = {}
    for name in names:
        short = clean(name)
        twin = next((other for other, used in cleaned.items() if used == short), None)
        if not short or twin is not None:
            got = f"{name!r}" if not short else f"{twin!r} and {name!r}, both {short!r}"
            raise OutputArrayError(who, "different names of letters and digits", got, "Rename one of them.")
        cleaned[name] = short
    return cleaned
