"""The spectral backend on coupled, second-order and constrained systems: closed forms, conserved
quantities, and declarations of one problem in two ways."""

from __future__ import annotations

from typing import Any

import mpmath
import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from spectral_cases import drive, evaluate, line, relative_l2, t, u, v, x, y, z

from pdesolve.backends.base import Context
from pdesolve.backends.spectral import Spectral
from pdesolve.checkpoint import pack, unpack
from pdesolve.declare import Box, Initial, Interval, Periodic, Problem, Time, Value, unknown
from pdesolve.problems import catalogue
from pdesolve.residual.fourier.constraints import System, eliminate
from pdesolve.residual.fourier.discretization import InconsistentConstraintError
from pdesolve.residual.fourier.fluxes import FirstOrder, conservative
from pdesolve.residual.fourier.phi import phi_functions
from pdesolve.solution.status import Status

CIRCLE = Interval(x, 0, 2 * sp.pi)
SQUARE = Box((x, 0, 2 * sp.pi), (y, 0, 2 * sp.pi))


def laplacian(w: Any) -> Any:
    return sum(w.diff(c, 2) for c in w.args[:-1])


def found(problem: Problem, method: Spectral, points: Any = None) -> tuple[Any, Any]:
    """Points inside (or those given) and all unknowns there; the run must have converged."""
    state, progress = drive(problem, method)
    assert progress.status is Status.CONVERGED or {method.n, method.dt} != {None}, progress
    if points is None:
        points = problem.domain.sample(200, np.random.default_rng(0), "inside")
    return points, method.field(state).values(points, len(problem.unknowns))


def errors(problem: Problem, method: Spectral, exact: Any, points: Any = None) -> list[float]:
    points, values = found(problem, method, points)
    return [relative_l2(values[:, k], evaluate(e, points)) for k, e in enumerate(exact)]


# -- coupled linear parts ----------------------------------------------------------------------------


def schroedinger() -> tuple[Problem, list[Any]]:
    """i ψ_t + ½ ψ_xx + |ψ|² ψ = 0 for ψ = u + i v: a soliton that moves, tails of 1e-13 at the ends."""
    speed, height = sp.pi / 4, 2  # a whole number of waves fits
    phase = speed * x + (height**2 - speed**2) * t / 2
    envelope = height * sp.sech(height * (x - speed * t))
    exact = [envelope * sp.cos(phase), envelope * sp.sin(phase)]
    square = u**2 + v**2
    equations = [u.diff(t) + v.diff(x, 2) / 2 + square * v, v.diff(t) - u.diff(x, 2) / 2 - square * u]
    starts = [Initial(w, e.subs(t, 0)) for w, e in zip((u, v), exact, strict=True)]
    domain = Interval(x, -16, 16) * Time(t, 0, 1)
    return Problem("schrödinger", equations, domain, [*starts, Periodic(u), Periodic(v)]), exact


def test_soliton_of_two_real_equations() -> None:
    """With v_xx among the non-linear terms, 100 times as many steps would be needed."""
    problem, exact = schroedinger()
    assert max(errors(problem, Spectral(rtol=1e-9), exact)) < 1e-8


def wave() -> tuple[Problem, Any]:
    """u_tt = 4 u_xx; its mean grows like t: for k = 0 the blocks are defective."""
    exact = sp.sin(x - 2 * t) + sp.cos(3 * x) * sp.cos(6 * t) + t + sp.Rational(1, 2)
    rate = exact.diff(t).subs(t, 0)
    conditions = [Initial(u, exact.subs(t, 0)), Initial(u.diff(t), rate), Periodic(u)]
    return Problem("wave", [u.diff(t, 2) - 4 * u.diff(x, 2)], CIRCLE * Time(t, 0, 2), conditions), exact


def test_wave_equation_is_exact() -> None:
    problem, exact = wave()
    assert max(errors(problem, Spectral(rtol=1e-10), [exact])) < 1e-12


