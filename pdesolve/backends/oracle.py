"""`GPOracle`: the exact posterior of linear problems with Gaussian coefficients."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import scipy.linalg
import torch

from ..declare import Observations, Problem
from ..declare.domain import Array
from ..residual.stencil import EllipticForm, Stencil, response
from ..solution.status import Status
from .base import Backend, Capabilities, Context, Progress
from .sample_field import SampleField


@dataclass
class Posterior:
    """Mean, deviation and draws of all unknowns on the grid."""

    mean: Array
    spread: Array
    draws: Array
    problem: Any = field(default=None, metadata={"transient": True})
    context: Any = field(default=None, metadata={"transient": True})


@dataclass(frozen=True)
class GPOracle(Backend):
    """All that observations say about a linear problem whose unknown coefficients are Gaussian fields.

        y = H ξ + ε,  ξ ~ N(0, I),   E[ξ | y] = Hᵀ (H Hᵀ + Σ)⁻¹ y,   Cov[ξ | y] = I - Hᵀ (H Hᵀ + Σ)⁻¹ H

    ξ are the coefficients of the modes of the declared `GaussianField`; rows of H are values of the modes, or
    of the solutions that they cause, at the sensors. No other method can have a smaller mean square error
    on such a family, so that the errors of learned ones are told as ratios to these.

    Args:
        points: nodes on each axis of the answer; choose those of the sensors, where they lie on a grid.
        samples: drawn from the posterior.
        rtol: of the solutions, relative to the deviation of the unknown.
        floor: least standard deviation of observations, relative to that of their field, for the rounding
            of what they are computed from.

    Source: Rasmussen & Williams, Gaussian Processes for Machine Learning (2006), equations (2.11)-(2.12);
    draws by Matheron's rule.
    """

    points: int = 32
    samples: int = 16
    rtol: float = 1e-5
    floor: float = 1e-6

    name: ClassVar[str] = "gp-oracle"
    summary: ClassVar[str] = "exact posterior of linear problems with Gaussian coefficients"
    capabilities: ClassVar[Capabilities] = Capabilities(
        gives_uncertainty=True, stochastic=True, dtypes=("float64",)
    )
    citations: ClassVar[tuple[str, ...]] = (
        "C. E. Rasmussen, C. K. I. Williams: Gaussian Processes for Machine Learning. MIT Press, 2006.",
    )

    def __post_init__(self) -> None:
        self.require_count("points", least=8)
        self.require_count("samples")
        self.require_positive("rtol", "floor")

    def supports(self, problem: Problem) -> list[str]:
        try:
            form = EllipticForm(problem)
            if not form.is_affine:
                return ["the solution is not an affine function of its coefficients"]
            shape = (1, *(8,) * len(problem.coordinates))
            if form.inputs:  # beyond resonance it ends here
                Stencil(form, 8).solve({name: torch.zeros(shape).double() for name in form.inputs})
        except (ValueError, ArithmeticError) as error:
            return [str(error)]
        from ..declare.distributions import GaussianField

        laws = [problem.priors.get(c.func.__name__) for c in problem.coefficients]
        if not laws or not all(isinstance(law, GaussianField) for law in laws):
            return ["its unknown coefficients are not all Gaussian fields by declaration (Family.observed)"]
        return []

    def start(self, problem: Problem, context: Context) -> Posterior:
        zero = np.zeros((len(problem.unknowns), *(self.points,) * len(problem.coordinates)))
        return Posterior(zero, zero, zero[None], problem, context)

    def advance(self, state: Posterior) -> Progress:
        """All of it: one factorisation."""
        problem: Problem = state.problem
        law = response(problem, self.points, self.rtol)
        given = list(problem.of_type(Observations))
        names = [c.unknown.func.__name__ for c in given]
        factor = np.moveaxis(law.factor, -1, 0)  # (modes, channels, *grid)
        modes = len(factor)
        rows, right, noise = [np.zeros((0, modes))], [np.zeros(0)], [np.zeros(0)]
        for name, c in zip(names, given, strict=True):
            mean, own = law.at(name, c.points)
            deviation = np.sqrt((factor[:, law.names.index(name)] ** 2).sum(axis=0).mean())
            rows.append(own)
            right.append(c.values - mean)
            noise.append(np.full(len(mean), max(c.noise, self.floor * deviation)))
        h, y, s = np.concatenate(rows), np.concatenate(right), np.concatenate(noise)
        scale = 1 / np.sqrt((h**2).sum(axis=1) + s**2)  # rows of one size: fields differ by orders
        h, y, s = h * scale[:, None], y * scale, s * scale
        solve = scipy.linalg.cho_factor(h @ h.T + np.diag(s**2), lower=True)

        def gained(innovation: Array) -> Array:
            return np.asarray(h.T @ scipy.linalg.cho_solve(solve, innovation))

        best = gained(y)
        rng = state.context.rng()
        start = rng.standard_normal((modes, self.samples))
        drawn = start + gained(
            y[:, None] - h @ start - s[:, None] * rng.standard_normal((len(y), self.samples))
        )
        order = [law.names.index(name) for name in problem.unknown_names]
        prior, flat = law.mean[order], factor[:, order].reshape(modes, -1)
        whitened = scipy.linalg.solve_triangular(solve[0], h, lower=True) @ flat
        shape = prior.shape
        state.mean = prior + (best @ flat).reshape(shape)
        variance = (flat**2).sum(axis=0) - (whitened**2).sum(axis=0)
        state.spread = np.sqrt(np.maximum(variance, 0)).reshape(shape)
        state.draws = prior + (drawn.T @ flat).reshape(-1, *shape)
        misfit = float(np.sqrt(np.mean((y - h @ best) ** 2))) if len(y) else 0.0
        return Progress(misfit, 1.0, Status.COMPLETED, f"{len(y)} observations of {modes} modes")

    def field(self, state: Posterior) -> SampleField:
        axes = EllipticForm(state.problem).axes(self.points)
        degrees = [5] * len(state.mean)
        return SampleField(axes, [None] * len(axes), state.mean, state.spread, state.draws, degrees)

    def restore(self, problem: Problem, arrays: Mapping[str, Array]) -> SampleField:
        return SampleField.from_arrays(arrays)


__all__ = ["GPOracle"]
