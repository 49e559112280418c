"""What is suspicious about a case: its reference's residual, or what the classical line says of it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from .curves import points, reference_error
from .matrix import CLASSICAL
from .store import Row

RESIDUAL_ALLOWED = 1e-6
"""Of a closed form; round-off in fourth derivatives stays far below."""
DISAGREEMENT_ALLOWED = 10.0
"""Times the sum of the two error estimates."""
ROUND_OFF = 1e-12


def doubts(rows: Sequence[Row]) -> list[str]:
    """Why the reference of a case may be wrong, or its comparison unfair; empty where all is well."""
    found = []
    residuals = [row["reference"]["residual"] or 0.0 for row in rows if row.get("reference")]
    if residuals and max(residuals) > RESIDUAL_ALLOWED:
        found.append(
            f"The reference leaves a relative residual of {max(residuals):.1e} in equations and conditions: "
            "it does not solve the problem."
        )
    classical = [
        row
        for row in rows
        if row["job"]["backend"] in CLASSICAL
        and row.get("relative_l2") is not None
        and row.get("error_estimate") is not None
    ]
    if classical:
        row = min(classical, key=lambda each: float(each["error_estimate"]))
        own = reference_error(row)
        own = 0.0 if math.isnan(own) else own  # unknown: the reference claims to be exact
        if row["relative_l2"] > DISAGREEMENT_ALLOWED * (row["error_estimate"] + own) + ROUND_OFF:
            found.append(
                f"The reference and {row['job']['backend']} differ by {row['relative_l2']:.1e}; by their own "
                f"estimates it should be {own + row['error_estimate']:.1e}. One of them is wrong."
            )
    recovery = any(
        "sensors" in row["job"].get("parameters", {}) for row in rows
    )  # no classical backend has it
    if not recovery and not any(points(row) for row in rows if row["job"]["backend"] in CLASSICAL):
        found.append("There is no classical line: no classical backend gave an answer with an error.")
    return found
