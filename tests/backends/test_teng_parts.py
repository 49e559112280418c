"""Parts of neural time stepping: symbols, schemes, nodes, the tangent plane."""

from __future__ import annotations

import numpy as np
import pytest
import sympy as sp
import torch
from sympy import cos, exp, sin

import pdesolve as pde
from pdesolve.backends.base import Context
from pdesolve.backends.teng import TENG
from pdesolve.backends.teng.evolution import as_evolution, reasons, start_conditions
from pdesolve.backends.teng.field import _weights
from pdesolve.backends.teng.network import heads_of
from pdesolve.backends.teng.nodes import box_nodes, wanted_counts
from pdesolve.backends.teng.reduction import NotAnEvolution, first_order
from pdesolve.backends.teng.schemes import SCHEMES, Scheme
from pdesolve.backends.teng.splitting import Splitting, split
from pdesolve.backends.teng.step import fit, stages
from pdesolve.backends.teng.tangent import TangentPlane

x, t = pde.coordinates("x t")
u, v = pde.unknown("u", x, t), pde.unknown("v", x, t)
line = pde.Interval(x, 0, 2 * sp.pi) * pde.Time(t, 0, 1)


def periodic(*equations, **initial):
    named = {"u": u, "v": v}
    conditions = [pde.Initial(named[name], value) for name, value in initial.items()]
    return pde.Problem("test", list(equations), line, conditions + [pde.Periodic(named[n]) for n in initial])


# -- symbols ------------------------------------------------------------------------------------------


def test_rates_are_solved_for_in_symbols():
    burgers = periodic(2 * u.diff(t) + u * u.diff(x) - u.diff(x, 2) - sin(x), u=sin(x))
    (rate,) = as_evolution(burgers).forms
    assert sp.simplify(rate - (u.diff(x, 2) - u * u.diff(x) + sin(x)) / 2) == 0


def test_coupled_rates_are_untangled():
    problem = periodic(u.diff(t) + v.diff(t) - u, u.diff(t) - v.diff(t) - v.diff(x), u=sin(x), v=cos(x))
    f, g = as_evolution(problem).forms
    assert sp.simplify(f - (u + v.diff(x)) / 2) == 0
    assert sp.simplify(g - (u - v.diff(x)) / 2) == 0


def test_second_order_in_time_gains_a_rate_with_its_conditions():
    wave = pde.catalogue("wave")
    system = first_order(wave)
    assert system.unknown_names == ("u", "u_t")
    assert not any(system.time_order(w) > 1 for w in system.unknowns)
    f, _ = as_evolution(wave).forms
    assert f == system.unknowns[1]
    kinds = [type(c).__name__ for c in system.conditions if c.unknown == system.unknowns[1]]
    assert kinds == ["Initial"]


def test_problems_that_cannot_be_stepped_are_refused_with_the_reason():
    assert "no time" in reasons(pde.catalogue("poisson"))[0]
    conditions = [pde.Initial(u, sin(x)), pde.Periodic(u), pde.Periodic(v)]

    def problem(*equations, more=()):
        return pde.Problem("test", list(equations), line, [*conditions, *more])

    assert reasons(problem(u.diff(t) - v.diff(x), v.diff(x, 2) - v - u)) == []
    assert "0 equations without" in reasons(problem(u.diff(t) - v.diff(x), u.diff(t) + v))[0]
    w = pde.unknown("w", x, t)
    start = pde.Initial(w, 0)
    pendulum = problem(u.diff(t) - w, w.diff(t) - v, u + 0 * v, more=[start])  # v acts on the rate's rate
    assert "neither a constraint" in reasons(pendulum)[0]
    at_once = problem(u.diff(t) - v, v - v.diff(x, 2) - u, more=[pde.Value(v, 0, at={x: 0, t: 0})])
    assert "at one time" in reasons(at_once)[0]
    mixed = periodic(u.diff(t) - u.diff(x, 2, t) + u.diff(x), u=sin(x))
    with pytest.raises(NotAnEvolution, match="space derivatives"):
        as_evolution(mixed)


