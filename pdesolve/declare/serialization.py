"""Problems as plain JSON values, and back.

    text = json.dumps(problem_to_json(problem))
    same = problem_from_json(json.loads(text))           # same.digest == problem.digest

Expressions are trees (`pdesolve.declare.trees`); nothing is ever evaluated from a string. Python functions
cannot be written: a condition that holds one is refused; a reference that holds one is dropped, and only
its description kept.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import sympy as sp
from sympy.core.function import AppliedUndef

from .conditions import (
    BoundaryCondition,
    Condition,
    Dirichlet,
    Initial,
    Neumann,
    Observations,
    Periodic,
    Robin,
    Value,
)
from .distributions import (
    Distribution,
    GaussianField,
    LogNormal,
    LogUniform,
    RandomSines,
    TwoPhase,
    Uniform,
)
from .domain import Box, Domain
from .errors import DeclarationError, SerializationError
from .problem import Problem
from .reference import Reference
from .regions.reading import region_from_json
from .regions.region import Axis
from .symbols import coordinates
from .trees import (
    Tree,
    chosen,
    expression_from_json,
    expression_to_json,
    flag,
    guarded,
    listed,
    refused,
    symbol,
    text,
)

SCHEMA = "pdesolve.problem"
VERSION = 3


def problem_to_json(problem: Problem) -> dict[str, Any]:
    """A problem as a dictionary of plain JSON values.

    Raises:
        SerializationError: a condition's data are a Python function, or an expression holds a head that
            `pdesolve.declare.trees.HEADS` lacks.
    """
    return {
        "schema": SCHEMA,
        "version": VERSION,
        "name": problem.name,
        "description": problem.description,
        "equations": [[name, expression_to_json(e)] for name, e in problem.equations.items()],
        "domain": {
            "region": problem.domain.region.to_json(),
            "time": None if problem.domain.time is None else _write_axis(problem.domain.time),
        },
        "conditions": [_write_condition(condition) for condition in problem.conditions],
        "parameters": _write_pairs(problem.parameters),
        "unknowns": [expression_to_json(u) for u in problem.unknowns],
        "reference": _write_reference(problem.reference),
        "units": [[_write_key(key), unit] for key, unit in problem.units.items()],
        "vectors": [
            [name, [expression_to_json(u) for u in members]] for name, members in problem.vectors.items()
        ],
        "allow_ill_posed": problem.allow_ill_posed,
        "family": problem.family,
        "inputs": [[name, expression_to_json(e)] for name, e in problem.inputs.items()],
        "priors": [[name, _write_law(law)] for name, law in problem.priors.items()],
    }


def problem_from_json(content: Any) -> Problem:
    """The problem that `problem_to_json` wrote, validated anew.

    Raises:
        SerializationError: the content is malformed, of another schema or version, or declares a problem
            that is refused.
    """
    who = "problem_from_json()"
    if type(content) is not dict or content.get("schema") != SCHEMA:
        raise SerializationError(
            who, f"a dictionary of schema {SCHEMA}", repr(type(content).__name__), "Give what was written."
        )
    if content.get("version") != VERSION:
        raise SerializationError(
            who,
            f"version {VERSION}",
            repr(content.get("version"))[:40],
            "Read it with the release of pdesolve that wrote it, or write it again.",
        )
    try:
        problem = guarded(who, lambda: _read_problem(content))
    except DeclarationError as error:
        raise SerializationError(
            who, "a valid declaration", str(error), "Correct the declaration and write it again."
        ) from error
    return problem  # type: ignore[no-any-return]


def _read_problem(content: dict[str, Any]) -> Problem:
    read = expression_from_json
    return Problem(
        name=text(content["name"]),
        description=text(content["description"]),
        equations={text(name): read(tree) for name, tree in listed(content["equations"])},
        domain=_read_domain(content["domain"]),
        conditions=[_read_condition(item) for item in listed(content["conditions"])],
        parameters=_read_pairs(content["parameters"]),
        unknowns=tuple(function(tree) for tree in listed(content["unknowns"])),
        reference=_read_reference(content["reference"]),
        units={_read_key(key): text(unit) for key, unit in listed(content["units"])},
        vectors={
            text(name): tuple(function(tree) for tree in listed(members))
            for name, members in listed(content["vectors"])
        },
        allow_ill_posed=flag(content["allow_ill_posed"]),
        family=text(content["family"]),
        inputs={text(name): read(tree) for name, tree in listed(content["inputs"])},
        priors={text(name): _read_law(law) for name, law in listed(content["priors"])},
    )


# -- domain ------------------------------------------------------------------------------------------


def _write_axis(axis: Axis) -> list[Any]:
    return [expression_to_json(e) for e in (axis.coordinate, axis.lower, axis.upper)]


def _read_domain(content: Any) -> Domain:
    time = content["time"]
    if time is not None:
        coordinate, start, end = listed(time)
        read = expression_from_json
        time = Axis(symbol(coordinate), read(start), read(end), is_time=True)
    return Domain(region_from_json(content["region"]), time)


# -- conditions --------------------------------------------------------------------------------------


def _write_condition(condition: Condition) -> dict[str, Any]:
    written: dict[str, Any] = {
        "kind": condition.kind,
        "unknown": expression_to_json(condition.unknown),
    }
    if isinstance(condition, Initial):
        written["unknown"] = expression_to_json(condition.operator)
    if isinstance(condition, BoundaryCondition):
        written["on"] = None if condition.on is None else list(condition.on)
    if isinstance(condition, Robin):
        written |= {"a": expression_to_json(condition.a), "b": expression_to_json(condition.b)}
    if isinstance(condition, Periodic):
        written["along"] = None if condition.along is None else [_write_key(k) for k in condition.items]
    if isinstance(condition, Value):
        written["at"] = _write_pairs(condition.at)
    if isinstance(condition, Observations):
        return written | {
            "points": condition.points.tolist(),
            "values": condition.values.tolist(),
            "noise": float(condition.noise),
        }
    if isinstance(condition, BoundaryCondition | Initial | Value):
        written["value"] = _write_data(condition)
    return written


def _write_data(condition: BoundaryCondition | Initial | Value) -> Tree:
    if isinstance(condition.value, sp.Basic):
        return expression_to_json(condition.value)
    raise SerializationError(
        condition.who,
        "data given as an expression",
        f"the Python function {getattr(condition.value, '__name__', condition.value)!s}",
        "Write the data as a SymPy expression, or as Observations; functions cannot be stored.",
    )


def _read_condition(item: Any) -> Condition:
    if type(item) is not dict:
        raise refused("a condition", repr(item)[:80])
    read: Callable[[dict[str, Any]], Condition] = chosen(CONDITIONS, item.get("kind"), "a kind of condition")
    return read(item)


def _read_boundary(kind: Callable[..., Condition]) -> Callable[[dict[str, Any]], Condition]:
    def read(item: dict[str, Any]) -> Condition:
        on = None if item["on"] is None else tuple(text(part) for part in listed(item["on"]))
        extra = {name: expression_from_json(item[name]) for name in ("a", "b") if kind is Robin}
        return kind(function(item["unknown"]), expression_from_json(item["value"]), on, **extra)

    return read


def _read_initial(item: dict[str, Any]) -> Condition:
    operator = expression_from_json(item["unknown"])
    if not isinstance(operator, AppliedUndef | sp.Derivative):
        raise refused("an unknown or its time derivative", str(operator)[:80])
    return Initial(operator, expression_from_json(item["value"]))


def _read_periodic(item: dict[str, Any]) -> Condition:
    along = None if item["along"] is None else tuple(_read_key(key) for key in listed(item["along"]))
    return Periodic(function(item["unknown"]), along)


def _read_value(item: dict[str, Any]) -> Condition:
    return Value(function(item["unknown"]), expression_from_json(item["value"]), _read_pairs(item["at"]))


def _read_observations(item: dict[str, Any]) -> Condition:
    return Observations(
        function(item["unknown"]), listed(item["points"]), listed(item["values"]), finite(item["noise"])
    )


CONDITIONS: dict[str, Callable[[dict[str, Any]], Condition]] = {
    "dirichlet": _read_boundary(Dirichlet),
    "neumann": _read_boundary(Neumann),
    "robin": _read_boundary(Robin),
    "initial": _read_initial,
    "periodic": _read_periodic,
    "value": _read_value,
    "observations": _read_observations,
}


# -- references ----------------------------------------------------------------------------------------


def _write_reference(reference: Reference | None) -> dict[str, Any] | None:
    if reference is None:
        return None
    about = {
        "description": reference.description,
        "error": _known_error(reference.error),
    }
    if reference.backend is not None:
        return {"backend": reference.backend, "options": _plain(dict(reference.options), 0), **about}
    if reference.expressions is not None:
        try:
            return {"expressions": [expression_to_json(e) for e in reference.expressions], **about}
        except SerializationError:
            pass  # a closed form with a special function is treated like any other function
    return {"function": reference.description}


def _known_error(error: Any) -> float | None:
    """An error that a number states; one that is yet to be measured, or NaN, is not kept."""
    if error is None or callable(error) or not math.isfinite(error):
        return None
    return float(error)


def _read_reference(content: Any) -> Reference | None:
    if content is None or "function" in content:
        return None
    error = None if content["error"] is None else finite(content["error"])
    description = text(content["description"])
    if "backend" in content:
        options = _plain(content["options"], 0)
        return Reference(
            backend=text(content["backend"]), options=options, error=error, description=description
        )
    expressions = tuple(expression_from_json(tree) for tree in listed(content["expressions"]))
    return Reference(expressions=expressions, error=error, description=description)


# -- random fields -------------------------------------------------------------------------------------


def _write_law(law: Distribution) -> dict[str, Any]:
    if LAWS.get(type(law).__name__) is not type(law):
        raise SerializationError(
            "Problem.priors", f"one of {', '.join(LAWS)}", type(law).__name__, "Others cannot be stored."
        )
    return law.describe()


def _read_law(content: Any) -> Distribution:
    if type(content) is not dict:
        raise refused("a random field", repr(content)[:80])
    kind: type[Distribution] = chosen(LAWS, content.get("kind"), "a kind of random field")
    return kind(**{name: _read_option(v) for name, v in content.items() if name != "kind"})


def _read_option(value: Any) -> Any:
    """A number or word, the box of a field, or the field that another one is made of."""
    if isinstance(value, dict):
        return _read_law(value)
    if isinstance(value, list):
        return Box(*((coordinates(text(name)), finite(a), finite(b)) for name, a, b in map(listed, value)))
    if isinstance(value, float) and not math.isfinite(value):
        raise refused("a finite number", repr(value))
    return value


LAWS: dict[str, type[Distribution]] = {
    kind.__name__: kind for kind in (GaussianField, LogNormal, LogUniform, RandomSines, TwoPhase, Uniform)
}


# -- small pieces --------------------------------------------------------------------------------------


def _plain(value: Any, depth: int) -> Any:
    """A backend's options, which must be JSON values already."""
    if depth < 20:
        if value is None or isinstance(value, bool | int | str):
            return value
        if isinstance(value, float) and math.isfinite(value):
            return value
        if isinstance(value, list | tuple):
            return [_plain(item, depth + 1) for item in value]
        if isinstance(value, dict) and all(isinstance(key, str) for key in value):
            return {key: _plain(item, depth + 1) for key, item in value.items()}
    raise SerializationError(
        "Reference.options",
        "finite numbers, strings, lists and dictionaries",
        repr(value)[:80],
        "Give options as plain values.",
    )


def _write_key(key: Any) -> Tree:
    """A coordinate, an unknown or a name."""
    return ["name", key] if isinstance(key, str) else expression_to_json(key)


def _read_key(tree: Tree) -> Any:
    if type(tree) is list and len(tree) == 2 and tree[0] == "name":
        return text(tree[1])
    return expression_from_json(tree)


def _write_pairs(values: Mapping[sp.Symbol, Any]) -> list[Tree]:
    return [[expression_to_json(k), expression_to_json(sp.sympify(v))] for k, v in values.items()]


def _read_pairs(content: Any) -> dict[sp.Symbol, sp.Expr]:
    return {symbol(k): expression_from_json(v) for k, v in listed(content)}


def function(tree: Tree) -> AppliedUndef:
    made = expression_from_json(tree)
    if not isinstance(made, AppliedUndef):
        raise refused("an unknown", str(made)[:80])
    return made


def finite(value: Any) -> float:
    if type(value) not in (int, float) or not math.isfinite(value):
        raise refused("a finite number", repr(value)[:80])
    return float(value)


__all__ = ["expression_from_json", "expression_to_json", "problem_from_json", "problem_to_json"]
