"""The posterior mean: Gauss-Newton least squares on features whose spectrum grows where residuals ask for it.

With u = Φ z, z ~ N(0, I), and precise data, the mean minimises Σ (weighted residuals)² + η² |z|², with η at
the level of round-off. A cycle solves that on the present features, looks at the spectrum of the residual
that is left along each axis, and adds the lines that it shows, or degrees to those that are near. Residuals
at u = 0 are the source, the boundary traces and the initial data: no frequency is ever given.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...declare import Observations, Problem
from ...declare.domain import INITIAL, INSIDE, Array
from ...residual.program import LoweredTerm, Program
from .features import AxisFeatures, Line
from .least_squares import QUIET, least_squares
from .parameters import rates, started, values
from .prior import ridge
from .rows import Column, Functions, Layout, Rows, moved
from .spectrum import RESOLUTION, peaks

_WORK = 1e9  # rows times squared columns that are cheap: more rows average the round-off of the data
_MOST_ROWS = 20_000  # of a term, where as many are cheap
_OVERSAMPLING = 2.0  # least number of points for each feature of an axis
_PEAKS = 6  # lines that a cycle adds to an axis at most
_RESOLVED = 0.5  # distance from a line, over its degree, up to which a line holds other frequencies
_REACH = 1.5  # the same, up to which more degrees serve better than a line in between
_SHORTEST = 1e-3  # length of a damped step


def periodic_axes(problem: Problem) -> set[int]:
    """Axes in which all unknowns are periodic."""
    return set.intersection(*(set(problem.periodic_axes(u)) for u in problem.unknowns))


def first_layout(problem: Problem, symmetries: Mapping[int, int]) -> Layout:
    """Polynomials of degree five; along periodic axes a constant and one wave."""
    periodic = periodic_axes(problem)
    wave, polynomial = (Line(0.0, 0), Line(math.pi, 0)), (Line(0.0, 5),)
    axes = [
        AxisFeatures(lower, upper, wave if axis in periodic else polynomial, symmetries.get(axis, 0))
        for axis, (lower, upper) in enumerate(problem.domain.bounds.tolist())
    ]
    return Layout(tuple(axes), len(problem.unknowns))


class Fit:
    """A problem on features that grow.

    Attributes:
        layout: the present features.
        coefficients: of the present iterate, (layout.size,).
        is_linear: one step on each layout is all.
        data_level: `level` of u = 0.
        noise: of the observations, see `_weigh_observations`.
        parameters: the unknown ones, as they are held (`parameters`).
        widths: of the prior (`prior`); empty where it is flat.
    """

    def __init__(
        self,
        problem: Problem,
        symmetries: Mapping[int, int],
        resolution: int,
        lines: int,
        rng: np.random.Generator,
    ) -> None:
        """``resolution`` points on each of ``lines`` lines along an axis show the spectrum of residuals."""
        self.problem, self.program = problem, Program(problem)
        self.parameters = started(self.program.parameters)
        self.widths = np.zeros(0)
        self._functions = [Functions.of(term, self.program.parameters) for term in self.program.terms]
        conditions = [term.term.condition for term in self.program.terms]
        self._observations = [c if isinstance(c, Observations) else None for c in conditions]
        self.is_linear = all(term.is_linear for term in self.program.terms)
        self._resolution = resolution
        self._periodic = periodic_axes(problem)
        d = len(problem.coordinates)
        self._across = [rng.uniform(size=(lines if d > 1 else 1, d)) for _ in self.program.terms]
        self.layout = first_layout(problem, symmetries)
        self.coefficients = np.zeros(self.layout.size)
        self._weights = [1.0 for _ in self.program.terms]
        self._blocks = self._rows()
        # Rows of equations are weighted by what they make of smooth fields: by waves of high frequency they
        # would drown in what round-off those leave.
        for k, block in enumerate(self._blocks):
            rows = block.jacobian(self._at(block, self.coefficients))
            self._weights[k] = 1 / (math.sqrt(float(np.square(rows).sum(axis=1).mean())) or 1.0)
            block.weight = self._weights[k]
        self.noise = self._weigh_observations()
        self.data_level = 1.0
        self.measure()

    def start_from(self, layout: Layout, before: Layout, values: Array) -> None:
        """Begin with values of another layout's features in space, (unknowns, …), held over time."""
        time = layout.axes[-1].with_constant()
        layout = replace(layout, axes=(*layout.axes[:-1], time))
        coefficients = np.zeros((layout.unknowns, *layout.shape))
        coefficients[..., time.constant] = moved(values, before.axes[:-1], layout.axes[:-1])
        self.use(layout, coefficients.reshape(-1))

    def use(self, layout: Layout, coefficients: Array) -> None:
        """Go on with other features."""
        self.layout, self.coefficients = layout, coefficients
        self._blocks = self._rows()

    def _weigh_observations(self) -> float | None:
        """Weights of observed rows by their noise; the least noise, 0 where it is unknown, None without any.

        They weigh so little beside the equations that these hold to far below the noise.
        """
        known = [c.noise for c in self._observations if c is not None]
        if not known:
            return None
        noise = min(known)
        for k, condition in enumerate(self._observations):
            if condition is not None:
                self._weights[k] = QUIET * (noise / condition.noise if noise else 1.0)
                self._blocks[k].weight = self._weights[k]
        return noise

    # -- rows --------------------------------------------------------------------------------------

    def _rows(self) -> list[Rows]:
        axes = list(enumerate(self.layout.axes))
        self._along = [Column(f, f.evenly(self._resolution, axis in self._periodic)) for axis, f in axes]
        nodes = [Column(f, self._nodes(axis, f)) for axis, f in axes]
        result = []
        for functions, weight in zip(self._functions, self._weights, strict=True):
            points = functions.term.term.points
            columns = self._columns(functions.term, nodes) if points is None else []
            result.append(Rows(functions, self.layout, columns, points, weight))
        return result

    def _nodes(self, axis: int, features: AxisFeatures) -> Array:
        cheap = min(_WORK / self.layout.size**2, _MOST_ROWS) ** (1 / len(self.layout.axes))
        n = int(max(_OVERSAMPLING * features.count + 6, cheap))
        is_periodic = axis in self._periodic
        if is_periodic and not features.parity:
            return features.evenly(n, is_periodic)
        # Chebyshev's points: polynomials are nearly orthogonal there. Points of the lower half would repeat
        # rows of the upper one where features are even or odd.
        steps = (np.arange(n) + 0.5) / n
        if features.parity:
            return features.places(steps if is_periodic else np.sin(steps * math.pi / 2))
        return features.places(-np.cos((np.arange(n) + 0.5) * math.pi / n))

    def _columns(self, term: LoweredTerm, each: Sequence[Column]) -> list[Column]:
        """The points of a term on each axis: ``each``, or the end or place that the term is held at."""
        columns = list(each)
        for axis, place in self._places(term).items():
            columns[axis] = Column(self.layout.axes[axis], np.array([place]))
        return columns

    def _places(self, term: LoweredTerm) -> dict[int, float]:
        """Axes on which a term is held at one place."""
        places, bounds = dict(term.term.fixed), self.problem.domain.bounds
        region = term.term.region
        if region == INITIAL:
            places[len(bounds) - 1] = float(bounds[-1, 0])
        elif region != INSIDE:
            face = self.problem.domain.face(region)
            assert face.axis is not None  # the domain is a box
            places[face.axis] = float(bounds[face.axis, 0 if face.side < 0 else 1])
        return places

    def residual(self, coefficients: Array) -> Array:
        """All weighted rows."""
        return np.concatenate([b.residual(self._at(b, coefficients)) for b in self._blocks])

    def jacobian(self) -> Array:
        """∂(rows) / ∂(coefficients)."""
        return np.concatenate([b.jacobian(self._at(b, self.coefficients)) for b in self._blocks])

    def by_parameters(self) -> Array:
        """∂(rows) / ∂(parameters as they are held)."""
        parts = [b.by_parameters(self._at(b, self.coefficients)) for b in self._blocks]
        return np.concatenate(parts) * rates(self.program.parameters, self.parameters)

    @property
    def observed(self) -> NDArray[np.bool_]:
        """True for the rows that are observations."""
        pairs = zip(self._blocks, self._observations, strict=True)
        return np.concatenate([np.full(len(block), c is not None) for block, c in pairs])

    def _at(self, block: Rows, coefficients: Array) -> list[Any]:
        """The arguments of a block's functions."""
        return block.arguments(coefficients, values(self.program.parameters, self.parameters))

    # -- Gauss-Newton ------------------------------------------------------------------------------

    def step(self) -> float:
        """One damped Gauss-Newton step; the norm of the rows after it, relative to that before."""
        arguments = [self._at(b, self.coefficients) for b in self._blocks]
        rows = np.concatenate([b.residual(a) for b, a in zip(self._blocks, arguments, strict=True)])
        jacobian = np.concatenate([b.jacobian(a) for b, a in zip(self._blocks, arguments, strict=True)])
        before = float(np.linalg.norm(rows))
        if not before or not np.isfinite(jacobian).all():
            return 1.0 if before == before else math.nan
        move, length = least_squares(jacobian, rows, self.coefficients, ridge(self, jacobian)), 1.0
        while length > _SHORTEST:
            trial = self.coefficients + length * move
            after = float(np.linalg.norm(self.residual(trial)))
            if after < before:
                self.coefficients = trial
                return after / before
            length /= 2
        return 1.0

    # -- growth ------------------------------------------------------------------------------------

    def _signals(self, axis: int) -> Array:
        """Weighted residuals along an axis, on a few lines for each term: (resolution, lines)."""
        bounds = self.problem.domain.bounds
        found = []
        for functions, weight, across in zip(self._functions, self._weights, self._across, strict=True):
            term = functions.term
            if term.term.points is not None or axis in self._places(term):
                continue
            for share in across:
                at = bounds[:, 0] + share * (bounds[:, 1] - bounds[:, 0])
                each = [Column(features, at[j : j + 1]) for j, features in enumerate(self.layout.axes)]
                each[axis] = self._along[axis]
                block = Rows(functions, self.layout, self._columns(term, each), weight=weight)
                found.append(block.residual(self._at(block, self.coefficients)))
        return np.stack(found, axis=1) if found else np.zeros((self._resolution, 0))

    def grown(self) -> Layout:
        """The features that the residual asks for.

        Along an axis that has what it needs a residual holds only waves that its features resolve: what is
        missing is missing along another. Where that is so along all axes, all are given more.
        """
        found = [
            peaks(self._signals(axis), _PEAKS, axis in self._periodic)
            for axis in range(len(self.layout.axes))
        ]
        for only_missing in (True, False):
            axes = [
                _grown(features, shown, axis in self._periodic, only_missing)
                for axis, (features, shown) in enumerate(zip(self.layout.axes, found, strict=True))
            ]
            if tuple(axes) != self.layout.axes:
                break
        return Layout(tuple(axes), self.layout.unknowns)

    def measure(self) -> None:
        """`data_level` at the present parameters."""
        present, self.coefficients = self.coefficients, np.zeros(self.layout.size)
        self.data_level = self.level() or 1.0
        self.coefficients = present

    def misfit(self) -> float:
        """Of observations, relative to that of u = 0; 0 without any."""
        seen = self.observed
        if not seen.any():
            return 0.0
        at_rest = float(np.linalg.norm(self.residual(np.zeros(self.layout.size))[seen]))
        return float(np.linalg.norm(self.residual(self.coefficients)[seen])) / (at_rest or 1.0)

    def level(self) -> float:
        """Root mean square of weighted residuals, at points of rows and on lines; without observations."""
        parts = [self._signals(axis).ravel() for axis in range(len(self.layout.axes))]
        for block, observed in zip(self._blocks, self._observations, strict=True):
            if observed is None:
                parts.append(block.residual(self._at(block, self.coefficients)))
        return math.sqrt(sum(float(np.mean(np.square(part))) for part in parts if part.size))


def _grown(
    features: AxisFeatures, found: Sequence[float], is_periodic: bool, only_missing: bool
) -> AxisFeatures:
    """New lines where there are none near, else more degrees of those that are near."""
    lines = {line.frequency: line for line in features.lines}
    old = set(features.lines)
    for frequency in found:
        near = min(lines, key=lambda at: abs(at - frequency) - _REACH * lines[at].degree)
        away = abs(near - frequency)
        if is_periodic:
            lines.setdefault(frequency, Line(frequency, 0))
        elif away >= RESOLUTION + _REACH * lines[near].degree:
            lines[frequency] = Line(frequency, 2)
        elif lines[near] in old and not (only_missing and away < _RESOLVED * lines[near].degree):
            more = max(2, lines[near].degree // 3)
            lines[near] = replace(lines[near], degree=lines[near].degree + more)  # once a cycle
    return features.with_lines(*lines.values())
