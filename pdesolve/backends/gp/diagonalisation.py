"""Fast diagonalisation: separable problems on polynomials of high degree along each axis.

With the modes V_j of each axis (`modes`), u = (V_1 ⊗ … ⊗ V_d) û and

    (Σ_j a_j k_j Π_{i≠j} m_i + c Π_i m_i) û = (V_1 ⊗ … ⊗ V_d)ᵀ (f - L u_0),

where u_0 satisfies the conditions on the faces. On n points an axis this is Galerkin's solution, the limit of
wide Gaussian kernels and precise data; it costs O(n³) for each axis and O(n^{d+1}) for all products.

Source: R. E. Lynch, J. R. Rice, D. H. Thomas, Numer. Math. 6 (1964) 185-199.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import reduce
from typing import NamedTuple

import numpy as np
from numpy.polynomial import legendre
from scipy import special

from ...declare.domain import Array
from .features import AxisFeatures, Line
from .modes import Ends, Modes, coefficients, nodes
from .rows import Layout, contract, grid
from .separable import Separable

_MARGIN, _MORE = 20, 1.15  # degrees beyond the highest frequency that a residual shows, and times as many
_GROWTH = 1.5
_JUMP = 1e-6  # misfit that round-off does not explain: data that do not agree where faces meet
_LARGEST = 4_000_000  # coefficients: 32 MB a table


class Solved(NamedTuple):
    """Coefficients of a layout of polynomials, flat, and what they do not resolve.

    Attributes:
        tails: of each axis, the share of the norm in the highest third of the degrees.
        misfit: of conditions on faces, relative to their data.
    """

    coefficients: Array
    tails: list[float]
    misfit: float

    @property
    def level(self) -> float:
        """The largest tail, or the misfit where data jump."""
        return max(*self.tails, self.misfit if self.misfit > _JUMP else 0.0)

    @property
    def shortfall(self) -> str:
        """What keeps the level up, in words."""
        if self.misfit > max(_JUMP, *self.tails):
            return f"data of faces differ by {self.misfit:.1e} where they meet"
        return f"the highest degrees hold {self.level:.1e} of the solution"


def first_polynomials(layout: Layout) -> Layout:
    """Polynomials alone, which hold the frequencies of ``layout``: all below their degree."""
    highest = [max(line.frequency + line.degree for line in axis.lines) for axis in layout.axes]
    return _polynomials(layout, [int(_MORE * w) + _MARGIN for w in highest])


def more_polynomials(layout: Layout, solved: Solved, rtol: float) -> Layout | None:
    """Higher degrees on the axes whose tails are above ``rtol``; None where these are too many."""
    degrees = [
        int(_GROWTH * axis.lines[0].degree) if tail > rtol else axis.lines[0].degree
        for axis, tail in zip(layout.axes, solved.tails, strict=True)
    ]
    grown = _polynomials(layout, degrees)
    return grown if layout.size < grown.size <= _LARGEST else None


def _polynomials(layout: Layout, degrees: Sequence[int]) -> Layout:
    axes = [axis.with_lines(Line(0.0, k)) for axis, k in zip(layout.axes, degrees, strict=True)]
    return replace(layout, axes=tuple(axes))


def diagonalised(problem: Separable, layout: Layout) -> Solved:
    """The solution on a layout whose axes have one line at frequency 0."""
    axes = layout.axes
    sizes = [axis.lines[0].degree + 1 for axis in axes]
    modes = _modes(problem, axes, sizes)
    lift, misfit = _lift(problem, axes, sizes)

    gauss = [special.roots_legendre(n) for n in sizes]
    points = [axis.lower + (z + 1) / axis.slope for axis, (z, _) in zip(axes, gauss, strict=True)]
    right = problem.source(grid(points)).reshape(sizes)
    if lift.any():
        right = right - _applied(problem, axes, points, lift)
    tests = [
        (legendre.legvander(z, n - 1) * w[:, None] @ each.legendre).T
        for n, (z, w), each in zip(sizes, gauss, modes, strict=True)
    ]
    hat = contract(tests, right) / _symbol(problem, axes, modes)
    table = contract([each.chebyshev for each in modes], hat) + lift
    for j, axis in enumerate(axes):
        if axis.parity:
            table = np.take(table, [degree for _, _, degree in axis.names], axis=j)
    return Solved(table.reshape(-1), [_tail(table, j) for j in range(len(axes))], misfit)


def _modes(problem: Separable, axes: Sequence[AxisFeatures], sizes: Sequence[int]) -> list[Modes]:
    """Of each axis; those of like axes are made once."""
    made: dict[tuple[int, Ends, int], Modes] = {}
    result = []
    for axis, n, pair in zip(axes, sizes, problem.faces, strict=True):
        lower, upper = ((face.value, face.slope * axis.slope) for face in pair)
        key = (n, (lower, upper), axis.parity)
        if key not in made:
            made[key] = Modes.of(*key)
        result.append(made[key])
    return result


def _symbol(problem: Separable, axes: Sequence[AxisFeatures], modes: Sequence[Modes]) -> Array:
    """What the operator multiplies each product of modes by, times its masses."""
    total = problem.constant * reduce(np.multiply.outer, [each.mass for each in modes])
    for j, (axis, leading) in enumerate(zip(axes, problem.leading, strict=True)):
        factors = [each.stiffness if i == j else each.mass for i, each in enumerate(modes)]
        total += leading * axis.slope**2 * reduce(np.multiply.outer, factors)
    return np.asarray(total)


def _applied(problem: Separable, axes: Sequence[AxisFeatures], points: Sequence[Array], u: Array) -> Array:
    """L u on the grid of points, from Chebyshev coefficients of all degrees."""
    whole = [AxisFeatures(axis.lower, axis.upper, axis.lines) for axis in axes]
    values = [axis.matrix(x) for axis, x in zip(whole, points, strict=True)]
    result = problem.constant * contract(values, u)
    for j, leading in enumerate(problem.leading):
        matrices = [whole[j].matrix(points[j], 2) if i == j else each for i, each in enumerate(values)]
        result -= leading * contract(matrices, u)
    return result


def _lift(problem: Separable, axes: Sequence[AxisFeatures], sizes: Sequence[int]) -> tuple[Array, float]:
    """Chebyshev coefficients of a function that satisfies the conditions on the faces, and its misfit.

    Axis by axis, polynomials of degree two across it take up what the axes before left.
    """
    u, data, most = np.zeros(sizes), [], 0.0
    for j, axis in enumerate(axes):
        pair = []
        for face, place in zip(problem.faces[j], (axis.lower, axis.upper), strict=True):
            columns = [a.lower + (nodes(n) + 1) / a.slope for a, n in zip(axes, sizes, strict=True)]
            columns[j] = np.array([place])
            values = face.data(grid(columns)).reshape([len(column) for column in columns])
            for i in range(len(axes)):
                values = values if i == j else coefficients(values, i)
            pair.append(np.take(values, 0, axis=j))
        data.append(np.stack(pair))
        functionals = _functionals(problem, j, axis, sizes[j])
        across = np.zeros((sizes[j], 2))
        across[:3] = np.linalg.pinv(functionals[:, :3])
        left = data[j] - np.tensordot(functionals, u, axes=(1, j))
        u += np.moveaxis(np.tensordot(across, left, axes=1), 0, j)
        most = max(most, float(np.abs(data[j]).max()))
    if not most:
        return u, 0.0
    misfits = [
        np.abs(np.tensordot(_functionals(problem, j, axis, sizes[j]), u, axes=(1, j)) - data[j]).max()
        for j, axis in enumerate(axes)
    ]
    return u, float(max(misfits)) / most


def _functionals(problem: Separable, j: int, axis: AxisFeatures, n: int) -> Array:
    """The conditions at both ends of an axis, of Chebyshev's polynomials, (2, n)."""
    k = np.arange(n)
    rows = [
        float(end) ** k * (face.value + end * face.slope * axis.slope * k**2)
        for face, end in zip(problem.faces[j], (-1, 1), strict=True)
    ]
    return np.stack(rows)


def _tail(table: Array, axis: int) -> float:
    sizes = np.square(table).sum(axis=tuple(i for i in range(table.ndim) if i != axis))
    total = float(sizes.sum())
    return float(np.sqrt(sizes[-(len(sizes) // 3) :].sum() / total)) if total else 0.0
