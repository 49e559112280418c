"""Posterior covariance of the coefficients c and of the unknown parameters q, from noisy observations.

Equations and conditions weigh so much beside observations (`QUIET`) that they are constraints. Where they
leave c open the data fix it; for the rest c follows q, with the response C = ∂c/∂q of the least-squares
problem of all rows. Observed rows, in units of their noise, then move with q by

    S = B C + ∂(rows)/∂q,       cov q = (SᵀS)⁻¹,       cov c = F_c F_cᵀ + C (cov q) Cᵀ,

B the observed rows of the Jacobian J and F_c the inverse of the triangular factor of J: the blocks of the
inverse of the joint [J  ∂(rows)/∂q]ᵀ[…] (Bard, Nonlinear Parameter Estimation (1974), section 7-5), less what
the residual that the features leave in the equations would seem to say about q.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, stats

from ...declare.domain import Array
from .fit import Fit
from .least_squares import QUIET, response, with_ridge
from .parameters import values
from .prior import ridge

LEVEL = 0.95  # probability of the intervals
_UNSEEN = 1e-7  # S relative to the sizes that cancel in it: below, the data do not see a parameter


class Sensitivity(NamedTuple):
    """How coefficients and observed rows follow the parameters as they are held.

    Attributes:
        response: C (p, q).
        observed: S (m, q), in the weighted units of rows.
        misfit: the observed rows (m,).
        sizes: of each column of S what it would be if nothing cancelled.
    """

    response: Array
    observed: Array
    misfit: Array
    sizes: Array

    @classmethod
    def of(cls, fit: Fit, jacobian: Array) -> Sensitivity:
        moved, seen = fit.by_parameters(), fit.observed
        found = response(jacobian, moved)
        sizes = np.abs(jacobian[seen]) @ np.abs(found) + np.abs(moved[seen])
        observed = jacobian[seen] @ found + moved[seen]
        return cls(found, observed, fit.residual(fit.coefficients)[seen], np.linalg.norm(sizes, axis=0))

    def decomposed(self) -> tuple[Array, Array, Array, NDArray[np.bool_]]:
        """S = U diag(s) Vᵀ with columns scaled by ``sizes``; where s is noise the data see nothing.

        Returns U (m, q), s (q,), D⁻¹ V (q, q) and which s are seen (q,).
        """
        scale = np.where(self.sizes > 0, self.sizes, 1.0)
        u, s, vt = np.linalg.svd(self.observed / scale, full_matrices=False)
        return u, s, vt.T / scale[:, None], s > _UNSEEN

    def step(self) -> Array:
        """The change of the parameters that minimises the misfit; none in directions that are not seen."""
        u, s, v, seen = self.decomposed()
        return np.asarray(-v[:, seen] @ ((u.T @ self.misfit)[seen] / s[seen]))


class Posterior(NamedTuple):
    """Attributes:
    factor: F (p, p + q) with F Fᵀ the covariance of the coefficients.
    deviations: of the parameters as they are held (q,); infinite where the data see nothing.
    freedom: degrees of freedom that the noise was estimated with; infinite where it was stated.
    """

    factor: Array
    deviations: Array
    freedom: float

    @classmethod
    def of(cls, fit: Fit) -> Posterior | None:
        """At the present iterate.

        Of unknown noise the variance is that of the misfit over the degrees of freedom that are left. None
        without observations, and where no degrees are left.
        """
        if fit.noise is None:
            return None
        jacobian = fit.jacobian()
        sensitivity = Sensitivity.of(fit, jacobian)
        inverse = _inverse(jacobian, ridge(fit, jacobian))
        _, s, v, seen = sensitivity.decomposed()
        noise, left = fit.noise, math.inf
        if not noise:
            rows = jacobian[fit.observed]
            left = len(rows) - float(np.square(rows @ inverse).sum()) - int(seen.sum())
            if left < 0.5:
                return None
            noise = math.sqrt(float(np.square(sensitivity.misfit).sum()) / left) / QUIET
        known = v[:, seen] / s[seen]
        deviations = np.linalg.norm(known, axis=1)
        blind = np.abs(v[:, ~seen]).max(axis=1, initial=0.0) > _UNSEEN * np.abs(v).max(axis=1, initial=0.0)
        deviations[blind] = math.inf
        unit = QUIET * noise
        return cls(unit * np.hstack([inverse, sensitivity.response @ known]), unit * deviations, left)

    def intervals(self, fit: Fit) -> dict[str, tuple[float, float]]:
        """q ± z s as q is held, mapped to the parameter itself: 95 % of a normal, or of Student's, law.

        A parameter that nothing determines has an interval without bounds.
        """
        unknown = fit.program.parameters
        quantile = 0.5 + LEVEL / 2
        z = stats.norm.ppf(quantile) if math.isinf(self.freedom) else stats.t.ppf(quantile, self.freedom)
        half = float(z) * self.deviations
        low, high = (values(unknown, fit.parameters + sign * half) for sign in (-1, 1))
        return {p.name: (low[k], high[k]) for k, p in enumerate(unknown)}


def _inverse(jacobian: Array, weights: Array | None) -> Array:
    """R⁻¹ of J = Q R, J over the rows of the prior, (p, p)."""
    scale, stacked = with_ridge(jacobian, weights)
    (r,) = linalg.qr(stacked, mode="r", overwrite_a=True, check_finite=False)
    p = len(scale)
    return np.asarray(linalg.solve_triangular(r[:p], np.eye(p), check_finite=False) / scale[:, None])
