"""Checks of the conditions: they name parts that exist, and are neither too few nor too many."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

import numpy as np
import sympy as sp
from sympy.core.function import AppliedUndef

from ..conditions import BoundaryCondition, Dirichlet, Initial, Neumann, Periodic, Robin, Value
from ..domain import INITIAL, Face
from ..errors import (
    DuplicateConditionError,
    InflowWarning,
    InitialConditionError,
    InitialOrderError,
    MissingBoundaryConditionError,
    OverdeterminedBoundaryError,
    RobinCoefficientError,
    UnknownPartError,
)
from .facts import CHORD, Facts, names, warn


def check_parts(facts: Facts) -> None:
    """Boundary conditions name parts of the boundary; periodic ones a whole axis of a box."""
    faces = [face.name for face in facts.domain.faces]
    for condition in facts.problem.conditions:
        if isinstance(condition, Periodic):
            condition.axes(facts.domain)  # raises PeriodicPairError
        if isinstance(condition, BoundaryCondition):
            for part in condition.parts(facts.domain):
                if part not in faces:
                    raise UnknownPartError(
                        condition.who,
                        f"one of the parts {names(faces)}",
                        repr(part),
                        "Write Initial(u, ...) for the start of time."
                        if part == INITIAL
                        else "Name an existing part; on=None means all of them.",
                    )


def check_robin(facts: Facts) -> None:
    """a u + b ∂u/∂n = g needs one coefficient that is not zero."""
    for condition in facts.problem.of_type(Robin):
        a, b = (facts.problem.substitute(e) for e in condition.coefficients())
        if a == 0 and b == 0:
            raise RobinCoefficientError(
                condition.who, "a or b different from 0", "a = 0 and b = 0", "Give Robin(u, g, a=..., b=...)."
            )


def check_initial(facts: Facts) -> None:
    """u, and u_t where the equation is of second order in time, are given at the start, once each."""
    time = facts.domain.time
    for unknown in facts.problem.unknowns:
        name = unknown.func.__name__
        who = f"{facts.who}, Initial({name})"
        given = Counter(condition.order for condition in facts.of(unknown, Initial))
        if time is None:
            if given:
                raise InitialConditionError(
                    who,
                    "no initial condition in a steady problem",
                    "one, and a domain without Time",
                    "Multiply the domain by Time(t, 0, 1), or drop the condition.",
                )
            continue
        order = facts.order(unknown, facts.time_axis)
        # An algebraic unknown such as the pressure may be given at the start: a harmless starting value.
        excess = sorted(k for k in given if k >= max(order, 1))
        if excess:
            raise InitialOrderError(
                who,
                f"initial values of orders below {order}, the order in time",
                f"one of order {excess[0]}",
                "Drop it, or correct the time derivative in the equation.",
            )
        twice = [k for k, count in given.items() if count > 1]
        if twice:
            raise DuplicateConditionError(
                who, "one initial condition of each order", f"{given[twice[0]]}", "Drop one of them."
            )
        missing = [k for k in range(order) if k not in given]
        if missing and not facts.observed:
            written = name if missing[0] == 0 else f"{name}.diff({time.coordinate})"
            kind = InitialConditionError if missing[0] == 0 else InitialOrderError
            raise kind(
                who,
                f"{order} initial condition{'s' * (order > 1)}: the equation is of order {order} in time",
                f"none for {written}",
                f"Add Initial({written}, ...).",
            )


def check_overdetermined(facts: Facts) -> None:
    """Value and flux are not both prescribed on the whole boundary, nor anything without a derivative."""
    for unknown in facts.problem.unknowns:
        name, space = unknown.func.__name__, range(len(facts.domain.space))
        if facts.of(unknown, BoundaryCondition) and not any(facts.order(unknown, axis) for axis in space):
            raise OverdeterminedBoundaryError(
                f"{facts.who}, {name}",
                f"derivatives of {name} in space, or no condition on faces",
                "conditions on faces and no derivative in space",
                "Drop the conditions, or look for a derivative in a coordinate that the unknown does not "
                "depend on: it is zero from the start.",
            )
        faces = [f for f in facts.domain.faces if f.axis not in facts.problem.periodic_axes(unknown)]
        both = [
            face.name
            for face in faces
            if _too_many(facts, unknown, face) and _value_and_flux(facts, unknown, face)
        ]
        if faces and len(both) == len(faces):
            raise OverdeterminedBoundaryError(
                f"{facts.who}, {unknown.func.__name__}",
                "either the value or the flux on each face",
                f"Dirichlet and Neumann on all faces ({names(both)})",
                "Keep one of them; both together have a solution by accident only.",
            )


def _value_and_flux(facts: Facts, unknown: AppliedUndef, face: Face) -> bool:
    kinds = {type(c) for c in facts.on(unknown, face.name)}
    return Dirichlet in kinds and bool(kinds & {Neumann, Robin})


def _too_many(facts: Facts, unknown: AppliedUndef, face: Face) -> bool:
    """More than the order across the part allows: (m + 1)/2 at one end, m in total for odd m.

    An ordinary equation allows m at one end; unknowns that stand for each other's derivatives, the sum.
    """
    order = facts.order_across(unknown, face)
    if facts.is_ordinary and order >= 2:
        return _total(facts, unknown, facts.domain.faces) > order
    chain = facts.chain(unknown)
    allowed = sum((facts.order_across(u, face) + 1) // 2 for u in chain)
    return sum(len(facts.on(u, face.name)) for u in chain) > max(1, allowed)


def _total(facts: Facts, unknown: AppliedUndef, faces: Iterable[Face]) -> int:
    """How many conditions stand on several parts together."""
    return sum(len(facts.on(unknown, face.name)) for face in faces)


def _ends(facts: Facts, axis: int) -> list[Face]:
    """The two faces of a box at the ends of an axis; shapes and meshes have no such pairs."""
    return [face for face in facts.domain.faces if face.axis == axis]


def check_duplicates(facts: Facts) -> None:
    """No two conditions stand in each other's place."""
    for unknown in facts.problem.unknowns:
        who = f"{facts.who}, {unknown.func.__name__}"
        periods = Counter(axis for c in facts.of(unknown, Periodic) for axis in c.axes(facts.domain))
        for face in facts.domain.faces:
            found = facts.on(unknown, face.name)
            kinds = Counter(c.kind for c in found)
            periodic = 0 if face.axis is None else periods[face.axis]
            if periodic and (found or periodic > 1):
                listed = ["periodic"] * periodic + [c.kind for c in found]
                raise DuplicateConditionError(
                    f"{who} on {face.name}",
                    "Periodic alone along its axis",
                    names(listed),
                    "Drop one; Periodic(u, x) limits periodicity to the axis x.",
                )
            if _too_many(facts, unknown, face) or max(kinds.values(), default=0) > 1:
                order = facts.order_across(unknown, face)
                allowed = f"{max(1, (order + 1) // 2)} condition(s)"
                if facts.is_ordinary and order >= 2:
                    allowed = f"{order} conditions at both ends together,"
                raise DuplicateConditionError(
                    f"{who} on {face.name}",
                    f"at most {allowed} of different kinds (order {order})",
                    names(kind for kind, n in kinds.items() for _ in range(n)),
                    "Drop one, or limit each to its faces by on=...",
                )
        for axis in range(len(facts.domain.space)):
            order, pair = facts.order(unknown, axis), _ends(facts, axis)
            total = _total(facts, unknown, pair)
            if order % 2 and 3 <= order < total:
                raise DuplicateConditionError(
                    f"{who} on {names(face.name for face in pair)}",
                    f"{order} conditions for order {order} in {facts.problem.coordinates[axis]}",
                    f"{total}",
                    "Drop one of them.",
                )
        points = Counter(tuple(sorted(c.at.items(), key=str)) for c in facts.of(unknown, Value))
        if max(points.values(), default=0) > 1:
            raise DuplicateConditionError(who, "one Value at a point", "two", "Drop one of them.")


