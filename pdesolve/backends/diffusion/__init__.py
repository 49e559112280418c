"""Generative priors: DiffusionPDE and what it is made of."""

from .diffusion import DiffusionPDE
from .guidance import DDS, DPS, Event, Kriging, Moments, Particles, PiGDM, PublishedRule
from .randomised import RandomisedLikelihood
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
    "Event",
    "FlowMatching",
    "GaussianExponential",
    "Heun",
    "Kriging",
    "Moments",
    "Particles",
    "PiGDM",
    "PredictorCorrector",
    "PublishedRule",
    "RandomisedLikelihood",
    "StochasticInterpolant",
    "UniPC",
]
