"""Physics-informed neural networks."""

from .pinn import PINN, PINNState
from .samplers import RAD

__all__ = ["PINN", "RAD", "PINNState"]
