"""Checks of options: of backends, and of the objects that their options hold."""

from __future__ import annotations

import math
from typing import Any

from ..declare import PDESolveError


class BackendOptionError(PDESolveError):
    """A backend does not know an option, or the option has a wrong value."""


def require(owner: Any, option: str, holds: bool, expected: str) -> None:
    """Refuse a value of an option; called in ``__post_init__``.

    Raises:
        BackendOptionError: ``holds`` is False.
    """
    if not holds:
        raise BackendOptionError(
            f"{type(owner).__name__}({option}=)",
            expected,
            repr(getattr(owner, option)),
            "Change the option.",
        )


def require_count(owner: Any, *options: str, least: int = 1) -> None:
    """Refuse all but whole numbers of at least ``least``."""
    for option in options:
        value = getattr(owner, option)
        holds = isinstance(value, int) and not isinstance(value, bool) and value >= least
        require(owner, option, holds, f"a whole number of at least {least}")


def require_number(owner: Any, *options: str, above: float | None = None, least: float = -math.inf) -> None:
    """Refuse all but finite numbers, greater than ``above`` and of at least ``least``."""
    lower = f"greater than {above:g}" if above is not None else f"of at least {least:g}"
    expected = "a finite number" + (f" {lower}" if above is not None or math.isfinite(least) else "")
    for option in options:
        holds = is_number(getattr(owner, option))
        if holds:
            value = getattr(owner, option)
            holds = value >= least and (above is None or value > above)
        require(owner, option, holds, expected)


def require_positive(owner: Any, *options: str) -> None:
    """Refuse all but positive finite numbers."""
    for option in options:
        value = getattr(owner, option)
        require(owner, option, is_number(value) and value > 0, "a positive number")


def is_number(value: Any) -> bool:
    """True for finite numbers other than booleans."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
