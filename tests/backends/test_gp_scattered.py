"""Gaussian processes on shapes: kernels in closed form, orderings, sparse factors, and what they solve."""

from __future__ import annotations

import numpy as np
import pytest
import sympy as sp
from scipy import linalg

import pdesolve as pde
from pdesolve import meshes
from pdesolve.backends.base import BackendOptionError, Context
from pdesolve.backends.gp import GP
from pdesolve.backends.gp.conditioned import best_length, condition, evidence
from pdesolve.backends.gp.corners import singular_functions
from pdesolve.backends.gp.linearised import Collocation
from pdesolve.backends.gp.maximin import maximin
from pdesolve.backends.gp.measurements import Block, Measurements, applied, covariance, merged, variances
from pdesolve.backends.gp.places import places
from pdesolve.backends.gp.radial import RadialKernel, pair
from pdesolve.backends.gp.sparse_cholesky import InverseFactor, ordering, supernodes
from pdesolve.conformance import BackendConformance
from pdesolve.residual.program import Program

x, y, t, z = pde.coordinates("x y t z")
u, v = pde.unknown("u", x, y), pde.unknown("v", x, y)
DISK = pde.Disk((x, y))
EXACT = sp.sin(3 * x + 1) * sp.exp(y) + sp.cos(5 * x * y)
SMOOTH = sp.sin(2 * x + 1) * sp.exp(y)
VALUE = ((0, (0, 0), 1.0),)
LAPLACE = ((0, (2, 0), -1.0), (0, (0, 2), -1.0))


def laplacian(of):
    return of.diff(x, 2) + of.diff(y, 2)


def manufactured(equation, domain=DISK, *conditions, exact=EXACT):
    declared = pde.Problem("shape", [equation], domain, conditions or [pde.Dirichlet(u, 0)])
    return declared.manufacture(u=exact)


def solve(problem, **options):
    return pde.solve(problem, GP(**options), progress=False, throw=False)


class TestScattered(BackendConformance):
    """A non-linear equation on a disk: several steps on each of two levels."""

    backend = GP(rtol=1e-2)
    steps = 12
    tolerance = 1e-2

    def problem(self) -> pde.Problem:
        return manufactured(-laplacian(u) + u**3, exact=SMOOTH)

    def unsupported(self) -> pde.Problem:
        u = pde.unknown("u", x, y, t)
        heat = u.diff(t) - u.diff(x, 2) - u.diff(y, 2)
        return pde.Problem("heat", [heat], DISK * pde.Time(t, 0, 1), [pde.Initial(u, 0), pde.Dirichlet(u, 0)])


# -- kernels -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("smoothness", [2.5, 3.5])
def test_derivatives_of_kernels(smoothness):
    a, b, c, d = sp.symbols("a b c d", real=True)
    m, length = round(smoothness - 0.5), sp.Rational(7, 10)
    s = sp.sqrt(2 * smoothness) * sp.sqrt((a - c) ** 2 + (b - d) ** 2) / length
    polynomial = sum(
        sp.Rational(sp.factorial(m) * sp.factorial(m + i), sp.factorial(2 * m) * sp.factorial(i))
        / sp.factorial(m - i)
        * (2 * s) ** (m - i)
        for i in range(m + 1)
    )
    k = polynomial * sp.exp(-s)
    first = ((0, (1, 1), -0.4), (0, (2, 0), 2.0))
    second = ((0, (0, 2), 1.0), (0, (1, 0), 0.3))
    exact = 2 * k.diff(a, 2) - 0.4 * k.diff(a, b)
    exact = exact.diff(d, 2) + 0.3 * exact.diff(c)
    kernel, d1, d2 = RadialKernel(smoothness, 0.7), np.array([0.2]), np.array([0.7])
    found = kernel.combine(pair(first, second), kernel.radial(d1**2 + d2**2, 4), d1, d2)[0]
    assert found == pytest.approx(float(exact.subs({a: 0.3, b: 0.5, c: 0.1, d: -0.2}).evalf(30)), rel=1e-12)


