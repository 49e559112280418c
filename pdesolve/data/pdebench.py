"""Data sets in HDF5, in the layout of PDEBench: what `generate` writes, and published files read.

    tensor        (samples, times, x[, y[, z]])           one unknown: its solution; times 1 where steady
    <unknown>     the same, for each of several unknowns
    nu            (samples, x[, y[, z]])                  a coefficient or source
    x-coordinate, y-coordinate, z-coordinate, t-coordinate

Files of this library say more, in attributes and in further data sets: the recipe, the names of the inputs,
the numbers of each member (``number <name>``), and the estimated error of each (``error``). Published files
may hold one more time than solutions, which is dropped.

Source: Takamoto et al., NeurIPS 2022 (arXiv 2210.07182), and its files.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..declare.domain import Array
from .dataset import Dataset, DatasetError

AXES = ("x", "y", "z")
COMPRESSIBLE = ("density", "pressure", "Vx", "Vy", "Vz")
ONE_UNKNOWN, ONE_FIELD = "tensor", "nu"
OURS = "pdesolve"


class Writer:
    """A file that grows member by member, and can be continued after the program was killed.

    A part is written whole before ``complete``, the number of members that count, is raised.
    """

    def __init__(self, path: Path, description: Mapping[str, Any]) -> None:
        self.path, self.description = path, dict(description)

    def complete(self) -> int:
        """Members that the file holds; 0 where there is none.

        Raises:
            DatasetError: it holds members of another recipe.
        """
        import h5py

        if not self.path.exists():
            return 0
        with opened(self.path) as file:
            found = file.attrs.get(OURS)
            if found is None or json.loads(found) != self.description:
                raise DatasetError(
                    f"data file {self.path}",
                    "members of the recipe that is asked for, or no file",
                    "those of another one",
                    "Choose another name, or delete the file.",
                )
            assert isinstance(file, h5py.File)
            return int(file.attrs["complete"])

    def append(self, part: Dataset, total: int) -> None:
        """Write the next members of ``total``."""
        import h5py

        first = self.complete()
        with h5py.File(self.path, "a") as file:
            if first == 0:
                self._create(file, part, total)
            end = first + len(part)
            for name, rows in self._arrays(part).items():
                if len(file[name]) < max(end, total):
                    file[name].resize(max(end, total), axis=0)
                file[name][first:end] = rows
            file.flush()
            file.attrs["complete"] = end

    def _create(self, file: Any, part: Dataset, total: int) -> None:
        for name, rows in self._arrays(part).items():
            chunk = (max(1, min(len(part), (1 << 20) // max(rows[0].nbytes, 1))), *rows.shape[1:])
            file.create_dataset(
                name, (total, *rows.shape[1:]), rows.dtype, maxshape=(None, *rows.shape[1:]), chunks=chunk
            )
        for axis, points in zip(AXES, part.coordinates, strict=False):
            file[f"{axis}-coordinate"] = points
        if part.times is not None:
            file["t-coordinate"] = part.times
        file.attrs[OURS] = json.dumps(self.description)
        file.attrs["unknowns"] = json.dumps(part.names)
        file.attrs["fields"] = json.dumps(list(part.fields))
        file.attrs["complete"] = 0

    @staticmethod
    def _arrays(part: Dataset) -> dict[str, Array]:
        """What grows with the members, as it is stored."""
        single = len(part.names) == 1
        stored = {ONE_UNKNOWN if single else name: part.values[:, :, k] for k, name in enumerate(part.names)}
        for name, rows in part.fields.items():
            stored[ONE_FIELD if len(part.fields) == 1 else f"field {name}"] = rows
        for name, rows in part.numbers.items():
            stored[f"number {name}"] = rows
        if part.errors is not None:
            stored["error"] = part.errors
        return stored


def read_hdf5(path: str | Path) -> Dataset:
    """A data set from a file that `generate` wrote, or a published PDEBench file with one group of arrays.

    Raises:
        DatasetError: the file is missing, no HDF5 file, or of another layout.
    """
    with opened(Path(path)) as file:
        if any(name.isdigit() for name in file):
            return _from_groups(Path(path), file)
        return _from_arrays(Path(path), file)


def opened(path: Path) -> Any:
    """The file, for reading.

    Raises:
        DatasetError: it is missing, or no HDF5 file.
    """
    import h5py

    try:
        return h5py.File(path, "r")
    except OSError as error:
        raise DatasetError(
            f"data file {path}", "an HDF5 file", str(error)[:100], "Give the path of a data set."
        ) from error


def _from_arrays(path: Path, file: Any) -> Dataset:
    ours = OURS in file.attrs
    if ours:
        names = tuple(json.loads(file.attrs["unknowns"]))
        stored = [ONE_UNKNOWN] if len(names) == 1 else list(names)
        count = int(file.attrs["complete"])
    else:
        stored = [ONE_UNKNOWN] if ONE_UNKNOWN in file else [c for c in COMPRESSIBLE if c in file]
        names = ("u",) if stored == [ONE_UNKNOWN] else tuple(stored)
        count = len(file[stored[0]]) if stored else 0
    if not stored or any(name not in file for name in stored):
        raise DatasetError(
            f"data file {path}",
            f"{ONE_UNKNOWN!r}, or {', '.join(COMPRESSIBLE)}",
            ", ".join(file) or "nothing",
            "Give a file in the layout of PDEBench.",
        )
    values = np.stack([file[name][:count] for name in stored], axis=2)
    steps, dimension = values.shape[1], values.ndim - 3
    coordinates = tuple(np.asarray(file[f"{axis}-coordinate"]) for axis in AXES[:dimension])
    steady = "t-coordinate" not in file
    fields = {}
    if ours:
        inputs = json.loads(file.attrs["fields"])
        fields = {name: file[ONE_FIELD if len(inputs) == 1 else f"field {name}"][:count] for name in inputs}
    elif ONE_FIELD in file:
        fields = {ONE_FIELD: file[ONE_FIELD][:count]}
    return Dataset(
        values,
        names,
        coordinates,
        None if steady else np.asarray(file["t-coordinate"])[:steps],
        fields,
        {name.removeprefix("number "): file[name][:count] for name in file if name.startswith("number ")},
        file["error"][:count] if "error" in file else None,
        json.loads(file.attrs[OURS]) if ours else {k: _plain(v) for k, v in file.attrs.items()},
    )


def _from_groups(path: Path, file: Any) -> Dataset:
    """One group a member: data (times, *grid, unknowns) and grid/x, grid/y, grid/t."""
    members = sorted(name for name in file if name.isdigit())
    values = np.stack([np.asarray(file[name]["data"]) for name in members])
    grid = file[members[0]]["grid"]
    dimension = values.ndim - 3
    unknowns = values.shape[-1]
    return Dataset(
        np.moveaxis(values, -1, 2),
        ("u", "v", "w")[:unknowns] if unknowns <= 3 else tuple(f"u{k}" for k in range(unknowns)),
        tuple(np.asarray(grid[axis]) for axis in AXES[:dimension]),
        np.asarray(grid["t"])[: values.shape[1]],
        attributes={k: _plain(v) for k, v in file[members[0]].attrs.items()},
    )


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return value.tolist() if isinstance(value, np.generic | np.ndarray) else value


__all__ = ["Writer", "opened", "read_hdf5"]
