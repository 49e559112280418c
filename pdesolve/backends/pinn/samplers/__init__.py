"""How collocation points are chosen, and how they count."""

from .aas import AAS
from .causal import Causal
from .causal_r3 import CausalR3
from .das import DAS
from .fixed import Fixed
from .r3 import R3
from .rad import RAD
from .rar import RARD, RARG
from .sampler import PointSet, Region, ResidualAt, Sampler
from .space_filling import LatinHypercube, Sobol
from .uniform import Uniform
from .vrba import VRBA

__all__ = [
    "AAS",
    "DAS",
    "R3",
    "RAD",
    "RARD",
    "RARG",
    "VRBA",
    "Causal",
    "CausalR3",
    "Fixed",
    "LatinHypercube",
    "PointSet",
    "Region",
    "ResidualAt",
    "Sampler",
    "Sobol",
    "Uniform",
]
