"""The Lagrangian frame: symbols, labels, derivatives, transport solved along characteristics, refusals."""

import numpy as np
import pytest
import sympy as sp

import pdesolve as pde
from pdesolve.backends.base import BackendOptionError
from pdesolve.backends.pinn import PINN
from pdesolve.backends.pinn.lagrangian import lagrangian, transport
from pdesolve.conformance import BackendConformance
from pdesolve.solution.field import Field

x, t = pde.coordinates("x t")
u, w = pde.unknown("u w", x, t)
CIRCLE = pde.Interval(x, 0, 2 * sp.pi) * pde.Time(t, 0, 1)
SMALL = {"width": 8, "depth": 2, "points": 200, "compile": False}


def burgers(nu=0.01, mean=10, end=1):
    """The published case: a sine on a fast mean flow."""
    return pde.Problem(
        "burgers on a mean flow",
        [u.diff(t) + u * u.diff(x) - nu * u.diff(x, 2)],
        pde.Interval(x, 0, 2 * sp.pi) * pde.Time(t, 0, end),
        [pde.Initial(u, sp.sin(x) + mean), pde.Periodic(u)],
    )


class TestLagrangian(BackendConformance):
    backend = PINN(frame="lagrangian", sampler="fixed", **{**SMALL, "points": 80})
    steps = 9
    tolerance = 1e-4

    def problem(self):
        return pde.catalogue("convection", beta=30)

    def unsupported(self):
        return pde.catalogue("heat")


class Known(Field):
    """A field whose unknowns are given expressions, with derivatives by SymPy."""

    def __init__(self, *expressions):
        self.expressions = expressions

    def derivatives(self, points, wanted):
        result = []
        for k, (i, j) in wanted:
            e = self.expressions[k]
            e = e.diff(x, i) if i else e
            f = sp.lambdify((x, t), e.diff(t, j) if j else e, "numpy")
            result.append(np.broadcast_to(f(*points.T), (len(points),)).astype(float))
        return result

    def arrays(self):
        return {}


def test_speed_and_rest_are_read_off_the_symbols():
    nu = sp.Rational(1, 100)
    problem = pde.Problem(
        "any",
        [2 * u.diff(t) + (u**2 + sp.sin(x)) * u.diff(x) - nu * u.diff(x, 2) + u.diff(x) ** 2 - u * t],
        CIRCLE,
        [pde.Initial(u, sp.sin(x)), pde.Periodic(u)],
    )
    found = transport(problem)
    v, p, q = found.gradients
    assert sp.simplify(found.speed - (v**2 + sp.sin(x)) / 2) == 0
    assert sp.simplify(found.rest - (nu * q - p**2 + v * t) / 2) == 0
    assert found.order == 2


@pytest.mark.parametrize("order", [2, 3])
def test_an_exact_solution_satisfies_the_equations_along_its_characteristics(order):
    """For any u and speed a(u), with x̂ = X + 3t + sin(X - t) / 4: u(x̂, t) is v, ∂ᵏu/∂xᵏ the gradients.

    The displacement is made up, so that the source of u is chosen such that v satisfies its equation; what is
    tested is the metric: the residual of the gradients and of the balance vanish for fields that were
    differentiated at fixed x, by SymPy.
    """
    nu = sp.Rational(1, 7)
    equation = u.diff(t) + u * u.diff(x) - nu * u.diff(x, order)
    problem = burgers().replace(equations=[equation], allow_ill_posed=True)
    made = lagrangian(problem)
    d, v, *gradients = made.problem.unknowns
    assert len(gradients) == order - 1
    y = sp.Symbol("y", real=True)
    exact = sp.exp(sp.sin(y)) * (1 + t)  # as a function of the place y
    displacement = sp.sin(x - t) / 4
    place = made.position.subs(d, displacement).doit()
    fields = {d: displacement, v: exact.subs(y, place)}
    fields |= {p: exact.diff(y, k).subs(y, place) for k, p in enumerate(gradients, 1)}
    residuals = {k: e.subs(fields).doit() for k, e in made.problem.equations.items()}
    at = {x: 0.7, t: 0.4}
    for name, residual in residuals.items():
        if name.startswith("gradient"):
            assert abs(residual.subs(at).evalf()) < 1e-12
    # J (Dv/Dt - ν ∂ᵏu/∂xᵏ), with Dv/Dt along the displacement that was made up
    speed = place.diff(t)
    material = (exact.diff(t) + sp.Symbol("s") * exact.diff(y)).subs(y, place).subs(sp.Symbol("s"), speed)
    expected = place.diff(x) * (material - nu * exact.diff(y, order).subs(y, place))
    assert abs((residuals["equation"] - expected).subs(at).evalf()) < 1e-10
    expected = speed - exact.subs(y, place)
    assert abs((residuals["characteristics"] - expected).subs(at).evalf()) < 1e-12


