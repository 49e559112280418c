"""Networks from fields on uniform grids to fields, which know tensors alone.

All of them are called as ``network(fields, parameters)``, with fields (batch, channels_in, *grid) and numbers
of each sample (batch, p), or None, and give (batch, channels_out, *grid).
"""

from .deeponet import DeepONet
from .fno import FNO
from .resampling import resample
from .spectral import SpectralLayer
from .transforms import Kind, analyse, synthesise
from .unet import UNet

__all__ = ["FNO", "DeepONet", "Kind", "SpectralLayer", "UNet", "analyse", "resample", "synthesise"]
