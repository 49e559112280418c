"""Physics-informed neural networks."""

from .pinn import PINN, PINNState
from .sampling import RAD

__all__ = ["PINN", "RAD", "PINNState"]
