"""`History`: error and loss over a run; `Cost`: what the run took."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import numpy as np

from ..declare.domain import Array

NAN = float("nan")


@dataclass
class History:
    """The error curve of a run, one row for each time the driver looked.

    Attributes:
        step: number of units of work done (optimiser or time steps).
        seconds: set-up and work since the solve began, without the evaluation of errors.
        loss: the backend's objective.
        merit: the number by which the best state is chosen; NaN where not measured.
        relative_l2: ‖u − u_ref‖₂ / ‖u_ref‖₂ on the evaluation grid; NaN where not measured.
    """

    step: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    loss: list[float] = field(default_factory=list)
    merit: list[float] = field(default_factory=list)
    relative_l2: list[float] = field(default_factory=list)

    def append(
        self,
        step: int,
        seconds: float,
        loss: float,
        merit: float | None = None,
        relative_l2: float | None = None,
    ) -> None:
        """Add one row; None means "not measured"."""
        self.step.append(int(step))
        self.seconds.append(float(seconds))
        self.loss.append(float(loss))
        self.merit.append(NAN if merit is None else float(merit))
        self.relative_l2.append(NAN if relative_l2 is None else float(relative_l2))

    def __len__(self) -> int:
        return len(self.step)

    def arrays(self) -> dict[str, Array]:
        """Each column as a float64 array of the same length."""
        return {f.name: np.asarray(getattr(self, f.name), dtype=np.float64) for f in fields(self)}

    def to_json(self) -> dict[str, list[float | None]]:
        """Columns as lists that every JSON reader takes: numbers that are not finite become null."""
        return {f.name: [_finite(v) for v in getattr(self, f.name)] for f in fields(self)}

    @classmethod
    def from_json(cls, data: Mapping[str, Sequence[float | None]]) -> History:
        """The inverse of `to_json`, infinities becoming NaN."""
        columns = {
            f.name: [NAN if v is None else float(v) for v in data[f.name]]
            for f in fields(cls)
            if f.name != "step"
        }
        return cls(step=[int(v) for v in data["step"] if v is not None], **columns)


@dataclass(frozen=True)
class Cost:
    """What a run took.

    Attributes:
        seconds_setup: lowering, compiling, factorising.
        seconds_solve: the backend's work.
        seconds_evaluation: measuring errors on the way; not part of the other two.
        peak_memory_bytes: largest memory in use, of the device that solved; 0 where unknown.
    """

    seconds_setup: float = 0.0
    seconds_solve: float = 0.0
    seconds_evaluation: float = 0.0
    peak_memory_bytes: int = 0

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Cost:
        """The inverse of `to_json`.

        Raises:
            TypeError: an entry is unknown or no number.
        """
        if not all(isinstance(value, int | float) for value in data.values()):
            raise TypeError("a cost is no number")
        return cls(**data)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
