"""`Dataset`: the solutions of many members of a family on one grid."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import numpy as np

from ..declare.domain import Array
from ..declare.errors import PDESolveError


class DatasetError(PDESolveError):
    """A data file is malformed, or holds something else than was asked for."""


@dataclass(frozen=True, eq=False)
class Dataset:
    """Inputs and solutions of N members, all on one tensor grid.

    Attributes:
        values: the solutions, ``(N, times, unknowns, *grid)``; one time for a steady problem.
        names: of the unknowns.
        coordinates: of the grid, one array for each axis in space.
        times: (times,); None for a steady problem.
        fields: inputs that are fields, by name, each ``(N, *grid)``.
        numbers: inputs that are numbers, by name, each (N,).
        errors: estimated relative error of each solution (N,), where it is known.
        attributes: what the file says of itself, above all the recipe.
    """

    values: Array
    names: tuple[str, ...]
    coordinates: tuple[Array, ...]
    times: Array | None = None
    fields: Mapping[str, Array] = field(default_factory=dict)
    numbers: Mapping[str, Array] = field(default_factory=dict)
    errors: Array | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        grid = tuple(map(len, self.coordinates))
        steps = 1 if self.times is None else len(self.times)
        expected = (len(self.values), steps, len(self.names), *grid)
        if self.values.shape != expected:
            self._refuse("values", expected, self.values.shape)
        for name, given in self.fields.items():
            if given.shape != (len(self), *grid):
                self._refuse(f"field {name!r}", (len(self), *grid), given.shape)
        for name, given in self.numbers.items():
            if given.shape != (len(self),):
                self._refuse(f"number {name!r}", (len(self),), given.shape)

    def _refuse(self, what: str, expected: tuple[int, ...], got: tuple[int, ...]) -> None:
        raise DatasetError(
            f"Dataset, {what}",
            f"shape {expected}, that is (samples, times, unknowns, *grid) or a part of it",
            f"shape {got}",
            "Transpose or cut the array.",
        )

    def __len__(self) -> int:
        return len(self.values)

    @property
    def grid(self) -> tuple[int, ...]:
        return tuple(map(len, self.coordinates))

    def subset(self, members: slice | Array) -> Dataset:
        """Some of the members, by position."""
        return replace(
            self,
            values=self.values[members],
            fields={name: a[members] for name, a in self.fields.items()},
            numbers={name: a[members] for name, a in self.numbers.items()},
            errors=None if self.errors is None else self.errors[members],
        )

    def split(self, *counts: int) -> tuple[Dataset, ...]:
        """Consecutive parts of so many members; what is left over is the last part.

        Members are drawn independently, so that consecutive ones are as random as any.
        """
        edges = np.cumsum([0, *counts, len(self) - sum(counts)])
        if edges[-1] != len(self) or np.any(np.diff(edges[:-1]) < 0) or edges[-2] > len(self):
            raise DatasetError(
                "Dataset.split()",
                f"counts that add up to no more than {len(self)}",
                f"{counts}",
                "Ask for fewer, or generate more.",
            )
        return tuple(self.subset(slice(a, b)) for a, b in pairwise(edges) if a < b)

    def coarser(self, every: int) -> Dataset:
        """Every so many points of the grid in space."""
        cut: Any = (..., *[slice(None, None, every)] * len(self.coordinates))
        return replace(
            self,
            values=self.values[cut],
            fields={name: a[cut] for name, a in self.fields.items()},
            coordinates=tuple(c[::every] for c in self.coordinates),
        )

    @property
    def digest(self) -> str:
        """Tells one set of data from another."""
        content = hashlib.sha256(np.ascontiguousarray(self.values).tobytes())
        for name in sorted(self.fields):
            content.update(np.ascontiguousarray(self.fields[name]).tobytes())
        return content.hexdigest()[:16]
