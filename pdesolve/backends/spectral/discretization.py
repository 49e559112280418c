"""`Evolution` on a grid: matrices for every mode, terms evaluated pointwise."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...declare.domain import Array
from ...declare.errors import PDESolveError
from . import etdrk4
from .constraints import ROUND_OFF, System, eliminate
from .evolution import Evolution, Polynomial
from .fourier import FourierGrid, Spectra, power, tail
from .operators import Operator

CONSISTENT = 1e-6
"""Relative change up to which initial data are made to satisfy the constraints."""
RELIEF = 12
"""Iterations for the rate that damping leaves; each lowers it, by half at most."""


class InconsistentInitialDataError(PDESolveError):
    """The initial data violate a constraint, such as a velocity whose divergence is not zero."""


@dataclass(frozen=True)
class Matrices:
    """What `Discretization` knows of L and of the constraints.

    Attributes:
        linear: (components, *modes) where it is diagonal, else (components, components, *modes).
        forcing, response, direct: see `constraints.Reduced`.
        restriction: (keep, shift) of the same; None without constraints on the state.
        free: algebraic components whose mean nothing determines.
    """

    linear: Spectra
    forcing: Operator
    response: Operator
    direct: Operator
    restriction: tuple[Operator, Operator] | None = None
    free: frozenset[int] = frozenset()


class Discretization:
    """The right-hand side of an `Evolution` for spectra of its state, (dynamic components, *modes).

    Raises:
        ValueError: the constraints cannot be eliminated; the text is a reason for `Backend.supports`.
    """

    def __init__(self, evolution: Evolution, grid: FourierGrid) -> None:
        self.evolution, self.grid = evolution, grid
        self.modes = (2 * grid.modes + 1,) * (grid.dimension - 1) + (grid.modes + 1,)
        simple = not evolution.algebraic and not evolution.mass
        matrices = self._simple() if simple else self._reduced()
        self.linear, self.restriction = matrices.linear, matrices.restriction
        self.forcing, self.response, self.direct = matrices.forcing, matrices.response, matrices.direct
        self._check_free(matrices.free)
        self.stages = [evolution.compiled(terms) for terms in self._order()]
        self._multipliers = {
            orders: grid.multiplier(orders) for stage in self.stages for _, orders in stage.fields
        }
        self._gauges = {
            evolution.components.index((k, 0)): (self._phases(point), value)
            for k, (point, value) in evolution.gauges.items()
        }

    # -- matrices ----------------------------------------------------------------------------------

    def _evaluate(self, polynomial: Polynomial) -> Any:
        """Σ c (iκ)^orders, an array that broadcasts to the modes; real where it is."""
        value: Any = sum(c * self.grid.multiplier(orders) for orders, c in polynomial.items())
        return value if np.any(np.imag(value)) else np.real(value)

    def _table(self, polynomials: Mapping[tuple[int, int], Polynomial], rows: int, columns: int) -> Spectra:
        """The polynomials as matrices (modes, rows, columns)."""
        table = np.zeros((*self.modes, rows, columns), dtype=np.complex128)
        for (i, j), polynomial in polynomials.items():
            table[..., i, j] = self._evaluate(polynomial)
        return table.reshape(-1, rows, columns)

    def _simple(self) -> Matrices:
        """Without constraints and mass: the polynomials themselves."""
        evolution = self.evolution
        count = evolution.dynamic
        linear = self._table(evolution.linear, count, count)
        forcing = {place: self._evaluate(p) for place, p in evolution.forcing.items()}
        none = Operator(0, self.modes, {})
        return Matrices(_compact(linear, self.modes), Operator(count, self.modes, forcing), none, none)

    def _reduced(self) -> Matrices:
        """The mass inverted, the algebraic components eliminated."""
        evolution = self.evolution
        count, size, terms = evolution.dynamic, len(evolution.components), len(evolution.terms)
        linear = self._table(evolution.linear, size, size)
        forcing = self._table(evolution.forcing, size, terms)
        if evolution.mass:
            try:
                inverse = np.linalg.inv(self._table(evolution.mass, count, count))
            except np.linalg.LinAlgError:
                raise ValueError(
                    "the operator on the time derivatives vanishes for some wavenumber"
                ) from None
            linear[:, :count] = inverse @ linear[:, :count]
            forcing[:, :count] = inverse @ forcing[:, :count]
        d, a = slice(None, count), slice(count, None)
        reduced = eliminate(
            System(
                L=linear[:, d, d],
                F=linear[:, d, a],
                P=forcing[:, d],
                C=linear[:, a, d],
                E=linear[:, a, a],
                S=forcing[:, a],
            )
        )
        for total, rate in ((reduced.forcing, reduced.forcing_rate), (reduced.direct, reduced.direct_rate)):
            self._add_rates(total, rate)
        if np.any(reduced.free[1:]):
            k = evolution.components[count + int(np.flatnonzero(reduced.free[1:].any(axis=0))[0])][0]
            name = evolution.problem.unknown_names[k]
            raise ValueError(f"the equations, differentiated once in time, do not determine {name}")
        if np.any(linear[0, d, a] * reduced.free[0]):
            raise ValueError("the mean of an unknown acts on the others, and no equation fixes it")
        keep, shift = (Operator.dense(m, self.modes) for m in (reduced.keep, reduced.shift))
        return Matrices(
            _compact(reduced.linear, self.modes),
            Operator.dense(reduced.forcing, self.modes),
            Operator.dense(reduced.response, self.modes),
            Operator.dense(reduced.direct, self.modes),
            restriction=None if _is_identity(keep) else (keep, shift),
            free=frozenset(count + int(j) for j in np.flatnonzero(reduced.free[0])),
        )

    def _add_rates(self, total: Spectra, rate: Spectra) -> None:
        """ê' as further terms: the time derivatives of known functions."""
        size = max(np.abs(total).max(initial=0.0), np.abs(rate).max(initial=0.0))
        for term in range(rate.shape[2]):
            if np.abs(rate[:, :, term]).max(initial=0.0) <= ROUND_OFF * size:
                continue
            if term not in self.evolution.rates:
                raise ValueError(
                    "a constraint would have to be differentiated in time, and holds a non-linear term"
                )
            total[:, :, self.evolution.rates[term]] += rate[:, :, term]

    def _check_free(self, free: frozenset[int]) -> None:
        evolution = self.evolution
        names = evolution.problem.unknown_names
        for k in evolution.gauges:
            if evolution.components.index((k, 0)) not in free:
                raise ValueError(f"the equations determine the mean of {names[k]}, so that no Value can")
        for c, orders in evolution.fields.values():
            if c in free and not any(orders):
                name = names[evolution.components[c][0]]
                raise ValueError(f"the mean of {name} acts on the other unknowns, and no equation fixes it")

    # -- terms -------------------------------------------------------------------------------------

    def _order(self) -> list[tuple[int, ...]]:
        """The terms in stages: an algebraic field must be known before a term needs it."""
        evolution = self.evolution
        used = {j for _, j in (*self.forcing.entries, *self.direct.entries)}
        needs = {}
        for j in used:
            places = [evolution.fields[s] for s in evolution.terms[j].free_symbols if s in evolution.fields]
            algebraic = {c - evolution.dynamic for c, _ in places if c >= evolution.dynamic}
            needs[j] = {term for c in algebraic for term in self.direct.row(c)}
        stages: list[tuple[int, ...]] = []
        done: set[int] = set()
        while done != used:
            ready = sorted(j for j in used - done if needs[j] <= done)
            if not ready:
                raise ValueError("an unknown without a time derivative is given by a non-linear equation")
            stages.append(tuple(ready))
            done.update(ready)
        return stages

    def _spectrum(self, component: int, state: Spectra, terms: Spectra) -> Spectra:
        """One component; an algebraic one without its gauge."""
        row = component - self.evolution.dynamic
        if row < 0:
            return np.asarray(state[component])
        value = np.zeros(self.modes, dtype=np.complex128)
        for operator, vector in ((self.response, state), (self.direct, terms)):
            for j, entry in operator.row(row).items():
                value += entry * vector[j]
        return value

    def _terms(self, state: Spectra, t: float) -> Spectra:
        """ê, (terms, *modes)."""
        count = len(self.evolution.terms)
        result = np.zeros((count, *self.modes), dtype=np.complex128)
        for stage in self.stages:
            values = stage.function(*self._arguments(stage.fields, state, result, t))
            if len(stage.terms) == count:
                return self.grid.to_modes(self._stacked(values))
            result[list(stage.terms)] = self.grid.to_modes(self._stacked(values))
        return result

    def _stacked(self, values: list[Any]) -> Array:
        if len(values) == 1 and np.shape(values[0]) == self.grid.shape:
            return np.asarray(values[0])[None]
        return np.stack([np.broadcast_to(v, self.grid.shape) for v in values])

    def _arguments(self, fields: Iterable[Any], state: Spectra, terms: Spectra, t: float) -> list[Any]:
        known = {c: self._spectrum(c, state, terms) for c in {c for c, _ in fields}}
        spectra = [self._multipliers[orders] * known[c] for c, orders in fields]
        values = self.grid.to_grid(np.stack(spectra)) if spectra else ()
        return [*values, *self.grid.points, t]

    # -- the right-hand side -----------------------------------------------------------------------

    @property
    def is_diagonal(self) -> bool:
        return self.linear.ndim == 1 + len(self.modes)

    def coefficients(self, step: float) -> etdrk4.Coefficients:
        make = etdrk4.coefficients if self.is_diagonal else etdrk4.block_coefficients
        return make(self.linear, step)

    def nonlinear(self, state: Spectra, t: float) -> Spectra:
        """N(d, t), shape as ``state``."""
        if not self.stages:
            return np.zeros_like(state)
        return self.forcing(self._terms(state, t))

    def unknowns(self, state: Spectra, t: float) -> Spectra:
        """All unknowns of the problem, (unknowns, *modes)."""
        evolution = self.evolution
        terms = self._terms(state, t) if self.direct.entries else state[:0]
        result = np.empty((len(evolution.problem.unknowns), *self.modes), dtype=np.complex128)
        for c, (k, order) in enumerate(evolution.components):
            if order == 0:
                result[k] = self._spectrum(c, state, terms)
            if c in self._gauges:
                phases, value = self._gauges[c]
                mean = (0,) * self.grid.dimension
                result[k][mean] = 0
                result[k][mean] = value(t) - np.sum(phases * result[k]).real
        return result

    def _phases(self, point: Array) -> Spectra:
        """exp(iκ·(x - x₀)), twice for modes that stand for their conjugates too."""
        grid = self.grid
        result = np.ones((1,) * grid.dimension, dtype=np.complex128)
        for axis, (kappa, lower) in enumerate(zip(grid.wavenumbers, grid.lower, strict=True)):
            table = np.exp(1j * kappa * (point[axis] - lower))
            if axis == grid.dimension - 1:
                table[1:] *= 2
            result = result * table.reshape([-1 if a == axis else 1 for a in range(grid.dimension)])
        return result

    def initial(self) -> Spectra:
        """The series of the initial data of the state, which satisfy the constraints.

        Raises:
            InconsistentInitialDataError: they violate them by more than truncation explains.
        """
        state = series(self.evolution, self.grid)
        if self.restriction is None:
            return state
        keep, shift = self.restriction
        consistent = keep(state)
        if shift.entries:
            consistent = consistent + shift(self._terms(state, self.evolution.data.time))
        dimension = self.grid.dimension
        change = power(consistent - state, dimension).sum()
        size = power(state, dimension).sum()
        defect = float(np.sqrt(change / size)) if size > 0 else float(np.sqrt(change))
        if defect > max(CONSISTENT, tail(state, dimension)):
            problem = self.evolution.problem
            dynamic = self.evolution.components[: len(state)]
            names = [problem.unknown_names[k] for k, order in dynamic if not order]
            raise InconsistentInitialDataError(
                f"Problem {problem.name!r}, initial data of {', '.join(names)}",
                "data that satisfy the equations without time derivatives",
                f"a relative distance of {defect:.1e} from such data",
                "Correct the data: a flow's initial velocity is free of divergence, for instance.",
            )
        return consistent

    # -- scales ------------------------------------------------------------------------------------

    @property
    def decay(self) -> float:
        """The fastest decay rate of L."""
        if self.is_diagonal:
            return float(-self.linear.real.min())
        blocks = np.moveaxis(self.linear, (0, 1), (-2, -1))
        return float(-np.linalg.eigvals(blocks).real.min())

    @property
    def transforms(self) -> int:
        """Transforms in one evaluation of N."""
        return sum(len(stage.fields) + len(stage.terms) for stage in self.stages)

    def rate(self, state: Spectra, time: float | None = None) -> float:
        """A bound for the fastest rate of N; steps must not exceed ~1/rate.

        Entry (i, j) of a matrix bounds ∂N_i/∂d_j for each mode: the slopes of the terms, largest over the
        grid, times the multipliers on the way from d_j to N_i. The spectral radius of their largest values
        bounds the rates. Where L damps a mode by the rate λ, a step h weakens N by about 1/(1 + hλ).
        """
        if not self.stages:
            return 0.0
        time = self.evolution.data.time if time is None else time
        count = self.evolution.dynamic
        ways = np.zeros((count, count, *self.modes))
        terms = self._terms(state, time)
        for stage in self.stages:
            slopes = stage.slopes(*self._arguments(stage.fields, state, terms, time))
            largest = np.array([np.max(np.abs(s)) for s in slopes]).reshape(len(stage.terms), -1)
            for (i, term), entry in self.forcing.entries.items():
                if term not in stage.terms:
                    continue
                for (c, orders), slope in zip(stage.fields, largest[stage.terms.index(term)], strict=True):
                    way = entry * self._multipliers[orders]
                    for j, step in ({c: 1.0} if c < count else self.response.row(c - count)).items():
                        ways[i, j] += slope * np.abs(way * step)
        for (i, j), polynomial in self.evolution.linear.items():
            if i < count and self.evolution.is_rate(j, i):
                ways[i, j] = sum(polynomial.values())  # u' = u_t: the rate of u_tt = N is a root
        diagonal = self.linear if self.is_diagonal else np.einsum("ii...->i...", self.linear)
        decays = np.maximum(-diagonal.real, 0)[:, None]
        rate = _radius(ways)
        for _ in range(RELIEF):
            if rate > 0:
                rate = _radius(ways / (1 + decays / rate))
        return rate


