"""Sparse Cholesky factors of inverse covariances, column by column optimal.

With measurements from coarse to fine and the pattern

    (i, j) ∈ S   where i ≤ j and ‖x_i - x_j‖ ≤ ρ l_j,

the upper triangular U with that pattern for which N(0, (U Uᵀ)⁻¹) is nearest to N(0, Θ) in the sense of
Kullback and Leibler has the columns

    U_{s_j, j} = Θ_{s_j s_j}⁻¹ e_j / √(e_jᵀ Θ_{s_j s_j}⁻¹ e_j),   s_j = {i : (i, j) ∈ S}.

Columns that are near each other and of one scale share one dense factorisation (a supernode) with the union
of their patterns: of Θ_ss = L Lᵀ, column j is that of L⁻ᵀ. Work O(n ρ⁴), memory O(n ρ²) in the plane, times
logarithms.

Sources: Schäfer, Katzfuss & Owhadi, SIAM J. Sci. Comput. 43 (2021) A2019 (columns, supernodes);
Chen, Owhadi & Schäfer, Math. Comp. 94 (2025), arXiv 2304.01294: point values
before derivatives.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from scipy import linalg, sparse
from scipy.spatial import cKDTree

from ...declare.domain import Array
from .maximin import maximin
from .measurements import Indices

_NEAR = 0.5  # of ρ l: how far from its last column the others of a supernode may lie,
_COARSER = 1.5  # and how much larger their scales may be (λ)
_MORE = 100.0  # nugget of a block that is not positive definite in floating point, over the one before


class Ordering(NamedTuple):
    """Measurements from coarse to fine, group after group.

    Attributes:
        order: their numbers (n,).
        points: (n, 2), in that order.
        lengths: l (n,).
        starts: the position at which each group begins, and n.
    """

    order: Indices
    points: Array
    lengths: Array
    starts: tuple[int, ...]


def ordering(points: Array, groups: Indices) -> Ordering:
    """Group after group in maximin order; measurements of one group at one point follow each other.

    Args:
        points: of all measurements, (n, 2).
        groups: 0, 1, … of each (n,): point values, then first, then second derivatives.
    """
    orders, lengths, starts = [], [], [0]
    for group in range(int(groups.max()) + 1):
        own = np.flatnonzero(groups == group)
        places, inverse = np.unique(points[own], axis=0, return_inverse=True)
        order, scales = maximin(places)
        rank = np.empty(len(places), dtype=np.int64)
        rank[order] = np.arange(len(places))
        ranks = rank[inverse.reshape(-1)]
        sequence = np.argsort(ranks, kind="stable")
        orders.append(own[sequence])
        lengths.append(scales[ranks[sequence]])
        starts.append(starts[-1] + len(own))
    found = np.concatenate(orders)
    return Ordering(found, points[found], np.concatenate(lengths), tuple(starts))


class Supernode(NamedTuple):
    """Positions of columns (c,) and of the rows (m,) that they share, both ascending."""

    columns: Indices
    rows: Indices


def supernodes(ordered: Ordering, rho: float) -> Iterator[Supernode]:
    """Every column once, from fine to coarse."""
    points, lengths = ordered.points, ordered.lengths
    free = np.ones(len(points), dtype=bool)
    search = _Prefixes(ordered)
    for last in range(len(points) - 1, -1, -1):
        if not free[last]:
            continue
        scale = float(lengths[last])
        near = search(last, (_NEAR + _COARSER) * rho * scale)
        away = np.linalg.norm(points[near] - points[last], axis=1)
        begin = max(s for s in ordered.starts if s <= last)
        alike = (near >= begin) & free[near] & (lengths[near] <= _COARSER * scale)
        columns = near[alike & (away <= _NEAR * rho * scale)]
        reach = rho * lengths[columns]
        apart = np.linalg.norm(points[near][:, None] - points[columns], axis=2)
        rows = near[(apart <= reach).any(axis=1)]
        free[columns] = False
        yield Supernode(columns, rows)


class _Prefixes:
    """Those up to a position that are near it: trees of prefixes, each twice as long as the one before.

    A ball at a coarse scale would hold most of the finer points, which are not asked for.
    """

    def __init__(self, ordered: Ordering) -> None:
        self._ordered = ordered
        self._trees: dict[tuple[int, int], cKDTree] = {}

    def __call__(self, last: int, radius: float) -> Indices:
        found = []
        starts = self._ordered.starts
        for begin, end in pairwise(starts):
            if begin > last or begin == end:
                continue
            length = end - begin
            if last < end:
                length = min(length, 1 << (last - begin).bit_length())
            near = self._tree(begin, length).query_ball_point(self._ordered.points[last], radius)
            found.append(begin + np.sort(np.array(near, dtype=np.int64)))
        every = np.concatenate(found)
        return every[every <= last]

    def _tree(self, begin: int, length: int) -> cKDTree:
        if (begin, length) not in self._trees:
            self._trees[begin, length] = cKDTree(self._ordered.points[begin : begin + length])
        return self._trees[begin, length]


class InverseFactor:
    """U with U Uᵀ ≈ Θ⁻¹, for measurements in their own numbers.

    Args:
        covariance: of sorted numbers (m,) the block Θ_ss (m, m), of unit diagonal.
        ordered: the order of the measurements.
        rho: ρ; ``inf`` gives the exact factor.
        nugget: is added to the diagonal.
    """

    def __init__(
        self, covariance: Callable[[Indices], Array], ordered: Ordering, rho: float, nugget: float
    ) -> None:
        values, rows, columns = [], [], []
        for node in supernodes(ordered, rho):
            numbers = ordered.order[node.rows]
            ascending = np.argsort(numbers)
            back = np.empty_like(ascending)
            back[ascending] = np.arange(len(ascending))
            block = covariance(numbers[ascending])[np.ix_(back, back)]
            at = np.searchsorted(node.rows, node.columns)
            values.append(_columns(block, at, nugget).ravel())
            rows.append(np.repeat(node.rows, len(at)))
            columns.append(np.tile(node.columns, len(node.rows)))
        n = len(ordered.order)
        table = (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns)))
        upper = sparse.csc_matrix(table, shape=(n, n))
        upper.eliminate_zeros()
        self.upper = upper
        self._transposed = upper.T.tocsr()
        self._order = ordered.order

    def __call__(self, vector: Array) -> Array:
        """U Uᵀ times a vector (n,)."""
        found = np.empty_like(vector)
        found[self._order] = np.asarray(self.upper @ (self._transposed @ vector[self._order]))
        return found

    @property
    def log_determinant(self) -> float:
        """Of Θ, approximately: -2 Σ log U_jj."""
        return -2 * float(np.log(self.upper.diagonal()).sum())


def _columns(block: Array, at: Indices, nugget: float) -> Array:
    """The columns ``at`` of L⁻ᵀ with L Lᵀ = ``block`` + nugget, (m, columns)."""
    diagonal = np.arange(len(block))
    while True:
        block[diagonal, diagonal] = 1 + nugget
        try:
            lower = linalg.cholesky(block, lower=True, check_finite=False)
            break
        except linalg.LinAlgError:
            nugget *= _MORE
    unit = np.zeros((len(block), len(at)))
    unit[at, np.arange(len(at))] = 1.0
    found = linalg.solve_triangular(lower, unit, lower=True, trans="T", check_finite=False)
    return np.asarray(found)
