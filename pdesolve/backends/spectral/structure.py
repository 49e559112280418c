"""Which points the equations and the conditions of a problem are imposed at, in numbers of rows.

An equation that holds derivatives of order m along an axis is imposed at m points fewer than there are
nodes; conditions fill the gap (rectangular collocation: T. A. Driscoll, N. Hale, IMA J. Numer. Anal. 36
(2016) 108-132). In several dimensions

    Π (E_a + m_a) = Π E_a + Σ_a m_a · Π_{b<a} E_b · Π_{b>a} (E_b + m_b)

says where along a face its conditions stand: at all nodes of the axes that follow, and as the equation of
those before. So no corner is counted twice. Conditions beyond that number are met in the least squares
sense, which is exact where they are consistent.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...declare import Initial, Problem, Value
from ...residual.program import Program
from .corners import corner_reasons

REDUCTION = 2
"""Degrees by which a multiplier (a pressure) stays below the others: P_N - P_{N-2}, which has no spurious
modes. C. Canuto et al., Spectral Methods: Evolution to Complex Geometries (2007), section 3.5."""


@dataclass(frozen=True)
class Structure:
    """The rows of a problem.

    Attributes:
        equations: for each unknown the index of the equation that determines it.
        lost: for each unknown and axis the rows that its equation leaves to conditions.
        reduced: for each unknown, by how many its points on open axes are fewer than the others'.
        periodic: whether each axis is.
    """

    program: Program
    equations: tuple[int, ...]
    lost: tuple[tuple[int, ...], ...]
    reduced: tuple[int, ...]
    periodic: tuple[bool, ...]

    @classmethod
    def of(cls, problem: Problem) -> Structure:
        from scipy.optimize import linear_sum_assignment

        program = Program(problem)
        space, count = len(problem.domain.space), len(problem.unknowns)
        orders = -np.ones((count, count, max(space, 1)), dtype=int)  # -1: the unknown does not occur
        for e, term in enumerate(program.equations):
            for k, index in term.derivatives:
                orders[e, k] = np.maximum(orders[e, k], index[:space] or 0)
        # The equation of an unknown is the one that holds its highest derivatives.
        _, equations = linear_sum_assignment(-orders.sum(axis=2).T)
        periodic = tuple(all(a in problem.periodic_axes(u) for u in problem.unknowns) for a in range(space))
        lost, reduced = [], []
        for k, e in enumerate(equations.tolist()):
            absent = orders[e, k, 0] < 0
            rows = [REDUCTION] * space if absent else orders[e, k, :space].tolist()
            lost.append(tuple(0 if p else r for p, r in zip(periodic, rows, strict=True)))
            reduced.append(REDUCTION if absent else 0)
        return cls(program, tuple(equations.tolist()), tuple(lost), tuple(reduced), periodic)

    def reasons(self) -> list[str]:
        """Why the rows do not determine the unknowns, in words; empty where they do."""
        problem = self.program.problem
        names = problem.unknown_names
        space = problem.domain.space
        reasons = []
        for a, axis in enumerate(space):
            some = [n for n, u in zip(names, problem.unknowns, strict=True) if a in problem.periodic_axes(u)]
            if some and not self.periodic[a]:
                reasons += [f"along {axis.coordinate} {', '.join(some)} is periodic, and the others are not"]
        time = problem.domain.time
        reasons += [
            f"a Value of {value.unknown.func.__name__} at one time only cannot be imposed"
            for value in problem.of_type(Value)
            if time is not None and time.coordinate in value.at
        ]
        return reasons + self._miscounts() + corner_reasons(self.program)

    def _miscounts(self) -> list[str]:
        """Axes along which there are fewer conditions than rows for them, or more."""
        problem = self.program.problem
        gaps = self._gaps()
        for a, axis in enumerate(problem.domain.space):
            # Multipliers are left out: what holds a pressure is a gauge, which least squares meet exactly.
            excess = -sum(gap for (k, b), gap in gaps.items() if a == b and not self.reduced[k])
            if excess > 0:
                return [
                    f"along {axis.coordinate} there are {excess} condition(s) more than the equations leave "
                    "room for"
                ]
        # On a line only the sum counts: values at points, and of coupled unknowns, stand for each other.
        values = len(list(problem.of_type(Value)))
        if len(problem.domain.space) == 1 and sum(gaps.values()) <= values:
            return []
        return [
            f"{problem.unknown_names[k]} lacks {gap} condition(s) along {problem.domain.space[a].coordinate}"
            for (k, a), gap in gaps.items()
            if gap > 0
        ]

    def _gaps(self) -> dict[tuple[int, int], int]:
        """Rows that each unknown still lacks along each open axis; negative where it has more."""
        problem = self.program.problem
        gaps = {
            (k, a): rows - self.reduced[k]
            for k, lost in enumerate(self.lost)
            for a, rows in enumerate(lost)
            if not self.periodic[a]
        }
        for term in self.program.conditions:
            if isinstance(term.term.condition, (Initial, Value)):
                continue
            face = problem.domain.face(term.term.region)
            k = problem.unknowns.index(term.term.condition.unknown)  # type: ignore[union-attr]
            if face.axis is not None:
                gaps[k, face.axis] -= 1
        return gaps
