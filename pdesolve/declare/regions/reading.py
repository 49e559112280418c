"""Regions from the JSON that `Region.to_json` wrote."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..errors import SerializationError
from ..trees import expression_from_json, listed, number, symbol, text
from .box import BoxRegion
from .region import Axis, Region
from .shape import Ring, Shape, Side
from .simplicial import read_mesh_region
from .surface import read_surface_region


def _read_box(content: Any) -> BoxRegion:
    return BoxRegion(
        tuple(
            Axis(symbol(coordinate), expression_from_json(lower), expression_from_json(upper))
            for coordinate, lower, upper in map(listed, listed(content["axes"]))
        )
    )


def _read_shape(content: Any) -> Shape:
    x, y = map(symbol, listed(content["coordinates"]))
    return Shape((x, y), tuple(map(_read_ring, listed(content["rings"]))))


def _read_ring(content: Any) -> Ring:
    points = (map(number, listed(point)) for point in listed(content["points"]))
    sides = (
        Side(text(part), _read_ellipse(ellipse)) for part, ellipse in map(listed, listed(content["sides"]))
    )
    return Ring(tuple((px, py) for px, py in points), tuple(sides))


def _read_ellipse(content: Any) -> tuple[float, float, float, float] | None:
    if content is None:
        return None
    x0, y0, a, b = map(number, listed(content))
    return x0, y0, a, b


READERS: dict[str, Callable[[Any], Region]] = {
    "box": _read_box,
    "shape": _read_shape,
    "mesh": read_mesh_region,
    "surface": read_surface_region,
}
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
