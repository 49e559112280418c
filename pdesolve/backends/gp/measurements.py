"""Measurements of a process: what equations and conditions say at points, and their covariances.

A measurement is φ_i(u) = Σ_q a_iq (O_q u)(x_i) with operators O_q such as -∂²/∂x² - ∂²/∂y². Under independent
processes with the kernel k for all unknowns

    Θ_ij = cov(φ_i, φ_j) = Σ_pq a_ip a_jq O_p^x O_q^x' k(x_i, x_j).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ...declare.domain import Array
from .radial import Operator, RadialKernel, pair

Indices = NDArray[np.int64]

_CHUNK = 1 << 14  # numbers in one array of intermediate values: they stay in the processor's cache
_TILE = 256  # rows of a symmetric matrix that are made at once


@dataclass(frozen=True, eq=False)
class Block:
    """Measurements of one form.

    Attributes:
        points: (n, 2).
        operators: O_q.
        weights: a (n, q).
    """

    points: Array
    operators: tuple[Operator, ...]
    weights: Array

    def __len__(self) -> int:
        return len(self.points)

    def take(self, which: Indices) -> Block:
        """Those of numbers ``which``."""
        return Block(self.points[which], self.operators, self.weights[which])

    def part(self, which: slice) -> Block:
        """Some that follow each other."""
        return Block(self.points[which], self.operators, self.weights[which])

    def scaled(self, factors: Array) -> Block:
        """Each measurement multiplied by a number (n,)."""
        return Block(self.points, self.operators, self.weights * factors[:, None])


def merged(operators: Sequence[Operator], weights: Array) -> tuple[tuple[Operator, ...], Array]:
    """The same measurements with fewer operators: columns of weights that are multiples of one become one.

    An equation with constant coefficients is a single operator, whatever its order.
    """
    kept: list[tuple[Operator, Array]] = []
    for operator, column in zip(operators, weights.T, strict=True):
        if not column.any():
            continue
        for position, (before, base) in enumerate(kept):
            ratio = float(column @ base / (base @ base))
            if np.abs(column - ratio * base).max() <= 1e-14 * np.abs(column).max():
                more = tuple((k, index, ratio * factor) for k, index, factor in operator)
                kept[position] = (before + more, base)
                break
        else:
            kept.append((operator, column))
    return tuple(o for o, _ in kept), np.stack([c for _, c in kept], axis=1)


def _tables(
    kernel: RadialKernel, rows: Block, columns: Block
) -> Iterator[tuple[slice, list[list[Array | None]]]]:
    """O_p^x O_q^x' k for all pairs of operators, a few rows at a time; None where it is zero."""
    polynomials = [[pair(p, q) for q in columns.operators] for p in rows.operators]
    highest = max((p for line in polynomials for each in line for p in each), default=0)
    step = max(1, _CHUNK // max(1, len(columns)))
    for first in range(0, len(rows), step):
        part = slice(first, first + step)
        d1 = rows.points[part, :1] - columns.points[:, 0]
        d2 = rows.points[part, 1:] - columns.points[:, 1]
        radial = kernel.radial(d1 * d1 + d2 * d2, highest)
        yield part, [[kernel.combine(q, radial, d1, d2) if q else None for q in line] for line in polynomials]


def covariance(kernel: RadialKernel, rows: Block, columns: Block, out: Array | None = None) -> Array:
    """Θ between two blocks, (rows, columns)."""
    result = np.empty((len(rows), len(columns))) if out is None else out
    for part, tables in _tables(kernel, rows, columns):
        total: Array | float = 0.0
        for a, line in zip(rows.weights[part].T, tables, strict=True):
            for b, table in zip(columns.weights.T, line, strict=True):
                if table is not None:
                    total = total + (a[:, None] * b) * table
        result[part] = total
    return result


def applied(kernel: RadialKernel, rows: Block, columns: Block) -> Array:
    """Σ_j Σ_q b_jq O_p^x O_q^x' k(x_i, x_j) for each operator of ``rows``, (rows, operators)."""
    result = np.zeros((len(rows), len(rows.operators)))
    for part, tables in _tables(kernel, rows, columns):
        for p, line in enumerate(tables):
            for b, table in zip(columns.weights.T, line, strict=True):
                if table is not None:
                    result[part, p] += table @ b
    return result


def variances(kernel: RadialKernel, block: Block) -> Array:
    """Θ_ii (n,)."""
    zero = np.zeros(1)
    radial = kernel.radial(zero, 4)
    result = np.zeros(len(block))
    for a, p in zip(block.weights.T, block.operators, strict=True):
        for b, q in zip(block.weights.T, block.operators, strict=True):
            result += a * b * float(kernel.combine(pair(p, q), radial, zero, zero)[0])
    return result


@dataclass(frozen=True, eq=False)
class Measurements:
    """Blocks of measurements, numbered through, each of unit variance."""

    kernel: RadialKernel
    blocks: tuple[Block, ...]

    @cached_property
    def starts(self) -> list[int]:
        """Number of the first measurement of each block, and of all."""
        return np.cumsum([0, *map(len, self.blocks)]).tolist()  # type: ignore[no-any-return]

    def __len__(self) -> int:
        return self.starts[-1]

    def matrix(self, which: Indices) -> Array:
        """Θ (m, m) of those of sorted numbers ``which``."""
        ends = np.searchsorted(which, self.starts)
        parts = [
            (first, block.take(which[first:last] - start))
            for block, start, first, last in zip(self.blocks, self.starts, ends[:-1], ends[1:], strict=False)
            if last > first
        ]
        result = np.empty((len(which), len(which)))
        for i, (at, rows) in enumerate(parts):
            for tile in _tiles(len(rows)):
                across = slice(at + tile.start, at + tile.stop)
                some = rows.part(tile)
                for before, columns in parts[:i]:
                    covariance(self.kernel, some, columns, result[across, before : before + len(columns)])
                covariance(
                    self.kernel, some, rows.part(slice(0, tile.stop)), result[across, at : across.stop]
                )
                result[: across.start, across] = result[across, : across.start].T
        return result

    def product(self, vector: Array) -> Array:
        """Θ times a vector (n,), for which Θ is made anew a few rows at a time."""
        own = [b.scaled(vector[i : i + len(b)]) for b, i in zip(self.blocks, self.starts, strict=False)]
        rows = []
        for block in self.blocks:
            total = sum(applied(self.kernel, block, columns) for columns in own)
            rows.append(np.sum(block.weights * total, axis=1))
        return np.concatenate(rows)


def _tiles(n: int) -> Iterator[slice]:
    for first in range(0, n, _TILE):
        yield slice(first, min(n, first + _TILE))
