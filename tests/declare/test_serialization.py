"""Problems survive a round trip through JSON; whatever else a file holds is refused."""

from __future__ import annotations

import json
import os
import pickle
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import sympy as sp
from good_problems import GOOD, LINE, heat, inverse_heat, nu, t, taylor_green, u, v, w, x
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from region_problems import ON_REGIONS, poisson_disk_neumann

import pdesolve.declare as pde
from pdesolve.declare.errors import MissingCoordinateError, SerializationError
from pdesolve.declare.reference import Reference
from pdesolve.declare.serialization import (
    expression_from_json,
    expression_to_json,
    problem_from_json,
    problem_to_json,
)

k = pde.parameter("k", unknown=True, start=0.25, positive=True)

NUMBERS = st.one_of(
    st.integers(-(10**40), 10**40).map(sp.Integer),
    st.fractions().map(lambda q: sp.Rational(q.numerator, q.denominator)),
    st.floats(allow_nan=False, allow_infinity=False).map(sp.Float),
    st.integers(1, 60).map(lambda digits: sp.Float("1.2345678901234567890123456789", digits)),
)
LEAVES = st.one_of(
    NUMBERS,
    st.sampled_from(
        [x, t, nu, k, w, w.diff(x), w.diff(x, 2), w.diff(t, x), u, sp.pi, sp.E, sp.Symbol("q", integer=True)]
    ),
)
FUNCTIONS = [
    sp.sin,
    sp.cos,
    sp.tan,
    sp.exp,
    sp.log,
    sp.sqrt,
    sp.tanh,
    sp.sinh,
    sp.cosh,
    sp.Abs,
    sp.sign,
    sp.erf,
]