def slip_walls():
    """Steady Euler flow in a box, and its solution."""
    y = pde.coordinates("y")
    a, b, p = pde.unknown("a b p", x, y, t)
    exact = {a: sin(x) * cos(y), b: -cos(x) * sin(y), p: (cos(2 * x) + cos(2 * y)) / 4}
    problem = pde.Problem(
        "slip",
        {
            "momentum x": a.diff(t) + a * a.diff(x) + b * a.diff(y) + p.diff(x),
            "momentum y": b.diff(t) + a * b.diff(x) + b * b.diff(y) + p.diff(y),
            "continuity": a.diff(x) + b.diff(y),
        },
        pde.Box((x, 0, sp.pi), (y, 0, sp.pi)) * pde.Time(t, 0, 1),
        [
            pde.Initial(a, exact[a]),
            pde.Initial(b, exact[b]),
            pde.Dirichlet(a, 0, on=("left", "right")),
            pde.Dirichlet(b, 0, on=("bottom", "top")),
            pde.Value(p, sp.Rational(1, 2), at={x: 0, y: 0}),
        ],
        unknowns=(a, b, p),
        reference=exact,
    )
    return problem, exact


def test_the_pressure_at_the_start_follows_from_continuity_and_the_walls():
    problem, exact = slip_walls()
    found = as_evolution(problem)
    assert found.algebraic == (False, False, True)
    p = problem.unknowns[2]
    laplacian = p.diff(x, 2) + p.diff(problem.coordinates[1], 2)
    assert sp.expand(found.starts[2] + laplacian).has(p) is False  # ∇·f = -∇²p + what the velocities give
    terms = start_conditions(found)
    assert sorted(term.region for term in terms) == ["bottom", "left", "right", "top"]
    for term in terms:
        wall = {"left": {x: 0}, "right": {x: sp.pi}, "bottom": {"y": 0}, "top": {"y": sp.pi}}[term.region]
        where = {pde.coordinates("y") if k == "y" else k: value for k, value in wall.items()}
        assert sp.simplify(term.expression.subs(exact).doit().subs(where)) == 0
    assert sp.simplify(found.starts[2].subs(exact).doit()) == 0


def test_what_is_not_determined_at_the_start_or_cannot_be_imposed_is_refused():
    problem, _ = slip_walls()
    y = problem.coordinates[1]
    a, b, _ = problem.unknowns
    disk = pde.Disk((x, y), (1, 1), 1) * pde.Time(t, 0, 1)
    gauge = next(c for c in problem.conditions if isinstance(c, pde.Value))
    walls = [pde.Dirichlet(a, 0), pde.Dirichlet(b, 0), pde.Value(gauge.unknown, 0, at={x: 1, y: 1})]
    starts = [pde.Initial(a, 0), pde.Initial(b, 0)]
    assert (
        "boxes alone"
        in reasons(problem.replace(domain=disk, conditions=[*starts, *walls], reference=None))[0]
    )
    given = [pde.Dirichlet(a, lambda points: 0 * points[:, 0]), pde.Dirichlet(b, 0), gauge]
    assert "not as a function" in reasons(problem.replace(conditions=[*starts, *given], reference=None))[0]
    pinned = periodic(u.diff(t) - u.diff(x, 2), u=sin(x))
    pinned = pinned.replace(conditions=[*pinned.conditions, pde.Value(u, 5, at={x: 1})])
    assert "value of u at a point" in reasons(pinned)[0]


def test_data_of_an_algebraic_unknown_say_nothing_of_rates():
    conditions = [pde.Initial(u, 0), pde.Dirichlet(v, t)]
    problem = pde.Problem("screened", [u.diff(t) + v, v - v.diff(x, 2) - u], line, conditions)
    assert reasons(problem) == []
    assert start_conditions(as_evolution(problem)) == []


def test_a_flow_is_split_into_what_carries_what_else_acts_and_pressure():
    problem = pde.catalogue("taylor-green")
    u, v, p = problem.unknowns
    x, y, _ = problem.coordinates
    parts = split(as_evolution(problem))
    assert parts.velocity == (u, v)
    assert parts.forms == (-p.diff(x), -p.diff(y), u.diff(x) + v.diff(y))
    for w, rest in zip((u, v), parts.rest, strict=True):
        assert sp.expand(rest - 0.01 * (w.diff(x, 2) + w.diff(y, 2))) == 0


def test_what_is_carried_along_is_the_field_upstream():
    """Fluid that moves as a whole takes its velocity with it; feet stop at walls."""
    problem, _ = slip_walls()
    state = started(problem, published="insr", scheme="midpoint", dt=0.1)
    splitting = Splitting(state.space, state.counts)
    theta = splitting.rows.fit.start()
    points, step = splitting.rows.nodes.points, 0.1
    now = state.space.residual()

    def values(at):
        none = (0, 0, 0)
        columns = torch.as_tensor(np.column_stack([at, np.zeros(len(at))]))
        return torch.stack(now.derivatives(theta, columns, tuple((k, none) for k in range(3))))

    feet = np.clip(points - step * values(points)[:2].numpy().T, 0, np.pi)
    torch.testing.assert_close(splitting.carried(theta, 0.0, step), values(feet))


