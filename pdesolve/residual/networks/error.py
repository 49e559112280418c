"""The error of networks that cannot be made."""

from __future__ import annotations

from ...declare.errors import PDESolveError


class NetworkError(PDESolveError):
    """A network of this name or with these options does not exist."""
