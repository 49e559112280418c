"""Checks of the words a problem is written in: types, names, parameters, functions, coordinates, symbols."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np
import sympy as sp
from sympy.core.function import AppliedUndef

from ..conditions import Condition, Initial, Observations, Value
from ..domain import Array, Domain, Mask
from ..errors import (
    BoundaryDataError,
    ComplexCoefficientError,
    ExpressionTypeError,
    MissingCoordinateError,
    NameClashError,
    ParameterValueError,
    SymbolNameError,
    UndeclaredFunctionError,
    UndeclaredSymbolError,
    UndeterminedParameterError,
)
from ..symbols import Parameter, applied_functions, as_expression
from .facts import FILE_DIGITS, Facts, names

BULGE = 1e-3
"""How far a curve may lie outside the chords that stand for it, relative to the size of the domain."""

NOT_POINTWISE = (sp.Integral, sp.Sum, sp.Product, sp.Limit, sp.Subs, sp.DiracDelta)


def check_types(facts: Facts) -> None:
    """Domain, conditions, unknowns and parameters are objects of the right class."""
    problem = facts.problem
    if not isinstance(problem.name, str) or not problem.name.strip():
        raise SymbolNameError("Problem", "a name", repr(problem.name), 'Write name="burgers".')
    if not isinstance(problem.domain, Domain) or not problem.domain.axes:
        raise ExpressionTypeError(
            f"{facts.who}, domain",
            "Interval, Box, a shape or a mesh, times Time or not",
            repr(problem.domain)[:80],
            "Give one.",
        )
    for condition in problem.conditions:
        if not isinstance(condition, Condition):
            raise ExpressionTypeError(
                f"{facts.who}, conditions",
                "Initial, Dirichlet, Neumann, Robin, Periodic, Value or Observations",
                repr(condition)[:80],
                "Make it with one of these.",
            )
    for unknown in [*problem.unknowns, *(u for members in problem.vectors.values() for u in members)]:
        if not isinstance(unknown, AppliedUndef):
            raise ExpressionTypeError(
                f"{facts.who}, unknowns", "unknowns made by unknown()", repr(unknown), "Give u, not its name."
            )
    for key in problem.parameters:
        if not isinstance(key, sp.Symbol):
            raise ExpressionTypeError(
                f"{facts.who}, parameters", "symbols made by parameter()", repr(key), "Write {nu: 0.01}."
            )


def check_names(facts: Facts) -> None:
    """One name stands for one thing, and can be used as a name in files and generated code."""
    problem = facts.problem
    kinds = {
        "coordinate": [c.name for c in problem.coordinates],
        "unknown": list(problem.unknown_names),
        "parameter": [p.name for p in sorted(_parameters(facts), key=lambda p: p.name)],
    }
    reserved = {"data"} | {f"n_{axis.coordinate.name}" for axis in problem.domain.space}
    for kind, listed in kinds.items():
        for name in listed:
            if not name.isidentifier() or name in reserved:
                raise SymbolNameError(
                    f"{facts.who}, {kind} {name!r}",
                    f"letters, digits and underscores, and none of {names(sorted(reserved))}",
                    repr(name),
                    "Choose another name.",
                )
    everything = [(name, kind) for kind, listed in kinds.items() for name in listed]
    for name, count in Counter(name for name, _ in everything).items():
        if count > 1 and not _same_function_twice(facts, name):
            used = [kind for other, kind in everything if other == name]
            raise NameClashError(
                facts.who,
                "one meaning for each name",
                f"{name!r} as {' and as '.join(used)}",
                "Rename one of them.",
            )


def _same_function_twice(facts: Facts, name: str) -> bool:
    """u(x) beside u(x, t) has a message of its own."""
    same = [u for u in facts.problem.unknowns if u.func.__name__ == name]
    return len(same) == len({*same}) > 1 and name not in {c.name for c in facts.problem.coordinates}


def _parameters(facts: Facts) -> set[sp.Symbol]:
    problem = facts.problem
    expressions = [*problem.equations.values(), *(e for _, e in facts.data())]
    used = {s for e in expressions for s in e.free_symbols if isinstance(s, Parameter)}
    return used | set(problem.parameters)


def check_vectors(facts: Facts) -> None:
    """A vector has one to three different components, and a name of its own."""
    problem = facts.problem
    for name, members in problem.vectors.items():
        who = f"{facts.who}, vectors[{name!r}]"
        if not isinstance(name, str) or not name.strip():
            raise SymbolNameError(who, "a name", repr(name)[:80], 'Write vectors={"velocity": (u, v)}.')
        if name in problem.unknown_names:
            raise NameClashError(
                who, "different names for vectors and unknowns", repr(name), "Rename the vector."
            )
        if not 1 <= len(members) <= 3 or len(set(members)) < len(members):
            raise ExpressionTypeError(
                who, "one to three different unknowns", names(members), "List each component once."
            )


def check_units(facts: Facts) -> None:
    """Units are texts, of unknowns and coordinates of the problem."""
    problem = facts.problem
    known = {*problem.unknowns, *problem.coordinates, *problem.parameters}
    known |= {*problem.unknown_names, *map(str, problem.coordinates), *map(str, problem.parameters)}
    for key, unit in problem.units.items():
        who = f"{facts.who}, units[{key!r}]"
        if key not in known:
            raise UndeclaredSymbolError(
                who,
                f"an unknown or a coordinate: {names([*problem.unknowns, *problem.coordinates])}",
                repr(key),
                'Write units={u: "m/s", x: "m"}.',
            )
        if not isinstance(unit, str):
            raise ExpressionTypeError(who, "a text", repr(unit)[:80], 'Write for instance "m/s".')


def check_parameters(facts: Facts) -> None:
    """Values are finite real numbers; what is to be identified was observed."""
    for symbol, value in facts.problem.parameters.items():
        who = f"{facts.who}, parameter {symbol}"
        try:
            number = as_expression(value, who)
        except ExpressionTypeError as error:
            raise ParameterValueError(who, "a finite number", repr(value)[:80], "Give a number.") from error
        if number.has(sp.I):
            raise ComplexCoefficientError(
                who, "a real number", str(number), "Split the problem into real and imaginary parts."
            )
        if not number.is_number or number.has(sp.nan, sp.oo, -sp.oo, sp.zoo):
            raise ParameterValueError(who, "a finite number", str(number)[:80], "Give a number.")
        if not np.isfinite(complex(number).real) or complex(number).imag != 0:
            raise ParameterValueError(who, "a finite real number", str(number)[:80], "Give a real number.")
        if symbol.is_positive and not number > 0:
            raise ParameterValueError(
                who, "a positive number", str(number)[:80], "Give a value > 0, or drop positive=True."
            )
    free = [p for p in _parameters(facts) - set(facts.problem.parameters) if getattr(p, "unknown", False)]
    if free and not facts.observed:
        raise UndeterminedParameterError(
            f"{facts.who}, unknown parameter {names(sorted(map(str, free)))}",
            "Observations that determine it",
            "none",
            "Add Observations(u, points, values), or give its value in parameters={...}.",
        )


def check_functions(facts: Facts) -> None:
    """Each unknown has one form, depends on all coordinates, and conditions speak of it alone."""
    problem = facts.problem
    coordinates = set(problem.coordinates)
    by_name = {u.func.__name__: u for u in reversed(problem.unknowns)}
    used = [
        (f"{facts.who}, {name}", f) for name, e in problem.equations.items() for f in applied_functions(e)
    ]
    used += [(c.who, c.unknown) for c in problem.conditions]
    used += [(f"{facts.who}, vectors", u) for members in problem.vectors.values() for u in members]
    for who, f in used:
        known = by_name.get(f.func.__name__)
        if known is not None and known != f:
            raise UndeclaredFunctionError(
                who,
                f"{known}",
                f"{f}, another function",
                "Write the unknown with the same arguments everywhere.",
            )
        if f not in problem.unknowns:
            raise UndeclaredFunctionError(
                who,
                f"one of the unknowns {names(problem.unknowns)}",
                f"{f}, which no equation holds" if f not in _in_equations(facts) else f"{f}",
                "Name an unknown of the equations, or add it to unknowns=...",
            )
    for u in problem.unknowns:
        who = f"{facts.who}, unknown {u}"
        strange = [a for a in u.args if a not in coordinates]
        if strange:
            raise MissingCoordinateError(
                who,
                f"the domain's coordinates {names(problem.coordinates)}",
                names(strange) + _other_assumptions(strange, problem.coordinates),
                "Add the axis to the domain, or drop the argument.",
            )
        missing = [str(c) for c in problem.coordinates if c not in u.args]
        if missing:
            raise UndeclaredFunctionError(
                who,
                f"a function of all coordinates {names(problem.coordinates)}",
                f"no dependence on {names(missing)}",
                "Give every unknown all coordinates of the domain.",
            )
        if u not in _in_equations(facts):
            raise UndeclaredFunctionError(
                who, "an unknown that some equation holds", "one that none holds", "Drop it from unknowns."
            )
    for who, expression in facts.data():
        functions = applied_functions(expression)
        if functions:
            raise UndeclaredFunctionError(
                who,
                "data in coordinates and parameters",
                f"the function {names(functions)}",
                "Data are known values; couple unknowns in the equations.",
            )


def _in_equations(facts: Facts) -> set[AppliedUndef]:
    return {f for e in facts.problem.equations.values() for f in applied_functions(e)}


def check_derivatives(facts: Facts) -> None:
    """Derivatives are of unknowns, of whole order, in coordinates that the domain has."""
    problem = facts.problem
    for name, expression in problem.equations.items():
        who = f"{facts.who}, {name}"
        for d in sorted(expression.atoms(sp.Derivative), key=str):
            for variable, count in d.variable_count:
                if variable not in problem.coordinates:
                    raise MissingCoordinateError(
                        who,
                        f"derivatives in {names(problem.coordinates)}",
                        f"{d}" + _other_assumptions([variable], problem.coordinates),
                        "Add the axis to the domain, or differentiate in one of its coordinates.",
                    )
                if not isinstance(count, sp.Integer):
                    raise ExpressionTypeError(who, "a whole order", f"{d}", "Differentiate 1, 2, … times.")
            if d.expr not in problem.unknowns:
                raise ExpressionTypeError(
                    who, "derivatives of unknowns", f"{d}", "Carry the derivative out, or write it otherwise."
                )
        if expression.has(*NOT_POINTWISE):
            raise ExpressionTypeError(
                who,
                "an equation that holds point by point",
                names(sorted({type(e).__name__ for e in expression.atoms(*NOT_POINTWISE)})),
                "Integrals, sums and distributions are not supported: introduce a further unknown.",
            )


def check_places(facts: Facts) -> None:
    """Points of Value and Observations, and the derivative of Initial, lie in the domain's coordinates."""
    domain = facts.domain
    for condition in facts.problem.conditions:
        if isinstance(condition, Value):
            _check_point(condition, facts)
        if isinstance(condition, Observations):
            if condition.points.shape[1] != len(domain.axes):
                raise BoundaryDataError(
                    condition.who,
                    f"points of shape (n, {len(domain.axes)}), columns {names(domain.coordinates)}",
                    f"shape {condition.points.shape}",
                    "Give one column for each coordinate, time last.",
                )
            outside = ~_contains(facts, condition.points)
            if outside.any():
                raise BoundaryDataError(
                    condition.who,
                    "points inside the domain",
                    f"{int(outside.sum())} outside, the first at {condition.points[outside][0].tolist()}",
                    f"Give columns in the order {names(domain.coordinates)}, or enlarge the domain.",
                )
        if isinstance(condition, Initial) and condition.order and domain.time is not None:
            variables = {v for v, _ in condition.operator.variable_count}
            if variables != {domain.time.coordinate}:
                raise MissingCoordinateError(
                    condition.who,
                    f"u or its derivative in the time {domain.time.coordinate}",
                    f"{condition.operator}",
                    f"Write Initial({condition.unknown.func.__name__}.diff({domain.time.coordinate}), ...).",
                )


