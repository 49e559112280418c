"""Arrays as plain JSON values: base64 of little-endian bytes, with their shape.

Not compressed: compressors differ between machines, and digests of problems hash these bytes.
"""

from __future__ import annotations

import base64
import binascii
import math
from typing import Any

import numpy as np

from ..errors import SerializationError

MAX_ELEMENTS = 200_000_000
DTYPES = ("<f8", "<i8", "<i4")


def array_to_json(array: np.ndarray[Any, Any], dtype: str) -> dict[str, Any]:
    """An array in one of `DTYPES`."""
    data = np.ascontiguousarray(array, dtype=dtype).tobytes()
    return {"dtype": dtype, "shape": list(array.shape), "data": base64.b64encode(data).decode("ascii")}


def array_from_json(content: Any, dtype: str, columns: int | None = None) -> np.ndarray[Any, Any]:
    """The matrix that `array_to_json` wrote.

    Raises:
        SerializationError: it is malformed, of another dtype, or not of ``columns`` columns.
    """

    def refuse(got: str) -> SerializationError:
        expected = f"a matrix of dtype {dtype}" + ("" if columns is None else f" with {columns} columns")
        return SerializationError(
            "problem_from_json(), mesh", expected, got, "Give what problem_to_json wrote."
        )

    if type(content) is not dict or content.get("dtype") != dtype:
        raise refuse(repr(content)[:60])
    shape, data = content.get("shape"), content.get("data")
    if type(shape) is not list or len(shape) != 2 or not all(type(n) is int and n >= 0 for n in shape):
        raise refuse(f"shape {shape!r}"[:60])
    if columns is not None and shape[1] != columns:
        raise refuse(f"shape {shape}")
    size = math.prod(shape)
    if type(data) is not str or size > MAX_ELEMENTS:
        raise refuse("no data" if type(data) is not str else f"{size} numbers")
    try:
        raw = base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError) as error:
        raise refuse("data that is no base64") from error
    if len(raw) != size * np.dtype(dtype).itemsize:
        raise refuse(f"{len(raw)} bytes for shape {shape}")
    return np.frombuffer(raw, dtype=dtype).astype(dtype[1:]).reshape(shape)
