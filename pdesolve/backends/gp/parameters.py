"""Unknown parameters beside the coefficients: how they are held, and how residuals depend on them.

A parameter that must be positive is held as its logarithm, so that every step leaves it positive and relative
changes count; others are held as they are.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ...declare.domain import Array
from ...declare.symbols import Parameter


def started(parameters: Sequence[Parameter]) -> Array:
    """The starts as they are held, (q,)."""
    starts = [float(p.start or 0.0) for p in parameters]
    pairs = zip(parameters, starts, strict=True)
    return np.array([math.log(start) if p.must_be_positive else start for p, start in pairs])


def values(parameters: Sequence[Parameter], held: Array) -> list[float]:
    """The parameters themselves."""
    pairs = zip(parameters, held.tolist(), strict=True)
    return [_exp(number) if p.must_be_positive else number for p, number in pairs]


def rates(parameters: Sequence[Parameter], held: Array) -> list[float]:
    """∂(parameter) / ∂(as it is held)."""
    pairs = zip(parameters, values(parameters, held), strict=True)
    return [value if p.must_be_positive else 1.0 for p, value in pairs]


def _exp(number: float) -> float:
    return math.exp(number) if number < 709.0 else math.inf
