"""`Problem`: a PDE declared once, in symbols."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import sympy as sp
from sympy.core.function import AppliedUndef
from sympy.logic.boolalg import BooleanAtom

from .conditions import (
    BoundaryCondition,
    Condition,
    Initial,
    Observations,
    Periodic,
    Value,
    flat_normal,
    normal_symbols,
)
from .distributions import Distribution
from .domain import INSIDE, Array, Domain
from .errors import ExpressionTypeError, TrivialEquationError
from .reference import Reference, as_reference
from .symbols import Parameter, UnknownCoefficient, applied_functions, as_expression

DATA = sp.Symbol("data", real=True)
"""Stands in a term's expression for values that come from a function or from observations."""

FINGERPRINT_POINTS = 64
"""Points of each part at which a function given as data is told from another one."""

MultiIndex = tuple[int, ...]
"""Derivative order in each coordinate, in the order of the domain: (2, 0) is u_xx of u(x, t)."""


@dataclass(frozen=True, eq=False)
class Term:
    """One scalar residual ``expression = 0`` and where it holds.

    Attributes:
        name: for messages and reports, for instance ``"dirichlet u on left"``.
        expression: in unknowns, their derivatives, coordinates, parameters and the symbols of ``inputs``;
            known parameters, and normals of flat parts, are already numbers.
        region: ``"inside"`` or a boundary part.
        inputs: functions of points (n, d) that give the values (n,) of symbols in the expression: `DATA`,
            and the normal's components on a curved part.
        points: the only points at which the term holds (observations), shape (n, d).
        fixed: coordinates (by index) that are pinned (a gauge at a point).
        shift: along axes (by index): the residual is the expression at a point less that at the point moved
            so (periodicity). The expression is then linear in the unknowns, without data.
        condition: the condition it was made from, or None for an equation.
    """

    name: str
    expression: sp.Expr
    region: str
    inputs: Mapping[sp.Symbol, Callable[[Array], Array]] = field(default_factory=dict)
    points: Array | None = None
    fixed: Mapping[int, float] = field(default_factory=dict)
    shift: Mapping[int, float] = field(default_factory=dict)
    condition: Condition | None = None

    @property
    def is_equation(self) -> bool:
        return self.condition is None

    def sample(self, domain: Domain, n: int, rng: np.random.Generator, method: str = "sobol") -> Array:
        """About ``n`` points (n, d) at which the term holds; fixed point sets are returned whole."""
        if self.points is not None:
            return np.asarray(self.points)
        if len(self.fixed) == len(domain.axes):
            n = 1
        points = domain.sample(n, rng, self.region, method)
        for axis, value in self.fixed.items():
            points[:, axis] = value
        return points


