"""Spectral methods on boxes, with an error estimate of their own."""

from .spectral import Spectral

__all__ = ["Spectral"]
