"""Results of several machines in one folder; each keeps the name of its machine."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from pdesolve.declare import PDESolveError

from .store import FILE, Store


class MergeError(PDESolveError):
    """A folder holds no results, or is merged into itself."""


def merge(folders: Sequence[Path], out: Path) -> Store:
    """Copy all results and pictures of ``folders`` to ``out``.

    Results of one job on two machines both stay; of one machine, the last wins.

    Raises:
        MergeError: a folder has no results, or ``out`` is one of them.
        OutputPathError: ``out`` cannot be written.
    """
    for folder in folders:
        if not (folder / FILE).is_file():
            raise MergeError("bench --merge", f"a folder with {FILE}", str(folder), "Name a report's folder.")
        if folder.resolve() == out.resolve():
            raise MergeError("bench --merge", "another folder for --out", str(out), "Name a new folder.")
    target = Store(out)
    for source in map(Store, folders):
        for row in source.rows():
            target.add(row)
            if source.picture(row).exists():
                target.picture(row).parent.mkdir(exist_ok=True)
                shutil.copyfile(source.picture(row), target.picture(row))
    return target
