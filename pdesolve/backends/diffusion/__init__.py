"""Generative priors: DiffusionPDE and what it is made of."""

from .diffusion import DiffusionPDE
from .guidance import DDS, DPS, Kriging, Moments, PiGDM, PublishedRule
from .samplers import (
    DDIM,
    DEIS,
    DPMSolver,
    FlowMatching,
    GaussianExponential,
    Heun,
    PredictorCorrector,
    StochasticInterpolant,
    UniPC,
)

__all__ = [
    "DDIM",
    "DDS",
    "DEIS",
    "DPS",
    "DPMSolver",
    "DiffusionPDE",
    "FlowMatching",
    "GaussianExponential",
    "Heun",
    "Kriging",
    "Moments",
    "PiGDM",
    "PredictorCorrector",
    "PublishedRule",
    "StochasticInterpolant",
    "UniPC",
]
