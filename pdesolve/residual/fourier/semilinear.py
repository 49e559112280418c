"""The split û' = L û + N(û, t) for whole batches, in torch: differentiable, on any device.

The classical spectral backend takes one problem at a time and NumPy; here many initial states of one
evolution go side by side. Data sets, exact derivative targets, learned corrections and ensembles of a filter
are made with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from . import etdrk4
from .discretization import Discretization
from .evolution import Evolution
from .grid import FourierGrid, block


def to_modes(values: Tensor, modes: int, dimension: int) -> Tensor:
    """The Fourier series (…, *modes) of values (…, *grid), cut or padded to ``modes``; no Nyquist mode."""
    axes = tuple(range(-dimension, 0))
    full = torch.fft.rfftn(values, dim=axes, norm="forward")
    held = min((n - 1) // 2 for n in values.shape[-dimension:])
    kept = min(modes, held)
    lead = values.shape[:-dimension]
    if dimension == 1:
        padded: Tensor = torch.nn.functional.pad(full[..., : kept + 1], (0, modes - kept))
        return padded
    result: Tensor = full.new_zeros(*lead, *[2 * modes + 1] * (dimension - 1), modes + 1)
    place = block(kept, dimension)
    result[place] = full[place]
    return result


def to_grid(spectra: Tensor, shape: Sequence[int]) -> Tensor:
    """Values (…, *shape) of Fourier series (…, *modes); the grid resolves all modes."""
    dimension, modes = len(shape), spectra.shape[-1] - 1
    if dimension == 1:
        line: Tensor = torch.fft.irfft(spectra, shape[0], norm="forward")
        return line
    lead = spectra.shape[:-dimension]
    padded = spectra.new_zeros(*lead, *shape[:-1], shape[-1] // 2 + 1)
    place = block(modes, dimension)
    padded[place] = spectra[place]
    values: Tensor = torch.fft.irfftn(padded, tuple(shape), dim=tuple(range(-dimension, 0)), norm="forward")
    return values


def every_point(values: Tensor, every: int, dimension: int) -> Tensor:
    """Every so many points on the last axes."""
    place: Any = (..., *[slice(None, None, every)] * dimension)
    coarse: Tensor = values[place]
    return coarse


class Semilinear:
    """An evolution on a grid, for states (batch, components, *modes).

    Args:
        evolution: the equations.
        n: points on each axis.
        dealias: keep K < n/3 modes instead of K < n/2.
        dtype, device: of real arrays.

    Raises:
        ValueError: the constraints cannot be eliminated.
    """

    def __init__(
        self,
        evolution: Evolution,
        n: int,
        dealias: bool = True,
        dtype: torch.dtype = torch.float64,
        device: str | torch.device = "cpu",
    ) -> None:
        bounds = evolution.problem.domain.bounds[:-1]
        self.evolution, self.dtype, self.device = evolution, dtype, torch.device(device)
        self.grid = FourierGrid.make(bounds, n, dealias)
        self.discretization = Discretization(evolution, self.grid)
        self.dimension, self.modes = self.grid.dimension, self.grid.modes
        self.linear = self._tensor(self.discretization.linear)
        self._points = [self._tensor(p) for p in self.grid.points]
        self._stages = [evolution.compiled(stage.terms, "torch") for stage in self.discretization.stages]
        orders = {orders for stage in self._stages for _, orders in stage.fields}
        self._multipliers = {o: self._tensor(self.grid.multiplier(o)) for o in orders}
        self._forcing, self._response, self._direct = (
            {place: self._tensor(entry) for place, entry in operator.entries.items()}
            for operator in (
                self.discretization.forcing,
                self.discretization.response,
                self.discretization.direct,
            )
        )

    def _tensor(self, array: Any) -> Tensor:
        array = np.asarray(array)
        is_complex = np.iscomplexobj(array)
        return torch.tensor(array).to(self.device, self.complex_dtype if is_complex else self.dtype)

    @property
    def complex_dtype(self) -> torch.dtype:
        return torch.complex128 if self.dtype == torch.float64 else torch.complex64

    # -- states and fields -------------------------------------------------------------------------

    def state(self, values: Tensor) -> Tensor:
        """The state of fields (batch, components, *points), of any resolution."""
        return to_modes(values, self.modes, self.dimension)

    def fields(self, state: Tensor, n: int | None = None) -> Tensor:
        """Values (batch, components, *points) at ``n`` equally spaced points on each axis."""
        points = self.grid.n if n is None else n
        every = -(-(2 * self.modes + 1) // points)  # a finer grid that holds all modes and these points
        fine = to_grid(state, (every * points,) * self.dimension)
        return every_point(fine, every, self.dimension)

    # -- the right-hand side -----------------------------------------------------------------------

    def nonlinear(self, state: Tensor, t: float) -> Tensor:
        """N(û, t), shape as ``state``."""
        terms = self._terms(state, t)
        result = torch.zeros_like(state)
        for (i, j), entry in self._forcing.items():
            result[:, i] += entry * terms[j]
        return result

    def rate(self, state: Tensor, t: float) -> Tensor:
        """û' = L û + N, shape as ``state``: the exact derivative in time that the equations declare."""
        return self.apply(self.linear, state) + self.nonlinear(state, t)

    def apply(self, function: Tensor, state: Tensor) -> Tensor:
        """A function of L, diagonal (components, *modes) or a matrix for each mode, applied to a state."""
        if function.ndim == 1 + self.dimension:
            return function * state
        return torch.einsum("ij...,bj...->bi...", function.to(state.dtype), state)

    def _terms(self, state: Tensor, t: float) -> dict[int, Tensor]:
        """Spectra (batch, *modes) of each term."""
        terms: dict[int, Tensor] = {}
        shape = (len(state), *self.grid.shape)
        for stage in self._stages:
            known = {c: self._component(c, state, terms) for c in {c for c, _ in stage.fields}}
            values: list[Tensor] = []
            if stage.fields:
                spectra = torch.stack([self._multipliers[orders] * known[c] for c, orders in stage.fields])
                values = list(to_grid(spectra, self.grid.shape).unbind(0))
            found = stage.function(*values, *self._points, t)
            on_grid = torch.stack(
                [torch.as_tensor(v, dtype=self.dtype, device=self.device).expand(shape) for v in found]
            )
            terms.update(zip(stage.terms, to_modes(on_grid, self.modes, self.dimension), strict=True))
        return terms

    def _component(self, component: int, state: Tensor, terms: dict[int, Tensor]) -> Tensor:
        """Spectrum (batch, *modes) of one component; an algebraic one without its gauge."""
        row = component - self.evolution.dynamic
        if row < 0:
            return state[:, component]
        value = torch.zeros_like(state[:, 0])
        for (i, j), entry in self._response.items():
            if i == row:
                value = value + entry * state[:, j]
        for (i, j), entry in self._direct.items():
            if i == row:
                value = value + entry * terms[j]
        return value

    # -- steps -------------------------------------------------------------------------------------

    def coefficients(self, step: float) -> etdrk4.Coefficients:
        """What `advance` needs for steps of that length."""
        found = self.discretization.coefficients(step)
        names = ("full", "half", "stage", "first", "middle", "last")
        return etdrk4.Coefficients(step, *(self._tensor(getattr(found, name)) for name in names))  # type: ignore[arg-type]

    def advance(self, coefficients: etdrk4.Coefficients, state: Tensor, t: float, steps: int = 1) -> Tensor:
        """So many steps of ETDRK4."""
        for i in range(steps):
            state = etdrk4.advance(coefficients, self.nonlinear, state, t + i * coefficients.step, self.apply)
        return state


__all__ = ["Semilinear", "every_point", "to_grid", "to_modes"]