def _radius(ways: Array) -> float:
    """Spectral radius of the entries' largest values."""
    return float(np.abs(np.linalg.eigvals(ways.reshape(*ways.shape[:2], -1).max(axis=2))).max())


def series(evolution: Evolution, grid: FourierGrid) -> Spectra:
    """The initial data of the state as they are declared, (dynamic components, *modes)."""
    points = np.stack([p.ravel() for p in grid.points], axis=1)
    dynamic = evolution.components[: evolution.dynamic]
    return grid.to_modes(np.stack([evolution.data.values(c, points).reshape(grid.shape) for c in dynamic]))


def _compact(matrices: Spectra, modes: tuple[int, ...]) -> Spectra:
    """(modes, n, n) as (n, *modes) where all are diagonal, else as (n, n, *modes); real where they are."""
    n = matrices.shape[1]
    rest = matrices * (1 - np.eye(n))
    if np.abs(rest).max(initial=0.0) <= ROUND_OFF * np.abs(matrices).max(initial=0.0):
        diagonal = np.diagonal(matrices, axis1=1, axis2=2)
        return np.ascontiguousarray(diagonal.T).reshape(n, *modes)
    blocks = np.ascontiguousarray(np.moveaxis(matrices, 0, -1)).reshape(n, n, *modes)
    return blocks if blocks.imag.any() else np.ascontiguousarray(blocks.real)


def _is_identity(operator: Operator) -> bool:
    return all(i == j and np.ndim(e) == 0 and e == 1 for (i, j), e in operator.entries.items())


__all__ = ["Discretization", "InconsistentInitialDataError"]
