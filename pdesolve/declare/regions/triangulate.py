"""`triangulate`: triangles of good quality that fill a shape.

The boundary is divided as a `SizeField` wants it; inside lie first the points of a hexagonal lattice, where
the field is constant. Ruppert's algorithm (J. Algorithms 18, 1995, 548-585) then adds midpoints of segments
of the boundary, and circumcentres of triangles that are too large or have a small angle, many a round,
until every segment is an edge and no bad triangle is left. Laplacian smoothing evens the result out.
"""

from __future__ import annotations

import math

import numpy as np

from ..errors import MeshingError
from .mesh import Indices, Mesh
from .region import Array, Mask
from .shape import Shape
from .size_field import size_field
from .subdivision import Subdivision

ANGLE = math.radians(25)
"""Triangles with a smaller angle are split; two edges of the shape may still meet at a smaller one."""
OVERSIZE = 1.4
"""Circumradii up to this much above that of the equilateral triangle of the wanted size are left."""
FLAT = 1e-9
"""Triangles with a smaller area, relative to the square of their extent, are none."""
MAX_POINTS = 2_000_000
MAX_ROUNDS = 300
SMOOTHING = 10


def triangulate(shape: Shape, size: float) -> Mesh:
    """A mesh of a shape with edges of about ``size``, shorter where its `SizeField` says so.

    Corners of the shape are vertices; along a curve vertices lie on it, so that the mesh's area is that of
    the polygon which they make. Angles are above 20°, except at sharper corners of the shape.

    Raises:
        MeshingError: the mesh would have more than two million points, or the shape has details that are
            too fine for double precision.
    """
    expected = 1.2 * shape.measure() / size**2
    if not expected < MAX_POINTS:
        got = f"{size:g}, for about {expected:.2g} points"
        raise MeshingError(
            "mesh", f"a size that needs at most {MAX_POINTS} points", got, "Give a larger one."
        )
    work = Subdivision(shape, size_field(shape, size))
    _straighten(work)
    work.add(_lattice(work))
    _refine(work)
    _smooth(work)
    cells = _refine(work)
    return _checked(work, cells)


def _straighten(work: Subdivision) -> None:
    """Split the chords of curves where they cross another piece of the boundary."""
    import shapely

    for _ in range(20):
        if shapely.is_valid(work.polygon()):
            return
        if not np.any(work.is_curved):
            break
        work.split(work.is_curved)
    raise _failure("chords of curves that cross the rest of the boundary")


def _lattice(work: Subdivision) -> Array:
    """Points of a hexagonal lattice of the largest size, at some distance from the boundary."""
    import shapely

    shape, size = work.shape, work.field.size
    (x0, x1), (y0, y1) = (axis.bounds for axis in shape.axes)
    rows = np.arange(y0, y1 + size, size * math.sqrt(3) / 2)
    columns = np.arange(x0, x1 + size, size)
    x, y = np.meshgrid(columns, rows)
    x[1::2] += size / 2
    points = np.stack([x.ravel(), y.ravel()], axis=1)
    points = points[shapely.contains_xy(shape.polygon, points[:, 0], points[:, 1])]
    points = points[work.field(points) > 0.9 * size]
    return np.asarray(points[shape.distance(points) > 0.6 * size])


# -- Ruppert's algorithm -------------------------------------------------------------------------------


def _delaunay(work: Subdivision) -> Indices:
    """The Delaunay triangles inside, counter-clockwise (m, 3)."""
    import shapely
    from scipy.spatial import Delaunay

    center = work.shape.edges.mean(axis=(0, 1))  # the algorithm squares coordinates
    cells = Delaunay(work.points - center).simplices.astype(np.int64)
    polygon = work.polygon()
    shapely.prepare(polygon)
    area = _signed_areas(work.points[cells])
    cells[area < 0] = cells[area < 0][:, ::-1]
    centers = work.points[cells].mean(axis=1)
    inside = shapely.contains_xy(polygon, centers[:, 0], centers[:, 1])
    # Three points of one straight edge make a triangle of area zero, up to round-off.
    longest = np.max([np.ptp(work.points[cells][:, :, k], axis=1) for k in (0, 1)], axis=0)
    return np.asarray(cells[inside & (np.abs(area) > FLAT * longest**2)])


