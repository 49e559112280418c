"""Spectral methods on boxes, with an error estimate of their own.

`spectral` holds the options and chooses one of three methods (`method`), each a ladder of levels:

- `march`: evolution on boxes that are periodic all around. `evolution` reads the symbols, with `fluxes` for
  products; `constraints`, `operators` and `matrices` eliminate what has no time derivative; `fourier` and
  `discretization` are the grid; `etdrk4` and `phi` step; `run` is one integration, `trajectory` what it
  leaves, `field` the answer; `unseen` finds data that the grid misses.
- `steady`: Newton's method for everything without time.
- `transient`: Radau IIA in time (`radau`, `steps`) for all other boxes.

The last two share `levels`: `structure` counts rows, with `corners`; `axes` and `collocation` are the grid
and its equations, `factor` solves them, `grid_field` is the answer, `defect` looks at it between the points.
"""

from .spectral import Spectral

__all__ = ["Spectral"]
