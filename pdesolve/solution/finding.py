"""`Finding`: something about a run that the user should know, and what to do about it."""

from __future__ import annotations

from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Finding:
    """One observation of a backend on its own run.

    Attributes:
        who: the term, unknown, parameter or points concerned.
        what: what was seen, with figures.
        remedy: what to try.
    """

    who: str
    what: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.who}: {self.what}. {self.remedy}"

    def to_json(self) -> dict[str, str]:
        return asdict(self)
