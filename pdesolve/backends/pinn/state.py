"""What a PINN's run holds between two steps."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from torch import Tensor

from ...declare import Problem
from ...optimize import FirstOrderState
from ...residual.objective import ResidualObjective
from ...residual.residual import Batch, Residual
from ..base import Context
from .field import NetworkField
from .formulation import Formulation
from .samplers import PointSet


@dataclass
class PINNState:
    """Parameters, optimisers, points and generators of a run.

    Attributes:
        theta: parameters on the present slab of time; finished: those of earlier slabs.
        began: share of the budget that was spent when the slab began.
        warm_up, main: states of the two optimisers on the present slab.
        sets: points of each group of terms.
        slab_step: steps on the present slab; failures: refreshes in a row without a step.
        losses: held-out losses of finished slabs.
        engine: the compiled residual that all slabs after the first share.
        weights: of each active term's mean square, by now.
        training, validation: mean squares of the equations at the collocation points and at held-out ones
            on the present slab, every 25 steps.
        redraws: how often they differed so much that points were redrawn.
        ends: times at which slabs meet, and both ends.
    """

    theta: Tensor
    warm_up: FirstOrderState
    main: Any
    rng: np.random.Generator
    sets: list[PointSet]
    finished: list[Tensor] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    began: float = 0.0
    step: int = 0
    slab_step: int = 0
    failures: int = 0
    compiled: bool = False
    weights: list[float] = field(default_factory=list)
    training: list[float] = field(default_factory=list)
    validation: list[float] = field(default_factory=list)
    redraws: int = 0
    ends: list[float] = field(default_factory=list)
    context: Context = field(metadata={"transient": True}, default_factory=Context)
    formulation: Formulation = field(metadata={"transient": True}, default=None)  # type: ignore[assignment]
    slab: Slab = field(metadata={"transient": True}, default=None)  # type: ignore[assignment]
    engine: Residual | None = field(metadata={"transient": True}, default=None)


@dataclass
class Slab:
    """What belongs to one slab of time and follows from the problem and the state.

    Attributes:
        index: which slab; the only one has 0.
        problem: for all of time.
        earlier: the fields of the slabs before.
        held_out: points that training never sees.
        objective: the loss on the present points; None until they are used.
    """

    index: int
    problem: Problem
    residual: Residual
    earlier: list[NetworkField]
    edges: list[float]
    held_out: Batch = ()
    objective: ResidualObjective | None = None

    @property
    def is_last(self) -> bool:
        return self.index == len(self.edges) - 2
