"""Gaussian processes with spectral-mixture kernels."""

from .gp import GP

__all__ = ["GP"]
