"""Networks with jet rules, all in float64 and from a generator of their own."""

from .error import NetworkError
from .features import Features, box_features, fourier_features, fourier_of
from .linear import FactorisedLinear
from .maker import LINEAR, make_network
from .mlp import mlp
from .modified_mlp import ModifiedMLP, modified_mlp
from .pirate import PirateNet, pirate
from .readout import readout
from .separable import Separable, separable
from .waves import waves

__all__ = [
    "LINEAR",
    "FactorisedLinear",
    "Features",
    "ModifiedMLP",
    "NetworkError",
    "PirateNet",
    "Separable",
    "box_features",
    "fourier_features",
    "fourier_of",
    "make_network",
    "mlp",
    "modified_mlp",
    "pirate",
    "readout",
    "separable",
    "waves",
]