# -- schemes ------------------------------------------------------------------------------------------


def tableau(scheme: Scheme):
    s = len(scheme.lower)
    a = np.zeros((s, s))
    for i, row in enumerate(scheme.lower):
        a[i, :i] = row
        a[i, i] = scheme.diagonal if i else 0.0
    return a, np.array(scheme.weights), a.sum(axis=1)


def order_conditions(a, b, c):
    """Left sides less right sides, order by order (Hairer, Nørsett & Wanner I, table 2.2)."""
    return {
        1: [b.sum() - 1],
        2: [b @ c - 1 / 2],
        3: [b @ c**2 - 1 / 3, b @ a @ c - 1 / 6],
        4: [b @ c**3 - 1 / 4, b @ (c * (a @ c)) - 1 / 8, b @ a @ c**2 - 1 / 12, b @ a @ a @ c - 1 / 24],
    }


@pytest.mark.parametrize("name", SCHEMES)
def test_schemes_meet_the_conditions_of_their_order(name):
    scheme = SCHEMES[name]
    a, b, c = tableau(scheme)
    np.testing.assert_allclose(c, scheme.nodes, atol=1e-14)
    conditions = order_conditions(a, b, c)
    assert all(abs(gap) < 1e-13 for k in range(1, scheme.order + 1) for gap in conditions[k])
    if scheme.order < 4:
        assert max(map(abs, conditions[scheme.order + 1])) > 1e-3
    if scheme.embedded is not None:
        lower = order_conditions(a, np.array(scheme.embedded), c)
        assert all(abs(gap) < 1e-13 for k in range(1, scheme.order) for gap in lower[k])


def test_the_implicit_scheme_is_l_stable():
    a, b, _ = tableau(SCHEMES["esdirk4"])
    one = np.ones(len(b))

    def growth(z):
        return 1 + z * b @ np.linalg.solve(np.eye(len(b)) - z * a, one)

    assert abs(growth(-1e8)) < 1e-6
    assert max(abs(growth(1j * y)) for y in np.linspace(0.01, 50, 400)) <= 1 + 1e-12


# -- nodes --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("parities", [{}, {0: 1}, {0: -1, 1: 1}])
def test_nodes_are_a_quadrature_of_functions_with_the_parities(parities):
    y = pde.coordinates("y")
    w = pde.unknown("w", x, y, t)
    domain = pde.Box((x, 0, 2), (y, -1, 1)) * pde.Time(t, 0, 1)
    conditions = [pde.Initial(w, 0), pde.Periodic(w, x), pde.Dirichlet(w, 0, on=("bottom", "top"))]
    problem = pde.Problem("nodes", [w.diff(t) - w.diff(x, 2) - w.diff(y, 2)], domain, conditions)
    nodes = box_nodes(problem, (16, 12), (0,), parities)
    assert len(nodes.points) == 16 * 12 / 2 ** len(parities)
    values = np.cos(2 * np.pi * nodes.points[:, 0]) ** 2 * nodes.points[:, 1] ** 4  # even in both
    np.testing.assert_allclose(nodes.weights @ values, 1 / 10, rtol=1e-12)
    np.testing.assert_allclose(nodes.weights.sum(), 1)


def test_counts_follow_the_highest_wave_that_counts():
    nodes = np.arange(64) / 64 * 2 * np.pi
    counts = {k: wanted_counts(np.cos(k * nodes)[None], (64,), (0,), {}, 1e-6)[0] for k in (5, 20, 30)}
    assert counts[5] == 64  # no fewer than there are
    assert 3 * 30 <= counts[30] < 4.5 * 30
    assert wanted_counts(1e-9 * np.cos(30 * nodes)[None] + np.cos(nodes), (64,), (0,), {}, 1e-6) == (64,)


# -- the tangent plane --------------------------------------------------------------------------------


def test_the_tangent_plane_solves_least_squares_and_ignores_what_is_cut_off():
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(30, 8))
    right = rng.normal(size=30)
    expected = np.linalg.lstsq(matrix, -right, rcond=None)[0]
    plane = TangentPlane(torch.as_tensor(matrix), 1e-12)
    np.testing.assert_allclose(plane.solve(torch.as_tensor(right)).numpy(), expected, rtol=1e-9)
    doubled = np.column_stack([matrix, matrix[:, 0]])  # a direction without effect
    found = TangentPlane(torch.as_tensor(doubled), 1e-5).solve(torch.as_tensor(right)).numpy()
    np.testing.assert_allclose(found[[0, -1]], expected[0] / 2, rtol=1e-5)


