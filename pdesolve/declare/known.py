"""Functions that are known by their values, in expressions: the sampled fields of families.

>>> from sympy import Symbol
>>> x = Symbol("x", real=True)
>>> bump = known_function("bump", lambda x: x**2)(x)
>>> bump.free_symbols == {x}
True
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import sympy as sp

from .domain import Array


@runtime_checkable
class Differentiable(Protocol):
    """A function of coordinate arrays whose derivatives are such functions too."""

    def __call__(self, *coordinates: Array) -> Array: ...

    def differentiated(self, axis: int) -> Differentiable:
        """The first derivative along one axis."""
        ...


class KnownFunction(sp.Function):  # type: ignore[misc]
    """A function like ``sin``, but given by NumPy code; each known function is a class derived from it.

    SymPy's ``lambdify`` finds the code by itself. Its derivatives are known functions, where the code is
    `Differentiable`.
    """

    is_real = True
    _imp_: Callable[..., Any]
    _derived: dict[int, type[KnownFunction]]

    @classmethod
    def eval(cls, *args: sp.Expr) -> None:
        """Stays as it is, also at numbers."""

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        function = type(self)._imp_
        if not isinstance(function, Differentiable):
            raise sp.core.function.ArgumentIndexError(self, argindex)
        derived = type(self)._derived
        if argindex not in derived:  # one class for each: SymPy takes two of one name for different functions
            name = f"{type(self).__name__}_{argindex}"
            derived[argindex] = known_function(name, function.differentiated(argindex - 1))
        return derived[argindex](*self.args)


def known_function(name: str, function: Callable[..., Array]) -> type[KnownFunction]:
    """A SymPy function of that name with the values of ``function``.

    Args:
        name: two known functions of one name are taken for the same one in digests: put what tells them
            apart, such as the digest of their coefficients, into it.
        function: from one array for each coordinate to an array of values.
    """
    return type(name, (KnownFunction,), {"_imp_": _Code(function), "_derived": {}})


class _Code:
    """Keeps a function in a class without its turning into a method."""

    def __init__(self, function: Callable[..., Array]) -> None:
        self.function = function

    def __get__(self, instance: Any, owner: Any) -> Callable[..., Array]:
        return self.function