def _signed_areas(corners: Array) -> Array:
    a, b = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    return np.asarray((a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]) / 2)


def _refine(work: Subdivision) -> Indices:
    """Add points until the triangulation holds every segment and no bad triangle; its triangles."""
    for _ in range(MAX_ROUNDS):
        if len(work.points) > MAX_POINTS:
            raise _failure(f"more than {MAX_POINTS} points")
        cells = _delaunay(work)
        encroached = _encroached(work, cells)
        if np.any(encroached):
            if np.any(work.lengths_squared[encroached] < (1e-10 * work.shape.size) ** 2):
                raise _failure("boundary segments below 1e-10 of its size")
            work.split(encroached)
            continue
        centers, encroached = _centers_of_bad(work, cells)
        if not len(centers) and not np.any(encroached):
            return cells
        work.split(encroached)
        work.add(centers)
    raise _failure(f"no end after {MAX_ROUNDS} rounds of refinement")


def _encroached(work: Subdivision, cells: Indices) -> Mask:
    """Segments that are no edge, or see the third corner of their triangle under an obtuse angle."""
    if not len(cells):
        return np.ones(len(work.ends), dtype=bool)
    n = len(work.points)
    codes = np.concatenate([cells[:, [1, 2]], cells[:, [2, 0]], cells[:, [0, 1]]]) @ np.array([n, 1])
    apex = np.concatenate([cells[:, 0], cells[:, 1], cells[:, 2]])
    order = np.argsort(codes)
    segment_codes = work.ends @ np.array([n, 1])  # oriented as in the triangle on their left
    at = np.clip(np.searchsorted(codes, segment_codes, sorter=order), 0, len(codes) - 1)
    found = order[at]
    opposite = work.points[apex[found]]
    a, b = (work.points[work.ends[:, k]] - opposite for k in (0, 1))
    is_obtuse = np.einsum("nk,nk->n", a, b) < -1e-9 * work.lengths_squared
    return np.asarray((codes[found] != segment_codes) | is_obtuse)


def _centers_of_bad(work: Subdivision, cells: Indices) -> tuple[Array, Mask]:
    """Circumcentres of bad triangles, far from each other, and the segments too close to any of them."""
    import shapely

    corners = work.points[cells]
    centers, radius = _circumcircles(corners)
    sides = np.stack([corners[:, (i + 2) % 3] - corners[:, (i + 1) % 3] for i in range(3)], axis=1)
    lengths = np.linalg.norm(sides, axis=2)
    shortest = np.argmin(lengths, axis=1)
    least = lengths[np.arange(len(cells)), shortest]
    wanted = work.wanted[cells].mean(axis=1) / math.sqrt(3) * OVERSIZE
    is_large = radius > wanted
    is_thin = (least < 2 * math.sin(ANGLE) * radius) & ~_is_cut_by_sharp_corner(work, cells, shortest)
    bad = np.flatnonzero(is_large | is_thin)
    bad = bad[np.argsort(-radius[bad], kind="stable")]
    inside = shapely.contains_xy(work.shape.polygon, centers[bad, 0], centers[bad, 1])
    close = _segments_near(work, centers[bad])
    encroached = np.zeros(len(work.ends), dtype=bool)
    for segments in close:
        encroached[segments] = True
    free = inside & np.array([not len(segments) for segments in close], dtype=bool)
    chosen = _spread(centers[bad[free]], radius[bad[free]])
    return centers[bad[free]][chosen], encroached


def _circumcircles(corners: Array) -> tuple[Array, Array]:
    a, b = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    aa, bb = (np.einsum("nk,nk->n", v, v) for v in (a, b))
    twice = 2 * (a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0])
    offset = np.stack([b[:, 1] * aa - a[:, 1] * bb, a[:, 0] * bb - b[:, 0] * aa], axis=1) / twice[:, None]
    return corners[:, 0] + offset, np.linalg.norm(offset, axis=1)


