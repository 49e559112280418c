"""Names of optimisers and samplers, and the choice of an optimiser where the user leaves it open."""

from __future__ import annotations

from collections.abc import Callable

from ...optimize import LBFGS, SOAP, Adam, GaussNewton, Optimizer, SelfScaled
from .samplers import (
    AAS,
    DAS,
    R3,
    RAD,
    RARD,
    RARG,
    VRBA,
    Causal,
    CausalR3,
    Fixed,
    LatinHypercube,
    Sampler,
    Sobol,
    Uniform,
)
from .subdomains import Subdomains

OPTIMIZERS: dict[str, Callable[[], Optimizer]] = {
    "gauss-newton": GaussNewton,
    "ssbroyden2": lambda: SelfScaled("ssbroyden2"),
    "ssbroyden1": lambda: SelfScaled("ssbroyden1"),
    "ssbfgs": lambda: SelfScaled("ssbfgs"),
    "bfgs": lambda: SelfScaled("bfgs"),
    "lbfgs": LBFGS,
    "adam": Adam,
    "soap": SOAP,
}

_SAMPLER_KINDS = (
    Fixed,
    Uniform,
    LatinHypercube,
    Sobol,
    RAD,
    RARG,
    RARD,
    R3,
    CausalR3,
    Causal,
    VRBA,
    DAS,
    AAS,
)

SAMPLERS: dict[str, type[Sampler]] = {kind.name: kind for kind in _SAMPLER_KINDS}

OPTION_KINDS: tuple[type, ...] = (*_SAMPLER_KINDS, GaussNewton, SelfScaled, LBFGS, Adam, SOAP, Subdomains)
"""Classes of objects that `PINN` takes as options."""

_GAUSS_NEWTON = 2500
_DENSE = 6000


_LINEAR = GaussNewton(damping=1e-10, factor=10.0, patience=3, least_gain=0.1)
"""For networks that are linear in their parameters: nearly undamped, and soon over.

Without damping the first step may go to coefficients so large that round-off decides from then on.
"""


def choose_optimizer(
    parameters: int, is_double: bool, has_rules: bool, is_linear: bool = False
) -> tuple[Optimizer, str]:
    """The optimiser that "auto" stands for, and the reason in words.

    Gauss-Newton's step costs rows times p² flops and repays them up to a few thousand parameters; a dense
    quasi-Newton matrix has p² numbers; single precision loses the curvature that both live on.
    """
    if not is_double:
        return Adam(), "single precision has too few digits for curvature"
    if not has_rules:
        return SelfScaled("ssbroyden2"), "the module has no jet rules, so that Jacobian rows are costly"
    if is_linear and parameters <= _DENSE:
        return _LINEAR, f"the network is linear in its {parameters} parameters"
    if parameters <= _GAUSS_NEWTON:
        return GaussNewton(), f"{parameters} parameters in double precision"
    if parameters <= _DENSE:
        return SelfScaled("ssbroyden2"), f"{parameters} parameters are many for Gauss-Newton"
    return LBFGS(), f"{parameters} parameters are too many for a dense matrix"
