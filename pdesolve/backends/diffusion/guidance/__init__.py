"""How observations act on the denoiser."""

from .guidance import Guidance, Guide, Setting
from .kriging import Kriging
from .moments import DDS, Moments, PiGDM
from .published import DPS, PublishedRule

__all__ = ["DDS", "DPS", "Guidance", "Guide", "Kriging", "Moments", "PiGDM", "PublishedRule", "Setting"]
