"""The grid provider for linear elliptic equations: finite volumes on uniform nodes, many members at once."""

from .elliptic import Stencil
from .form import EllipticForm
from .levels import converged
from .response import Response, response

__all__ = ["EllipticForm", "Response", "Stencil", "converged", "response"]
