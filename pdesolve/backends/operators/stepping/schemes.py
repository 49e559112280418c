"""How a network F moves a state on: the table of schemes.

In Fourier series, with u' = L u + N(u) from the symbols, an interval h, and F in the units of what it stands
for (φ₁(z) = (e^z - 1)/z):

    state         û⁺ = F̂(u)                                  what the first autoregressive networks did
    increment     û⁺ = û + F̂(u)                              the change over an interval; no L is known
    exponential   û⁺ = e^{hL} û + h φ₁(hL) F̂(u)              the same with the linear part exact
    correction    û⁺ = ETDRK4(û) + h φ₁(hL) F̂(u)             what the classical step on this grid leaves out
    rate          û' = F̂(u),           by RK4                 the time derivative; no L is known
    semilinear    û' = L û + F̂(u),     by ETDRK4              the same with the linear part exact

Without the network (F = 0) each is its own *base*: 0, no change, the linear flow, the classical step. The
first four are trained by states, over one interval or several; the last two by rates, and the length of
their steps may change afterwards. ETDRK4 is that of `residual.fourier.etdrk4`.

Sources: "rate" is Zhou & Barati Farimani, CMAME 441 (2025) 117990 (arXiv 2412.13074); "correction" is the
learned form of exponential integrators, with φ₁ of Cox & Matthews, J. Comput. Phys. 176 (2002), eq. (4);
"increment" is the forecast of Singh et al., ICLR 2024 (arXiv 2402.15656).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from ....residual.fourier import etdrk4
from ....residual.fourier.semilinear import Semilinear

Forcing = Callable[[Tensor], Tensor]
"""F̂ of a state, both (batch, components, *modes)."""


@dataclass(frozen=True, eq=False)
class Integrals:
    """The exponential functions of an interval that is cut into ``substeps``."""

    system: Semilinear
    interval: float
    substeps: int

    @property
    def step(self) -> float:
        return self.interval / self.substeps

    @cached_property
    def one(self) -> etdrk4.Coefficients:
        """Of one substep."""
        return self.system.coefficients(self.step)

    @cached_property
    def whole(self) -> etdrk4.Coefficients:
        """Of two intervals: its halves are e^{hL} and h φ₁(hL) of one."""
        return self.system.coefficients(2 * self.interval)

    def on(self, system: Semilinear) -> Integrals:
        """The same on another system, such as one of another precision."""
        return Integrals(system, self.interval, self.substeps)

    def linear(self, state: Tensor) -> Tensor:
        """e^{hL} û."""
        return self.system.apply(self.whole.half, state)  # type: ignore[arg-type]

    def impulse(self, forcing: Tensor) -> Tensor:
        """h φ₁(hL) F̂: what a constant forcing does in an interval."""
        return self.system.apply(self.whole.stage, forcing)  # type: ignore[arg-type]

    def classical(self, state: Tensor, t: float) -> Tensor:
        """ETDRK4 with the N of the symbols."""
        return self.system.advance(self.one, state, t, self.substeps)


@dataclass(frozen=True)
class Scheme:
    """One row of the table.

    Attributes:
        advance: (integrals, F, û, t) -> û one interval later.
        by_rates: whether it is trained by rates; else by states.
        is_split: whether it needs L, and with it equations.
        impulse: whether F acts as a forcing over the interval, else as a change or a state.
    """

    advance: Callable[[Integrals, Forcing, Tensor, float], Tensor]
    by_rates: bool = False
    is_split: bool = True
    impulse: bool = False


def _state(integrals: Integrals, forcing: Forcing, state: Tensor, t: float) -> Tensor:
    return forcing(state)


def _increment(integrals: Integrals, forcing: Forcing, state: Tensor, t: float) -> Tensor:
    return state + forcing(state)


def _exponential(integrals: Integrals, forcing: Forcing, state: Tensor, t: float) -> Tensor:
    return integrals.linear(state) + integrals.impulse(forcing(state))


def _correction(integrals: Integrals, forcing: Forcing, state: Tensor, t: float) -> Tensor:
    return integrals.classical(state, t) + integrals.impulse(forcing(state))


def _rate(integrals: Integrals, forcing: Forcing, state: Tensor, t: float) -> Tensor:
    h = integrals.step
    for _ in range(integrals.substeps):
        first = forcing(state)
        second = forcing(state + h / 2 * first)
        third = forcing(state + h / 2 * second)
        fourth = forcing(state + h * third)
        state = state + h / 6 * (first + 2 * second + 2 * third + fourth)
    return state


def _semilinear(integrals: Integrals, forcing: Forcing, state: Tensor, t: float) -> Tensor:
    def nonlinear(stage: Tensor, _: float) -> Tensor:
        return forcing(stage)

    for _ in range(integrals.substeps):
        state = etdrk4.advance(integrals.one, nonlinear, state, t, integrals.system.apply)
    return state


SCHEMES: Mapping[str, Scheme] = {
    "state": Scheme(_state, is_split=False),
    "increment": Scheme(_increment, is_split=False),
    "exponential": Scheme(_exponential, impulse=True),
    "correction": Scheme(_correction, impulse=True),
    "rate": Scheme(_rate, by_rates=True, is_split=False),
    "semilinear": Scheme(_semilinear, by_rates=True),
}


def base(scheme: Scheme, integrals: Integrals, state: Tensor, t: float = 0.0) -> Tensor:
    """One interval without the network."""
    return scheme.advance(integrals, torch.zeros_like, state, t)


__all__ = ["SCHEMES", "Forcing", "Integrals", "Scheme", "base"]
