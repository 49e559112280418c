"""How collocation points are chosen."""

from .density import RAD
from .sampler import PointSet, Region, ResidualAt, Sampler

__all__ = ["RAD", "PointSet", "Region", "ResidualAt", "Sampler"]
