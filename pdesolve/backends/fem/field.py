"""The answer of the finite element backend as a function of points."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from math import factorial
from typing import Any

import numpy as np

from ...declare.domain import Array
from ...declare.problem import Problem
from ...declare.regions.mesh import Mesh
from ...residual.program import Derivative
from ...solution.field import Field
from .space import Indices, Space
from .system import Moment, System
from .weak import WeakForm

NODES = 5
"""Saved times that one interpolation in time uses: error O(h⁵), below that of the schemes."""


class FEMField(Field):
    """Piecewise polynomials on a mesh, and local polynomials between saved times.

    First derivatives in space are those of the polynomials, cell by cell. Second derivatives are recovered by
    two projections: of the gradient to the continuous space, and of its slopes again. With quadratic elements
    they converge one order faster than the second derivatives of the cells. Derivatives beyond the second in
    space, or of the polynomials' own order in time, are NaN.

    Attributes:
        space: elements and mesh.
        times: saved times, equally spaced, (m,); None for a steady problem.
        saved: degrees of freedom at the saved times, (m, size); one row for a steady problem.
    """

    def __init__(self, problem: Problem, space: Space, times: Array | None, saved: Array) -> None:
        self.problem, self.space, self.times, self.saved = problem, space, times, saved
        self._recovered: dict[tuple[int, int], Array] = {}

    @property
    def end(self) -> float | None:
        return None if self.times is None else float(self.times[-1])

    def mesh(self) -> Mesh:
        """The mesh that the answer lives on: files show it as it is."""
        return self.space.mesh

    def mesh_quadrature(self) -> tuple[Array, Array]:
        """Quadrature points (m, d) of the cells and weights (m,), exact for products of two elements."""
        points = self.space.points.reshape(-1, self.space.dimension)
        return points, self.space.weights.ravel()

    def derivatives(self, points: Array, wanted: Sequence[Derivative]) -> list[Array]:
        d = self.space.dimension
        places, back = np.unique(points[:, :d], axis=0, return_inverse=True)
        probes = {k: self.space.probe(k, places) for k in {k for k, _ in wanted}}
        return [self._derivative(probes[k], k, index, points, back.ravel()) for k, index in wanted]

    def _derivative(
        self, probe: list[Any], k: int, index: tuple[int, ...], points: Array, back: Indices
    ) -> Array:
        d = self.space.dimension
        axes = [axis for axis, n in enumerate(index[:d]) for _ in range(n)]
        if len(axes) > 2:
            return np.full(len(points), np.nan)  # piecewise polynomials have no such derivative
        first, weights = (
            self._in_time(points[:, d], index[d]) if self.times is not None else _still(len(points))
        )
        if index[d:] and index[d] >= weights.shape[1]:
            return np.full(len(points), np.nan)
        needed, places = np.unique(first[:, None] + np.arange(weights.shape[1]), return_inverse=True)
        if len(axes) == 2:
            matrix, coefficients = probe[0], self._curvatures(k, axes[0], axes[1], needed)
        else:
            matrix, coefficients = (
                probe[1 + axes[0] if axes else 0],
                self.saved[needed][:, self.space.block(k)],
            )
        values = np.asarray(matrix @ coefficients.T)  # (places, needed times)
        return np.asarray((values[back[:, None], places.reshape(weights.shape)] * weights).sum(axis=1))

    def _curvatures(self, k: int, first: int, second: int, times: Indices) -> Array:
        """Recovered second derivatives at saved times, (times, dofs)."""
        found = []
        for i in map(int, times):
            if (k, i) not in self._recovered:
                slopes = self.space.recovered_slopes(k, self.saved[i][self.space.block(k)])
                self._recovered[k, i] = np.stack([self.space.recovered_slopes(k, slope) for slope in slopes])
            found.append(self._recovered[k, i][first, second])
        return np.stack(found)

    def _in_time(self, times: Array, order: int) -> tuple[Indices, Array]:
        """First saved time of each stencil (n,), and weights (n, nodes) for a time derivative."""
        assert self.times is not None
        count = len(self.times)
        nodes = min(NODES, count)
        if count == 1:
            return np.zeros(len(times), dtype=np.int64), np.full((len(times), 1), 0.0 if order else 1.0)
        step = (self.times[-1] - self.times[0]) / (count - 1)
        place = (times - self.times[0]) / step
        first = np.clip(np.floor(place).astype(np.int64) - (nodes // 2 - 1), 0, count - nodes)
        return first, _lagrange(nodes, place - first, order) / step**order

    # -- forces ------------------------------------------------------------------------------------

    def reaction(self, k: int, part: str, time: float | None = None) -> float:
        """What flows out through a part, -∮ F·n ds = -∮ (a ∇u - c p)·n ds, by the residual method.

        Of a heat equation it is the heat that leaves; of the momentum equation of a flow along x the force,
        divided by the density, of the fluid on the part along x. Signs are those of an equation whose
        diffusion is positive, -aΔu + … = 0; a factor of the equation is one of the reaction.

        The residual, tested with the functions that are 1 on the part, converges twice as fast as an integral
        of gradients over the boundary.

        Args:
            k: whose equation, for instance 0 for the force along x.
            part: where; an unknown with Dirichlet conditions there.
            time: in a transient problem, by default the last one.

        Source: Babuška & Miller, Int. J. Numer. Meth. Engng. 20 (1984) 1085-1109; John, Int. J. Numer. Meth.
        Fluids 44 (2004) 777-788, eq. (10).
        """
        values, moment = self._state(time)
        typical = [float(values[self.space.block(j)].mean()) for j in range(len(self.space.sizes))]
        residual = self._system.residual(values, moment)
        total = float(residual[self.space.offsets[k] + self.space.boundary_dofs(k, part)].sum())
        return -total * self._system.form.sign_of_diffusion(k, typical)

    @cached_property
    def _system(self) -> System:
        return System(WeakForm(self.problem), self.space)

    def _state(self, time: float | None) -> tuple[Array, Moment]:
        if self.times is None:
            return self.saved[-1], Moment()
        time = float(self.times[-1]) if time is None else time
        found = []
        for order in range(3):
            first, weights = self._in_time(np.array([time]), order)
            found.append(weights[0] @ self.saved[first[0] : first[0] + weights.shape[1]])
        return found[0], Moment(time, 0.0, found[1], found[2])

    # -- files -------------------------------------------------------------------------------------

    def arrays(self) -> dict[str, Array]:
        mesh = self.space.mesh
        arrays: dict[str, Any] = {
            "points": mesh.points,
            "cells": mesh.cells,
            "degrees": np.array(self.space.degrees),
            "saved": self.saved,
        }
        if self.times is not None:
            arrays["times"] = self.times
        arrays |= {f"part {name}": facets for name, facets in mesh.boundaries.items()}
        return arrays

    @classmethod
    def from_arrays(cls, problem: Problem, arrays: Mapping[str, Array]) -> FEMField:
        whole = {
            name: np.asarray(a, dtype=np.int64)
            for name, a in arrays.items()
            if name == "cells" or name.startswith("part ")
        }
        parts = {name.removeprefix("part "): a for name, a in whole.items() if name != "cells"}
        mesh = Mesh(np.asarray(arrays["points"]), whole["cells"], parts)
        space = Space(mesh, [int(n) for n in arrays["degrees"]])
        return cls(problem, space, arrays.get("times"), np.asarray(arrays["saved"]))


def _still(n: int) -> tuple[Indices, Array]:
    return np.zeros(n, dtype=np.int64), np.ones((n, 1))


def _lagrange(nodes: int, x: Array, order: int) -> Array:
    """Derivatives of the Lagrange polynomials of the nodes 0, 1, … at ``x`` (n,), (n, nodes)."""
    monomials = np.linalg.inv(np.vander(np.arange(float(nodes)), increasing=True))
    powers = [
        factorial(p) / factorial(p - order) * x ** (p - order) if p >= order else 0 * x for p in range(nodes)
    ]
    return np.asarray(np.stack(powers, axis=1) @ monomials)