@dataclass(frozen=True, eq=False)
class Problem:
    """A PDE with its domain, conditions and parameters; validated when it is made.

    Args:
        name: a short name, used in files and reports.
        equations: each is ``= 0``, or a `sympy.Eq`; a dictionary gives them names.
        domain: `Interval` or `Box`, shapes such as `Disk` and `Polygon` and what | & - make of them, or
            `MeshDomain`; times `Time` where the problem is transient.
        conditions: see `pdesolve.declare.conditions`.
        parameters: value of each known parameter.
        unknowns: their order in results; by default the order in which conditions, then equations, name
            them.
        reference: a closed form (expression, or one for each unknown in a dictionary), a function from
            (n, d) points to (n, k) values, a backend's name, or a `Reference`.
        units: unit of each unknown and coordinate, for files and pictures.
        vectors: names for groups of unknowns that form a vector, ``{"velocity": (u, v)}``.
        description: one or two sentences; sources with equation numbers.
        allow_ill_posed: accept backward diffusion.
        family: name of the `Family` it is a member of.
        inputs: what sets it apart in its family, by name; learned operators read it.
        priors: what each unknown coefficient is drawn from, where that is known beforehand, by name.

    Raises:
        DeclarationError: a subclass for each kind of mistake, with what to do about it.
    """

    name: str
    equations: Any
    domain: Domain
    conditions: Sequence[Condition] = ()
    parameters: Mapping[sp.Symbol, Any] = field(default_factory=dict)
    unknowns: tuple[AppliedUndef, ...] = ()
    reference: Any = None
    units: Mapping[Any, str] = field(default_factory=dict)
    vectors: Mapping[str, tuple[AppliedUndef, ...]] = field(default_factory=dict)
    description: str = ""
    allow_ill_posed: bool = False
    family: str = ""
    inputs: Mapping[str, sp.Expr] = field(default_factory=dict)
    priors: Mapping[str, Distribution] = field(default_factory=dict)

    def __post_init__(self) -> None:
        from .validation import check_reference, validate  # here: validation speaks of Problem

        def put(name: str, value: Any) -> None:
            object.__setattr__(self, name, value)

        put("equations", _named_equations(self.equations))
        put("conditions", _listed(self.conditions, f"Problem {self.name!r}, conditions", Condition))
        for name in ("parameters", "units", "vectors"):
            if not isinstance(getattr(self, name), Mapping):
                raise ExpressionTypeError(
                    f"Problem {self.name!r}, {name}",
                    "a dictionary",
                    repr(getattr(self, name))[:80],
                    "Write {key: value}.",
                )
            put(name, dict(getattr(self, name)))
        vectors = {
            name: _listed(members, f"Problem {self.name!r}, vectors")
            for name, members in self.vectors.items()
        }
        put("vectors", vectors)
        unknowns = _listed(self.unknowns, f"Problem {self.name!r}, unknowns")
        put("unknowns", unknowns or self._find_unknowns())
        validate(self)
        put("reference", as_reference(self.reference, self.unknowns))
        check_reference(self)

    def _find_unknowns(self) -> tuple[AppliedUndef, ...]:
        of_conditions = [c.unknown for c in self.conditions if isinstance(c, Condition)]
        found: dict[AppliedUndef, None] = {}
        for expression in of_conditions + list(self.equations.values()):
            for function in applied_functions(expression):
                found.setdefault(function)
        in_equations = {f for e in self.equations.values() for f in applied_functions(e)}
        return tuple(f for f in found if f in in_equations)

    # -- what it is made of ------------------------------------------------------------------------

    @property
    def coordinates(self) -> tuple[sp.Symbol, ...]:
        """Space coordinates, then time: the order of columns in every array of points."""
        return self.domain.coordinates

    @property
    def unknown_names(self) -> tuple[str, ...]:
        return tuple(u.func.__name__ for u in self.unknowns)

    @property
    def coefficients(self) -> tuple[AppliedUndef, ...]:
        """Unknowns that have no equation of their own."""
        return tuple(u for u in self.unknowns if isinstance(u, UnknownCoefficient))

    @property
    def unknown_parameters(self) -> tuple[Parameter, ...]:
        """Parameters to be identified, in order of name."""
        found = {
            symbol
            for term in self.terms
            for symbol in term.expression.free_symbols
            if isinstance(symbol, Parameter) and symbol.unknown
        }
        return tuple(sorted(found, key=lambda symbol: symbol.name))

    def substitute(self, expression: sp.Expr) -> sp.Expr:
        """The expression with the known parameters' values put in."""
        return sp.sympify(expression).subs(self.parameters)

    def of_type(self, kind: type[Condition]) -> Iterator[Any]:
        """The conditions of one class (or a subclass)."""
        return (c for c in self.conditions if isinstance(c, kind))

    def periodic_axes(self, unknown: AppliedUndef) -> tuple[int, ...]:
        """Indices of the axes along which an unknown is periodic."""
        axes: set[int] = set()
        for condition in self.of_type(Periodic):
            if condition.unknown == unknown:
                axes.update(condition.axes(self.domain))
        return tuple(sorted(axes))

    def derivatives(self, expression: sp.Expr) -> dict[sp.Expr, tuple[int, MultiIndex]]:
        """Unknowns and derivatives in an expression: which unknown, and its order in each coordinate."""
        found: dict[sp.Expr, tuple[int, MultiIndex]] = {}
        nodes = sp.preorder_traversal(expression)
        for node in nodes:
            if isinstance(node, sp.Derivative) and node.expr in self.unknowns:
                nodes.skip()  # u_xx does not need u, which SymPy keeps inside of it
                counts = dict(node.variable_count)
                index = tuple(int(counts.get(c, 0)) for c in self.coordinates)
                found[node] = (self.unknowns.index(node.expr), index)
            elif node in self.unknowns:
                found[node] = (self.unknowns.index(node), (0,) * len(self.coordinates))
        return found

    def order(self, unknown: AppliedUndef, coordinate: sp.Symbol) -> int:
        """Highest order of derivative of an unknown in one coordinate, over all equations."""
        k, i = self.unknowns.index(unknown), self.domain.axis_index(coordinate)
        orders = [
            index[i]
            for equation in self.equations.values()
            for which, index in self.derivatives(self.substitute(equation)).values()
            if which == k
        ]
        return max(orders, default=0)

    def time_order(self, unknown: AppliedUndef) -> int:
        """Highest order of time derivative of an unknown; 0 in a steady problem."""
        time = self.domain.time
        return 0 if time is None else self.order(unknown, time.coordinate)

    # -- the residuals it consists of --------------------------------------------------------------

    @cached_property
    def terms(self) -> tuple[Term, ...]:
        """Equations, then conditions, each as a residual on its region.

        Periodicity is not among them: a backend represents it exactly or does not support the problem. Where
        it may be missed, `pdesolve.residual.periodicity` has it as terms.
        """
        terms = [
            Term(name, self.substitute(expression), INSIDE) for name, expression in self.equations.items()
        ]
        for condition in self.conditions:
            terms += self._condition_terms(condition)
        return tuple(terms)

    def _condition_terms(self, condition: Condition) -> list[Term]:
        name = f"{condition.kind} {condition.unknown.func.__name__}"
        if isinstance(condition, Observations):
            values = condition.values
            return [
                Term(
                    name,
                    condition.unknown - DATA,
                    INSIDE,
                    inputs={DATA: lambda points: values},
                    points=condition.points,
                    condition=condition,
                )
            ]
        if isinstance(condition, Value):
            expression, inputs = self._minus_data(condition.unknown, condition.value)
            fixed = {self.domain.axis_index(c): float(v) for c, v in condition.at.items()}
            return [Term(name, expression, INSIDE, inputs, fixed=fixed, condition=condition)]
        if isinstance(condition, Initial):
            expression, inputs = self._minus_data(condition.operator, condition.value)
            of = "" if condition.order == 0 else " (time derivative)"
            return [Term(name + of, expression, "initial", inputs, condition=condition)]
        if isinstance(condition, BoundaryCondition):
            terms = []
            for part in condition.parts(self.domain):
                operator, of_normal = self._on_part(condition.operator(self.domain), part)
                expression, inputs = self._minus_data(operator, condition.value)
                inputs = {**inputs, **of_normal}
                terms.append(Term(f"{name} on {part}", expression, part, inputs, condition=condition))
            return terms
        return []

    def _on_part(self, operator: sp.Expr, part: str) -> tuple[sp.Expr, dict[sp.Symbol, Any]]:
        """An operator with the normal of a flat part put in, or inputs for that of a curved one."""
        domain, normal = self.domain, flat_normal(self.domain, part)
        if normal is not None:
            return operator.subs(normal), {}
        return operator, {
            n: lambda points, i=i: domain.normals(points, part)[:, i]
            for i, n in enumerate(normal_symbols(domain))
            if n in operator.free_symbols
        }

    def _minus_data(self, operator: sp.Expr, data: Any) -> tuple[sp.Expr, dict[sp.Symbol, Any]]:
        if isinstance(data, sp.Expr):
            return self.substitute(operator - data), {}
        return self.substitute(operator) - DATA, {DATA: data}

    # -- identity and transformation ---------------------------------------------------------------

    @cached_property
    def digest(self) -> str:
        """A hash of the declaration: checkpoints and results of another problem are told apart by it."""
        described = [
            self.name,
            {name: sp.srepr(e) for name, e in self.equations.items()},
            self.domain.region.to_json(),
            [str(a) for a in (self.domain.time,) if a is not None],
            [str(u) for u in self.unknowns],
            [_describe(c, self.domain) for c in self.conditions],
            sorted((str(k), sp.srepr(sp.sympify(v))) for k, v in self.parameters.items()),
        ]
        if self.priors:
            described.append({name: law.describe() for name, law in self.priors.items()})
        return hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()[:16]

    def replace(self, **changes: Any) -> Problem:
        """A copy with some fields changed, validated anew."""
        return replace(self, **changes)

    def manufacture(self, fields: Mapping[Any, Any] | None = None, **by_name: Any) -> Problem:
        """The same problem with the forcing and data that make given fields exact.

        >>> problem.manufacture(u=sp.sin(x) * sp.exp(-t))                   # doctest: +SKIP

        Every operator acts on the given field; what it yields is subtracted as a source or as data. The
        result's reference is the given field. A parameter that is to be identified is given its true value.
        """
        from .manufacture import manufacture

        chosen = {**(fields or {})}
        named = {u.func.__name__: u for u in self.unknowns} | {p.name: p for p in self.unknown_parameters}
        for name in named.keys() & by_name.keys():
            chosen[named[name]] = by_name.pop(name)
        if by_name:
            raise ExpressionTypeError(
                "manufacture()",
                f"fields for {', '.join(named)}",
                ", ".join(by_name),
                "Name an unknown.",
            )
        return manufacture(self, chosen)


