"""Physics-informed neural networks."""

from .pinn import PINN, PINNState
from .samplers import RAD
from .subdomains import Subdomains

__all__ = ["PINN", "RAD", "PINNState", "Subdomains"]
