"""Unknown parameters from observations: Gauss-Newton steps on the misfit of what the equations make of them.

For each value of the parameters q the rows have a solution c(q). A step minimises the linearised misfit
|m + S δq|² (`posterior`), moves c along with it by ∂c/∂q δq, solves anew for c, and is taken where the misfit
fell. Jointly with the steps of c these are the Gauss-Newton steps in (c, q), in the elimination of Golub &
Pereyra (SIAM J. Numer. Anal. 10 (1973) 413). The misfit alone decides on a step, as in the norm of all rows
the equations, which are bent in (c, q), would allow tiny steps only.
"""

from __future__ import annotations

import math

import numpy as np

from ...declare.domain import Array
from .fit import Fit
from .least_squares import QUIET
from .posterior import Sensitivity

_SETTLED = 1e-3  # standard deviations: shorter steps change nothing
_DIGITS = 1e-11  # of a parameter: the same for data without noise
_LONGEST = math.log(10.0)  # of the logarithm of a positive parameter
_SHORTEST = 1e-3  # length of a damped step
_SOLVES = 3  # Newton steps of c after one of q, where equations are not linear in u


def identify(fit: Fit) -> bool:
    """One damped step of the parameters, and of the coefficients with them; False where it would be none."""
    sensitivity = Sensitivity.of(fit, fit.jacobian())
    step = sensitivity.step()
    if _is_settled(fit, sensitivity, step):
        return False
    positive = np.array([p.must_be_positive for p in fit.program.parameters])
    longest = float(np.abs(step[positive]).max(initial=0.0))
    length = min(1.0, _LONGEST / longest) if longest else 1.0
    coefficients, held = fit.coefficients, fit.parameters
    before, seen = float(np.linalg.norm(sensitivity.misfit)), fit.observed
    while length > _SHORTEST:
        fit.parameters = held + length * step
        fit.coefficients = coefficients + length * (sensitivity.response @ step)
        for _ in range(1 if fit.is_linear else _SOLVES):
            fit.step()
        after = float(np.linalg.norm(fit.residual(fit.coefficients)[seen]))
        if after < before:
            fit.measure()
            return True
        length /= 2
    fit.coefficients, fit.parameters = coefficients, held
    return False


def _is_settled(fit: Fit, sensitivity: Sensitivity, step: Array) -> bool:
    """Whether a step is short beside what the noise leaves open, or beside round-off."""
    predicted = float(np.linalg.norm(sensitivity.observed @ step))
    unit = QUIET * fit.noise if fit.noise else float(np.sqrt(np.mean(np.square(sensitivity.misfit))))
    is_short = bool(np.all(np.abs(step) <= _DIGITS * np.maximum(1.0, np.abs(fit.parameters))))
    return is_short or predicted <= _SETTLED * unit
