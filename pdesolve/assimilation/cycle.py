"""The cycle of prediction and correction, the same for all filters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from ..backends.operators.stepping.steps import Step
from ..declare.domain import Array
from .errors import FilterDivergenceError
from .observation import ObservationError, Observations


class Filter(Protocol):
    """What a filter does in one cycle; its state is what it makes of it.

    Many independent twins (a truth and its observations each) go side by side, in batches.
    """

    def start(self, climatology: Tensor, batch: int, generator: torch.Generator) -> Any:
        """Before any observation: all that is known are typical states (n, components, *grid)."""

    def forecast(self, state: Any, step: Step, t: float) -> Any:
        """One interval later."""

    def analyse(self, state: Any, observations: Observations, values: Tensor) -> Any:
        """With observed values (batch, observations) taken in."""

    def estimate(self, state: Any) -> Tensor:
        """The best guess of the fields, (batch, components, *grid)."""


@dataclass(frozen=True)
class Assimilation:
    """What a filter made of a series of observations.

    Attributes:
        forecasts, analyses: (batch, cycles, components, *grid), before and after each observation.
    """

    forecasts: Tensor
    analyses: Tensor

    def rmse(self, truth: Tensor, climatology: float, skip: int = 0) -> Array:
        """Root mean square error of the analyses over ``climatology``, for each twin (batch,).

        Args:
            truth: (batch, cycles, components, *grid).
            climatology: standard deviation of the fields.
            skip: cycles that are left out at the start.
        """
        wrong = (self.analyses - truth.to(self.analyses))[:, skip:]
        return np.asarray((wrong**2).flatten(1).mean(dim=1).sqrt()) / climatology


def assimilate(
    method: Filter,
    step: Step,
    observations: Observations,
    values: Tensor,
    climatology: Tensor,
    seed: int = 0,
    start: float = 0.0,
) -> Assimilation:
    """Forecast and analysis in turn.

    Args:
        method: the filter.
        step: from one observation to the next, classical or learned.
        observations: what is observed, and how well.
        values: observed (batch, cycles, observations), the first one an interval after the start.
        climatology: typical states ``(n, components, *grid)``, from which filters start.
        seed: of the start, and of what filters draw.

    Raises:
        ObservationError: the values are not those of the observations.
    """
    if values.ndim != 3 or values.shape[2] != observations.count:
        raise ObservationError(
            "assimilate(values=)",
            f"shape (batch, cycles, {observations.count})",
            f"{tuple(values.shape)}",
            "Give one column for each observed point.",
        )
    generator = torch.Generator().manual_seed(seed)
    forecasts, analyses = [], []
    with torch.no_grad():
        state = method.start(climatology, len(values), generator)
        for k in range(values.shape[1]):
            state = method.forecast(state, step, start + k * step.interval)
            forecasts.append(_finite(method.estimate(state), method, k))
            state = method.analyse(state, observations, values[:, k])
            analyses.append(method.estimate(state))
    return Assimilation(torch.stack(forecasts, dim=1), torch.stack(analyses, dim=1))


def _finite(fields: Tensor, method: Filter, cycle: int) -> Tensor:
    bad = ~fields.isfinite().flatten(1).all(dim=1)
    if bad.any():
        raise FilterDivergenceError(
            f"assimilate({type(method).__name__})",
            "finite forecasts",
            f"values that are not in {int(bad.sum())} of {len(fields)} twins, in cycle {cycle}",
            "Take more substeps in the forecast, a wider localisation, or less inflation.",
        )
    return fields


@dataclass(frozen=True)
class OpenLoop:
    """No correction at all: a typical state, stepped on. What every filter must beat."""

    def start(self, climatology: Tensor, batch: int, generator: torch.Generator) -> Tensor:
        return typical(climatology, batch, generator)

    def forecast(self, state: Tensor, step: Step, t: float) -> Tensor:
        return step(state, t)

    def analyse(self, state: Tensor, observations: Observations, values: Tensor) -> Tensor:
        return state

    def estimate(self, state: Tensor) -> Tensor:
        return state


def typical(climatology: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Random states of a climatology, (count, components, *grid)."""
    return climatology[torch.randint(len(climatology), (count,), generator=generator)]


__all__ = ["Assimilation", "Filter", "OpenLoop", "assimilate", "typical"]
