"""Frequencies that residuals hold: the peaks of their spectra along one axis."""

from __future__ import annotations

import math

import numpy as np
from scipy import signal

from ...declare.domain import Array

RESOLUTION = 2 * math.pi
"""Half width of the main lobe of Hann's window, as an angular frequency on [-1, 1]."""

_PADDING = 8
_FLOOR = 0.04  # of the amplitude of the strongest peak: Hann's side lobes reach 0.03


def peaks(values: Array, most: int, is_periodic: bool = False) -> list[float]:
    """Angular frequencies on [-1, 1] of the highest peaks, the strongest first.

    Args:
        values: (n, m): m signals at n equally spaced points, both ends included (periodic: without the last).
        most: number of peaks at most.
        is_periodic: whole multiples of π only, without a window.
    """
    n = len(values)
    if not values.any():
        return []
    window = 1.0 if is_periodic else signal.windows.hann(n + 2)[1:-1, None]
    length = n if is_periodic else _PADDING * n
    power = np.square(np.abs(np.fft.rfft(window * values, length, axis=0))).sum(axis=1)
    floor = _FLOOR**2 * power.max()
    if is_periodic:
        found = np.flatnonzero(power > floor)
        return [math.pi * float(k) for k in found[np.argsort(-power[found])][:most]]
    inner, _ = signal.find_peaks(power, height=floor, distance=2 * _PADDING)
    found = np.concatenate([[0], inner]) if power[0] > max(power[1], floor) else inner
    logarithm, bin_width = np.log(power + 1e-300), math.pi * (n - 1) / length
    return [bin_width * _vertex(logarithm, int(i)) for i in found[np.argsort(-power[found])][:most]]


def _vertex(heights: Array, i: int) -> float:
    """The place of the maximum of the parabola through a peak and its neighbours."""
    if not 0 < i < len(heights) - 1:
        return float(i)
    left, middle, right = heights[i - 1 : i + 2]
    bend = left - 2 * middle + right
    return i + (0.5 * float((left - right) / bend) if bend < 0 else 0.0)
