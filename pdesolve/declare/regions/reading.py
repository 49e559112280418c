"""Regions from the JSON that `Region.to_json` wrote."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..errors import SerializationError
from ..trees import expression_from_json, listed, symbol
from .box import BoxRegion
from .region import Axis, Region


def _read_box(content: Any) -> BoxRegion:
    return BoxRegion(
        tuple(
            Axis(symbol(coordinate), expression_from_json(lower), expression_from_json(upper))
            for coordinate, lower, upper in map(listed, listed(content["axes"]))
        )
    )


READERS: dict[str, Callable[[Any], Region]] = {"box": _read_box}
"""How each ``"kind"`` is read."""


def region_from_json(content: Any) -> Region:
    """The region of a file.

    Raises:
        SerializationError: the content is malformed, or of an unknown kind.
    """
    kind = content.get("kind") if type(content) is dict else None
    if kind not in READERS:
        raise SerializationError(
            "problem_from_json(), domain",
            f"a region of kind {' or '.join(READERS)}",
            repr(kind)[:40],
            "Give what problem_to_json wrote.",
        )
    return READERS[kind](content)
