"""Checks of data by number: finite values, constants that nothing fixes, balances, jumps."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, combinations, product
from typing import Any

import numpy as np
import sympy as sp

from ..conditions import Dirichlet, Initial, Neumann, Observations, Value
from ..domain import INITIAL, INSIDE, Array
from ..errors import (
    BoundaryDataError,
    CompatibilityWarning,
    IncompatibleNeumannError,
    PeriodicityWarning,
    PressureGaugeError,
)
from ..symbols import Parameter
from .boundaries import is_held
from .facts import CHORD, FILE_DIGITS, ROUND_OFF, Equation, Facts, Node, names, vanishes, warn

TRIED = 256
"""Points of each part at which data are tried."""

CORNERS, CENTRE = [0, 2], 1
"""Which points of `Domain.cover` are the extreme corners of a box, and which is the centre."""

NODES = (1, 96, 48, 16)
"""Gauss points an axis that integrate over a point, an interval, a rectangle, a box."""


def check_values(facts: Facts) -> None:
    """Data are finite floats, one for each point, wherever they are asked for."""
    for condition in facts.problem.conditions:
        # Few points first: a function's wrong shape is best told of few.
        for place, points in chain(facts.places(condition), facts.places(condition, TRIED)):
            values = facts.values(condition, points)
            bad = ~np.isfinite(values)
            if bad[CORNERS].any() and not np.delete(bad, CORNERS).any():
                # A limit such as x log x at 0: what counts is that values are finite close by.
                points = points + 1e-6 * (points[CENTRE] - points)
                values = facts.values(condition, points)
                bad = ~np.isfinite(values)
            if bad.any():
                where = ", ".join(
                    f"{c} = {x:.6g}" for c, x in zip(facts.problem.coordinates, points[bad][0], strict=True)
                )
                raise BoundaryDataError(
                    f"{condition.who} on {place}",
                    "finite values",
                    f"{values[bad][0]} at {where}",
                    "Correct the expression, or the domain that it is used on.",
                )


def check_gauge(facts: Facts) -> None:
    """An unknown that occurs under derivatives alone is fixed up to a constant: something must fix it."""
    for k, unknown in enumerate(facts.problem.unknowns):
        d = len(facts.domain.space)
        indices = [index for which, index in facts.orders if which == k]
        if any(sum(index[:d]) == 0 for index in indices) or is_held(facts, unknown):
            continue
        if facts.of(unknown, Observations):
            continue
        time = facts.domain.time
        gauges = facts.of(unknown, Value)
        # In a transient problem the constant is a function of time: one instant does not fix it.
        if any(time is None or time.coordinate not in gauge.at for gauge in gauges):
            continue
        name = unknown.func.__name__
        order = max(facts.order(unknown, axis) for axis in range(d))
        at = ", ".join(f"{c}: {value}" for c, value in _gauge_point(facts).items())
        kind = IncompatibleNeumannError if order >= 2 else PressureGaugeError
        raise kind(
            f"{facts.who}, {name}",
            f"a condition that holds {name} itself"
            + (f" at all times (leave {time.coordinate} out of at=)" if gauges and time else ""),
            f"{name} under derivatives only, so that it is fixed up to a constant",
            f"Add Value({name}, 0, at={{{at}}}), or a Dirichlet condition.",
        )


def _gauge_point(facts: Facts) -> dict[sp.Symbol, Any]:
    """A point in space to propose for a gauge: a corner of a box, else one well inside."""
    space = facts.domain.space
    if facts.domain.is_box:
        return {axis.coordinate: axis.lower for axis in space}
    points = facts.points(64)
    point = points[facts.domain.distance(points).argmax(), : len(space)]
    return {axis.coordinate: f"{value:.3g}" for axis, value in zip(space, point, strict=True)}


def check_balance(facts: Facts) -> None:
    """∫ source = flux through the boundary, where the equation is a divergence and all fluxes are given.

    A pure Neumann problem Σ aᵢ ∂²u/∂xᵢ² + f = 0 asks for Σ aᵢ ∮ ∂u/∂n + ∫ f = 0, and incompressible flow
    Σ ∂uᵢ/∂xᵢ = 0 with given uᵢ on the boundary for ∮ u·n = 0. A part where nᵢ = 0 needs no uᵢ.
    """
    d = len(facts.domain.space)
    for equation in facts.equations:
        fluxes = _divergence(facts, equation)
        if fluxes is None or not 1 <= d <= 3:
            continue
        times = [0.0] if facts.domain.time is None else np.linspace(*facts.domain.time.bounds, 3)
        for t in times:
            # Two rules: their difference tells the error of quadrature from an imbalance.
            first, _, _ = _imbalance(facts, equation, fluxes, 0.75, t)
            total, scale, slack = _imbalance(facts, equation, fluxes, 1.0, t)
            if abs(total) > slack + 10 * abs(total - first):
                second_order = any(sum(node[1]) == 2 for node in fluxes)
                raise (IncompatibleNeumannError if second_order else PressureGaugeError)(
                    equation.who,
                    "sources that balance the flux through the boundary",
                    f"an imbalance of {total:.3g} (of {scale:.3g} in total)"
                    + ("" if facts.domain.time is None else f" at time {t:g}"),
                    "Correct the source or the boundary data: no solution exists otherwise.",
                )


def _divergence(facts: Facts, equation: Equation) -> dict[Node, sp.Expr] | None:
    """Coefficient of each ∂²u/∂xᵢ² or ∂uᵢ/∂xᵢ if the equation holds nothing else and fluxes are given."""
    fluxes: dict[Node, sp.Expr] = {}
    coefficients = {node: equation.coefficient(node) for node in equation.symbols}
    space = len(facts.domain.space)
    for k, index in equation.symbols:
        axis = next((i for i, n in enumerate(index) if n), None)
        if axis is None or axis >= space or sum(index) != index[axis] or index[axis] > 2:
            return None
        coefficient = coefficients[(k, index)]
        varies = not coefficient.is_number
        if not coefficient.free_symbols <= set(facts.problem.coordinates):
            return None
        if is_to_be_found(facts, equation.source):
            return None
        # (a u_x)_x = a u_xx + a_x u_x: what a_x u_x adds is in the flux of a u_xx already.
        second = (k, tuple(2 * n for n in index))
        if index[axis] == 1 and second in coefficients:
            if vanishes(coefficients[second].diff(facts.problem.coordinates[axis]) - coefficient):
                continue
            return None
        if varies and not _has_its_gradient(facts, coefficients, (k, index), axis):
            return None
        wanted = Neumann if index[axis] == 2 else Dirichlet
        unknown = facts.problem.unknowns[k]
        for face in facts.domain.faces:
            given = [c for c in facts.on(unknown, face.name) if isinstance(c, wanted)]
            crosses = _crosses(facts, face.name, axis)
            if crosses and not given and axis not in facts.problem.periodic_axes(unknown):
                return None
            if any(is_to_be_found(facts, c.value) for c in given):
                return None
        fluxes[(k, index)] = coefficient
    if not _is_known(facts, fluxes):
        return None
    first = [node for node in fluxes if sum(node[1]) == 1]
    if first and not len({k for k, _ in first}) == len(first) == len(fluxes) == space > 1:
        return None
    return fluxes


def _is_known(facts: Facts, fluxes: dict[Node, sp.Expr]) -> bool:
    """Whether ∂u/∂n tells the flux n·A∇u: n is an eigenvector of A = diag(aᵢ) all over the boundary."""
    pairs = list(combinations(range(len(facts.domain.space)), 2))
    met = [
        (i, j)
        for i, j in pairs
        if any(np.any(normals[:, i] * normals[:, j]) for normals in map(facts.directions, _parts(facts)))
    ]
    for k in {k for k, index in fluxes if sum(index) == 2}:
        a = {index.index(2): a for (j, index), a in fluxes.items() if j == k and 2 in index}
        if any(not vanishes(a.get(i, sp.S.Zero) - a.get(j, sp.S.Zero)) for i, j in met):
            return False
    return True


def _parts(facts: Facts) -> list[str]:
    return [face.name for face in facts.domain.faces]


def _has_its_gradient(facts: Facts, coefficients: dict[Node, sp.Expr], node: Node, axis: int) -> bool:
    """True for a u_xx whose a_x u_x stands beside it, or needs none."""
    k, index = node
    slope = coefficients[node].diff(facts.problem.coordinates[axis])
    if index[axis] != 2:
        return vanishes(slope)
    return (k, tuple(n // 2 for n in index)) in coefficients or vanishes(slope)


def is_to_be_found(facts: Facts, data: Any) -> bool:
    """True for data that hold a parameter to be identified: a start value proves nothing of them."""
    return isinstance(data, sp.Expr) and any(
        isinstance(s, Parameter) and s.unknown for s in facts.problem.substitute(data).free_symbols
    )


def _imbalance(
    facts: Facts, equation: Equation, fluxes: dict[Node, sp.Expr], share: float, time: float
) -> tuple[float, float, float]:
    """∫ source + Σ aᵢ ∮ flux, the sum of the absolute values of what is added up, and the error allowed.

    ``share`` of the usual number of points an axis is taken.

    Where n is an eigenvector of A = diag(aᵢ), as `_is_known` made sure, n·A∇u = Σ aᵢ nᵢ² ∂u/∂n.
    """
    points, weights = _quadrature(facts, share, INSIDE, time)
    source = facts.evaluate(equation.source, points)
    total, scale = float(weights @ source), float(weights @ abs(source))
    curved = scale if any(map(facts.is_curved, _parts(facts))) else 0.0
    for (k, index), coefficient in fluxes.items():
        unknown, axis, order = facts.problem.unknowns[k], index.index(max(index)), sum(index)
        for face in facts.domain.faces:
            for condition in facts.on(unknown, face.name):
                if isinstance(condition, Neumann if order == 2 else Dirichlet):
                    points, weights = _quadrature(facts, share, face.name, time)
                    normal = facts.domain.normals(points, face.name)[:, axis]
                    flux = facts.evaluate(coefficient, points) * normal**order
                    flux = flux * facts.values(condition, points)
                    size = float(weights @ abs(flux))
                    total, scale = total + float(weights @ flux), scale + size
                    curved += size if facts.is_curved(face.name) else 0.0
    exact = ROUND_OFF if facts.domain.is_box else FILE_DIGITS
    return total, scale, exact * scale + CHORD**2 * curved


def _crosses(facts: Facts, part: str, axis: int) -> bool:
    """Whether anything flows through a part along an axis: not where the normal lacks this component."""
    return bool(np.any(facts.directions(part)[:, axis]))


def _quadrature(facts: Facts, share: float, part: str, time: float) -> tuple[Array, Array]:
    """Gauss points (m, d) and weights (m,) in space, or on a part of the boundary, at one time.

    As many as an interval, a rectangle or a box takes, spread over the pieces of a shape or mesh.
    """
    region = facts.domain.region
    dimension = len(facts.domain.space) - (part != INSIDE)
    pieces = len(region.quadrature(1, part)[1])
    each = NODES[dimension] / pieces ** (1 / max(dimension, 1))
    points, weights = region.quadrature(round(share * max(3.0, each)), part)
    if facts.domain.time is not None:
        points = np.column_stack([points, np.full(len(points), time)])
    return points, weights


# -- warnings ------------------------------------------------------------------------------------------


def warn_periodic_jump(facts: Facts) -> None:
    """Initial data and coefficients that are declared periodic do not jump across the faces."""
    problem = facts.problem
    for unknown, axis in product(problem.unknowns, range(len(facts.domain.space))):
        if axis not in problem.periodic_axes(unknown):
            continue
        coordinate = problem.coordinates[axis]
        for condition in facts.of(unknown, Initial):
            lower, upper = _opposite(facts, axis, INITIAL)
            left, right = facts.values(condition, lower), facts.values(condition, upper)
            scale = max(float(np.max(np.abs(v))) for v in (left, right, *_inside(facts, condition)))
            if message := _jump(condition.who, coordinate, left - right, scale):
                warn(message, PeriodicityWarning)
    for equation in facts.equations:
        for axis in sorted(
            {a for k, _ in equation.symbols for a in problem.periodic_axes(problem.unknowns[k])}
        ):
            coordinate = problem.coordinates[axis]
            if coordinate not in equation.residual.free_symbols:
                continue
            values = np.linspace(0.4, 1.7, len(equation.symbols)).tolist()
            fixed = equation.residual.xreplace(
                {s: sp.Float(v) for s, v in zip(equation.symbols.values(), values, strict=True)}
            )
            lower, upper = _opposite(facts, axis, None)
            left, right = facts.evaluate(fixed, lower), facts.evaluate(fixed, upper)
            inside = facts.evaluate(fixed, facts.points(16))
            finite = [np.abs(v[np.isfinite(v)]).max(initial=0.0) for v in (left, right, inside)]
            if message := _jump(equation.who, coordinate, left - right, float(max(finite))):
                warn(message, PeriodicityWarning)


def _inside(facts: Facts, condition: Initial) -> Iterator[Array]:
    yield facts.values(condition, facts.points(16, INITIAL))


def _opposite(facts: Facts, axis: int, part: str | None) -> tuple[Array, Array]:
    """The same points on the two faces of an axis."""
    lower = facts.points(16) if part is None else facts.points(16, part)
    upper = lower.copy()
    lower[:, axis], upper[:, axis] = facts.domain.axes[axis].bounds
    return lower, upper


def _jump(who: str, coordinate: sp.Symbol, jump: Array, scale: float) -> str:
    """A message where the jump is more than round-off, else nothing."""
    size = float(np.abs(jump[np.isfinite(jump)]).max(initial=0.0))
    if size <= ROUND_OFF * scale:
        return ""
    return (
        f"{who}: declared periodic in {coordinate}, but it jumps by {size:.3g} across the faces. "
        "The solution will be discontinuous there: check the domain's length or the data."
    )


def warn_initial_mismatch(facts: Facts) -> None:
    """Initial values agree with Dirichlet data where both hold."""
    time = facts.time_axis
    if time is None:
        return
    for condition in facts.problem.of_type(Dirichlet):
        for initial in facts.of(condition.unknown, Initial):
            if initial.order:
                continue
            scale = max(float(np.abs(v).max()) for v in _inside(facts, initial))
            sizes = {}
            for part in condition.parts(facts.domain):
                points = facts.points(16, part, {time: facts.domain.axes[time].bounds[0]})
                boundary, start = facts.values(condition, points), facts.values(initial, points)
                finite = np.isfinite(boundary) & np.isfinite(start)
                size = float(np.abs(boundary[finite] - start[finite]).max(initial=0.0))
                largest = max(scale, float(np.abs(boundary[finite]).max(initial=0.0)))
                if size > facts.tolerance(part) * largest:
                    sizes[part] = size
            if sizes:
                warn(
                    f"{condition.who} on {names(sizes)}: differs from the initial condition by "
                    f"{max(sizes.values()):.3g} at the start. The solution has a layer there: make the data "
                    "agree if none is meant.",
                    CompatibilityWarning,
                )
