"""Whether samples are spread as they should be: scores of draws against the truth.

Arrays are draws (K, ...) and truth (...); K independent draws for every number of the truth.
"""

from __future__ import annotations

import math

import numpy as np

from ..declare.domain import Array


def crps(draws: Array, truth: Array) -> float:
    """Continuous ranked probability score, mean over all numbers.

        mean_k ‖x_k - y‖ - ½ mean_{k≠l} ‖x_k - x_l‖

    The fair estimate (Ferro, Fricker & Weigel, 2008): its expectation does not depend on K. In units of the
    truth; for one deterministic answer it would be the mean absolute error.
    """
    count = len(draws)
    ordered = np.sort(draws, axis=0)
    weights = (2 * np.arange(count) - count + 1).reshape(-1, *[1] * truth.ndim)
    between = 2 * (weights * ordered).sum(axis=0) / (count * (count - 1)) if count > 1 else 0.0
    return float((np.abs(draws - truth).mean(axis=0) - between / 2).mean())


def spread_skill(draws: Array, truth: Array) -> float:
    """Deviation of the draws over the error of their mean, with the factor for K; 1 where calibrated."""
    count = len(draws)
    spread = math.sqrt(float(draws.var(axis=0, ddof=1).mean()))
    skill = math.sqrt(float(((draws.mean(axis=0) - truth) ** 2).mean()))
    return math.sqrt((count + 1) / count) * spread / skill


def coverage(draws: Array, truth: Array, probability: float = 0.9) -> float:
    """Share of numbers inside the central interval of the given probability.

    Ends are mean ± t s (1 + 1/K)^½, Student's for K draws of a normal law: with the quantiles of a few draws
    themselves, exact samples would seem too narrow. For numbers that are far from normal, such as a medium
    of two phases, it says nothing.
    """
    from scipy.stats import t

    count = len(draws)
    reach = float(t.ppf((1 + probability) / 2, count - 1)) * math.sqrt(1 + 1 / count)
    inside = np.abs(truth - draws.mean(axis=0)) <= reach * draws.std(axis=0, ddof=1)
    return float(inside.mean())


__all__ = ["coverage", "crps", "spread_skill"]
