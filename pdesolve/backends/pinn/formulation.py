"""What a network solves in place of the declared problem, and the way back.

A formulation turns a declaration into another `Problem` by symbols alone; networks, samplers and optimisers
know only that one. Its field is turned into the field of the declared problem.
"""

from __future__ import annotations

from dataclasses import dataclass

from ...declare import PDESolveError, Problem
from ...declare.domain import Array
from ...solution.field import Field


class FormulationError(PDESolveError):
    """A problem cannot be written in the frame, or on the parts, that the options ask for."""


@dataclass(frozen=True, eq=False)
class Formulation:
    """The problem as it was declared; subclasses write it anew.

    Attributes:
        declared: the problem that was asked for.
        problem: the problem that is solved.
    """

    declared: Problem
    problem: Problem

    def field(self, solved: Field) -> Field:
        """The field of the declared problem."""
        return solved

    def points(self, points: Array, solved: Field) -> Array:
        """Points (n, d) of the solved problem as points of the declared one."""
        return points

    def remark(self, solved: Field) -> str:
        """What the user should know of the answer; empty where there is nothing."""
        return ""
