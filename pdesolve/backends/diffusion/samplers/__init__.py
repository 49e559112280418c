"""How noise becomes a sample, given a denoiser: solvers of the reverse equations of diffusion."""

from .ddim import DDIM
from .deis import DEIS
from .dpm_solver import DPMSolver
from .flow_matching import FlowMatching
from .gaussian_exponential import Filter, GaussianExponential
from .heun import Heun
from .predictor_corrector import PredictorCorrector
from .sampler import Denoise, Sampler, Trajectory, proceed, sample
from .stochastic_interpolant import StochasticInterpolant
from .unipc import UniPC
from .velocity import Velocity, denoiser_from_velocity, flow_time, noise_level, velocity_from_denoiser

SAMPLERS: dict[str, type[Sampler]] = {
    kind.name: kind
    for kind in (
        Heun,
        DDIM,
        DPMSolver,
        DEIS,
        UniPC,
        GaussianExponential,
        FlowMatching,
        StochasticInterpolant,
        PredictorCorrector,
    )
}
"""Samplers by name."""

__all__ = [
    "DDIM",
    "DEIS",
    "SAMPLERS",
    "DPMSolver",
    "Denoise",
    "Filter",
    "FlowMatching",
    "GaussianExponential",
    "Heun",
    "PredictorCorrector",
    "Sampler",
    "StochasticInterpolant",
    "Trajectory",
    "UniPC",
    "Velocity",
    "denoiser_from_velocity",
    "flow_time",
    "noise_level",
    "proceed",
    "sample",
    "velocity_from_denoiser",
]
