"""A function of time as a polynomial on each of many steps: what implicit collocation leaves behind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...declare.domain import Array


@dataclass(frozen=True)
class Steps:
    """Vectors at the same relative places ``nodes`` of every step.

    Attributes:
        edges: of the steps, (m + 1,).
        nodes: in [0, 1], the first 0 and the last 1, (p + 1,).
        values: (m, p + 1, size).
    """

    edges: Array
    nodes: Array
    values: Array

    def place(self, times: Array) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        """The step that each time lies in; -1 outside of all."""
        slack = 1e-12 * max(float(np.abs(self.edges).max()), float(np.ptp(self.edges)))
        step = np.clip(np.searchsorted(self.edges, times, side="left") - 1, 0, len(self.edges) - 2)
        outside = (times < self.edges[0] - slack) | (times > self.edges[-1] + slack)
        return np.where(outside, -1, step).astype(np.int64)

    def weights(self, step: int, times: Array, order: int) -> Array:
        """Weights of the nodes of a step for the derivative of ``order``, (n, p + 1)."""
        start, end = self.edges[step : step + 2]
        local = (times - start) / (end - start)
        return np.asarray(lagrange(self.nodes, local, order) / (end - start) ** order)

    def at(self, times: Array, order: int = 0) -> Array:
        """The derivative of ``order`` at ``times`` (n,), (n, size); NaN outside."""
        result = np.full((len(times), self.values.shape[2]), np.nan)
        place = self.place(times)
        for step in np.unique(place[place >= 0]):
            inside = place == step
            result[inside] = self.weights(int(step), times[inside], order) @ self.values[step]
        return result


def lagrange(nodes: Array, x: Array, order: int = 0) -> Array:
    """The derivatives of ``order`` of the Lagrange polynomials of ``nodes`` at ``x`` (n,), (n, nodes)."""
    polynomials = [np.polynomial.Polynomial.fromroots(np.delete(nodes, j)) for j in range(len(nodes))]
    columns = [
        (p.deriv(order) if order else p)(x) / p(node) for p, node in zip(polynomials, nodes, strict=True)
    ]
    return np.stack(columns, axis=-1)


def top_coefficients(nodes: Array, values: Array) -> Sequence[Array]:
    """The two highest Legendre coefficients of the polynomial through ``values`` (nodes, size)."""
    table = np.linalg.inv(np.polynomial.legendre.legvander(2 * nodes - 1, len(nodes) - 1))
    return table[-1] @ values, table[-2] @ values
