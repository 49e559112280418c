"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import OutputPathError


def check_writable(path: str | Path, *, directory: bool = False) -> Path:
    """The path, made absolute, if it can be written; touches nothing, so it can be asked before any work.

    Missing parent folders are no error: they are made when the file is written.

    Raises:
        OutputPathError: the path is a folder where a file is meant (or the reverse), a parent is a file,
            or the nearest existing folder does not permit writing.
    """
    try:
        if not isinstance(path, str | os.PathLike):
            raise ValueError(f"{type(path).__name__}, not a path")
        if "\0" in str(path):
            raise ValueError("a null byte in the name")
        target = Path(path).expanduser().absolute()
        if target.exists() and target.is_dir() != directory:
            raise FileExistsError(0, "it is a folder" if target.is_dir() else "it is a file")
        existing = target if directory else target.parent
        while not existing.exists():
            existing = existing.parent
        if not existing.is_dir():
            raise NotADirectoryError(0, f"{existing.name} is a file")
        if not os.access(existing, os.W_OK | os.X_OK):
            raise PermissionError(0, "no permission to write")
    except (OSError, ValueError, RuntimeError) as error:  # RuntimeError: no home folder
        reason = getattr(error, "strerror", None) or str(error)
        raise OutputPathError(
            "output", "a place that can be written", f"{path} ({reason})", "Choose another path."
        ) from error
    return target


@contextmanager
def atomic_file(path: str | Path) -> Iterator[Path]:
    """A temporary file beside ``path``, moved over it at the end; on any error the old file stays.

    >>> with atomic_file("u.h5") as temporary: write(temporary)             # doctest: +SKIP
    """
    target = check_writable(path)
    temporary = target.with_name(f".{target.name[:100]}.{uuid.uuid4().hex}.tmp")
    with explained(path):
        target.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield temporary
        with explained(path):
            _sync(temporary)
            temporary.replace(target)
            _sync(target.parent)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: str | Path, index_suffix: str = ".pvd") -> Iterator[Path]:
    """A temporary folder whose files are moved into ``path`` at the end; on any error nothing is moved.

    A new folder appears by one rename. In an existing folder other files stay as they are, and files with
    ``index_suffix`` are moved last, so that an index never names what is not there yet.
    """
    target = check_writable(path, directory=True)
    # Inside an existing folder: it may be a mount point, and renames do not cross file systems.
    place = target if target.exists() else target.parent
    temporary = place / f".{target.name[:100]}.{uuid.uuid4().hex}.tmp"
    with explained(path):
        temporary.mkdir(parents=True)
    try:
        yield temporary
        files = sorted(temporary.iterdir(), key=lambda file: file.suffix == index_suffix)
        with explained(path):
            for file in files:
                _sync(file)
            if place != target:
                temporary.rename(target)
            else:
                for file in files:
                    file.replace(target / file.name)
            _sync(place)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def explained(path: str | Path) -> Iterator[None]:
    """An operating system's refusal (disk full, no permission) as an `OutputPathError`."""
    try:
        yield
    except OSError as error:
        raise OutputPathError(
            "output",
            "a place that can be written",
            f"{path} ({error.strerror or error})",
            "Choose another path.",
        ) from error


def _sync(path: Path) -> None:
    """Flush a file or folder to the disk, so that a power cut cannot leave an empty file under its name."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
