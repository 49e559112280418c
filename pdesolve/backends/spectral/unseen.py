"""Data that a Fourier grid cannot see: waves shorter than its spacing look like long ones, or like nothing.

Two resolutions agree on what neither sees, sin(64x) on 64 points for instance, so that their difference is no
warning. The declared functions of the coordinates are therefore sampled once on a fine grid.
"""

from __future__ import annotations

import numpy as np
import sympy as sp

from ...declare.domain import Array
from ...residual.fourier.evolution import Evolution
from ...residual.fourier.grid import FourierGrid, Spectra, power, relative, resize, tail
from ...residual.program import lower

POINTS = (4095, 525, 63)
"""Points an axis of the fine grid, by dimension; odd, so that few waves fit coarse grids and this one."""
GAP = 10.0
"""How much more than the decay of a spectrum foretells must lie beyond the modes: a kink's is seen."""
NEGLIGIBLE = 1e-12
"""Share below which it is round-off, and size, relative to the largest, of functions that are."""


class Data:
    """The spectra of the initial data, and of each term's dependence on the coordinates, on a fine grid."""

    def __init__(self, evolution: Evolution) -> None:
        bounds = evolution.problem.domain.bounds
        grid = FourierGrid.make(bounds[:-1], POINTS[len(bounds) - 2], dealias=False)
        self.dimension, self.spectra = grid.dimension, list[Spectra]()
        for values in (*_initial(evolution, grid), *_terms(evolution, grid, bounds[-1])):
            if np.isfinite(values).all():
                self.spectra.append(grid.to_modes(values)[None])

    def unseen(self, modes: int) -> float:
        """Largest share of the norm that lies beyond ``modes`` without a trace below; 0 where none does."""
        powers = [power(s, self.dimension)[0] for s in self.spectra]
        largest, least = 0.0, NEGLIGIBLE**2 * max(powers, default=0.0)
        for spectrum in self.spectra:
            whole = power(spectrum, self.dimension)
            if modes >= spectrum.shape[-1] - 1 or whole[0] <= least:
                continue
            seen = resize(spectrum, modes, self.dimension)
            rest = spectrum - resize(seen, spectrum.shape[-1] - 1, self.dimension)
            share = relative(power(rest, self.dimension), whole)
            # Of a spectrum without any low modes `tail` would be a quotient of zeros.
            trace = tail(seen, self.dimension) * relative(power(seen, self.dimension), whole)
            if share > max(NEGLIGIBLE, GAP * trace):
                largest = max(largest, share)
        return largest


def _initial(evolution: Evolution, grid: FourierGrid) -> list[Array]:
    points = np.stack([p.ravel() for p in grid.points], axis=1)
    dynamic = evolution.components[: evolution.dynamic]
    return [evolution.data.values(c, points).reshape(grid.shape) for c in dynamic]


def _terms(evolution: Evolution, grid: FourierGrid, times: Array) -> list[Array]:
    """The terms with constants for fields, at the start, in the middle and at the end."""
    coordinates = evolution.problem.coordinates
    constants = {s: sp.Rational(k + 3, k + 7) for k, s in enumerate(evolution.fields)}
    found = []
    for term in evolution.terms:
        fixed = term.xreplace(constants)
        if not fixed.free_symbols & set(coordinates[:-1]):
            continue
        function = lower(coordinates, fixed, "numpy")
        with np.errstate(all="ignore"):  # what is not finite for these constants is left out
            count = 3 if coordinates[-1] in fixed.free_symbols else 1
            for t in np.linspace(float(times[0]), float(times[1]), count):
                values = np.asarray(function(*grid.points, t), dtype=np.float64)
                found.append(np.broadcast_to(values, grid.shape))
    return found
