"""Expressions as trees of plain JSON values, and back.

Nothing is ever evaluated from a string: an expression is a tree of numbers, names and heads, and reading
accepts only the heads of `HEADS` and `CONSTANTS`. Trees are rebuilt unevaluated, so that what was written
is what is read, and bounded in size, so that a hostile file cannot make SymPy work for hours.

A tree is one of

=============================================  ====================================================
``3``, ``0.1``                                 an integer, a float of double precision
``"pi"``                                       a constant
``["Add", a, b]``                              a head of `HEADS` with its arguments
``["Integer", "0x…"]``, ``["Rational", p, q]``  numbers that JSON does not hold exactly
``["Float", sign, mantissa, exponent, bits]``  a float of another precision
``["Derivative", f, [[x, 2], [t, 1]]]``        a derivative of an unknown
``{"symbol": name, "assumptions": {…}}``       a coordinate or another symbol
``{"parameter": name, "unknown": …}``          a parameter
``{"function": name, "args": […], …}``         an unknown with its arguments
=============================================  ====================================================
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import sympy as sp
from sympy.core.function import AppliedUndef
from sympy.core.relational import Relational
from sympy.functions.elementary.piecewise import ExprCondPair
from sympy.logic.boolalg import BooleanAtom, BooleanFunction

from .errors import SerializationError
from .symbols import Parameter, UnknownCoefficient, coefficient_function, field_function

Tree = Any
"""A JSON value: numbers, strings, lists and dictionaries."""

CONSTANTS: dict[str, sp.Basic] = {
    "pi": sp.pi,
    "E": sp.E,
    "EulerGamma": sp.EulerGamma,
    "GoldenRatio": sp.GoldenRatio,
    "true": sp.true,
    "false": sp.false,
}

HEADS: dict[str, Any] = {
    head.__name__: head
    for head in (
        *(sp.Add, sp.Mul, sp.Pow, sp.exp, sp.log),
        *(sp.sin, sp.cos, sp.tan, sp.sec, sp.csc, sp.cot, sp.sinc),
        *(sp.asin, sp.acos, sp.atan, sp.atan2),
        *(sp.sinh, sp.cosh, sp.tanh, sp.sech, sp.csch, sp.coth, sp.asinh, sp.acosh, sp.atanh),
        *(sp.erf, sp.erfc, sp.besselj, sp.bessely, sp.besseli, sp.besselk),
        *(sp.Abs, sp.sign, sp.Heaviside, sp.Min, sp.Max, sp.floor, sp.ceiling, sp.Mod),
        *(sp.Piecewise, ExprCondPair, sp.And, sp.Or, sp.Not),
        *(sp.Equality, sp.Unequality),
        *(sp.StrictLessThan, sp.LessThan, sp.StrictGreaterThan, sp.GreaterThan),
    )
}

CONDITIONS = (Relational, BooleanAtom, BooleanFunction)  # a bare symbol is Boolean to SymPy as well

# The names under which SymPy keeps facts about a symbol; values are true or false.
_ASSUMPTION_NAMES = (
    "real complex imaginary hermitian antihermitian finite infinite positive negative nonpositive "
    "nonnegative nonzero zero integer noninteger rational irrational algebraic transcendental even odd "
    "prime composite commutative extended_real extended_positive extended_negative extended_nonnegative "
    "extended_nonpositive extended_nonzero"
)
ASSUMPTIONS = frozenset(_ASSUMPTION_NAMES.split())

MAX_DEPTH = 150
MAX_NODES = 100_000
MAX_POWER = 1000  # of a symbolic base: (x + y)**1000 is already hopeless to expand
MAX_BITS = 100_000  # of log2|number|, for integers and purely numeric subtrees
MAX_DERIVATIVE = 32


def expression_to_json(expression: sp.Basic) -> Tree:
    """The tree of an expression.

    Raises:
        SerializationError: it holds a head that is not in `HEADS`, or is too deep.
    """
    return _write(sp.sympify(expression), 0)


def _write(e: Any, depth: int) -> Tree:
    if depth > MAX_DEPTH:
        raise SerializationError(
            "expression_to_json()",
            f"at most {MAX_DEPTH} nested levels",
            "more",
            "Split the expression into parts.",
        )
    for name, constant in CONSTANTS.items():
        if e is constant:
            return name
    if isinstance(e, sp.Integer):
        return int(e) if abs(int(e)) < 2**53 else ["Integer", hex(int(e))]
    if isinstance(e, sp.Rational):
        return ["Rational", _write(sp.Integer(e.p), depth + 1), _write(sp.Integer(e.q), depth + 1)]
    if isinstance(e, sp.Float) and e._prec == 53 and sp.Float(float(e)) == e:
        return float(e)
    if isinstance(e, sp.Float):
        sign, mantissa, exponent, _ = e._mpf_
        return ["Float", int(sign), hex(int(mantissa)), int(exponent), int(e._prec)]
    if isinstance(e, Parameter):
        return {
            "parameter": e.name,
            "unknown": e.unknown,
            "start": e.start,
            "positive": e.must_be_positive,
        }
    if type(e) is sp.Symbol:
        return {"symbol": e.name, "assumptions": dict(e._assumptions_orig)}
    if isinstance(e, AppliedUndef):
        return {
            "coefficient" if isinstance(e, UnknownCoefficient) else "function": e.func.__name__,
            "assumptions": {k: v for k, v in e.func._kwargs.items() if k in ASSUMPTIONS},
            "args": [_write(a, depth + 1) for a in e.args],
        }
    if isinstance(e, sp.Derivative) and isinstance(e.expr, AppliedUndef):
        counts = [[_write(c, depth + 1), _write(n, depth + 1)] for c, n in e.variable_count]
        return ["Derivative", _write(e.expr, depth + 1), counts]
    head = type(e).__name__
    if excess := _excess(e):
        raise SerializationError("expression_to_json()", excess, "a larger one", "Rescale the expression.")
    if head in HEADS and isinstance(e, HEADS[head]):
        return [head, *(_write(a, depth + 1) for a in e.args)]
    raise SerializationError(
        "expression_to_json()",
        "numbers, symbols, unknowns and elementary functions",
        f"{type(e).__name__} in {str(e)[:80]}",
        "Write it with the functions listed in pdesolve.declare.trees.HEADS.",
    )


def expression_from_json(tree: Tree) -> Any:
    """The expression of a tree that `expression_to_json` made.

    Raises:
        SerializationError: the tree is malformed, too large, or holds a head that is not in `HEADS`.
    """
    return guarded("expression_from_json()", lambda: _Reader().read(tree, 0))


def guarded(who: str, make: Callable[[], Any]) -> Any:
    """Call ``make``; whatever SymPy or Python raise on malformed content becomes a SerializationError."""
    try:
        return make()
    except SerializationError:
        raise
    except (
        ArithmeticError,
        AttributeError,
        LookupError,
        MemoryError,
        RuntimeError,  # RecursionError and NotImplementedError are of this class
        TypeError,
        ValueError,
    ) as error:
        raise SerializationError(
            who, "content written by pdesolve", f"{type(error).__name__}: {str(error)[:200]}", _REMEDY
        ) from error


_REMEDY = "The file is damaged or was not written by this library: write it again."


class _Reader:
    """Reads one tree; counts its nodes."""

    def __init__(self) -> None:
        self.nodes = 0

    def read(self, tree: Tree, depth: int) -> Any:
        self.nodes += 1
        if depth > MAX_DEPTH or self.nodes > MAX_NODES:
            raise refused(f"at most {MAX_NODES} nodes in {MAX_DEPTH} levels", "more")
        if type(tree) is int:
            return sp.Integer(bounded(tree))
        if type(tree) is float:
            if not math.isfinite(tree):
                raise refused("finite numbers", str(tree))
            return sp.Float(tree)
        if type(tree) is str:
            return chosen(CONSTANTS, tree, "a constant")
        if type(tree) is dict:
            return self._named(tree, depth)
        if type(tree) is list and tree and type(tree[0]) is str:
            return self._headed(tree[0], tree[1:], depth)
        raise refused("an expression tree", _short(tree))

    def _named(self, tree: dict[str, Any], depth: int) -> sp.Expr:
        if "symbol" in tree:
            return sp.Symbol(identifier(tree["symbol"]), **assumptions(tree["assumptions"]))
        if "parameter" in tree:
            start = tree["start"]
            if not (start is None or (type(start) in (int, float) and math.isfinite(start))):
                raise refused("a finite start value", _short(start))
            return Parameter(
                identifier(tree["parameter"]),
                unknown=flag(tree["unknown"]),
                start=start,
                positive=flag(tree["positive"]),
            )
        for kind, make in (("function", field_function), ("coefficient", coefficient_function)):
            if kind in tree:
                args = [self.read(a, depth + 1) for a in listed(tree["args"])]
                return make(identifier(tree[kind]), **assumptions(tree["assumptions"]))(*args)
        raise refused("a symbol, parameter or function", _short(tree))

    def _headed(self, head: str, rest: list[Any], depth: int) -> Any:
        if head == "Integer" and len(rest) == 1:
            return sp.Integer(hexadecimal(rest[0]))
        if head == "Rational" and len(rest) == 2:
            p, q = (self.read(r, depth + 1) for r in rest)
            if not (p.is_Integer and q.is_Integer and q > 1):
                raise refused("a fraction of integers", _short(rest))
            return sp.Rational(p, q)
        if head == "Float" and len(rest) == 4:
            return self._float(*rest)
        if head == "Derivative" and len(rest) == 2:
            return self._derivative(rest[0], rest[1], depth)
        args = [self.read(a, depth + 1) for a in rest]
        kind = chosen(HEADS, head, "a head of pdesolve.declare.trees.HEADS")
        if kind is ExprCondPair:
            if len(args) != 2 or not isinstance(args[1], CONDITIONS):
                raise refused("an expression with its condition", _short(rest))
            return ExprCondPair(*args)
        made = kind(*args, evaluate=False)
        if excess := _excess(made):
            raise refused(excess, "a larger one")
        return made

    def _float(self, sign: Any, mantissa: Any, exponent: Any, bits: Any) -> sp.Float:
        if sign not in (0, 1) or type(exponent) is not int or type(bits) is not int:
            raise refused("sign, mantissa, exponent and precision", _short([sign, exponent, bits]))
        if abs(exponent) > MAX_BITS or not 1 <= bits <= MAX_BITS:
            raise refused("a float of moderate size", f"exponent {exponent}, precision {bits}")
        man = hexadecimal(mantissa)
        return sp.Float((int(sign), man, exponent, man.bit_length()), precision=bits)

    def _derivative(self, function: Tree, counts: Tree, depth: int) -> sp.Derivative:
        f = self.read(function, depth + 1)
        pairs = [[self.read(item, depth + 1) for item in listed(pair)] for pair in listed(counts)]
        valid = all(
            len(pair) == 2 and isinstance(pair[0], sp.Symbol) and isinstance(pair[1], sp.Integer)
            for pair in pairs
        )
        if not isinstance(f, AppliedUndef) or not pairs or not valid:
            raise refused("a derivative of an unknown in its coordinates", _short([function, counts]))
        if not all(1 <= n <= MAX_DERIVATIVE for _, n in pairs):
            raise refused(f"derivatives of order 1 to {MAX_DERIVATIVE}", str([n for _, n in pairs]))
        return sp.Derivative(f, *(tuple(pair) for pair in pairs))


def _excess(e: Any) -> str:
    """What is too large in a power or number to be evaluated in reasonable time; nothing if all is well."""
    if isinstance(e, sp.Pow):
        if e.exp.is_number and not e.base.is_number and _bits(e.exp) > math.log2(MAX_POWER):
            return f"powers up to {MAX_POWER}"
        if not e.exp.is_number and _bits(e.base) > 64:
            return "a base below 2**64"
    if isinstance(e, sp.Expr) and e.is_number and _bits(e) > MAX_BITS:
        return f"numbers below 2**{MAX_BITS}"
    return ""


def _bits(e: Any) -> float:
    """An upper bound of log2|e| of a number, also of its numerator and denominator; never evaluates it."""
    if isinstance(e, sp.Rational):
        return math.log2(max(abs(int(e.p)), int(e.q)))
    if isinstance(e, sp.Float):
        return float(abs(e._mpf_[2] + e._mpf_[3]))
    sizes = [_bits(a) for a in e.args]
    if not sizes:
        return 2.0
    if isinstance(e, sp.Add | sp.Mul):
        return sum(sizes) + len(sizes)
    if isinstance(e, sp.Pow):
        return float(max(sizes[0], 1.0) * 2.0 ** min(sizes[1], 1000.0))
    if isinstance(e, sp.exp | sp.sinh | sp.cosh):
        return float(1.5 * 2.0 ** min(sizes[0], 1000.0))
    return max(sizes)


# -- the small pieces that reading is made of; conditions and problems use them too ----------------------


def refused(expected: str, got: str) -> SerializationError:
    return SerializationError("reading", expected, got, _REMEDY)


def _short(value: Any) -> str:
    try:
        return repr(value)[:80]
    except (RecursionError, ValueError):
        return "a value that cannot be shown"


def bounded(value: int) -> int:
    if value.bit_length() > MAX_BITS:
        raise refused(f"integers below 2**{MAX_BITS}", f"one of {value.bit_length()} bits")
    return value


def hexadecimal(value: Any) -> int:
    if type(value) is not str or len(value) > MAX_BITS // 4:
        raise refused("a hexadecimal number", _short(value))
    return int(value, 16)


def chosen(table: Mapping[str, Any], name: Any, expected: str) -> Any:
    if type(name) is not str or name not in table:
        raise refused(expected, _short(name))
    return table[name]


def listed(value: Any) -> list[Any]:
    if type(value) is not list:
        raise refused("a list", _short(value))
    return value


def text(value: Any) -> str:
    if type(value) is not str:
        raise refused("a string", _short(value))
    return value


def number(value: Any) -> float:
    if type(value) not in (int, float):
        raise refused("a number", _short(value))
    return float(value)


def identifier(value: Any) -> str:
    """Names reach generated code: only identifiers are let in."""
    if not text(value).isidentifier() or "__" in value:
        raise refused("a name of letters, digits and single underscores", _short(value))
    return value  # type: ignore[no-any-return]


def flag(value: Any) -> bool:
    if type(value) is not bool:
        raise refused("true or false", _short(value))
    return value


def symbol(tree: Tree) -> sp.Symbol:
    made = expression_from_json(tree)
    if not isinstance(made, sp.Symbol):
        raise refused("a symbol", str(made)[:80])
    return made


def assumptions(value: Any) -> dict[str, bool]:
    if type(value) is not dict or not ASSUMPTIONS.issuperset(value):
        raise refused("assumptions that SymPy knows", _short(value))
    return {name: flag(fact) for name, fact in value.items()}
