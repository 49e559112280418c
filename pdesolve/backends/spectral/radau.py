"""Radau IIA collocation in time for fully implicit problems F(t, u, u', u'') = 0, algebraic rows included.

On a step of length h the solution is the polynomial that meets F = 0 at the stages t + c_i h; the last of
them is the end of the step. With stage values U the derivatives there are U' = A⁻¹ (U - u) / h and
U'' = A⁻¹ (U' - u') / h, so that second order in time needs no further unknowns. Order 2s - 1 with s
stages, at least s where stiffness reduces it. E. Hairer, G. Wanner, Solving Ordinary Differential Equations
II (1996), sections IV.5 and IV.8: the eigenvalues of A⁻¹ split the Newton systems into one real and
(s - 1)/2 complex ones, equation (8.4) there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np

from ...declare.domain import Array
from .collocation import Collocation
from .factor import Factor, SingularSystemError

STAGES = 5
"""Order nine: with dense factorisations few long steps are cheaper than many short ones."""
MOST_ITERATIONS = 15
FAST, LARGE = (6, 11), 500
"""Iterations with a frozen Jacobian before it is renewed, up to ``LARGE`` nodal values and beyond, where a
factorisation costs more."""


@dataclass(frozen=True)
class Tableau:
    """The method with ``stages`` (odd) stages.

    Attributes:
        c: places of the stages in the step, the last 1.
        inverse: of the matrix A.
        values, vectors: eigenvalues of A⁻¹ without the conjugates, the real one first, and their vectors.
        covectors: rows of the inverse matrix of all eigenvectors that belong to them.
    """

    c: Array
    inverse: Array
    values: np.ndarray[Any, Any]
    vectors: np.ndarray[Any, Any]
    covectors: np.ndarray[Any, Any]

    @classmethod
    @lru_cache(maxsize=4)
    def make(cls, stages: int) -> Tableau:
        from scipy.special import roots_jacobi

        inner = (roots_jacobi(stages - 1, 1, 0)[0] + 1) / 2 if stages > 1 else np.zeros(0)
        c = np.append(np.sort(inner), 1.0)
        powers = np.arange(stages)
        matrix = (c[:, None] ** (powers + 1) / (powers + 1)) @ np.linalg.inv(c[:, None] ** powers)
        inverse = np.linalg.inv(matrix)
        values, vectors = np.linalg.eig(inverse)
        covectors = np.linalg.inv(vectors)
        chosen = [int(np.argmin(np.abs(values.imag)))] + [i for i in range(stages) if values[i].imag > 1e-9]
        return cls(c, np.asarray(inverse), values[chosen], vectors[:, chosen], covectors[chosen])

    @property
    def nodes(self) -> Array:
        """The places that define the polynomial of a step: its start and the stages."""
        return np.concatenate([[0.0], self.c])

    def derivatives(self, stages: Array, u: Array, rate: Array, h: float, order: int) -> list[Array]:
        """Stage values of u, u' (and u''), each (s, size), from those of u and the start of the step."""
        result = [stages, self.inverse @ (stages - u) / h]
        if order == 2:
            result.append(self.inverse @ (result[1] - rate) / h)
        return result


@dataclass
class Linearisation:
    """Where the Jacobian of the Newton systems was taken; enough to take it again.

    Attributes:
        values: u, u' (and u'') there, each (size,).
    """

    values: list[Array]
    time: float
    step: float
    factors: Any = field(default=None, metadata={"transient": True})

    def prepare(self, tableau: Tableau, grid: Collocation) -> list[Factor]:
        if self.factors is None:
            matrices = grid.jacobian(self.values, self.time)
            self.factors = []
            for mu in tableau.values:
                mu = mu.real if abs(mu.imag) < 1e-9 else mu
                terms = [m * (mu / self.step) ** p for p, m in enumerate(matrices)]
                self.factors.append(Factor(np.sum(terms, axis=0)))
        return self.factors  # type: ignore[no-any-return]


@dataclass
class Outcome:
    """A step that converged: stage values (s, size), and whether the Jacobian should be renewed."""

    stages: Array
    slow: bool


def step(
    tableau: Tableau,
    grid: Collocation,
    start: tuple[float, Array, Array],
    h: float,
    guess: Array,
    at: Linearisation,
    tolerance: float,
) -> Outcome | None:
    """Solve one step from ``start`` = (t, u, u') by Newton's method with a frozen Jacobian; None if it fails.

    Corrections are measured relative to the size of each unknown.
    """
    t, u, rate = start
    times = t + tableau.c * h
    norms = grid.layout.norms(u)
    stages, before, contraction = guess.copy(), np.inf, 0.0
    factors = at.prepare(tableau, grid)
    for iteration in range(MOST_ITERATIONS):
        residual = grid.residual(tableau.derivatives(stages, u, rate, h, grid.time_order or 1), times)
        if not np.isfinite(residual).all():
            return None
        change = np.zeros_like(stages)
        for mu, factor, v, w in zip(
            tableau.values, factors, tableau.vectors.T, tableau.covectors, strict=True
        ):
            if abs(mu.imag) < 1e-9:
                change -= np.outer(v.real, factor.solve(w.real @ residual))
            else:
                change -= 2 * np.outer(v, factor.solve(w @ residual)).real
        stages += change
        scale = np.maximum(norms, grid.layout.norms(stages[-1]))
        scale = np.where(scale > 1e-3 * scale.max(), scale, scale.max() or 1.0)
        size = float(np.max(grid.layout.norms(change) / scale))
        if not np.isfinite(size):
            return None
        if iteration:
            contraction = size / before
            if contraction >= 0.5 and size < 1e4 * tolerance:
                return Outcome(stages, False)  # round-off: it falls no further
            if contraction >= 0.95:
                return None
        ahead = size * contraction / (1 - contraction) if iteration else size
        if ahead <= tolerance:
            return Outcome(stages, iteration >= FAST[grid.layout.size > LARGE])
        before = size
    return None


__all__ = ["STAGES", "Linearisation", "Outcome", "SingularSystemError", "Tableau", "step"]