def started(problem, **options):
    backend = TENG(width=6, depth=2, points=24, **options)
    return backend.start(problem, Context())


def test_rows_on_the_plane_are_linear_where_the_equation_is_and_their_jacobian_is_exact():
    state = started(periodic(u.diff(t) - u.diff(x, 2) + u, u=sin(x)), symmetry=False)
    theta = heads_of(state.draft, 6, 2, 1)
    rows = state.space.rows(state.counts)
    move = 1e-1 * torch.randn(len(theta), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    target = torch.zeros(1, 24, dtype=torch.float64)
    start, end = (rows.on_plane(theta, s * move, 0.3) for s in (0.0, 1.0))
    base, along = (rows.stage_rows(parts, 0.2, target) for parts in (start, end))
    predicted = base + rows.jacobian(theta, 0.3, 0.2) @ move
    torch.testing.assert_close(along, predicted, rtol=1e-10, atol=1e-12)
    on_plane = end.values - rows.state(theta, 0.3)
    curved = rows.state(theta + move, 0.3) - rows.state(theta, 0.3)
    small = rows.state(theta + 1e-4 * move, 0.3) - rows.state(theta, 0.3)
    assert float((curved - on_plane).norm()) > 1e-4  # networks are curved,
    torch.testing.assert_close(small / 1e-4, on_plane, rtol=1e-2, atol=1e-4)  # and touch their plane


def test_the_rate_is_that_of_the_equation():
    state = started(periodic(u.diff(t) - u.diff(x, 2) + u * u.diff(x), u=sin(x)), symmetry=False)
    theta = heads_of(state.draft, 6, 2, 1)
    rows, points = state.space.rows(state.counts), state.space.nodes(state.counts).points
    at = torch.as_tensor(np.column_stack([points, np.zeros(len(points))]))
    wanted = [(0, (0, 0)), (0, (1, 0)), (0, (2, 0))]
    value, slope, curvature = state.space.residual().derivatives(theta, at, tuple(wanted))
    torch.testing.assert_close(rows.rate(theta, 0.0)[0], curvature - value * slope)


def test_a_step_reaches_its_target_and_a_stiff_step_is_that_of_the_scheme():
    problem = periodic(u.diff(t) - u.diff(x, 2), u=exp(sin(x)))
    backend = TENG(width=10, depth=2)
    state = backend.start(problem, Context())
    while not state.times:
        backend.advance(state)
    carried = torch.zeros_like(state.carried)
    target = stages(state.rows, SCHEMES["esdirk4"], state.theta, 0.0, 100.0, carried, 1e-10)
    a, b, _ = tableau(SCHEMES["esdirk4"])
    growth = 1 - 100 * b @ np.linalg.solve(np.eye(len(b)) + 100 * a, np.ones(len(b)))
    points = state.space.nodes(state.counts).points[:, 0]
    first = float(np.mean(target.values.numpy()[0] * 2 * np.sin(points)))
    np.testing.assert_allclose(first, growth * 2 * float(sp.besseli(1, 1)), atol=1e-3)
    short = stages(state.rows, SCHEMES["esdirk4"], state.theta, 0.0, 0.05, carried, 1e-10)
    objective, size = state.rows.objective(0.05, short.values), state.rows.size_of(short.values)
    found = fit(objective, size, [state.theta], 1e-10, 1e-8, 1e-6)
    assert found.misfit < 1e-6
    assert short.time_error < 1e-6
    assert short.plane_error < 1e-6


# -- between the steps --------------------------------------------------------------------------------


@pytest.mark.parametrize("order", [0, 1, 2])
def test_interpolation_in_time_is_exact_for_polynomials(order):
    nodes = np.array([0.0, 0.1, 0.15, 0.3, 0.5, 0.6, 0.9, 1.0])
    times = np.linspace(0, 1, 7)
    polynomial = np.polynomial.Polynomial([1, -2, 3, 0, 1, 0, -1, 2])
    expected = polynomial.deriv(order)(times) if order else polynomial(times)
    np.testing.assert_allclose(_weights(nodes, times, order) @ polynomial(nodes), expected, atol=1e-9)
