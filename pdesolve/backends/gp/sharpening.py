"""The stretch of an axis in which a function takes the fewest polynomials."""

from __future__ import annotations

import numpy as np
from scipy import fft

from ...declare.domain import Array
from .features import AxisFeatures, Line
from .stretch import Stretch

_WIDTHS = tuple(2.0**-k for k in range(1, 13))  # the widest first
_POINTS = 2048  # half as many for each wave of the finest function that is seen
_GAIN = 0.7  # share of the present features that a first stretch may need,
_BETTER = 0.95  # and share of those that a narrower one may


def sharpened(axis: AxisFeatures, pruned: AxisFeatures, table: Array, tolerance: float) -> AxisFeatures:
    """``pruned``, or polynomials in a stretched coordinate where these are far fewer.

    The layer is where the functions are steepest; its width is the widest of those that serve about equally.

    Args:
        table: coefficients of functions in the features of ``axis``, (functions, r).
        tolerance: share of the largest coefficient that counts.
    """
    if not table.any() or not np.isfinite(table).all():
        return pruned
    steps = np.cos((np.arange(_POINTS) + 0.5) * np.pi / _POINTS)
    centre = 0.0
    if not axis.parity:  # which a stretch about another place would break
        slopes = np.square(axis.matrix(axis.places(steps), 1) @ table.T).sum(axis=1)
        centre = (float(axis.places(steps)[np.argmax(slopes)]) - axis.lower) * axis.slope - 1
    best, count = pruned, int(_GAIN * pruned.count)
    for width in _WIDTHS:
        trial = AxisFeatures(axis.lower, axis.upper, (Line(0.0, 0),), axis.parity, Stretch(centre, width))
        values = axis.matrix(trial.places(steps)) @ table.T
        sizes = np.abs(fft.dct(values, type=2, axis=0)).max(axis=1)
        degree = int(np.flatnonzero(sizes > tolerance * sizes.max())[-1])
        trial = trial.with_lines(Line(0.0, degree))
        if trial.count < count:
            best, count = trial, int(_BETTER * trial.count)
    return best
