"""Trial functions that meet initial and Dirichlet conditions exactly: u = L(x) + F(x) N(x).

The lift L carries the data, the factor F vanishes where they hold, N is the network's output. On a box L is
the Boolean sum (transfinite interpolation, Gordon 1971) of one-dimensional interpolations along the axes:

    L ← L + P_axis (g - L on the faces of the axis),   F ← F · f_axis

where with s = (x - a)/(b - a) in [0, 1] the interpolation is linear between two faces and constant from one,
and f is 4 s (1 - s), s, or 1 - s. On shapes of the plane `boundary_trial` finds L and F. At the start of time
L gains h0 + (t - t0) h1 and f is τ or τ². What cannot be met exactly (data that disagree at a corner,
functions instead of expressions, kinks, fluxes) stays a weighted row of the loss; `Ansatz.is_exact` says
which is which.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import sympy as sp

from ..declare import Dirichlet, Initial, Problem, Term
from ..declare.conditions import Condition
from ..declare.domain import INITIAL, Array
from .boundary_trial import Part, boundary_trial, points_on
from .multiindex import product_rule
from .program import lower
from .singularities import NOT_SMOOTH, is_smooth_inside

_MISMATCH = 1e-9  # relative to the size of the data: round-off of expressions, not a real disagreement
_AFFORDABLE = 1000
"""Operations in a lift beyond which conditions are cheaper as rows: each axis triples what its data hold, so
that ten axes of data would make 59,049 terms."""


WINDOW = (sp.Dummy("slab_start", real=True), sp.Dummy("slab_end", real=True))
"""Ends of a slab of time in lifts and factors: symbols, so that all slabs share one compilation."""


@dataclass(frozen=True)
class Trial:
    """Lift L and factor F of one unknown."""

    lift: sp.Expr = field(default_factory=lambda: sp.Integer(0))
    factor: sp.Expr = field(default_factory=lambda: sp.Integer(1))


@dataclass(frozen=True)
class Ansatz:
    """Trials of all unknowns, the axes that are periodic by embedding, and the terms met exactly.

    ``is_box`` is False where lifts and factors are products of distances. ``window`` holds the values of
    `WINDOW`.
    """

    trials: tuple[Trial, ...]
    periodic: tuple[int, ...]
    exact: frozenset[str]
    is_box: bool = True
    window: tuple[float, float] = (0.0, 1.0)

    def is_exact(self, term: Term) -> bool:
        """True where the ansatz meets a condition's term at every parameter of the network."""
        return term.name in self.exact


@dataclass(frozen=True)
class _Group:
    """Conditions of one unknown at the ends of one axis; side -1 or +1, or time-derivative order 0 or 1."""

    axis: int
    is_time: bool
    data: dict[int, sp.Expr]
    names: tuple[str, ...]


@dataclass(frozen=True)
class _Check:
    """Points at which a lift, or its derivative in time, must equal an expression."""

    points: Array
    wanted: sp.Expr
    order: int = 0


def common_periodic_axes(problem: Problem) -> tuple[int, ...]:
    """Axes along which every unknown is periodic."""
    sets = [set(problem.periodic_axes(unknown)) for unknown in problem.unknowns]
    return tuple(sorted(set.intersection(*sets)))


def build_ansatz(
    problem: Problem, exact: bool = True, carried: bool = False, at_start: bool = True, periodic: bool = True
) -> Ansatz:
    """Lift and factor of every unknown; with ``exact=False`` all but periodicity stays rows.

    ``carried``: the state at the start of time is no expression but a field that the model is added to, so
    that lift and factor vanish there. ``at_start=False``: the state there is left open, for methods that
    step through time. ``periodic=False``: periodicity is left to rows, see `pdesolve.residual.periodicity`.
    """
    axes = common_periodic_axes(problem)
    trials: list[Trial] = []
    names: set[str] = set()
    for unknown in problem.unknowns:
        trial = Trial()
        met: list[_Check] = []
        if exact and not problem.domain.is_box:
            parts = _parts(problem, unknown)
            found = boundary_trial(problem, parts)
            trial = Trial(found.lift, found.factor)
            met = [_Check(points_on(p, problem), p.value) for p in parts if p.term in found.terms]
            names |= found.terms
        for group in _groups(problem, unknown) if exact else []:
            if group.is_time and (carried or not at_start):
                continue
            candidate = _extend(trial, group, problem)
            if candidate.lift.count_ops() > _AFFORDABLE:
                continue
            wanted = [*met, *_checks(group, problem)]
            if (
                not candidate.lift.has(*NOT_SMOOTH)  # kinks may appear on a face: sqrt(x² + y²) at x = 0
                and _meets(candidate.lift, wanted, problem)
                and _is_periodic(candidate.lift, axes, unknown, problem)
            ):
                trial, met = candidate, wanted
                names.update(group.names)
        if carried:
            trial = _carried(trial, problem, unknown)
            names |= {t.name for t in problem.terms if isinstance(t.condition, Initial)}
        trials.append(trial)
    window = problem.domain.axes[-1].bounds if carried else (0.0, 1.0)
    return Ansatz(tuple(trials), axes if periodic else (), frozenset(names), problem.domain.is_box, window)


