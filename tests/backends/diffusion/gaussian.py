"""A Gaussian prior of known covariance, whose denoiser and flow are known in closed form."""

import torch

from pdesolve.backends.diffusion.samplers import Trajectory, proceed


class Gaussian:
    """N(mean, Q diag(c) Qᵀ) over vectors of len(c) numbers, as fields (samples, 1, len(c))."""

    def __init__(self, variances, mean=0.0, seed=0):
        self.variances = torch.as_tensor(variances, dtype=torch.float64)
        generator = torch.Generator().manual_seed(seed)
        square = torch.randn(2 * (len(variances),), generator=generator, dtype=torch.float64)
        self.modes = torch.linalg.qr(square).Q
        self.mean = mean + torch.zeros(len(variances), dtype=torch.float64)
        self.covariance = self.modes * self.variances @ self.modes.T

    def filter(self, x, f):
        """f(C) x."""
        return x @ self.modes * f(self.variances) @ self.modes.T

    def denoise(self, x, sigma):
        """E[x0 | x] = m + C (C + σ²)⁻¹ (x - m)."""
        return self.mean + self.filter(x - self.mean, lambda c: c / (c + sigma**2))

    def flow(self, x, high, low):
        """The exact solution of dx/dσ = (x - D)/σ from high to low."""
        return self.mean + self.filter(x - self.mean, lambda c: ((c + low**2) / (c + high**2)).sqrt())

    def start(self, n, sigma, seed=1):
        """Noisy data (n, 1, d)."""
        generator = torch.Generator().manual_seed(seed)
        z = torch.randn((n, 1, len(self.mean)), generator=generator, dtype=torch.float64)
        return self.mean + self.filter(z, lambda c: (c + sigma**2).sqrt())


class Impulses(Trajectory):
    """Noise that comes alone: draw number k is one in every mode of sample k, and zero in all others."""

    def noise(self):
        self.draws += 1
        z = torch.zeros_like(self.x)
        z[self.draws] = self.ones
        return z


def discrete_law(sampler, data, levels):
    """Mean and variances of the modes of what the sampler makes of normal numbers, free of Monte Carlo.

    With a linear denoiser x is linear in all the noise that went in, and its variance the sum of the squares
    of the responses, one sample for each. The start has the exact variance and the mean zero.
    """
    draws = len(levels) * sampler.evaluations_per_step  # at most
    x = torch.zeros((draws + 2, 1, len(data.mean)), dtype=torch.float64)
    x[0] = data.modes @ (data.variances + levels[0] ** 2).sqrt()
    run = Impulses(x, 0, 0, torch.Generator())
    run.draws, run.ones = 0, data.modes.sum(dim=1)
    made = proceed(sampler, run, data.denoise, levels)[:, 0]
    response = (made[:-1] - made[-1]) @ data.modes
    return made[-1], (response**2).sum(dim=0)
