"""Where words go: tables for people, one JSON object for programs, one message for a mistake."""

from __future__ import annotations

import json
import math
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import typer
from rich.console import Console

from ..declare.errors import PDESolveError

BAD_INPUT = 2


def plain(value: Any) -> Any:
    """The value in types that JSON has; a number that is not finite becomes null."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set):
        return [plain(item) for item in value]
    if hasattr(value, "item") and getattr(value, "size", 1) == 1:  # a NumPy number
        value = value.item()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, bool | int | str):
        return value
    return value.as_posix() if isinstance(value, Path) else str(value)


class Output:
    """The console of one command.

    With ``as_json`` everything for people goes to stderr, and `result` writes one JSON object as the last
    line of stdout. Where several processes share a run, all but the first are ``muted``: they write no files
    and no results, and only say what went wrong.
    """

    def __init__(self, as_json: bool = False, muted: bool = False) -> None:
        self.as_json, self.muted = as_json and not muted, muted
        self.console = Console(stderr=as_json, quiet=muted)

    def result(self, value: Mapping[str, Any]) -> None:
        if self.as_json:
            sys.stdout.write(json.dumps(plain(value), allow_nan=False) + "\n")
            sys.stdout.flush()

    def note(self, text: str) -> None:
        """One line on stderr, unwrapped so that messages can be searched and copied."""
        Console(stderr=True).print(text, markup=False, highlight=False, soft_wrap=True)

    @contextmanager
    def bad_input_exits(self) -> Iterator[None]:
        """Turn an error raised on purpose into one message and exit status 2; warnings into notes."""
        with warnings.catch_warnings():
            warnings.showwarning = lambda message, category, *_: self.note(f"{category.__name__}: {message}")
            try:
                yield
            except PDESolveError as error:
                where = "".join(f" ({note})" for note in getattr(error, "__notes__", ()))
                self.note(f"Error: {error}{where}")
                self.result({"error": str(error), "error_type": type(error).__name__})
                raise typer.Exit(BAD_INPUT) from None
