"""Gaussian processes with mixture kernels: `GP`, and `GPHM` as published."""

from .gp import GP
from .gp_hm import GPHM

__all__ = ["GP", "GPHM"]