def check_missing(facts: Facts) -> None:
    """Every part carries the conditions that the order of the equation asks for."""
    if facts.observed:
        return  # measurements stand in for boundary data in inverse problems
    for unknown in facts.problem.unknowns:
        needed = list(_needed(facts, unknown))
        if needed:
            parts = names(face.name for face, _ in needed)
            face, axis = needed[0]
            order = facts.order(unknown, axis)
            name, coordinate = unknown.func.__name__, facts.problem.coordinates[axis]
            raise MissingBoundaryConditionError(
                f"{facts.who}, {name}",
                f"{_number(order)} for order {order} in {coordinate}",
                f"too few on {parts}",
                _add_condition(facts, unknown, face, coordinate),
            )
    _check_first_order(facts)


def _number(order: int) -> str:
    each = f"{order // 2} condition{'s' * (order // 2 > 1)} on each part"
    return each if order % 2 == 0 else f"{each} and {order} in total"


def _add_condition(facts: Facts, unknown: AppliedUndef, face: Face, *along: sp.Symbol) -> str:
    """The remedy for a condition that is missing on a part."""
    name = unknown.func.__name__
    periodic = f", or Periodic({names([name, *along])})" if facts.domain.is_box else ""
    return f'Add for instance Dirichlet({name}, 0, on="{face.name}"){periodic}.'


