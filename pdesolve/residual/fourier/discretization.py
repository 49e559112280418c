"""`Evolution` on a grid: matrices for every mode, terms evaluated pointwise."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from ...declare.domain import Array
from ...declare.errors import PDESolveError
from . import etdrk4
from .evolution import Evolution
from .grid import FourierGrid, Spectra, power, tail
from .matrices import matrices

CONSISTENT = 1e-6
"""Relative change up to which initial data are made to satisfy the constraints."""
RELIEF = 12
"""Iterations for the rate that damping leaves; each lowers it, by half at most."""


class InconsistentConstraintError(PDESolveError):
    """A constraint is violated by the initial data, such as a velocity whose divergence is not zero, or
    cannot hold, such as ΔΨ = -ω under a force that changes the mean of ω."""


class Discretization:
    """The right-hand side of an `Evolution` for spectra of its state, (dynamic components, *modes).

    Raises:
        ValueError: the constraints cannot be eliminated; the text is a reason for `Backend.supports`.
    """

    def __init__(self, evolution: Evolution, grid: FourierGrid) -> None:
        self.evolution, self.grid = evolution, grid
        self.modes = grid.stored
        found = matrices(evolution, grid)
        self.linear, self.restriction = found.linear, found.restriction
        self.forcing, self.response, self.direct = found.forcing, found.response, found.direct
        self._check_free(found.free)
        self.stages = [evolution.compiled(terms) for terms in self._order()]
        self._multipliers = {
            orders: grid.multiplier(orders) for stage in self.stages for _, orders in stage.fields
        }
        self._gauges = {
            evolution.components.index((k, 0)): (self._phases(point), value)
            for k, (point, value) in evolution.gauges.items()
        }

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
        operators = [self.forcing, self.direct, *(self.restriction or ())[1:]]
        used = {j for operator in operators for _, j in operator.entries}
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
            InconsistentConstraintError: they violate them by more than truncation explains, or the other
                equations lead away from them.
        """
        state = series(self.evolution, self.grid)
        if self.evolution.algebraic == 0 or self.restriction is None:
            return state
        keep, shift = self.restriction
        terms = self._terms(state, self.evolution.data.time)
        consistent = keep(state) + shift(terms)
        self._require("the initial data", consistent - state, state)
        self._check_direction(consistent)
        return consistent

    def _check_direction(self, state: Spectra) -> None:
        """The state stays on the constraints where they and the evolution leave no choice (mean modes)."""
        assert self.restriction is not None
        (keep, shift), rates = self.restriction, self.evolution.rates
        start, end = self.evolution.problem.domain.bounds[-1]
        for t in (start,) if shift.entries else (start, (start + end) / 2, end):
            terms = self._terms(state, t)
            change = etdrk4.apply(self.linear, state) + self.forcing(terms)
            moved = np.zeros_like(terms)
            for term, rate in rates.items():
                moved[term] = terms[rate]
            self._require("the evolution", change - keep(change) - shift(moved), change)

    def _require(self, what: str, defect: Spectra, whole: Spectra) -> None:
        dimension = self.grid.dimension
        wrong, size = power(defect, dimension).sum(), power(whole, dimension).sum()
        relative = float(np.sqrt(wrong / size)) if size > 0 else float(np.sqrt(wrong))
        if relative > max(CONSISTENT, tail(whole, dimension)) and wrong > 1e-24:
            raise InconsistentConstraintError(
                f"Problem {self.evolution.problem.name!r}, {what}",
                "the equations without time derivatives to hold",
                f"a relative distance of {relative:.1e}",
                "Correct data and sources: the initial velocity of a flow is free of divergence, "
                "and a source has no mean where one is prescribed.",
            )

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


__all__ = ["Discretization", "InconsistentConstraintError"]
