"""A weak form on a space of elements: residual vector, exact Jacobian, prescribed values, gauges.

With u_h = Σ U_b φ_b, rates V = αU + h and accelerations W = αV + g (see `time_stepping`), the residual is

    R_a = ∫ (S φ_a + Σ_i F_i ∂_i φ_a) dx + ∮ (-F·n) φ_a ds,

and J = ∂R/∂U, where a rate adds α ∂R/∂V and an acceleration α² ∂R/∂W. Source, flux and their derivatives are
evaluated at all quadrature points at once; cells are summed by batched matrix products.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sps
import sympy as sp

from ...declare.conditions import normal_symbols
from ...declare.domain import Array
from ...residual.program import lower
from .linear import factorise
from .space import Indices, Space
from .weak import NaturalTerm, WeakForm

HOMOTOPY = sp.Dummy("s", real=True)
"""Scales what is not linear in the unknowns: 0 is the problem linearised about zero, 1 the declared one."""


@dataclass(frozen=True)
class Moment:
    """A time, and how rates follow from values: V = alpha U + h, W = alpha V + g; a steady problem has the
    default.

    Attributes:
        time: t, or None.
        alpha: derivative of V by U.
        h, g: vectors of all degrees of freedom, or 0.
    """

    time: float | None = None
    alpha: float = 0.0
    h: Array | float = 0.0
    g: Array | float = 0.0

    def rates(self, values: Array) -> tuple[Array, Array]:
        v = self.alpha * values + self.h
        return v, self.alpha * v + self.g


@dataclass(frozen=True)
class _Integral:
    """Densities of one test space, lowered: their values, and their nonzero derivatives by slots.

    Attributes:
        test: unknown whose functions test.
        values: function of all arguments that returns the list of densities.
        slopes: the same for their derivatives ``places``.
        places: for each derivative (density, unknown, component of its features, order in time).
        expressions: the derivatives in symbols.
    """

    test: int
    values: Callable[..., list[Any]]
    slopes: Callable[..., list[Any]]
    places: tuple[tuple[int, int, int, int], ...]
    expressions: tuple[sp.Expr, ...]


@dataclass
class _Facets:
    """A part's quadrature: value features of each unknown, points, weights, normals, and its integral."""

    integral: _Integral
    term: NaturalTerm
    features: dict[int, tuple[Array, Indices]]
    points: Array
    weights: Array
    normals: Array
    inputs: list[Callable[[Array], Array]] = field(default_factory=list)