def test_breather_of_sine_gordon() -> None:
    frequency = sp.Rational(3, 5)
    width = sp.sqrt(1 - frequency**2)
    exact = 4 * sp.atan(width / frequency * sp.sin(frequency * t) / sp.cosh(width * x))
    conditions = [Initial(u, 0), Initial(u.diff(t), exact.diff(t).subs(t, 0)), Periodic(u)]
    equation = u.diff(t, 2) - u.diff(x, 2) + sp.sin(u)
    problem = Problem("sine-gordon", [equation], Interval(x, -40, 40) * Time(t, 0, 5), conditions)
    assert max(errors(problem, Spectral(rtol=1e-8), [exact])) < 1e-8


def test_a_rate_among_the_non_linear_terms() -> None:
    """u_tt = u_xx - u_t³ + f, and a second unknown that is driven by u_xt."""
    base = Problem(
        "damped",
        [u.diff(t, 2) - u.diff(x, 2) + u.diff(t) ** 3, v.diff(t) - v.diff(x, 2) - u.diff(x, t)],
        CIRCLE * Time(t, 0, 1),
        [Initial(u, 0), Initial(u.diff(t), 0), Initial(v, 0), Periodic(u), Periodic(v)],
    )
    exact = {u: sp.sin(x - t) + sp.cos(2 * x) * sp.exp(-t), v: sp.cos(x) * sp.sin(2 * t)}
    assert max(errors(base.manufacture(exact), Spectral(rtol=1e-9), exact.values())) < 1e-8


def test_space_derivatives_of_a_rate() -> None:
    """u_t + u_x + u u_x = u_xxt, the solitary wave of Benjamin, Bona & Mahony."""
    speed = sp.Rational(3, 2)
    exact = 3 * (speed - 1) * sp.sech(sp.sqrt((speed - 1) / speed) / 2 * (x - speed * t)) ** 2
    equation = u.diff(t) + u.diff(x) + u * u.diff(x) - u.diff(x, 2, t)
    problem = line("bbm", equation, exact.subs(t, 0), (-60, 60))
    assert max(errors(problem, Spectral(rtol=1e-10), [exact])) < 1e-9


# -- constraints -------------------------------------------------------------------------------------


def primitive(stream: Any, nu: Any, coriolis: Any = 0, gauge: Any = 0) -> Problem:
    """u_t + u·∇u + ∇p = ν Δu + f (v, -u),  ∇·u = 0, from the stream function at the start."""
    a, b, p = unknown("a b p", x, y, t)

    def momentum(w: Any, c: Any, force: Any) -> Any:
        return w.diff(t) + a * w.diff(x) + b * w.diff(y) + p.diff(c) - nu * laplacian(w) - force

    equations = [momentum(a, x, coriolis * b), momentum(b, y, -coriolis * a), a.diff(x) + b.diff(y)]
    conditions = [
        Initial(a, stream.diff(y)),
        Initial(b, -stream.diff(x)),
        *map(Periodic, (a, b, p)),
        Value(p, gauge, at={x: 1, y: sp.Rational(1, 2)}),
    ]
    domain = SQUARE * Time(t, 0, 1)
    return Problem("primitive", equations, domain, conditions, unknowns=(a, b, p))


def vorticity(stream: Any, nu: Any) -> Problem:
    w, s = unknown("w s", x, y, t)
    equations = [
        w.diff(t) + s.diff(y) * w.diff(x) - s.diff(x) * w.diff(y) - nu * laplacian(w),
        laplacian(s) + w,
    ]
    start = -(stream.diff(x, 2) + stream.diff(y, 2))
    conditions = [Initial(w, start), Periodic(w), Periodic(s), Value(s, 0, at={x: 0, y: 0})]
    return Problem("vorticity", equations, SQUARE * Time(t, 0, 1), conditions, unknowns=(w, s))


STREAM = sp.sin(x) * sp.cos(y) + sp.cos(2 * x + y) / 4


