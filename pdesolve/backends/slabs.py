"""Time slabs: a function of its own for each stretch of time, which starts from where the last one ended.

`continued` states the problem of a slab anew, with the last field as its initial data. A trial function that
holds its start exactly takes `Carried` instead: on slab k, from t_k to t_{k+1},

    u_k(x, t) = Σ_{j < q} (t - t_k)^j / j! ∂_t^j u_{k-1}(x, t_k) + L(x, t) + F(x, t) N_k(x, t),

with q the number of time derivatives that the initial conditions give, and a lift L and factor F that vanish
at t_k like (t - t_k)^q: the solution is continuous in time, exactly, and each slab is a small problem.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any, Literal

import numpy as np
import sympy as sp

from ..declare import Domain, Problem
from ..declare.conditions import Initial, Observations
from ..declare.domain import Array
from ..residual import Derivative
from ..residual.ansatz import evolution_order
from ..solution.field import Field

TOGETHER = 16384
"""Positions at which a state is evaluated and remembered as one set."""

_REMEMBERED = 32  # sets of positions: two for each group of rows in training, others to look at


def during(problem: Problem, start: float, end: float) -> Problem:
    """The problem between two times; what it says of its start no longer holds at ``start``."""
    time = problem.domain.time
    assert time is not None
    part = copy.copy(problem)  # a declaration was checked when it was made; a part of it needs no new checks
    within = replace(time, lower=sp.Float(start, 17), upper=sp.Float(end, 17))
    object.__setattr__(part, "domain", Domain(problem.domain.region, within))
    return part


def continued(problem: Problem, field: Field, start: float, end: float) -> Problem:
    """The problem between two times, from the values of a field at the first."""

    def data(condition: Initial) -> Callable[[Array], Array]:
        k = problem.unknowns.index(condition.unknown)
        index = (0,) * len(problem.domain.space) + (condition.order,)
        return lambda points: field.derivatives(points, [(k, index)])[0]

    part = during(problem, start, end)
    conditions = tuple(
        replace(c, unknown=c.operator, value=data(c)) if isinstance(c, Initial) else c
        for c in problem.conditions
    )
    object.__setattr__(part, "conditions", conditions)
    vars(part).pop("terms", None)  # those of the whole were copied
    return part


Slabs = int | tuple[float, ...] | Literal["auto"]
"""Number of equal slabs, or the times at which they meet; "auto": one, or what a method makes of it."""


def is_slabs(value: Any) -> bool:
    """True for what `Slabs` says, in any problem."""
    if isinstance(value, tuple):
        numbers = all(isinstance(t, int | float) and math.isfinite(t) for t in value)
        return len(value) > 0 and numbers and all(a < b for a, b in pairwise(value))
    return value == "auto" or (isinstance(value, int) and not isinstance(value, bool) and value >= 1)


def edges(problem: Problem, slabs: Slabs) -> list[float]:
    """Ends of the slabs, (slabs + 1,)."""
    if problem.domain.time is None:
        return [0.0, 0.0]
    start, end = problem.domain.time.bounds
    if isinstance(slabs, tuple):
        return [float(start), *map(float, slabs), float(end)]
    return [float(t) for t in np.linspace(start, end, (1 if slabs == "auto" else slabs) + 1)]


def reasons_against(problem: Problem, slabs: Slabs) -> str | None:
    """Why a problem cannot be cut in time like this, if so."""
    if slabs in (1, "auto"):
        return None
    if problem.domain.time is None:
        return "the problem is steady"
    if not any(isinstance(c, Initial) for c in problem.conditions):
        return "nothing is known at the start of time"
    if problem.unknown_parameters:
        return "its unknown parameters hold for all times at once"
    if any(isinstance(c, Observations) for c in problem.conditions):
        return "observations lie in several slabs"
    if any(t.points is not None or t.fixed for t in problem.terms):
        return "conditions at single points lie in single slabs"
    if not all(a < b for a, b in pairwise(edges(problem, slabs))):
        return "times at which slabs meet must lie inside {} to {}".format(*problem.domain.time.bounds)
    return None


_Key = tuple[tuple[Derivative, ...], bytes]


class Carried:
    """The state of a field at one time, continued by its Taylor series in time.

    The field of a slab consists of a function of its own and the state that an earlier field has carried
    to it, and so on down to the start: after k slabs a state is a sum of k functions. The states of a chain
    therefore share a memory of the last sets of positions, each with its values as of the latest state that
    was asked for them. Where all slabs have points at the same positions, a slab costs as much as the
    first one; elsewhere a state costs k evaluations.

    Args:
        before: the state that the field itself started from.
    """

    def __init__(self, field: Field, problem: Problem, start: float, before: Carried | None = None) -> None:
        self._field, self._start, self._before = field, start, before
        self._orders = [evolution_order(problem, unknown) for unknown in problem.unknowns]
        self._memory: dict[_Key, tuple[Carried, Array]] = {} if before is None else before._memory

    def __deepcopy__(self, memo: object) -> Carried:
        return self  # it does not change, and copies of long chains would call one another too often

    def derivatives(self, points: Array, wanted: Sequence[Derivative]) -> list[Array]:
        """Derivatives of Σ_j (t - t_k)^j / j! ∂_t^j u(x, t_k) at ``points`` (n, d), each (n,)."""
        needed = tuple(
            sorted({(k, (*index[:-1], j)) for k, index in wanted for j in range(index[-1], self._orders[k])})
        )
        positions, where = np.unique(points[:, :-1], axis=0, return_inverse=True)
        values = dict(zip(needed, self._at(positions, needed)[:, where.reshape(-1)], strict=True))
        since = points[:, -1] - self._start
        result = []
        for k, index in wanted:
            total = np.zeros(len(points))
            for j in range(index[-1], self._orders[k]):
                power = j - index[-1]
                total += since**power / math.factorial(power) * values[k, (*index[:-1], j)]
            result.append(total)
        return result

    def _at(self, positions: Array, needed: tuple[Derivative, ...]) -> Array:
        """Derivatives at positions (n, d - 1), (k, n)."""
        if not needed or not len(positions):
            return np.empty((len(needed), len(positions)))
        if len(positions) > TOGETHER:
            parts = np.split(positions, range(TOGETHER, len(positions), TOGETHER))
            return np.concatenate([self._at(part, needed) for part in parts], axis=1)
        key = needed, positions.tobytes()
        known = self._memory[key][0] if key in self._memory else None
        chain: list[Carried] = []
        state: Carried | None = self
        while state is not None and state is not known:
            chain.append(state)
            state = state._before
        for later in reversed(chain):  # from the one after the known one on: each finds what is before it
            points = np.column_stack([positions, np.full(len(positions), later._start)])
            later._remember(key, np.stack(later._field.derivatives(points, needed)))
        values = self._memory[key][1]
        self._remember(key, values)
        return values

    def _remember(self, key: _Key, values: Array) -> None:
        """As the last of the memory; the first one goes where it is full."""
        self._memory.pop(key, None)
        self._memory[key] = self, values
        if len(self._memory) > _REMEMBERED:
            del self._memory[next(iter(self._memory))]


class SlabField(Field):
    """Fields of consecutive slabs of time, joined, as far as they have been begun."""

    def __init__(self, fields: Sequence[Field], edges: Sequence[float]) -> None:
        self._fields, self._edges = list(fields), list(edges)
        self._starts = np.asarray(edges[1 : len(fields)])

    @property
    def end(self) -> float | None:
        """The end of the last slab, where others were to follow."""
        begun = len(self._fields)
        return self._edges[begun] if begun < len(self._edges) - 1 else None

    def derivatives(self, points: Array, wanted: Sequence[Derivative]) -> list[Array]:
        slab = np.searchsorted(self._starts, points[:, -1], side="left")
        result = [np.empty(len(points)) for _ in wanted]
        for k in np.unique(slab):
            here = slab == k
            for values, found in zip(result, self._fields[k].derivatives(points[here], wanted), strict=True):
                values[here] = found
        return result

    def arrays(self) -> dict[str, Array]:
        """The arrays of all slabs, (slabs, ...), and the times at which they meet, with both ends."""
        each = [field.arrays() for field in self._fields]
        stacked = {name: np.stack([arrays[name] for arrays in each]) for name in each[0]}
        return stacked | {"ends": np.array(self._edges)}
