"""Lagrange elements on a mesh: one scalar space for each unknown, and values of its functions anywhere.

scikit-fem supplies elements, mappings (curved ones too), quadrature and the numbering of degrees of freedom.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sps
import skfem

from ...declare.domain import Array
from ...declare.regions.mesh import EDGES, Mesh
from ...declare.regions.search import SimplexSearch

ELEMENTS = {
    (1, 1): skfem.ElementLineP1,
    (1, 2): skfem.ElementLineP2,
    (2, 1): skfem.ElementTriP1,
    (2, 2): skfem.ElementTriP2,
    (3, 1): skfem.ElementTetP1,
    (3, 2): skfem.ElementTetP2,
}
"""Element by dimension of space and degree."""

MESHES = {
    1: (skfem.MeshLine, None),
    2: (skfem.MeshTri, skfem.MeshTri2),
    3: (skfem.MeshTet, skfem.MeshTet2),
}
"""scikit-fem's meshes by dimension: straight, curved."""

Indices = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True)
class Features:
    """Values and gradients of basis functions at quadrature points, and what to sum them with.

    Attributes:
        basis: (cells, points, 1 + d, functions); component 0 is the value.
        dofs: global numbers within the unknown's space, (cells, functions).
    """

    basis: Array
    dofs: Indices


class Space:
    """All unknowns' elements on one mesh.

    Args:
        mesh: straight or quadratic simplices with named facets.
        degrees: polynomial degree of each unknown, 1 or 2.
    """

    def __init__(self, mesh: Mesh, degrees: Sequence[int]) -> None:
        self.mesh, self.degrees, self.dimension = mesh, tuple(degrees), mesh.dimension
        self.skfem = _to_skfem(mesh)
        order = 2 * max(degrees) + 1
        self._bases = {
            degree: skfem.Basis(self.skfem, ELEMENTS[mesh.dimension, degree](), intorder=order)
            for degree in set(degrees)
        }
        self._order = order

    def basis(self, k: int) -> Any:
        return self._bases[self.degrees[k]]

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """Degrees of freedom of each unknown."""
        return tuple(int(self.basis(k).N) for k in range(len(self.degrees)))

    @property
    def size(self) -> int:
        return sum(self.sizes)

    @cached_property
    def offsets(self) -> tuple[int, ...]:
        """Where each unknown begins in the vector of all degrees of freedom."""
        return tuple(int(n) for n in np.concatenate([[0], np.cumsum(self.sizes)[:-1]]))

    def block(self, k: int) -> slice:
        """The unknown's place in the vector of all degrees of freedom."""
        return slice(self.offsets[k], self.offsets[k] + self.sizes[k])

    def nodes(self, k: int) -> Array:
        """Points (n, d) at which the degrees of freedom are values."""
        return np.asarray(self.basis(k).doflocs.T)

    # -- quadrature --------------------------------------------------------------------------------

    @cached_property
    def points(self) -> Array:
        """Quadrature points of the cells, (cells, points, d)."""
        return _at_points(next(iter(self._bases.values())))

    @cached_property
    def weights(self) -> Array:
        """(cells, points)."""
        return np.asarray(next(iter(self._bases.values())).dx)

    def features(self, k: int) -> Features:
        """Basis functions of an unknown at the quadrature points of the cells."""
        degree = self.degrees[k]
        if degree not in self._features:
            self._features[degree] = _features(self._bases[degree])
        return self._features[degree]

    @cached_property
    def _features(self) -> dict[int, Features]:
        return {}

    def facet_indices(self, part: str) -> Indices:
        """scikit-fem's numbers of the facets of a part."""
        # scikit-fem knows the vertices alone, in their order; the mesh numbers middle nodes, too.
        vertices = np.unique(self.mesh.cells[:, : self.dimension + 1])
        wanted = np.sort(np.searchsorted(vertices, self.mesh.boundaries[part]), axis=1)
        if self.dimension == 1:
            wanted = wanted[:, :1]
        boundary = np.sort(self.skfem.boundary_facets())
        table = {
            tuple(v): int(i)
            for v, i in zip(np.sort(self.skfem.facets[:, boundary].T, axis=1), boundary, strict=True)
        }
        return np.array([table[tuple(v)] for v in wanted], dtype=np.int64)

    def facet_basis(self, k: int, part: str) -> Any:
        """scikit-fem's basis of an unknown on the facets of a part, with normals."""
        element = ELEMENTS[self.dimension, self.degrees[k]]()
        return skfem.FacetBasis(self.skfem, element, facets=self.facet_indices(part), intorder=self._order)

    def boundary_dofs(self, k: int, part: str) -> Indices:
        """Degrees of freedom of an unknown on a part, corners included."""
        return np.asarray(self.basis(k).get_dofs(self.facet_indices(part)).flatten(), dtype=np.int64)

    # -- values anywhere ---------------------------------------------------------------------------

    def probe(self, k: int, points: Array) -> list[sps.csr_matrix]:
        """Matrices (points, dofs of k) that give value and each slope at ``points`` (n, d) of space."""
        cells, _ = self._search.locate(points, 0.0)
        basis = self.basis(k)
        local = self._local(points, cells, basis.mapping)
        rows = np.repeat(np.arange(len(points)), basis.Nbfun)
        columns = basis.element_dofs[:, cells].T.ravel()
        found = [basis.elem.gbasis(basis.mapping, local, i, tind=cells)[0] for i in range(basis.Nbfun)]
        values = [np.stack([np.asarray(f)[:, 0] for f in found], axis=1)]
        values += [np.stack([f.grad[axis, :, 0] for f in found], axis=1) for axis in range(self.dimension)]
        shape = (len(points), basis.N)
        return [sps.csr_matrix((v.ravel(), (rows, columns)), shape=shape) for v in values]

    @cached_property
    def _search(self) -> SimplexSearch:
        return SimplexSearch(self.mesh.vertices)

    def _local(self, points: Array, cells: Indices, mapping: Any, steps: int = 12) -> Array:
        """Coordinates (d, n, 1) of points in the unit simplex: of straight cells, and by Newton's method of
        curved ones. A point between a chord and its curved edge belongs to the cell at that edge."""
        corners = self.mesh.vertices[cells]
        edges = (corners[:, 1:] - corners[:, :1]).transpose(0, 2, 1)
        local = np.linalg.solve(edges, (points - corners[:, 0])[..., None]).transpose(1, 0, 2)
        for _ in range(steps if self.mesh.is_quadratic else 0):
            gap = points.T[:, :, None] - mapping.F(local, tind=cells)
            if np.abs(gap).max(initial=0.0) <= 1e-14 * np.abs(points).max(initial=0.0):
                break
            slopes = mapping.DF(local, tind=cells)[..., 0].transpose(2, 0, 1)
            local = local + np.linalg.solve(slopes, gap.transpose(1, 0, 2)).transpose(1, 0, 2)
        return np.asarray(local)

    @cached_property
    def mass(self) -> dict[int, sps.csr_matrix]:
        """Mass matrix for each degree in use."""
        return {
            degree: skfem.BilinearForm(lambda u, v, _: u * v).assemble(basis).tocsr()
            for degree, basis in self._bases.items()
        }

    @cached_property
    def stiffness(self) -> dict[int, sps.csr_matrix]:
        """∫ ∇φ_a·∇φ_b dx for each degree in use."""
        form = skfem.BilinearForm(lambda u, v, _: (u.grad * v.grad).sum(axis=0))
        return {degree: form.assemble(basis).tocsr() for degree, basis in self._bases.items()}

    def norm(self, k: int, values: Array) -> float:
        """L2 norm of the function of unknown k with these degrees of freedom."""
        return float(np.sqrt(max(values @ (self.mass[self.degrees[k]] @ values), 0.0)))

    def recovered_slopes(self, k: int, values: Array) -> Array:
        """The gradient projected in L2 to the unknown's own continuous space, (d, dofs)."""
        basis = self.basis(k)
        gradient = basis.interpolate(values).grad
        loads = [
            skfem.LinearForm(lambda v, w: w.slope * v).assemble(basis, slope=np.asarray(gradient[axis]))
            for axis in range(self.dimension)
        ]
        solve = self._mass_solver(self.degrees[k])
        return np.stack([solve(load) for load in loads])

    def _mass_solver(self, degree: int) -> Any:
        if degree not in self._solvers:
            self._solvers[degree] = sps.linalg.factorized(self.mass[degree].tocsc())
        return self._solvers[degree]

    @cached_property
    def _solvers(self) -> dict[int, Any]:
        return {}


