"""Many initial states of one periodic evolution side by side, each to a tolerance: data sets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ...declare.domain import Array
from ...declare.errors import PDESolveError
from .discretization import Discretization
from .evolution import Evolution
from .grid import FourierGrid
from .semilinear import Semilinear

MARGIN = 8.0
"""The difference of two levels over this is the error of the finer one: halved steps of order four divide
by 16, more modes by more, and half of that is kept in hand."""
LEVELS = 9
COMPARED = 101
"""Stored times at which levels are compared, at most."""
BLOCK = 1 << 15
"""Numbers in one batch of states: larger ones fall out of the cache."""


class EnsembleError(PDESolveError):
    """Some member was not resolved on the finest level."""


@dataclass(frozen=True)
class Level:
    """Points on each axis, and steps between two stored times."""

    points: int
    steps: int

    def finer(self) -> Level:
        """Three halves of the points, half the step."""
        return Level(_even(3 * self.points / 2), 2 * self.steps)


def evolve(
    evolution: Evolution,
    initial: Array,
    times: Array,
    points: int,
    rtol: float,
    report: Callable[[int], None] = lambda done: None,
) -> tuple[Array, Array]:
    """The states at ``times`` from each of N initial states, by Fourier series and ETDRK4.

    Levels of half the step and three halves of the points follow each other until two of them agree; a
    member leaves as soon as its own estimate is below ``rtol``.

    Args:
        evolution: the equations, of first order in time.
        initial: (N, components, *grid) on a uniform grid that resolves them.
        times: equally spaced, the initial one first.
        points: of the grid that is returned, on each axis.
        rtol: relative L2 error over the stored times, of each member.
        report: called with the number of members that are finished.

    Returns:
        values (N, times, components, *points), and the estimated error of each member (N,).

    Raises:
        EnsembleError: some member is not resolved on the finest level.
    """
    dimension = initial.ndim - 2
    start = torch.as_tensor(initial, dtype=torch.float64)
    result = np.empty((len(initial), len(times), initial.shape[1], *[points] * dimension))
    errors = np.full(len(initial), np.inf)
    level, left = first_level(evolution, initial, times, points, rtol), np.arange(len(initial))
    compared = np.unique(np.linspace(0, len(times) - 1, min(COMPARED, len(times))).round().astype(int))
    earlier: Array | None = None
    for _ in range(LEVELS):
        values = march(evolution, start[torch.from_numpy(left)], times, points, level)
        sample = values[:, compared].reshape(len(left), -1)
        if earlier is not None:
            with np.errstate(invalid="ignore", over="ignore"):
                gap = np.linalg.norm(sample - earlier, axis=1) / np.linalg.norm(sample, axis=1) / MARGIN
            done = gap <= rtol  # False for NaN
            result[left[done]], errors[left[done]] = values[done], gap[done]
            left, sample = left[~done], sample[~done]
            report(len(initial) - len(left))
            if not len(left):
                return result, errors
        earlier = sample
        level = level.finer()
    raise EnsembleError(
        f"{evolution.problem.name!r}, {len(left)} of {len(initial)} members",
        f"a relative error below {rtol:.0e}",
        f"no agreement up to {level.points} points and {level.steps} steps between stored times",
        "Raise rtol, store more times, or draw smoother initial data.",
    )


def first_level(evolution: Evolution, initial: Array, times: Array, points: int, rtol: float) -> Level:
    """A coarse level, stable for the largest initial state.

    It holds all modes of the initial data that matter: what is cut from these falls slowly from level to
    level, and `MARGIN` would be wrong.
    """
    n = _even(max(9 * points / 8, 3 * _highest(initial, rtol / 10) + 1))
    bounds = evolution.problem.domain.bounds[:-1]
    found = Discretization(evolution, FourierGrid.make(bounds, n, True))
    size = np.abs(initial).reshape(len(initial), -1).max(axis=1)
    largest = Semilinear(evolution, n).state(torch.as_tensor(initial[[int(size.argmax())]]))
    rate = found.rate(largest[0].numpy(), float(times[0]))
    spacing = float(times[1] - times[0]) if len(times) > 1 else 0.0
    return Level(n, max(1, int(np.ceil(rate * spacing))))


def _highest(initial: Array, tolerance: float) -> int:
    """The wavenumber beyond which each state has a share of its norm below ``tolerance``, on every axis."""
    highest = 0
    for axis in range(2, initial.ndim):
        power = np.abs(np.fft.rfft(initial, axis=axis)) ** 2
        along = np.moveaxis(power, axis, -1).reshape(len(initial), -1, power.shape[axis]).sum(axis=1)
        beyond = along[:, ::-1].cumsum(axis=1)[:, ::-1]  # from k on
        small = beyond <= tolerance**2 * np.maximum(beyond[:, :1], 1e-300)
        highest = max(
            highest, int(np.where(small.any(axis=1), small.argmax(axis=1), power.shape[axis]).max()) - 1
        )
    return highest


def _even(n: float) -> int:
    """The next length that transforms are fast for."""
    from scipy.fft import next_fast_len

    return int(next_fast_len(int(np.ceil(n)), real=True))


def march(evolution: Evolution, start: Tensor, times: Array, points: int, level: Level) -> Array:
    """(N, times, components, *points) on one level."""
    system = Semilinear(evolution, level.points)
    spacing = float(times[1] - times[0]) if len(times) > 1 else 1.0
    coefficients = system.coefficients(spacing / level.steps)
    size = max(1, BLOCK // level.points**system.dimension)
    blocks = []
    with torch.no_grad():
        for first in range(0, len(start), size):
            part = start[first : first + size]
            state = system.state(part)
            stored = [system.fields(state, points)]
            for t in times[:-1]:
                state = system.advance(coefficients, state, float(t), level.steps)
                stored.append(system.fields(state, points))
            blocks.append(torch.stack(stored, dim=1))
    return torch.cat(blocks).numpy()


__all__ = ["LEVELS", "MARGIN", "EnsembleError", "Level", "evolve", "first_level", "march"]
