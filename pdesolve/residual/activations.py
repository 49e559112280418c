"""Activations and their derivatives of any order, which the chain rule on jets needs.

Each entry of `ACTIVATIONS` maps a name to a module and a function ``(a, order) -> [σ(a), σ'(a), …]``. Where σ
solves a first-order equation σ' = P(σ), as tanh and the logistic function do, all derivatives are
polynomials in σ: D^(k+1) = P · dD^k/dσ.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor, nn

Derivatives = Callable[[Tensor, int], list[Tensor]]


class Sine(nn.Module):
    """σ(a) = sin(a)."""

    def forward(self, a: Tensor) -> Tensor:
        return torch.sin(a)


class Gaussian(nn.Module):
    """σ(a) = exp(-a²/2)."""

    def forward(self, a: Tensor) -> Tensor:
        return torch.exp(-0.5 * a * a)


@cache
def _chain_polynomials(law: tuple[float, ...], order: int) -> tuple[tuple[float, ...], ...]:
    """Coefficients (lowest first) of σ, σ', … as polynomials in σ, where σ' = Σ law_j σ^j."""
    rows: list[tuple[float, ...]] = [(0.0, 1.0)]
    for _ in range(order):
        slope = [j * c for j, c in enumerate(rows[-1])][1:]
        product = [0.0] * (len(slope) + len(law) - 1)
        for i, a in enumerate(slope):
            for j, b in enumerate(law):
                product[i + j] += a * b
        rows.append(tuple(product))
    return tuple(rows)


def _horner(coefficients: Sequence[float], x: Tensor) -> Tensor:
    value: Tensor | float = 0.0
    for c in reversed(coefficients):
        # Zero and constant partial sums stay Python floats: no tensor is made for them.
        value = c if isinstance(value, float) and value == 0.0 else value * x + c if c else value * x
    return value if isinstance(value, Tensor) else torch.full_like(x, value)


_TANH_LAW = (1.0, 0.0, -1.0)
_LOGISTIC_LAW = (0.0, 1.0, -1.0)


def _from_law(function: Callable[[Tensor], Tensor], law: tuple[float, ...]) -> Derivatives:
    def derivatives(a: Tensor, order: int) -> list[Tensor]:
        value = function(a)
        return [value] + [_horner(p, value) for p in _chain_polynomials(law, order)[1:]]

    return derivatives


_sigmoid = _from_law(torch.sigmoid, _LOGISTIC_LAW)


def sine(a: Tensor, order: int) -> list[Tensor]:
    """sin(a) and its derivatives."""
    sin, cos = torch.sin(a), torch.cos(a)
    return [(sin, cos, -sin, -cos)[k % 4] for k in range(order + 1)]


def cosine(a: Tensor, order: int) -> list[Tensor]:
    """cos(a) and its derivatives."""
    return sine(a, order + 1)[1:]


def _softplus(a: Tensor, order: int) -> list[Tensor]:
    # ln(1 + e^a) with derivative σ(a); logaddexp is stable at both ends.
    value = torch.logaddexp(a, torch.zeros_like(a))
    return [value, *_sigmoid(a, max(order - 1, 0))][: order + 1]


def _silu(a: Tensor, order: int) -> list[Tensor]:
    # (a σ)^(k) = a σ^(k) + k σ^(k-1)
    s = _sigmoid(a, order)
    return [a * s[0]] + [a * s[k] + k * s[k - 1] for k in range(1, order + 1)]


def _gelu(a: Tensor, order: int) -> list[Tensor]:
    # (a Φ)^(k) = a Φ^(k) + k Φ^(k-1), where Φ^(k) = (-1)^(k-1) He_(k-1)(a) φ(a)
    density = torch.exp(-0.5 * a * a) / math.sqrt(2 * math.pi)
    phi = [0.5 * (1 + torch.erf(a / math.sqrt(2))), density]
    for k in range(2, order + 1):
        # φ' = -a φ gives Φ^(k) = -a Φ^(k-1) - (k-2) Φ^(k-2) for k >= 3
        phi.append(-a * phi[-1] - ((k - 2) * phi[-2] if k > 2 else 0.0))
    return [a * phi[0]] + [a * phi[k] + k * phi[k - 1] for k in range(1, order + 1)]


def _gaussian(a: Tensor, order: int) -> list[Tensor]:
    # σ' = -a σ gives σ^(k) = -a σ^(k-1) - (k-1) σ^(k-2)
    values = [torch.exp(-0.5 * a * a)]
    for k in range(1, order + 1):
        values.append(-a * values[-1] - ((k - 1) * values[-2] if k > 1 else 0.0))
    return values


class Activation(NamedTuple):
    """A module and the function that gives σ and its derivatives."""

    module: type[nn.Module]
    derivatives: Derivatives


ACTIVATIONS = {
    "tanh": Activation(nn.Tanh, _from_law(torch.tanh, _TANH_LAW)),
    "sigmoid": Activation(nn.Sigmoid, _sigmoid),
    "sin": Activation(Sine, sine),
    "softplus": Activation(nn.Softplus, _softplus),
    "silu": Activation(nn.SiLU, _silu),
    "gelu": Activation(nn.GELU, _gelu),
    "gaussian": Activation(Gaussian, _gaussian),
}
