"""The ensemble transform Kalman filter, with localisation and inflation: the baseline of all others."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ..backends.operators.stepping.steps import Step
from .cycle import typical
from .errors import FilterOptionError
from .observation import Observations


@dataclass(frozen=True)
class EnsembleKalman:
    """Forecasts of M members, whose covariance is that of the forecast error.

    With the mean x̄, anomalies A (M rows), Z = R^{-1/2} (C A)ᵀ / √(M-1) and its Z Zᵀ = V Λ Vᵀ

        x̄ ← x̄ + Aᵀ Zᵀ V (1 + Λ)⁻¹ Vᵀ R^{-1/2} (y - C x̄) / √(M-1)
        A ← (I + Zᵀ V f(Λ) Vᵀ Z) A,       f(λ) = ((1 + λ)^{-1/2} - 1) / λ

    which is the Kalman analysis within the span of the ensemble, with the symmetric root that moves members
    least. It is written in the space of observations, so that no small eigenvalue is divided by. With
    localisation every grid point has an analysis of its own, where 1/R falls to zero with the distance by
    the function of Gaspari and Cohn.

    Args:
        members: M; 20 to 40, more than the growing directions of the system.
        inflation: anomalies of the forecast are multiplied by it, 1.0 to 1.2.
        relaxation: α in [0, 1), by which the spread of the analysis goes back towards that of the forecast at
            every grid point, σ_a ← σ_a + α (σ_f - σ_a): much where observations act, nothing elsewhere.
        localisation: half the distance at which observations cease to act; None for one analysis.

    Sources: Bishop, Etherton & Majumdar, Mon. Wea. Rev. 129 (2001) 420; Hunt, Kostelich & Szunyogh,
    Physica D 230 (2007) 112, section 2.3; Gaspari & Cohn, Q. J. R. Meteorol. Soc. 125 (1999) 723, eq. (4.10);
    Whitaker & Hamill, Mon. Wea. Rev. 140 (2012) 3078, eq. (2), for the relaxation.
    """

    members: int = 40
    inflation: float = 1.02
    relaxation: float = 0.0
    localisation: float | None = None

    def __post_init__(self) -> None:
        local = self.localisation is None or self.localisation > 0
        if self.members < 2 or not self.inflation > 0 or not 0 <= self.relaxation < 1 or not local:
            raise FilterOptionError(
                "EnsembleKalman()",
                "two members or more, positive inflation and localisation, relaxation in [0, 1)",
                f"{self.members}, {self.inflation}, {self.localisation}, {self.relaxation}",
                "Change them.",
            )

    def start(self, climatology: Tensor, batch: int, generator: torch.Generator) -> Tensor:
        """(batch, members, components, *grid)."""
        drawn = typical(climatology, batch * self.members, generator)
        return drawn.view(batch, self.members, *drawn.shape[1:])

    def forecast(self, state: Tensor, step: Step, t: float) -> Tensor:
        flat = step(state.flatten(0, 1), t)
        return flat.view(*state.shape[:2], *flat.shape[1:])

    def estimate(self, state: Tensor) -> Tensor:
        return state.mean(dim=1)

    def spread(self, state: Tensor) -> Tensor:
        """Root mean square of the anomalies of each ensemble, (batch,)."""
        return state.var(dim=1).flatten(1).mean(dim=1).sqrt()

    def analyse(self, state: Tensor, observations: Observations, values: Tensor) -> Tensor:
        batch, members, components = state.shape[:3]
        flat = state.view(batch, members, components, -1)
        mean = flat.mean(dim=1, keepdim=True)
        anomalies = self.inflation * (flat - mean)
        before = anomalies.std(dim=1, keepdim=True)
        seen = observations((mean + anomalies).view_as(state))  # (batch, members, observations)
        centre = seen.mean(dim=1)
        scale = 1 / (observations.noise * math.sqrt(members - 1))
        z = scale * (seen - centre[:, None]).transpose(1, 2)  # (batch, observations, members)
        d = scale * (values.to(state) - centre)
        if self.localisation is None:
            shift, rotation = transform(z, d)
            mean = mean + torch.einsum("bm,bmcx->bcx", shift, anomalies)[:, None]
            anomalies = torch.einsum("bnm,bmcx->bncx", rotation, anomalies)
        else:
            taper = gaspari_cohn(observations.distances() / self.localisation).sqrt().to(state)
            # (batch, grid points, observations, …): as many analyses as points
            shift, rotation = transform(z[:, None] * taper[None, :, :, None], d[:, None] * taper[None])
            mean = mean + torch.einsum("bxm,bmcx->bcx", shift, anomalies)[:, None]
            anomalies = torch.einsum("bxnm,bmcx->bncx", rotation, anomalies)
        if self.relaxation:
            after = anomalies.std(dim=1, keepdim=True)
            anomalies = anomalies * (1 + self.relaxation * (before / after - 1))
        return (mean + anomalies).view_as(state)


def transform(z: Tensor, d: Tensor) -> tuple[Tensor, Tensor]:
    """Weights of the anomalies: (…, members) for the mean, (…, members, members) for the anomalies.

    Args:
        z: (…, observations, members), anomalies in the space of observations in units of √(M-1) σ.
        d: (…, observations), the innovation in the same units.
    """
    values, vectors = torch.linalg.eigh(z @ z.transpose(-1, -2))
    values = values.clamp_min(0)
    projected = vectors.transpose(-1, -2) @ z  # Vᵀ Z
    amplitude = (vectors.transpose(-1, -2) @ d[..., None])[..., 0] / (1 + values)
    # Innovations are in units of σ √(M-1): Zᵀ of them restores the units of weights.
    shift = (projected.transpose(-1, -2) @ amplitude[..., None])[..., 0]
    root = (1 + values).sqrt()
    change = -1 / (root * (1 + root))  # ((1 + λ)^{-1/2} - 1) / λ, without its 0/0
    rotation = projected.transpose(-1, -2) @ (change[..., None] * projected)
    return shift, rotation + torch.eye(z.shape[-1], dtype=z.dtype, device=z.device)


def gaspari_cohn(r: Tensor) -> Tensor:
    """The compactly supported correlation of order five; r is the distance over half its support."""
    near = 1 + r**2 * (-5 / 3 + r * (5 / 8 + r * (1 / 2 - r / 4)))
    safe = r.clamp_min(0.5)
    far = 4 - 5 * r + r**2 * (5 / 3 + r * (5 / 8 + r * (-1 / 2 + r / 12))) - 2 / (3 * safe)
    return torch.where(r <= 1, near, torch.where(r < 2, far, torch.zeros_like(r))).clamp_min(0)


__all__ = ["EnsembleKalman", "gaspari_cohn", "transform"]
