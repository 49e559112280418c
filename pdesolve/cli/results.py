"""The output directory: checked before solving, filled all at once after it."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ..solution.errors import OutputPathError
from ..solution.output import check_writable, explained


class ExistingResultsError(OutputPathError):
    """Writing would replace earlier results, and nobody said that it may."""


def file_stem(name: str) -> str:
    """The problem's name with nothing but letters, digits, ``.``, ``_`` and ``-``."""
    return re.sub(r"[^\w.-]+", "-", name).strip("-.") or "solution"


class Results:
    """Files of one solve: written to ``staging``, a hidden folder in ``directory``, then `publish`ed.

    So nobody sees half of them, earlier results stay until the new ones are complete, and none of the old
    time steps lies among the new.
    """

    def __init__(self, directory: Path, staging: Path) -> None:
        self.directory, self.staging = directory, staging

    def publish(self) -> list[Path]:
        """Move everything from the staging folder to its place; returns the new paths, sorted."""
        placed = [self._place(new) for new in sorted(self.staging.iterdir())]
        return sorted(file for path in placed for file in (path.rglob("*") if path.is_dir() else [path]))

    def _place(self, new: Path) -> Path:
        place = self.directory / new.name
        if not place.is_dir() or place.is_symlink():
            return new.replace(place)
        # A folder cannot be replaced in one step: the old one moves aside, and back where that fails.
        aside = Path(tempfile.mkdtemp(dir=self.directory, prefix=".old-")) / place.name
        place.rename(aside)
        try:
            new.rename(place)
        except OSError:
            aside.rename(place)
            raise
        finally:
            if place.exists():
                shutil.rmtree(aside.parent)
        return place


@contextmanager
def reserve(directory: Path, names: Sequence[str], overwrite: bool) -> Iterator[Results]:
    """Make ``directory`` with a staging folder in it; what was made and stays empty goes again.

    Raises:
        ExistingResultsError: a file of ``names`` is there already and ``overwrite`` is off.
        OutputPathError: the directory cannot be made or written.
    """
    present = [name for name in names if (directory / name).exists()]
    if present and not overwrite:
        raise ExistingResultsError(
            "--out",
            "a folder without earlier results",
            f"{directory} with {', '.join(present)}",
            "Add --overwrite to replace them, or choose another folder.",
        )
    missing = [p for p in (directory, *directory.parents) if not p.exists()]
    staging = None
    try:
        check_writable(directory, directory=True)
        with explained(directory):
            directory.mkdir(parents=True, exist_ok=True)
            staging = Path(tempfile.mkdtemp(dir=directory, prefix=".partial-"))
        yield Results(directory, staging)
    finally:
        if staging is not None:
            shutil.rmtree(staging, ignore_errors=True)
        _remove_empty(missing)


def _remove_empty(directories: Sequence[Path]) -> None:
    """Remove folders that we made, innermost first, where nothing was put into them."""
    for directory in directories:
        try:
            directory.rmdir()
        except OSError:
            return
