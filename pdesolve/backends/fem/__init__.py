"""Finite elements on triangles and tetrahedra, with weak forms derived from the declaration."""

from .fem import FEM
from .field import FEMField

__all__ = ["FEM", "FEMField"]