def _to_skfem(mesh: Mesh) -> Any:
    straight, curved = MESHES[mesh.dimension]
    k = mesh.dimension
    corners = mesh.cells[:, : k + 1]
    used, numbers = np.unique(corners, return_inverse=True)
    plain = straight(mesh.points[used].T.copy(), numbers.reshape(corners.shape).T.copy(), sort_t=False)
    if not mesh.is_quadratic:
        return plain
    dofs = skfem.Dofs(plain, ELEMENTS[k, 2]())
    places = np.empty((k, dofs.N))
    places[:, : len(used)] = plain.p
    _order_of = {1: [], 2: [(0, 1), (1, 2), (0, 2)], 3: [(0, 1), (1, 2), (0, 2), (0, 3), (1, 3), (2, 3)]}[k]
    for local, ends in enumerate(_order_of):  # scikit-fem's local order of edges
        node = next(i for i, e in enumerate(EDGES[k]) if set(e) == set(ends))
        places[:, dofs.element_dofs[k + 1 + local]] = mesh.points[mesh.cells[:, k + 1 + node]].T
    return curved(places, plain.t)


def _at_points(basis: Any) -> Array:
    """Global quadrature points (cells or facets, points, d) of a basis."""
    return np.asarray(np.moveaxis(np.asarray(basis.global_coordinates()), 0, -1))


def _features(basis: Any) -> Features:
    shape = basis.dx.shape
    values = np.empty((*shape, 1 + basis.mesh.dim(), basis.Nbfun))
    for i, (function, *_) in enumerate(basis.basis):
        values[..., 0, i] = np.asarray(function)
        values[..., 1:, i] = np.moveaxis(np.asarray(function.grad), 0, -1)
    return Features(values, np.asarray(basis.element_dofs.T, dtype=np.int64))
