"""The network that the options of a PINN ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from ...declare import Problem
from ...residual.networks import LINEAR, NetworkError, make_network
from ...residual.symmetry import Parity
from ..base import BackendOptionError

if TYPE_CHECKING:
    from .pinn import PINN


def pinn_network(
    backend: PINN,
    problem: Problem,
    periodic: tuple[int, ...],
    symmetries: dict[int, Parity],
    generator: torch.Generator,
    outputs: int,
) -> nn.Module:
    """A network of so many outputs: named, or the user's own."""
    if callable(backend.network):
        return _own_network(backend, len(problem.coordinates), outputs, generator)
    options: dict[str, Any] = {
        "width": backend.width,
        "depth": backend.depth,
        "activation": backend.activation,
    }
    if backend.network in LINEAR:
        del options["depth"]
    if backend.network == "waves":
        del options["activation"]
    options |= backend.network_options
    try:
        return make_network(
            backend.network,
            problem.domain,
            outputs,
            generator,
            periodic=periodic,
            harmonics=backend.harmonics,
            parities=symmetries,
            **options,
        )
    except NetworkError as error:
        raise BackendOptionError("PINN(network_options=)", error.expected, error.got, error.remedy) from error


def _own_network(backend: PINN, d: int, k: int, generator: torch.Generator) -> nn.Module:
    """The user's module, tried at two points before any work."""
    assert callable(backend.network)
    module = backend.network(d, k, generator)
    expected = f"a maker of modules from (n, {d}) points to (n, {k}) values"
    backend.require("network", isinstance(module, nn.Module), expected)
    try:
        shape = tuple(module.to(torch.float64)(torch.zeros(2, d, dtype=torch.float64)).shape)
    except (RuntimeError, TypeError, AttributeError, ValueError) as error:
        raise BackendOptionError(
            "PINN(network=)", expected, f"an error: {error}", "Check the module's input."
        ) from error
    backend.require("network", shape == (2, k), expected)
    return module
