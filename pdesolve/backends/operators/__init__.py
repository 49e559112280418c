"""Neural operators: networks from inputs to solutions, trained on families of problems."""

from .deeponet import DeepONet
from .fno import FNO
from .neuralop import NeuralopModel
from .operator import NeuralOperator
from .unet import UNet

__all__ = ["FNO", "DeepONet", "NeuralOperator", "NeuralopModel", "UNet"]
