"""Where an expression stops being smooth: poles, branch points of roots and logarithms.

Data of a boundary are given there alone, but a lift carries them into the region: log(x² + y²) is smooth on
a circle around the origin, and has no finite value inside it.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import sympy as sp

from ..declare import Domain
from ..declare.domain import Array
from .program import lower

_POINTS = 4096

NOT_SMOOTH = (
    sp.Abs,
    sp.sign,
    sp.Heaviside,
    sp.Piecewise,
    sp.Min,
    sp.Max,
    sp.Mod,
    sp.floor,
    sp.ceiling,
    sp.DiracDelta,
)
"""Functions with kinks or jumps."""


def is_smooth_inside(expression: sp.Expr, domain: Domain) -> bool:
    """Whether no denominator, and no argument of a root or logarithm, vanishes in the domain.

    Each is looked at in 4096 points with its gradient: it counts as vanishing where it is smaller than what
    it changes by between two points. So a zero that lies outside, but nearer than that, counts as well.
    """
    bases = list(dict.fromkeys(_critical(expression)))
    if not bases:
        return True
    points = domain.cover(_POINTS)
    steps = np.ptp(domain.bounds, axis=1) * _POINTS ** (-1 / len(domain.axes))

    def values(part: sp.Expr) -> Array:
        found = np.asarray(lower(domain.coordinates, part, "numpy")(*points.T))
        return np.broadcast_to(found, (len(points),))

    with np.errstate(all="ignore"):
        for base in bases:
            size = np.abs(values(base))
            changes = [
                np.abs(values(base.diff(c))) * h for c, h in zip(domain.coordinates, steps, strict=True)
            ]
            if not np.all(size > np.sum(changes, axis=0)):  # NaN counts as vanishing
                return False
        return bool(np.all(np.isfinite(values(expression))))


def _critical(expression: sp.Expr) -> Iterator[sp.Expr]:
    """The parts of an expression whose zeros are its singularities."""
    for part in sp.preorder_traversal(expression):
        if isinstance(part, sp.Pow) and not (part.exp.is_integer and part.exp.is_nonnegative):
            if part.base.free_symbols:
                yield part.base
        elif isinstance(part, sp.log):
            yield part.args[0]
        elif isinstance(part, sp.tan | sp.sec):
            yield sp.cos(part.args[0])
        elif isinstance(part, sp.cot | sp.csc):
            yield sp.sin(part.args[0])
        elif isinstance(part, sp.atan2):
            yield part.args[0] ** 2 + part.args[1] ** 2
