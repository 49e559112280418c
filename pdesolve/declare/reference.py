"""References: what a solution is compared with, and how far off the reference itself is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import sympy as sp
from sympy.core.function import AppliedUndef

from .domain import Array
from .errors import ReferenceDataError
from .symbols import as_expression

EXACT_ERROR = 1e-15
"""Relative error credited to a closed form evaluated in float64."""


@dataclass(frozen=True)
class Reference:
    """A field to compare with; exactly one of the three sources is set.

    Attributes:
        expressions: a closed form for each unknown, in the problem's order.
        function: (n, d) points to (n, k) values, for formulas that SymPy does not evaluate.
        backend: name of a backend that computes the reference, with ``options``.
        error: the reference's own relative error, or a function that measures it. A computed reference
            brings its own estimate instead.
        description: one line for reports.
    """

    expressions: tuple[sp.Expr, ...] | None = None
    function: Callable[[Array], Array] | None = None
    backend: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    error: float | Callable[[], float] | None = None
    description: str = ""

    def __post_init__(self) -> None:
        given = [s for s in (self.expressions, self.function, self.backend) if s is not None]
        if len(given) != 1:
            raise ReferenceDataError(
                "Reference",
                "exactly one of expressions, function, backend",
                f"{len(given)} of them",
                "Give one.",
            )

    @property
    def is_exact(self) -> bool:
        return self.expressions is not None


def as_reference(given: Any, unknowns: tuple[AppliedUndef, ...]) -> Reference | None:
    """Normalise what a user may pass: an expression, a dictionary of them, a function or a backend's name."""
    if given is None or isinstance(given, Reference):
        return given
    if isinstance(given, str):
        return Reference(backend=given, description=f"computed by the {given} backend")
    if isinstance(given, Mapping):
        missing = [str(u) for u in unknowns if u not in given]
        if missing:
            raise ReferenceDataError(
                "reference", "an expression for every unknown", f"none for {', '.join(missing)}", "Add it."
            )
        expressions = tuple(as_expression(given[u], f"reference of {u}") for u in unknowns)
    elif isinstance(given, sp.Expr | int | float):
        if len(unknowns) != 1:
            raise ReferenceDataError(
                "reference",
                f"a dictionary for {len(unknowns)} unknowns",
                "one expression",
                "Write reference={u: ..., v: ...}.",
            )
        expressions = (sp.sympify(given),)
    elif callable(given):
        return Reference(function=given, description=getattr(given, "__doc__", "") or "a function")
    else:
        raise ReferenceDataError(
            "reference",
            "an expression, a dictionary, a function or a backend's name",
            repr(given),
            "Give one of these.",
        )
    return Reference(expressions=expressions, error=EXACT_ERROR, description="closed form")
