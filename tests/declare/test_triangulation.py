"""Triangulations of shapes: they fill the shape, keep its corners and parts, and have good angles."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pdesolve.declare as pde
from pdesolve.declare.errors import DisconnectedDomainError, EmptyDomainError, MeshingError
from pdesolve.declare.regions.mesh import Mesh
from pdesolve.declare.regions.region import Region
from pdesolve.declare.regions.shape import Shape
from pdesolve.declare.regions.size_field import size_field

x, y = pde.coordinates("x y")


def box(x0: float, x1: float, y0: float, y1: float) -> pde.Domain:
    return pde.Box((x, x0, x1), (y, y0, y1))


def disk(center: Any = (0, 0), radius: float = 1, name: str = "circle") -> pde.Domain:
    return pde.Disk((x, y), center, radius, name)


def polygon(*vertices: tuple[float, float]) -> pde.Domain:
    return pde.Polygon((x, y), vertices)


SQUARE = polygon((0, 0), (1, 0), (1, 1), (0, 1))
SHAPES = {
    "square": SQUARE,
    "triangle": polygon((0, 0), (1, 0), (0.3, 0.8)),
    "l-shape": box(-1, 1, -1, 1) - box(0, 1, -1, 0),
    "backward step": box(0, 10, 0, 2) - box(0, 2, 0, 1),
    "channel": box(0, 2.2, 0, 0.41) - disk((0.2, 0.2), 0.05, "cylinder"),
    "ring": disk(radius=2, name="outer") - disk(name="inner"),
    "disk": disk(),
    "lens": disk() & disk((1.2, 0)),
    "keyhole": disk() | box(-0.05, 0.05, -2, 0),
    "tiny hole": box(0, 1, 0, 1) - disk((0.3, 0.4), 1e-4),
    "hole near the wall": box(0, 1, 0, 1) - disk((0.3, 0.11), 0.1),
    "narrow gap": box(0, 1, 0, 1) - disk((0.3, 0.5), 0.2) - disk((0.7005, 0.5), 0.2),
    "thin ellipse": pde.Ellipse((x, y), radii=(1, 0.02)),
    "thin plate": box(0, 1, 0, 1) - box(0.3, 0.7, 0.5, 0.503),
    "slit": box(0, 1, 0, 1) - polygon((0.2, 0.5), (0.8, 0.499), (0.8, 0.501)),
    "touching itself": box(0, 3, 0, 3) - polygon((0, 1), (1, 0.5), (1, 1.5)) - box(1, 2, 1.5, 2),
}
"""Shapes without corners below 60°, so that angles must be good everywhere."""

SHARP = {
    "wedge of 5.7°": polygon((0, 0), (1, 0), (1, 0.1)),
    "wedge of 0.6°": polygon((0, 0), (1, 0), (1, 0.01)),
    "star": polygon(
        *[
            ((0.3, 1)[i % 2] * np.cos(i * np.pi / 7), (0.3, 1)[i % 2] * np.sin(i * np.pi / 7))
            for i in range(14)
        ]
    ),
    "moon": disk() - disk((0.3, 0), 1),
}


def angles(mesh: Mesh) -> np.ndarray[Any, Any]:
    """All angles (m, 3) in degrees."""
    corners = mesh.vertices
    found = []
    for i in range(3):
        a, b = (corners[:, (i + k) % 3] - corners[:, i] for k in (1, 2))
        found.append(np.arctan2(np.abs(_cross(a, b)), np.sum(a * b, axis=1)))
    return np.degrees(np.stack(found, axis=1))


def _cross(a: np.ndarray[Any, Any], b: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]


def sharpest_corner(shape: Shape) -> float:
    """The smallest inner angle between neighbouring edges, in degrees."""
    least, start = 180.0, 0
    for ring in shape.rings:
        normals = shape.edge_normals[start : start + len(ring.sides)]
        start += len(ring.sides)
        following = np.roll(normals, -1, axis=0)
        turn = np.arctan2(_cross(normals, following), np.sum(normals * following, axis=1))
        least = min(least, 180 - float(np.degrees(turn).max()))
    return least


def check(domain: pde.Domain, mesh: Mesh, least: float) -> None:
    """The mesh fills the shape, is conforming, has its corners and parts, and no angle below ``least``."""
    shape = domain.region
    assert isinstance(shape, Shape)
    corners = mesh.vertices
    areas = _cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]) / 2
    assert (areas > 0).all()  # counter-clockwise
    np.testing.assert_array_equal(np.unique(mesh.cells), np.arange(len(mesh.points)))
    assert len(np.unique(mesh.points, axis=0)) == len(mesh.points)
    # Every edge belongs to two triangles, or to one and to exactly one part.
    segments = np.concatenate([mesh.boundaries[part] for part in domain.parts])
    assert {frozenset(e) for e in mesh.facets.tolist()} == {frozenset(e) for e in segments.tolist()}
    assert len(mesh.facets) == len(segments)
    # Euler's formula: one piece with as many holes as the shape.
    assert len(mesh.points) - len(mesh.edges) + len(mesh.cells) == 2 - len(shape.rings)
    # The area by the boundary alone, and that of the shape less what curves cut off.
    ends = mesh.points[segments]
    assert np.sum(_cross(ends[:, 0], ends[:, 1])) / 2 == pytest.approx(areas.sum(), rel=1e-12)
    straight = all(side.ellipse is None for side in shape.sides)
    assert areas.sum() == pytest.approx(shape.measure(), rel=1e-12 if straight else 0.02)
    for part in domain.parts:
        points = mesh.points[mesh.boundaries[part]]
        assert np.abs(shape.distance(points.reshape(-1, 2))).max() <= 1e-13 * shape.size
        length = np.linalg.norm(points[:, 1] - points[:, 0], axis=1).sum()
        assert length == pytest.approx(shape.measure(part), rel=1e-12 if straight else 0.02)
        normal = shape.normal(part)
        if normal is not None:  # oriented: the inside lies to the left
            along = points[:, 1] - points[:, 0]
            outward = np.stack([along[:, 1], -along[:, 0]], axis=1) / np.linalg.norm(along, axis=1)[:, None]
            np.testing.assert_allclose(outward, np.tile(normal, (len(outward), 1)), atol=1e-6)
    assert angles(mesh).min() >= least


@pytest.mark.parametrize("name", SHAPES)
def test_angles_are_above_20_degrees(name: str) -> None:
    domain = SHAPES[name]
    mesh = domain.region.mesh()
    check(domain, mesh, 20)
    assert angles(mesh).mean(axis=0).sum() == pytest.approx(180)
    assert np.median(angles(mesh).min(axis=1)) > 45


@pytest.mark.parametrize("name", SHARP)
def test_sharp_corners_limit_the_angles(name: str) -> None:
    domain = SHARP[name]
    sharpest = sharpest_corner(domain.region)
    assert sharpest < 60
    mesh = domain.region.mesh()
    check(domain, mesh, 0.6 * sharpest)


@pytest.mark.parametrize("name", ["l-shape", "triangle", "ring", "channel", "narrow gap"])
def test_half_the_size_halves_every_edge(name: str) -> None:
    domain = SHAPES[name]
    default = domain.region.size / 32
    coarse, fine = (domain.region.mesh(default / f) for f in (1, 2))
    assert 3.3 < len(fine.cells) / len(coarse.cells) < 4.7
    for part in domain.parts:
        assert 1.7 < len(fine.boundaries[part]) / len(coarse.boundaries[part]) < 2.3
    assert coarse.longest_edge < 1.7 * default
    assert fine.longest_edge < 1.7 * default / 2
    check(domain, fine, 20)


@pytest.mark.parametrize("size", [0.5, 0.2, 0.05])
def test_edges_are_about_as_long_as_asked(size: float) -> None:
    mesh = SQUARE.region.mesh(size)
    lengths = np.linalg.norm(np.diff(mesh.points[mesh.edges], axis=1)[:, 0], axis=1)
    assert lengths.max() < 1.5 * size
    assert 0.7 * size < np.median(lengths) < 1.2 * size
    assert (len(mesh.cells) * np.sqrt(3) / 4 * size**2) == pytest.approx(1, rel=0.6)


def test_vertices_lie_on_circles() -> None:
    """So that the error of the geometry is that of chords: of second order in the size."""
    domain = SHAPES["ring"]
    missing = []
    for size in (0.25, 0.125, 0.0625):
        mesh = domain.region.mesh(size)
        for part, radius in (("outer", 2), ("inner", 1)):
            points = mesh.points[np.unique(mesh.boundaries[part])]
            np.testing.assert_allclose(np.linalg.norm(points, axis=1), radius, rtol=1e-14)
        outer = mesh.points[mesh.boundaries["outer"]]
        missing.append(4 * np.pi - np.sum(_cross(outer[:, 0], outer[:, 1])) / 2)
    assert missing[1] / missing[2] == pytest.approx(4, rel=0.3)


def test_edges_are_short_at_small_holes_and_in_narrow_gaps() -> None:
    hole = SHAPES["tiny hole"].region.mesh().boundaries["circle"]
    assert len(hole) >= 30
    gap = SHAPES["narrow gap"]
    mesh = gap.region.mesh()
    ends = mesh.points[mesh.boundaries["circle"]]
    near = np.abs(ends.mean(axis=1) - (0.50025, 0.5)).max(axis=1) < 0.003
    assert near.any()
    assert np.linalg.norm(ends[near, 1] - ends[near, 0], axis=1).max() < 0.001  # two gaps
    across = mesh.points[mesh.cells].mean(axis=1)
    assert (np.abs(across - (0.50025, 0.5)).max(axis=1) < 2.5e-4).sum() >= 2


def test_the_size_field_is_what_its_documentation_says() -> None:
    shape = SHAPES["tiny hole"].region
    field = size_field(shape, 1 / 32)
    away = np.array([0.0, 1e-3, 1e-2, 0.3])
    points = np.array([0.3 + 1e-4, 0.4]) + away[:, None] * (1, 0)
    expected = np.minimum(1 / 32, 2 * np.pi / 32 * 1e-4 + 0.3 * away)
    np.testing.assert_allclose(field(points), expected, rtol=0.06)
    np.testing.assert_allclose(size_field(shape, 1 / 64)(points), expected / 2, rtol=0.06)
    channel = size_field(box(0, 10, 0, 0.1).rename({}).region, 1.0)
    np.testing.assert_allclose(channel(np.array([[5.0, 0.05]])), 0.05 + 0.3 * 0.05, rtol=0.1)


def test_meshes_are_deterministic() -> None:
    first, second = (SHAPES["channel"].region.mesh() for _ in range(2))
    np.testing.assert_array_equal(first.points, second.points)
    np.testing.assert_array_equal(first.cells, second.cells)


def test_units_do_not_matter() -> None:
    for scale, shift in ((1e-6, 0.0), (1e6, 1e6), (1.0, -1e6)):
        a, b = shift, shift + scale
        domain = box(a, b, a, b) - disk(((a + b) / 2, (a + b) / 2), 0.2 * scale)
        check(domain, domain.region.mesh(), 20) if shift == 0 else domain.region.mesh()


@settings(deadline=None, max_examples=20, derandomize=True)
@given(st.integers(0, 10**6))
def test_random_combinations(seed: int) -> None:
    rng = np.random.default_rng(seed)
    domain = box(-1, 1, -1, 1).rename({})
    for i in range(rng.integers(1, 4)):
        center, radius = rng.uniform(-1, 1, 2), rng.uniform(0.05, 0.8)
        turns = np.sort(rng.uniform(0, 2 * np.pi, 5))
        around = [(center[0] + radius * np.cos(a), center[1] + radius * np.sin(a)) for a in turns]
        other = (disk(center, radius, f"circle-{i}"), polygon(*around))[rng.integers(2)]
        try:
            domain = (domain.__sub__, domain.__or__, domain.__and__)[rng.integers(3)](other)
        except (EmptyDomainError, DisconnectedDomainError):
            continue
    mesh = domain.region.mesh(domain.region.size / rng.choice([5, 20, 32]))
    check(domain, mesh, min(20.0, 0.6 * sharpest_corner(domain.region)))


@pytest.mark.parametrize("region", [SQUARE.region, box(0, 1, 0, 1).region], ids=["shape", "box"])
@pytest.mark.parametrize("size", [0.0, -1.0, np.nan, np.inf, "1", True])
def test_sizes_that_cannot_be_are_refused(size: float, region: Region) -> None:
    with pytest.raises(MeshingError, match="positive"):
        region.mesh(size)


def test_a_mesh_that_would_be_too_large_is_refused() -> None:
    with pytest.raises(MeshingError, match="size"):
        SQUARE.region.mesh(1e-5)


@pytest.mark.parametrize("size", [1, np.int64(2), 100])
def test_sizes_may_be_whole_numbers(size: int) -> None:
    """Edges are still as short as the curve needs: 32 a turn."""
    mesh = pde.Disk((x, y)).region.mesh(size)
    assert len(mesh.boundaries["circle"]) == 32


def test_details_below_round_off_are_refused() -> None:
    needle = polygon((0, 0), (1, 0), (1, 1e-11))
    with pytest.raises(MeshingError, match="MeshDomain"):
        needle.region.mesh()
