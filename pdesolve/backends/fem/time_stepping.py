"""Diagonally implicit Runge-Kutta schemes with one diagonal entry: one matrix serves all stages.

A stage at t + c_i h solves R(U_i, V_i) = 0, U_i = H_i + γh V_i, H_i = U_n + h Σ_{j<i} a_ij V_j, that is
V_i = (U_i - H_i)/(γh). Where the equation is of second order in time, V obeys the same formulas with the
accelerations W. The schemes are stiffly accurate: the last stage is the new state, so that algebraic unknowns
(a pressure) and boundary values are met exactly at the end of each step.

Boundary values that change in time lower the order of sdirk3 to about 2.4, as its stages are of order one.

Alexander, SIAM J. Numer. Anal. 14 (1977) 1006-1021, Theorem 5: the L-stable schemes of orders 1 to 3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...declare.domain import Array
from .system import Moment


@dataclass(frozen=True)
class Scheme:
    """A Butcher tableau: ``lower`` holds the rows a_ij, j < i, of each stage; the diagonal is ``gamma``."""

    name: str
    order: int
    gamma: float
    lower: tuple[tuple[float, ...], ...]

    @property
    def nodes(self) -> tuple[float, ...]:
        return tuple(sum(row) + self.gamma for row in self.lower)

    def moment(
        self,
        stage: int,
        time: float,
        step: float,
        start: tuple[Array, Array],
        slopes: Sequence[tuple[Array, Array]],
    ) -> Moment:
        """How rates follow from values in a stage.

        Args:
            stage: its number, from 0.
            time, step: t and h.
            start: U and V at t.
            slopes: V and W of the earlier stages.
        """
        values, rates = start
        for a, (v, w) in zip(self.lower[stage], slopes, strict=True):
            values, rates = values + step * a * v, rates + step * a * w
        alpha = 1 / (self.gamma * step)
        return Moment(time + self.nodes[stage] * step, alpha, -alpha * values, -alpha * rates)


def _alexander3() -> Scheme:
    gamma = float(next(r.real for r in np.roots([1, -3, 3 / 2, -1 / 6]) if 1 / 6 < r.real < 1 / 2))
    tau = (1 + gamma) / 2
    first = -(6 * gamma**2 - 16 * gamma + 1) / 4
    second = (6 * gamma**2 - 20 * gamma + 5) / 4
    return Scheme("sdirk3", 3, gamma, ((), (tau - gamma,), (first, second)))


_GAMMA = 1 - np.sqrt(0.5)

SCHEMES = {
    "implicit-euler": Scheme("implicit-euler", 1, 1.0, ((),)),
    "sdirk2": Scheme("sdirk2", 2, float(_GAMMA), ((), (float(1 - _GAMMA),))),
    "sdirk3": _alexander3(),
}
"""Schemes by name."""
