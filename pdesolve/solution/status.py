"""How a solve ended: an enumeration whose values are sentences with the remedy."""

from __future__ import annotations

from enum import Enum


class Status(Enum):
    """Outcome of a solve; ``status.value`` says what happened and what to do."""

    CONVERGED = "Converged: the tolerance was met."
    COMPLETED = "Completed: all of the budget was used, as asked; a larger budget= or steps= may do better."
    BUDGET_EXHAUSTED = (
        "The budget ended before the tolerance was met or the method was done; raise budget= or steps=."
    )
    STAGNATED = (
        "Progress stopped before the tolerance was met; "
        "try more collocation points, a larger network or float64."
    )
    DIVERGED = (
        "The iteration broke down or the error grew without bound; the last good state was kept. "
        "Try a smaller step or learning rate, or a finer mesh."
    )
    NOT_FINITE = (
        "A value became NaN or infinite; the last good state was kept. "
        "Check the named equation at the named point, or use float64."
    )
    INTERRUPTED = "Interrupted; the best state so far was kept. Resume from a checkpoint to go on."

    @property
    def success(self) -> bool:
        """True where the answer is what was asked for: converged, or all of an open-ended budget used."""
        return self in (Status.CONVERGED, Status.COMPLETED)
