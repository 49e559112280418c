"""The symbols a PDE is written in: coordinates, unknowns and parameters.

All three follow `sympy.symbols`: one name gives one symbol, several give a tuple.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import sympy as sp
from sympy.core.function import AppliedUndef, UndefinedFunction

from .errors import (
    ExpressionTypeError,
    MissingCoordinateError,
    NameClashError,
    ParameterValueError,
    SymbolNameError,
    UndeclaredSymbolError,
)


def as_expression(value: Any, who: str, expected: str = "a number or a SymPy expression") -> sp.Expr:
    """A number or expression as a SymPy expression.

    Raises:
        ExpressionTypeError: it is anything else; strings above all, which are never evaluated.
    """
    try:
        expression = sp.sympify(value, strict=True)
    except (sp.SympifyError, TypeError, ValueError):
        expression = None
    if (
        not isinstance(expression, sp.Expr)
        or isinstance(expression, sp.MatrixExpr)
        or isinstance(value, bool)
    ):
        raise ExpressionTypeError(
            who,
            expected,
            repr(value)[:80],
            "Build it from coordinates(), parameter() and sympy functions: strings are never evaluated.",
        )
    return expression


def _names(names: str, who: str) -> list[str]:
    if not isinstance(names, str):
        raise SymbolNameError(who, "names in one string", repr(names)[:80], 'Write for instance "x t".')
    found = names.replace(",", " ").split()
    if not found:
        raise UndeclaredSymbolError(who, "at least one name", repr(names), 'Write for instance "x t".')
    if len(set(found)) < len(found):
        raise NameClashError(who, "different names", repr(names), "Use each name once.")
    return found


def _one_or_tuple(items: list[Any]) -> Any:
    return items[0] if len(items) == 1 else tuple(items)


def coordinates(names: str) -> Any:
    """Real coordinates, space and time alike; the domain says which one is time.

    >>> x, t = coordinates("x t")
    """
    return _one_or_tuple([sp.Symbol(name, real=True) for name in _names(names, "coordinates()")])


def unknown(names: str, *args: sp.Symbol) -> Any:
    """Unknown real fields u(x, …, t), to be solved for.

    >>> x, t = coordinates("x t")
    >>> u, v = unknown("u v", x, t)
    >>> u.diff(x, 2)
    Derivative(u(x, t), (x, 2))
    """
    return _fields("unknown", field_function, names, args)


def _fields(who: str, make: Callable[..., UndefinedFunction], names: str, args: tuple[Any, ...]) -> Any:
    if not args or not all(isinstance(a, sp.Symbol) for a in args):
        raise UndeclaredSymbolError(
            f"{who}({names!r})",
            "the coordinates it depends on",
            str(args),
            f'Write {who}("u", x, t) with symbols from coordinates().',
        )
    return _one_or_tuple([make(name, real=True)(*args) for name in _names(names, f"{who}()")])


class UnknownField(AppliedUndef):  # type: ignore[misc]
    """An applied unknown that refuses derivatives in what it does not depend on.

    SymPy's own functions answer 0 to these, so that a term such as u(x, t).diff(y) would vanish before any
    check of the equation could see it. It equals the function of the same name that SymPy makes.
    """

    def diff(self, *symbols: Any, **assumptions: Any) -> sp.Expr:
        for given in symbols:
            variable = given[0] if isinstance(given, list | tuple | sp.Tuple) else given
            # Parameters and the dummies of SymPy's algorithms are differentiated by in good faith.
            if type(variable) is sp.Symbol and variable not in self.free_symbols:
                same = variable.name in {s.name for s in self.free_symbols}
                raise MissingCoordinateError(
                    f"{self}.diff({variable})",
                    f"a derivative in {', '.join(map(str, self.args))}",
                    f"{variable}" + same * " (another symbol of this name, with other assumptions)",
                    f"Differentiate in these, or give {self.func.__name__} this coordinate too in unknown().",
                )
        return super().diff(*symbols, **assumptions)


def field_function(name: str, **assumptions: Any) -> UndefinedFunction:
    """The function whose applications are unknowns."""
    return UndefinedFunction(name, bases=(UnknownField,), **assumptions)


class UnknownCoefficient(UnknownField):
    """An unknown that has no equation of its own, as the permeability of a medium that is to be found."""


def coefficient(names: str, *args: sp.Symbol) -> Any:
    """Unknown coefficients, sources and the like: fields that observations have to determine.

    What `parameter(..., unknown=True)` is among numbers. A problem has one equation for each `unknown`, and
    none for these.

    >>> x, y = coordinates("x y")
    >>> a = coefficient("a", x, y)
    """
    return _fields("coefficient", coefficient_function, names, args)


def coefficient_function(name: str, **assumptions: Any) -> UndefinedFunction:
    """The function whose applications are unknown coefficients."""
    # The keyword tells it from an unknown of the same name: SymPy keeps one of all equal applications.
    return UndefinedFunction(name, bases=(UnknownCoefficient,), **{**assumptions, "coefficient": True})


class Parameter(sp.Symbol):  # type: ignore[misc]
    """A number in the equations: known (given in ``Problem.parameters``) or to be identified.

    ``unknown=True`` makes it part of the solution: it starts at ``start`` and, with ``positive=True``,
    stays above zero. Observations must then be declared that determine it.
    """

    unknown: bool
    start: float | None

    def __new__(
        cls, name: str, *, unknown: bool = False, start: float | None = None, positive: bool = False
    ) -> Parameter:
        assumptions = {"positive": True} if positive else {"real": True}
        symbol: Parameter = sp.Symbol.__xnew__(cls, name, **assumptions)
        symbol.unknown = unknown
        symbol.start = None if start is None else float(start)
        return symbol

    @property
    def must_be_positive(self) -> bool:
        return bool(self.is_positive)

    def __getnewargs_ex__(self) -> tuple[tuple[str], dict[str, Any]]:
        return (self.name,), {
            "unknown": self.unknown,
            "start": self.start,
            "positive": self.must_be_positive,
        }

    def _hashable_content(self) -> tuple[Any, ...]:
        return (*super()._hashable_content(), self.unknown, str(self.start))


def parameter(
    names: str, *, unknown: bool = False, start: float | None = None, positive: bool = False
) -> Any:
    """Parameters of the equations.

    A known parameter gets its value from ``Problem(parameters={nu: 0.01})``. An unknown one
    (``parameter("nu", unknown=True, start=0.1, positive=True)``) is identified from `Observations`.

    Raises:
        ParameterValueError: an unknown parameter has no ``start``, or a start that breaks ``positive``.
    """
    for name in _names(names, "parameter()"):
        if unknown and start is None:
            raise ParameterValueError(
                f"parameter({name!r})",
                "a start value for an unknown parameter",
                "none",
                "Add start=..., a number of the right order of magnitude.",
            )
        if start is not None and not _is_finite(start):
            raise ParameterValueError(
                f"parameter({name!r})", "a finite start value", repr(start)[:80], "Give a number."
            )
        if positive and start is not None and not start > 0:
            raise ParameterValueError(
                f"parameter({name!r})",
                "a positive start value",
                str(start),
                "Give start > 0 or drop positive=True.",
            )
    return _one_or_tuple(
        [Parameter(n, unknown=unknown, start=start, positive=positive) for n in _names(names, "parameter()")]
    )


def _is_finite(value: Any) -> bool:
    try:
        return not isinstance(value, str) and math.isfinite(value)
    except (TypeError, ValueError, OverflowError):
        return False


def applied_functions(expression: sp.Basic) -> list[AppliedUndef]:
    """The undefined functions in an expression, in order of first appearance."""
    seen: dict[AppliedUndef, None] = {}
    for node in sp.preorder_traversal(expression):
        if isinstance(node, AppliedUndef):
            seen.setdefault(node)
    return list(seen)
