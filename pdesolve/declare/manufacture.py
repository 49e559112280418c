"""Manufactured solutions: the forcing and data that make a given field exact.

Method: P. J. Roache, "Code Verification by the Method of Manufactured Solutions", J. Fluids Eng. 124
(2002) 4-10. Every operator L of the problem acts on the chosen field ū, and L(u) = 0 becomes
L(u) - L(ū) = 0; boundary, initial and observed data become those of ū.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import sympy as sp

from .conditions import (
    BoundaryCondition,
    Condition,
    Data,
    Initial,
    Observations,
    Periodic,
    Value,
    flat_normal,
    normal_symbols,
)
from .domain import Array
from .errors import ManufacturedFieldError
from .problem import Problem
from .reference import EXACT_ERROR, Reference
from .symbols import applied_functions, as_expression
from .validation.facts import Facts, names


def manufacture(problem: Problem, fields: Mapping[Any, Any]) -> Problem:
    """The problem ``<name>-manufactured`` that ``fields`` solve exactly.

    Args:
        problem: what to verify a solver on.
        fields: a closed form, in coordinates and known parameters, for each unknown; and for each parameter
            that is to be identified the number that counts as its true value.

    One condition on several parts becomes one for each, on faces of a box with data restricted to them.
    Known parameters stay symbols, except in fluxes through curved parts: these are functions of points,
    with the parameters' present values. The reference of the result is the field.

    Raises:
        ManufacturedFieldError: a field is missing, is no closed form, or is not periodic where the
            problem is.
    """
    return _Manufacture(problem, fields).problem()


class _Manufacture:
    def __init__(self, problem: Problem, fields: Mapping[Any, Any]) -> None:
        self.declared = problem
        self.who = f"manufacture({problem.name!r})"
        self.facts = Facts(problem)
        wanted = [*problem.unknowns, *problem.unknown_parameters]
        missing = [str(u) for u in wanted if u not in fields]
        strange = [str(key) for key in fields if key not in wanted]
        if missing or strange:
            raise ManufacturedFieldError(
                self.who,
                f"a field for each of {names(wanted)}",
                f"none for {names(missing)}" if missing else f"one for {names(strange)}",
                "Give one expression for each unknown, and a number for each parameter to be identified.",
            )
        # Sources hold the true values of parameters, operators the symbols: so they can be identified.
        self.truth = {p: self._field(str(p), fields[p], set()) for p in problem.unknown_parameters}
        known = set(problem.coordinates) | set(problem.parameters)
        self.fields = {u: self._field(str(u), fields[u], known) for u in problem.unknowns}

    def _field(self, name: str, given: Any, known: set[sp.Symbol]) -> sp.Expr:
        who = f"{self.who}, {name}"
        field = as_expression(given, who)
        other = field.free_symbols - known
        if other or applied_functions(field):
            raise ManufacturedFieldError(
                who,
                f"an expression in {names(sorted(known, key=str))}" if known else "a number",
                f"{names(sorted(other, key=str) or applied_functions(field))} in it",
                "Write a closed form.",
            )
        return field

    def problem(self) -> Problem:
        declared = self.declared
        return declared.replace(
            name=f"{declared.name}-manufactured",
            equations={name: e - self.apply(e) for name, e in declared.equations.items()},
            conditions=[new for condition in declared.conditions for new in self.conditions(condition)],
            reference=Reference(
                expressions=tuple(self.fields.values()),
                error=EXACT_ERROR,
                description="manufactured field",
            ),
        )

    def apply(self, operator: sp.Expr) -> sp.Expr:
        """What an operator yields on the fields."""
        found = {}
        for node, (k, index) in self.declared.derivatives(sp.sympify(operator)).items():
            field = self.fields[self.declared.unknowns[k]]
            for coordinate, order in zip(self.declared.coordinates, index, strict=True):
                field = sp.diff(field, coordinate, order)
            found[node] = field
        return sp.sympify(operator).xreplace(found).subs(self.truth)

    def conditions(self, condition: Condition) -> list[Condition]:
        """The condition with the fields' data; several for a condition on several faces."""
        domain = self.declared.domain
        field = self.fields[condition.unknown]
        if isinstance(condition, Periodic):
            self._check_periodic(condition)
            return [condition]
        if isinstance(condition, BoundaryCondition):
            made: list[Condition] = []
            for part in condition.parts(domain):
                data = self._on_part(condition.operator(domain), part)
                made.append(replace(condition, value=data, on=(part,)))
            return made
        if isinstance(condition, Initial):
            assert domain.time is not None  # validation refuses Initial in steady problems
            data = self.apply(condition.operator).subs(domain.time.coordinate, domain.time.lower)
            return [Initial(condition.operator, data)]
        if isinstance(condition, Value):
            return [replace(condition, value=field.subs(dict(condition.at)))]
        if isinstance(condition, Observations):
            values = np.array(self.facts.evaluate(field, condition.points))
            return [replace(condition, values=values)]
        raise ManufacturedFieldError(
            self.who, "conditions that data can be computed for", condition.who, "Drop the condition."
        )

    def _on_part(self, operator: sp.Expr, part: str) -> Data:
        """What a condition's operator yields on a part: an expression, or a function where n varies."""
        domain = self.declared.domain
        face, symbols = domain.face(part), normal_symbols(domain)
        data = self.apply(operator.subs(flat_normal(domain, part) or {}))
        if face.axis is not None:
            axis = domain.axes[face.axis]
            return data.subs(axis.coordinate, axis.lower if face.side < 0 else axis.upper)
        if not data.free_symbols.intersection(symbols):
            return data
        facts, slopes = self.facts, [sp.diff(data, n) for n in symbols]  # linear in the normal
        rest = data.subs(dict.fromkeys(symbols, 0))

        def flux(points: Array) -> Array:
            along = np.stack([facts.evaluate(slope, points) for slope in slopes], axis=1)
            through: Array = np.sum(along * domain.normals(points, part), axis=1)
            return facts.evaluate(rest, points) + through

        return flux

    def _check_periodic(self, condition: Periodic) -> None:
        """The field and the derivatives that the equations hold agree on opposite faces."""
        for axis in condition.axes(self.declared.domain):
            coordinate = self.declared.coordinates[axis]
            lower = self.facts.points(16)
            upper = lower.copy()
            lower[:, axis], upper[:, axis] = self.declared.domain.axes[axis].bounds
            for order in range(self.facts.order(condition.unknown, axis) + 1):
                derivative = sp.diff(self.fields[condition.unknown], coordinate, order)
                left, right = self.facts.evaluate(derivative, lower), self.facts.evaluate(derivative, upper)
                size = float(np.abs(left - right).max())
                if not size <= 1e-8 * max(float(np.abs(left).max()), float(np.abs(right).max()), 1.0):
                    raise ManufacturedFieldError(
                        f"{self.who}, {condition.unknown}",
                        f"a field that is periodic in {coordinate}",
                        f"a jump of {size:.3g} in its derivative of order {order}",
                        f"Choose a field with the period of the domain, such as one in sin and cos of "
                        f"2*pi*({coordinate})/length.",
                    )