def _needed(facts: Facts, unknown: AppliedUndef) -> Iterator[tuple[Face, int]]:
    """Every part that lacks a condition, with the axis along which the order asks for it."""
    for face in facts.domain.faces:
        axis = facts.leading_axis(unknown, face)
        order, pair = facts.order(unknown, axis), _ends(facts, axis)
        if order < 2 or axis in facts.problem.periodic_axes(unknown):
            continue
        if facts.is_ordinary and _total(facts, unknown, facts.domain.faces) >= order:
            continue
        # A member that is periodic along the axis has all it needs there.
        chain = [u for u in facts.chain(unknown) if axis not in facts.problem.periodic_axes(u)]
        counts = {f: sum(len(facts.on(u, f.name)) for u in chain) for f in {face, *pair}}
        due = sum(facts.order_across(u, face) // 2 for u in chain)
        # An odd order asks a box for one more, at either end.
        one_more = order % 2 and pair and sum(counts.values()) < order
        if counts[face] < due or (one_more and counts[face] == min(counts.values())):
            yield face, axis


def _check_first_order(facts: Facts) -> None:
    """First-order equations need data on some inflow part; which one depends on the solution."""
    problem = facts.problem
    if any(True for _ in problem.of_type(Value)):
        return
    space = range(len(facts.domain.space))
    highest = {axis: max(facts.order(u, axis) for u in problem.unknowns) for axis in space}
    if _is_transport(facts):
        _check_inflow(facts)
        return
    if len(problem.unknowns) == 1:
        groups = [list(space)] if max(highest.values(), default=0) == 1 else []
    else:
        groups = [[axis] for axis in space if highest[axis] == 1]
    for axes in groups:
        faces = [face for face in facts.domain.faces if any(face.crosses(axis) for axis in axes)]
        given = any(facts.on(u, face.name) for u in problem.unknowns for face in faces)
        periodic = any(axis in problem.periodic_axes(u) for u in problem.unknowns for axis in axes)
        if not given and not periodic:
            raise MissingBoundaryConditionError(
                f"{facts.who}, {names(problem.unknown_names)}",
                "a condition on the inflow part of a first-order equation",
                f"none on {names(face.name for face in faces)}",
                _add_condition(facts, problem.unknowns[0], faces[0]),
            )


def _check_inflow(facts: Facts) -> None:
    """u_t + c·∇u + … = 0 needs u on the parts where c·n < 0."""
    entering = [(face, speed) for face, speed in _inflow(facts) if speed is not None]
    if entering:
        unknown, (face, speed) = facts.problem.unknowns[0], entering[0]
        raise MissingBoundaryConditionError(
            f"{facts.who}, {unknown.func.__name__}",
            "a condition on the inflow part of a first-order equation",
            f"none on {names(face.name for face, _ in entering)}, where it enters with speed {speed:.3g}",
            _add_condition(facts, unknown, face),
        )


def warn_inflow(facts: Facts) -> None:
    """Where the solution decides whether it enters, some condition is likely to be missing."""
    if not _is_transport(facts) or facts.observed:
        return
    unknown = facts.problem.unknowns[0]
    if facts.of(unknown, BoundaryCondition) or facts.of(unknown, Value):
        return
    undecided = [face.name for face, _ in _inflow(facts)]
    if undecided:
        warn(
            f"{facts.who}: no condition on {names(undecided)}, where the speed depends on the solution. "
            f"Where {unknown.func.__name__} enters, its values are needed: add Dirichlet there.",
            InflowWarning,
        )


def _is_transport(facts: Facts) -> bool:
    """One unknown, of first order in time and in space."""
    if len(facts.problem.unknowns) > 1 or any(sum(index) > 1 for _, index in facts.orders):
        return False
    return facts.order(facts.problem.unknowns[0], facts.time_axis) == 1


def _inflow(facts: Facts) -> Iterator[tuple[Face, float | None]]:
    """Parts without a condition where u_t + c·∇u + … = 0 enters, with the speed: None where u decides."""
    unknown, equation = facts.problem.unknowns[0], facts.equations[0]
    time = len(facts.domain.axes) - 1
    nodes = {index.index(1): (k, index) for k, index in equation.symbols if sum(index)}
    speeds = {
        axis: equation.coefficient(node) / equation.coefficient(nodes[time])
        for axis, node in nodes.items()
        if axis != time
    }
    for face in facts.domain.faces:
        crossing = {axis: speed for axis, speed in speeds.items() if face.crosses(axis)}
        periodic = face.axis in facts.problem.periodic_axes(unknown)
        if not crossing or periodic or facts.on(unknown, face.name):
            continue
        if any(speed.free_symbols & set(equation.symbols.values()) for speed in crossing.values()):
            yield face, None
            continue
        points = facts.points(64, face.name)
        normals = facts.domain.normals(points, face.name)
        velocity = np.stack([facts.evaluate(speed, points) for speed in crossing.values()], axis=1)
        inward = -np.sum(normals[:, list(crossing)] * velocity, axis=1)
        # Along a wall that chords stand for, what flows past seems to enter and to leave.
        angle = CHORD if facts.is_curved(face.name) else facts.tolerance(face.name)
        if np.any(inward > angle * np.nanmax(np.abs(velocity))):
            yield face, float(np.nanmax(inward))


def is_held(facts: Facts, unknown: AppliedUndef) -> bool:
    """True where some condition in space holds the unknown itself, not its derivatives alone."""
    if facts.of(unknown, Dirichlet):
        return True
    return any(sp.sympify(facts.problem.substitute(c.a)) != 0 for c in facts.of(unknown, Robin))
