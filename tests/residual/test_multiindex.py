"""Combinatorics against SymPy's own differentiation of composite functions and products."""

import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from pdesolve.residual.multiindex import chain_rule, closure, product_rule

X = sp.symbols("x0:3")
INDICES = [(1, 0, 0), (2, 0, 0), (1, 1, 0), (4, 0, 0), (2, 2, 0), (1, 1, 1), (3, 1, 0), (2, 1, 2)]
INNER = sp.exp(X[0]) * sp.sin(X[1] + 2 * X[2]) + X[0] * X[1] ** 2


def differentiate(expression, index):
    for x, n in zip(X, index, strict=True):
        expression = expression.diff(x, n) if n else expression
    return expression


@pytest.mark.parametrize("index", INDICES)
def test_chain_rule_equals_direct_differentiation(index):
    s = sp.Symbol("s")
    outer = sp.tanh(s)
    total = 0
    for coefficient, factors in chain_rule(index):
        term = coefficient * outer.diff(s, len(factors)).subs(s, INNER)
        for factor in factors:
            term *= differentiate(INNER, factor)
        total += term
    direct = differentiate(sp.tanh(INNER), index)
    at = {X[0]: 0.3, X[1]: -0.7, X[2]: 0.2}
    assert float(total.subs(at)) == pytest.approx(float(direct.subs(at)), rel=1e-11)


@pytest.mark.parametrize("index", INDICES)
def test_product_rule_equals_direct_differentiation(index):
    other = sp.cos(X[0] * X[1]) + X[2] ** 3
    total = sum(c * differentiate(INNER, a) * differentiate(other, b) for c, a, b in product_rule(index))
    direct = differentiate(INNER * other, index)
    at = {X[0]: 0.3, X[1]: -0.7, X[2]: 0.2}
    assert float(total.subs(at)) == pytest.approx(float(direct.subs(at)), rel=1e-11)


def test_partitions_are_counted_by_the_bell_numbers():
    """The coefficients of the n-th derivative sum to the number of partitions of n labelled items."""
    for n, bell in enumerate([1, 1, 2, 5, 15, 52, 203]):
        assert sum(c for c, _ in chain_rule((n,))) == bell


@settings(derandomize=True)
@given(st.lists(st.tuples(*[st.integers(0, 3)] * 2), min_size=1, max_size=4))
def test_closure_is_the_least_downward_closed_set(indices):
    closed = set(closure(indices))
    below = {(i, j) for a, b in indices for i in range(a + 1) for j in range(b + 1)}
    assert closed == below
    assert closure(indices)[0] == (0, 0)
