"""Singular functions of corners, which no smooth kernel holds: they join the prior with a flat weight.

Where the boundary turns by an angle ω inside the region, solutions of equations with the principal part a ∇²u
behave like sums of harmonic functions

    s = r^λ sin(λθ + δ),   λ = kπ/ω between sides of one kind, (k - ½)π/ω between values and fluxes,

with δ = 0 where the side θ = 0 has values and π/2 where it has fluxes. Those of whole λ are polynomials. The
others below `HIGHEST` are added to the process; what is left is smoother.

Source: Grisvard, Elliptic Problems in Nonsmooth Domains, Pitman 1985, section 4.4; Fox, Henrici & Moler, SIAM
J. Numer. Anal. 4 (1967) 89-102.
"""

from __future__ import annotations

import cmath
import math
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass

import numpy as np

from ...declare import Dirichlet, Problem
from ...declare.conditions import BoundaryCondition
from ...declare.domain import Array
from ...declare.problem import MultiIndex
from ...declare.regions.shape import Shape
from .measurements import Block

HIGHEST = 3.0
"""Powers λ up to which corners count: kernels cope with the rest."""

_FLAT = 0.1  # |ω - π| up to which sides of one kind make no corner: polygons stand for curves
_WHOLE = 1e-6  # distance of λ from a whole number below which s is a polynomial
_CLOSE = 1e-12  # distance to a corner, relative to the size, within which derivatives are as at it


@dataclass(frozen=True)
class Singular:
    """s = Im(e^iδ ζ^λ), ζ = e^-iφ (z - z₀) / size, of one unknown.

    Attributes:
        unknown: its number.
        x, y: the corner z₀.
        direction: φ, that of the side θ = 0.
        opening: ω; ζ^λ has its cut in the middle of the outside.
        power, phase: λ and δ.
        size: a length.
    """

    unknown: int
    x: float
    y: float
    direction: float
    opening: float
    power: float
    phase: float
    size: float

    def derivative(self, points: Array, index: MultiIndex) -> Array:
        """∂^index s (n,): d/dx is e^-iφ d/dζ, and d/dy i times that."""
        order = sum(index)
        turn = cmath.exp(-1j * self.direction) / self.size
        zeta = turn * ((points[:, 0] - self.x) + 1j * (points[:, 1] - self.y))
        radius = np.maximum(np.abs(zeta), _CLOSE) if order else np.abs(zeta)
        middle = self.opening / 2
        angle = (np.angle(zeta) - middle + math.pi) % (2 * math.pi) + middle - math.pi
        power = self.power - order
        factor = math.prod(self.power - i for i in range(order))
        constant = factor * cmath.exp(1j * self.phase) * turn**order * 1j ** index[1]
        return np.asarray((constant * radius**power * np.exp(1j * power * angle)).imag)

    def measured(self, block: Block) -> Array:
        """φ_i(s) of measurements in plain derivatives, (n,)."""
        result = np.zeros(len(block))
        for operator, weights in zip(block.operators, block.weights.T, strict=True):
            for k, index, factor in operator:
                if k == self.unknown:
                    result += factor * weights * self.derivative(block.points, index)
        return result


def singular_functions(problem: Problem, equations: Sequence[Block]) -> list[Singular]:
    """Those of all corners, for unknowns whose principal part is a multiple of ∇².

    Corners of meshes are not looked for.
    """
    region = problem.domain.region
    if not isinstance(region, Shape):
        return []
    found = []
    for k in range(len(problem.unknowns)):
        if all(_is_isotropic(block, k) for block in equations):
            fixed = _fixed_parts(problem, k)
            for (x, y), direction, opening, parts in _corners(region):
                first, second = (part in fixed for part in parts)
                if first == second and abs(opening - math.pi) < _FLAT:
                    continue
                shift = 0.0 if first == second else 0.5
                powers = (n - shift for n in range(1, 1 + math.ceil(HIGHEST * opening / math.pi + shift)))
                for power in (p * math.pi / opening for p in powers):
                    if power < HIGHEST and abs(power - round(power)) > _WHOLE:
                        phase = 0.0 if first else math.pi / 2
                        found.append(Singular(k, x, y, direction, opening, power, phase, region.size))
    return found


def _corners(region: Shape) -> Iterator[tuple[tuple[float, float], float, float, tuple[str, str]]]:
    """Point, direction of the side that leaves it, opening, parts of that side and of the one before."""
    for ring in region.rings:
        for i, point in enumerate(ring.points):
            leaving, coming = ring.sides[i], ring.sides[i - 1]
            if leaving.ellipse is not None and leaving == coming:
                continue  # two chords of one curve
            after, before = ring.points[(i + 1) % len(ring.points)], ring.points[i - 1]
            direction = math.atan2(after[1] - point[1], after[0] - point[0])
            back = math.atan2(before[1] - point[1], before[0] - point[0])
            yield point, direction, (back - direction) % (2 * math.pi), (leaving.part, coming.part)


def _fixed_parts(problem: Problem, k: int) -> set[str]:
    """Parts on which an unknown has values."""
    found: set[str] = set()
    for condition in problem.of_type(BoundaryCondition):
        if isinstance(condition, Dirichlet) and condition.unknown == problem.unknowns[k]:
            found.update(condition.parts(problem.domain))
    return found


def _is_isotropic(block: Block, k: int) -> bool:
    """Whether second derivatives of an unknown come as multiples of ∇²."""
    second = {(2, 0): np.zeros(len(block)), (1, 1): np.zeros(len(block)), (0, 2): np.zeros(len(block))}
    for operator, weights in zip(block.operators, block.weights.T, strict=True):
        for unknown, index, factor in operator:
            if unknown == k and index in second:
                second[index] = second[index] + factor * weights
    size = float(np.abs(second[2, 0]).max(initial=0.0))
    apart = np.abs(second[2, 0] - second[0, 2]).max(initial=0.0)
    return bool(max(apart, np.abs(second[1, 1]).max(initial=0.0)) <= 1e-10 * size)


def as_table(functions: Sequence[Singular], coefficients: Array) -> Array:
    """Functions and coefficients as an array (functions, 9)."""
    rows = [[*astuple(each), c] for each, c in zip(functions, coefficients.tolist(), strict=True)]
    return np.array(rows, dtype=np.float64).reshape(-1, 9)


def from_table(table: Array) -> list[tuple[Singular, float]]:
    """Functions and coefficients that `as_table` was given."""
    return [(Singular(int(row[0]), *row[1:8]), row[8]) for row in table.tolist()]
