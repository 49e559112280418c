"""The answer of the spectral backend as a function of points."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..declare.domain import Array
from ..residual.fourier.evolution import InitialData
from ..residual.fourier.grid import FourierGrid, Spectra
from ..residual.fourier.trajectory import Slab
from ..residual.program import Derivative
from ..solution.field import Field

CHUNK = 1 << 21
"""Most complex numbers in one table of exponentials (32 MB)."""


class SpectralField(Field):
    """Trigonometric interpolation in space, where derivatives are exact, and polynomials in time.

    At the initial time the values are the declared data themselves, kinks included; derivatives are those
    of the series. Times that no saved spectrum brackets (a run that was stopped early) give NaN. On tensor
    grids the exponentials of each coordinate are tabulated once; scattered points cost modes x points.
    """

    def __init__(self, lower: Array, length: Array, slabs: Sequence[Slab], initial: InitialData) -> None:
        self.lower, self.length, self.slabs = np.asarray(lower), np.asarray(length), tuple(slabs)
        self.initial = initial

    def derivatives(self, points: Array, wanted: Sequence[Derivative]) -> list[Array]:
        points = np.asarray(points, dtype=np.float64)
        result = np.full((len(wanted), len(points)), np.nan)
        times = points[:, -1]
        edges = np.array([self.slabs[0].start, *(slab.end for slab in self.slabs)])
        slack = 1e-12 * (edges[-1] - edges[0])
        covered = (times >= edges[0] - slack) & (times <= edges[-1] + slack)
        place = np.clip(np.searchsorted(edges, times, side="left") - 1, 0, len(self.slabs) - 1)
        for i, slab in enumerate(self.slabs):
            inside = np.flatnonzero(covered & (place == i))
            if len(inside):
                result[:, inside] = self._in_slab(slab, points[inside], wanted)
        first = np.flatnonzero(np.abs(times - edges[0]) <= slack)
        plain = [w for w, (_, index) in enumerate(wanted) if not any(index)]
        if len(first) and plain:
            for w in plain:
                component = wanted[w][0], 0
                if component in self.initial:  # algebraic unknowns have no data
                    result[w, first] = self.initial.values(component, points[first, :-1])
        return list(result)

    @property
    def end(self) -> float:
        return self.slabs[-1].end

    def arrays(self) -> dict[str, Array]:
        arrays = {
            "lower": self.lower,
            "length": self.length,
            "edges": np.array([self.slabs[0].start, *(slab.end for slab in self.slabs)]),
        }
        for i, slab in enumerate(self.slabs):
            spectra = np.ascontiguousarray(slab.spectra)
            arrays[f"spectra {i}"] = spectra.view(np.float64).reshape(*spectra.shape, 2)
        return arrays

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array], initial: InitialData) -> SpectralField:
        edges = arrays["edges"]
        slabs = []
        for i in range(len(edges) - 1):
            pairs = np.ascontiguousarray(arrays[f"spectra {i}"], dtype=np.float64)
            slabs.append(Slab(float(edges[i]), float(edges[i + 1]), pairs.view(np.complex128)[..., 0]))
        return cls(arrays["lower"], arrays["length"], slabs, initial)

    # -- one slab ----------------------------------------------------------------------------------

    def _in_slab(self, slab: Slab, points: Array, wanted: Sequence[Derivative]) -> Array:
        columns = [np.unique(column, return_inverse=True) for column in points.T]
        if np.prod([len(values) for values, _ in columns], dtype=float) <= 2 * len(points):
            values = self._on_tensor_grid(slab, [values for values, _ in columns], wanted)
            places: tuple[Any, ...] = tuple(inverse for _, inverse in columns)
            return np.asarray(values[:, *places])
        return self._at_scattered(slab, points, wanted)

    def _grid(self, slab: Slab) -> FourierGrid:
        modes = slab.spectra.shape[-1] - 1
        return FourierGrid(tuple(self.lower), tuple(self.length), 2 * modes + 1, modes)

    def _exponentials(self, grid: FourierGrid, axis: int, x: Array) -> Spectra:
        """exp(iκ(x - x₀)), (n, modes); the stored half of the last axis counts twice."""
        table = np.exp(1j * np.outer(x - self.lower[axis], grid.wavenumbers[axis]))
        if axis == grid.dimension - 1:
            table[:, 1:] *= 2
        return table

    def _on_tensor_grid(self, slab: Slab, axes: Sequence[Array], wanted: Sequence[Derivative]) -> Array:
        """(wanted, *space axes, times)."""
        grid = self._grid(slab)
        *space, times = axes
        flat = slab.spectra.reshape(len(slab.spectra), -1).view(np.float64)
        at_times: dict[int, Spectra] = {}
        for order in {index[-1] for _, index in wanted}:
            spectra = (slab.matrix(times, order) @ flat).view(np.complex128)
            at_times[order] = spectra.reshape(len(times), *slab.spectra.shape[1:])
        result = np.empty((len(wanted), *map(len, axes)))
        rows = max(1, CHUNK // (grid.modes + 1))
        for first in range(0, len(space[-1]), rows):
            part = slice(first, first + rows)
            last = self._exponentials(grid, grid.dimension - 1, space[-1][part])
            others = [self._exponentials(grid, a, space[a]) for a in range(grid.dimension - 1)]
            for w, (k, index) in enumerate(wanted):
                value = (at_times[index[-1]][:, k] * grid.multiplier(index[:-1])) @ last.T
                for a in range(grid.dimension - 2, -1, -1):  # (times, K.., x_a+1..) -> (times, .., x_a..)
                    value = np.moveaxis(np.tensordot(value, others[a], axes=(a + 1, 1)), -1, a + 1)
                result[w, ..., part, :] = np.moveaxis(value.real, 0, -1)
        return result

    def _at_scattered(self, slab: Slab, points: Array, wanted: Sequence[Derivative]) -> Array:
        """(wanted, n): points that share a stencil in time share its saved spectra."""
        grid = self._grid(slab)
        result = np.empty((len(wanted), len(points)))
        stencils = slab.stencils(points[:, -1])
        rows = max(1, CHUNK // max(slab.spectra[0, 0].size, 1))
        for stencil in np.unique(stencils):
            members = np.flatnonzero(stencils == stencil)
            for first in range(0, len(members), rows):
                chosen = members[first : first + rows]
                result[:, chosen] = self._in_stencil(slab, grid, int(stencil), points[chosen], wanted)
        return result

    def _in_stencil(
        self, slab: Slab, grid: FourierGrid, stencil: int, points: Array, wanted: Sequence[Derivative]
    ) -> Array:
        tables = [self._exponentials(grid, a, points[:, a]) for a in range(grid.dimension)]
        weights = {order: slab.weights(points[:, -1], order) for order in {index[-1] for _, index in wanted}}
        nodes = next(iter(weights.values())).shape[1]
        spectra = slab.spectra[stencil : stencil + nodes]
        in_space: dict[tuple[int, tuple[int, ...]], Array] = {}
        for k, index in {(k, index[:-1]) for k, index in wanted}:
            value = (spectra[:, k] * grid.multiplier(index)) @ tables[-1].T  # (nodes, K.., n)
            for table in tables[-2::-1]:
                value = np.einsum("...kn,nk->...n", value, table)
            in_space[k, index] = value.real.T  # (n, nodes)
        return np.stack([np.sum(weights[i[-1]] * in_space[k, i[:-1]], axis=1) for k, i in wanted])
