"""Fourier pseudo-spectral method on periodic boxes, with its own error estimate."""

from .spectral import Spectral

__all__ = ["Spectral"]
