"""Values on a uniform grid in space as a function of points: tensor products of splines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ..declare.domain import Array
from ..residual.program import Derivative
from ..solution.field import Field

DEGREE = 5


class SplineField(Field):
    """u_k(x) = Σ c_k,i B_i(x), through the values; for steady problems on boxes.

    Args:
        axes: coordinates of the grid, one array for each axis, ends included.
        values: (unknowns, *grid).
        degree: of the splines.
    """

    def __init__(self, axes: Sequence[Array], values: Array, degree: int = DEGREE) -> None:
        self.axes, self.values_on_grid = tuple(np.asarray(a) for a in axes), np.asarray(values)
        self._degrees = [min(degree, len(a) - 1) for a in self.axes]
        self._knots, self._coefficients = self._interpolate()

    def _interpolate(self) -> tuple[list[Array], Array]:
        from scipy.interpolate import make_interp_spline

        coefficients, knots = self.values_on_grid, []
        for axis, (x, degree) in enumerate(zip(self.axes, self._degrees, strict=True), 1):
            spline = make_interp_spline(x, np.moveaxis(coefficients, axis, 0), k=degree)
            knots.append(np.asarray(spline.t))
            coefficients = np.moveaxis(np.asarray(spline.c), 0, axis)
        return knots, np.ascontiguousarray(coefficients)

    def derivatives(self, points: Array, wanted: Sequence[Derivative]) -> list[Array]:
        from scipy.interpolate import NdBSpline

        points = np.asarray(points, dtype=np.float64)
        splines = {
            k: NdBSpline(tuple(self._knots), self._coefficients[k], tuple(self._degrees), extrapolate=True)
            for k in {k for k, _ in wanted}
        }
        return [np.asarray(splines[k](points, nu=tuple(index))) for k, index in wanted]

    def arrays(self) -> dict[str, Array]:
        return {"values": self.values_on_grid} | {f"axis {i}": a for i, a in enumerate(self.axes)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array]) -> SplineField:
        axes = [arrays[f"axis {i}"] for i in range(len(arrays) - 1)]
        return cls(axes, arrays["values"])


__all__ = ["SplineField"]
