"""pdesolve: declare a PDE once, in symbols; solve it by interchangeable backends.

>>> import pdesolve as pde
>>> heat = pde.catalogue("heat")                                            # doctest: +SKIP
>>> solution = pde.solve(heat, "spectral")                                  # doctest: +SKIP

Public names are imported when they are first used, so that ``import pdesolve`` is quick and changes
nothing in the process.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .backends.fem import FEM
    from .backends.pinn import PINN
    from .backends.spectral import Spectral
    from .declare import (
        Box,
        Condition,
        DeclarationError,
        Dirichlet,
        Disk,
        Domain,
        Ellipse,
        Grid,
        Initial,
        Interval,
        MeshDomain,
        Neumann,
        Observations,
        PDESolveError,
        PDESolveWarning,
        Periodic,
        Polygon,
        Problem,
        Reference,
        Robin,
        SurfaceDomain,
        Term,
        Time,
        Value,
        coordinates,
        parameter,
        unknown,
    )
    from .driver import load, solve
    from .problems import catalogue
    from .residual.program import Program
    from .solution import Solution, Status

__version__ = "0.1.0"

__all__ = [
    "FEM",
    "PINN",
    "Box",
    "Condition",
    "DeclarationError",
    "Dirichlet",
    "Disk",
    "Domain",
    "Ellipse",
    "Grid",
    "Initial",
    "Interval",
    "MeshDomain",
    "Neumann",
    "Observations",
    "PDESolveError",
    "PDESolveWarning",
    "Periodic",
    "Polygon",
    "Problem",
    "Program",
    "Reference",
    "Robin",
    "Solution",
    "Spectral",
    "Status",
    "SurfaceDomain",
    "Term",
    "Time",
    "Value",
    "__version__",
    "catalogue",
    "coordinates",
    "load",
    "parameter",
    "solve",
    "unknown",
]

_ELSEWHERE = {
    "FEM": ".backends.fem",
    "PINN": ".backends.pinn",
    "Program": ".residual.program",
    "Solution": ".solution",
    "Spectral": ".backends.spectral",
    "Status": ".solution",
    "catalogue": ".problems",
    "load": ".driver",
    "solve": ".driver",
}
"""Where each public name comes from; the others come from ``.declare``."""


def __getattr__(name: str) -> Any:
    # Names that are not public must not be looked up: `import pdesolve.backends` asks for them, too.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_ELSEWHERE.get(name, ".declare"), __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
