"""Flow matching and diffusion are one: times, noise levels, velocities and denoisers.

A rectified flow follows x_t = (1 - t) x₀ + t ε from data (t = 0) to noise (t = 1), with the velocity
v(x_t; t) = E[ε - x₀ | x_t] (Lipman et al., ICLR 2023, arXiv:2210.02747; Liu et al., arXiv:2209.03003).
Divided by 1 - t it is x = x₀ + σ ε with σ = t/(1 - t), and D = x_t - t v.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from .sampler import Denoise

Velocity = Callable[[Tensor, float], Tensor]
"""Maps (x_t, t) to v(x_t; t) = E[ε - x₀ | x_t]."""


def flow_time(sigma: float) -> float:
    """t = σ/(1 + σ)."""
    return sigma / (1.0 + sigma)


def noise_level(t: float) -> float:
    """σ = t/(1 - t), for t < 1."""
    return t / (1.0 - t)


def denoiser_from_velocity(velocity: Velocity) -> Denoise:
    """D(x; σ) = x_t - t v(x_t; t) with x_t = x/(1 + σ): any sampler can use a flow network."""

    def denoise(x: Tensor, sigma: float) -> Tensor:
        t = flow_time(sigma)
        state = x / (1.0 + sigma)
        return state - t * velocity(state, t)

    return denoise


def velocity_from_denoiser(denoise: Denoise) -> Velocity:
    """v(x_t; t) = (x_t - D(x; σ))/t with x = x_t/(1 - t), for 0 < t < 1."""

    def velocity(state: Tensor, t: float) -> Tensor:
        return (state - denoise(state / (1.0 - t), noise_level(t))) / t

    return velocity