def test_taylor_green_of_the_catalogue() -> None:
    problem = catalogue("taylor-green")
    points = problem.domain.grid((9, 8, 7)).points
    nu = next(iter(problem.parameters.values()))
    a, b = points[:, 0], points[:, 1]
    decay = np.exp(-2 * float(nu) * points[:, 2])
    exact = [
        -np.cos(a) * np.sin(b) * decay,
        np.sin(a) * np.cos(b) * decay,
        -(np.cos(2 * a) + np.cos(2 * b)) / 4 * decay**2,
    ]
    _, values = found(problem, Spectral(rtol=1e-11), points)
    assert np.abs(values - np.stack(exact, axis=1)).max() < 1e-12


def test_pressure_follows_the_gauge_and_coriolis_force() -> None:
    """In the plane f (v, -u) = -f ∇ψ is balanced by the pressure alone, which is fixed at a point in time."""
    nu, f, gauge = sp.Rational(1, 10), 3, sp.sin(5 * t)
    decay = sp.exp(-2 * nu * t)
    stream = sp.cos(x) * sp.cos(y) * decay
    pressure = -(sp.cos(2 * x) + sp.cos(2 * y)) * decay**2 / 4 - f * stream
    pressure += gauge - pressure.subs({x: 1, y: sp.Rational(1, 2)})
    exact = [stream.diff(y), -stream.diff(x), pressure]
    problem = primitive(stream.subs(t, 0), nu, f, gauge)
    assert max(errors(problem, Spectral(rtol=1e-10), exact)) < 1e-9
    method = Spectral(rtol=1e-10)
    field = method.field(drive(problem, method)[0])
    points = problem.domain.sample(50, np.random.default_rng(1), "inside")
    (slope,) = field.derivatives(points, [(2, (1, 0, 0))])
    assert relative_l2(slope, evaluate(pressure.diff(x), points)) < 1e-9


def test_internal_wave_of_a_stratified_fluid() -> None:
    """Velocity, buoyancy s and pressure of a plane wave, ω = N k_x/|k|: an exact solution, since k·u = 0.

    The pressure holds a part that is linear in s, and L stays coupled on the constraint.
    """
    a, b, s, p = unknowns = unknown("a b s p", x, y, t)
    frequency, k, m = 3, 1, 2
    omega = frequency * k / sp.sqrt(k**2 + m**2)
    phase = k * x + m * y - omega * t
    stream = sp.cos(phase) / 2
    buoyancy = -(frequency**2) * k / omega * stream
    exact = [stream.diff(y), -stream.diff(x), buoyancy, -m * buoyancy.diff(x) / (k * (k**2 + m**2))]

    def carried(w: Any) -> Any:
        return w.diff(t) + a * w.diff(x) + b * w.diff(y)

    equations = [
        carried(a) + p.diff(x),
        carried(b) + p.diff(y) - s,
        carried(s) + frequency**2 * b,
        a.diff(x) + b.diff(y),
    ]
    starts = [Initial(w, e.subs(t, 0)) for w, e in zip((a, b, s), exact, strict=False)]
    gauge = Value(p, exact[3].subs({x: 0, y: 0}), at={x: 0, y: 0})
    conditions = [*starts, *map(Periodic, unknowns), gauge]
    problem = Problem("stratified", equations, SQUARE * Time(t, 0, 2), conditions, unknowns=unknowns)
    assert max(errors(problem, Spectral(rtol=1e-9), exact)) < 1e-11


