"""Monotone rational-quadratic splines of the unit interval onto itself.

Gregory & Delbourgo, IMA J. Numer. Anal. 2 (1982) 123; as layers of a flow: Durkan, Bekasov, Murray &
Papamakarios, NeurIPS 2019 (arXiv:1906.04032). In a bin of width w and height h, with s = h/w, ξ = (x - x_k)/w
and slopes δ at its ends,

    y = y_k + h (s ξ² + δ_k ξ(1-ξ)) / (s + (δ_{k+1} + δ_k - 2s) ξ(1-ξ)).

Parameters (..., 3K + 1): K logits of widths, K of heights, and K + 1 logarithms of slopes relative to the
geometric mean of the slopes of the two bins that meet. All zero gives the identity.
"""

from __future__ import annotations

import torch
from torch import Tensor

_SMALLEST = 1e-4  # least width and height of a bin, so that slopes stay between 1e-4 and 1e4


def parameter_count(bins: int) -> int:
    return 3 * bins + 1


def spline(x: Tensor, parameters: Tensor, inverse: bool = False) -> tuple[Tensor, Tensor]:
    """y and ln dy/dx of ``x`` in [0, 1], both of the shape of x; ``parameters`` (*x.shape, 3K + 1).

    ``inverse`` solves for x instead: returns x and ln dx/dy of the points y.
    """
    bins = (parameters.shape[-1] - 1) // 3
    raw_width, raw_height, raw_slope = torch.split(parameters, [bins, bins, bins + 1], dim=-1)
    width, height = _shares(raw_width), _shares(raw_height)
    steepness = torch.log(height / width)
    ends = steepness[..., :1], steepness[..., -1:]
    between = (steepness[..., 1:] + steepness[..., :-1]) / 2
    slope = torch.exp(torch.cat([ends[0], between, ends[1]], dim=-1) + raw_slope)
    left, bottom = _edges(width), _edges(height)

    x = x.clamp(0.0, 1.0)
    edges = (bottom if inverse else left).detach()
    k = (x[..., None] >= edges[..., 1:-1]).sum(dim=-1, keepdim=True)

    def at(values: Tensor, index: Tensor = k) -> Tensor:
        return values.gather(-1, index).squeeze(-1)

    w, h, x0, y0 = at(width), at(height), at(left), at(bottom)
    s, d0, d1 = h / w, at(slope), at(slope, k + 1)
    bend = d0 + d1 - 2 * s
    if inverse:
        rise = x - y0
        a, b, c = h * (s - d0) + rise * bend, h * d0 - rise * bend, -s * rise
        root = torch.sqrt((b * b - 4 * a * c).clamp_min(0.0))
        xi = (2 * c / (-b - root)).clamp(0.0, 1.0)
    else:
        xi = ((x - x0) / w).clamp(0.0, 1.0)
    mixed = xi * (1 - xi)
    denominator = s + bend * mixed
    top = d1 * xi * xi + 2 * s * mixed + d0 * (1 - xi) ** 2
    log_slope = 2 * torch.log(s) + torch.log(top) - 2 * torch.log(denominator)
    if inverse:
        return (x0 + xi * w).clamp(0.0, 1.0), -log_slope
    return (y0 + h * (s * xi * xi + d0 * mixed) / denominator).clamp(0.0, 1.0), log_slope


def _shares(logits: Tensor) -> Tensor:
    """Positive numbers that sum to one."""
    bins = logits.shape[-1]
    return _SMALLEST + (1 - bins * _SMALLEST) * torch.softmax(logits, dim=-1)


def _edges(widths: Tensor) -> Tensor:
    """0 and the cumulative sums, the last of which is exactly one."""
    inner = torch.cumsum(widths[..., :-1], dim=-1)
    zero = torch.zeros_like(widths[..., :1])
    return torch.cat([zero, inner, zero + 1], dim=-1)
