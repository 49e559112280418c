"""Opening an HDF5 file of unknown origin: nothing outside it is read, nothing huge is allocated.

HDF5 can point out of a file (external links, external storage, virtual data sets), declare terabytes in a
few bytes (unwritten chunks read as fill values), and link a group into itself. All are refused before any
data set is read. Nothing is ever unpickled.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ..declare.domain import Array
from .errors import ResultFileError

MAX_DEPTH = 3
MAX_MEMBERS = 100_000
FREE_BYTES = 1 << 24
RATIO = 2000
"""A data set may be at most this many times larger than the whole file, beyond the first `FREE_BYTES`."""

REMEDY = "Give a file written by Solution.save()."


@contextmanager
def open_checked(path: str | Path, schema: str, version: int) -> Iterator[Any]:
    """The opened file, once its links, sizes and schema were found to be in order.

    Raises:
        ResultFileError: the file is missing, no HDF5, damaged, of another schema or a newer version, or
            holds links that are not followed.
    """
    import h5py

    who = str(path)
    if not Path(path).is_file():
        raise ResultFileError(who, "an existing file", "none", REMEDY)
    try:
        with h5py.File(path, "r") as file:
            found = file.attrs.get("schema")
            if not isinstance(found, str) or found != schema:
                raise ResultFileError(who, f"schema {schema}", repr(found)[:80], REMEDY)
            number = file.attrs.get("schema_version")
            if not isinstance(number, np.integer | int) or number != version:
                raise ResultFileError(
                    who,
                    f"schema version {version}",
                    repr(number)[:80],
                    "Read it with the release that wrote it.",
                )
            limit = FREE_BYTES + RATIO * Path(path).stat().st_size
            _check_group(file, who, limit, MAX_DEPTH, [MAX_MEMBERS])
            yield file
    except (OSError, KeyError, ValueError, TypeError, RuntimeError, MemoryError, RecursionError) as error:
        # h5py raises all of these for damaged files
        raise ResultFileError(
            who, "a readable result file", f"{type(error).__name__}: {error}", REMEDY
        ) from error


def _check_group(group: Any, who: str, limit: int, depth: int, left: list[int]) -> None:
    import h5py

    for name in group:
        left[0] -= 1
        if left[0] < 0:
            raise ResultFileError(who, f"at most {MAX_MEMBERS} members", "more", REMEDY)
        link = group.get(name, getlink=True)
        if not isinstance(link, h5py.HardLink):
            raise ResultFileError(who, "no links out of the file", f"{type(link).__name__} {name!r}", REMEDY)
        member = group[name]
        if isinstance(member, h5py.Group):
            if depth == 0:
                raise ResultFileError(who, f"at most {MAX_DEPTH} levels of groups", "more", REMEDY)
            _check_group(member, who, limit, depth - 1, left)
        elif isinstance(member, h5py.Dataset):
            if member.external or member.is_virtual:
                raise ResultFileError(who, "data inside the file", f"external data {name!r}", REMEDY)
            if member.size is not None and member.size * max(1, member.dtype.itemsize) > limit:
                raise ResultFileError(
                    who, "sizes that fit the file", f"{name!r} of shape {member.shape}", REMEDY
                )


def numbers(dataset: Any) -> Array:
    """A data set of plain numbers."""
    if dataset.dtype.kind not in "fiub":
        raise TypeError(f"{dataset.name} holds {dataset.dtype}, not numbers")
    return np.asarray(dataset[()])


def text(dataset: Any) -> str:
    """A scalar data set of UTF-8 text."""
    value = dataset[()]
    if not isinstance(value, bytes):
        raise TypeError(f"{dataset.name} holds {dataset.dtype}, not text")
    return value.decode()
