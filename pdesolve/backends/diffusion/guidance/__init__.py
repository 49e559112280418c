"""How observations act on the denoiser."""

from .event import Event
from .guidance import Guidance, Guide, Setting
from .kriging import Kriging
from .moments import DDS, Moments, PiGDM
from .particles import Particles
from .published import DPS, PublishedRule

__all__ = [
    "DDS",
    "DPS",
    "Event",
    "Guidance",
    "Guide",
    "Kriging",
    "Moments",
    "Particles",
    "PiGDM",
    "PublishedRule",
    "Setting",
]
