"""Physics-informed neural networks."""

from .pinn import PINN
from .samplers import RAD
from .state import PINNState
from .subdomains import Subdomains

__all__ = ["PINN", "RAD", "PINNState", "Subdomains"]
