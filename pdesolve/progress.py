"""The progress bar: one line on a terminal, nothing elsewhere."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Any


class ProgressBar:
    """Loss, error, elapsed and remaining time while a solve runs.

    ``shown=None`` shows the bar where standard error is a terminal. It is redrawn at most a few times a
    second, whatever the pace of the steps.
    """

    def __init__(self, title: str, shown: bool | None) -> None:
        self._bar: Any = None
        self._task: Any = None
        if shown if shown is not None else sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

            self._bar = Progress(
                TextColumn("[bold]{task.description}"),
                BarColumn(bar_width=30),
                TextColumn("{task.percentage:>3.0f}%"),
                TextColumn("{task.fields[text]}"),
                TimeElapsedColumn(),
                TimeRemainingColumn(),
                console=Console(stderr=True),
                refresh_per_second=4,
            )
            self._task = self._bar.add_task(title, total=1.0, text="starting")

    def __enter__(self) -> ProgressBar:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def say(self, text: str) -> None:
        """Show what is being done before the loop starts."""
        if self._bar is not None:
            self._bar.update(self._task, text=text)

    def count(self, done: int, total: int, what: str) -> None:
        """Show how many of so many things are done."""
        if self._bar is not None:
            self._bar.update(self._task, completed=done / total, text=f"{done} of {total} {what}")

    def update(
        self, fraction: float | None, step: int, loss: float, error: float | None, message: str
    ) -> None:
        """Show the share that is done, the loss, and the last measured error."""
        if self._bar is None:
            return
        text = f"step {step}  loss {loss:.1e}" + (f"  error {error:.1e}" if error is not None else "")
        self._bar.update(self._task, completed=fraction or 0.0, text=f"{text}  {message}".rstrip())
