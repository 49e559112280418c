"""Time derivatives as labels: exact from the symbols, or by differences of stored frames."""

from __future__ import annotations

import torch
from torch import Tensor

from ....declare.errors import PDESolveError
from ....residual.fourier.semilinear import Semilinear

STENCIL = 2
"""Frames on either side that `differences` needs."""
PIECE = 2048
"""States that rates are computed of at a time."""


class StencilError(PDESolveError):
    """There are too few frames for differences."""


def rates(system: Semilinear, states: Tensor, linear: bool) -> Tensor:
    """û' of states (n, components, *modes), as declared; without L û where ``linear`` is False.

    There is no error from the spacing of the frames. Noise of the data is amplified by the derivatives in
    the equations.
    """
    function = system.rate if linear else system.nonlinear
    return torch.cat([function(piece, 0.0) for piece in torch.split(states, PIECE)])


def differences(frames: Tensor, spacing: float) -> Tensor:
    """u_t of equally spaced frames (n, times, …) in the order O(Δt⁴), without the two frames at either end.

        u_t ≈ (4/3)(u₊₁ - u₋₁)/(2Δt) - (1/3)(u₊₂ - u₋₂)/(4Δt)

    the Richardson extrapolation of central differences (Zhou & Barati Farimani, arXiv 2412.13074, section 3).
    For data whose equations are not known.
    """
    count = frames.shape[1]
    if count <= 2 * STENCIL:
        raise StencilError(
            "differences()", f"more than {2 * STENCIL} frames", f"{count}", "Store more of them."
        )
    near = frames[:, 3 : count - 1] - frames[:, 1 : count - 3]
    far = frames[:, 4:] - frames[:, : count - 4]
    return (8 * near - far) / (12 * spacing)


def rms(states: Tensor) -> Tensor:
    """Root mean square of each component of series (n, components, *modes), over members and space."""
    squares = states.real**2 + states.imag**2
    squares[..., 1:] *= 2  # stored modes with k > 0 on the last axis stand for their conjugates too
    return squares.flatten(2).sum(dim=2).mean(dim=0).sqrt()


__all__ = ["STENCIL", "StencilError", "differences", "rates", "rms"]
