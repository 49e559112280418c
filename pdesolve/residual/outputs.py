"""How unknowns come from a network's channels: each its own, or derivatives of a stream function."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import sympy as sp

from ..declare import Dirichlet, Initial, Problem
from ..declare.problem import MultiIndex
from .ansatz import Ansatz, Trial
from .multiindex import add, unit
from .program import Derivative, LoweredTerm, Program, lower

Share = tuple[float, int, MultiIndex]
"""Coefficient, channel, and the derivative of the channel."""


@dataclass(frozen=True)
class OutputMap:
    """u_k = Σ c D^γ ψ_channel, where ψ are the trial functions L + F N of the channels.

    Attributes:
        shares: for each unknown its shares (c, channel, γ).
        channels: number of outputs of the network.
        exact: names of terms that hold by the map alone, whatever the network.
    """

    shares: tuple[tuple[Share, ...], ...]
    channels: int
    exact: frozenset[str] = frozenset()

    def expand(self, derivative: Derivative) -> tuple[tuple[float, Derivative], ...]:
        """A derivative of an unknown as a combination of derivatives of channels."""
        k, index = derivative
        return tuple((c, (channel, add(index, shift))) for c, channel, shift in self.shares[k])

    def ansatz(self, ansatz: Ansatz, problem: Problem) -> Ansatz:
        """The ansatz of the channels: an unknown that is a channel of its own keeps its lift and factor.

        The conditions of all others are met exactly no longer, and become rows.
        """
        trials = [Trial()] * self.channels
        plain = []
        for k, shares in enumerate(self.shares):
            (c, channel, shift), *others = shares
            if c == 1.0 and not any(shift) and not others:
                trials[channel] = ansatz.trials[k]
                plain.append(problem.unknowns[k])
        kept = {t.name for t in problem.terms if t.condition is not None and t.condition.unknown in plain}
        return replace(ansatz, trials=tuple(trials), exact=(ansatz.exact & kept) | self.exact)


def identity_map(problem: Problem) -> OutputMap:
    """Every unknown a channel of its own."""
    zero = (0,) * len(problem.coordinates)
    count = len(problem.unknowns)
    return OutputMap(tuple(((1.0, k, zero),) for k in range(count)), count)


def stream_function_map(problem: Problem) -> OutputMap | None:
    """u = ∂ψ/∂y, v = -∂ψ/∂x in plane flow, where u_x + v_y = 0 is one of the equations; else None.

    The equation may carry a constant factor. ψ is channel 0, every other unknown a channel of its own after
    it. The divergence vanishes identically, so that its equation is no row, and the conditions of u and v
    become rows. ψ is free by a function of time, which changes nothing.

    A ψ that is periodic along x has no mean of v along x, nor one of u along y. Where the data have such a
    mean, or do not tell, the answer is None.
    """
    d, time = len(problem.coordinates), problem.domain.time
    if d - (time is not None) != 2:
        return None
    along_x, along_y = unit(0, d), unit(1, d)
    for term in Program(problem).terms:
        velocity = _divergence_of(term, along_x, along_y)
        if velocity is None:
            continue
        across = ((0, velocity[1]), (1, velocity[0]))
        if any(_may_have_mean(problem, unknown, axis) for axis, unknown in across):
            return None
        shares: list[tuple[Share, ...]] = []
        for k in range(len(problem.unknowns)):
            if k in velocity:
                shares.append(((1.0, 0, along_y) if k == velocity[0] else (-1.0, 0, along_x),))
            else:
                channel = 1 + k - sum(v < k for v in velocity)
                shares.append(((1.0, channel, (0,) * d),))
        return OutputMap(tuple(shares), len(problem.unknowns) - 1, frozenset({term.name}))
    return None


def _divergence_of(term: LoweredTerm, along_x: MultiIndex, along_y: MultiIndex) -> tuple[int, int] | None:
    """The unknowns (u, v) of an equation c (u_x + v_y) = 0 with a constant c."""
    orders = {index: k for k, index in term.derivatives}
    if not term.term.is_equation or len(term.derivatives) != 2 or set(orders) != {along_x, along_y}:
        return None
    factor = term.coefficients[0]
    u, v = orders[along_x], orders[along_y]
    rest = sp.expand(term.expression - factor * sum(term.symbols))
    return (u, v) if u != v and factor.is_number and rest == 0 else None


def _may_have_mean(problem: Problem, k: int, axis: int) -> bool:
    """True where an axis is periodic and no datum of an unknown says that its mean along it is zero."""
    unknown = problem.unknowns[k]
    if axis not in problem.periodic_axes(unknown):
        return False
    means = list(_means(problem, unknown, axis))
    return not means or max(means) > 1e-9


def _means(problem: Problem, unknown: sp.Expr, axis: int) -> Iterator[float]:
    """Means along an axis of the initial and boundary data of an unknown, relative to their size."""
    points = problem.domain.sample(16, np.random.default_rng(0))
    lower_end, upper_end = problem.domain.bounds[axis]
    for term in problem.terms:
        condition = term.condition
        if not isinstance(condition, Initial | Dirichlet) or condition.unknown != unknown:
            continue
        is_rate = isinstance(condition, Initial) and condition.order > 0
        if is_rate or not isinstance(condition.value, sp.Expr):
            continue
        value = problem.substitute(condition.value)
        if value.free_symbols - set(problem.coordinates):
            continue
        lines = np.repeat(points[:, :, None], 256, axis=2)
        lines[:, axis] = np.linspace(lower_end, upper_end, 256, endpoint=False)
        values = np.asarray(lower(problem.coordinates, value, "numpy")(*lines.transpose(1, 0, 2)))
        values = np.broadcast_to(values, lines[:, 0].shape)
        size = float(np.abs(values).max())
        yield float(np.abs(values.mean(axis=1)).max()) / size if size else 0.0
