"""What the options of `PINN` must be, checked when it is made."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, get_args

from ...optimize import SOAP, Optimizer
from ...residual.activations import ACTIVATIONS
from ...residual.networks.maker import NETWORKS
from ..base import BackendOptionError
from ..slabs import is_slabs
from .balance import Balance
from .choice import OPTIMIZERS, SAMPLERS
from .samplers import Sampler
from .subdomains import Subdomains

if TYPE_CHECKING:
    from .pinn import PINN


def check_options(backend: PINN) -> None:
    """Raise `BackendOptionError` for the first option that makes no sense."""
    backend.require_count("width", "depth", "harmonics", "points_boundary")
    if backend.points is not None:
        backend.require_count("points")
    if backend.adam_steps is not None:
        backend.require_count("adam_steps", least=0)
    backend.require_positive("learning_rate", "condition_weight")
    backend.require("activation", backend.activation in ACTIVATIONS, f"one of {', '.join(ACTIVATIONS)}")
    known = ("auto", *OPTIMIZERS)
    holds = isinstance(backend.optimizer, Optimizer) or backend.optimizer in known
    backend.require("optimizer", holds, f"one of {', '.join(known)}, or an Optimizer")
    wants_soap = backend.optimizer == "soap" or isinstance(backend.optimizer, SOAP)
    if wants_soap and importlib.util.find_spec("pytorch_optimizer") is None:
        raise BackendOptionError(
            "PINN(optimizer=)",
            "the package pytorch-optimizer for 'soap'",
            "an environment without it",
            "pip install 'pdesolve[soap]'.",
        )
    holds = backend.sampler is None or isinstance(backend.sampler, Sampler) or backend.sampler in SAMPLERS
    backend.require("sampler", holds, f"one of {', '.join(SAMPLERS)}, a Sampler, or None")
    backend.require("symmetry", isinstance(backend.symmetry, bool), "True or False")
    backend.require(
        "balance", backend.balance in (None, *get_args(Balance)), "None, 'gradient-norm' or 'ntk'"
    )
    backend.require("compile", backend.compile in (True, False, "auto"), "True, False or 'auto'")
    expected = "a whole number of at least 1, increasing times at which slabs meet, or 'auto'"
    backend.require("slabs", is_slabs(backend.slabs), expected)
    backend.require("frame", backend.frame in ("eulerian", "lagrangian"), "'eulerian' or 'lagrangian'")
    holds = backend.subdomains is None or isinstance(backend.subdomains, Subdomains)
    backend.require("subdomains", holds, "Subdomains or None")
    holds = backend.subdomains is None or backend.frame == "eulerian"
    backend.require("frame", holds, "'eulerian' where subdomains are given")
    backend.require("stream_function", isinstance(backend.stream_function, bool), "True or False")
    alone = backend.subdomains is None and backend.frame == "eulerian" and backend.slabs in ("auto", 1)
    expected = "False with slabs, subdomains or another frame"
    backend.require("stream_function", not backend.stream_function or alone, expected)
    backend.require("periodicity", backend.periodicity in ("exact", "rows"), "'exact' or 'rows'")
    expected = "'exact' with subdomains, a stream function or another frame"
    plain = not backend.subdomains and backend.frame == "eulerian" and not backend.stream_function
    backend.require("periodicity", backend.periodicity == "exact" or plain, expected)
    holds = callable(backend.network) or backend.network in NETWORKS
    backend.require("network", holds, f"one of {', '.join(NETWORKS)}, or a maker of modules")
