"""Shapes of the plane: closed forms, the divergence theorem, set algebra, sampling, distances, refusals."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import sympy as sp
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

import pdesolve.declare as pde
from pdesolve.declare import errors
from pdesolve.declare.regions.reading import region_from_json
from pdesolve.declare.serialization import problem_from_json, problem_to_json

x, y, z, t = pde.coordinates("x y z t")
pi = np.pi

SQUARE = pde.Box((x, 0, 1), (y, 0, 1))
CHANNEL = pde.Box((x, 0, 2.2), (y, 0, 0.41)) - pde.Disk((x, y), (0.2, 0.2), 0.05, name="cylinder")
L_SHAPE = pde.Box((x, -1, 1), (y, -1, 1)) - pde.Box((x, 0, 1), (y, -1, 0))
RING = pde.Disk((x, y), radius=2, name="outer") - pde.Disk((x, y), radius=1, name="inner")
TRIANGLE = pde.Polygon((x, y), [(0, 0), (2, 0), (0, 1)], names=["base", "slope", "left"])
ELLIPSE = pde.Ellipse((x, y), (1, -1), (3, 0.5))
LENS = pde.Disk((x, y), radius=1) & pde.Disk((x, y), (1, 0), 1, name="right")
DOMAINS = {
    "channel": CHANNEL,
    "l-shape": L_SHAPE,
    "ring": RING,
    "triangle": TRIANGLE,
    "ellipse": ELLIPSE,
    "lens": LENS,
}


def disk(center: Any = (0, 0), radius: Any = 1, **options: Any) -> pde.Domain:
    return pde.Disk((x, y), center, radius, **options)


def of_circle(segments: int) -> float:
    """Area of the regular polygon in the unit circle."""
    return segments / 2 * np.sin(2 * pi / segments)


# -- closed forms --------------------------------------------------------------------------------------

AREAS = {
    "channel": 2.2 * 0.41 - of_circle(512) * 0.05**2,
    "l-shape": 3.0,
    "ring": 3 * of_circle(512),
    "triangle": 1.0,
    "ellipse": 1.5 * of_circle(512),
}


@pytest.mark.parametrize("name", AREAS)
def test_areas(name: str) -> None:
    assert DOMAINS[name].measure() == pytest.approx(AREAS[name], rel=1e-12)


def test_a_disk_lacks_the_area_that_its_documentation_states() -> None:
    for n in (64, 512):
        lacking = 1 - disk(segments=n).measure() / pi
        assert lacking == pytest.approx(2 * pi**2 / (3 * n**2), rel=0.01)
        short = 1 - disk(segments=n).measure("circle") / (2 * pi)
        assert short == pytest.approx(pi**2 / (6 * n**2), rel=0.01)
    assert 1 - disk().measure() / pi < 2.6e-5


def test_area_of_the_lens_of_two_circles() -> None:
    assert LENS.measure() == pytest.approx(2 * pi / 3 - np.sqrt(3) / 2, rel=1e-4)
    assert {name: LENS.measure(name) for name in LENS.parts} == pytest.approx(
        {"circle": 2 * pi / 3, "right": 2 * pi / 3}, rel=1e-4
    )


def test_lengths_of_parts() -> None:
    lengths = {"left": 0.41, "right": 0.41, "bottom": 2.2, "top": 2.2, "cylinder": 0.1 * pi}
    assert {part: CHANNEL.measure(part) for part in CHANNEL.parts} == pytest.approx(lengths, rel=1e-5)
    lengths = {"base": 2, "slope": np.sqrt(5), "left": 1}
    assert {part: TRIANGLE.measure(part) for part in TRIANGLE.parts} == pytest.approx(lengths)
    assert (TRIANGLE * pde.Time(t, 0, 3)).measure("slope") == pytest.approx(3 * np.sqrt(5))


def test_bounding_box() -> None:
    np.testing.assert_allclose(ELLIPSE.bounds, [[-2, 4], [-1.5, -0.5]], atol=1e-12)
    assert not ELLIPSE.is_box


def test_moments_by_quadrature() -> None:
    points, weights = disk((1, 2), 0.5).region.quadrature(4)
    r2 = (points[:, 0] - 1) ** 2 + (points[:, 1] - 2) ** 2
    polygon = 512 / 2 * np.sin(2 * pi / 512) * (2 + np.cos(2 * pi / 512)) / 6  # ∫ r² over a regular polygon
    assert weights @ r2 == pytest.approx(polygon * 0.5**4, rel=1e-12)
    assert weights @ r2 == pytest.approx(pi / 2 * 0.5**4, rel=1e-4)
    points, weights = TRIANGLE.region.quadrature(4)
    assert weights @ (points[:, 0] ** 2 * points[:, 1]) == pytest.approx(
        2**3 * 2 / 120
    )  # ∫ x^a y^b, Dirichlet
    points, weights = TRIANGLE.region.quadrature(3, "slope")
    assert weights @ points[:, 0] ** 2 == pytest.approx(4 / 3 * np.sqrt(5))


# -- normals -------------------------------------------------------------------------------------------


def test_flat_parts_have_one_normal() -> None:
    expected = {"left": (-1, 0), "right": (1, 0), "bottom": (0, -1), "top": (0, 1)}
    for part, normal in expected.items():
        np.testing.assert_allclose(CHANNEL.normal(part), normal, atol=1e-15)
    assert CHANNEL.normal("cylinder") is None
    np.testing.assert_allclose(TRIANGLE.normal("slope"), np.array([1, 2]) / np.sqrt(5))
    clockwise = pde.Polygon((x, y), [(0, 1), (2, 0), (0, 0)], names=["slope", "base", "left"])
    np.testing.assert_allclose(clockwise.normal("slope"), np.array([1, 2]) / np.sqrt(5))
    np.testing.assert_allclose(clockwise.normal("base"), (0, -1), atol=1e-15)


def test_normals_of_curves_are_those_of_the_curve() -> None:
    rng = np.random.default_rng(0)
    for part, sign in (("outer", 1), ("inner", -1)):
        points = RING.sample(300, rng, part)
        radial = sign * points / np.linalg.norm(points, axis=1)[:, None]
        np.testing.assert_allclose(RING.normals(points, part), radial, atol=1e-14)
    points = ELLIPSE.sample(300, rng, "ellipse")
    gradient = (points - (1, -1)) / np.array([9, 0.25])
    gradient /= np.linalg.norm(gradient, axis=1)[:, None]
    np.testing.assert_allclose(ELLIPSE.normals(points, "ellipse"), gradient, atol=1e-12)


def test_parts_of_one_name_keep_their_own_normals() -> None:
    walls = CHANNEL.rename({"bottom": "wall", "top": "wall", "cylinder": "wall"})
    assert walls.parts == ("right", "wall", "left")
    assert walls.normal("wall") is None
    points = np.array([[1.0, 0.0], [1.0, 0.41], [0.25, 0.2], [0.2, 0.15]])
    np.testing.assert_allclose(walls.normals(points, "wall"), [[0, -1], [0, 1], [-1, 0], [0, 1]], atol=1e-12)


# -- the divergence theorem ----------------------------------------------------------------------------


def _flux_and_divergence(domain: pde.Domain, seed: int) -> tuple[float, float, float]:
    """∮ F·n and ∫ div F of a random cubic field, and the size of F on the boundary."""
    rng = np.random.default_rng(seed)
    powers = [(i, j) for i in range(4) for j in range(4 - i)]
    field = [
        sum(c * x**i * y**j for c, (i, j) in zip(rng.normal(size=10), powers, strict=True)) for _ in "xy"
    ]
    F = [sp.lambdify((x, y), f, "numpy") for f in field]
    divergence = sp.lambdify((x, y), field[0].diff(x) + field[1].diff(y), "numpy")
    flux = size = 0.0
    for part in domain.parts:
        points, weights = domain.region.quadrature(3, part)
        normals = domain.normals(points, part)
        values = np.stack([f(*points.T) for f in F], axis=1)
        flux += float(weights @ np.einsum("nk,nk->n", values, normals))
        size += float(weights @ np.linalg.norm(values, axis=1))
    points, weights = domain.region.quadrature(3)
    return flux, float(weights @ divergence(*points.T)), size


@st.composite
def star_shaped(draw: st.DrawFn, center: tuple[float, float] = (0.0, 0.0)) -> pde.Domain:
    """A polygon around a centre; not convex in general."""
    n = draw(st.integers(3, 9))
    radii = draw(st.lists(st.floats(0.2, 1.0), min_size=n, max_size=n))
    shift = draw(st.floats(0, 1))
    angles = 2 * pi * (np.arange(n) + shift) / n
    vertices = [
        (center[0] + r * np.cos(a), center[1] + r * np.sin(a)) for r, a in zip(radii, angles, strict=True)
    ]
    return pde.Polygon((x, y), vertices[:: draw(st.sampled_from([1, -1]))])


@settings(deadline=None, max_examples=25, derandomize=True)
@given(star_shaped(), st.integers(0, 1000))
def test_divergence_theorem_on_polygons(polygon: pde.Domain, seed: int) -> None:
    flux, divergence, size = _flux_and_divergence(polygon, seed)
    assert flux == pytest.approx(divergence, abs=1e-12 * size)


@settings(deadline=None, max_examples=15, derandomize=True)
@given(star_shaped(), star_shaped((0.5, 0.3)), st.sampled_from("|&-"), st.integers(0, 1000))
def test_divergence_theorem_on_combined_polygons(
    a: pde.Domain, b: pde.Domain, operation: str, seed: int
) -> None:
    domain = _combined(a, b, operation)
    assume(domain is not None)
    assert domain is not None
    flux, divergence, size = _flux_and_divergence(domain, seed)
    assert flux == pytest.approx(divergence, abs=1e-11 * size)


@pytest.mark.parametrize("name", ["channel", "ring", "ellipse", "lens"])
def test_divergence_theorem_with_curves(name: str) -> None:
    """Normals are the curve's, the rest the polygon's: the difference is of second order in its edges."""
    flux, divergence, size = _flux_and_divergence(DOMAINS[name], 7)
    assert flux == pytest.approx(divergence, abs=5e-5 * size)


# -- set algebra ---------------------------------------------------------------------------------------


def _combined(a: pde.Domain, b: pde.Domain, operation: str) -> pde.Domain | None:
    try:
        return {"|": a.__or__, "&": a.__and__, "-": a.__sub__}[operation](b)
    except (errors.EmptyDomainError, errors.DisconnectedDomainError):
        return None


@settings(deadline=None, max_examples=25, derandomize=True)
@given(star_shaped(), star_shaped((0.4, 0.1)))
def test_measures_and_points_of_combinations(a: pde.Domain, b: pde.Domain) -> None:
    results = {operation: _combined(a, b, operation) for operation in "|&-"}
    both = results["&"]
    points = np.random.default_rng(0).uniform(-1.5, 1.5, (500, 2))
    points = points[(np.abs(a.distance(points)) > 1e-6) & (np.abs(b.distance(points)) > 1e-6)]
    in_a, in_b = a.contains(points), b.contains(points)
    expected = {"|": in_a | in_b, "&": in_a & in_b, "-": in_a & ~in_b}
    for operation, domain in results.items():
        if domain is not None:
            np.testing.assert_array_equal(domain.contains(points), expected[operation])
    if both is not None:
        if results["|"] is not None:
            assert results["|"].measure() == pytest.approx(a.measure() + b.measure() - both.measure())
        if results["-"] is not None:
            assert results["-"].measure() == pytest.approx(a.measure() - both.measure())
        reverse = b & a
        assert reverse.measure() == pytest.approx(both.measure())


@settings(deadline=None, max_examples=15, derandomize=True)
@given(star_shaped(), star_shaped((0.4, 0.1)), st.sampled_from("|&-"))
def test_edges_keep_the_names_of_the_edges_on_which_they_lie(
    a: pde.Domain, b: pde.Domain, operation: str
) -> None:
    named = {f"{owner}-{part}": (d, part) for owner, d in (("a", a), ("b", b)) for part in d.parts}
    a, b = (d.rename({part: f"{owner}-{part}" for part in d.parts}) for owner, d in (("a", a), ("b", b)))
    domain = _combined(a, b, operation)
    assume(domain is not None)
    assert domain is not None
    for part in domain.parts:
        original, name = named[part]
        points = domain.sample(20, np.random.default_rng(0), part)
        assert np.abs(original.distance(points)).max() < 1e-11
        normal = original.normal(name)
        assert normal is not None
        sign = -1 if operation == "-" and part.startswith("b") else 1
        np.testing.assert_allclose(domain.normals(points, part), np.tile(sign * normal, (20, 1)), atol=1e-9)


def test_boxes_bring_their_names() -> None:
    assert set(CHANNEL.parts) == {"left", "right", "bottom", "top", "cylinder"}
    assert {part: L_SHAPE.measure(part) for part in L_SHAPE.parts} == {
        "left": 2,
        "bottom": 1,
        "top": 2,
        "right": 1,
        "cut-left": 1,
        "cut-top": 1,
    }
    np.testing.assert_array_equal(L_SHAPE.normal("cut-left"), (1, 0))
    np.testing.assert_array_equal(L_SHAPE.normal("cut-top"), (0, -1))


def test_parts_of_one_name_become_one() -> None:
    step = SQUARE | pde.Box((x, 1, 3), (y, -1, 1))
    assert step.measure() == pytest.approx(5)
    assert {part: step.measure(part) for part in step.parts} == {"left": 2, "bottom": 3, "right": 2, "top": 3}
    told_apart = SQUARE.rename({"left": "inlet"}) | pde.Box((x, 1, 3), (y, -1, 1))
    assert told_apart.measure("inlet") == told_apart.measure("left") == 1


def test_where_edges_coincide_the_first_shape_names_them() -> None:
    cap = pde.Polygon((x, y), [(0, 0), (1, 0), (0.5, -0.25)], names="cap")
    lower = pde.Polygon((x, y), [(0, 0), (1, 0), (1, 0.5), (0, 0.5)], names="lower")
    assert set((SQUARE - lower).parts) == {"left", "right", "top", "lower"}
    assert set((SQUARE & lower).parts) == {"left", "right", "bottom", "lower"}
    assert set((lower & SQUARE).parts) == {"lower"}
    assert set((SQUARE | cap).parts) == {"left", "right", "top", "cap"}


def test_round_off_leaves_no_slivers() -> None:
    third = 1 / 3
    tilted = pde.Polygon((x, y), [(0, 0), (1, third), (1 - third, 1 + third), (-third, 1)], names="tilted")
    vertices = [(0, 0), (0.1, third / 10), (0.1 - third / 10, 0.1 + third / 10), (-third / 10, 0.1)]
    corner = pde.Polygon((x, y), vertices, names="corner")
    rest = tilted - corner  # two edges of both lie on the same lines, up to rounding
    assert rest.measure() == pytest.approx(0.99 * tilted.measure())
    assert len(rest.region.edges) == 6


def test_set_operations_of_a_combined_shape_go_on() -> None:
    plate = pde.Box((x, 0, 4), (y, 0, 1))
    for i in range(4):
        plate = plate - disk((0.5 + i, 0.5), 0.25, name="hole", segments=64)
    assert len(plate.region.rings) == 5
    assert plate.measure() == pytest.approx(4 - 4 * of_circle(64) / 16)
    assert plate.measure("hole") == pytest.approx(2 * pi, rel=1e-3)


# -- points --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", DOMAINS)
@pytest.mark.parametrize("method", ["sobol", "uniform"])
def test_samples_lie_inside_and_on_their_part(name: str, method: str) -> None:
    domain, rng = DOMAINS[name], np.random.default_rng(0)
    points = domain.sample(2000, rng, method=method)
    assert points.shape == (2000, 2)
    assert domain.contains(points).all()
    assert (domain.distance(points) > 0).mean() > 0.999
    for part in domain.parts:
        points = domain.sample(500, rng, part, method)
        assert np.abs(domain.distance(points)).max() < 1e-13 * domain.region.size
        assert domain.contains(points).all()
        others = [p for p in domain.parts if p != part]
        for other in others:  # nearer to its own part than to any other
            away = _brute_distance(domain.region.edges[domain.region._members[other]], points)
            assert (away > 0).all()


@pytest.mark.parametrize("method", ["sobol", "uniform"])
def test_points_of_a_disk_are_uniform(method: str) -> None:
    points = disk((1, 1), 3).sample(4096, np.random.default_rng(5), method=method) - 1
    radius, angle = np.hypot(*points.T), np.arctan2(points[:, 1], points[:, 0])
    assert stats.kstest((radius / 3) ** 2, "uniform").pvalue > 1e-3
    assert stats.kstest((angle + pi) / (2 * pi), "uniform").pvalue > 1e-3
    on_circle = disk((1, 1), 3).sample(1024, np.random.default_rng(6), "circle", method) - 1
    angle = np.arctan2(on_circle[:, 1], on_circle[:, 0])
    assert stats.kstest((angle + pi) / (2 * pi), "uniform").pvalue > 1e-3


def test_points_of_the_l_shape_are_uniform() -> None:
    points = L_SHAPE.sample(6000, np.random.default_rng(1), method="uniform")
    counts, _, _ = np.histogram2d(points[:, 0], points[:, 1], bins=10, range=[[-1, 1], [-1, 1]])
    inside = np.ones((10, 10), dtype=bool)
    inside[5:, :5] = False
    assert counts[~inside].sum() == 0
    assert stats.chisquare(counts[inside]).pvalue > 1e-3


def test_sobol_points_integrate_better_than_uniform_ones() -> None:
    nodes, weights = RING.region.quadrature(6)
    f = lambda p: np.exp(np.sin(3 * p[:, 0]) + p[:, 1])  # noqa: E731
    exact = weights @ f(nodes) / weights.sum()
    errors_of = {
        method: np.sqrt(
            np.mean(
                [
                    (f(RING.sample(1024, np.random.default_rng(s), method=method)).mean() - exact) ** 2
                    for s in range(10)
                ]
            )
        )
        for method in ("sobol", "uniform")
    }
    assert errors_of["sobol"] < 0.6 * errors_of["uniform"]


# -- distance and membership ---------------------------------------------------------------------------


def _brute_distance(edges: np.ndarray[Any, Any], points: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    best = np.full(len(points), np.inf)
    for a, b in edges:
        s = np.clip((points - a) @ (b - a) / ((b - a) @ (b - a)), 0, 1)
        best = np.minimum(best, np.linalg.norm(points - a - s[:, None] * (b - a), axis=1))
    return best


def _winding_number(edges: np.ndarray[Any, Any], points: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    total = np.zeros(len(points))
    for a, b in edges:
        u, v = a - points, b - points
        total += np.arctan2(u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0], np.einsum("nk,nk->n", u, v))
    return np.rint(total / (2 * pi))


@pytest.mark.parametrize("name", DOMAINS)
def test_distance_and_membership_by_brute_force(name: str) -> None:
    domain = DOMAINS[name]
    lower, upper = domain.bounds.T
    margin = 0.3 * (upper - lower)
    points = np.random.default_rng(2).uniform(lower - margin, upper + margin, (400, 2))
    inside = _winding_number(domain.region.edges, points) > 0.5
    np.testing.assert_array_equal(domain.contains(points), inside)
    away = _brute_distance(domain.region.edges, points)
    np.testing.assert_allclose(domain.distance(points), np.where(inside, away, -away), atol=1e-12)


def test_distance_to_circles() -> None:
    points = np.random.default_rng(3).uniform(-2.5, 2.5, (1000, 2))
    radius = np.linalg.norm(points, axis=1)
    expected = np.minimum(2 - radius, radius - 1)
    np.testing.assert_allclose(RING.distance(points), expected, atol=2 * pi**2 / (2 * 512**2) + 1e-12)


def test_points_between_chord_and_curve_belong_to_the_domain() -> None:
    angles = np.linspace(0, 2 * pi, 1001) + 1e-3
    circle = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    lens_edge = circle[np.abs(angles - pi) < pi / 3 - 0.01] + (1, 0)  # of the right disk, inside the left one
    for domain, points in (
        (RING, 2 * circle),
        (RING, circle),
        (ELLIPSE, circle * (3, 0.5) + (1, -1)),
        (LENS, lens_edge),
    ):
        assert domain.contains(points).all()
        center = points.mean(axis=0) if domain is not LENS else np.array([0.5, 0.0])
        beyond = center + (points - center) * (1 + 1e-6 if points is not circle else 1 - 1e-4)
        assert not domain.contains(beyond).any()
    half = disk() & pde.Box((x, -2, 2), (y, 0, 2))
    assert not half.contains(np.array([[0.3, -1e-6], [0.0, 1 + 1e-6]])).any()  # straight edges have no slack


def test_corners_belong_to_the_closed_domain() -> None:
    corners = TRIANGLE.region.edges[:, 0]
    assert TRIANGLE.contains(corners).all()
    assert TRIANGLE.contains(corners - 1e-13).all()
    assert not TRIANGLE.contains(corners[:1] - 1e-6).any()


# -- JSON ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", DOMAINS)
def test_json_round_trip(name: str) -> None:
    domain = DOMAINS[name]
    u = pde.unknown("u", x, y)
    problem = pde.Problem("poisson", u.diff(x, 2) + u.diff(y, 2) + 1, domain, [pde.Dirichlet(u, 0)])
    again = problem_from_json(json.loads(json.dumps(problem_to_json(problem))))
    assert again.domain.region == domain.region
    assert again.digest == problem.digest
    renamed = problem.replace(domain=domain.rename({domain.parts[0]: "other"}))
    assert renamed.digest != problem.digest


BROKEN: dict[str, Callable[[dict[str, Any]], Any]] = {
    "no rings": lambda c: c.pop("rings"),
    "empty rings": lambda c: c.update(rings=[]),
    "not a number": lambda c: c["rings"][0]["points"][0].__setitem__(0, float("nan")),
    "text for a number": lambda c: c["rings"][0]["points"][0].__setitem__(0, "1"),
    "three numbers": lambda c: c["rings"][0]["points"][0].append(1.0),
    "a side too few": lambda c: c["rings"][0]["sides"].pop(),
    "a number for a name": lambda c: c["rings"][0]["sides"].__setitem__(0, [3, None]),
    "half an ellipse": lambda c: c["rings"][0]["sides"].__setitem__(0, ["wall", [0.0, 1.0]]),
    "an inverted ellipse": lambda c: c["rings"][0]["sides"].__setitem__(0, ["wall", [0.0, 0.0, -1.0, 1.0]]),
    "one coordinate": lambda c: c["coordinates"].pop(),
    "a number for a coordinate": lambda c: c["coordinates"].__setitem__(0, 1),
    "a reserved name": lambda c: c["rings"][0]["sides"].__setitem__(0, ["inside", None]),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_json_is_refused(case: str) -> None:
    u = pde.unknown("u", x, y)
    good = pde.Problem("poisson", u.diff(x, 2) + u.diff(y, 2) + 1, TRIANGLE, [pde.Dirichlet(u, 0)])
    content = json.loads(json.dumps(problem_to_json(good)))
    BROKEN[case](content["domain"]["region"])
    with pytest.raises(errors.SerializationError):
        problem_from_json(content)


def test_numbers_survive_exactly() -> None:
    thirds = pde.Polygon((x, y), [(0, 0), (1 / 3, 1e-300), (sp.Rational(2, 3), sp.sqrt(2)), (-1e7, 1e6)])
    again = region_from_json(json.loads(json.dumps(thirds.region.to_json())))
    assert again == thirds.region
    assert hash(again) == hash(thirds.region)


# -- refusals ------------------------------------------------------------------------------------------

HOSTILE = "__import__('os').environ.__setitem__('PDESOLVE_HACKED', '1')"
VERTICES = [(0, 0), (1, 0), (0, 1)]


def polygon(vertices: Any = VERTICES, names: Any = None, plane: Any = (x, y)) -> pde.Domain:
    return pde.Polygon(plane, vertices, names)


REFUSED: dict[str, tuple[Callable[[], Any], type[errors.PDESolveError], list[str]]] = {
    "25 radius zero": (lambda: disk(radius=0), errors.EmptyDomainError, ["Disk", "positive", "0"]),
    "25 radius negative": (lambda: disk(radius=-1), errors.EmptyDomainError, ["-1"]),
    "25 half axis zero": (lambda: pde.Ellipse((x, y), radii=(1, 0)), errors.EmptyDomainError, ["Ellipse"]),
    "25 points on a line": (lambda: polygon([(0, 0), (1, 1), (2, 2)]), errors.EmptyDomainError, ["line"]),
    "26 nothing left": (
        lambda: SQUARE - pde.Box((x, -1, 2), (y, -1, 2)),
        errors.EmptyDomainError,
        ["Domain - Domain", "nothing"],
    ),
    "26 no overlap": (lambda: SQUARE & disk((9, 9)), errors.EmptyDomainError, ["overlap"]),
    "26 overlap in an edge": (
        lambda: SQUARE & pde.Box((x, 1, 2), (y, 0, 1)),
        errors.EmptyDomainError,
        ["positive area"],
    ),
    "26 cut in two": (
        lambda: SQUARE - pde.Box((x, 0.4, 0.6), (y, -1, 2)),
        errors.DisconnectedDomainError,
        ["2 pieces"],
    ),
    "26 far apart": (lambda: SQUARE | disk((9, 9)), errors.DisconnectedDomainError, ["2 pieces"]),
    "26 touching in a corner": (
        lambda: SQUARE | pde.Box((x, 1, 2), (y, 1, 2)),
        errors.DisconnectedDomainError,
        ["2 pieces"],
    ),
    "27 bow tie": (
        lambda: polygon([(0, 0), (1, 1), (1, 0), (0, 2)]),
        errors.SelfIntersectionError,
        ["Self-intersection", "order"],
    ),
    "27 figure of eight": (
        lambda: polygon([(0, 0), (2, 0), (1, 1), (2, 2), (0, 2), (1, 1)]),
        errors.SelfIntersectionError,
        [],
    ),
    "32 NaN": (lambda: polygon([(0, 0), (1, np.nan), (0, 1)]), errors.ShapeError, ["finite", "nan"]),
    "32 infinite": (lambda: polygon([(0, 0), (np.inf, 0), (0, 1)]), errors.ShapeError, ["finite"]),
    "32 infinite symbol": (lambda: disk((sp.oo, 0)), errors.ShapeError, ["finite"]),
    "27 bow tie whose signed area vanishes": (
        lambda: polygon([(0, 0), (1, 1), (1, 0), (0, 1)]),
        errors.SelfIntersectionError,
        ["order"],
    ),
    "32 radius NaN": (lambda: disk(radius=np.nan), errors.ShapeError, ["Disk, radius", "finite"]),
    "radius a word": (
        lambda: disk(radius="1"),
        errors.ExpressionTypeError,
        ["Disk, radius", "a number", "'1'"],
    ),
    "radius a symbol": (lambda: disk(radius=x), errors.ExpressionTypeError, ["a number", "got x"]),
    "two vertices": (lambda: polygon([(0, 0), (1, 0)]), errors.ShapeError, ["3 vertices", "2"]),
    "no vertex": (lambda: polygon([]), errors.ShapeError, ["3 vertices", "0"]),
    "vertex twice": (lambda: polygon([(0, 0), (0, 0), (1, 0), (0, 1)]), errors.ShapeError, ["twice"]),
    "vertex of three": (lambda: polygon([(0, 0, 0), (1, 0, 0), (0, 1, 0)]), errors.ExpressionTypeError, []),
    "vertex symbolic": (lambda: polygon([(0, 0), (x, 0), (0, 1)]), errors.ExpressionTypeError, ["numbers"]),
    "vertex complex": (lambda: polygon([(0, 0), (1j, 0), (0, 1)]), errors.ExpressionTypeError, ["real"]),
    "vertex true": (lambda: polygon([(0, 0), (True, 0), (0, 1)]), errors.ExpressionTypeError, ["True"]),
    "vertices missing": (lambda: polygon(None), errors.ExpressionTypeError, ["None"]),
    "too few names": (lambda: polygon(names=["a", "b"]), errors.ShapeError, ["3", "b"]),
    "too many names": (lambda: polygon(names=list("abcd")), errors.ShapeError, ["3", "'d'"]),
    "name is a number": (lambda: polygon(names=[1, 2, 3]), errors.ShapeError, ["string"]),
    "name is empty": (lambda: disk(name=""), errors.ShapeError, ["string"]),
    "names are a number": (lambda: polygon(names=7), errors.ShapeError, ["7"]),
    "name initial": (lambda: polygon(names="initial"), errors.NameClashError, ["'initial'", "reserved"]),
    "name inside": (lambda: disk(name="inside"), errors.NameClashError, ["'inside'"]),
    "renamed to inside": (lambda: SQUARE.rename({"left": "inside"}), errors.NameClashError, ["'inside'"]),
    "unknown part renamed": (lambda: RING.rename({"left": "a"}), errors.ShapeError, ["'left'", "outer"]),
    "same coordinate twice": (lambda: polygon(plane=(x, x)), errors.NameClashError, ["x, x"]),
    "one coordinate": (lambda: polygon(plane=(x,)), errors.ExpressionTypeError, ["two coordinates"]),
    "coordinate by name": (lambda: polygon(plane=("x", "y")), errors.ExpressionTypeError, ["coordinates"]),
    "segments": (lambda: disk(segments=3), errors.ShapeError, ["16", "3"]),
    "segments fraction": (lambda: disk(segments=20.5), errors.ShapeError, ["20.5"]),
    "other coordinates": (
        lambda: SQUARE - pde.Disk((y, x), radius=0.1),
        errors.ShapeError,
        ["(x, y)", "(y, x)"],
    ),
    "box of three axes": (
        lambda: pde.Box((x, 0, 1), (y, 0, 1), (z, 0, 1)) - disk(radius=0.1),
        errors.ShapeError,
        ["2 axes", "3"],
    ),
    "interval": (lambda: disk() | pde.Interval(x, 0, 1), errors.ShapeError, ["2 axes", "1"]),
    "with time": (
        lambda: SQUARE * pde.Time(t, 0, 1) - disk(radius=0.1),
        errors.ExpressionTypeError,
        ["Time"],
    ),
    "not a domain": (lambda: disk() | 3, errors.ExpressionTypeError, ["3"]),
    "product with an interval": (
        lambda: disk() * pde.Interval(z, 0, 1),
        errors.ExpressionTypeError,
        ["MeshDomain"],
    ),
    "unknown part": (lambda: RING.measure("left"), errors.UnknownPartError, ["'left'", "outer"]),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case: str) -> None:
    build, kind, words = REFUSED[case]
    with pytest.raises(errors.PDESolveError) as caught:
        build()
    assert type(caught.value) is kind, str(caught.value)
    missing = [word for word in words if word not in str(caught.value)]
    assert not missing, f"{missing} not in: {caught.value}"
    assert caught.value.remedy.endswith(".")


@pytest.mark.parametrize(
    "build",
    [
        lambda: polygon(HOSTILE),
        lambda: polygon([HOSTILE] * 3),
        lambda: polygon([(HOSTILE, 0), (1, 0), (0, 1)]),
        lambda: disk(HOSTILE),
        lambda: disk(("0", "1")),
        lambda: disk(radius=HOSTILE),
        lambda: pde.Disk(HOSTILE),
    ],
)
def test_strings_are_never_evaluated(build: Callable[[], Any]) -> None:
    with pytest.raises(errors.DeclarationError):
        build()
    assert "PDESOLVE_HACKED" not in os.environ


def test_a_closing_vertex_and_symbolic_numbers_are_accepted() -> None:
    closed = polygon([*VERTICES, (0, 0)])
    assert closed.parts == ("side-1", "side-2", "side-3")
    assert closed.measure() == 0.5
    assert disk(radius=sp.sqrt(2)).measure() == pytest.approx(2 * of_circle(512))
    assert polygon(np.array(VERTICES)).measure() == 0.5


def test_declaring_on_a_box_does_not_load_shapely() -> None:
    code = (
        "import sys, pdesolve.declare as pde; x, y = pde.coordinates('x y'); pde.Box((x, 0, 1), (y, 0, 1));"
        "assert 'shapely' not in sys.modules; pde.Disk((x, y)); assert 'shapely' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
