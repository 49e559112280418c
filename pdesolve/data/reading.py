"""`read`: a data set from a file of any layout that is known."""

from __future__ import annotations

from pathlib import Path

from .dataset import Dataset
from .neuraloperator import read_pt
from .pdebench import opened, read_hdf5
from .well import is_well, read_well


def read(path: str | Path) -> Dataset:
    """A data set from its file: ours, PDEBench's, The Well's (HDF5), or neuraloperator's (``.pt``).

    HDF5 layouts are told apart by what the file holds.

    Raises:
        DatasetError: the file is missing, or of no layout that is known.
    """
    path = Path(path)
    if path.suffix == ".pt":
        return read_pt(path)
    with opened(path) as file:
        if is_well(file):
            return read_well(path, file)
    return read_hdf5(path)


__all__ = ["read"]