def _check_point(condition: Value, facts: Facts) -> None:
    for coordinate, value in condition.at.items():
        if coordinate not in facts.domain.coordinates:
            raise MissingCoordinateError(
                condition.who,
                f"a point in {names(facts.domain.coordinates)}",
                f"{coordinate}" + _other_assumptions([coordinate], facts.domain.coordinates),
                "Fix coordinates of the domain.",
            )
        axis = facts.domain.axes[facts.domain.axis_index(coordinate)]
        is_real = value.is_number and value.is_real
        bounded = axis.is_time or facts.domain.is_box  # what bounds a shape is more than its bounding box
        if not is_real or (bounded and not axis.lower <= value <= axis.upper):
            raise BoundaryDataError(
                condition.who,
                f"{coordinate} between {axis.lower} and {axis.upper}",
                f"{value}",
                "Choose a point of the domain.",
            )
    if not facts.domain.is_box:
        _check_point_of_shape(condition, facts)


def _check_point_of_shape(condition: Value, facts: Facts) -> None:
    """All coordinates in space are given, and lie in the shape, not in its bounding box alone."""
    space = [axis.coordinate for axis in facts.domain.space]
    free = [coordinate for coordinate in space if coordinate not in condition.at]
    if free:
        raise BoundaryDataError(
            condition.who,
            f"a point, with all of {names(space)}",
            f"{names(free)} left free",
            f"Give {names(free)} too; only a box has lines along its axes.",
        )
    point = facts.points(1, fixed=facts.fixed(condition))
    if not _contains(facts, point).all():
        at = ", ".join(f"{coordinate} = {float(condition.at[coordinate]):.6g}" for coordinate in space)
        raise BoundaryDataError(
            condition.who,
            f"a point inside the domain with the parts {names(facts.domain.parts)}",
            at,
            "Choose a point of the domain.",
        )


