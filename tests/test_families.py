"""Families: random fields by their covariance, samples as ordinary problems, symmetries from the symbols."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
import sympy as sp
from hypothesis import given
from hypothesis import strategies as st

import pdesolve as pde
from pdesolve.declare import PDESolveError
from pdesolve.declare.distributions import Distribution
from pdesolve.declare.known import known_function
from pdesolve.declare.series import Boundary, Series, eigenfunctions, eigenvalues
from pdesolve.declare.symmetries import Symmetries, symmetries
from pdesolve.problems import family_names

x, y = pde.coordinates("x y")
LINE = pde.Interval(x, -1, 2)
SQUARE = pde.Box((x, 0, 1), (y, 0, 2))
BOUNDARIES: tuple[Boundary, ...] = ("periodic", "neumann", "dirichlet")


# -- series ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_eigenfunctions_are_orthonormal_and_of_the_laplacian(boundary: Boundary) -> None:
    nodes, weights = np.polynomial.legendre.leggauss(60)
    at, w = 0.5 + 1.5 * nodes, 1.5 * weights  # Gauss on [-1, 2]
    values = eigenfunctions(boundary, -1.0, 3.0, 5, at)
    assert np.allclose((values * w[:, None]).T @ values, np.eye(values.shape[1]), atol=1e-12)
    second = eigenfunctions(boundary, -1.0, 3.0, 5, at, 2)
    assert np.allclose(-second, eigenvalues(boundary, 3.0, 5) * values, atol=1e-10)


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_conditions_at_the_ends(boundary: Boundary) -> None:
    ends = np.array([-1.0, 2.0])
    values, slopes = (eigenfunctions(boundary, -1.0, 3.0, 4, ends, order) for order in (0, 1))
    if boundary == "periodic":
        assert np.allclose(values[0], values[1]) and np.allclose(slopes[0], slopes[1])
    else:
        assert np.allclose(slopes if boundary == "neumann" else values, 0, atol=1e-12)


def test_a_series_is_the_sum_that_it_stands_for() -> None:
    rng = np.random.default_rng(0)
    series = Series("dirichlet", (0.0, 0.0), (1.0, 2.0), 3, rng.normal(size=(3, 3)), (0, 0))
    points = rng.uniform(size=(7, 2)) * (1, 2)
    k = np.arange(1, 4)
    by_hand = [
        np.sum(
            series.coefficients * 2 / np.sqrt(2) * np.outer(np.sin(np.pi * k * a), np.sin(np.pi * k * b / 2))
        )
        for a, b in points
    ]
    assert np.allclose(series(*points.T), by_hand)
    grid = series.on_grid([points[:3, 0], points[:4, 1]])
    assert np.allclose(series(points[:3, 0][:, None], points[:4, 1][None, :]), grid)


def test_known_functions_differentiate_and_compile() -> None:
    series = Series("periodic", (0.0,), (1.0,), 2, np.array([0.5, 1.0, -1.0, 2.0, 0.3]), (0,))
    f = known_function("f", series)(x)
    points = np.linspace(0, 1, 9)
    step = 1e-5
    slope = sp.lambdify([x], sp.diff(x * f, x), ["numpy"])(points)
    wide = (points + step) * series(points + step) - (points - step) * series(points - step)
    assert np.allclose(slope, wide / (2 * step), rtol=1e-6, atol=1e-6)
    assert f.free_symbols == {x}
    assert (f**2).diff(x).has(f.diff(x).func)  # two of one name would not compile
    plain = known_function("g", lambda a: a**2)(x)
    assert plain.diff(x).has(sp.Derivative)  # which a declaration refuses


# -- distributions -----------------------------------------------------------------------------------


def test_the_variance_of_a_gaussian_field_is_the_sum_of_its_spectrum() -> None:
    field = pde.GaussianField(LINE, sigma=2, tau=3, gamma=2, modes=20)
    axes = [np.linspace(-1, 2, 30, endpoint=False)]
    draws = np.stack([field.values(np.random.default_rng([5, i]), axes) for i in range(2000)])
    k = 2 * np.pi / 3 * np.arange(-20, 21)
    expected = np.sum(4 * (k**2 + 9.0) ** -2) / 3  # E g² = 1/L Σ σ² (λ + τ²)^-γ over all integers
    assert np.mean(draws**2) == pytest.approx(expected, rel=0.03)
    assert abs(draws.mean()) < 0.05


@pytest.mark.parametrize(
    "distribution",
    [
        pde.GaussianField(SQUARE, boundary="neumann", modes=6, zero_mean=True),
        pde.TwoPhase(pde.GaussianField(SQUARE, modes=5)),
        pde.LogNormal(pde.GaussianField(SQUARE, boundary="dirichlet", modes=5)),
        pde.RandomSines(LINE),
        pde.Uniform(1, 2),
        pde.LogUniform(0.1, 10),
    ],
)
def test_values_and_expressions_of_a_draw_agree(distribution: Distribution) -> None:
    symbols = [x] if isinstance(distribution, pde.RandomSines) else [x, y]
    axes = [np.linspace(0.05, 0.9, 5 + i) for i in range(len(symbols))] if distribution.is_field else []
    values = distribution.values(np.random.default_rng(3), axes)
    expression = distribution.sample(np.random.default_rng(3))
    function = sp.lambdify(symbols, expression, ["numpy"])
    grids = np.meshgrid(*axes, indexing="ij") if axes else [0.0] * len(symbols)
    assert np.allclose(function(*grids), values, rtol=1e-10, atol=1e-12)
    assert distribution.describe()["kind"] == type(distribution).__name__


@given(low=st.floats(0.01, 1), width=st.floats(0.01, 10), seed=st.integers(0, 1000))
def test_numbers_stay_between_their_bounds(low: float, width: float, seed: int) -> None:
    for kind in (pde.Uniform, pde.LogUniform):
        value = float(kind(low, low + width).sample(np.random.default_rng(seed)))
        assert low * (1 - 1e-12) <= value <= (low + width) * (1 + 1e-12)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: pde.GaussianField(SQUARE, boundary="open"), "periodic, neumann, dirichlet"),
        (lambda: pde.GaussianField(SQUARE, tau=0), "positive"),
        (lambda: pde.GaussianField(LINE * pde.Time(y, 0, 1)), "Interval or a Box"),
        (lambda: pde.Uniform(2, 1), "above low=2"),
        (lambda: pde.LogUniform(-1, 1), "positive"),
        (lambda: pde.RandomSines(SQUARE), "an Interval"),
        (lambda: pde.Family("f", lambda a: None, {"a": 3}), "a distribution"),
        (lambda: pde.family("burger-random"), "burgers-random"),
        (lambda: pde.family("burgers-random", mu=1), "parameters among nu, T"),
        (lambda: pde.family("burgers-random").member(u1=0), "a value for each of u0"),
    ],
)
def test_what_is_wrong_is_refused(make: Any, words: str) -> None:
    with pytest.raises(PDESolveError, match=words):
        make()


# -- families ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", family_names())
def test_members_are_ordinary_problems(name: str) -> None:
    family = pde.family(name)
    problem = family.sample(7)
    assert problem.digest == family.sample(7).digest != family.sample(8).digest
    assert problem.family == name and set(problem.inputs) == set(family.inputs)
    assert problem.digest == family.member(**problem.inputs).digest
    copy = pickle.loads(pickle.dumps(family))  # worker processes are given families
    assert copy.digest == family.digest and copy.sample(7).digest == problem.digest
    axes = [np.linspace(*b, 4) for b in problem.domain.bounds[: len(problem.domain.space)]]
    (key,) = family.inputs
    function = sp.lambdify(problem.coordinates[: len(axes)], problem.inputs[key], ["numpy"])
    assert np.allclose(family.values(7, axes)[key], function(*np.meshgrid(*axes, indexing="ij")), atol=1e-10)


def test_a_member_of_ones_own_is_solved_like_any_problem() -> None:
    family = pde.family("burgers-random", nu=0.1, T=0.1)
    wave = sp.sin(2 * sp.pi * x)
    solution = pde.solve(family.member(u0=wave), "spectral", rtol=1e-6, progress=False)
    u, t = pde.unknown("u", x, sp.Symbol("t", real=True)), sp.Symbol("t", real=True)
    own = pde.Problem(
        "own",
        [u.diff(t) + u * u.diff(x) - 0.1 * u.diff(x, 2)],
        pde.Interval(x, 0, 1) * pde.Time(t, 0, 0.1),
        [pde.Initial(u, wave), pde.Periodic(u)],
    )
    other = pde.solve(own, "spectral", rtol=1e-6, progress=False)
    points = np.column_stack([np.linspace(0, 1, 20), np.full(20, 0.1)])
    assert np.allclose(solution(points), other(points), atol=1e-6)


# -- symmetries --------------------------------------------------------------------------------------


def test_symmetries_are_read_off_the_symbols() -> None:
    burgers = symmetries(pde.family("burgers-random").sample(0))
    assert (burgers.translation, burgers.boost, burgers.mirror) == (True, 1.0, -1)
    assert symmetries(pde.catalogue("poisson")) == Symmetries()
    t = sp.Symbol("t", real=True)
    u = pde.unknown("u", x, t)

    def of(equation: sp.Expr) -> Any:
        domain = pde.Interval(x, 0, 1) * pde.Time(t, 0, 1)
        conditions = [pde.Initial(u, sp.sin(2 * sp.pi * x)), pde.Periodic(u)]
        return symmetries(pde.Problem("p", [equation], domain, conditions))

    kdv = of(u.diff(t) + 6 * u * u.diff(x) + u.diff(x, 3))
    assert (kdv.boost, kdv.mirror) == (6.0, None)
    fisher = of(u.diff(t) - u.diff(x, 2) - u * (1 - u))
    assert (fisher.boost, fisher.mirror) == (None, 1)
    assert not of(u.diff(t) - u.diff(x, 2) - sp.sin(2 * sp.pi * x)).translation


@pytest.mark.parametrize("name", ["poisson-random", "darcy-random", "helmholtz-random"])
def test_the_square_keeps_steady_families(name: str) -> None:
    assert symmetries(pde.family(name).sample(0)).square


def test_the_square_is_told_from_what_is_none() -> None:
    u = pde.unknown("u", x, y)
    unit = pde.Box((x, 0, 1), (y, 0, 1))

    def of(equation: sp.Expr, domain: Any = unit, data: Any = 0) -> bool:
        return symmetries(pde.Problem("p", [equation], domain, [pde.Dirichlet(u, data)])).square

    laplacian = u.diff(x, 2) + u.diff(y, 2)
    assert of(laplacian + u**3 - 1)
    assert not of(u.diff(x, 2) + 2 * u.diff(y, 2) - 1)
    assert not of(laplacian + u.diff(x) - 1)
    assert not of(laplacian - x)
    assert not of(laplacian - 1, pde.Box((x, 0, 2), (y, 0, 1)))
    assert not of(laplacian - 1, data=1)
