"""Checks of a declaration, made before any work starts: one small function a refusal, run in order."""

from __future__ import annotations

from collections.abc import Callable

from ..problem import Problem
from . import boundaries, data, equations, symbols
from .facts import Facts
from .references import check_reference

# Later checks rely on earlier ones: values are substituted only once they are known to be numbers, and
# data are evaluated only once their symbols are known.
CHECKS: tuple[Callable[[Facts], None], ...] = (
    symbols.check_types,
    symbols.check_names,
    symbols.check_vectors,
    symbols.check_units,
    symbols.check_parameters,
    equations.check_any_unknown,
    symbols.check_functions,
    symbols.check_derivatives,
    symbols.check_places,
    symbols.check_free_symbols,
    symbols.check_real,
    equations.check_not_trivial,
    equations.check_count,
    equations.check_singular_limit,
    equations.check_forward_in_time,
    boundaries.check_parts,
    boundaries.check_robin,
    boundaries.check_initial,
    boundaries.check_overdetermined,
    boundaries.check_duplicates,
    boundaries.check_missing,
    data.check_values,
    data.check_gauge,
    data.check_balance,
    boundaries.warn_inflow,
    data.warn_periodic_jump,
    data.warn_initial_mismatch,
)


def validate(problem: Problem) -> None:
    """Refuse what cannot be solved as declared, and warn of what will be hard.

    Raises:
        DeclarationError: a subclass for each kind of mistake.
    """
    facts = Facts(problem)
    for check in CHECKS:
        check(facts)


__all__ = ["CHECKS", "check_reference", "validate"]
