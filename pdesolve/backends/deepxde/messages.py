"""Messages between two processes: a line of JSON, then arrays as NumPy writes them. No code is exchanged."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from typing import Any, BinaryIO

import numpy as np

from ...declare.domain import Array

Message = tuple[dict[str, Any], dict[str, Array]]


def send(stream: BinaryIO, header: Mapping[str, Any], arrays: Mapping[str, Array] | None = None) -> None:
    """Write one message, at once."""
    content = io.BytesIO()
    if arrays:
        np.savez(content, **arrays)  # type: ignore[arg-type]
    payload = content.getvalue()
    stream.write(json.dumps({**header, "bytes": len(payload)}).encode() + b"\n" + payload)
    stream.flush()


def receive(stream: BinaryIO) -> Message | None:
    """Read one message; None where the other side has ended."""
    line = stream.readline()
    if not line.endswith(b"\n"):
        return None
    header = json.loads(line)
    payload = stream.read(header.pop("bytes"))
    if not payload:
        return header, {}
    with np.load(io.BytesIO(payload), allow_pickle=False) as arrays:
        return header, dict(arrays)
