"""What goes wrong with filters."""

from __future__ import annotations

from ..declare.errors import PDESolveError


class FilterOptionError(PDESolveError):
    """An option of a filter has a value that makes no sense."""


class FilterDivergenceError(PDESolveError):
    """The forecasts of a filter are not finite."""


__all__ = ["FilterDivergenceError", "FilterOptionError"]
