"""Data sets as dictionaries that torch saved, as neuraloperator has them.

    x  (samples, *grid) or (samples, channels, *grid), bool or float: inputs;   y  solutions

They name neither coordinates nor fields: the unit box is taken, without its upper ends.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..declare.domain import Array
from .dataset import Dataset, DatasetError

DIMENSIONS = 3
"""Most axes in space; an array with one axis more than x has, or than these, has channels."""


def read_pt(path: Path) -> Dataset:
    """A steady data set; no code in the file is run.

    Raises:
        DatasetError: the file is no such dictionary.
    """
    import torch

    try:
        content: Any = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds on damaged or hostile files
        raise _refused(path, f"{type(error).__name__}: {error}") from error
    if not isinstance(content, dict) or not {"x", "y"} <= content.keys():
        raise _refused(path, f"a {type(content).__name__}")
    x, y = (np.asarray(content[key], dtype=np.float64) for key in ("x", "y"))
    if len(x) != len(y) or min(x.ndim, y.ndim) < 2:
        raise _refused(path, f"x {x.shape} and y {y.shape}")
    grid = x.shape[1:] if x.shape == y.shape and x.ndim <= DIMENSIONS + 1 else x.shape[-_dimension(x, y) :]
    fields, values = _channels(x, grid), _channels(y, grid)
    return Dataset(
        values[:, None],
        ("y",) if values.shape[1] == 1 else tuple(f"y{k}" for k in range(values.shape[1])),
        tuple(np.arange(n) / n for n in grid),
        fields={("x" if fields.shape[1] == 1 else f"x{k}"): fields[:, k] for k in range(fields.shape[1])},
    )


def _dimension(x: Array, y: Array) -> int:
    """Axes in space: those at the end that both have in common."""
    common = 0
    while common < min(x.ndim, y.ndim) - 1 and x.shape[-1 - common] == y.shape[-1 - common]:
        common += 1
    return max(1, min(common, DIMENSIONS))


def _channels(array: Array, grid: tuple[int, ...]) -> Array:
    """(samples, channels, *grid)."""
    return array.reshape(len(array), -1, *grid)


def _refused(path: Path, got: str) -> DatasetError:
    return DatasetError(
        f"data file {path}",
        "a dictionary with tensors x and y of as many samples",
        got[:120],
        "Give a file in the layout of neuraloperator.",
    )


__all__ = ["read_pt"]
