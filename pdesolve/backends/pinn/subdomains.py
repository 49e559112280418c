"""Subdomains: a box cut across one coordinate, each part with a network of its own, joined by rows.

The box is folded along its cuts like a strip of paper. Part i lies between x_i and x_{i+1} and is laid over
0 <= ξ <= 1, upwards for even i and downwards for odd ones,

    x = x_i + h_i ξ   or   x = x_{i+1} - h_i ξ,   h_i = x_{i+1} - x_i,

so that both sides of a cut lie on the same face, ξ = 1 for the first cut, ξ = 0 for the next. All parts
together are then one problem in (ξ, …) with a copy of the unknowns and of the equations for each part, and
interface conditions are residuals on a face that hold two copies. Nothing else is special: one vector θ, one
least-squares problem, exact initial and outer conditions, time slabs. A coefficient that jumps at a cut
(`sympy.Piecewise`) is a different expression on either side.

Sources: cPINN: Jagtap, Kharazmi & Karniadakis, Comput. Methods Appl. Mech. Eng. 365 (2020) 113028. XPINN:
Jagtap & Karniadakis, Commun. Comput. Phys. 28 (2020) 2002. The set of conditions: METALIC (Li et al.,
ICML 2023, arXiv 2210.12669).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
import sympy as sp

from ...declare import Dirichlet, Domain, Initial, Neumann, Periodic, Problem, Robin, Term, unknown
from ...declare.conditions import BoundaryCondition, Condition, Observations, Value
from ...declare.domain import Array, Axis
from ...declare.regions.box import BoxRegion
from ...residual import Derivative
from ...solution.field import Field
from ..base import BackendOptionError
from .formulation import Formulation, FormulationError
from .interface import CONDITIONS, interface_residuals


@dataclass(frozen=True)
class Subdomains:
    """Where a box is cut, and what joins its parts.

    Attributes:
        cuts: places of the cuts, increasing.
        along: name of the coordinate of space that is cut; None: the first one.
        conditions: what holds at each cut, some of `CONDITIONS`: "solution" (the unknowns are continuous, in
            equations of order m > 2 with their derivatives up to order m - 2), "flux" (what the equation is
            the divergence of), "gradient" (first derivatives; wrong where a coefficient jumps), "residual",
            "residual-gradient".

    Good start: solution and flux, which are what the equations ask for. The others steer the training.
    """

    cuts: tuple[float, ...] = (0.5,)
    along: str | None = None
    conditions: tuple[str, ...] = ("solution", "flux")

    def __post_init__(self) -> None:
        def refuse(option: str, expected: str) -> BackendOptionError:
            got = repr(getattr(self, option))
            return BackendOptionError(f"Subdomains({option}=)", expected, got, "Change the option.")

        for option in ("cuts", "conditions"):
            if isinstance(getattr(self, option), str) or not isinstance(getattr(self, option), Iterable):
                raise refuse(option, "a tuple")
            object.__setattr__(self, option, tuple(getattr(self, option)))
        holds = all(isinstance(c, int | float) and np.isfinite(c) for c in self.cuts)
        if not (holds and self.cuts and all(a < b for a, b in pairwise(self.cuts))):
            raise refuse("cuts", "one or more numbers, increasing")
        if not self.conditions or any(name not in CONDITIONS for name in self.conditions):
            raise refuse("conditions", f"some of {', '.join(CONDITIONS)}")


@dataclass(frozen=True, eq=False)
class FoldedProblem(Problem):
    """All parts over each other, and the residuals that join them.

    The declaration was checked when it was made; its parts, which have cuts for boundaries, are not.
    """

    interfaces: tuple[Term, ...] = ()

    def __post_init__(self) -> None:
        pass

    @cached_property
    def terms(self) -> tuple[Term, ...]:
        return (*Problem.terms.func(self), *self.interfaces)  # type: ignore[attr-defined]


@dataclass(frozen=True, eq=False)
class Part:
    """One part of a cut box.

    Attributes:
        declared: the whole problem.
        axis: index of the coordinate that is cut.
        lower, upper: ends of the part along it.
        sign: +1 where it lies over ξ upwards, -1 downwards.
        folded: ξ.
        copies: the part's own unknowns.
    """

    declared: Problem
    axis: int
    lower: float
    upper: float
    sign: int
    folded: sp.Symbol
    copies: tuple[Any, ...]

    @property
    def length(self) -> float:
        return self.upper - self.lower

    @property
    def place(self) -> sp.Expr:
        """The declared coordinate as a function of ξ."""
        start = self.lower if self.sign > 0 else self.upper
        return sp.Float(start, 17) + self.sign * sp.Float(self.length, 17) * self.folded

    @property
    def slope(self) -> float:
        """dξ/dx."""
        return self.sign / self.length

    def side(self, end: int) -> int:
        """The end of ξ, -1 or +1, at which the lower (-1) or upper (+1) end of the part lies."""
        return end * self.sign

    def along(self, expression: sp.Expr) -> sp.Expr:
        """d/dx of an expression on this part."""
        return sp.Float(self.slope, 17) * expression.diff(self.folded)

    def restrict(self, expression: sp.Expr) -> sp.Expr:
        """A declared expression on this part, in its copies of the unknowns and in ξ."""
        x = self.declared.coordinates[self.axis]
        expression = self._decide(self.declared.substitute(expression), x)
        found: dict[sp.Expr, sp.Expr] = {x: self.place}
        for node, (k, index) in self.declared.derivatives(expression).items():
            own = self.copies[k]
            for coordinate, order in zip(own.args, index, strict=True):
                own = own.diff(coordinate, order) if order else own
            found[node] = sp.Float(self.slope, 17) ** index[self.axis] * own if index[self.axis] else own
        return expression.xreplace(found)

    def _decide(self, expression: sp.Expr, x: sp.Symbol) -> sp.Expr:
        """Piecewise expressions whose case is the same on all of the part, as that case."""
        shares = (1e-9, 0.1, 0.3, 0.5, 0.7, 0.9, 1 - 1e-9)
        places = [self.lower + share * self.length for share in shares]

        def chosen(piecewise: sp.Piecewise) -> sp.Expr:
            cases = []
            for place in places:
                holds = [condition.subs(x, place) for _, condition in piecewise.args]
                if any(h not in (sp.true, sp.false) for h in holds) or sp.true not in holds:
                    return piecewise
                cases.append(holds.index(sp.true))
            return piecewise.args[cases[0]][0] if len(set(cases)) == 1 else piecewise

        return expression.replace(lambda e: isinstance(e, sp.Piecewise), chosen)

    def data(self, value: Any) -> Any:
        """Data of a condition on this part, an expression or a function of points."""
        if isinstance(value, sp.Expr):
            return self.restrict(value)
        function: Callable[[Array], Array] = value
        return lambda points: function(self.unfold(points))

    def fold(self, points: Array) -> Array:
        """Points of the part in (ξ, …)."""
        result = points.copy()
        start = self.lower if self.sign > 0 else self.upper
        result[:, self.axis] = np.clip((points[:, self.axis] - start) * self.slope, 0.0, 1.0)
        return result

    def unfold(self, points: Array) -> Array:
        """Points in (ξ, …) where they lie on the part."""
        result = points.copy()
        start = self.lower if self.sign > 0 else self.upper
        result[:, self.axis] = start + self.sign * self.length * points[:, self.axis]
        return result


@dataclass(frozen=True, eq=False)
class Folded(Formulation):
    """A problem on the parts of a cut box."""

    parts: tuple[Part, ...]

    def field(self, solved: Field) -> JoinedField:
        return JoinedField(self.parts, solved)

    def points(self, points: Array, solved: Field) -> Array:
        return np.concatenate([part.unfold(points) for part in self.parts])


def fold(problem: Problem, options: Subdomains) -> Folded:
    """The problem on the parts of its box.

    Raises:
        FormulationError: space is no box, a cut lies outside it, or the number of parts is odd where space
            is periodic.
    """
    parts = _parts(problem, options)
    axis, n = parts[0].axis, len(parts)
    axes = list(problem.domain.space)
    axes[axis] = Axis(parts[0].folded, 0, 1)
    domain = Domain(BoxRegion(tuple(axes)), problem.domain.time)
    faces = {face.side: face.name for face in domain.faces if face.axis == axis}
    equations = {
        f"{name}, part {i}": part.restrict(equation)
        for i, part in enumerate(parts, 1)
        for name, equation in problem.equations.items()
    }
    conditions = [new for c in problem.conditions for new in _conditions(c, problem, parts, faces)]
    pairs = [(i, i + 1) for i in range(n - 1)]
    if any(axis in problem.periodic_axes(u) for u in problem.unknowns):
        pairs.append((n - 1, 0))
    coordinate = problem.coordinates[axis].name
    interfaces = tuple(
        Term(
            f"interface {name} at {coordinate} = {parts[i].upper:.6g}",
            residual,
            faces[parts[i].side(1)],
            condition=Condition(parts[i].copies[0]),
        )
        for i, j in pairs
        for name, residual in interface_residuals(parts[i], parts[j], options.conditions)
    )
    folded = FoldedProblem(
        name=f"{problem.name} in {n} parts",
        equations=equations,
        domain=domain,
        conditions=tuple(conditions),
        unknowns=tuple(u for part in parts for u in part.copies),
        interfaces=interfaces,
    )
    return Folded(problem, folded, parts=parts)


def _refuse(expected: str, got: str) -> FormulationError:
    return FormulationError("PINN(subdomains=)", expected, got, "Change the cuts, or leave subdomains=None.")


def _parts(problem: Problem, options: Subdomains) -> tuple[Part, ...]:
    if not problem.domain.is_box or not problem.domain.space:
        raise _refuse("a box", f"a {type(problem.domain.region).__name__}")
    names = [axis.coordinate.name for axis in problem.domain.space]
    if options.along is not None and options.along not in names:
        raise _refuse(f"along one of {', '.join(names)}", repr(options.along))
    axis = 0 if options.along is None else names.index(options.along)
    lower, upper = problem.domain.space[axis].bounds
    if not lower < options.cuts[0] <= options.cuts[-1] < upper:
        raise _refuse(f"cuts between {lower:.6g} and {upper:.6g}", str(options.cuts))
    if len(options.cuts) % 2 == 0 and any(axis in problem.periodic_axes(u) for u in problem.unknowns):
        got = f"{len(options.cuts) + 1} parts"
        raise _refuse(f"an even number of parts where {names[axis]} is periodic", got)
    folded = sp.Symbol(f"{names[axis]}'", real=True)
    ends = [lower, *map(float, options.cuts), upper]
    parts = []
    for i, (a, b) in enumerate(pairwise(ends)):
        copies = tuple(
            unknown(f"{u.func.__name__}_{i + 1}", *(folded if c.name == names[axis] else c for c in u.args))
            for u in problem.unknowns
        )
        parts.append(Part(problem, axis, a, b, 1 - 2 * (i % 2), folded, copies))
    return tuple(parts)


def _conditions(
    condition: Condition, problem: Problem, parts: Sequence[Part], faces: dict[int, str]
) -> Iterator[Condition]:
    """A declared condition on the parts that it touches."""
    k, axis = problem.unknowns.index(condition.unknown), parts[0].axis
    if isinstance(condition, Periodic):
        for other in condition.axes(problem.domain):
            if other != axis:
                coordinate = problem.coordinates[other]
                yield from (Periodic(part.copies[k], coordinate) for part in parts)
    elif isinstance(condition, Initial):
        for part in parts:
            given = part.copies[k]
            time = problem.coordinates[-1]
            operator = given.diff(time, condition.order) if condition.order else given
            yield Initial(operator, part.data(condition.value))
    elif isinstance(condition, BoundaryCondition):
        for name in condition.parts(problem.domain):
            face = problem.domain.face(name)
            if face.axis == axis:
                part = parts[0] if face.side < 0 else parts[-1]
                yield _on(condition, part, k, faces[part.side(face.side)], part.length)
            else:
                yield from (_on(condition, part, k, name, 1.0) for part in parts)
    elif isinstance(condition, Observations):
        which = _locate(parts, condition.points)
        for i in np.unique(which):
            own = which == i
            points, values = parts[i].fold(condition.points[own]), condition.values[own]
            yield replace(condition, unknown=parts[i].copies[k], points=points, values=values)
    elif isinstance(condition, Value):
        coordinate = problem.coordinates[axis]
        if coordinate not in condition.at:
            raise _refuse(f"values at points with {coordinate} given", condition.who)
        point = np.zeros((1, len(problem.coordinates)))
        point[0, axis] = float(condition.at[coordinate])
        (i,) = _locate(parts, point)
        at = {c: v for c, v in condition.at.items() if c != coordinate}
        at[parts[i].folded] = sp.Float(float(parts[i].fold(point)[0, axis]), 17)
        yield replace(condition, unknown=parts[i].copies[k], value=parts[i].data(condition.value), at=at)
    else:
        raise _refuse("known kinds of conditions", condition.who)


def _on(condition: BoundaryCondition, part: Part, k: int, face: str, length: float) -> Condition:
    """A condition on the boundary for the copy of one part; normals of cut faces point along ξ."""
    a, b = (part.restrict(each) for each in condition.coefficients())
    own, value = part.copies[k], part.data(condition.value)
    if b == 0:
        return Dirichlet(own, value, on=face)
    if a == 0 and length == 1.0:
        return Neumann(own, value, on=face)
    return Robin(own, value, on=face, a=a, b=b / sp.Float(length, 17))


def _locate(parts: Sequence[Part], points: Array) -> Any:
    """The part (n,) in which each point lies; on a cut the lower one."""
    cuts = [part.lower for part in parts[1:]]
    return np.searchsorted(cuts, points[:, parts[0].axis], side="left")


class JoinedField(Field):
    """The fields of all parts as one; on a cut the part below it answers.

    Attributes:
        solved: the field of the folded problem, with all copies of the unknowns.
    """

    def __init__(self, parts: Sequence[Part], solved: Field) -> None:
        self._parts, self.solved = parts, solved

    def derivatives(self, points: Array, wanted: Sequence[Derivative]) -> list[Array]:
        result = [np.empty(len(points)) for _ in wanted]
        which = _locate(self._parts, points)
        for i in np.unique(which):
            part, here = self._parts[i], which == i
            first = i * len(part.copies)
            found = self.solved.derivatives(part.fold(points[here]), [(first + k, d) for k, d in wanted])
            for values, own, (_, index) in zip(result, found, wanted, strict=True):
                values[here] = part.slope ** index[part.axis] * own
        return result

    def arrays(self) -> dict[str, Array]:
        return self.solved.arrays()
