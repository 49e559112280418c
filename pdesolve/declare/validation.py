"""Checks of a declaration, made before any work starts."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .problem import Problem


def validate(problem: Problem) -> None:
    """Refuse what cannot be solved as declared."""
