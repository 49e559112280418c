"""The field of a run: networks at the times of the steps, interpolated between."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.polynomial import chebyshev

from ...declare.domain import Array
from ...residual.program import Derivative
from ...residual.residual import Residual
from ...solution.field import Field

_CHUNK = 16384  # points evaluated at once: bounds the memory of large grids
_NODES = 8  # times that one interpolation uses, where there are as many


class TrajectoryField(Field):
    """u(x, t) by polynomials of degree seven in time through the nearest eight networks of space.

    Args:
        residual: holds the network and its ansatz.
        times: (steps + 1,), increasing.
        thetas: parameters at these times, (steps + 1, p).
        final: the end of time of the problem.
    """

    def __init__(self, residual: Residual, times: Array, thetas: Array, final: float) -> None:
        self._residual, self._times, self._thetas, self._final = residual, times, thetas, final

    @property
    def end(self) -> float | None:
        last = float(self._times[-1])
        return None if last >= self._final else last

    def derivatives(self, points: Array, wanted: Sequence[Derivative]) -> list[Array]:
        in_space = list(dict.fromkeys((k, (*index[:-1], 0)) for k, index in wanted))
        which = [in_space.index((k, (*index[:-1], 0))) for k, index in wanted]
        nodes = min(_NODES, len(self._times))
        interval = np.searchsorted(self._times, points[:, -1], side="right") - 1
        first = np.clip(interval - (nodes // 2 - 1), 0, len(self._times) - nodes)
        result = np.empty((len(wanted), len(points)))
        for begin in np.unique(first).tolist():
            here = np.flatnonzero(first == begin)
            chosen = range(begin, begin + nodes)
            found = np.stack([self._network(node, points[here], in_space) for node in chosen])
            for i, (_, index) in enumerate(wanted):
                weights = _weights(self._times[begin : begin + nodes], points[here, -1], index[-1])
                result[i, here] = (weights * found[:, which[i]].T).sum(axis=1)
        if self.end is not None:
            slack = 1e-12 * (self._final - self._times[0])
            result[:, points[:, -1] > self.end + slack] = np.nan
        return list(result)

    def _network(self, node: int, points: Array, wanted: Sequence[Derivative]) -> Array:
        """Space derivatives (wanted, n) at the time of a step."""
        at = np.column_stack([points[:, :-1], np.full(len(points), self._times[node])])
        theta = torch.as_tensor(self._thetas[node])
        pieces = [
            torch.stack(self._residual.derivatives(theta, chunk, tuple(wanted)))
            for chunk in torch.split(self._residual.tensor(at), _CHUNK)
        ]
        return torch.cat(pieces, dim=1).numpy()

    def arrays(self) -> dict[str, Array]:
        return {"times": self._times, "theta": self._thetas}


def _weights(nodes: Array, times: Array, order: int) -> Array:
    """Weights (n, nodes) of values at the nodes, for the derivative of an order of their polynomial."""
    if len(nodes) == 1:
        return np.full((len(times), 1), float(order == 0))
    middle, half = (nodes[0] + nodes[-1]) / 2, max((nodes[-1] - nodes[0]) / 2, np.finfo(float).tiny)
    coefficients = np.linalg.inv(chebyshev.chebvander((nodes - middle) / half, len(nodes) - 1))
    slopes = chebyshev.chebder(coefficients, order) / half**order  # zero beyond the degree
    return np.asarray(chebyshev.chebvander((times - middle) / half, len(slopes) - 1) @ slopes)
