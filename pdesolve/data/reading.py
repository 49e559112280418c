"""`read`: a data set from a file of any layout that is known."""

from __future__ import annotations

from pathlib import Path

from .dataset import Dataset
from .pdebench import read_hdf5


def read(path: str | Path) -> Dataset:
    """A data set from its file.

    Raises:
        DatasetError: the file is missing, or of no layout that is known.
    """
    return read_hdf5(path)


__all__ = ["read"]
