"""The answer: `Solution` with status, history, cost and error norms; VTK, HDF5 and pictures."""

from .errors import (
    NotFiniteOutputWarning,
    OutputArrayError,
    OutputPathError,
    PointsShapeError,
    ProblemMismatchError,
    ReferenceUnresolvedError,
    ResultFileError,
    UnknownExpressionError,
    UnsupportedOutputError,
)
from .field import Field
from .finding import Finding
from .history import Cost, History
from .norms import ErrorNorms, default_grid
from .output import check_writable
from .references import ResolvedReference, resolve_reference
from .solution import Solution
from .status import Status

__all__ = [
    "Cost",
    "ErrorNorms",
    "Field",
    "Finding",
    "History",
    "NotFiniteOutputWarning",
    "OutputArrayError",
    "OutputPathError",
    "PointsShapeError",
    "ProblemMismatchError",
    "ReferenceUnresolvedError",
    "ResolvedReference",
    "ResultFileError",
    "Solution",
    "Status",
    "UnknownExpressionError",
    "UnsupportedOutputError",
    "check_writable",
    "default_grid",
    "resolve_reference",
]
