"""Our end of the process in which DeepXDE trains."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import weakref
from collections.abc import Mapping
from typing import IO, Any

from ...declare import PDESolveError
from ...declare.domain import Array
from .messages import Message, receive, send

WORKER = "pdesolve.backends.deepxde.worker"


class PeerError(PDESolveError):
    """DeepXDE, or the process that it runs in, has failed."""


class Peer:
    """The process. It trains for one unit of work when asked, and waits otherwise.

    It ends with this object, and whenever its input ends.
    """

    def __init__(self, device: str) -> None:
        environment = {k: v for k, v in os.environ.items() if not k.startswith("OMPI_")}
        environment |= {"DDE_BACKEND": "pytorch", "MPLBACKEND": "Agg"}
        if device == "cpu":
            environment["CUDA_VISIBLE_DEVICES"] = ""  # DeepXDE takes a GPU that it sees
        self._words: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - `_end` closes it
        self._process = subprocess.Popen(
            [sys.executable, "-m", WORKER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._words,
            env=environment,
        )
        self._finalizer = weakref.finalize(self, _end, self._process, self._words)

    def send(self, header: Mapping[str, Any], arrays: Mapping[str, Array] | None = None) -> None:
        assert self._process.stdin is not None
        try:
            send(self._process.stdin, header, arrays)  # type: ignore[arg-type]
        except OSError as error:
            raise self._failure(str(error)) from error

    def receive(self) -> Message:
        """The next message.

        Raises:
            PeerError: it says that it failed, or it has died.
        """
        assert self._process.stdout is not None
        message = receive(self._process.stdout)  # type: ignore[arg-type]
        if message is None:
            raise self._failure(f"its process has ended: {self._last_words()}")
        if "error" in message[0]:
            raise self._failure(message[0]["error"])
        return message

    def close(self) -> None:
        """End the process."""
        self._finalizer()

    def _failure(self, what: str) -> PeerError:
        return PeerError("backend 'deepxde'", "an answer", what, "Run it with other options.")

    def _last_words(self) -> str:
        """The last line that the process wrote."""
        self._words.seek(0)
        lines = self._words.read().decode(errors="replace").strip().splitlines()
        return lines[-1][:200] if lines else "it said nothing"


def _end(process: subprocess.Popen[bytes], words: IO[bytes]) -> None:
    process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout, words):
        if stream is not None:
            try:
                stream.close()
            except OSError:
                continue  # what was not sent to a process that is gone