def test_two_declarations_of_one_flow_agree() -> None:
    """Velocity and pressure against vorticity and stream function: nothing but the flow is shared."""
    nu = sp.Rational(1, 20)
    points = SQUARE.sample(100, np.random.default_rng(1), "inside")
    points = np.column_stack([points, np.linspace(0, 1, 100)])
    one, other = Spectral(rtol=1e-8), Spectral(rtol=1e-8)
    flow = one.field(drive(primitive(STREAM, nu), one)[0])
    curl = other.field(drive(vorticity(STREAM, nu), other)[0])
    wanted = [(0, (0, 0, 0)), (1, (0, 0, 0)), (1, (1, 0, 0)), (0, (0, 1, 0)), (0, (1, 0, 0)), (1, (0, 1, 0))]
    a, b, b_x, a_y, a_x, b_y = flow.derivatives(points, wanted)
    w, s_y, s_x, s = curl.derivatives(points, [(0, (0,) * 3), (1, (0, 1, 0)), (1, (1, 0, 0)), (1, (0,) * 3)])
    assert relative_l2(b_x - a_y, w) < 1e-8
    assert relative_l2(a, s_y) < 1e-8 and relative_l2(b, -s_x) < 1e-8
    assert np.abs(a_x + b_y).max() < 1e-13
    at_gauge = curl.values(np.array([[0, 0, 0.3], [0, 0, 0.77]]), 2)[:, 1]
    assert np.abs(at_gauge).max() < 1e-13 and np.abs(s).max() > 0.1


def test_ideal_flow_conserves_energy_and_enstrophy() -> None:
    method = Spectral(rtol=1e-9)
    field = method.field(drive(vorticity(STREAM, 0), method)[0])
    grid = np.arange(96) * 2 * np.pi / 96
    points = [m.ravel() for m in np.meshgrid(grid, grid, [0.0, 0.37, 1.0], indexing="ij")]
    wanted = [(0, (0, 0, 0)), (1, (1, 0, 0)), (1, (0, 1, 0))]
    w, s_x, s_y = (a.reshape(-1, 3) for a in field.derivatives(np.stack(points, axis=1), wanted))
    energy, enstrophy = (s_x**2 + s_y**2).mean(axis=0), (w**2).mean(axis=0)
    assert np.abs(energy / energy[0] - 1).max() < 1e-9
    assert np.abs(enstrophy / enstrophy[0] - 1).max() < 1e-9
    assert np.abs(w[:, 2] - w[:, 0]).max() > 0.1  # it did move


def test_flow_in_space() -> None:
    """Taylor & Green's vortex in three dimensions: ∇·u = 0 and dE/dt = -2ν Ω."""
    a, b, c, p = unknowns = unknown("a b c p", x, y, z, t)
    nu = sp.Rational(1, 10)

    def momentum(w: Any, q: Any) -> Any:
        return w.diff(t) + a * w.diff(x) + b * w.diff(y) + c * w.diff(z) + p.diff(q) - nu * laplacian(w)

    problem = Problem(
        "vortices in space",
        [momentum(a, x), momentum(b, y), momentum(c, z), a.diff(x) + b.diff(y) + c.diff(z)],
        Box(*((q, 0, 2 * sp.pi) for q in (x, y, z))) * Time(t, 0, 1),
        [
            Initial(a, sp.sin(x) * sp.cos(y) * sp.cos(z)),
            Initial(b, -sp.cos(x) * sp.sin(y) * sp.cos(z)),
            Initial(c, 0),
            *map(Periodic, unknowns),
            Value(p, 0, at={x: 0, y: 0, z: 0}),
        ],
        unknowns=unknowns,
    )
    method = Spectral(n=24, dt=1 / 20)
    state, _ = drive(problem, method)
    field = method.field(state)
    n = 2 * state.run.n
    assert state.discretization.is_diagonal and n >= 60
    grid = np.arange(32) * 2 * np.pi / 32
    times = np.array([0.25, 0.5, 1.0])
    points = np.stack([m.ravel() for m in np.meshgrid(grid, grid, grid, times, indexing="ij")], axis=1)
    unit = np.eye(4, dtype=int)
    wanted = [(k, tuple(unit[i])) for k in range(3) for i in range(4)] + [(k, (0,) * 4) for k in range(3)]
    values = np.stack(field.derivatives(points, wanted)).reshape(15, -1, 3)
    gradients, velocity = values[:12].reshape(3, 4, -1, 3), values[12:]
    divergence = gradients[0, 0] + gradients[1, 1] + gradients[2, 2]
    assert np.abs(divergence).max() < 1e-13
    decay = (velocity * gradients[:, 3]).sum(axis=0).mean(axis=0)  # d/dt of half the mean square
    dissipation = float(nu) * (gradients[:, :3] ** 2).sum(axis=(0, 1)).mean(axis=0)
    assert np.abs(decay / dissipation + 1).max() < 1e-5
    assert np.abs(velocity[2]).max() > 0.05  # the third component comes from the pressure alone


