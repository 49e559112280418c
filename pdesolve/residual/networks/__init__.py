"""Networks with jet rules, all in float64 and from a generator of their own."""

from .features import Features, box_features, fourier_features, fourier_of
from .linear import FactorisedLinear
from .maker import NetworkError, make_network
from .mlp import mlp
from .readout import readout

__all__ = [
    "FactorisedLinear",
    "Features",
    "NetworkError",
    "box_features",
    "fourier_features",
    "fourier_of",
    "make_network",
    "mlp",
    "readout",
]
