"""Checks of the options of samplers."""

from __future__ import annotations

import math
from typing import Any

from ...base import BackendOptionError


def require(sampler: Any, option: str, holds: bool, expected: str) -> None:
    """Refuse a value of an option; called in ``__post_init__``.

    Raises:
        BackendOptionError: ``holds`` is False.
    """
    if not holds:
        raise BackendOptionError(
            f"{type(sampler).__name__}({option}=)",
            expected,
            repr(getattr(sampler, option)),
            "Change the option.",
        )


def require_count(sampler: Any, *options: str, least: int = 1) -> None:
    """Refuse all but whole numbers of at least ``least``."""
    for option in options:
        value = getattr(sampler, option)
        holds = isinstance(value, int) and not isinstance(value, bool) and value >= least
        require(sampler, option, holds, f"a whole number of at least {least}")


def require_number(sampler: Any, *options: str, above: float | None = None, least: float = -math.inf) -> None:
    """Refuse all but finite numbers, greater than ``above`` and of at least ``least``."""
    lower = f"greater than {above:g}" if above is not None else f"of at least {least:g}"
    expected = "a finite number" + (f" {lower}" if above is not None or math.isfinite(least) else "")
    for option in options:
        holds = is_number(getattr(sampler, option))
        if holds:
            value = getattr(sampler, option)
            holds = value >= least and (above is None or value > above)
        require(sampler, option, holds, expected)


def is_number(value: Any) -> bool:
    """True for finite numbers other than booleans."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
