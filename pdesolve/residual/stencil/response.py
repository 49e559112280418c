"""The exact Gaussian law of coefficients and solution of a linear problem, as one matrix."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Sequence
from functools import partial

import numpy as np
import torch

from ...declare import Observations
from ...declare.distributions import GaussianField
from ...declare.domain import Array
from ...declare.problem import Problem
from ...declare.series import eigenfunctions
from ..interpolation import interpolation
from .elliptic import Stencil
from .form import EllipticForm
from .levels import converged

TOGETHER = 128
"""Modes whose equations are solved at a time."""


class Response:
    """Values at the nodes of a grid as affine functions of independent standard normal numbers ξ.

        a = Σ_k s_k ξ_k φ_k,    u = u₀ + Σ_k ξ_k G(s_k φ_k)

    for problems whose unknown coefficients are Gaussian fields and whose solution is affine in them: one
    elliptic solution for each mode φ_k, by `converged`. Mean and covariance of all values follow, and with
    them the exact answer to every question about partial observations.

    Args:
        problem: steady, on a box, with priors for its unknown coefficients (`Family.undetermined`).
        points: nodes on each axis, both ends included.
        rtol: error of the solution, relative to its deviation over the prior.

    Attributes:
        names: of the channels, unknown first, then inputs.
        axes: the nodes.
        mean: (channels, *grid).
        factor: (channels, *grid, modes), so that a member is ``mean + factor @ ξ``.

    Raises:
        ValueError: the problem is of another kind; the text says why.
    """

    def __init__(self, problem: Problem, points: int, rtol: float = 1e-5) -> None:
        names = [c.func.__name__ for c in problem.coefficients]
        fields = {name: problem.priors.get(name) for name in names}
        if not names or not all(isinstance(d, GaussianField) for d in fields.values()):
            raise ValueError("its unknown coefficients are not all Gaussian fields, by their priors")
        form = EllipticForm(problem)
        if not form.is_affine:
            raise ValueError("its solution is not an affine function of its inputs")
        self._fields = {key: d for key, d in fields.items() if isinstance(d, GaussianField)}
        self.names = (form.unknown.func.__name__, *names)
        self.axes = form.axes(points)
        self._modes = modes = [
            (key, int(k)) for key, d in self._fields.items() for k in np.flatnonzero(d.deviations())
        ]
        inputs = np.zeros((len(names), *(points,) * len(self.axes), len(modes)))
        for place, (key, k) in enumerate(modes):
            inputs[names.index(key), ..., place] = self._mode(key, k, self.axes)
        # Errors count relative to the deviation of u, which the first modes have most of.
        stencil, first = Stencil(form, points), modes[: 4 * TOGETHER]
        rough = stencil.solve(self._inputs(first, stencil.axes))
        size = (rough[1:] - rough[:1]).norm()
        base, columns = rough[0], []
        for i in range(0, len(modes), TOGETHER):
            chosen = modes[i : i + TOGETHER]
            draw = partial(self._inputs, chosen)
            solved, _ = converged(form, draw, points, rtol, size)
            base = solved[0]
            columns.append(solved[1:] - solved[:1])
        responses = torch.cat(columns).movedim(0, -1).numpy()
        self.mean = np.concatenate([base.numpy()[None], np.zeros((len(names), *base.shape))])
        self.factor = np.concatenate([responses[None], inputs])

    def at(self, name: str, points: Array) -> tuple[Array, Array]:
        """Mean (n,) and factor (n, modes) of a channel at any points (n, d).

        Coefficients are evaluated mode by mode, the unknown by splines of degree five through the nodes.
        """
        k = self.names.index(name)
        if k == 0:
            rows = interpolation(self.axes, [None] * len(self.axes), points, 5)
            return rows @ self.mean[0].ravel(), rows @ self.factor[0].reshape(-1, self.factor.shape[-1])
        own = np.zeros((len(points), len(self._modes)))
        for place, (key, mode) in enumerate(self._modes):
            if key == name:
                own[:, place] = self._mode_at(key, mode, points)
        return np.zeros(len(points)), own

    def _inputs(self, modes: Sequence[tuple[str, int]], axes: Sequence[Array]) -> dict[str, torch.Tensor]:
        """No input at all, then each mode alone, at the nodes of ``axes``."""
        zero = np.zeros((1 + len(modes), *(len(a) for a in axes)))
        values = {name: zero.copy() for name in self._fields}
        for row, (key, k) in enumerate(modes, 1):
            values[key][row] = self._mode(key, k, axes)
        return {name: torch.from_numpy(rows) for name, rows in values.items()}

    def _mode(self, key: str, k: int, axes: Sequence[Array]) -> Array:
        """s_k φ_k at the nodes of ``axes``."""
        value, tables = self._factors(key, k, axes)
        for table in tables:
            value = value[..., None] * table
        return value

    def _mode_at(self, key: str, k: int, points: Array) -> Array:
        """s_k φ_k at points (n, d)."""
        value, tables = self._factors(key, k, tuple(points.T))
        return np.asarray(value * np.prod(tables, axis=0))

    def _factors(self, key: str, k: int, axes: Sequence[Array]) -> tuple[Array, list[Array]]:
        """s_k, and the factor of φ_k along each axis."""
        field = self._fields[key]
        deviations = field.deviations()
        index = np.unravel_index(k, deviations.shape)
        tables = [
            eigenfunctions(field.boundary, float(lower), float(upper - lower), field.modes, x)[:, own]
            for (lower, upper), own, x in zip(field.domain.bounds, index, axes, strict=True)
        ]
        return np.asarray(deviations[index]), tables


KEPT = 2
"""Responses that are remembered: studies ask for the same one with other observations, again and again."""
_kept: OrderedDict[tuple[str, int, float], Response] = OrderedDict()


def response(problem: Problem, points: int, rtol: float = 1e-5) -> Response:
    """The `Response` of a problem, which its observations do not enter.

    Raises:
        ValueError: see `Response`.
    """
    bare = problem.replace(conditions=[c for c in problem.conditions if not isinstance(c, Observations)])
    laws = json.dumps({name: law.describe() for name, law in problem.priors.items()}, sort_keys=True)
    key = (bare.digest + laws, points, rtol)
    if key not in _kept:
        _kept[key] = Response(bare, points, rtol)
        while len(_kept) > KEPT:
            _kept.popitem(last=False)
    _kept.move_to_end(key)
    return _kept[key]


__all__ = ["Response", "response"]