def evolution_order(problem: Problem, unknown: sp.Expr) -> int:
    """How many time derivatives of an unknown the initial conditions give: 0, 1 or 2."""
    found = (t.condition for t in problem.terms if isinstance(t.condition, Initial))
    return max((c.order + 1 for c in found if c.unknown == unknown), default=0)


def _carried(trial: Trial, problem: Problem, unknown: sp.Expr) -> Trial:
    """The trial with lift and factor that vanish at the start of time, to the order of the data there."""
    order, t = evolution_order(problem, unknown), problem.coordinates[-1]
    a, b = WINDOW
    start = sum((t - a) ** k / sp.factorial(k) * trial.lift.diff(t, k).subs(t, a) for k in range(order))
    return Trial(trial.lift - start, trial.factor * ((t - a) / (b - a)) ** order)


def _smooth_data(problem: Problem, unknown: sp.Expr) -> Iterator[tuple[Term, sp.Expr]]:
    """Terms of initial and Dirichlet conditions that smooth expressions of the coordinates describe."""
    for term in problem.terms:
        condition = term.condition
        if condition is None or condition.unknown != unknown or not _is_smooth_expression(condition):
            continue
        value = problem.substitute(condition.value)  # type: ignore[attr-defined]
        if not value.free_symbols - set(problem.coordinates):  # unknown parameters change during the solve
            yield term, value


def _parts(problem: Problem, unknown: sp.Expr) -> list[Part]:
    """Parts of a shape's boundary with Dirichlet data, where they consist of segments and arcs."""
    found = []
    for term, value in _smooth_data(problem, unknown):
        curves = None
        if isinstance(term.condition, Dirichlet) and is_smooth_inside(value, problem.domain):
            curves = problem.domain.region.boundary_curves(term.region)
        if curves is not None:
            found.append(Part(term.name, curves, value))
    return found


def _groups(problem: Problem, unknown: sp.Expr) -> list[_Group]:
    """Conditions at the ends of axes that may be met exactly; time last, whose conditions are met last."""
    found: dict[int, tuple[dict[int, sp.Expr], list[str]]] = {}
    domain = problem.domain
    for term, value in _smooth_data(problem, unknown):
        face = domain.face(term.region)
        if face.axis is None:
            continue  # a part of a shape
        key = face.side if isinstance(term.condition, Dirichlet) else term.condition.order  # type: ignore[union-attr]
        data, names = found.setdefault(face.axis, ({}, []))
        data[key] = value.subs(domain.coordinates[face.axis], _end(problem, face.axis, key))
        names.append(term.name)
    groups = []
    for axis in sorted(found):
        is_time = domain.axes[axis].is_time
        data, names = found[axis]
        if not is_time or 0 in data:
            groups.append(_Group(axis, is_time, data, tuple(names)))
    return groups


def _end(problem: Problem, axis: int, key: int) -> sp.Expr:
    """The end of an axis at which data hold: side -1 or +1; for time always the start."""
    found = problem.domain.axes[axis]
    return found.upper if key == 1 and not found.is_time else found.lower


def _is_smooth_expression(condition: Condition) -> bool:
    if not isinstance(condition, Dirichlet | Initial) or not isinstance(condition.value, sp.Expr):
        return False
    return not condition.value.has(*NOT_SMOOTH)


