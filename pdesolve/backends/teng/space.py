"""What is fixed for a run: the equations of first order, the network of space, its symmetries, its points."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import sympy as sp
import torch

from ...declare import Problem
from ...declare.domain import Array
from ...declare.problem import Term
from ...residual.ansatz import Ansatz, build_ansatz
from ...residual.model import Model
from ...residual.program import Program
from ...residual.residual import Residual
from ...residual.symmetry import Parity, one_period, parities
from .evolution import as_evolution, start_conditions
from .initial import DATA_WEIGHT, RATE_WEIGHT, Data, initial_data, initial_rates, with_companions
from .network import state_network
from .nodes import Nodes, box_nodes, region_nodes, wanted_counts
from .rows import START_SCALE, Lines, Rows, open_conditions

_FIRST_COUNT = 16  # points along an axis before the data ask for more
_MOST_COUNTS = (4096, 512, 64)  # along an axis, in one to three dimensions
_ELSEWHERE = 2000  # points of regions that are no boxes
_POINTS_PER_PARAMETER = 1.5  # at least: with fewer the network hides what it misses between them


@dataclass(frozen=True)
class Shape:
    """The network's options, see `TENG`."""

    width: int
    depth: int
    activation: str
    harmonics: int


class Space:
    """A problem, and the networks that hold its state at one time.

    Args:
        problem: as declared.
        shape: of the network.
        symmetry: take on reflections.
        points: along each axis, or on other regions in all; None chooses.
        rtol: what spectra are resolved to.
        generator: its seed draws the first parameters.

    Attributes:
        evolution: the problem as one of first order in time.
    """

    def __init__(
        self,
        problem: Problem,
        shape: Shape,
        symmetry: bool,
        points: int | None,
        rtol: float,
        generator: torch.Generator,
    ) -> None:
        self.evolution = as_evolution(one_period(problem) if symmetry else problem)
        self.problem = self.evolution.problem
        self.symmetries: dict[int, Parity] = parities(self.problem) if symmetry else {}
        self._shape, self._points, self._rtol = shape, points, rtol
        self._seed = generator.initial_seed()

    @property
    def outputs(self) -> int:
        """Unknowns of the problem of first order."""
        return len(self.problem.unknowns)

    @property
    def algebraic(self) -> list[sp.Expr]:
        """Unknowns without a time derivative."""
        pairs = zip(self.problem.unknowns, self.evolution.algebraic, strict=True)
        return [u for u, is_algebraic in pairs if is_algebraic]

    def heads(self, with_rates: bool) -> int:
        """Outputs of the network: unknowns, and companions of those that have a rate."""
        return self.outputs + (len(self.evolution.differential) if with_rates else 0)

    @property
    def _most(self) -> int:
        return _MOST_COUNTS[len(self.problem.domain.space) - 1]

    @property
    def span(self) -> tuple[float, float]:
        """Start and end of time."""
        start, end = self.problem.domain.bounds[-1].tolist()
        return start, end

    @cached_property
    def _data(self) -> list[Data]:
        return initial_data(self.evolution)

    @cached_property
    def _data_rates(self) -> list[Data] | None:
        return initial_rates(self.evolution)

    @property
    def has_rates(self) -> bool:
        """Whether rates of the initial data are known, for a first fit with both."""
        return self._data_rates is not None

    @cached_property
    def _ansatz(self) -> Ansatz:
        return build_ansatz(self.problem, at_start=False)

    # -- networks ------------------------------------------------------------------------------------

    def model(self, with_rates: bool = False) -> Model:
        """The network in its ansatz; with a companion beside each unknown, for its rate."""
        declared = with_companions(self.evolution) if with_rates else self.problem
        ansatz = build_ansatz(declared, at_start=False) if with_rates else self._ansatz
        network = state_network(
            self.problem,
            len(declared.unknowns),
            torch.Generator().manual_seed(self._seed),
            ansatz.periodic,
            self.symmetries,
            self._shape.width,
            self._shape.depth,
            self._shape.activation,
            self._shape.harmonics,
        )
        return Model(Program(declared), network, ansatz)

    def residual(self) -> Residual:
        """Evaluates the unknowns, nothing else."""
        return Residual(Program(self.problem, []), self.model())

    def rows(
        self,
        counts: tuple[int, ...],
        with_rates: bool = False,
        at_start: bool = False,
        forms: Sequence[sp.Expr] | None = None,
    ) -> Rows:
        """Rows at the nodes; of data and their rates in the first fit.

        Args:
            counts: of the nodes.
            with_rates: the network has a companion for each rate.
            at_start: fits are to what algebraic unknowns follow from, not to their values.
            forms: others than those of the evolution, for parts of it.
        """
        nodes, model, evolution = self.nodes(counts), self.model(with_rates), self.evolution
        values = self.start_values(nodes, with_rates)
        scales = _scales(values[: self.outputs], nodes)
        forms, algebraic = list(forms or evolution.forms), list(evolution.algebraic)
        fitted = list(evolution.starts if at_start else self.problem.unknowns)
        stage_scales, fit_scales = list(scales), list(scales)
        for k, is_algebraic in enumerate(algebraic):
            if is_algebraic:
                stage_scales[k] = self._scale_of(forms[k], max(scales))
                if at_start:
                    fit_scales[k] = START_SCALE * self._scale_of(fitted[k], max(scales))
        declared = self.problem
        if with_rates:
            declared = with_companions(evolution)
            of_rates = [DATA_WEIGHT / RATE_WEIGHT * s for s in _scales(values[self.outputs :], nodes)]
            forms += [forms[k] for k in evolution.differential]
            fitted += declared.unknowns[self.outputs :]
            algebraic += [False] * len(of_rates)
            scales, stage_scales, fit_scales = (s + of_rates for s in (scales, stage_scales, fit_scales))
        lines = Lines(forms, algebraic, fitted, scales, stage_scales, fit_scales)
        return Rows(declared, lines, model, nodes, start_conditions(evolution) if at_start else None)

    def _scale_of(self, form: sp.Expr, size: float) -> float:
        """The size of a constraint for fields of a size whose wave is as long as the shortest axis."""
        derivatives = self.problem.derivatives(form).values()
        own = [sum(index) for k, index in derivatives if self.evolution.algebraic[k]]
        order = max(own or [sum(index) for _, index in derivatives])
        bounds = self.problem.domain.bounds[:-1]
        return size * (2 * np.pi / float(np.min(bounds[:, 1] - bounds[:, 0]))) ** order

    # -- points --------------------------------------------------------------------------------------

    def nodes(self, counts: tuple[int, ...]) -> Nodes:
        """Points of space, ``counts`` along each whole axis of a box."""
        if not self.problem.domain.is_box:
            return region_nodes(self.problem, counts[0])
        return box_nodes(self.problem, counts, self._ansatz.periodic, self.symmetries)

    def first_counts(self) -> tuple[int, ...]:
        """Points that resolve the initial data and their rates, and outnumber the parameters."""
        if not self.problem.domain.is_box:
            return (self._points or _ELSEWHERE,)
        axes = len(self.problem.domain.space)
        if self._points is not None:
            return (self._points + self._points % 2,) * axes
        needed = _POINTS_PER_PARAMETER * sum(p.numel() for p in self.model().parameters())
        counts: tuple[int, ...] = (_FIRST_COUNT,) * axes
        while True:
            nodes = self.nodes(counts)
            wanted = self.wanted_counts(self.start_values(nodes, self.has_rates), counts)
            if wanted != counts:
                counts = wanted
            elif len(nodes.points) < needed and min(counts) < self._most:
                grown = (needed / len(nodes.points)) ** (1 / axes)
                counts = tuple(count + 2 * math.ceil(count * (grown - 1) / 2) for count in counts)
            else:
                return counts

    def wanted_counts(self, values: Array, counts: tuple[int, ...]) -> tuple[int, ...]:
        """Points that the spectra of values (fields, n) at the nodes ask for, no fewer than there are."""
        if self._points is not None or not self.problem.domain.is_box:
            return counts
        found = wanted_counts(values, counts, self._ansatz.periodic, self.symmetries, self._rtol)
        return tuple(max(count, min(new, self._most)) for count, new in zip(counts, found, strict=True))

    def start_values(self, nodes: Nodes, with_rates: bool = False) -> Array:
        """The initial data at the nodes, and their rates, (fields, n)."""
        points = np.column_stack([nodes.points, np.full(len(nodes.points), self.span[0])])
        functions = self._data + ((self._data_rates or []) if with_rates else [])
        return np.stack([f(points) for f in functions])

    @property
    def periodic(self) -> tuple[int, ...]:
        """Axes along which networks are periodic."""
        return tuple(self._ansatz.periodic)

    @property
    def open_conditions(self) -> list[Term]:
        """Conditions that the ansatz does not meet exactly."""
        return open_conditions(self.problem, self._ansatz)


def _scales(values: Array, nodes: Nodes) -> list[float]:
    """Root mean squares, of fields that vanish that of the others."""
    sizes = np.sqrt(values**2 @ nodes.weights)
    largest = float(sizes.max()) or 1.0
    return [float(size) if size > 1e-6 * largest else largest for size in sizes]
