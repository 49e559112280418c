"""Neural time stepping: a network of space alone, whose parameters follow the equation through time."""

from .teng import TENG

__all__ = ["TENG"]
