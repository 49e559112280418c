"""Combinatorics of multi-indices: closures, the chain rule (Faà di Bruno) and the product rule (Leibniz).

A multi-index α = (α_1, …, α_d) counts derivatives in each coordinate; D^α is the derivative itself, not the
Taylor coefficient, so that no factorials enter.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from functools import cache
from itertools import product
from math import comb, prod

from ..declare.problem import MultiIndex

Factors = tuple[MultiIndex, ...]


def closure(indices: Iterable[MultiIndex]) -> tuple[MultiIndex, ...]:
    """The smallest downward-closed set that holds the indices, ordered by total degree.

    D^α of a composition needs every D^β of its inside with β <= α, and nothing else.
    """
    closed = {below for index in indices for below in product(*(range(k + 1) for k in index))}
    return tuple(sorted(closed, key=lambda a: (sum(a), tuple(-k for k in a))))


def unit(axis: int, dimension: int) -> MultiIndex:
    """The first derivative along one axis."""
    return tuple(int(i == axis) for i in range(dimension))


def add(a: MultiIndex, b: MultiIndex) -> MultiIndex:
    return tuple(i + j for i, j in zip(a, b, strict=True))


@cache
def chain_rule(index: MultiIndex) -> tuple[tuple[int, Factors], ...]:
    """Faà di Bruno's formula: D^α σ(a) = Σ c · σ^(k)(a) · Π_{j=1..k} D^{β_j} a.

    Returns pairs (c, (β_1, …, β_k)); k is the number of factors.

    >>> chain_rule((2,))
    ((1, ((1,), (1,))), (1, ((2,),)))
    """
    dimension = len(index)
    axis = next((i for i, k in enumerate(index) if k), None)
    if axis is None:
        return ((1, ()),)
    step = unit(axis, dimension)
    below = tuple(k - s for k, s in zip(index, step, strict=True))
    # Differentiate every term of D^(α-e) once more along e: the outer derivative gains the factor D^e a,
    # each inner factor in turn gains one order.
    terms: Counter[Factors] = Counter()
    for coefficient, factors in chain_rule(below):
        terms[tuple(sorted((*factors, step)))] += coefficient
        for j, factor in enumerate(factors):
            raised = (*factors[:j], add(factor, step), *factors[j + 1 :])
            terms[tuple(sorted(raised))] += coefficient
    return tuple(sorted(((c, f) for f, c in terms.items()), key=lambda term: (-len(term[1]), term[1])))


@cache
def product_rule(index: MultiIndex) -> tuple[tuple[int, MultiIndex, MultiIndex], ...]:
    """Leibniz: D^α(f g) = Σ_β c · D^β f · D^(α-β) g; returns (c, β, α-β).

    >>> product_rule((2,))
    ((1, (0,), (2,)), (2, (1,), (1,)), (1, (2,), (0,)))
    """
    return tuple(
        (
            prod(comb(n, k) for n, k in zip(index, beta, strict=True)),
            beta,
            tuple(n - k for n, k in zip(index, beta, strict=True)),
        )
        for beta in product(*(range(k + 1) for k in index))
    )