class System:
    """Residual and Jacobian of a weak form on a space.

    Attributes:
        is_affine: whether the Jacobian is the same at all values and times.
    """

    def __init__(self, form: WeakForm, space: Space) -> None:
        self.form, self.space = form, space
        problem = form.problem
        slots = [s for unknown in form.slots for s in unknown.all]
        self._time = problem.domain.time
        common = [*slots, *problem.coordinates, HOMOTOPY]
        self._integrals = [self._lower(e.test, form.densities(e), common) for e in form.equations]
        self._facets = [self._on_part(term, common) for term in form.natural]
        slopes = [
            e
            for integral in (*self._integrals, *(f.integral for f in self._facets))
            for e in integral.expressions
        ]
        moving = {*slots, HOMOTOPY} | ({self._time.coordinate} if self._time is not None else set())
        self.is_affine = not any(e.free_symbols & moving for e in slopes)

    # -- set-up ------------------------------------------------------------------------------------

    def _lower(self, test: int, densities: Sequence[sp.Expr], arguments: Sequence[sp.Symbol]) -> _Integral:
        mixed = [self._homotopy(e) for e in densities]
        places, slopes = [], []
        for i, e in enumerate(mixed):
            for k, unknown in enumerate(self.form.slots):
                columns = [(unknown.value, 0, 0), *((s, 1 + a, 0) for a, s in enumerate(unknown.slopes))]
                columns += [(unknown.rate, 0, 1), (unknown.acceleration, 0, 2)]
                for symbol, component, order in columns:
                    slope = sp.diff(e, symbol) if symbol in e.free_symbols else sp.Integer(0)
                    if slope != 0:
                        places.append((i, k, component, order))
                        slopes.append(slope)
        values, derivatives = (lower(arguments, expressions, "numpy") for expressions in (mixed, slopes))
        return _Integral(test, values, derivatives, tuple(places), tuple(slopes))

    def _homotopy(self, e: sp.Expr) -> sp.Expr:
        """Linear part about zero plus s times the rest; the whole where it is singular at zero."""
        slots = [s for unknown in self.form.slots for s in unknown.all if s in e.free_symbols]
        zero = dict.fromkeys(slots, sp.Integer(0))
        linear = e.xreplace(zero) + sum(sp.diff(e, s).xreplace(zero) * s for s in slots)
        if linear.has(sp.nan, sp.zoo, sp.oo, -sp.oo):
            return e
        rest = sp.expand(e - linear)
        return e if rest == 0 else linear + HOMOTOPY * rest

    def _on_part(self, term: NaturalTerm, common: Sequence[sp.Symbol]) -> _Facets:
        normals = normal_symbols(self.form.problem.domain)
        integral = self._lower(term.test, [term.expression], [*common, *normals, *term.inputs])
        bases = {
            k: self.space.facet_basis(k, term.part) for k in {term.test, *(p[1] for p in integral.places)}
        }
        basis = bases[term.test]
        features = {}
        for k, b in bases.items():
            values = np.stack([np.broadcast_to(np.asarray(f[0]), b.dx.shape) for f in b.basis], axis=-1)
            features[k] = values, np.asarray(b.element_dofs.T, dtype=np.int64)
        return _Facets(
            integral,
            term,
            features,
            np.moveaxis(np.asarray(basis.global_coordinates()), 0, -1),
            np.asarray(basis.dx),
            np.moveaxis(np.asarray(basis.normals), 0, -1),
            list(term.inputs.values()),
        )

    # -- prescribed values -------------------------------------------------------------------------

    @cached_property
    def _essential(self) -> list[tuple[int, Indices, Callable[[Array], Any]]]:
        """Unknown, its own degrees of freedom and data of each condition; what an earlier one holds is left
        out.
        """
        held = [np.zeros(n, dtype=bool) for n in self.space.sizes]
        found = []
        for condition in self.form.essential:
            k = condition.unknown
            dofs = self.space.boundary_dofs(k, condition.part)
            dofs = dofs[~held[k][dofs]]
            held[k][dofs] = True
            found.append((k, dofs, condition.data))
        return found

    @cached_property
    def fixed(self) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """True at degrees of freedom with prescribed values, (size,)."""
        fixed = np.zeros(self.space.size, dtype=bool)
        for k, dofs, _ in self._essential:
            fixed[self.space.offsets[k] + dofs] = True
        return fixed

    def prescribe(self, values: Array, time: float | None) -> None:
        """Put the prescribed values in, in place."""
        for k, dofs, data in self._essential:
            values[self.space.offsets[k] + dofs] = data(self._with_time(self.space.nodes(k)[dofs], time))

    def extended(self, values: Array) -> Array:
        """The discrete harmonic function of each unknown with its prescribed values; others as they are."""
        result = values.copy()
        for k in sorted({k for k, _, _ in self._essential}):
            fixed, matrix = self.fixed[self.space.block(k)], self.space.stiffness[self.space.degrees[k]]
            given = np.where(fixed, values[self.space.block(k)], 0.0)
            inner = factorise(matrix[~fixed][:, ~fixed], self.space.dimension)
            given[~fixed] = inner(-(matrix @ given)[~fixed])
            result[self.space.block(k)] = given
        return result

    def interpolate(self, k: int, function: Callable[[Array], Any], time: float | None) -> Array:
        """Degrees of freedom of unknown k that take a function's values at the nodes."""
        nodes = self._with_time(self.space.nodes(k), time)
        return np.array(np.broadcast_to(np.asarray(function(nodes), dtype=np.float64), (len(nodes),)))

    def _with_time(self, points: Array, time: float | None) -> Array:
        return points if time is None else np.column_stack([points, np.full(len(points), time)])

    @cached_property
    def _gauges(self) -> list[tuple[int, sps.csr_matrix, Callable[[float | None], float]]]:
        """Row to replace, the row that takes its place (1, size), and its right-hand side as a function of
        time.
        """
        gauges = []
        domain = self.form.problem.domain
        for gauge in self.form.gauges:
            k = self.form.problem.unknowns.index(gauge.unknown)
            place = np.array([[float(gauge.at[c]) for c in self.form.space]])
            row = self.space.probe(k, place)[0]
            wide = sps.csr_matrix(
                (row.data, self.space.offsets[k] + row.indices, row.indptr), shape=(1, self.space.size)
            )
            value = self._at(place, self.form.as_function(gauge.value))
            chosen = self.space.offsets[k] + int(row.indices[np.abs(row.data).argmax()])
            if domain.time is None or domain.time.coordinate not in gauge.at:
                gauges.append((chosen, wide, value))
        return gauges

    def _at(self, place: Array, function: Callable[[Array], Any]) -> Callable[[float | None], float]:
        """A function of points as a function of time alone, at one place (1, d)."""
        return lambda time: float(np.asarray(function(self._with_time(place, time))).reshape(-1)[0])

    # -- residual and Jacobian ---------------------------------------------------------------------

    def residual(self, values: Array, moment: Moment, homotopy: float = 1.0) -> Array:
        """R (size,) of all test functions; at prescribed ones it is the reaction."""
        result = np.zeros(self.space.size)
        arguments = self._arguments(values, moment, homotopy)
        for integral in self._integrals:
            densities = self._densities(integral, arguments)
            features = self.space.features(integral.test)
            weighted = densities * self.space.weights[..., None]
            rows = weighted.shape[1] * weighted.shape[2]
            local = np.matmul(
                weighted.reshape(-1, 1, rows), features.basis.reshape(-1, rows, features.basis.shape[-1])
            )
            self._add(result, integral.test, features.dofs, local[:, 0])
        for facets in self._facets:
            on_part = self._facet_arguments(facets, values, moment, homotopy)
            values_on = _stacked(facets.integral.values(*on_part), facets.weights.shape)
            basis, dofs = facets.features[facets.integral.test]
            self._add(
                result,
                facets.integral.test,
                dofs,
                np.einsum("eq,eqb->eb", values_on[..., 0] * facets.weights, basis),
            )
        return result

    def constrained_residual(self, values: Array, moment: Moment, homotopy: float = 1.0) -> Array:
        """R with the rows of gauges in their places, and zero where values are prescribed."""
        result = self.residual(values, moment, homotopy)
        for row, matrix, value in self._gauges:
            result[row] = float((matrix @ values)[0]) - value(moment.time)
        result[self.fixed] = 0.0
        return result

    def jacobian(self, values: Array, moment: Moment, homotopy: float = 1.0) -> sps.csr_matrix:
        """∂R/∂U with the rows of gauges in their places."""
        arguments = self._arguments(values, moment, homotopy)
        blocks: list[tuple[Array, Indices, Indices]] = []
        for integral in self._integrals:
            slopes = integral.slopes(*arguments)
            test = self.space.features(integral.test)
            for k in sorted({place[1] for place in integral.places}):
                trial = self.space.features(k)
                shape = (*self.space.weights.shape, test.basis.shape[2], trial.basis.shape[-1])
                weighted = np.zeros(shape)  # Σ_c (∂density_i/∂component_c) · features_c, (e, q, i, b)
                for (i, unknown, component, order), slope in zip(integral.places, slopes, strict=True):
                    if unknown == k:
                        factor = self.space.weights * slope * moment.alpha**order
                        weighted[:, :, i] += factor[..., None] * trial.basis[:, :, component]
                rows = shape[1] * shape[2]
                left = test.basis.reshape(-1, rows, test.basis.shape[-1]).transpose(0, 2, 1)
                blocks.append(
                    self._block(
                        integral.test, k, test.dofs, trial.dofs, left @ weighted.reshape(-1, rows, shape[3])
                    )
                )
        for facets in self._facets:
            on_part = self._facet_arguments(facets, values, moment, homotopy)
            slopes = facets.integral.slopes(*on_part)
            for (_, k, _, order), slope in zip(facets.integral.places, slopes, strict=True):
                (test_basis, test_dofs), (basis, dofs) = (
                    facets.features[facets.integral.test],
                    facets.features[k],
                )
                factor = facets.weights * slope * moment.alpha**order
                local = np.einsum("eqa,eq,eqb->eab", test_basis, factor, basis)
                blocks.append(self._block(facets.integral.test, k, test_dofs, dofs, local))
        data, rows_, columns = (np.concatenate(part) for part in zip(*blocks, strict=True))
        matrix = sps.coo_matrix((data, (rows_, columns)), shape=(self.space.size,) * 2).tocsr()
        for row, gauge, _ in self._gauges:
            keep = np.ones(self.space.size)
            keep[row] = 0.0
            unit = sps.csr_matrix(([1.0], ([row], [0])), shape=(self.space.size, 1))
            matrix = sps.diags(keep) @ matrix + unit @ gauge
        return matrix.tocsr()

    def imbalance(self, values: Array) -> float:
        """What sources and fluxes leave in the row of a gauge, as a share of their integrated size.

        Of a steady problem. Multipliers have none: their data are balanced by declaration.
        """
        moment, shares = Moment(), [0.0]
        arguments, residual = self._arguments(values, moment, 1.0), self.residual(values, moment)
        for row, _, _ in self._gauges:
            k = int(np.searchsorted(self.space.offsets, row, side="right")) - 1
            if k in self.form.multipliers:
                continue
            parts = [
                np.abs(self._densities(integral, arguments)[..., 0] * self.space.weights).sum()
                for integral in self._integrals
                if integral.test == k
            ]
            for facets in self._facets:
                if facets.integral.test == k:
                    (flux,) = facets.integral.values(*self._facet_arguments(facets, values, moment, 1.0))
                    parts.append(np.abs(flux * facets.weights).sum())
            shares.append(abs(residual[row]) / sum(parts) if sum(parts) > 0 else 0.0)
        return float(max(shares))

    @np.errstate(all="ignore")
    def strange_place(self, values: Array, moment: Moment) -> str | None:
        """The first equation, and a point, at which the integrand is not finite; None where it is."""
        arguments = self._arguments(values, moment, 1.0)
        for equation, integral in zip(self.form.equations, self._integrals, strict=True):
            strange = ~np.isfinite(self._densities(integral, arguments)).all(axis=-1)
            if strange.any():
                point = self._with_time(self.space.points[strange][:1], moment.time)[0]
                at = zip(self.form.problem.coordinates, point, strict=True)
                return f"{equation.name!r} at " + ", ".join(f"{c} = {v:.4g}" for c, v in at)
        return None

    # -- pieces ------------------------------------------------------------------------------------

    def _arguments(self, values: Array, moment: Moment, homotopy: float) -> list[Any]:
        """Arguments of the lowered functions at the quadrature points of the cells."""
        return [*self._fields(values, moment), *self._coordinates(self.space.points, moment), homotopy]

    def _densities(self, integral: _Integral, arguments: Sequence[Any]) -> Array:
        """(cells, points, densities)."""
        return _stacked(integral.values(*arguments), self.space.weights.shape)

    def _fields(self, values: Array, moment: Moment) -> list[Any]:
        """All slots at the quadrature points, in the order of the lowered functions' arguments."""
        rates = moment.rates(values)
        fields: list[Any] = []
        for k, order in enumerate(self.form.order_in_time):
            features, block = self.space.features(k), self.space.block(k)
            e, q, c, b = features.basis.shape
            local = values[block][features.dofs]
            found = np.matmul(features.basis.reshape(e, q * c, b), local[:, :, None]).reshape(e, q, c)
            fields += [found[..., i] for i in range(c)]
            for n in (1, 2):
                fields.append(
                    np.einsum("eqb,eb->eq", features.basis[:, :, 0], rates[n - 1][block][features.dofs])
                    if n <= order
                    else 0.0
                )
        return fields

    def _facet_arguments(self, facets: _Facets, values: Array, moment: Moment, homotopy: float) -> list[Any]:
        """Arguments of a boundary integral: values of unknowns, no slopes or rates, and normals and
        inputs.
        """
        fields: list[Any] = []
        for k, unknown in enumerate(self.form.slots):
            if k in facets.features:
                basis, dofs = facets.features[k]
                fields.append(np.einsum("eqb,eb->eq", basis, values[self.space.block(k)][dofs]))
            else:
                fields.append(0.0)
            fields += [0.0] * (len(unknown.all) - 1)
        coordinates = self._coordinates(facets.points, moment)
        flat = self._with_time(facets.points.reshape(-1, self.space.dimension), moment.time)
        inputs = [np.asarray(f(flat)).reshape(facets.weights.shape) for f in facets.inputs]
        return [*fields, *coordinates, homotopy, *np.moveaxis(facets.normals, -1, 0), *inputs]

    def _coordinates(self, points: Array, moment: Moment) -> list[Any]:
        columns: list[Any] = list(np.moveaxis(points, -1, 0))
        return columns if self._time is None else [*columns, moment.time]

    def _add(self, result: Array, k: int, dofs: Indices, local: Array) -> None:
        block = self.space.block(k)
        result[block] += np.bincount(dofs.ravel(), weights=local.ravel(), minlength=self.space.sizes[k])

    def _block(
        self, j: int, k: int, rows: Indices, columns: Indices, local: Array
    ) -> tuple[Array, Indices, Indices]:
        """Entries of one block: data, global rows, global columns."""
        shape = local.shape
        wide = np.broadcast_to(self.space.offsets[j] + rows[:, :, None], shape)
        tall = np.broadcast_to(self.space.offsets[k] + columns[:, None, :], shape)
        return local.ravel(), wide.ravel(), tall.ravel()


def _stacked(values: Sequence[Any], shape: tuple[int, ...]) -> Array:
    """Arrays or numbers as one array (*shape, len(values))."""
    return np.stack([np.broadcast_to(np.asarray(v, dtype=np.float64), shape) for v in values], axis=-1)
