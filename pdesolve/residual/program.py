"""A problem lowered once: which derivatives each residual needs, and what to do with them.

A `Program` knows nothing of where derivatives come from. It maps arrays of derivatives, coordinates,
unknown parameters and inputs (data, normals) to residual values, in torch or NumPy, and holds the exact
symbolic linearisation of every term, ∂(residual)/∂(derivative), which Newton-type methods need.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import sympy as sp

from ..declare.errors import PDESolveError
from ..declare.problem import MultiIndex, Problem, Term

Derivative = tuple[int, MultiIndex]
"""Which unknown (index into ``problem.unknowns``), and its order in each coordinate."""

Module = Literal["torch", "numpy"]


def derivative_name(problem: Problem, derivative: Derivative) -> str:
    """A readable name: ``u``, ``u_xx``, ``v_xt``."""
    k, index = derivative
    letters = "".join(c.name * n for c, n in zip(problem.coordinates, index, strict=True))
    return problem.unknown_names[k] + (f"_{letters}" if letters else "")


def numeric(expression: sp.Expr) -> sp.Expr:
    """The expression with irrational constants as floats: array libraries refuse ``sqrt(2)`` of an int."""
    return expression.replace(
        lambda e: e.is_number and not e.is_Rational and not e.is_Float,
        lambda e: sp.Float(e.evalf(20), 17),
    )


class LoweringError(PDESolveError):
    """An expression holds a function that the array library lacks."""


_ELEMENTARY: dict[Any, Callable[..., sp.Expr]] = {
    sp.sech: lambda a: 1 / sp.cosh(a),
    sp.csch: lambda a: 1 / sp.sinh(a),
    sp.coth: lambda a: 1 / sp.tanh(a),
    sp.sec: lambda a: 1 / sp.cos(a),
    sp.csc: lambda a: 1 / sp.sin(a),
    sp.cot: lambda a: sp.cos(a) / sp.sin(a),
    sp.sinc: lambda a: sp.Piecewise((1, sp.Eq(a, 0)), (sp.sin(a) / a, True)),
    sp.Max: lambda *a: functools.reduce(lambda b, c: sp.Piecewise((b, b > c), (c, True)), a),
    sp.Min: lambda *a: functools.reduce(lambda b, c: sp.Piecewise((b, b < c), (c, True)), a),
    sp.Heaviside: lambda a, middle=sp.S.Half: sp.Piecewise((0, a < 0), (middle, sp.Eq(a, 0)), (1, True)),
}
"""Functions that array libraries lack, in terms of those that they have."""


def elementary(expression: sp.Expr) -> sp.Expr:
    """The expression in functions that NumPy and torch share."""
    for function, definition in _ELEMENTARY.items():
        if expression.has(function):
            expression = expression.replace(function, definition)
    return expression


def _product(base: Any, exponent: int) -> Any:
    """base^exponent by squaring: NumPy's own power of an array takes 30 times as long from the cube on."""
    result, square, left = None, base, exponent
    while left:
        if left & 1:
            result = square if result is None else result * square
        left >>= 1
        if left:
            square = square * square
    return result


_PRODUCT = sp.Function("_product")


def _as_products(expression: sp.Expr) -> sp.Expr:
    """Whole powers from the cube on as calls of `_product`."""
    return expression.replace(
        lambda e: e.is_Pow and e.exp.is_Integer and 3 <= e.exp <= 16 and not e.base.is_number,
        lambda e: _PRODUCT(e.base, e.exp),
    )


def lower(
    arguments: Sequence[sp.Symbol], expressions: Sequence[sp.Expr] | sp.Expr, module: Module
) -> Callable[..., Any]:
    """A function of arrays from an expression (or a list of them), common subexpressions shared.

    Raises:
        LoweringError: a function in it has no counterpart in the array library.
    """
    single = isinstance(expressions, sp.Expr)
    given = [expressions] if single else [sp.sympify(e) for e in expressions]
    lowered = [numeric(elementary(e)) for e in given]
    if module == "numpy":
        lowered = [_as_products(e) for e in lowered]
    try:
        return sp.lambdify(  # type: ignore[no-any-return]
            list(arguments),
            lowered[0] if single else lowered,
            modules=[{"_product": _product}, "numpy", "scipy"] if module == "numpy" else module,
            cse=True,
        )
    except (NotImplementedError, AttributeError, TypeError) as error:  # SymPy's printers raise any of these
        functions = sorted({str(f.func) for e in lowered for f in e.atoms(sp.Function)})
        raise LoweringError(
            f"lowering to {module}",
            "functions that it has, such as sin, exp, tanh or Piecewise",
            f"an expression of {', '.join(functions)} ({str(error).splitlines()[0]})",
            "Write it with elementary functions, or give data as a Python function of points.",
        ) from error