def _listed(given: Any, who: str, kind: type = AppliedUndef) -> tuple[Any, ...]:
    """A tuple of what was given, also of one item alone."""
    if isinstance(given, kind):
        return (given,)
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise ExpressionTypeError(who, "a list", repr(given)[:80], "Write [first, second].")
    return tuple(given)


def _named_equations(given: Any) -> dict[str, sp.Expr]:
    """Equations as residuals ``= 0``, with names, derivatives carried out."""
    if isinstance(given, Mapping):
        items = list(given.items())
    elif isinstance(given, sp.Basic | str) or not isinstance(given, Sequence):
        items = [("equation", given)]
    elif len(given) == 1:
        items = [("equation", given[0])]
    else:
        items = [(f"equation {i}", equation) for i, equation in enumerate(given, 1)]
    equations = {}
    for name, equation in items:
        who = f"Problem, {name}"
        if isinstance(equation, bool | BooleanAtom):
            raise TrivialEquationError(
                who,
                "an equation that holds for some fields only",
                f"{equation}, what the comparison evaluated to",
                "Write sympy.Eq(left, right) of two different sides, or left - right; == compares at once.",
            )
        if isinstance(equation, sp.Equality):
            equation = equation.lhs - equation.rhs
        equations[name] = as_expression(equation, who, "a SymPy expression or sympy.Eq").doit()
    return equations