def _extend(trial: Trial, group: _Group, problem: Problem) -> Trial:
    """One more axis: correct the lift on its faces, make the factor vanish there."""
    axis = problem.domain.axes[group.axis]
    x, a, b = axis.coordinate, axis.lower, axis.upper
    s = (x - a) / (b - a)
    if group.is_time:
        start = [group.data[0] - trial.lift.subs(x, a)]
        if 1 in group.data:
            start.append(group.data[1] - trial.lift.diff(x).subs(x, a))
        correction = sum(h * (x - a) ** k for k, h in enumerate(start))
        return Trial(trial.lift + correction, trial.factor * s ** len(start))
    gaps = {side: g - trial.lift.subs(x, a if side < 0 else b) for side, g in group.data.items()}
    if len(gaps) == 2:
        return Trial(trial.lift + (1 - s) * gaps[-1] + s * gaps[1], trial.factor * 4 * s * (1 - s))
    ((side, gap),) = gaps.items()
    return Trial(trial.lift + gap, trial.factor * (s if side < 0 else 1 - s))


def _values(expression: sp.Expr, problem: Problem, points: Array) -> Array:
    with np.errstate(all="ignore"):
        values = lower(problem.coordinates, expression, "numpy")(*points.T)
    return np.broadcast_to(np.asarray(values, dtype=np.float64), (len(points),))


def _checks(group: _Group, problem: Problem) -> list[_Check]:
    """The data of a group at points of its faces."""
    rng = np.random.default_rng(0)
    checks = []
    for key, wanted in group.data.items():
        faces = (f.name for f in problem.domain.faces if f.axis == group.axis and f.side == key)
        points = problem.domain.sample(64, rng, INITIAL if group.is_time else next(faces))
        checks.append(_Check(points, wanted, key if group.is_time else 0))
    return checks


def _meets(lift: sp.Expr, checks: list[_Check], problem: Problem) -> bool:
    """True where the lift takes all data."""
    gaps, sizes = [], []
    for check in checks:
        given = lift.diff(problem.coordinates[-1], check.order) if check.order else lift
        found = _values(given, problem, check.points)
        expected = _values(check.wanted, problem, check.points)
        gaps.append(np.abs(found - expected).max())
        sizes.append(np.abs(expected).max())
    return bool(max(gaps) <= _MISMATCH * max(sizes))


def _is_periodic(lift: sp.Expr, axes: tuple[int, ...], unknown: sp.Expr, problem: Problem) -> bool:
    """True where the lift and its derivatives, up to the order of the equation, agree across periodic faces.

    A lift with a kink at the seam would freeze it there for all times.
    """
    rng = np.random.default_rng(0)
    inside = problem.domain.sample(64, rng)
    for i in axes:
        x = problem.domain.axes[i].coordinate
        lower_face = next(f.name for f in problem.domain.faces if f.axis == i)
        points = problem.domain.sample(64, rng, lower_face)
        opposite = points.copy()
        opposite[:, i] = problem.domain.axes[i].bounds[1]
        for k in range(problem.order(unknown, x) + 1):
            derivative = lift.diff(x, k) if k else lift
            at_lower, at_upper, size = (_values(derivative, problem, p) for p in (points, opposite, inside))
            if not np.abs(at_lower - at_upper).max() <= _MISMATCH * np.abs(size).max():
                return False
    return True


def trial_tables(
    ansatz: Ansatz, coordinates: tuple[sp.Symbol, ...], wanted: Any
) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """What D^α (L + F N) needs besides D^β N, by Leibniz' rule.

    Returns a torch function of the coordinates and `WINDOW` that gives all varying D^α L and D^β F, and for
    each wanted derivative a tuple (unknown, lift, ((factor, β), …)), where lift and factor are a float or the
    position of a varying value, as an int.
    """
    expressions: list[sp.Expr] = []

    def slot(expression: sp.Expr) -> int | float:
        expression = sp.sympify(expression)
        if expression.is_number:
            return float(expression)
        if expression not in expressions:
            expressions.append(expression)
        return expressions.index(expression)

    def differentiate(expression: sp.Expr, index: tuple[int, ...]) -> sp.Expr:
        for x, count in zip(coordinates, index, strict=True):
            # SymPy simplifies derivatives of higher order, which takes seconds for products of distances.
            for step in [count] if ansatz.is_box else [1] * count:
                expression = expression.diff(x, step) if step else expression
        return expression

    plan = []
    for k, index in wanted:
        trial = ansatz.trials[k]
        lift = slot(differentiate(trial.lift, index))
        products = []
        for coefficient, beta, rest in product_rule(index):
            factor = coefficient * differentiate(trial.factor, rest)
            if factor != 0:
                products.append((slot(factor), beta))
        plan.append((k, lift, tuple(products)))
    return lower((*coordinates, *WINDOW), expressions, "torch"), tuple(plan)