def _unary(child: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.tuples(st.sampled_from(FUNCTIONS), child).map(lambda pair: pair[0](pair[1], evaluate=False))


def _binary(child: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    heads = st.sampled_from([sp.Add, sp.Mul])
    return st.tuples(heads, child, child).map(lambda three: three[0](three[1], three[2]))


def _others(child: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    powers = st.tuples(child, st.sampled_from([2, 3, -1, sp.Rational(1, 2)])).map(
        lambda pair: sp.Pow(*pair, evaluate=False)
    )
    pieces = st.tuples(child, child).map(lambda pair: sp.Piecewise((pair[0], x < 0), (pair[1], True)))
    return st.one_of(powers, pieces)


def _is_finite(e: sp.Expr) -> bool:
    return not e.has(sp.nan, sp.zoo, sp.oo, -sp.oo, sp.I)


TREES = st.recursive(
    LEAVES, lambda child: st.one_of(_unary(child), _binary(child), _others(child)), max_leaves=12
)


@settings(derandomize=True, deadline=None, max_examples=200)
@given(TREES.filter(_is_finite))
def test_expressions_survive_a_round_trip(expression: sp.Expr) -> None:
    try:
        text = json.dumps(expression_to_json(expression), allow_nan=False)
    except SerializationError as error:  # exp(10**40): refused here, so that all that is written can be read
        assume("numbers below" not in str(error))
        raise
    read = expression_from_json(json.loads(text))
    assert read == expression
    assert sp.srepr(read) == sp.srepr(expression)
    assert read.free_symbols == expression.free_symbols


@pytest.mark.parametrize(
    "expression",
    [
        sp.Max(x, 0, t) + sp.Min(x, t),
        sp.Heaviside(x - t) * sp.sign(x),
        sp.Piecewise((1, (x > 0) & (t <= 1)), (2, sp.Eq(x, t)), (3, ~(x < -1)), (0, True)),
        sp.besselj(0, x) + sp.atan2(x, t) + sp.Mod(x, 2) + sp.floor(t),
        sp.Float("0.1", 50) * x,
        sp.Integer(7) ** 300 * x,
        sp.Float("1e-400") * x,
        sp.true,
    ],
    ids=str,
)
def test_every_kind_of_head(expression: sp.Basic) -> None:
    assert expression_from_json(json.loads(json.dumps(expression_to_json(expression)))) == expression


def test_parameters_keep_what_they_are() -> None:
    read = expression_from_json(expression_to_json(k))
    assert (read, read.unknown, read.start, read.must_be_positive) == (k, True, 0.25, True)


def _with_everything() -> pde.Problem:
    points = LINE.sample(4, np.random.default_rng(0))
    return pde.Problem(
        "everything",
        {"first": w.diff(t) - k * w.diff(x, 2) + nu * sp.Heaviside(x)},
        pde.Interval(x, -sp.sqrt(2), 0.3) * pde.Time(t, 0, 2 * sp.pi),
        [
            pde.Initial(w, sp.Rational(1, 3) * (x + sp.sqrt(2))),
            pde.Dirichlet(w, 0, on="left"),
            pde.Robin(w, t, on=("right",), a=2.5, b=sp.Rational(1, 3)),
            pde.Value(w, 0.25, at={x: 0.25, t: 1}),
            pde.Observations(w, points * 0.1 + 0.1, np.array([0.1, 1 / 3, 1e-300, 4.0]), noise=0.01),
        ],
        {nu: 0.01 / sp.pi},
        reference=x * t,
        units={w: "K", "x": "m"},
        vectors={"flux": (w,)},
        description="α ≤ β",
        allow_ill_posed=True,
    )


@pytest.mark.filterwarnings("ignore::pdesolve.declare.PDESolveWarning")
@pytest.mark.parametrize("build", [*GOOD, *ON_REGIONS, _with_everything], ids=lambda build: build.__name__)
def test_problems_survive_a_round_trip(build: Callable[[], pde.Problem]) -> None:
    problem = build()
    if any(callable(getattr(c, "value", None)) for c in problem.conditions):
        with pytest.raises(SerializationError, match="Python function <lambda>"):
            problem_to_json(problem)
        return
    written = problem_to_json(problem)
    read = problem_from_json(json.loads(json.dumps(written, allow_nan=False)))
    assert read.digest == problem.digest
    assert problem_to_json(read) == written
    assert read.equations == problem.equations
    assert read.unknowns == problem.unknowns
    assert [type(c) for c in read.conditions] == [type(c) for c in problem.conditions]
    assert dict(read.vectors) == dict(problem.vectors)
    assert [str(term.expression) for term in read.terms] == [str(term.expression) for term in problem.terms]


@pytest.mark.filterwarnings("ignore::pdesolve.declare.PDESolveWarning")
def test_everything_that_is_not_in_the_digest_is_kept() -> None:
    problem = _with_everything()
    read = problem_from_json(json.loads(json.dumps(problem_to_json(problem))))
    assert (read.units, read.description, read.allow_ill_posed) == ({w: "K", "x": "m"}, "α ≤ β", True)
    (was,), (now,) = (list(q.of_type(pde.Observations)) for q in (problem, read))
    np.testing.assert_array_equal(now.points, was.points)
    np.testing.assert_array_equal(now.values, was.values)
    assert now.noise == was.noise
    assert read.reference.expressions == (x * t,)


def test_references_by_backend_and_by_function() -> None:
    backend = Reference(backend="spectral", options={"n": 64, "orders": [1, 2]}, error=1e-9, description="d")
    read = problem_from_json(problem_to_json(heat().replace(reference=backend)))
    assert read.reference == backend
    by_function = heat().replace(reference=Reference(function=lambda p: p[:, 0], description="Cole-Hopf"))
    written = problem_to_json(by_function)
    assert written["reference"] == {"function": "Cole-Hopf"}
    assert problem_from_json(written).reference is None
    odd = heat().replace(reference=Reference(backend="spectral", options={"grid": np.zeros(2)}))
    with pytest.raises(SerializationError, match="options"):
        problem_to_json(odd)


def test_fluxes_through_curves_cannot_be_written() -> None:
    """They hold the normal, which is no expression."""
    made = poisson_disk_neumann().manufacture(s=x)
    with pytest.raises(SerializationError, match="Python function flux"):
        problem_to_json(made)


def test_domains_are_told_apart_by_their_region() -> None:
    good = poisson_disk_neumann()
    x, y = good.coordinates
    disks = [pde.Disk((x, y), (1, 0.5), 2, segments=n) for n in (512, 256)]
    assert good.replace(domain=disks[0]).digest == good.digest
    assert good.replace(domain=disks[1]).digest != good.digest


def test_what_cannot_be_written_is_refused() -> None:
    with pytest.raises(SerializationError, match="Integral"):
        expression_to_json(sp.Integral(x, x))
    deep = x
    for _ in range(200):
        deep = sp.sin(deep)
    with pytest.raises(SerializationError, match="nested"):
        expression_to_json(deep)


def _nested(n: int) -> Any:
    tree: Any = 1
    for _ in range(n):
        tree = ["sin", tree]
    return tree


SYMBOL = {"symbol": "x", "assumptions": {"real": True}}
FUNCTION = {"function": "w", "assumptions": {}, "args": [SYMBOL]}

HOSTILE_TREES: dict[str, Any] = {
    "nothing": None,
    "no head": [],
    "a truth value": True,
    "code as a constant": "__import__('os').system('true')",
    "code as a head": ["__import__", "os"],
    "a dunder": ["__class__", 1],
    "a SymPy name that is not listed": ["Integral", SYMBOL, SYMBOL],
    "parsing": ["sympify", "1+1"],
    "lambdas": ["Lambda", SYMBOL, SYMBOL],
    "code as a symbol": {"symbol": "x);__import__('os')", "assumptions": {}},
    "code as a function": {"function": "__import__", "assumptions": {}, "args": [1]},
    "unknown assumption": {"symbol": "x", "assumptions": {"__class__": True}},
    "assumption that is no fact": {"symbol": "x", "assumptions": {"real": "yes"}},
    "contradicting assumptions": {"symbol": "x", "assumptions": {"positive": True, "negative": True}},
    "missing assumptions": {"symbol": "x"},
    "parameter with odd start": {"parameter": "k", "unknown": True, "start": "1", "positive": False},
    "parameter with NaN": {"parameter": "k", "unknown": True, "start": float("nan"), "positive": False},
    "function without arguments list": {"function": "w", "assumptions": {}, "args": "x"},
    "some other dictionary": {"lambda": 1},
    "NaN": float("nan"),
    "infinity": ["Add", 1, float("inf")],
    "too few arguments": ["Pow", 1],
    "too many arguments": ["sin", 1, 2, 3],
    "arguments of the wrong kind": ["Piecewise", SYMBOL],
    "a condition that is none": ["ExprCondPair", SYMBOL, SYMBOL],
    "division by zero": ["Rational", 1, 0],
    "fraction of floats": ["Rational", 0.5, 2],
    "hexadecimal nonsense": ["Integer", "0xzz"],
    "an integer that is no text": ["Integer", 3.5],
    "float with an odd sign": ["Float", 2, "0x1", 0, 53],
    "float with a huge exponent": ["Float", 0, "0x1", 10**9, 53],
    "float with a huge precision": ["Float", 0, "0x1", 0, 10**9],
    "derivative of nothing": ["Derivative", SYMBOL, [[SYMBOL, 1]]],
    "derivative in a number": ["Derivative", FUNCTION, [[1, 1]]],
    "derivative of order 10^6": ["Derivative", FUNCTION, [[SYMBOL, 10**6]]],
    "derivative without variables": ["Derivative", FUNCTION, []],
    "deep nesting": _nested(5000),
    "many nodes": ["Add", *[SYMBOL] * 200_000],
    "a power that fills the memory": ["Pow", 10, 10**12],
    "a tower of powers": ["Pow", 9, ["Pow", 9, ["Pow", 9, 9]]],
    "a power of powers": ["Pow", ["Pow", ["Pow", 10, 999], 999], 999],
    "a power that cannot be expanded": ["Pow", ["Add", SYMBOL, 1], 10**6],
    "a tower of exponentials": ["exp", ["exp", ["exp", ["exp", 9]]]],
    "a product of huge powers": ["Mul", *[["Pow", 10, 20_000]] * 9],
    "a huge integer": ["Integer", "0x1" + "0" * 100_000],
}


@pytest.mark.parametrize("case", HOSTILE_TREES)
def test_hostile_expressions_are_refused_at_once(case: str) -> None:
    start = time.perf_counter()
    with pytest.raises(SerializationError):
        expression_from_json(HOSTILE_TREES[case])
    assert time.perf_counter() - start < 5


JSON = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.sampled_from(["Add", "Pow", "Derivative", "Float", "Rational", "Integer", "pi", "symbol", "args"]),
    ),
    lambda child: st.one_of(
        st.lists(child, max_size=4),
        st.dictionaries(st.sampled_from(["symbol", "function", "args", "assumptions"]), child, max_size=3),
    ),
    max_leaves=10,
)


@settings(derandomize=True, deadline=None, max_examples=300)
@given(JSON)
def test_random_json_is_read_or_refused(tree: Any) -> None:
    try:
        read = expression_from_json(tree)
    except SerializationError:
        return
    assert isinstance(read, sp.Basic)


HEAT = problem_to_json(heat())


@settings(derandomize=True, deadline=None, max_examples=150)
@given(st.sampled_from(sorted(HEAT)), JSON)
def test_a_problem_with_a_damaged_part_is_refused(key: str, damage: Any) -> None:
    try:
        read = problem_from_json({**HEAT, key: damage})
    except SerializationError as error:
        assert error.remedy
    else:
        assert isinstance(read, pde.Problem)


@pytest.mark.parametrize("key", sorted(HEAT))
def test_a_missing_part_is_refused(key: str) -> None:
    with pytest.raises(SerializationError):
        problem_from_json({name: part for name, part in HEAT.items() if name != key})


@pytest.mark.parametrize("content", [None, [], "heat", 5, {}, {"schema": "other"}, {**HEAT, "version": 1}])
def test_other_content_is_refused(content: Any) -> None:
    with pytest.raises(SerializationError, match=r"schema|version"):
        problem_from_json(content)


def test_a_declaration_that_is_refused_says_why() -> None:
    with pytest.raises(SerializationError, match=r"valid declaration.*nu.*parameters=\{nu: value\}"):
        problem_from_json({**HEAT, "parameters": []})


@pytest.mark.parametrize(
    "damage",
    [
        {"kind": "lambda"},
        {"kind": ["dirichlet"]},
        {"unknown": SYMBOL},
        {"value": "os.system('true')"},
        {"on": "left"},
        {"on": [5]},
    ],
)
def test_a_damaged_condition_is_refused(damage: dict[str, Any]) -> None:
    conditions = [HEAT["conditions"][0], {**HEAT["conditions"][1], **damage}]
    with pytest.raises(SerializationError):
        problem_from_json({**HEAT, "conditions": conditions})


def test_text_is_never_evaluated() -> None:
    hostile = "__import__('os').environ.__setitem__('PDESOLVE_HACKED', '1')"
    text = json.dumps(problem_to_json(inverse_heat()))
    for word in ("Add", "Mul", "w", "x", "k", "observations", "Derivative", "inverse"):
        damaged = text.replace(f'"{word}"', json.dumps(hostile))
        assert damaged != text
        if word == "inverse":  # the problem's name is text, and stays text
            assert problem_from_json(json.loads(damaged)).name == hostile
            continue
        with pytest.raises(SerializationError):
            problem_from_json(json.loads(damaged))
    assert "PDESOLVE_HACKED" not in os.environ


def test_vectors_are_kept() -> None:
    flow = taylor_green().replace(vectors={"velocity": (u, v)})
    assert problem_from_json(problem_to_json(flow)).vectors == {"velocity": (u, v)}


def test_unknowns_equal_functions_of_sympy_and_survive_pickling() -> None:
    same = sp.Function("w", real=True)(x, t)
    assert w == same and hash(w) == hash(same) and w.func == same.func
    expression = w.diff(t) + nu * w * w.diff(x, 2)
    assert pickle.loads(pickle.dumps(expression)) == expression
    assert expression.diff(nu) == w * w.diff(x, 2)
    assert expression.subs(w, x * t).doit() == x
    with pytest.raises(MissingCoordinateError):
        expression_from_json(expression_to_json(w)).diff(sp.Symbol("y", real=True))


def test_the_digest_tells_functions_and_orders_of_unknowns_apart() -> None:
    def with_data(function: Callable[[Any], Any]) -> str:
        return heat().replace(conditions=[pde.Initial(w, function), pde.Dirichlet(w, 0)]).digest

    first = with_data(lambda points: np.sin(np.pi * points[:, 0]))
    assert first == with_data(lambda points: np.sin(points[:, 0] * np.pi))
    assert first != with_data(lambda points: np.sin(np.pi * points[:, 0]) ** 3)
    assert first != with_data(lambda points: 2 * np.sin(np.pi * points[:, 0]))
    flow = taylor_green()
    assert flow.digest != flow.replace(unknowns=flow.unknowns[::-1]).digest