def _describe(condition: Condition, domain: Domain) -> list[str]:
    """A condition as text, for the digest."""
    value = getattr(condition, "value", None)
    if isinstance(condition, Observations):
        content = condition.points.tobytes() + condition.values.tobytes()
        text = hashlib.sha256(content).hexdigest()
    elif isinstance(value, sp.Basic):
        text = sp.srepr(value)
    else:
        text = _fingerprint(value, condition, domain)
    extra = [str(getattr(condition, name, "")) for name in ("a", "b", "at", "noise", "order")]
    return [condition.kind, str(condition.unknown), ",".join(condition.parts(domain)), text, *extra]


def _fingerprint(function: Callable[[Array], Array] | None, condition: Condition, domain: Domain) -> str:
    """A function by its values where it holds: all lambdas have one name. No data: an empty text."""
    if function is None:
        return ""
    digest = hashlib.sha256()
    for part in condition.parts(domain) or (INSIDE,):
        points = domain.cover(FINGERPRINT_POINTS, part)
        for coordinate, value in getattr(condition, "at", {}).items():
            points[:, domain.axis_index(coordinate)] = float(value)
        values = np.asarray(function(points), dtype=np.float64)
        # Ten digits of the largest value: the last ones differ between machines.
        scale = float(np.abs(values).max(initial=0.0))
        rounded = np.round(values / (scale or 1.0), 10) + 0.0
        digest.update(f"{part} {scale:.9e} {rounded.tolist()}".encode())
    return digest.hexdigest()


__all__ = ["DATA", "MultiIndex", "Problem", "Reference", "Term"]