def test_labels_and_derivatives_of_a_known_map():
    """x̂ = X + 10 t + sin(X) t / 2 and v = cos X: X solves a transcendental equation, u_x = -sin X / J."""
    made = lagrangian(burgers())
    field = made.field(Known(sp.sin(x) * t / 2, sp.cos(x), sp.Integer(0)))
    labels = np.random.default_rng(0).uniform([0, 0], [2 * np.pi, 1], (300, 2))
    X, T = labels.T
    points = np.column_stack([np.mod(X + 10 * T + np.sin(X) * T / 2, 2 * np.pi), T])
    found = field.labels(points)
    turn = (found - X) / (2 * np.pi)
    assert np.abs(turn - np.round(turn)).max() < 1e-13
    assert np.allclose(field.positions(labels), points, atol=1e-13)
    J = 1 + np.cos(X) * T / 2
    value, u_x, u_t, u_xx = field.derivatives(points, [(0, (0, 0)), (0, (1, 0)), (0, (0, 1)), (0, (2, 0))])
    assert np.allclose(value, np.cos(X), atol=1e-12)
    assert np.allclose(u_x, -np.sin(X) / J, atol=1e-12)
    assert np.allclose(u_t, np.sin(X) / J * (10 + np.sin(X) / 2), atol=1e-11)
    # ∂x(-sin X / J) = (1/J) ∂X(-sin X / J)
    assert np.allclose(u_xx, (-np.cos(X) / J - np.sin(X) ** 2 * T / 2 / J**2) / J, atol=1e-11)
    assert made.remark(Known(sp.sin(x) * t / 2, sp.cos(x), sp.Integer(0))) == ""


def test_crossing_characteristics_are_reported():
    made = lagrangian(burgers(nu=0))
    crossed = Known(sp.sin(x) * 2 * t, sp.sin(x) + 10)  # J = 1 + 2 t cos X, first zero at t = 1/2
    remark = made.remark(crossed)
    assert "characteristics cross" in remark
    assert np.isfinite(made.field(crossed).values(made.problem.domain.grid(9).points, 1)).all()


@pytest.mark.parametrize("beta", [30, 50])
def test_convection_is_exact_at_a_network_of_zero(beta):
    """The trial function with N = 0 is the solution: d = 0, v = u(X, 0)."""
    problem = pde.catalogue("convection", beta=beta)
    made = lagrangian(problem)
    field = made.field(Known(sp.Integer(0), sp.sin(x)))
    grid = problem.domain.grid(31).points
    assert np.allclose(field.values(grid, 1)[:, 0], np.sin(grid[:, 0] - beta * grid[:, 1]), atol=1e-12)


def test_burgers_on_a_fast_mean_flow_beats_the_eulerian_frame():
    """u0 = sin x + 10, ν = 0.01, relative to u - 10, against the spectral backend."""
    problem = burgers()
    reference = pde.solve(problem, "spectral", rtol=1e-8, progress=False)
    grid = problem.domain.grid(61).points
    exact = reference(grid)[:, 0]
    errors = {}
    for frame in ("lagrangian", "eulerian"):
        backend = PINN(frame=frame, width=8, depth=2, points=250, sampler="fixed", compile=False)
        solution = pde.solve(problem, backend, steps=25, progress=False)
        errors[frame] = np.linalg.norm(solution(grid)[:, 0] - exact) / np.linalg.norm(exact - 10)
    assert errors["lagrangian"] < 1e-2
    assert errors["lagrangian"] < 0.05 * errors["eulerian"]


def test_walls_that_nothing_flows_through():
    """Viscous Burgers between walls, u = 0 there; Cole-Hopf. Labels stay between the walls."""
    problem = pde.catalogue("burgers", nu=0.3)
    solution = pde.solve(
        problem, PINN(frame="lagrangian", **{**SMALL, "width": 12}), steps=40, progress=False
    )
    assert solution.error().relative_l2 < 1e-2
    assert problem.domain.contains(solution.collocation_points).all()


def test_slabs_and_files_know_the_frame(tmp_path):
    problem = pde.catalogue("convection", beta=10)
    backend = PINN(frame="lagrangian", slabs=2, **SMALL)
    solution = pde.solve(problem, backend, steps=20, progress=False)
    assert solution.error().relative_l2 < 1e-3
    loaded = pde.load(solution.save(tmp_path / "u.h5"), problem)
    points = problem.domain.sample(20, np.random.default_rng(0))
    assert np.array_equal(solution(points), loaded(points))


SQUARE = pde.Interval(x, 0, 1) * pde.Time(t, 0, 1)
START, RING = pde.Initial(u, sp.sin(2 * sp.pi * x)), pde.Periodic(u)
REFUSED = {
    "transport term": pde.Problem("heat", [u.diff(t) - u.diff(x, 2)], SQUARE, [START, RING]),
    "one unknown": pde.Problem(
        "system",
        [u.diff(t) + w.diff(x), w.diff(t) + u.diff(x)],
        SQUARE,
        [START, RING, pde.Initial(w, 0), pde.Periodic(w)],
    ),
    "in time": pde.Problem(
        "wave", [u.diff(t, 2) - u.diff(x, 2)], SQUARE, [START, pde.Initial(u.diff(t), 0), RING]
    ),
    "flows through": pde.Problem(
        "inflow", [u.diff(t) + u.diff(x)], SQUARE, [pde.Initial(u, 0), pde.Dirichlet(u, 0, on="left")]
    ),
}


@pytest.mark.parametrize("reason", REFUSED)
def test_what_has_no_characteristics_is_refused(reason):
    (said,) = PINN(frame="lagrangian").supports(REFUSED[reason])
    assert reason in said
    assert PINN().supports(REFUSED[reason]) == []


def test_the_frame_is_one_of_two():
    with pytest.raises(BackendOptionError, match="'eulerian' or 'lagrangian'"):
        PINN(frame="moving")