def test_sources_in_a_constraint_are_differentiated() -> None:
    """A manufactured flow with ∇·u = g(x, y, t): the pressure needs ∂g/∂t. Order four is observed."""
    a, b, p = unknown("a b p", x, y, t)
    exact = {
        a: sp.sin(x + 2 * t) * sp.cos(y),
        b: sp.cos(x) * sp.exp(sp.sin(y - t)),
        p: sp.cos(x + y) * sp.sin(3 * t),
    }
    problem = primitive(STREAM, sp.Rational(1, 10)).manufacture(exact)
    points = np.column_stack([SQUARE.sample(60, np.random.default_rng(2), "inside"), np.ones(60)])
    measured = []
    for steps in (20, 40, 80):
        method = Spectral(n=32, dt=1 / steps, rtol=1e-13)
        measured.append(errors(problem, method, [exact[w] for w in problem.unknowns], points))
    orders = np.log2(np.array(measured[:-1]) / np.array(measured[1:]))
    assert np.abs(orders[-1] - 4).max() < 0.15, orders


def test_order_four_where_blocks_are_coupled() -> None:
    problem, exact = schroedinger()
    points = np.stack([np.linspace(-4, 4, 60), np.ones(60)], axis=1)
    measured = []
    for steps in (100, 200, 400):
        method = Spectral(n=512, dt=1 / steps, rtol=1e-13)
        measured.append(errors(problem, method, exact, points))
    orders = np.log2(np.array(measured[:-1]) / np.array(measured[1:]))
    assert np.abs(orders[-1] - 4).max() < 0.15, (orders, measured)


def test_an_algebraic_unknown_stands_for_its_expression() -> None:
    """u_t = u_xx - u w, w = u² + cos t: evaluated in two stages, or written out."""
    w = unknown("w", x, t)
    start = sp.sin(x) + sp.cos(2 * x) / 2
    conditions = [Initial(u, start), Periodic(u)]
    split = Problem(
        "split",
        [u.diff(t) - u.diff(x, 2) + u * w, w - u**2 - sp.cos(t)],
        CIRCLE * Time(t, 0, 1),
        [*conditions, Periodic(w)],
    )
    whole = line("whole", u.diff(t) - u.diff(x, 2) + u**3 + u * sp.cos(t), start)
    points, values = found(split, Spectral(rtol=1e-9))
    _, wanted = found(whole, Spectral(rtol=1e-9), points)
    assert relative_l2(values[:, 0], wanted[:, 0]) < 1e-8
    assert relative_l2(values[:, 1], wanted[:, 0] ** 2 + np.cos(points[:, 1])) < 1e-8


def test_an_unknown_that_only_a_differentiated_constraint_gives() -> None:
    """u_t = v with u = sin(x + t) prescribed: v = cos(x + t)."""
    conditions = [Initial(u, sp.sin(x)), Periodic(u), Periodic(v)]
    problem = Problem("servo", [u.diff(t) - v, u - sp.sin(x + t)], CIRCLE * Time(t, 0, 1), conditions)
    assert max(errors(problem, Spectral(rtol=1e-9), [sp.sin(x + t), sp.cos(x + t)])) < 1e-8
    late = problem.replace(conditions=[Initial(u, sp.sin(2 * x)), Periodic(u), Periodic(v)])
    with pytest.raises(InconsistentConstraintError, match="initial data"):
        Spectral().start(late, Context())


