"""Optimisers that any backend may use; they know functions of a vector, not PDEs."""

from .line_search import Objective, Wolfe, strong_wolfe
from .self_scaled import SelfScaled, SelfScaledState, StepReport

__all__ = ["Objective", "SelfScaled", "SelfScaledState", "StepReport", "Wolfe", "strong_wolfe"]
