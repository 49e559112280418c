"""Opening an HDF5 file of unknown origin: damage is noticed, nothing outside the file is read.

The HDF5 library may hang or crash on damaged bytes (seen: one changed byte in an attribute's heap, and it
never returns). So the file's user block, 512 bytes that every HDF5 reader skips, holds the length and the
SHA-256 of what follows, and both are checked before the library sees the file.

An intact HDF5 file can still point elsewhere (external links, external storage, virtual data sets), declare
terabytes in a few bytes (unwritten chunks read as fill values), and link a group into itself. All that is
refused before any data set is read. Nothing is ever unpickled. A file that somebody made, seal included, to
break the HDF5 library itself is beyond these checks.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ..declare.domain import Array
from .errors import ResultFileError

USER_BLOCK = 512
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
        _check_seal(Path(path), who, schema, version)
        with h5py.File(path, "r") as file:
            limit = FREE_BYTES + RATIO * Path(path).stat().st_size
            _check_group(file, who, limit, MAX_DEPTH, [MAX_MEMBERS])
            yield file
    except (OSError, KeyError, ValueError, TypeError, RuntimeError, MemoryError, RecursionError) as error:
        # h5py raises all of these for damaged files
        raise ResultFileError(
            who, "a readable result file", f"{type(error).__name__}: {error}", REMEDY
        ) from error


def seal(path: Path, schema: str, version: int) -> None:
    """Write name, version, length and SHA-256 of a closed HDF5 file into its user block."""
    header = _header(schema, version, *_measure(path))
    with path.open("r+b") as file:
        file.write(header)


def _header(schema: str, version: int, length: int, digest: str) -> bytes:
    return f"{schema} {version} {length} {digest}\n".encode().ljust(USER_BLOCK, b"\0")


def _measure(path: Path) -> tuple[int, str]:
    """Length and SHA-256 of what follows the user block."""
    digest, length = hashlib.sha256(), 0
    with path.open("rb") as file:
        file.seek(USER_BLOCK)
        while block := file.read(1 << 20):
            digest.update(block)
            length += len(block)
    return length, digest.hexdigest()


def _check_seal(path: Path, who: str, schema: str, version: int) -> None:
    with path.open("rb") as file:
        block = file.read(USER_BLOCK)
    found = block.split(b"\n")[0].decode("ascii", "replace").split(" ")
    if len(found) != 4 or found[0] != schema:
        raise ResultFileError(who, f"a file of schema {schema}", "another kind of file", REMEDY)
    if found[1] != str(version):
        remedy = "Read it with the release of pdesolve that wrote it."
        raise ResultFileError(who, f"schema version {version}", found[1][:20], remedy)
    length, digest = _measure(path)
    if str(length) != found[2]:
        got = f"{length}: the file is truncated or was changed"
        raise ResultFileError(who, f"{found[2][:20]} bytes of data", got, REMEDY)
    if block != _header(schema, version, length, digest):
        got = "others: the file is damaged or was changed"
        raise ResultFileError(who, "the bytes that were written", got, REMEDY)


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