def test_initial_data_that_violate_a_constraint() -> None:
    problem = primitive(STREAM, 1)
    a = problem.unknowns[0]
    kept = [c for c in problem.conditions if not (isinstance(c, Initial) and c.unknown == a)]
    broken = problem.replace(conditions=[Initial(a, sp.sin(x)), *kept])
    assert Spectral().supports(broken) == []
    with pytest.raises(InconsistentConstraintError, match="distance"):
        Spectral().start(broken, Context())


def test_a_force_that_a_constraint_forbids() -> None:
    """Δs = -w has no solution once a force changes the mean of w."""
    problem = vorticity(STREAM, 1)
    first, second = problem.equations.values()
    for force, is_wrong in ((sp.cos(x) + t * sp.Rational(1, 10), True), (sp.cos(x + t), False)):
        forced = problem.replace(equations=[first - force, second])
        if is_wrong:
            with pytest.raises(InconsistentConstraintError, match="the evolution"):
                Spectral().start(forced, Context())
        else:
            Spectral().start(forced, Context())


def test_resume_with_constraints_is_exact() -> None:
    problem, method = primitive(STREAM, sp.Rational(1, 20)), Spectral(n=24, dt=0.05)
    whole, _ = drive(problem, method)
    state = method.start(problem, Context())
    method.advance(state)
    resumed = unpack(pack(state), method.start(problem, Context(resuming=True)))
    while method.advance(resumed).status is None:
        pass
    for name, array in method.field(whole).arrays().items():
        assert np.array_equal(array, method.field(resumed).arrays()[name])


# -- the parts ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "matrix",
    [
        [[0, 1], [0, 0]],
        [[0, 1], [-1e4, 0]],
        [[0, 50], [-50, 0]],
        [[-1e3, 5], [2, -1]],
        [[-50, 1e3], [0, -50]],
        [[1, 2, 3], [0, -40, 1], [2j, 0, -4j]],
    ],
)
def test_matrix_functions_to_round_off(matrix: list[list[complex]]) -> None:
    """Against e^M of an augmented matrix, whose last block column holds the φ_k, in 60 digits."""
    a = np.array(matrix, dtype=complex)
    whole, half = phi_functions(np.stack([a, np.zeros_like(a)]))
    n = len(a)
    for scale, functions in ((1.0, whole), (0.5, half)):
        with mpmath.workdps(60):
            augmented = mpmath.zeros(4 * n, 4 * n)
            for i, j in np.ndindex(n, n):
                augmented[i, j] = mpmath.mpc(complex(scale * a[i, j]))
            for i in range(3 * n):
                augmented[i, n + i] = 1
            exponential = mpmath.expm(augmented)
            for k in range(4):
                wanted = np.array([[complex(exponential[i, k * n + j]) for j in range(n)] for i in range(n)])
                assert np.abs(functions[k][0] - wanted).max() < 1e-12 * max(1e-3, np.abs(wanted).max())
    assert np.allclose([f[1, 0, 0] for f in whole], [1, 1, 1 / 2, 1 / 6], rtol=1e-15)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10**6), rank=st.integers(0, 2))
def test_elimination_satisfies_the_system(seed: int, rank: int) -> None:
    """d' and a of the reduced system solve the one given, for an E of any rank, and d stays admissible."""
    rng = np.random.default_rng(seed)

    def random(*shape: int) -> Any:
        return rng.standard_normal((3, *shape)) + 1j * rng.standard_normal((3, *shape))

    s = System(
        random(4, 4),
        random(4, 2),
        random(4, 2),
        random(2, 4),
        random(2, rank) @ random(rank, 2),
        random(2, 2),
    )
    r = eliminate(s)
    e, rate = random(2, 1), random(2, 1)
    d = r.keep @ random(4, 1) + r.shift @ e
    a = r.response @ d + r.direct @ e + r.direct_rate @ rate
    d_rate = r.linear @ d + r.forcing @ e + r.forcing_rate @ rate
    assert np.allclose(d_rate, s.L @ d + s.F @ a + s.P @ e, atol=1e-8)
    assert np.allclose(s.C @ d + s.E @ a + s.S @ e, 0, atol=1e-8)
    hidden = np.eye(2) - s.E @ np.linalg.pinv(s.E, rcond=1e-10)
    assert np.allclose(hidden @ (s.C @ d_rate + s.S @ rate), 0, atol=1e-7)


