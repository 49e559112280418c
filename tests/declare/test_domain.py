"""Domains of a region that is no box, with and without time: points, parts, measures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import pdesolve.declare as pde
from pdesolve.declare.domain import Axis, Face, Region
from pdesolve.declare.errors import ExpressionTypeError, NameClashError, UnknownPartError

x, y, z, t = pde.coordinates("x y z t")
CENTER, RADIUS = np.array([1.0, -2.0]), 0.5


@dataclass(frozen=True)
class Round(Region):
    """A disk in closed form that, unlike shapes, places points in its bounding box: some lie outside."""

    @property
    def axes(self) -> tuple[Axis, ...]:
        return tuple(Axis(c, m - RADIUS, m + RADIUS) for c, m in zip((x, y), CENTER.tolist(), strict=True))

    @property
    def faces(self) -> tuple[Face, ...]:
        return (Face("rim"),)

    @property
    def is_filled(self) -> bool:
        return False

    def measure(self, part: str = "inside") -> float:
        return float(np.pi * RADIUS**2 if part == "inside" else 2 * np.pi * RADIUS)

    def normal(self, part: str) -> None:
        return None

    def normals(self, points: Any, part: str) -> Any:
        return (points - CENTER) / np.linalg.norm(points - CENTER, axis=1)[:, None]

    def contains(self, points: Any, tolerance: float = 1e-12) -> Any:
        return self.distance(points) >= -tolerance * 2 * RADIUS

    def distance(self, points: Any) -> Any:
        return RADIUS - np.linalg.norm(points - CENTER, axis=1)

    def place(self, unit: Any, part: str = "inside") -> Any:
        if part == "rim":
            angle = 2 * np.pi * unit[:, 0]
            return CENTER + RADIUS * np.stack([np.cos(angle), np.sin(angle)], axis=1)
        return CENTER + RADIUS * (2 * unit - 1)

    def quadrature(self, n: int, part: str = "inside") -> Any:
        nodes, weights = np.polynomial.legendre.leggauss(n)
        unit, half = (nodes + 1) / 2, weights / 2
        if part == "rim":
            return self.place(unit[:, None], part), half * self.measure(part)
        angle, radius = (g.ravel() for g in np.meshgrid(2 * np.pi * unit, RADIUS * unit))
        points = CENTER + np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
        return points, np.outer(half * RADIUS * unit * RADIUS, half * 2 * np.pi).ravel()

    def mesh(self, size: float | None = None) -> Any:
        raise NotImplementedError

    def to_json(self) -> dict[str, Any]:
        return {"kind": "round"}


TIME = pde.Time(t, 2, 5)
ROUND = pde.Domain(Round())
L_SHAPE = pde.Polygon((x, y), [(0, 0), (2, 0), (2, 1), (1, 1), (1, 2), (0, 2)], names="wall")
PIERCED = pde.Box((x, 0, 2), (y, 0, 1)) - pde.Disk((x, y), (0.5, 0.5), 0.25, name="hole")
DOMAINS = {"round": ROUND, "l-shape": L_SHAPE, "pierced": PIERCED}


@pytest.mark.parametrize("name", DOMAINS)
@pytest.mark.parametrize("method", ["sobol", "uniform"])
def test_points_inside_have_the_domains_columns(name: str, method: str) -> None:
    domain = DOMAINS[name] * TIME
    assert domain.coordinates == (x, y, t)
    points = domain.sample(500, np.random.default_rng(0), method=method)
    assert points.shape == (500, 3)
    assert domain.contains(points).all()
    assert (domain.distance(points) >= 0).all()
    assert 2 <= points[:, 2].min() < 2.1 < 4.9 < points[:, 2].max() <= 5


@pytest.mark.parametrize("name", DOMAINS)
def test_times_are_uniform_and_independent_of_the_place(name: str) -> None:
    domain = DOMAINS[name] * TIME
    for part in ("inside", domain.faces[0].name):
        points = domain.sample(2000, np.random.default_rng(1), part, method="uniform")
        assert stats.kstest(points[:, 2], "uniform", args=(2, 3)).pvalue > 1e-3
        for column in (0, 1):
            if np.ptp(points[:, column]) > 0:
                assert abs(np.corrcoef(points[:, column], points[:, 2])[0, 1]) < 0.08


@pytest.mark.parametrize("name", DOMAINS)
def test_the_initial_part_is_the_region_at_the_start(name: str) -> None:
    space, domain = DOMAINS[name], DOMAINS[name] * TIME
    points = domain.sample(300, np.random.default_rng(2), "initial")
    assert points.shape == (300, 3)
    assert (points[:, 2] == 2).all()
    assert space.contains(points[:, :2]).all()
    assert domain.measure("initial") == space.measure()


@pytest.mark.parametrize("name", DOMAINS)
def test_points_are_spread_evenly_over_the_area(name: str) -> None:
    """The mean of the points is the centroid; of the ring that is left of a box, by subtraction."""
    centroids = {
        "round": CENTER,
        "l-shape": np.array([5 / 6, 5 / 6]),  # (2·1 at (1, 1/2) and 1 at (1/2, 3/2)) / 3
        "pierced": (2 * np.array([1, 0.5]) - np.pi / 16 * 0.5) / (2 - np.pi / 16),
    }
    for domain in (DOMAINS[name], DOMAINS[name] * TIME):
        points = domain.sample(4096, np.random.default_rng(3))
        np.testing.assert_allclose(points[:, :2].mean(axis=0), centroids[name], atol=0.01)


@pytest.mark.parametrize("name", DOMAINS)
@settings(deadline=None, max_examples=15, derandomize=True)
@given(n=st.integers(1, 200))
def test_a_cover_is_always_the_same(name: str, n: int) -> None:
    domain = DOMAINS[name] * TIME
    for part in ("inside", *domain.parts):
        points = domain.cover(n, part)
        assert points.shape == (n, 3)
        np.testing.assert_array_equal(points, domain.cover(n, part))
        assert domain.contains(points, 1e-9).all()
        if part not in ("inside", "initial"):
            np.testing.assert_allclose(domain.distance(points), 0, atol=1e-9)


def test_measures_with_time() -> None:
    domain = ROUND * TIME
    assert domain.measure() == pytest.approx(np.pi / 4 * 3)
    assert domain.measure("rim") == pytest.approx(np.pi * 3)
    assert domain.measure("initial") == pytest.approx(np.pi / 4)
    wall = L_SHAPE * TIME
    assert (wall.measure(), wall.measure("wall")) == (pytest.approx(9), pytest.approx(24))


def test_parts_and_normals() -> None:
    domain = PIERCED * TIME
    assert set(domain.parts) == {"left", "right", "bottom", "top", "hole", "initial"}
    assert domain.parts[-1] == "initial"
    assert not domain.is_box
    np.testing.assert_array_equal(domain.normal("left"), [-1, 0])
    np.testing.assert_array_equal(domain.normal("initial"), [0, 0])
    assert domain.normal("hole") is None
    points = domain.sample(50, np.random.default_rng(4), "hole")
    inward = points[:, :2] - 0.5
    inward /= -np.linalg.norm(inward, axis=1)[:, None]
    np.testing.assert_allclose(domain.normals(points, "hole"), inward, atol=1e-12)
    for call in (domain.face, domain.normal, domain.measure, lambda part: domain.cover(3, part)):
        with pytest.raises(UnknownPartError, match="hole, initial"):
            call("inlet")


def test_without_time_there_is_no_initial_part() -> None:
    for domain in (PIERCED, ROUND, pde.Box((x, 0, 1), (y, 0, 1))):
        for call in (domain.measure, lambda part, d=domain: d.cover(3, part)):
            with pytest.raises(UnknownPartError, match="'initial'"):
                call("initial")


def test_methods_of_sampling_are_two() -> None:
    with pytest.raises(ExpressionTypeError, match="'sobol' or 'uniform'"):
        PIERCED.sample(3, np.random.default_rng(0), method="sobool")


def test_a_time_outside_is_outside() -> None:
    domain = ROUND * TIME
    points = np.array([[1.0, -2.0, 2.0], [1.0, -2.0, 5.1], [1.0, -2.6, 3.0], [1.5, -2.0, 5.0]])
    np.testing.assert_array_equal(domain.contains(points), [True, False, False, True])


def test_the_bounding_box() -> None:
    domain = ROUND * TIME
    np.testing.assert_allclose(domain.bounds, [[0.5, 1.5], [-2.5, -1.5], [2, 5]])
    assert domain.grid((3, 3, 2)).points.shape == (18, 3)


def test_products() -> None:
    assert (TIME * ROUND).coordinates == (x, y, t)  # time is last in whatever order
    with pytest.raises(ExpressionTypeError, match="Round"):
        ROUND * pde.Interval(z, 0, 1)
    with pytest.raises(NameClashError):
        ROUND * pde.Time(x, 0, 1)
    with pytest.raises(NameClashError, match="at most one Time"):
        (ROUND * TIME) * pde.Time(z, 0, 1)


def test_a_region_of_ones_own_is_declared_on() -> None:
    """Nothing in a declaration asks for more than the interface."""
    u = pde.unknown("u", x, y, t)
    problem = pde.Problem(
        "own",
        u.diff(t) - u.diff(x, 2) - u.diff(y, 2),
        ROUND * TIME,
        [pde.Initial(u, 0), pde.Robin(u, sp.sin(t - 2))],
    )
    assert [term.region for term in problem.terms] == ["inside", "initial", "rim"]
    (term,) = problem.terms[2:]
    points = term.sample(problem.domain, 20, np.random.default_rng(5))
    n_x, n_y = (next(s for s in term.inputs if s.name == name) for name in ("n_x", "n_y"))
    np.testing.assert_allclose(term.inputs[n_x](points), (points[:, 0] - 1) / RADIUS, atol=1e-12)
    np.testing.assert_allclose(term.inputs[n_y](points), (points[:, 1] + 2) / RADIUS, atol=1e-12)