@pytest.mark.parametrize("smoothness", [2.5, 3.5, 4.5])
def test_variances_are_the_limit_at_equal_points(smoothness):
    kernel = RadialKernel(smoothness, 0.5)
    pairs = np.array([[0.0, 0.0], [1e-9, 1e-9]])
    block = Block(pairs, (LAPLACE,), np.ones((2, 1)))
    table = covariance(kernel, block, block)
    assert np.allclose(table, variances(kernel, block)[0], rtol=1e-6)
    assert table[0, 0] == variances(kernel, block)[0]


def test_unknowns_are_independent_and_operators_merge():
    rng = np.random.default_rng(0)
    points, weights = rng.random((6, 2)), rng.random((6, 1)) @ np.array([[1.0, -2.0, 0.0]])
    operators = (((0, (2, 0), 1.0),), ((1, (0, 2), 1.0),), ((0, (1, 1), 1.0),))
    plain = Block(points, operators, weights)
    few = Block(points, *merged(operators, weights))
    assert len(few.operators) == 1
    kernel = RadialKernel(3.5, 0.4)
    assert np.allclose(covariance(kernel, plain, plain), covariance(kernel, few, few), rtol=1e-12)
    assert not pair(operators[0], operators[1])


def measured(n: int = 120, length: float = 0.4) -> tuple[Measurements, np.ndarray, np.ndarray]:
    """Values, then Laplacians, at random points; points and groups of all."""
    rng = np.random.default_rng(1)
    kernel, blocks = RadialKernel(2.5, length), []
    for operator, count in ((VALUE, n // 3), (LAPLACE, n - n // 3)):
        block = Block(rng.random((count, 2)), (operator,), np.ones((count, 1)))
        blocks.append(block.scaled(1 / np.sqrt(variances(kernel, block))))
    groups = np.repeat([0, 1], [len(b) for b in blocks])
    return Measurements(kernel, tuple(blocks)), np.concatenate([b.points for b in blocks]), groups


def test_products_without_a_matrix():
    measurements, _, _ = measured(700)
    whole = measurements.matrix(np.arange(len(measurements)))
    vector = np.random.default_rng(2).normal(size=len(measurements))
    assert np.allclose(measurements.product(vector), whole @ vector, rtol=1e-10)
    which = np.array([3, 5, 240, 600])
    assert np.array_equal(measurements.matrix(which), whole[np.ix_(which, which)])


# -- orderings and factors -----------------------------------------------------------------------------


def test_maximin_is_the_greedy_choice():
    points = np.random.default_rng(3).random((200, 2))
    order, lengths = maximin(points)
    assert sorted(order) == list(range(200))
    for k in range(1, 200):
        away = np.linalg.norm(points[:, None] - points[order[:k]], axis=2).min(axis=1)
        assert lengths[k] == pytest.approx(away.max(), rel=1e-14)
        assert away[order[k]] == away.max()


def test_points_of_a_lattice_tie():
    table = np.stack(np.meshgrid(np.arange(8.0), np.arange(8.0)), axis=2).reshape(-1, 2)
    order, lengths = maximin(table)
    assert len(set(order)) == 64
    assert (np.diff(lengths[1:]) <= 1e-12).all()


def test_ordering_puts_values_before_derivatives_and_keeps_equal_points_together():
    points = np.random.default_rng(4).random((10, 2))
    found = ordering(np.concatenate([points, points, points]), np.repeat([1, 0, 1], 10))
    assert found.starts == (0, 10, 30)
    assert set(found.order[:10]) == set(range(10, 20))
    assert np.array_equal(found.points[10::2], found.points[11::2])
    assert (found.lengths > 0).all()


def test_supernodes_hold_each_column_once_and_its_whole_pattern():
    _, points, groups = measured(300)
    ordered, rho, seen = ordering(points, groups), 3.0, []
    for node in supernodes(ordered, rho):
        for column in node.columns:
            away = np.linalg.norm(ordered.points[: column + 1] - ordered.points[column], axis=1)
            assert set(np.flatnonzero(away <= rho * ordered.lengths[column])) <= set(node.rows)
        seen += node.columns.tolist()
    assert sorted(seen) == list(range(len(points)))


def test_with_all_neighbours_the_factor_is_exact():
    measurements, points, groups = measured()
    matrix = measurements.matrix(np.arange(len(measurements)))
    factor = InverseFactor(measurements.matrix, ordering(points, groups), 1e3, 0.0)
    right = np.random.default_rng(5).normal(size=len(matrix))
    exact = np.linalg.solve(matrix, right)
    assert np.linalg.norm(factor(right) - exact) < 1e-7 * np.linalg.norm(exact)
    assert factor.log_determinant == pytest.approx(np.linalg.slogdet(matrix)[1], rel=1e-10)


def test_columns_are_optimal():
    """diag(Uᵀ Θ U) = 1, and no change of U within its pattern lowers tr(Uᵀ Θ U) - 2 Σ log U_jj."""
    measurements, points, groups = measured()
    ordered = ordering(points, groups)
    factor = InverseFactor(measurements.matrix, ordered, 3.0, 0.0)
    matrix = measurements.matrix(np.arange(len(measurements)))[np.ix_(ordered.order, ordered.order)]
    upper = factor.upper.toarray()
    assert np.allclose(np.tril(upper, -1), 0)
    assert np.allclose(np.diag(upper.T @ matrix @ upper), 1, rtol=1e-8)
    slope = matrix @ upper - np.diag(1 / np.diag(upper))
    assert np.abs(slope[upper != 0]).max() < 1e-7 * np.abs(upper).max()
    divergence = [
        InverseFactor(measurements.matrix, ordered, rho, 0.0).log_determinant for rho in (1.0, 2.0, 4.0, 1e3)
    ]
    assert (np.diff(divergence) <= 1e-9).all()  # KL is half of the log-determinant's excess


def test_conjugate_gradients_take_few_iterations():
    points = Collocation.of(Program(manufactured(-laplacian(u))), 1000)
    blocks, values = points.linearised(points.at_rest())
    kernel = RadialKernel(3.5, 1.2)
    few, many = (condition(kernel, blocks, values, points.groups, rho) for rho in (10.0, 5.0))
    assert few.iterations < many.iterations < 150
    assert few.residual < 1e-7


def test_the_evidence_prefers_lengths_that_solve_better():
    points = Collocation.of(Program(manufactured(-laplacian(u))), 300)
    blocks, values = points.linearised(points.at_rest())
    assert best_length(3.5, 2.0, blocks, values) > 1.0
    assert evidence(RadialKernel(3.5, 2.4), blocks, values) > evidence(RadialKernel(3.5, 0.2), blocks, values)


# -- points and corners --------------------------------------------------------------------------------


@pytest.mark.parametrize("domain", [DISK, pde.Ellipse((x, y), (0.3, 0), (2, 1))], ids=["disk", "ellipse"])
def test_points_lie_on_the_curve_itself(domain):
    found = places(domain, 0.1)
    (curve,) = found.parts.values()
    center, radii = ((0, 0), (1, 1)) if domain is DISK else ((0.3, 0), (2, 1))
    assert np.abs(np.linalg.norm((curve - center) / radii, axis=1) - 1).max() < 1e-14
    assert domain.contains(found.inner).all()
    apart = linalg.norm(found.inner[:, None] - found.inner, axis=2) + np.eye(len(found.inner))
    assert apart.min() == pytest.approx(0.1)


def test_singular_functions_are_harmonic_and_meet_the_conditions_of_their_sides():
    corners = [(0, 0), (1, 0), (1, 1), (-1, 1), (-1, -1), (0, -1)]
    shape = pde.Polygon((x, y), corners, names=["warm", *["wall"] * 5])
    conditions = [pde.Neumann(u, 0, on="warm"), pde.Dirichlet(u, 0, on="wall")]
    problem = pde.Problem("mixed", [laplacian(u)], shape, conditions)
    points = Collocation.of(Program(problem), 200)
    blocks, _ = points.linearised(points.at_rest())
    found = singular_functions(problem, [blocks[i] for i in points.equations])
    assert min(s.power for s in found) == pytest.approx(1 / 3)  # values on one side, fluxes on the other
    inside = np.array([[-0.3, 0.4], [0.5, 0.2], [-0.2, -0.7]])
    for s in (s for s in found if (s.x, s.y) == (0, 0)):
        assert np.allclose(s.derivative(inside, (2, 0)) + s.derivative(inside, (0, 2)), 0, atol=1e-12)
        step = 1e-6 * np.array([[1.0, 0.0]])
        quotient = (s.derivative(inside + step, (0, 1)) - s.derivative(inside - step, (0, 1))) / 2e-6
        assert np.allclose(quotient, s.derivative(inside, (1, 1)), atol=1e-8)
        assert np.allclose(s.derivative(np.array([[0.4, 0.0]]), (0, 1)), 0, atol=1e-13)
        assert np.allclose(s.derivative(np.array([[0.0, -0.4]]), (0, 0)), 0, atol=1e-13)


def test_the_corner_of_the_l_shape():
    """Without its singular functions the error stays at 0.1 whatever the number of points."""
    solution = solve(pde.catalogue("poisson-l-shape"), rtol=1e-12, max_points=1000)
    assert solution.status is pde.Status.STAGNATED
    assert solution.error().relative_l2 < min(1e-3, solution.error_estimate)


# -- problems ------------------------------------------------------------------------------------------


def test_observed_order():
    """Twice the points, a quarter of the error: h^4."""
    problem = manufactured(-laplacian(u))
    few, many = (
        solve(problem, rtol=1e-12, length=2.0, max_points=n).error().relative_l2 for n in (250, 1000)
    )
    assert many < few / 10
    assert many < 2e-4


@pytest.mark.parametrize(
    "equation",
    [
        -((1 + x**2) * u.diff(x)).diff(x) - (sp.exp(y) * u.diff(y)).diff(y) + 2 * u.diff(x) - u,
        -laplacian(u) + u**3,
        -laplacian(u) + u * u.diff(x) + u.diff(x, y) / 2,
    ],
    ids=["coefficients", "cubic", "advection"],
)
def test_equations_on_a_disk_within_the_estimate(equation):
    solution = solve(manufactured(equation), rtol=5e-3)
    assert solution.status is pde.Status.CONVERGED
    assert solution.error().relative_l2 < solution.error_estimate < 5e-3


@pytest.mark.parametrize(
    "condition",
    [pde.Neumann(u, 0), pde.Robin(u, 0, a=1 + x**2, b=1)],
    ids=["neumann", "robin"],
)
def test_fluxes_through_curved_boundaries(condition):
    domain = pde.Ellipse((x, y), radii=(1, 0.7))
    solution = solve(manufactured(-laplacian(u) + u, domain, condition, exact=SMOOTH), rtol=2e-3)
    assert solution.error().relative_l2 < solution.error_estimate < 2e-3


def test_a_polygon_with_a_hole():
    outer = pde.Polygon((x, y), [(0, 0), (2, 0), (2, 1), (1, 1.7), (0, 1)], names="wall")
    domain = outer - pde.Disk((x, y), (0.8, 0.6), 0.25, name="hole")
    conditions = [pde.Dirichlet(u, 0, on="wall"), pde.Neumann(u, 0, on="hole")]
    solution = solve(manufactured(-laplacian(u), domain, *conditions, exact=SMOOTH), rtol=2e-3)
    assert solution.error().relative_l2 < solution.error_estimate < 2e-3


def test_a_gauge_fixes_the_constant():
    exact = sp.sin(2 * x) * sp.cos(y)
    conditions = [pde.Neumann(u, 0), pde.Value(u, 0, at={x: 0.2, y: 0.1})]
    solution = solve(manufactured(-laplacian(u), DISK, *conditions, exact=exact), rtol=1e-3)
    assert solution.error().relative_l2 < 1e-3


def test_a_coupled_system():
    equations = [-laplacian(u) + v - u, -laplacian(v) + u * v]
    declared = pde.Problem("pair", equations, DISK, [pde.Dirichlet(u, 0), pde.Dirichlet(v, 0)])
    solution = solve(declared.manufacture(u=sp.cos(2 * x + y), v=sp.exp(x) * sp.sin(2 * y)), rtol=1e-3)
    assert solution.status is pde.Status.CONVERGED
    assert solution.error().relative_l2 < 1e-3


def test_the_mesh_of_a_file():
    problem = manufactured(-laplacian(u), pde.MeshDomain(meshes.path("l-shape"), (x, y)))
    assert solve(problem, rtol=1e-2).error().relative_l2 < 1e-2


def test_derivatives_and_files(tmp_path):
    solution = solve(pde.catalogue("poisson-l-shape"), max_points=500)
    at = np.array([[-0.4, 0.3], [0.5, 0.5]])
    assert np.allclose(solution.derivative(at, -laplacian(u)), 1, atol=0.05)
    loaded = pde.load(solution.save(tmp_path / "u.h5"))
    assert np.array_equal(loaded(at), solution(at))
    assert solution.uncertainty(at) is None


def test_steps_that_overshoot_are_cut():
    """From zero, where the equation is linear, the whole step overshoots by far."""
    problem = manufactured(-laplacian(u) + 20 * u**3, exact=2 * SMOOTH)
    solution = solve(problem, rtol=2e-2)
    assert solution.status is pde.Status.CONVERGED
    assert solution.error().relative_l2 < 2e-2


def test_a_start_that_is_not_finite():
    problem = pde.Problem("log", [laplacian(u) + sp.log(u)], DISK, [pde.Dirichlet(u, 1)])
    assert solve(problem).status is pde.Status.NOT_FINITE


def test_refusals():
    plate = pde.Problem("plate", [laplacian(laplacian(u))], DISK, [pde.Dirichlet(u, 0), pde.Neumann(u, 0)])
    at = np.array([[0.1, 0.2]])
    seen = pde.Problem(
        "seen", [laplacian(u)], DISK, [pde.Dirichlet(u, 0), pde.Observations(u, at, np.zeros(1))]
    )
    assert "order 4" in GP().supports(plate)[0]
    assert "boxes alone" in GP().supports(seen)[0]
    assert GP().supports(manufactured(-laplacian(u))) == []
    backend = GP()
    state = backend.start(manufactured(-laplacian(u)), Context())
    assert not backend.field(state).values(at, 1).any()  # before the first step


@pytest.mark.parametrize(
    ("option", "value"), [("smoothness", 3), ("length", 0), ("rho", -1), ("max_points", 10), ("rtol", -1)]
)
def test_options_out_of_range(option, value):
    with pytest.raises(BackendOptionError, match=option):
        GP(**{option: value})


def test_expansions_are_evaluated_as_their_covariances():
    kernel, rng = RadialKernel(3.5, 0.6), np.random.default_rng(6)
    rows = Block(rng.random((7, 2)), (VALUE, LAPLACE), np.ones((7, 2)))
    columns = Block(rng.random((9, 2)), (LAPLACE,), rng.normal(size=(9, 1)))
    found = applied(kernel, rows, columns)
    for q, operator in enumerate(rows.operators):
        row = Block(rows.points, (operator,), np.ones((7, 1)))
        assert np.allclose(found[:, q], covariance(kernel, row, columns).sum(axis=1), rtol=1e-12)
