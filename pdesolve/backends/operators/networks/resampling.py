"""Fields on other grids, by their series."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from .transforms import Kind, points


def resample(fields: Tensor, grid: Sequence[int], kinds: Sequence[Kind]) -> Tensor:
    """(…, n_1, …, n_d) to (…, *grid), by the trigonometric interpolant along each axis.

    Periodic axes by Fourier, open ones by cosine series (see `transforms`). On finer grids, values at common
    points stay; on coarser ones, waves that the grid does not hold are dropped, not aliased.
    """
    for axis, (n, kind) in enumerate(zip(grid, kinds, strict=True), start=fields.ndim - len(grid)):
        if n != fields.shape[axis]:
            points(kind, n)  # raises where there are too few
            line = fields.movedim(axis, -1)
            fields = (_periodic(line, n) if kind == "periodic" else _open(line, n)).movedim(-1, axis)
    return fields


def _periodic(values: Tensor, n: int) -> Tensor:
    old = values.shape[-1]
    spectrum = torch.fft.rfft(values, norm="forward")[..., : n // 2 + 1]
    # A Nyquist mode stands for both signs of its wavenumber, any other for one.
    if min(n, old) % 2 == 0:
        low, nyquist = torch.split(spectrum, [min(n, old) // 2, 1], dim=-1)
        spectrum = torch.cat([low, nyquist * (0.5 if n > old else 2.0)], dim=-1)
    resampled: Tensor = torch.fft.irfft(spectrum, n=n, norm="forward")
    return resampled


def _open(values: Tensor, n: int) -> Tensor:
    even = torch.cat([values, values[..., 1:-1].flip(-1)], dim=-1)  # one period of the even extension
    return _periodic(even, 2 * (n - 1))[..., :n]