def _is_cut_by_sharp_corner(work: Subdivision, cells: Indices, shortest: Indices) -> Mask:
    """Triangles whose shortest side joins two runs that meet at less than 60°: no split can help them."""
    index = np.arange(len(cells))
    return work.meet_sharply(*(cells[index, (shortest + k) % 3] for k in (1, 2)))


def _segments_near(work: Subdivision, points: Array) -> list[list[int]]:
    """For each point the segments in whose diametral circle it lies."""
    from scipy.spatial import cKDTree

    found: list[list[int]] = [[] for _ in points]
    if len(points):
        middles = work.points[work.ends].mean(axis=1)
        radii = np.sqrt(work.lengths_squared) / 2
        for segment, members in enumerate(cKDTree(points).query_ball_point(middles, radii * (1 - 1e-9))):
            for i in members:
                found[i].append(segment)
    return found


def _spread(points: Array, radius: Array) -> Indices:
    """Points in their order, without those nearer than their radius to one before."""
    from scipy.spatial import cKDTree

    left = np.ones(len(points), dtype=bool)
    if len(points):
        for i, near in enumerate(cKDTree(points).query_ball_point(points, radius)):
            if left[i]:
                left[[j for j in near if j > i]] = False
    return np.flatnonzero(left)


# -- smoothing and verification ------------------------------------------------------------------------


def _smooth(work: Subdivision) -> None:
    """Move inner points to the mean of the triangles around them, several times."""
    inner = np.ones(len(work.points), dtype=bool)
    inner[work.ends.ravel()] = False
    for _ in range(SMOOTHING):
        cells = _delaunay(work)
        corners = work.points[cells]
        centers = corners.mean(axis=1)
        # Area relative to what is wanted, so that a mesh that grows as it should is left alone.
        weight = _signed_areas(corners) / work.wanted[cells].mean(axis=1) ** 3
        around, count = cells.ravel(), len(work.points)
        total = np.bincount(around, np.repeat(weight, 3), count)
        sums = [np.bincount(around, np.repeat(weight * c, 3), count) for c in centers.T]
        moved = np.stack(sums, axis=1)[inner] / total[inner, None]
        before = work.points.copy()
        work.points[inner] = moved
        near = np.array([bool(s) for s in _segments_near(work, work.points[inner])], dtype=bool)
        back = np.flatnonzero(inner)[near]  # would split a segment of the boundary
        work.points[back] = before[back]
    work.wanted[inner] = work.field(work.points[inner])


def _checked(work: Subdivision, cells: Indices) -> Mesh:
    """The mesh, where it fills the polygon of its boundary exactly.

    Raises:
        MeshingError: it does not.
    """
    used, number = np.unique(cells, return_inverse=True)
    renumber = np.full(len(work.points), -1)
    renumber[used] = np.arange(len(used))
    ends = renumber[work.ends]
    parts = [work.shape.sides[run[0]].part for run in work.shape.runs]
    part = np.array(parts)[work.run]
    boundaries = {face.name: ends[part == face.name] for face in work.shape.faces}
    mesh = Mesh(work.points[used], number.reshape(cells.shape), boundaries)
    areas = _signed_areas(mesh.vertices)
    expected = work.polygon().area
    is_filled = abs(math.fsum(areas) - expected) <= 1e-10 * expected
    facets = {frozenset(facet) for facet in mesh.facets.tolist()}
    if not is_filled or facets != {frozenset(segment) for segment in ends.tolist()}:
        raise _failure("triangles that do not fill it")
    return mesh


def _failure(got: str) -> MeshingError:
    return MeshingError(
        "mesh",
        "a triangulation of the shape",
        got,
        "Remove tiny details, move parts that almost touch, or load a mesh made elsewhere with MeshDomain.",
    )
