"""The Lagrangian frame: scalar transport along its characteristics, in one dimension of space.

    u_t + a(u, x, t) u_x = r(u, u_x, u_xx, …, x, t)

becomes a system for the place x̂(X, t) of what was at X at the start, and what it carries, v = u(x̂, t):

    x̂_t = a(v, x̂, t),   v_t = r(v, p, p_X / J, …, x̂, t),   p J = v_X,   J = x̂_X

with x̂(X, 0) = X and v(X, 0) = u(X, 0). The gradients p = u_x, u_xx, … are unknowns of their own up to one
below the order of the equation, and the second equation is multiplied by J: all terms are then polynomials in
J, of first order, and stay finite where characteristics come close. Written with v alone, u_xx is
(v_X / J)_X / J, and training meets the pole at J = 0.

The unknown is the displacement d = x̂ - X - c (t - t0), with c the mean speed at the start (0 between walls).
It is periodic where u is, also at the seam, and pure convection, x̂_t = β and v_t = 0, is d = 0 and
v = u(X, 0): the trial function itself, to be met by a network of zero.

The frame pays where transport dominates and characteristics stay apart. They never cross where r holds a
viscosity, but come as close as exp(∫ u_x dt): a front of Burgers at ν = 0.01/π leaves too few labels outside.

Source: Mojgani, Balajewicz & Hassanzadeh, Comput. Methods Appl. Mech. Eng. 404 (2023) 115810,
arXiv 2205.02902, which takes u_xx as v_XX without the factors of J, and x̂ itself as the unknown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import sympy as sp

from ...declare import Dirichlet, Initial, Periodic, Problem, unknown
from ...declare.conditions import Condition
from ...declare.domain import Array
from ...residual import Derivative
from ...residual.program import lower
from ...solution.field import Field
from .formulation import Formulation, FormulationError

_AT_REST = 1e-9  # speeds at walls, relative to the largest inside
_MOST_STEPS = 100  # of a search for labels: Newton's method needs about five, halving fifty
_ROUND_OFF = 1e-15  # relative to places and labels, at which the search for a label ends


@dataclass(frozen=True)
class Transport:
    """u_t + ``speed`` u_x = ``rest``; the symbols of ``gradients`` stand for u, u_x, u_xx, … in both."""

    gradients: tuple[sp.Symbol, ...]
    speed: sp.Expr
    rest: sp.Expr

    @property
    def order(self) -> int:
        """Highest derivative in x that remains beside the transport."""
        return max((k for k, s in enumerate(self.gradients) if s in self.rest.free_symbols), default=0)


def _refuse(expected: str, got: str) -> FormulationError:
    return FormulationError("PINN(frame='lagrangian')", expected, got, "Leave frame='eulerian'.")


def transport(problem: Problem) -> Transport:
    """Speed and rest of a scalar transport equation, read off the symbols.

    Raises:
        FormulationError: a system, more dimensions, no first order in time, or nothing that is transported.
    """
    if len(problem.unknowns) != 1 or len(problem.domain.space) != 1 or problem.domain.time is None:
        got = f"{len(problem.unknowns)} unknowns in {len(problem.domain.space)} dimensions of space"
        raise _refuse("one unknown in one dimension of space, and time", got)
    ((name, equation),) = problem.equations.items()
    expression = problem.substitute(equation)
    found = problem.derivatives(expression)
    if any(index[1] > 1 or (index[1] and index[0]) for _, index in found.values()):
        raise _refuse("u_t as the only derivative in time", f"{name}: {equation}")
    if (0, (0, 1)) not in found.values():
        raise _refuse("an equation of first order in time", f"{name}: {equation}")
    highest = max(index[0] for _, index in found.values())
    gradients = tuple(sp.Dummy(f"u_{k}", real=True) for k in range(max(highest, 1) + 1))
    rate = sp.Dummy("rate", real=True)
    symbols = {node: rate if index[1] else gradients[index[0]] for node, (_, index) in found.items()}
    expression = expression.xreplace(symbols)
    factor = sp.diff(expression, rate)
    if factor.has(rate, *gradients[1:]):
        raise _refuse("an equation that is linear in u_t", f"{name}: {equation}")
    right = sp.expand(-(expression - factor * rate) / factor)
    speed = -sp.diff(right, gradients[1]).subs(dict.fromkeys(gradients[1:], 0))
    if speed == 0 or speed.has(sp.nan, sp.zoo, sp.oo):
        raise _refuse("a transport term a(u, x, t) u_x", f"{name}: {equation}")
    return Transport(gradients, sp.simplify(speed), sp.expand(right + speed * gradients[1]))


@dataclass(frozen=True, eq=False)
class Lagrangian(Formulation):
    """A transport problem along its characteristics.

    Attributes:
        position: x̂ in the unknowns and coordinates of ``problem``.
        carried: v, which is u at x̂.
    """

    position: sp.Expr
    carried: sp.Expr

    def field(self, solved: Field) -> LagrangianField:
        return LagrangianField(self, solved)

    def points(self, points: Array, solved: Field) -> Array:
        return LagrangianField(self, solved).positions(points)

    def remark(self, solved: Field) -> str:
        """Where the map from labels to places is not monotone, on a grid of 129 x 65 labels."""
        grid = self.problem.domain.grid((129, 65)).points
        field = LagrangianField(self, solved)
        (stretch,) = field.along(grid, [self.position.diff(self.problem.coordinates[0])])
        worst = int(stretch.argmin())
        if stretch[worst] > 0:
            return ""
        x, t = field.positions(grid[worst : worst + 1])[0]
        share = 100 * float(np.mean(stretch <= 0))
        return (
            f"characteristics cross, most of all near x = {x:.4g}, t = {t:.4g} ({share:.2g} % of labels): "
            "the field is one of several values there"
        )


def lagrangian(problem: Problem) -> Lagrangian:
    """The problem in the Lagrangian frame.

    Raises:
        FormulationError: it is no scalar transport in one dimension of space, or its ends let labels in.
    """
    found = transport(problem)
    (u,), (x, t) = problem.unknowns, problem.coordinates
    is_periodic = bool(problem.periodic_axes(u))
    _check_conditions(problem, found, is_periodic)
    name, order = u.func.__name__, found.order
    d, v = unknown(f"displacement_{name} {name}", x, t)
    inner = [unknown(f"{name}_{x.name * k}", x, t) for k in range(1, max(order, 2) if order else 1)]
    start = problem.domain.axes[1].lower
    drift = sp.Float(_mean_speed(problem, found), 17) if is_periodic else sp.Integer(0)
    position = x + drift * (t - start) + d
    stretch = position.diff(x)

    values = [v, *inner]
    if order >= len(values):
        values.append(values[-1].diff(x) / stretch)
    here = dict(zip(found.gradients, values, strict=False)) | {x: position}
    (equation,) = problem.equations
    rest = found.rest.xreplace(here)
    balance = v.diff(t) - rest
    equations = {
        "characteristics": position.diff(t) - found.speed.xreplace(here),
        equation: sp.expand(balance * stretch) if order > 1 else balance,
    }
    for below, p in zip(values, inner, strict=False):
        equations[f"gradient {p.func.__name__}"] = p * stretch - below.diff(x)

    conditions: list[Condition] = [Initial(d, 0)]
    for condition in problem.conditions:
        if isinstance(condition, Initial):
            conditions.append(Initial(v, condition.value))
            if isinstance(condition.value, sp.Expr):
                conditions += [Initial(p, condition.value.diff(x, k)) for k, p in enumerate(inner, 1)]
        elif isinstance(condition, Dirichlet):
            conditions += [replace(condition, unknown=v), Dirichlet(d, 0, on=condition.on)]
    if is_periodic:
        conditions += [Periodic(each) for each in (d, v, *inner)]
    return Lagrangian(
        declared=problem,
        problem=Problem(
            name=f"{problem.name} along characteristics",
            equations=equations,
            domain=problem.domain,
            conditions=conditions,
            parameters=problem.parameters,
            unknowns=(d, v, *inner),
            allow_ill_posed=problem.allow_ill_posed,
        ),
        position=position,
        carried=v,
    )


def _mean_speed(problem: Problem, found: Transport) -> float:
    """Mean of a(u, x, t) at the start; 0 where an unknown parameter decides it."""
    start = problem.domain.grid((257, 2)).points[:-2:2]  # both ends are one place
    speeds = _speeds(problem, found, start, next(problem.of_type(Initial)).value)
    return float(np.mean(speeds)) if speeds is not None else 0.0


def _speeds(problem: Problem, found: Transport, points: Array, u: Any) -> Array | None:
    """a(u, x, t) at ``points`` (n, 2), for u given as an expression or a function of points."""
    if isinstance(u, sp.Expr):
        u = problem.substitute(u)
        if u.free_symbols - set(problem.coordinates):
            return None
        at_points = lower(problem.coordinates, u, "numpy")(*points.T)
    else:
        at_points = u(points)
    symbols = (found.gradients[0], *problem.coordinates)
    if found.speed.free_symbols - set(symbols):
        return None
    values = lower(symbols, found.speed, "numpy")(at_points, *points.T)
    return np.broadcast_to(np.asarray(values, dtype=np.float64), (len(points),))


def _check_conditions(problem: Problem, found: Transport, is_periodic: bool) -> None:
    """Initial data, and ends that no label crosses: periodic ones, or walls at which the speed vanishes."""
    others = [c for c in problem.conditions if not isinstance(c, Initial | Dirichlet | Periodic)]
    if others:
        raise _refuse("initial, periodic and Dirichlet conditions", f"{others[0].who}")
    given = [c for c in problem.conditions if isinstance(c, Initial)]
    if not given:
        raise _refuse("a state at the start", "no initial condition")
    if is_periodic:
        return
    inside = _speeds(problem, found, problem.domain.grid(17).points, given[0].value)
    scale = 1.0 if inside is None else max(float(np.abs(inside).max()), 1e-300)
    walls = {part: c for c in problem.of_type(Dirichlet) for part in c.parts(problem.domain)}
    for face in problem.domain.faces:
        speeds = None
        if face.name in walls:
            points = problem.domain.sample(17, np.random.default_rng(0), face.name)
            speeds = _speeds(problem, found, points, walls[face.name].value)
        if speeds is None or np.abs(speeds).max() > _AT_REST * scale:
            raise _refuse(
                "ends that nothing flows through: Periodic, or Dirichlet data with speed 0",
                f"the end {face.name!r}, through which labels would have to come in or leave",
            )


class LagrangianField(Field):
    """u(x, t) = v(X, t) with x̂(X, t) = x, and derivatives by the implicit function theorem.

    ∂u/∂x = v_X / J and ∂u/∂t = v_t - x̂_t v_X / J, again and again for higher ones.
    """

    def __init__(self, formulation: Lagrangian, solved: Field) -> None:
        self._formulation, self._solved = formulation, solved
        problem = formulation.problem
        self._lower, upper = problem.domain.axes[0].bounds
        self._length = upper - self._lower
        self._is_periodic = bool(problem.periodic_axes(problem.unknowns[0]))

    def arrays(self) -> dict[str, Array]:
        return self._solved.arrays()

    def derivatives(self, points: Array, wanted: Sequence[Derivative]) -> list[Array]:
        """Derivatives of u at ``points`` (n, 2) of columns x, t, each (n,)."""
        at = np.column_stack([self.labels(points), points[:, 1]])
        return self.along(at, [self._expression(index) for _, index in wanted])

    def _expression(self, index: tuple[int, ...]) -> sp.Expr:
        """A derivative of u at fixed x and t in terms of v, x̂ and their derivatives in X and t."""
        (x, t), position = self._formulation.problem.coordinates, self._formulation.position
        stretch, result = position.diff(x), self._formulation.carried
        for _ in range(index[0]):
            result = result.diff(x) / stretch
        for _ in range(index[1]):
            result = result.diff(t) - position.diff(t) * result.diff(x) / stretch
        return result

    def along(self, labels: Array, expressions: Sequence[sp.Expr]) -> list[Array]:
        """Expressions in the unknowns of the Lagrangian problem, at ``labels`` (n, 2), each (n,)."""
        problem = self._formulation.problem
        nodes: dict[sp.Expr, Derivative] = {}
        for expression in expressions:
            nodes |= problem.derivatives(expression)
        symbols = {node: sp.Dummy() for node in nodes}
        # Derivatives first: replacing d before d_x would leave Derivative(symbol, x).
        ordered = sorted(nodes, key=lambda node: not isinstance(node, sp.Derivative))
        lowered = [e.xreplace({n: symbols[n] for n in ordered}) for e in expressions]
        function = lower([*symbols.values(), *problem.coordinates], lowered, "numpy")
        values = function(*self._solved.derivatives(labels, list(nodes.values())), *labels.T)
        return [np.broadcast_to(np.asarray(v, dtype=np.float64), (len(labels),)).copy() for v in values]

    def positions(self, labels: Array) -> Array:
        """Places (n, 2) of ``labels`` (n, 2) at their times, within the domain."""
        (x,) = self.along(labels, [self._formulation.position])
        return np.column_stack([self._wrap(x), labels[:, 1]])

    def _wrap(self, x: Array) -> Array:
        if not self._is_periodic:
            return np.clip(x, self._lower, self._lower + self._length)
        return self._lower + np.mod(x - self._lower, self._length)

    def labels(self, points: Array) -> Array:
        """Labels X (n,) with x̂(X, t) = x, by Newton's method within a bracket that always holds a root.

        Where characteristics have crossed there are several; one of them is found.
        """
        x, t = points[:, 0].copy(), points[:, 1]
        position = self._formulation.position
        expressions = [position, position.diff(self._formulation.problem.coordinates[0])]

        def gap(label: Array, which: Any) -> tuple[Array, Array]:
            """x̂ - x and J at ``label`` (m,)."""
            turns = np.floor((label - self._lower) / self._length) if self._is_periodic else 0.0
            inside = np.column_stack([label - turns * self._length, t[which]])
            place, stretch = self.along(inside, expressions)
            return place + turns * self._length - x[which], stretch

        low = np.full(len(x), self._lower)
        if self._is_periodic:  # one period of labels, such that -L < gap <= 0 at its lower end
            first, _ = gap(low, slice(None))
            low = low - self._length * np.ceil(first / self._length)
            start = low - (first - self._length * np.ceil(first / self._length))
        else:
            start = np.clip(x, self._lower, self._lower + self._length)
        high = low + self._length
        label, active = start, np.arange(len(x))
        for _ in range(_MOST_STEPS):
            here = label[active]
            value, stretch = gap(here, active)
            low[active] = np.where(value < 0, here, low[active])
            high[active] = np.where(value > 0, here, high[active])
            size = np.abs(x[active]) + np.abs(here) + np.abs(here - x[active]) + self._length
            open_ = np.abs(value) > _ROUND_OFF * size
            if not open_.any():
                break
            active, here = active[open_], here[open_]
            with np.errstate(divide="ignore", invalid="ignore"):
                newton = here - value[open_] / stretch[open_]
            a, b = low[active], high[active]
            label[active] = np.where((newton > a) & (newton < b), newton, 0.5 * (a + b))
        return label
