"""Regions with known measures for the tests of samplers; they share no code with the library's own."""

import numpy as np


class Cube:
    """[lower, upper], the last coordinate being time where ``timed``."""

    def __init__(self, bounds, timed=False):
        self.bounds = np.array(bounds, dtype=float)
        self.time_axis = len(bounds) - 1 if timed else None

    def draw(self, n, rng, method="uniform"):
        lower, upper = self.bounds.T
        d = len(lower)
        if method == "even":  # a rank-1 lattice with a random shift
            roots = np.sqrt([2.0, 3.0, 5.0, 7.0, 11.0, 13.0, 17.0, 19.0, 23.0, 29.0])[:d]
            unit = (np.arange(n)[:, None] * roots + rng.random(d)) % 1.0
        else:
            unit = rng.random((n, d))
        return lower + (upper - lower) * unit

    def contains(self, points):
        lower, upper = self.bounds.T
        return ((points >= lower) & (points <= upper)).all(axis=1)


class DiskInTime(Cube):
    """The unit disk about (2, 0), and t in [1, 3]."""

    def __init__(self):
        super().__init__([(1, 3), (-1, 1), (1, 3)], timed=True)

    def draw(self, n, rng, method="uniform"):
        unit = super().draw(n, rng, method)
        radius, angle = np.sqrt((unit[:, 0] - 1) / 2), np.pi * unit[:, 1]
        return np.column_stack([2 + radius * np.cos(angle), radius * np.sin(angle), unit[:, 2]])

    def contains(self, points):
        inside = (points[:, 0] - 2) ** 2 + points[:, 1] ** 2 <= 1
        return inside & (points[:, 2] >= 1) & (points[:, 2] <= 3)


def zero(points):
    return np.zeros((1, len(points)))