@dataclass(frozen=True, eq=False)
class LoweredTerm:
    """One residual as a function of its derivatives, the coordinates, unknown parameters and inputs."""

    term: Term
    derivatives: tuple[Derivative, ...]
    expression: sp.Expr
    symbols: tuple[sp.Symbol, ...]
    arguments: tuple[sp.Symbol, ...]

    @property
    def name(self) -> str:
        return self.term.name

    def function(self, module: Module) -> Callable[..., Any]:
        """``f(*derivatives, *coordinates, *unknown parameters, *inputs) -> residual`` on arrays."""
        return lower(self.arguments, self.expression, module)

    @cached_property
    def coefficients(self) -> tuple[sp.Expr, ...]:
        """∂(residual)/∂(each derivative), exactly; constant in the unknowns for a linear term."""
        return tuple(sp.diff(self.expression, symbol) for symbol in self.symbols)

    @cached_property
    def is_linear(self) -> bool:
        """True where no coefficient depends on the unknowns."""
        return not any(set(self.symbols) & c.free_symbols for c in self.coefficients)

    def linearisation(self, module: Module) -> Callable[..., Any]:
        """Like `function`, but returns the list of `coefficients`."""
        return lower(self.arguments, self.coefficients, module)


class Program:
    """All residuals of a problem, lowered.

    Args:
        problem: the declaration.
        terms: instead of all of the problem's own, for methods that minimise something else, such as what
            one step in time leaves.

    Attributes:
        problem: the declaration.
        terms: one `LoweredTerm` for each equation and each condition on a part, in declared order.
        derivatives: all derivatives that any term needs, sorted.
        parameters: the unknown parameters, in the order in which their values are passed.
    """

    def __init__(self, problem: Problem, terms: Sequence[Term] | None = None) -> None:
        self.problem = problem
        self.parameters = problem.unknown_parameters
        self.terms = tuple(self._lower(term) for term in (problem.terms if terms is None else terms))
        self.derivatives = tuple(sorted({d for term in self.terms for d in term.derivatives}))

    def _lower(self, term: Term) -> LoweredTerm:
        found = self.problem.derivatives(term.expression)
        ordered = sorted(found.items(), key=lambda item: item[1])
        symbols = tuple(
            sp.Dummy(derivative_name(self.problem, derivative), real=True) for _, derivative in ordered
        )
        # Derivatives first: replacing u before u_x would leave Derivative(symbol, x).
        replace = dict(zip((node for node, _ in ordered), symbols, strict=True))
        expression = term.expression.xreplace(replace)
        arguments = (*symbols, *self.problem.coordinates, *self.parameters, *term.inputs)
        lowered = LoweredTerm(term, tuple(d for _, d in ordered), expression, symbols, arguments)
        # A shifted term is the expression of differences of derivatives: right where it is their combination.
        assert not term.shift or all(c.is_number for c in lowered.coefficients), term.name
        return lowered

    @property
    def equations(self) -> tuple[LoweredTerm, ...]:
        return tuple(term for term in self.terms if term.term.is_equation)

    @property
    def conditions(self) -> tuple[LoweredTerm, ...]:
        return tuple(term for term in self.terms if not term.term.is_equation)

    def evaluate(
        self,
        term: LoweredTerm,
        derivatives: Sequence[np.ndarray[Any, Any]],
        points: np.ndarray[Any, Any],
        parameters: Sequence[float] = (),
    ) -> np.ndarray[Any, Any]:
        """Residual values in NumPy, shape (n,), from the term's derivatives at ``points`` (n, d)."""
        inputs = [function(points) for function in term.term.inputs.values()]
        values = term.function("numpy")(*derivatives, *points.T, *parameters, *inputs)
        return np.broadcast_to(np.asarray(values, dtype=np.float64), (len(points),))
