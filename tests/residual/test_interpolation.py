"""Splines on tensor grids as matrices: what they reproduce, at nodes, between them and around circles."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pdesolve.residual.interpolation import interpolation

LINE, OTHER = np.linspace(-1, 2, 9), np.linspace(0, 1, 7)
CIRCLE = np.linspace(0, 3, 10, endpoint=False)


def nodes(*axes):
    return np.stack([g.ravel() for g in np.meshgrid(*axes, indexing="ij")], axis=1)


@pytest.mark.parametrize("degree", [1, 2, 3, 5])
def test_rows_at_nodes_are_those_of_the_identity(degree):
    matrix = interpolation([LINE, OTHER], [None, None], nodes(LINE, OTHER), degree)
    assert np.allclose(matrix, np.eye(63), atol=1e-12)


@pytest.mark.parametrize("degree", [1, 3, 5])
def test_rows_at_nodes_of_a_circle(degree):
    matrix = interpolation([CIRCLE, OTHER], [3.0, None], nodes(CIRCLE, OTHER), degree)
    assert np.allclose(matrix, np.eye(70), atol=1e-12)


@pytest.mark.parametrize("degree", [1, 2, 3, 5])
def test_polynomials_of_the_degree_are_exact(degree):
    points = np.random.default_rng(0).uniform([-1, 0], [2, 1], (50, 2))
    matrix = interpolation([LINE, OTHER], [None, None], points, degree)
    for powers in ((degree, 0), (0, degree), (1, degree), (degree, degree)):
        values = np.prod(nodes(LINE, OTHER) ** powers, axis=1)
        assert np.allclose(matrix @ values, np.prod(points**powers, axis=1), atol=1e-11), powers


def test_errors_on_a_circle_fall_with_the_order_and_know_no_seam():
    at = np.linspace(-3, 6, 301)[:, None]  # three times around
    errors = []
    for n in (16, 32):
        x = np.linspace(0, 3, n, endpoint=False)
        found = interpolation([x], [3.0], at) @ np.exp(np.sin(2 * np.pi * x / 3))
        errors.append(np.abs(found - np.exp(np.sin(2 * np.pi * at[:, 0] / 3))).max())
    assert errors[1] < 1e-3 and errors[0] / errors[1] > 12  # fourth order


@given(shift=st.integers(-12, 12), seed=st.integers(0, 1000), degree=st.sampled_from([1, 3, 5]))
@settings(max_examples=25, deadline=None)
def test_a_circle_has_no_first_node(shift, seed, degree):
    rng = np.random.default_rng(seed)
    values, points = rng.normal(size=10), rng.uniform(0, 3, (6, 1))
    plain = interpolation([CIRCLE], [3.0], points, degree) @ values
    moved = interpolation([CIRCLE], [3.0], points + 0.3 * shift, degree) @ np.roll(values, shift)
    assert np.allclose(plain, moved, atol=1e-10)


@given(seed=st.integers(0, 1000), degree=st.sampled_from([1, 3, 5]), around=st.booleans())
@settings(max_examples=25, deadline=None)
def test_rows_sum_to_one_and_tensors_factor(seed, degree, around):
    rng = np.random.default_rng(seed)
    first, period = (CIRCLE, 3.0) if around else (LINE, None)
    points = rng.uniform([0, 0], [2, 1], (7, 2))
    matrix = interpolation([first, OTHER], [period, None], points, degree)
    assert np.allclose(matrix.sum(axis=1), 1, atol=1e-11)
    one = interpolation([first], [period], points[:, :1], degree)
    two = interpolation([OTHER], [None], points[:, 1:], degree)
    f, g = rng.normal(size=len(first)), rng.normal(size=7)
    assert np.allclose(matrix @ np.outer(f, g).ravel(), (one @ f) * (two @ g), atol=1e-10)


@given(seed=st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_degree_one_stays_between_its_neighbours(seed):
    rng = np.random.default_rng(seed)
    points = rng.uniform([-1, 0], [2, 1], (9, 2))
    matrix = interpolation([LINE, OTHER], [None, None], points, 1)
    assert matrix.min() > -1e-12 and (np.abs(matrix) > 1e-12).sum(axis=1).max() <= 4


def test_few_nodes_lower_the_degree():
    points = np.array([[0.25], [0.5]])
    assert np.allclose(interpolation([np.array([0.0, 1.0])], [None], points, 3) @ [1.0, 3.0], [1.5, 2.0])


def test_no_points_give_no_rows():
    assert interpolation([LINE, CIRCLE], [None, 3.0], np.zeros((0, 2))).shape == (0, 90)
