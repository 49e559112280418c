"""The catalogue of problems: one file a PDE, declared in symbols, each with a reference.

>>> catalogue("convection", beta=50).name
'convection'
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any

import sympy as sp

from pdesolve.declare import PDESolveError, Problem
from pdesolve.declare.errors import ExpressionTypeError, ParameterValueError
from pdesolve.declare.family import Family
from pdesolve.declare.symbols import as_expression

CATALOGUE = {
    "advection": "advection:advection",
    "advection-diffusion": "advection_diffusion:advection_diffusion",
    "allen-cahn": "allen_cahn:allen_cahn",
    "allen-cahn-2d": "allen_cahn_2d:allen_cahn_2d",
    "allen-cahn-steady-1d": "allen_cahn_steady:allen_cahn_steady_1d",
    "allen-cahn-steady-2d": "allen_cahn_steady:allen_cahn_steady_2d",
    "backward-step": "backward_step:backward_step",
    "burgers": "burgers:burgers",
    "burgers-2d": "burgers_2d:burgers_2d",
    "convection": "convection:convection",
    "cylinder": "cylinder:cylinder",
    "eikonal": "eikonal:eikonal",
    "heat": "heat:heat",
    "heat-2d": "heat_2d:heat_2d",
    "heat-part": "heat_part:heat_part",
    "helmholtz": "helmholtz:helmholtz",
    "kdv": "kdv:kdv",
    "kovasznay": "kovasznay:kovasznay",
    "kuramoto-sivashinsky": "kuramoto_sivashinsky:kuramoto_sivashinsky",
    "lid-driven-cavity": "lid_driven_cavity:lid_driven_cavity",
    "navier-stokes-torus": "navier_stokes_torus:navier_stokes_torus",
    "poisson": "poisson:poisson",
    "poisson-10d": "poisson_10d:poisson_10d",
    "poisson-chirp": "poisson_high_frequency:poisson_chirp",
    "poisson-chirp-2d": "poisson_high_frequency:poisson_chirp_2d",
    "poisson-l-shape": "poisson_l_shape:poisson_l_shape",
    "poisson-peak": "poisson_peak:poisson_peak",
    "poisson-two-peaks": "poisson_peak:poisson_two_peaks",
    "poisson-u1": "poisson_high_frequency:poisson_u1",
    "poisson-u2": "poisson_high_frequency:poisson_u2",
    "poisson-u3": "poisson_high_frequency:poisson_u3",
    "poisson-u4": "poisson_high_frequency:poisson_u4",
    "poisson-u5": "poisson_high_frequency:poisson_u5",
    "poisson-u6": "poisson_high_frequency:poisson_u6",
    "poisson-u7": "poisson_high_frequency:poisson_u7",
    "poisson-variable": "poisson_high_frequency:poisson_variable",
    "taylor-green": "taylor_green:taylor_green",
    "two-materials": "two_materials:two_materials",
    "wave": "wave:wave",
}
"""Name and ``module:function`` of each entry; the modules are imported when they are used."""

FAMILIES = {
    "burgers-random": "burgers_random:burgers_random",
    "darcy-random": "darcy_random:darcy_random",
    "helmholtz-random": "poisson_random:helmholtz_random",
    "kuramoto-sivashinsky-random": "kuramoto_sivashinsky_random:kuramoto_sivashinsky_random",
    "navier-stokes-random": "navier_stokes_random:navier_stokes_random",
    "poisson-random": "poisson_random:poisson_random",
}
"""The same for families of problems."""


class UnknownProblemError(PDESolveError):
    """The catalogue has no entry of this name."""


class UnknownProblemParameterError(PDESolveError):
    """The entry does not take this parameter."""


class ProblemVariantError(PDESolveError):
    """The entry has no variant of this name."""


def names() -> tuple[str, ...]:
    """The names of all entries, sorted."""
    return tuple(sorted(CATALOGUE))


catalogue_names = names


def parameters_of(name: str) -> tuple[str, ...]:
    """The parameters that an entry takes.

    Raises:
        UnknownProblemError: the catalogue has no such entry.
    """
    return tuple(inspect.signature(_function(name)).parameters)


def catalogue(name: str, **parameters: Any) -> Problem:
    """A problem of the catalogue, with some of its parameters set.

    Raises:
        UnknownProblemError: the catalogue has no such entry.
        UnknownProblemParameterError: the entry takes no such parameter.
        DeclarationError: a value makes no sense in the problem.
    """
    function, known = _function(name), parameters_of(name)
    _check(f"catalogue({name!r})", parameters, known)
    return function(**parameters)


def family_names() -> tuple[str, ...]:
    """The names of all families, sorted."""
    return tuple(sorted(FAMILIES))


def family(name: str, **parameters: Any) -> Family:
    """A family of the catalogue, with some of its parameters set.

    >>> family("burgers-random", nu=0.1).sample(seed=7).family
    'burgers-random'

    Raises:
        UnknownProblemError: the catalogue has no such family.
        UnknownProblemParameterError: it takes no such parameter.
    """
    function = _function(name, FAMILIES, "family()")
    known = tuple(inspect.signature(function).parameters)
    _check(f"family({name!r})", parameters, known)
    return function(**parameters)


def family_parameters(name: str) -> tuple[str, ...]:
    """The parameters that a family takes.

    Raises:
        UnknownProblemError: the catalogue has no such family.
    """
    return tuple(inspect.signature(_function(name, FAMILIES, "family()")).parameters)


def _check(who: str, given: Mapping[str, Any], known: tuple[str, ...]) -> None:
    """Refuse parameters that an entry does not take."""
    wrong = [key for key in given if key not in known]
    if wrong:
        raise UnknownProblemParameterError(
            who,
            f"parameters among {', '.join(known) or 'none'}",
            ", ".join(wrong),
            "Drop or rename what it does not take.",
        )


def _function(
    name: str, entries: Mapping[str, str] = CATALOGUE, who: str = "catalogue()"
) -> Callable[..., Any]:
    if name not in entries:
        close = get_close_matches(str(name), entries, n=3, cutoff=0.5)
        expected = f"{' or '.join(close)}?" if close else f"one of {', '.join(sorted(entries))}"
        raise UnknownProblemError(who, expected, repr(name), "See `pdesolve problems`.")
    module, _, attribute = entries[name].partition(":")
    return getattr(importlib.import_module(f"{__name__}.{module}"), attribute)  # type: ignore[no-any-return]


def choose(entry: str, variants: dict[str, Any], variant: str, key: str = "variant") -> Any:
    """The data of one variant of an entry; ``key`` is the parameter that names it.

    Raises:
        ProblemVariantError: there is no such variant.
    """
    if variant not in variants:
        raise ProblemVariantError(
            f"catalogue({entry!r}, {key}=)", f"one of {', '.join(variants)}", repr(variant), "Name one."
        )
    return variants[variant]


def number(entry: str, key: str, value: Any) -> sp.Expr:
    """A parameter of an entry as a SymPy number. Text is refused: values may come from a command line.

    Raises:
        ParameterValueError: it is no finite real number.
    """
    who = f"catalogue({entry!r}, {key}=)"
    try:
        given = as_expression(value, who)
    except ExpressionTypeError as error:
        raise ParameterValueError(who, "a number", repr(value)[:80], "Give a number.") from error
    if not (given.is_number and given.is_real and given.is_finite):
        raise ParameterValueError(who, "a finite real number", str(given)[:80], "Give a finite number.")
    return given


__all__ = [
    "CATALOGUE",
    "FAMILIES",
    "ProblemVariantError",
    "UnknownProblemError",
    "UnknownProblemParameterError",
    "catalogue",
    "catalogue_names",
    "family",
    "family_names",
    "family_parameters",
    "names",
    "number",
    "parameters_of",
]
