"""Parts of shapes as segments and arcs: their lengths, the side of the region, and where they lie."""

import math

import numpy as np
import pytest

import pdesolve.declare as pde
from pdesolve.declare.regions.curves import Arc, Segment

x, y = pde.coordinates("x y")
UNIT = pde.Box((x, 0, 1), (y, 0, 1))


def length(curve):
    if isinstance(curve, Segment):
        return math.dist(curve.start, curve.end)
    return curve.radius * (curve.last - curve.first)


def middle_and_inward(curve):
    """A point of the curve and the unit vector that the text of the classes promises to lead inside."""
    if isinstance(curve, Segment):
        (x0, y0), (x1, y1) = curve.start, curve.end
        return ((x0 + x1) / 2, (y0 + y1) / 2), np.array([y0 - y1, x1 - x0]) / length(curve)
    angle = (curve.first + curve.last) / 2
    outward = np.array([math.cos(angle), math.sin(angle)])
    return curve.center + curve.radius * outward, -outward if curve.is_outer else outward


SHAPES = {
    "disk": (pde.Disk((x, y), (1, 2), 3), {"circle": 6 * math.pi}),
    "hole": (
        UNIT - pde.Disk((x, y), (0.5, 0.5), 0.25, name="hole"),
        {"left": 1, "right": 1, "bottom": 1, "top": 1, "hole": math.pi / 2},
    ),
    "quarter cut out": (
        UNIT - pde.Disk((x, y), (0, 0), 0.5, name="cut"),
        {"left": 0.5, "right": 1, "bottom": 0.5, "top": 1, "cut": math.pi / 4},
    ),
    "stadium": (
        UNIT | pde.Disk((x, y), (1, 0.5), 0.5, name="cap"),
        {"left": 1, "bottom": 1, "top": 1, "cap": math.pi / 2},
    ),
    "half disk": (
        pde.Disk((x, y), (0, 0), 1, name="arc") & pde.Box((x, 0, 2), (y, -2, 2)),
        {"arc": math.pi, "left": 2},
    ),
    "L": (
        pde.Polygon((x, y), [(0, 0), (1, 0), (1, 1), (-1, 1), (-1, -1), (0, -1)], names="wall"),
        {"wall": 8},
    ),
}


@pytest.mark.parametrize("name", SHAPES)
def test_lengths_places_and_sides(name):
    domain, lengths = SHAPES[name]
    assert {face.name for face in domain.faces} == set(lengths)
    for part, expected in lengths.items():
        curves = domain.region.boundary_curves(part)
        assert sum(map(length, curves)) == pytest.approx(expected, rel=1e-9)
        for curve in curves:
            point, inward = middle_and_inward(curve)
            ends = np.stack([point + 0.01 * inward, point - 0.01 * inward])
            assert domain.contains(ends).tolist() == [True, False]
            assert abs(domain.distance(np.array([point]))[0]) < 1e-4  # the polygon's sagitta


def test_whole_circles_are_one_arc():
    (circle,) = pde.Disk((x, y), (1, 2), 3).region.boundary_curves("circle")
    assert circle == Arc((1, 2), 3)
    assert circle.is_circle


def test_ellipses_and_boxes_have_no_such_description():
    assert pde.Ellipse((x, y), (0, 0), (2, 1)).region.boundary_curves("ellipse") is None
    assert pde.Ellipse((x, y), (0, 0), (2, 2)).region.boundary_curves("ellipse") is not None
    assert UNIT.region.boundary_curves("left") is None
