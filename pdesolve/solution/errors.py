"""Errors and warnings of results: evaluation, references and files."""

from __future__ import annotations

from ..declare.errors import PDESolveError, PDESolveWarning


class PointsShapeError(PDESolveError):
    """Evaluation points do not have the shape (n, d)."""


class UnknownExpressionError(PDESolveError):
    """An expression to evaluate holds something that the problem does not declare."""


class ReferenceUnresolvedError(PDESolveError):
    """There is no reference to compare with, or it must be computed by a backend first."""


class OutputPathError(PDESolveError):
    """A file or folder cannot be written where it was asked for."""


class ResultFileError(PDESolveError):
    """A file is no result of this library, is damaged, or holds what is never followed (external links)."""


class ProblemMismatchError(PDESolveError):
    """A result belongs to another problem than the one given, or needs a problem that was not given."""


class OutputArrayError(PDESolveError):
    """Names of output arrays collide or are empty, or values are not finite."""


class UnsupportedOutputError(PDESolveError):
    """A file format or picture cannot show a problem of this dimension."""


class NotFiniteOutputWarning(PDESolveWarning):
    """A derived array (residual, reference, error) was written with points that are not finite."""
