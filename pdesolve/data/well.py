"""Data sets in the conventions of The Well: one HDF5 file, fields grouped by tensor order.

    t0_fields/<name>  (samples, times, x[, y[, z]])          scalars
    t1_fields/<name>  (samples, times, x[, y[, z]], D)       vectors: unknowns <name>_x, <name>_y, …
    dimensions/x, y, z, time;   scalars/<name>: parameters of all samples

Fields that vary with neither time nor sample, and tensors of second order, are left out.

Source: Ohana et al., NeurIPS 2024 (arXiv 2412.00568), appendix on the format.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..declare.domain import Array
from .dataset import Dataset, DatasetError

AXES = ("x", "y", "z")


def is_well(file: Any) -> bool:
    """Whether an open HDF5 file follows these conventions."""
    return "t0_fields" in file and "dimensions" in file


def read_well(path: Path, file: Any) -> Dataset:
    """The scalar and vector fields as unknowns.

    Raises:
        DatasetError: no field varies with time and sample.
    """
    dimensions = file["dimensions"]
    axes = [axis for axis in AXES if axis in dimensions]
    coordinates = tuple(_first_row(np.asarray(dimensions[axis])) for axis in axes)
    times = _first_row(np.asarray(dimensions["time"]))
    whole = len(coordinates) + 2
    names: list[str] = []
    channels: list[Array] = []
    for name, field in file["t0_fields"].items():
        if field.ndim == whole:
            names.append(name)
            channels.append(np.asarray(field))
    for name, field in file.get("t1_fields", {}).items():
        if field.ndim == whole + 1:
            for i in range(field.shape[-1]):
                names.append(f"{name}_{AXES[i]}")
                channels.append(np.asarray(field[..., i]))
    if not channels:
        raise DatasetError(
            f"data file {path}", "fields that vary with time and sample", "none", "Choose another data set."
        )
    parameters = {name: float(np.asarray(v)) for name, v in file.get("scalars", {}).items() if v.ndim == 0}
    about = {k: v for k, v in file.attrs.items() if isinstance(v, str | int | float)}
    return Dataset(
        np.stack(channels, axis=2), tuple(names), coordinates, times, attributes={**about, **parameters}
    )


def _first_row(points: Array) -> Array:
    """Coordinates, of the first sample where they differ from sample to sample."""
    return points if points.ndim == 1 else np.asarray(points.reshape(-1, points.shape[-1])[0])


__all__ = ["is_well", "read_well"]