def test_products_become_divergences() -> None:
    a, b, a_x, a_y, b_x, b_y, a_xx = symbols = sp.symbols("a b a_x a_y b_x b_y a_xx")
    known = FirstOrder((a, b), {a_x: (0, 0), a_y: (0, 1), b_x: (1, 0), b_y: (1, 1)}, frozenset({a_xx, x}))
    fields = [sp.Function(n)(x, y) for n in "ab"]
    derivatives = [f.diff(c) for f in fields for c in (x, y)]
    back = dict(zip(symbols, [*fields, *derivatives, fields[0].diff(x, 2)], strict=True))

    def restored(flux: Any) -> Any:
        parts = [f.subs(back).diff((x, y)[axis]) for axis, f in flux.along.items()]
        return sum(parts, flux.local.subs(back))

    for expression, constraints, is_whole in (
        (3 * a * a_x + sp.Rational(1, 2) * a**2 * b * b_y, (), False),
        (a**2 * b_x + 2 * a * b * a_x - 0.3 * a**3 * a_y, (), True),
        (a * b_x - 2 * a_x * b, (), False),
        (sp.sin(a) * a_x + a_xx * a + x * a * a_x + a_x * b_y, (), False),
        (a * a_x + b * a_y, (a_x + b_y,), True),
        (2 * a * b_x + 2 * b * b_y, (a_x / 2 + b_y / 2,), True),
    ):
        flux = conservative(expression, known, constraints)
        difference = sp.simplify(restored(flux) - expression.subs(back))
        if constraints:  # what was added is a multiple of the constraint
            difference = sp.simplify(difference.subs(fields[1].diff(y), -fields[0].diff(x)))
        assert difference == 0 and (flux.local == 0) == is_whole, (expression, flux)


# -- cost and check values ---------------------------------------------------------------------------

CHECK = {  # at x = (81, 163) 2π/512, and rms over the torus
    "allen-cahn-2d": ((0.5, 0.402819302, 0.281620377), (4, 0.996985984, 0.911682403)),
    "burgers-2d": ((2, 0.158469512, 0.177369125), (4, 0.116393848, 0.162369048)),
    "heat-2d": ((4, 0.144660075, 0.105495264),),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", list(CHECK))
def test_published_values_on_the_torus(name: str) -> None:
    """Values of Chen et al. (ICML 2024), whose Fourier coefficients others have checked."""
    problem, method = catalogue(name), Spectral(rtol=1e-8)
    state, progress = drive(problem, method)
    assert progress.status is Status.CONVERGED
    field = method.field(state)
    for time, value, rms in CHECK[name]:
        point = [81 * np.pi / 256, 163 * np.pi / 256, time]
        assert abs(field.values(np.array([point]), 1)[0, 0] - value) < 1e-8
        grid = np.arange(400) * 2 * np.pi / 400
        points = np.stack([m.ravel() for m in np.meshgrid(grid, grid, [time], indexing="ij")], axis=1)
        assert abs(np.sqrt(np.mean(field.values(points, 1) ** 2)) - rms) < 2e-9


@pytest.mark.slow
@pytest.mark.parametrize("name", ["kdv", "kuramoto-sivashinsky"])
def test_doubly_refined_runs_agree(name: str) -> None:
    problem, method = catalogue(name), Spectral(rtol=1e-8)
    state, progress = drive(problem, method)
    assert progress.status is Status.CONVERGED
    finer = Spectral(n=2 * state.run.n, dt=state.run.dt / 2)
    reference, _ = drive(problem, finer)
    points = problem.domain.grid((128, 11)).points  # at times that both have saved
    assert reference.run.intervals % 10 == 0
    assert relative_l2(method.field(state).values(points, 1), finer.field(reference).values(points, 1)) < 1e-8
