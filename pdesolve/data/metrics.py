"""Errors of predicted trajectories, by the formulas of PDEBench and The Well.

Arrays are (samples, times, unknowns, *grid), p predicted and q true.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..declare.domain import Array

BANDS = ((0, 4), (4, 12), (12, None))


def metrics(predicted: Array, truth: Array, coordinates: Sequence[Array]) -> dict[str, float]:
    """The scalar metrics by name."""
    length = float(coordinates[0][-1] - coordinates[0][0])
    low, middle, high = band_errors(predicted, truth, length)
    return {
        "rmse": rmse(predicted, truth),
        "nrmse": nrmse(predicted, truth),
        "vrmse": vrmse(predicted, truth),
        "conserved": conserved(predicted, truth),
        "maximum": float(np.abs(predicted - truth).max()),
        "low_band": low,
        "middle_band": middle,
        "high_band": high,
    }


def _space(array: Array) -> tuple[int, ...]:
    return tuple(range(3, array.ndim))


def rmse(predicted: Array, truth: Array) -> float:
    """Mean over samples, times and unknowns of sqrt(mean_x (p - q)²)."""
    return float(np.sqrt(((predicted - truth) ** 2).mean(axis=_space(truth))).mean())


def nrmse(predicted: Array, truth: Array) -> float:
    """The same, each divided by sqrt(mean_x q²). Not the relative L2 error of a whole block."""
    wrong = np.sqrt(((predicted - truth) ** 2).mean(axis=_space(truth)))
    size = np.sqrt((truth**2).mean(axis=_space(truth)))
    return float((wrong / np.where(size > 0, size, 1.0)).mean())


def vrmse(predicted: Array, truth: Array) -> float:
    """The same, each divided by the standard deviation of q: 1 is what predicting the mean gives."""
    wrong = np.sqrt(((predicted - truth) ** 2).mean(axis=_space(truth)))
    size = truth.std(axis=_space(truth))
    return float((wrong / np.where(size > 0, size, 1.0)).mean())


def conserved(predicted: Array, truth: Array) -> float:
    """Mean over times and unknowns of sqrt(mean_n (Σ_x p - Σ_x q)²) per point: what the totals are off."""
    totals = (predicted - truth).mean(axis=_space(truth))
    return float(np.sqrt((totals**2).mean(axis=0)).mean())


def band_errors(predicted: Array, truth: Array, length: float = 1.0) -> tuple[float, ...]:
    """Root mean square of the error's Fourier coefficients in the bands k < 4, 4 <= k < 12 and k >= 12.

    In one dimension that of PDEBench; in more, k is the Euclidean length of the wavevector over all of them.
    """
    space = _space(truth)
    spectra = np.abs(np.fft.rfftn(predicted - truth, axes=space, norm="forward")) ** 2
    shape = truth.shape[3:]
    whole = [np.fft.fftfreq(n) * n for n in shape[:-1]] + [np.fft.rfftfreq(shape[-1]) * shape[-1]]
    k = np.sqrt(sum(m**2 for m in np.meshgrid(*whole, indexing="ij")))
    means = np.sqrt(spectra.mean(axis=(0, 1, 2))) * length
    return tuple(
        float(means[(k >= low) & (k < (np.inf if high is None else high))].mean())
        if np.any((k >= low) & (k < (np.inf if high is None else high)))
        else 0.0
        for low, high in BANDS
    )


def correlation_time(predicted: Array, truth: Array, times: Array, threshold: float = 0.8) -> Array:
    """First time at which the Pearson correlation over space falls below ``threshold``, (samples,).

    The last time where it never does. The mean over samples of the first unknown's; times from the first.
    """
    p = predicted[:, :, 0].reshape(*predicted.shape[:2], -1)
    q = truth[:, :, 0].reshape(*truth.shape[:2], -1)
    p, q = p - p.mean(axis=2, keepdims=True), q - q.mean(axis=2, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        correlation = (p * q).sum(axis=2) / np.sqrt((p**2).sum(axis=2) * (q**2).sum(axis=2))
    lost = ~(correlation >= threshold)  # NaN counts as lost
    first = np.where(lost.any(axis=1), lost.argmax(axis=1), len(times) - 1)
    return np.asarray(times[first] - times[0])


def spectrum(values: Array) -> Array:
    """Mean over samples and times of |û_k|², k = 0, 1, …, of the first unknown along the first axis."""
    line = np.moveaxis(values[:, :, 0], 2, -1)
    power = np.abs(np.fft.rfft(line, axis=-1, norm="forward")) ** 2
    return np.asarray(power.reshape(-1, power.shape[-1]).mean(axis=0))


__all__ = ["band_errors", "conserved", "correlation_time", "metrics", "nrmse", "rmse", "spectrum", "vrmse"]