def _contains(facts: Facts, points: Array) -> Mask:
    """Which points lie in the domain, up to the precision of its numbers and the bulge of curved parts."""
    if facts.domain.is_box:
        return facts.domain.contains(points)
    curved = any(facts.is_curved(face.name) for face in facts.domain.faces)
    return facts.domain.contains(points, BULGE if curved else FILE_DIGITS)


def check_free_symbols(facts: Facts) -> None:
    """Every symbol is a coordinate, a parameter with a value, or a parameter to be identified."""
    problem = facts.problem
    known = set(problem.coordinates) | set(problem.parameters)
    expressions = [(f"{facts.who}, {name}", e) for name, e in problem.equations.items()]
    for who, expression in [*expressions, *facts.data()]:
        for symbol in sorted(expression.free_symbols - known, key=str):
            if isinstance(symbol, Parameter) and symbol.unknown:
                continue
            hint = _other_assumptions([symbol], known)
            raise UndeclaredSymbolError(
                who,
                f"the coordinates {names(problem.coordinates)} and parameters with a value",
                f"the symbol {symbol}{hint}",
                "Use the declared symbol itself." if hint else f"Add parameters={{{symbol}: value}}.",
            )


def _other_assumptions(symbols: list[sp.Basic], known: set[sp.Symbol] | tuple[sp.Symbol, ...]) -> str:
    """A hint for the commonest slip: sympy.Symbol("x") beside coordinates("x")."""
    same = [str(s) for s in symbols if str(s) in {str(k) for k in known}]
    return f" (another symbol named {', '.join(same)}, with other assumptions)" if same else ""


def check_real(facts: Facts) -> None:
    """The library solves real equations; division by a zero parameter shows here too."""
    for who, expression in _substituted(facts):
        if expression.has(sp.I):
            raise ComplexCoefficientError(
                who,
                "real coefficients and data",
                f"an imaginary part in {str(expression)[:80]}",
                "Write real and imaginary parts as two unknowns.",
            )
        if expression.has(sp.nan, sp.oo, -sp.oo, sp.zoo):
            raise ParameterValueError(
                who,
                "finite coefficients and data",
                f"{str(expression)[:80]}",
                "Some parameter value, often 0, makes it divide by zero: change the value.",
            )


def _substituted(facts: Facts) -> Iterator[tuple[str, sp.Expr]]:
    for equation in facts.equations:
        yield equation.who, equation.expression
    for who, expression in facts.data():
        yield who, facts.problem.substitute(expression)
