"""Neural operators: networks from inputs to solutions, trained on families of problems."""

from .fno import FNO
from .operator import NeuralOperator

__all__ = ["FNO", "NeuralOperator"]
