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
    from .backends.diffusion import DiffusionPDE
    from .backends.fem import FEM
    from .backends.operators import FNO, DeepONet, NeuralopModel, UNet
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
        Family,
        GaussianField,
        Grid,
        Initial,
        Interval,
        LogNormal,
        LogUniform,
        MeshDomain,
        Neumann,
        Observations,
        PDESolveError,
        PDESolveWarning,
        Periodic,
        Polygon,
        Problem,
        RandomSines,
        Reference,
        Robin,
        SurfaceDomain,
        Term,
        Time,
        TwoPhase,
        Uniform,
        Value,
        coefficient,
        coordinates,
        parameter,
        unknown,
    )
    from .driver import load, solve
    from .generation import generate
    from .observing import observe
    from .problems import catalogue, family
    from .residual.program import Program
    from .solution import Solution, Status
    from .training import evaluate, train

__version__ = "0.1.0"

__all__ = [
    "FEM",
    "FNO",
    "PINN",
    "Box",
    "Condition",
    "DeclarationError",
    "DeepONet",
    "DiffusionPDE",
    "Dirichlet",
    "Disk",
    "Domain",
    "Ellipse",
    "Family",
    "GaussianField",
    "Grid",
    "Initial",
    "Interval",
    "LogNormal",
    "LogUniform",
    "MeshDomain",
    "Neumann",
    "NeuralopModel",
    "Observations",
    "PDESolveError",
    "PDESolveWarning",
    "Periodic",
    "Polygon",
    "Problem",
    "Program",
    "RandomSines",
    "Reference",
    "Robin",
    "Solution",
    "Spectral",
    "Status",
    "SurfaceDomain",
    "Term",
    "Time",
    "TwoPhase",
    "UNet",
    "Uniform",
    "Value",
    "__version__",
    "catalogue",
    "coefficient",
    "coordinates",
    "evaluate",
    "family",
    "generate",
    "load",
    "observe",
    "parameter",
    "solve",
    "train",
    "unknown",
]

_ELSEWHERE = {
    "DeepONet": ".backends.operators",
    "DiffusionPDE": ".backends.diffusion",
    "FEM": ".backends.fem",
    "FNO": ".backends.operators",
    "NeuralopModel": ".backends.operators",
    "PINN": ".backends.pinn",
    "Program": ".residual.program",
    "Solution": ".solution",
    "Spectral": ".backends.spectral",
    "Status": ".solution",
    "UNet": ".backends.operators",
    "catalogue": ".problems",
    "evaluate": ".training",
    "family": ".problems",
    "generate": ".generation",
    "load": ".driver",
    "observe": ".observing",
    "solve": ".driver",
    "train": ".training",
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
