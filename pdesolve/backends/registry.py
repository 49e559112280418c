"""Backends by name, imported when they are used."""

from __future__ import annotations

import importlib
from dataclasses import fields
from typing import Any

from ..declare.errors import PDESolveError
from .base import Backend, BackendOptionError

BACKENDS = {
    "deeponet": "pdesolve.backends.operators:DeepONet",
    "deepxde": "pdesolve.backends.deepxde:DeepXDE",
    "diffusion": "pdesolve.backends.diffusion:DiffusionPDE",
    "fem": "pdesolve.backends.fem:FEM",
    "fno": "pdesolve.backends.operators:FNO",
    "gp": "pdesolve.backends.gp:GP",
    "gp-hm": "pdesolve.backends.gp:GPHM",
    "gp-oracle": "pdesolve.backends.oracle:GPOracle",
    "neuralop": "pdesolve.backends.operators:NeuralopModel",
    "pinn": "pdesolve.backends.pinn:PINN",
    "spectral": "pdesolve.backends.spectral:Spectral",
    "teng": "pdesolve.backends.teng:TENG",
    "unet": "pdesolve.backends.operators:UNet",
}
"""Name and ``module:class`` of each backend."""


class UnknownBackendError(PDESolveError):
    """No backend has this name."""


def backend_class(name: str) -> type[Backend]:
    """The class of a backend.

    Raises:
        UnknownBackendError: no backend has this name.
    """
    if name not in BACKENDS:
        raise UnknownBackendError(
            "backend", f"one of {', '.join(BACKENDS)}", repr(name), "See `pdesolve backends`."
        )
    module, _, attribute = BACKENDS[name].partition(":")
    return getattr(importlib.import_module(module), attribute)  # type: ignore[no-any-return]


def option_names(name: str) -> tuple[str, ...]:
    """The options of a backend, in declared order."""
    return tuple(f.name for f in fields(backend_class(name)) if f.init)  # type: ignore[arg-type]


def make_backend(name: str, **options: Any) -> Backend:
    """A backend with options set.

    Raises:
        UnknownBackendError: no backend has this name.
        BackendOptionError: an option is unknown, or has a wrong value.
    """
    known = option_names(name)
    wrong = [key for key in options if key not in known]
    if wrong:
        raise BackendOptionError(
            f"backend {name!r}",
            f"options among {', '.join(known)}",
            ", ".join(wrong),
            "See `pdesolve backends`.",
        )
    return backend_class(name)(**options)
