"""Optimisers that any backend may use; they know functions of a vector, not PDEs."""

from .first_order import SOAP, Adam, FirstOrder, FirstOrderState
from .gauss_newton import GaussNewton, GaussNewtonState
from .lbfgs import LBFGS, LBFGSState
from .line_search import Wolfe, strong_wolfe
from .optimizer import LeastSquares, Objective, Optimizer, StepReport
from .self_scaled import SelfScaled, SelfScaledState

__all__ = [
    "LBFGS",
    "SOAP",
    "Adam",
    "FirstOrder",
    "FirstOrderState",
    "GaussNewton",
    "GaussNewtonState",
    "LBFGSState",
    "LeastSquares",
    "Objective",
    "Optimizer",
    "SelfScaled",
    "SelfScaledState",
    "StepReport",
    "Wolfe",
    "strong_wolfe",
]
