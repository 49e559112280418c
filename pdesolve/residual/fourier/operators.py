"""A matrix for each mode, most of whose entries vanish, are constant, or vary along one axis only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .grid import Spectra

NEGLIGIBLE = 1e-15
"""Entries below it, relative to the largest, are zero."""


class Operator:
    """(columns, *modes) -> (rows, *modes).

    Attributes:
        entries: (row, column) -> an array that broadcasts to the modes.
    """

    def __init__(self, rows: int, modes: tuple[int, ...], entries: Mapping[tuple[int, int], Any]) -> None:
        self.rows, self.modes, self.entries = rows, modes, dict(entries)

    @classmethod
    def dense(cls, matrices: Spectra, modes: tuple[int, ...]) -> Operator:
        """From matrices (modes, rows, columns)."""
        entries: dict[tuple[int, int], Any] = {}
        size = np.abs(matrices).max(initial=0.0)
        for i, j in np.ndindex(*matrices.shape[1:]):
            entry: Any = matrices[:, i, j]
            if np.abs(entry).max(initial=0.0) <= NEGLIGIBLE * size:
                continue
            if not entry.imag.any():
                entry = entry.real
            is_constant = bool(np.all(entry == entry[0]))
            entries[i, j] = entry[0] if is_constant else np.ascontiguousarray(entry.reshape(modes))
        return cls(matrices.shape[1], modes, entries)

    def __call__(self, vector: Spectra) -> Spectra:
        result = np.empty((self.rows, *self.modes), dtype=np.complex128)
        for i in range(self.rows):
            row = self.row(i)
            if not row:
                result[i] = 0
            for n, (j, entry) in enumerate(row.items()):
                if n == 0:
                    np.multiply(entry, vector[j], out=result[i])
                else:
                    result[i] += entry * vector[j]
        return result

    def row(self, i: int) -> dict[int, Any]:
        return {j: entry for (row, j), entry in self.entries.items() if row == i}


__all__ = ["Operator"]
