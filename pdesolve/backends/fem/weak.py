"""The weak form of a declared problem, derived from its symbols.

An equation E = 0 of second order in space is brought to divergence form,

    E = S - Σ_i ∂_i F_i,

where F_i = -Σ_j a_ij ∂_j u (+ c_i p) collects the second derivatives and the gradient of a multiplier (a
pressure), and S the rest. For every test function v of the unknown that the equation is paired with,

    ∫ (S v + Σ_i F_i ∂_i v) dx - ∮ (F·n) v ds = 0.

A coefficient that depends on the coordinates or the unknowns goes under the derivative by the product rule;
what that adds is taken off S. On the boundary ∂u/∂n is replaced by what a Neumann or Robin condition says,
and p by its Dirichlet data: these conditions are natural. Dirichlet conditions are essential: v vanishes
where they hold. Where a coefficient jumps in space, its flux F·n is continuous: a u_xx with such an a is read
as (a u_x)_x.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy as sp

from ...declare import Initial, Observations, Periodic, Problem, Value
from ...declare.conditions import BoundaryCondition, flat_normal, normal_symbols
from ...declare.domain import Array
from ...residual.program import Program, derivative_name


@dataclass(frozen=True)
class Slots:
    """Symbols of one unknown at a point: value, gradient, and first and second time derivative."""

    value: sp.Symbol
    slopes: tuple[sp.Symbol, ...]
    rate: sp.Symbol
    acceleration: sp.Symbol

    @property
    def all(self) -> tuple[sp.Symbol, ...]:
        return (self.value, *self.slopes, self.rate, self.acceleration)


@dataclass(frozen=True)
class WeakEquation:
    """∫ (source v + Σ flux_i ∂_i v) for the test functions v of unknown ``test``.

    Attributes:
        conductivity: for each unknown k with second derivatives the matrix a_ij.
        multipliers: for each unknown whose gradient is integrated by parts the vector c_i.
    """

    name: str
    test: int
    source: sp.Expr
    flux: tuple[sp.Expr, ...]
    conductivity: Mapping[int, sp.Matrix]
    multipliers: Mapping[int, sp.Matrix]


@dataclass(frozen=True)
class NaturalTerm:
    """+∮ expression · v on a part of the boundary, for the test functions of unknown ``test``.

    ``inputs`` are functions of points (n, d) for symbols of the expression that are no slots, coordinates or
    normals.
    """

    test: int
    part: str
    expression: sp.Expr
    inputs: Mapping[sp.Symbol, Callable[[Array], Array]]


@dataclass(frozen=True)
class Essential:
    """u = data on a part; ``data`` is a function of points (n, d)."""

    unknown: int
    part: str
    data: Callable[[Array], Any]


class UnsupportedFormError(Exception):
    """The problem has no weak form of this kind; the text is a reason for `Backend.supports`."""


class WeakForm:
    """The weak form of a problem.

    Attributes:
        slots: symbols of each unknown.
        equations: one for each unknown, in the order of the unknowns that test them.
        natural: boundary integrals.
        essential: prescribed values, in the order of declaration: the first one holds where two meet.
        multipliers: unknowns without second derivatives whose gradient stands in the equations of diffusing
            ones (pressures); they take elements of one degree less.
        is_linear: whether all integrals are linear in the unknowns.

    Raises:
        UnsupportedFormError: there is none.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.dimension = len(problem.domain.space)
        self.space = tuple(axis.coordinate for axis in problem.domain.space)
        self.slots = tuple(self._make_slots(name) for name in problem.unknown_names)
        self._refuse_conditions()
        expressions = self._expressions()
        tests = self._pair(expressions)
        held = {k for e in expressions.values() for k in self._diffused(e)}
        self.multipliers = self._multipliers(tests, expressions, held)
        self.equations = tuple(
            self._divergence_form(tests[k], k, expressions[tests[k]]) for k in range(len(problem.unknowns))
        )
        self._refuse_indefinite()
        for gauge in self.gauges:
            self._refuse_gauge(gauge)
        self._used: set[tuple[BoundaryCondition, str]] = set()
        self.essential = tuple(self._essential())
        self.natural = tuple(self._natural())
        self._refuse_unused()

    # -- the symbols of the equations --------------------------------------------------------------

    def _make_slots(self, name: str) -> Slots:
        def symbol(suffix: str) -> sp.Symbol:
            return sp.Dummy(f"{name}{suffix}", real=True)

        slopes = tuple(symbol(f"_{x}") for x in self.space)
        return Slots(symbol(""), slopes, symbol("_t"), symbol("_tt"))

    def _own(self, k: int) -> set[sp.Symbol]:
        return set(self.slots[k].all)

    def _refuse_conditions(self) -> None:
        problem = self.problem
        if problem.unknown_parameters or any(problem.of_type(Observations)):
            raise UnsupportedFormError("it does not identify unknown parameters from observations")
        if problem.coefficients:
            raise UnsupportedFormError("it does not find unknown coefficients")
        if any(problem.of_type(Periodic)):
            raise UnsupportedFormError(
                "periodic conditions are not imposed on its meshes; the spectral backend has them"
            )
        if not 1 <= self.dimension <= 3:
            raise UnsupportedFormError(f"it covers 1 to 3 space dimensions, not {self.dimension}")

    def _refuse_gauge(self, gauge: Value) -> None:
        """A Value takes the place of one row of the system, which must be free for it."""
        name = gauge.unknown.func.__name__
        if set(gauge.at) != set(self.space):
            raise UnsupportedFormError(
                f"Value({name}) must name one point of space, for all times: at= takes each of "
                f"{', '.join(map(str, self.space))}, and no other coordinate"
            )
        holds = [c for c in self.problem.of_type(BoundaryCondition) if c.unknown == gauge.unknown]
        value = self.slots[self.problem.unknowns.index(gauge.unknown)].value
        flat = dict.fromkeys(self._steep, sp.Integer(0))
        if (
            self.problem.time_order(gauge.unknown)
            or any(self._coefficients(c)[0] != 0 for c in holds)
            or any(sp.diff(e.source, value).xreplace(flat) != 0 for e in self.equations)
            or sum(other.unknown == gauge.unknown for other in self.gauges) > 1
        ):
            raise UnsupportedFormError(
                f"Value({name}) fixes the constant of an unknown that is determined up to one; the other "
                f"equations and conditions determine {name} already"
            )

    def _refuse_indefinite(self) -> None:
        """Diffusion of both signs is a wave: data on the whole boundary determine none."""
        points = self.problem.domain.cover(16)
        for equation in self.equations:
            matrix = equation.conductivity.get(equation.test)
            if matrix is None or not matrix.free_symbols <= set(self.problem.coordinates):
                continue
            for point in points[:1] if not matrix.free_symbols else points:
                at = dict(zip(self.problem.coordinates, point, strict=True))
                signs = np.linalg.eigvalsh(np.array(matrix.subs(at), dtype=np.float64))
                if signs[0] * signs[-1] < -1e-12 * np.abs(signs).max() ** 2:
                    name = self.problem.unknown_names[equation.test]
                    raise UnsupportedFormError(
                        f"{equation.name!r} diffuses {name} forwards one way and backwards another: "
                        "it is not elliptic"
                    )

    def _expressions(self) -> dict[str, sp.Expr]:
        """Each equation in slots and, for second derivatives in space, `_Second` symbols."""
        self._second: dict[sp.Symbol, tuple[int, int, int]] = {}
        names: dict[tuple[int, int, int], sp.Symbol] = {}
        expressions = {}
        for term in Program(self.problem).equations:
            replace = {}
            for (k, index), symbol in zip(term.derivatives, term.symbols, strict=True):
                orders, in_time = index[: self.dimension], sum(index[self.dimension :])
                axes = [i for i, n in enumerate(orders) for _ in range(n)]
                slots = self.slots[k]
                if (in_time and axes) or in_time > 2 or len(axes) > 2:
                    name = derivative_name(self.problem, (k, index))
                    raise UnsupportedFormError(
                        f"it takes derivatives up to second order in space or in time, and {name} is none"
                    )
                if in_time:
                    replace[symbol] = slots.rate if in_time == 1 else slots.acceleration
                elif len(axes) == 2:
                    key = (k, axes[0], axes[1])
                    names.setdefault(key, sp.Dummy(derivative_name(self.problem, (k, index)), real=True))
                    replace[symbol] = names[key]
                else:
                    replace[symbol] = slots.slopes[axes[0]] if axes else slots.value
            expressions[term.name] = term.expression.xreplace(replace)
        self._second = {symbol: key for key, symbol in names.items()}
        return expressions

    def _diffused(self, expression: sp.Expr) -> set[int]:
        return {self._second[s][0] for s in expression.free_symbols & self._second.keys()}

    def _pair(self, expressions: Mapping[str, sp.Expr]) -> dict[int, str]:
        """For each unknown the equation that its test functions multiply: the one that diffuses or evolves
        it.
        """
        from scipy.optimize import linear_sum_assignment

        score = np.zeros((len(expressions), len(self.slots)))
        for j, expression in enumerate(expressions.values()):
            free = expression.free_symbols
            for k, slots in enumerate(self.slots):
                score[j, k] += 20 * (k in self._diffused(expression))
                score[j, k] += 5 * bool({slots.rate, slots.acceleration} & free)
                score[j, k] += bool(self._own(k) & free)
        rows, columns = linear_sum_assignment(-score)
        names = list(expressions)
        return {int(k): names[j] for j, k in zip(rows, columns, strict=True)}

    def _multipliers(
        self, tests: Mapping[int, str], expressions: Mapping[str, sp.Expr], held: set[int]
    ) -> frozenset[int]:
        """The unknowns that nothing diffuses and whose gradient drives those that diffuse. Others without
        diffusion may stand in the equations by value and rate only.
        """
        found = set()
        for k in tests.keys() - held:
            slopes = set(self.slots[k].slopes)
            users = {j for j, name in tests.items() if slopes & expressions[name].free_symbols}
            if users and (k in users or not users <= held):
                raise UnsupportedFormError(
                    f"{self.problem.unknown_names[k]} has a first and no second derivative in space: "
                    "Galerkin's method without stabilisation oscillates for first-order equations"
                )
            found |= {k} if users else set()
        return frozenset(found)

    # -- divergence form ---------------------------------------------------------------------------

    def _divergence_form(self, name: str, test: int, expression: sp.Expr) -> WeakEquation:
        n = self.dimension
        second = sorted(expression.free_symbols & self._second.keys(), key=lambda s: self._second[s])
        coefficients = {s: sp.diff(expression, s) for s in second}
        for s, a in coefficients.items():
            strange = a.free_symbols & {*second, *self._steep}
            if strange:
                raise UnsupportedFormError(
                    f"the coefficient of {s.name} in {name!r} depends on derivatives "
                    f"({', '.join(map(str, strange))}): no divergence form was found"
                )
        source = expression.xreplace(dict.fromkeys(second, sp.Integer(0)))
        conductivity: dict[int, sp.Matrix] = {}
        for s, a in coefficients.items():
            k, i, j = self._second[s]
            matrix = conductivity.setdefault(k, sp.zeros(n, n))
            share = a if i == j else a / 2
            for row, column in {(i, j), (j, i)}:
                matrix[row, column] += share
        flux = [sp.Integer(0)] * n
        for k, matrix in conductivity.items():
            for i in range(n):
                for j in range(n):
                    slope = self.slots[k].slopes[j]
                    flux[i] -= matrix[i, j] * slope
                    source -= self._total_derivative(matrix[i, j], i) * slope
        multipliers: dict[int, sp.Matrix] = {}
        for k in self.multipliers:
            vector = sp.Matrix([sp.diff(source, slope) for slope in self.slots[k].slopes])
            if any(c != 0 for c in vector):
                if any(c.free_symbols for c in vector):
                    raise UnsupportedFormError(
                        f"the gradient of {self.slots[k].value} has a varying coefficient in {name!r}"
                    )
                multipliers[k] = vector
                source -= sum(c * slope for c, slope in zip(vector, self.slots[k].slopes, strict=True))
                # c·∇p = ∂_i(c_i p), so that F_i = -c_i p
                flux = [f - c * self.slots[k].value for f, c in zip(flux, vector, strict=True)]
        return WeakEquation(name, test, source, tuple(flux), conductivity, multipliers)

    @property
    def _steep(self) -> list[sp.Symbol]:
        return [s for slots in self.slots for s in (*slots.slopes, slots.rate, slots.acceleration)]

    def _total_derivative(self, e: sp.Expr, axis: int) -> sp.Expr:
        """∂e/∂x_axis of a function of coordinates and values of unknowns."""
        along = sum(sp.diff(e, slots.value) * slots.slopes[axis] for slots in self.slots)
        return sp.diff(e, self.space[axis]) + along

    # -- boundary ----------------------------------------------------------------------------------

    def _conditions(self, k: int, part: str) -> list[BoundaryCondition]:
        """The boundary conditions on one unknown and one part."""
        return [
            c
            for c in self.problem.of_type(BoundaryCondition)
            if c.unknown == self.problem.unknowns[k] and part in c.parts(self.problem.domain)
        ]

    def _dirichlet(self, k: int, part: str) -> Any:
        """The condition that prescribes the value of an unknown on a part, or None."""
        return next((c for c in self._conditions(k, part) if self._coefficients(c)[1] == 0), None)

    def _coefficients(self, condition: BoundaryCondition) -> tuple[sp.Expr, sp.Expr]:
        a, b = condition.coefficients()
        return self.problem.substitute(a), self.problem.substitute(b)

    def _essential(self) -> list[Essential]:
        """Prescribed values; a pressure is prescribed only where the velocity is, else its value is a
        traction.
        """
        found = []
        for condition in self.problem.of_type(BoundaryCondition):
            a, b = self._coefficients(condition)
            if b != 0:
                continue
            k = self.problem.unknowns.index(condition.unknown)
            for part in condition.parts(self.problem.domain):
                users = [e.test for e in self.equations if k in e.multipliers]
                if k in self.multipliers and any(self._dirichlet(j, part) is None for j in users):
                    continue
                found.append(Essential(k, part, self.as_function(condition.value, a)))
                self._used.add((condition, part))
        return found

    def _refuse_unused(self) -> None:
        """Every condition has entered some integral or holds some values: none is dropped in silence."""
        for condition in self.problem.of_type(BoundaryCondition):
            for part in condition.parts(self.problem.domain):
                if (condition, part) not in self._used:
                    raise UnsupportedFormError(
                        f"{condition.who} on {part} has no place in the weak form: drop it there, or give "
                        "the other unknowns conditions that leave it one"
                    )

    def as_function(self, data: Any, divisor: sp.Expr = sp.S.One) -> Callable[[Array], Any]:
        """Data of a condition, over ``divisor``, as a function of points (n, d)."""
        from ...residual.program import lower

        if isinstance(data, sp.Expr):
            function = lower(self.problem.coordinates, self.problem.substitute(data) / divisor, "numpy")
            return lambda points: function(*points.T)
        scale = lower(self.problem.coordinates, sp.sympify(divisor), "numpy")
        return lambda points: data(points) / scale(*points.T)

    def _natural(self) -> list[NaturalTerm]:
        terms = []
        for equation in self.equations:
            for face in self.problem.domain.faces:
                if not (equation.conductivity or equation.multipliers):
                    continue
                if self._dirichlet(equation.test, face.name) is not None:
                    continue  # its test functions vanish there
                expression, inputs = self._outflow(equation, face.name)
                if expression != 0:
                    terms.append(NaturalTerm(equation.test, face.name, expression, inputs))
        return terms

    def _outflow(self, equation: WeakEquation, part: str) -> tuple[sp.Expr, dict[sp.Symbol, Any]]:
        """-F·n = Σ_k n·a∇u_k + Σ_m (c·n) p_m with the conditions of the part put in."""
        total: sp.Expr = sp.Integer(0)
        inputs: dict[sp.Symbol, Any] = {}
        normal = sp.Matrix(normal_symbols(self.problem.domain))
        normal = normal.subs(flat_normal(self.problem.domain, part) or {})
        for k, matrix in equation.conductivity.items():
            name = self.problem.unknown_names[k]
            factor = self._normal_conductivity(matrix, normal, part, name)
            if factor == 0:
                continue
            condition = next((c for c in self._conditions(k, part) if self._coefficients(c)[1] != 0), None)
            if condition is None:
                held = self._dirichlet(k, part) is not None
                raise UnsupportedFormError(
                    f"{equation.name!r} needs ∂{name}/∂n on {part}"
                    + (f", where {name} itself is given" if held else ": add Neumann or Robin there")
                )
            a, b = self._coefficients(condition)
            total += factor * (self._data(condition, inputs) - a * self.slots[k].value) / b
            self._used.add((condition, part))
        for k, vector in equation.multipliers.items():
            across = (vector.T * normal)[0]
            if across == 0:
                continue  # along a wall that the flow slips on
            condition, name = self._dirichlet(k, part), self.problem.unknown_names[k]
            if condition is None:
                raise UnsupportedFormError(
                    f"{equation.name!r} needs {name} on {part}, where the flow is open: "
                    f"add Dirichlet({name}, 0, on={part!r})"
                )
            a, _ = self._coefficients(condition)
            total += across * self._data(condition, inputs) / a
            self._used.add((condition, part))
        return total, inputs

    def _data(self, condition: BoundaryCondition, inputs: dict[sp.Symbol, Any]) -> sp.Expr:
        if isinstance(condition.value, sp.Expr):
            return self.problem.substitute(condition.value)
        symbol = sp.Dummy("data", real=True)
        inputs[symbol] = condition.value
        return symbol

    def _normal_conductivity(self, matrix: sp.Matrix, normal: sp.Matrix, part: str, name: str) -> sp.Expr:
        """The factor of ∂u/∂n in n·a∇u, where a n = factor · n."""
        if matrix == matrix[0, 0] * sp.eye(self.dimension):
            return matrix[0, 0]
        along = matrix * normal
        factor = sp.expand((normal.T * along)[0])
        if all(_vanishes(e) for e in along - factor * normal):
            return sp.Integer(0) if _vanishes(factor) else factor
        raise UnsupportedFormError(
            f"the diffusion of {name} is anisotropic and {part} oblique to it: ∂{name}/∂n is no flux there"
        )

    # -- all that is to be integrated --------------------------------------------------------------

    def densities(self, equation: WeakEquation) -> tuple[sp.Expr, ...]:
        """(S, F_1, …, F_d)."""
        return (equation.source, *equation.flux)

    @property
    def is_linear(self) -> bool:
        unknown = {s for slots in self.slots for s in slots.all}
        everything = [e for equation in self.equations for e in self.densities(equation)]
        everything += [term.expression for term in self.natural]
        return not any(
            sp.diff(e, s).free_symbols & unknown for e in everything for s in e.free_symbols & unknown
        )

    @property
    def order_in_time(self) -> tuple[int, ...]:
        """0 to 2 for each unknown."""
        free = {s for e in self.equations for d in self.densities(e) for s in d.free_symbols}
        return tuple(2 if s.acceleration in free else int(s.rate in free) for s in self.slots)

    def sign_of_diffusion(self, k: int, values: Sequence[float]) -> int:
        """+1 where the equation of unknown k is declared as -aΔu + … = 0 with a > 0, -1 for its negative.

        Args:
            values: typical ones of the unknowns, at which a is evaluated.
        """
        matrix = self.equations[k].conductivity.get(k)
        if matrix is None:
            return 1
        at = dict(zip(self.problem.coordinates, self.problem.domain.cover(3)[1], strict=True))
        at |= dict(zip((slots.value for slots in self.slots), values, strict=True))
        return -1 if float(matrix.trace().subs(at)) > 0 else 1

    @property
    def gauges(self) -> tuple[Value, ...]:
        return tuple(self.problem.of_type(Value))

    def initial(self, k: int, order: int) -> Callable[[Array], Any] | None:
        """The initial value (order 0) or rate (1) of an unknown as a function of points; None where not
        declared.
        """
        for condition in self.problem.of_type(Initial):
            if condition.unknown == self.problem.unknowns[k] and condition.order == order:
                return self.as_function(condition.value)
        return None


def _vanishes(e: sp.Expr) -> bool:
    """Zero, up to the round-off of a normal's components."""
    e = sp.expand(e)
    return bool(e == 0 or (e.is_number and abs(float(e)) < 1e-12))


__all__ = ["Essential", "NaturalTerm", "Slots", "UnsupportedFormError", "WeakEquation", "WeakForm"]
